//! The part of the record that compares all arms with one another.

use crate::stats::PairedDifference;

/// What arms are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// The mean nDCG@10 on the right queries; higher is better.
    Ndcg,
    /// The failure rate; lower is better.
    Failure,
    /// Loss and running costs of a case; lower is better.
    Money,
}

impl Measure {
    /// As reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Ndcg => "ndcg_at_10",
            Measure::Failure => "failure_rate",
            Measure::Money => "total_per_case",
        }
    }

    /// What turns its values so that lower is better.
    pub(super) fn sign(self) -> f64 {
        match self {
            Measure::Ndcg => -1.0,
            Measure::Failure | Measure::Money => 1.0,
        }
    }
}

/// What Holm's correction is over: all pairs of one measure in one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairFamily {
    /// The baseline with each other arm.
    Baseline,
    /// Arms neither of which is the baseline, with one another.
    Others,
}

impl PairFamily {
    /// As reports call it.
    pub fn name(self) -> &'static str {
        match self {
            PairFamily::Baseline => "baseline",
            PairFamily::Others => "others",
        }
    }
}

/// All arms against one another.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// By measure, then arm.
    pub ranks: Vec<RankRecord>,
    /// By measure, then pair of arms.
    pub pairs: Vec<PairRecord>,
}

/// How the order of the arms by one measure compares with that by nDCG@10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flips {
    /// Pairs of arms.
    pub pairs: usize,
    /// Of these, the other way round.
    pub flipped: usize,
    /// Of those flipped, the ones of which both differences are significant.
    pub clear: usize,
}

impl Comparison {
    /// How far an arm lies above another by a measure.
    pub fn difference(
        &self,
        measure: Measure,
        arm: usize,
        baseline: usize,
    ) -> Option<PairedDifference> {
        let mut pairs = self.pairs.iter().filter(|pair| pair.measure == measure);
        pairs.find_map(|pair| match (pair.arm, pair.other) {
            of if of == (baseline, arm) => Some(pair.difference),
            of if of == (arm, baseline) => Some(pair.difference.turned()),
            _ => None,
        })
    }

    /// How many pairs go the other way round than by nDCG@10.
    pub fn flips(&self, measure: Measure) -> Flips {
        let pairs = || self.pairs.iter().filter(|pair| pair.measure == measure);
        Flips {
            pairs: pairs().count(),
            flipped: pairs().filter(|pair| pair.flips == Some(true)).count(),
            clear: pairs().filter(|pair| pair.clear).count(),
        }
    }
}

/// One arm by one measure.
#[derive(Clone, Debug)]
pub struct RankRecord {
    /// By what.
    pub measure: Measure,
    /// Index into [`crate::Record::arms`].
    pub arm: usize,
    /// The arm's value.
    pub value: f64,
    /// From 1; arms that are equal have the same.
    pub rank: usize,
    /// P(it is the best of all arms on a new sample of units), by bootstrap.
    pub p_best: f64,
    /// The least difference from the baseline that the tasks at hand would show with a probability of 80%;
    /// `None` for the baseline, and without one.
    pub detectable: Option<f64>,
}

/// Two arms by one measure.
#[derive(Clone, Debug)]
pub struct PairRecord {
    /// By what.
    pub measure: Measure,
    /// Index into [`crate::Record::arms`].
    pub arm: usize,
    /// The other arm, as an index into [`crate::Record::arms`].
    pub other: usize,
    /// `other` minus `arm`, on the same tasks.
    pub difference: PairedDifference,
    /// With which other pairs by this measure it is corrected.
    pub family: PairFamily,
    /// Whether this measure prefers another one of the two than nDCG@10 does; `None` where one of them has no
    /// preference.
    pub flips: Option<bool>,
    /// It flips, and both differences are significant after correction.
    pub clear: bool,
}
