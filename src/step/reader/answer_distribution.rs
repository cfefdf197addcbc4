//! The distribution of a reader's answers on one context. The possible answers are separate from their probabilities,
//! which need no passages, so that millions of other parameter values can be evaluated cheaply.

use std::collections::BTreeSet;

use super::{StepEvent, ValuePool};
use crate::scenario::ReaderParameters;
use crate::value::TypedValue;
use crate::world::Corpus;

/// Remaining probabilities below this are rounding error.
const ROUNDING: f64 = 1e-12;

/// The values of a reader's parameters.
pub type ReaderRates = ReaderParameters<f64>;

impl ReaderRates {
    /// Whether the support of `others` is contained in this one's: whatever can happen there can happen here.
    pub fn contains_support_of(&self, others: &ReaderRates) -> bool {
        let pairs = self.possibilities().into_iter().zip(others.possibilities());
        pairs
            .flat_map(|(own, others)| own.into_iter().zip(others))
            .all(|(own, other)| own || !other)
    }

    /// For each random choice of the reader: whether it can turn out either way.
    fn possibilities(&self) -> [[bool; 2]; 11] {
        let chances = [
            self.misread,
            self.distracted_above,
            self.distracted_below,
            self.overlooked,
            self.lucky,
            self.follow,
            self.fabricate,
            self.fabricate_empty,
            self.declined,
            self.unparsable,
            // The complement of this sum is the probability to abstain.
            self.follow + self.fabricate,
        ];
        chances.map(|chance| [chance > 0.0, 1.0 - chance > ROUNDING])
    }

    fn distracted(&self, above: bool) -> f64 {
        if above { self.distracted_above } else { self.distracted_below }
    }
}

/// One answer that a reader can give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReaderAnswer<'a> {
    /// `None`: the reader reports that the evidence is missing, or its answer cannot be parsed.
    pub value: Option<&'a TypedValue>,
    pub event: StepEvent,
    /// The passage that it was read from, correctly or not.
    pub source: Option<u32>,
}

/// The task of reading one field from a context.
#[derive(Clone, Copy, Debug)]
pub struct FieldReading<'a> {
    pub corpus: &'a Corpus,
    pub gold: &'a BTreeSet<u32>,
    pub field: &'a str,
    pub pool: &'a ValuePool,
    /// Best first.
    pub context: &'a [u32],
}

impl<'a> FieldReading<'a> {
    /// The value that a passage states for the field.
    pub fn stated(&self, passage: u32) -> Option<&'a TypedValue> {
        self.corpus.passages[passage as usize].facts.get(self.field)
    }

    /// The value that gold states, whether in the context or not; `None` if no answer can be right.
    pub fn right_value(&self) -> Option<&'a TypedValue> {
        self.gold.iter().find_map(|&passage| self.stated(passage))
    }
}

/// The probabilities of the possible answers in one reading, as a function of the parameters.
#[derive(Clone, Debug)]
pub struct AnswerDistribution {
    /// Set if gold in the context states the field.
    evidence: Option<EvidenceAnswers>,
    /// Applies if it does not, or is overlooked.
    unaided: UnaidedAnswers,
}

/// The normalised weights of the values that can replace one value.
type ReplacementShares = Vec<f64>;

#[derive(Clone, Debug)]
struct EvidenceAnswers {
    /// For each gold passage that states the field: the number of passages between it and the nearer end.
    hidden: Vec<i32>,
    /// For each distractor: whether it ranks above gold, and its misreadings.
    followed: Vec<(bool, ReplacementShares)>,
    read: ReplacementShares,
}

/// Reading without evidence.
#[derive(Clone, Debug)]
struct UnaidedAnswers {
    /// There is a right value, which can be given by luck.
    can_be_lucky: bool,
    /// The misreadings of the value that the best distractor states; `None` if no other passage states the field.
    followed: Option<ReplacementShares>,
    fabricated: ReplacementShares,
}

/// All answers that a reading can give, including those of probability zero, and their distribution.
///
/// A misread or fabricated value is never the right one: luck has its own probability.
pub fn answer_distribution<'a>(
    reading: &FieldReading<'a>,
) -> (Vec<ReaderAnswer<'a>>, AnswerDistribution) {
    let FieldReading { gold, pool, context, .. } = *reading;
    let right = reading.right_value();
    let mut answers =
        vec![ReaderAnswer { value: None, event: StepEvent::Unparsable, source: None }];
    let mut list = AnswerList { pool, right, answers: &mut answers };
    let stated = context.iter().filter_map(|&p| Some((p, gold.contains(&p), reading.stated(p)?)));
    let stated: Vec<(u32, bool, &TypedValue)> = stated.collect();
    let first = stated.iter().find(|(_, is_gold, _)| !is_gold);
    let best = stated.iter().position(|(_, is_gold, _)| *is_gold);
    let evidence = best.map(|at| {
        let (passage, _, right) = stated[at];
        let evidence = |p: &u32| gold.contains(p) && reading.stated(*p).is_some();
        let places = context.iter().enumerate().filter(|(_, p)| evidence(p));
        EvidenceAnswers {
            hidden: places.map(|(at, _)| at.min(context.len() - 1 - at) as i32).collect(),
            read: list.add_read(passage, right, StepEvent::Clean),
            followed: {
                let others = stated.iter().enumerate();
                let others = others.filter(|(_, (_, is_gold, value))| !is_gold && *value != right);
                let follow = |(i, &(passage, _, value)): (usize, &(u32, bool, &'a TypedValue))| {
                    (i < at, list.add_read(passage, value, StepEvent::Distracted))
                };
                others.map(follow).collect()
            },
        }
    });
    if let Some(value) = right {
        list.answers.push(ReaderAnswer {
            value: Some(value),
            event: StepEvent::Lucky,
            source: None,
        });
    }
    let followed = first.map(|&(passage, _, value)| {
        // A passage that also states the right value is not a distractor.
        let agrees = best.is_some_and(|at| stated[at].2 == value);
        list.add_read(passage, value, if agrees { StepEvent::Clean } else { StepEvent::Distracted })
    });
    let made_up = list.add_fabricated(first.map(|&(_, _, value)| value));
    answers.push(ReaderAnswer { value: None, event: StepEvent::Abstained, source: None });
    let unaided = UnaidedAnswers { can_be_lucky: right.is_some(), followed, fabricated: made_up };
    (answers, AnswerDistribution { evidence, unaided })
}

/// Collects answers in the order in which [`AnswerDistribution::weigh`] computes their probabilities.
struct AnswerList<'l, 'a> {
    pool: &'a ValuePool,
    right: Option<&'a TypedValue>,
    answers: &'l mut Vec<ReaderAnswer<'a>>,
}

impl<'a> AnswerList<'_, 'a> {
    /// Adds the answers for a value that is read: the value itself, or another wrong value of the pool.
    fn add_read(
        &mut self,
        passage: u32,
        value: &'a TypedValue,
        event: StepEvent,
    ) -> ReplacementShares {
        self.answers.push(ReaderAnswer { value: Some(value), event, source: Some(passage) });
        let others = self.pool.excluding(&[Some(value), self.right]);
        self.add_replacements(others, StepEvent::Misread, Some(passage))
    }

    /// Adds the fabricated answers: wrong values of the pool other than what the best distractor states. If that leaves
    /// none, as with yes/no, where one value is right and the other is stated, the stated value is allowed.
    fn add_fabricated(&mut self, stated: Option<&TypedValue>) -> ReplacementShares {
        let mut others = self.pool.excluding(&[stated, self.right]);
        if others.is_empty() {
            others = self.pool.excluding(&[self.right]);
        }
        self.add_replacements(others, StepEvent::Fabricated, None)
    }

    fn add_replacements(
        &mut self,
        others: Vec<(&'a TypedValue, f64)>,
        event: StepEvent,
        source: Option<u32>,
    ) -> ReplacementShares {
        let mut shares = Vec::with_capacity(others.len());
        for (value, share) in others {
            self.answers.push(ReaderAnswer { value: Some(value), event, source });
            shares.push(share);
        }
        shares
    }
}

impl AnswerDistribution {
    /// Writes the probabilities of the answers to `p`, in their order; they sum to one.
    pub fn write_probabilities(&self, chances: &ReaderRates, p: &mut Vec<f64>) {
        p.clear();
        p.push(chances.unparsable);
        // The probability of all answers that can be parsed.
        let parsed = 1.0 - chances.unparsable;
        let mut unaided = parsed;
        if let Some(EvidenceAnswers { hidden, followed, read }) = &self.evidence {
            unaided = parsed * overlook_probability(chances, hidden);
            let passed = |left: f64, (above, _): &(bool, ReplacementShares)| {
                left - left * chances.distracted(*above)
            };
            let mut left = parsed - unaided;
            // Declining is part of the remaining probability, to abstain.
            let taken = followed.iter().fold(left, passed) * (1.0 - chances.declined);
            push_read_value(p, taken, read, chances.misread);
            for (above, others) in followed {
                let follow = left * chances.distracted(*above);
                left -= follow;
                push_read_value(p, follow, others, chances.misread);
            }
        }
        // Luck is taken out first, so that its probability does not depend on the other parameters.
        if self.unaided.can_be_lucky {
            p.push(unaided * chances.lucky);
            unaided *= 1.0 - chances.lucky;
        }
        let fabricate = match &self.unaided.followed {
            None => chances.fabricate_empty,
            Some(others) => {
                push_read_value(p, unaided * chances.follow, others, chances.misread);
                chances.fabricate
            }
        };
        p.extend(self.unaided.fabricated.iter().map(|share| unaided * fabricate * share));
        // The remaining probability is to abstain.
        let spoken: f64 = p.iter().sum();
        p.push(if 1.0 - spoken > ROUNDING { 1.0 - spoken } else { 0.0 });
    }
}

impl AnswerDistribution {
    /// The same distribution over fewer answers, for callers to whom answers of one class are the same: among the
    /// values that can replace one value, those of a class are merged. `classes` has one entry for each answer that
    /// [`answer_distribution`] lists; returned are those of the answers that remain, in order.
    pub fn merge_classes(&self, classes: &[u8]) -> (AnswerDistribution, Vec<u8>) {
        let mut merger = ClassMerger { left: classes, kept: Vec::new() };
        merger.keep(); // unparsable
        let evidence = self.evidence.as_ref().map(|evidence| EvidenceAnswers {
            hidden: evidence.hidden.clone(),
            read: merger.keep_and_merge(&evidence.read),
            followed: evidence
                .followed
                .iter()
                .map(|(above, others)| (*above, merger.keep_and_merge(others)))
                .collect(),
        });
        if self.unaided.can_be_lucky {
            merger.keep();
        }
        let followed = self.unaided.followed.as_ref();
        let unaided = UnaidedAnswers {
            can_be_lucky: self.unaided.can_be_lucky,
            followed: followed.map(|others| merger.keep_and_merge(others)),
            fabricated: merger.merge(&self.unaided.fabricated),
        };
        merger.keep(); // abstained
        (AnswerDistribution { evidence, unaided }, merger.kept)
    }
}

/// Consumes the classes of answers in their order.
struct ClassMerger<'c> {
    left: &'c [u8],
    kept: Vec<u8>,
}

impl ClassMerger<'_> {
    /// An answer that remains.
    fn keep(&mut self) {
        let (first, rest) = self.left.split_at(1);
        self.kept.extend(first);
        self.left = rest;
    }

    fn keep_and_merge(&mut self, others: &ReplacementShares) -> ReplacementShares {
        self.keep();
        self.merge(others)
    }

    fn merge(&mut self, shares: &ReplacementShares) -> ReplacementShares {
        let (classes, rest) = self.left.split_at(shares.len());
        self.left = rest;
        let start = self.kept.len();
        let mut merged = ReplacementShares::new();
        for (class, share) in classes.iter().zip(shares) {
            match self.kept[start..].iter().position(|known| known == class) {
                Some(at) => merged[at] += share,
                None => {
                    self.kept.push(*class);
                    merged.push(*share);
                }
            }
        }
        merged
    }
}

/// Adds a value that is read with probability `read`, and its misreadings.
fn push_read_value(p: &mut Vec<f64>, read: f64, others: &ReplacementShares, misread: f64) {
    p.push(if others.is_empty() { read } else { read * (1.0 - misread) });
    p.extend(others.iter().map(|share| read * misread * share));
}

/// The probability that a reader overlooks gold because of its position: each passage between gold and the nearer end
/// of the context hides it independently with the same probability. So it is zero at the ends, highest in the middle,
/// and grows with the number of passages. If there are several gold passages, all of them must be overlooked.
fn overlook_probability(chances: &ReaderRates, hidden: &[i32]) -> f64 {
    let seen = 1.0 - chances.overlooked;
    hidden.iter().map(|&between| 1.0 - seen.powi(between)).product()
}
