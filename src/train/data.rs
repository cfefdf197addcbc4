//! The training texts as token sequences, each distinct sequence stored once.

use std::collections::HashMap;
use std::path::Path;

use anyhow::ensure;

use super::batches::TrainingItem;
use super::loss::RankingBatch;
use crate::embed::TextRole;
use crate::embed::bert::text_input::TransformerTextInput;
use crate::progress::ProgressListener;
use crate::world::pair;
use crate::world::triplet::{self, TextTriplet};
use crate::wrong_use::WrongUse;

/// The training data of a run, as read from files.
#[derive(Clone, Debug)]
pub struct TrainingTexts {
    /// Triplets that each have a negative.
    pub structural: Vec<TextTriplet>,
    pub rehearsal: Vec<TextTriplet>,
}

impl TrainingTexts {
    /// `kinds` are the categories of structural triplets to use; empty means all.
    ///
    /// # Errors
    /// A file with mistakes, a category that no triplet has, or no data.
    pub fn read(
        structural: &Path,
        rehearsal: &Path,
        kinds: &[String],
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<Self> {
        let near = select_categories(triplet::read(structural, progress)?, kinds, structural)?;
        let pairs = pair::read(rehearsal, progress)?;
        ensure!(!pairs.is_empty(), "{}: there is no pair in it", rehearsal.display());
        Ok(Self { structural: near, rehearsal: pairs })
    }

    /// A hash of all texts.
    pub fn hash(triplets: &[TextTriplet]) -> anyhow::Result<String> {
        Ok(blake3::hash(&triplet::to_csv(triplets)?).to_hex().to_string())
    }
}

/// The triplets of the requested categories.
fn select_categories(
    all: Vec<TextTriplet>,
    kinds: &[String],
    path: &Path,
) -> anyhow::Result<Vec<TextTriplet>> {
    let mut found: Vec<&str> = all.iter().map(|t| t.category.as_str()).collect();
    found.sort_unstable();
    found.dedup();
    let unknown: Vec<&str> =
        kinds.iter().map(String::as_str).filter(|kind| !found.contains(kind)).collect();
    if let [first, ..] = unknown.as_slice() {
        let near = found
            .iter()
            .map(|name| (strsim::damerau_levenshtein(name, first), name))
            .min()
            .filter(|(apart, name)| *apart <= name.len() / 3)
            .map_or(String::new(), |(_, name)| format!("; did you mean '{name}'?"));
        let why = format!(
            "--negatives: no triplet of {} has the category '{first}'; found: {}{near}",
            path.display(),
            found.join(", ")
        );
        return Err(WrongUse::new(why).into());
    }
    let chosen: Vec<TextTriplet> =
        all.into_iter().filter(|t| kinds.is_empty() || kinds.contains(&t.category)).collect();
    let bare = chosen.iter().filter(|t| t.negative.is_none()).count();
    ensure!(
        bare == 0,
        "{}: {bare} of {} triplets have no negative, and a structural one needs it",
        path.display(),
        chosen.len()
    );
    ensure!(!chosen.is_empty(), "{}: there is no triplet in it", path.display());
    Ok(chosen)
}

/// A pair as indices of its texts.
#[derive(Clone, Copy, Debug)]
struct TokenizedExample {
    anchor: usize,
    positive: usize,
    negative: Option<usize>,
}

/// All texts of a run as tokens.
pub struct TokenizedTexts {
    texts: Vec<Vec<u32>>,
    structural: Vec<TokenizedExample>,
    rehearsal: Vec<TokenizedExample>,
}

impl TokenizedTexts {
    /// Anchors are encoded as queries, all other texts as passages: a model may have a prefix for either role.
    pub fn new(texts: &TrainingTexts, side: &TransformerTextInput) -> anyhow::Result<Self> {
        // Deduplicated by tokens, not by text: truncation can make different texts equal.
        let mut all = Self { texts: Vec::new(), structural: Vec::new(), rehearsal: Vec::new() };
        let mut places: HashMap<Vec<u32>, usize> = HashMap::new();
        let mut examples = |triplets: &[TextTriplet]| -> anyhow::Result<Vec<TokenizedExample>> {
            let mut encode = |role, texts: Vec<&str>| -> anyhow::Result<Vec<usize>> {
                let mut place = |ids: Vec<u32>| {
                    ensure!(!ids.is_empty(), "a text has no token");
                    let next = all.texts.len();
                    Ok(*places.entry(ids).or_insert_with_key(|ids| {
                        all.texts.push(ids.clone());
                        next
                    }))
                };
                side.encode(role, &texts)?.into_iter().map(&mut place).collect()
            };
            let anchors =
                encode(TextRole::Query, triplets.iter().map(|t| t.anchor.as_str()).collect())?;
            let positives =
                encode(TextRole::Passage, triplets.iter().map(|t| t.positive.as_str()).collect())?;
            let negatives = triplets.iter().filter_map(|t| t.negative.as_deref()).collect();
            let mut negatives = encode(TextRole::Passage, negatives)?.into_iter();
            let examples = triplets.iter().zip(anchors.into_iter().zip(positives));
            Ok(examples
                .map(|(triplet, (anchor, positive))| TokenizedExample {
                    anchor,
                    positive,
                    negative: triplet.negative.as_ref().and_then(|_| negatives.next()),
                })
                .collect())
        };
        let structural = examples(&texts.structural)?;
        let rehearsal = examples(&texts.rehearsal)?;
        (all.structural, all.rehearsal) = (structural, rehearsal);
        Ok(all)
    }

    /// The distinct texts of a batch in the order of their first use, and the batch as indices into them.
    pub fn batch(&self, items: &[TrainingItem]) -> (Vec<&[u32]>, RankingBatch) {
        let (mut used, mut batch) = (Vec::new(), RankingBatch::default());
        // A batch has few distinct texts, so a linear search suffices.
        let mut place = |text: usize| {
            used.iter().position(|known| *known == text).unwrap_or_else(|| {
                used.push(text);
                used.len() - 1
            })
        };
        for item in items {
            let example = match *item {
                TrainingItem::Structural(at) => self.structural[at],
                TrainingItem::Rehearsal(at) => self.rehearsal[at],
            };
            batch.pairs.push((place(example.anchor), place(example.positive)));
            batch.negatives.extend(example.negative.map(&mut place));
        }
        (used.into_iter().map(|text| self.texts[text].as_slice()).collect(), batch)
    }
}
