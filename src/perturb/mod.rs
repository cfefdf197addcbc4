//! Generates near-misses of sentences, which look similar but mean something else, and paraphrases, which mean the
//! same. The result must depend on the seed, the sentence and the kind alone, never on other texts or kinds, and a rule
//! must not apply where it cannot tell what the changed sentence would say.
//!
//! 1. [`sentence`]: selects the usable parts of the texts.
//! 2. [`value_slots`], [`actors`]: find the typed values and the actors of a sentence.
//! 3. One module for each kind of near-miss lists all changes of that kind; one of them is drawn.
//! 4. [`paraphrase`]: rewords the anchor, if a paraphrase is requested.
//!
//! Rules work on words, without a parser. This module does not know files, passages or models.

mod actors;
mod binding;
mod draws;
mod edit;
mod modal;
mod negation;
mod number;
mod paraphrase;
mod role_swap;
mod rule;
mod sentence;
mod temporal;
mod value_slots;

use std::collections::HashSet;

use rayon::prelude::*;

use crate::world::triplet::TextTriplet;
use draws::SentenceDraws;

/// How a near-miss differs from the anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NearMissKind {
    Negation,
    RoleSwap,
    Binding,
    Number,
    QuantifierModal,
    Temporal,
}

impl NearMissKind {
    pub const ALL: [NearMissKind; 6] = [
        NearMissKind::Negation,
        NearMissKind::RoleSwap,
        NearMissKind::Binding,
        NearMissKind::Number,
        NearMissKind::QuantifierModal,
        NearMissKind::Temporal,
    ];

    /// The name of a triplet's category.
    pub fn name(self) -> &'static str {
        match self {
            NearMissKind::Negation => "negation",
            NearMissKind::RoleSwap => "role_swap",
            NearMissKind::Binding => "binding",
            NearMissKind::Number => "number",
            NearMissKind::QuantifierModal => "quantifier_modal",
            NearMissKind::Temporal => "temporal",
        }
    }
}

/// The positive of each triplet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TripletPositive {
    /// The anchor itself.
    Identity,
    /// A paraphrase of the anchor; a sentence without one is left out.
    Paraphrase,
}

/// What to generate.
#[derive(Clone, Debug)]
pub struct NearMissOptions {
    pub kinds: Vec<NearMissKind>,
    pub seed: u64,
    /// The maximum number of triplets of each kind, sampled from the sentences; `None` means all.
    pub per_kind: Option<usize>,
    pub positive: TripletPositive,
}

/// The counts of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearMissCount {
    pub kind: NearMissKind,
    /// Sentences with a near-miss of this kind.
    pub possible: usize,
    /// Those of them that have no paraphrase, if one is requested.
    pub not_reworded: usize,
    pub written: usize,
}

/// The generated triplets, with counts.
#[derive(Clone, Debug, Default)]
pub struct NearMissTriplets {
    /// Sorted by kind, then in the order of the texts.
    pub triplets: Vec<TextTriplet>,
    pub counts: Vec<NearMissCount>,
    /// The number of distinct usable sentences and rows.
    pub sentences: usize,
}

/// Generates the near-misses of all sentences of the texts.
pub fn near_misses(texts: &[String], options: &NearMissOptions) -> NearMissTriplets {
    let parts: Vec<Vec<String>> = texts.par_iter().map(|text| sentence::usable(text)).collect();
    // Duplicates are dropped in the order of the texts, so the sequence is deterministic.
    let mut seen = HashSet::new();
    let all = parts.into_iter().flatten().filter(|sentence| seen.insert(sentence.clone()));
    let all: Vec<String> = all.collect();

    let mut result = NearMissTriplets { sentences: all.len(), ..NearMissTriplets::default() };
    for &kind in &options.kinds {
        let found: Vec<(Option<TextTriplet>, &String)> = all
            .par_iter()
            .filter_map(|sentence| Some((near_miss(sentence, kind, options)?, sentence)))
            .collect();
        let possible = found.len();
        let mut kept: Vec<(TextTriplet, &String)> = found
            .into_iter()
            .filter_map(|(triplet, sentence)| Some((triplet?, sentence)))
            .collect();
        let not_reworded = possible - kept.len();
        if let Some(most) = options.per_kind {
            sample(&mut kept, most, options.seed, kind);
        }
        result.counts.push(NearMissCount { kind, possible, not_reworded, written: kept.len() });
        result.triplets.extend(kept.into_iter().map(|(triplet, _)| triplet));
    }
    result
}

/// Samples `most` of the triplets, keeping their order. The sample depends on the sentences, not on their positions.
fn sample(kept: &mut Vec<(TextTriplet, &String)>, most: usize, seed: u64, kind: NearMissKind) {
    let purpose = format!("sample {}", kind.name());
    let mut lots: Vec<(u64, String)> = kept
        .iter()
        .map(|(_, sentence)| {
            (SentenceDraws::new(seed, sentence, &purpose).bits(), (*sentence).clone())
        })
        .collect();
    if lots.len() > most {
        lots.sort_unstable();
        lots.truncate(most);
        let lots: HashSet<String> = lots.into_iter().map(|(_, sentence)| sentence).collect();
        kept.retain(|(_, sentence)| lots.contains(*sentence));
    }
}

/// The near-miss of one sentence; the outer `None` means that there is none, the inner that there is no paraphrase.
fn near_miss(
    sentence: &str,
    kind: NearMissKind,
    options: &NearMissOptions,
) -> Option<Option<TextTriplet>> {
    let mut draws = SentenceDraws::new(options.seed, sentence, kind.name());
    let slots = value_slots::slots(sentence);
    let changes = match kind {
        NearMissKind::Negation => negation::changes(sentence),
        NearMissKind::RoleSwap => role_swap::changes(sentence, &slots),
        NearMissKind::Binding => binding::changes(sentence, &slots),
        NearMissKind::Number => number::changes(sentence, &slots, &mut draws),
        NearMissKind::QuantifierModal => modal::changes(sentence),
        NearMissKind::Temporal => temporal::changes(sentence),
    };
    // A change can reproduce the original text; that is not a near-miss.
    let negative = edit::apply(sentence, draws.pick(&changes)?);
    if negative == sentence {
        return None;
    }
    let positive = match options.positive {
        TripletPositive::Identity => Some(sentence.to_owned()),
        TripletPositive::Paraphrase => paraphrased(sentence, options.seed),
    };
    Some(positive.map(|positive| TextTriplet {
        anchor: sentence.to_owned(),
        positive,
        negative: Some(negative),
        category: kind.name().to_owned(),
    }))
}

/// A paraphrase of the sentence; `None` if no rule applies.
fn paraphrased(sentence: &str, seed: u64) -> Option<String> {
    let slots = value_slots::slots(sentence);
    let mut draws = SentenceDraws::new(seed, sentence, "paraphrase");
    let change = paraphrase::change(sentence, &slots, &mut draws)?;
    Some(edit::apply(sentence, &change)).filter(|reworded| reworded != sentence)
}
