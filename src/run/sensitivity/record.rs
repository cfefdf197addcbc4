//! The sensitivity of the answers to the assumptions, as a record.

use crate::run::compare::ComparisonMeasure;
use crate::scenario::FigureSource;
use crate::sensitivity::SobolIndex;

/// How the answers depend on the assumptions.
#[derive(Clone, Debug)]
pub struct SensitivityRecord {
    /// N of the design: there are N (k + 2) points for k assumptions.
    pub base_samples: usize,
    /// Seed of the design.
    pub seed: u64,
    /// Points at which all arms were solved, those of the one-at-a-time analysis included.
    pub points: usize,
    /// Number of tasks that were solved at each point.
    pub tasks: usize,
    /// Number of tasks that were left out because they are past the cap.
    pub left_out: usize,
    /// The assumptions that some answer depends on.
    pub assumptions: Vec<AssumptionRecord>,
    /// By measure: the answers of all arms, then their differences from the baseline.
    pub answers: Vec<SensitivityAnswerRecord>,
    /// By measure.
    pub orders: Vec<ArmOrderRecord>,
}

/// A figure and the range in which it is varied.
#[derive(Clone, Debug, PartialEq)]
pub struct AssumptionRecord {
    /// Name in the scenario's section; with the arms if their values differ.
    pub name: String,
    /// The value that is used everywhere else.
    pub value: f64,
    /// The lower end of its range.
    pub low: f64,
    /// The upper end of its range.
    pub high: f64,
    /// Source of the value.
    pub backing: FigureSource,
    /// Source of the range.
    pub range: FigureSource,
}

/// A failure rate or the yearly loss and running costs, of one arm or as a difference between two.
#[derive(Clone, Debug)]
pub struct SensitivityAnswerRecord {
    /// What is measured.
    pub measure: ComparisonMeasure,
    /// Index into the record's arms.
    pub arm: usize,
    /// The arm it is compared with, if the answer is a difference.
    pub against: Option<usize>,
    /// With every assumption at its value.
    pub value: f64,
    /// The 5%, 50% and 95% quantiles over the sampled points.
    pub quantiles: [f64; 3],
    /// By assumption.
    pub effects: Vec<AssumptionEffect>,
}

impl SensitivityAnswerRecord {
    /// The assumptions by total index, the largest first; those without an index by how far their ends move the answer.
    pub fn ranked(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.effects.len()).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (self.rank_key(a), self.rank_key(b));
            b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
        });
        order
    }

    fn rank_key(&self, at: usize) -> (f64, f64) {
        let effect = &self.effects[at];
        (effect.index.map_or(0.0, |index| index.total.estimate), effect.swing().abs())
    }
}

/// The effect of one assumption on one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AssumptionEffect {
    /// The answer with this assumption at the lower end of its range, all others at their values.
    pub at_low: f64,
    /// The answer at the upper end.
    pub at_high: f64,
    /// Sobol indices; `None` if the answer does not vary.
    pub index: Option<SobolIndex>,
}

impl AssumptionEffect {
    /// How much the answer changes from the lower to the upper end.
    pub fn swing(&self) -> f64 {
        self.at_high - self.at_low
    }
}

/// How robust the order of the arms by a measure is.
#[derive(Clone, Debug)]
pub struct ArmOrderRecord {
    /// The measure.
    pub measure: ComparisonMeasure,
    /// The best arm first, with every assumption at its value.
    pub order: Vec<usize>,
    /// Number of sampled points that the shares refer to.
    pub points: usize,
    /// The share of points with the same order.
    pub share_unchanged: f64,
    /// By arm: the share of points at which it is the best; ties are divided evenly.
    pub share_best: Vec<f64>,
}
