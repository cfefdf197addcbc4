//! The part of the record that compares the arms with one another.

use crate::stats::PairedDifference;

/// What arms are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ComparisonMeasure {
    /// The mean nDCG@10 on the right queries; higher is better.
    Ndcg,
    /// The failure rate; lower is better.
    Failure,
    /// Loss and running costs of a case; lower is better.
    Money,
}

impl ComparisonMeasure {
    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            ComparisonMeasure::Ndcg => "ndcg_at_10",
            ComparisonMeasure::Failure => "failure_rate",
            ComparisonMeasure::Money => "total_per_case",
        }
    }

    /// Factor that makes lower values better.
    pub(super) fn sign(self) -> f64 {
        match self {
            ComparisonMeasure::Ndcg => -1.0,
            ComparisonMeasure::Failure | ComparisonMeasure::Money => 1.0,
        }
    }
}

/// The scope of Holm's correction: all pairs of one measure in one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArmPairFamily {
    /// Pairs of the baseline and another arm.
    Baseline,
    /// Pairs without the baseline.
    Others,
}

impl ArmPairFamily {
    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            ArmPairFamily::Baseline => "baseline",
            ArmPairFamily::Others => "others",
        }
    }
}

/// Comparison of all arms with one another.
#[derive(Clone, Debug, Default)]
pub struct ArmComparison {
    /// By measure, then arm.
    pub ranks: Vec<ArmRankRecord>,
    /// By measure, then pair of arms.
    pub pairs: Vec<ArmPairRecord>,
}

/// How the order of the arms by one measure compares with that by nDCG@10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankFlips {
    /// Number of pairs of arms.
    pub pairs: usize,
    /// Number of pairs in the opposite order.
    pub flipped: usize,
    /// Number of those for which both differences are significant.
    pub both_significant: usize,
}

impl ArmComparison {
    /// The value of `arm` minus that of `baseline` by a measure.
    pub fn difference(
        &self,
        measure: ComparisonMeasure,
        arm: usize,
        baseline: usize,
    ) -> Option<PairedDifference> {
        let mut pairs = self.pairs.iter().filter(|pair| pair.measure == measure);
        pairs.find_map(|pair| match (pair.arm, pair.other) {
            of if of == (baseline, arm) => Some(pair.difference),
            of if of == (arm, baseline) => Some(pair.difference.reversed()),
            _ => None,
        })
    }

    /// Counts the pairs that are in the opposite order to that by nDCG@10.
    pub fn flips(&self, measure: ComparisonMeasure) -> RankFlips {
        let pairs: Vec<&ArmPairRecord> =
            self.pairs.iter().filter(|pair| pair.measure == measure).collect();
        RankFlips {
            pairs: pairs.len(),
            flipped: pairs.iter().filter(|pair| pair.flips == Some(true)).count(),
            both_significant: pairs.iter().filter(|pair| pair.both_significant).count(),
        }
    }
}

/// One arm by one measure.
#[derive(Clone, Debug)]
pub struct ArmRankRecord {
    /// The measure.
    pub measure: ComparisonMeasure,
    /// Index into [`crate::RunRecord::arms`].
    pub arm: usize,
    /// Mean value of the arm.
    pub value: f64,
    /// From 1; equal arms have the same rank.
    pub rank: usize,
    /// P(it is the best of all arms on a new sample of units), by bootstrap.
    pub p_best: f64,
    /// The smallest difference from the baseline that these tasks would detect with a probability of 80%; `None` for
    /// the baseline, and without one.
    pub detectable: Option<f64>,
}

/// Two arms by one measure.
#[derive(Clone, Debug)]
pub struct ArmPairRecord {
    /// The measure.
    pub measure: ComparisonMeasure,
    /// Index into [`crate::RunRecord::arms`].
    pub arm: usize,
    /// The other arm, as an index into [`crate::RunRecord::arms`].
    pub other: usize,
    /// `other` minus `arm`, on the same tasks.
    pub difference: PairedDifference,
    /// The family of pairs that it is corrected with.
    pub family: ArmPairFamily,
    /// Whether this measure prefers the other one of the two than nDCG@10 does; `None` if either has no preference.
    pub flips: Option<bool>,
    /// Whether it flips and both differences are significant after correction.
    pub both_significant: bool,
}
