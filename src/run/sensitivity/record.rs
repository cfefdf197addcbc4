//! What the answers hang on, as fields.

use crate::run::compare::Measure;
use crate::scenario::Backed;
use crate::sensitivity::Index;

/// What the answers hang on.
#[derive(Clone, Debug)]
pub struct SensitivityRecord {
    /// N of the design: there are N (k + 2) points for k assumptions.
    pub base_samples: usize,
    /// What the points were drawn by.
    pub seed: u64,
    /// Points at which all arms were solved, those of the one-at-a-time ends among them.
    pub points: usize,
    /// Tasks that were solved exactly at each.
    pub tasks: usize,
    /// Tasks past the cap.
    pub left_out: usize,
    /// Those that some arm rests on.
    pub assumptions: Vec<AssumptionRecord>,
    /// By measure, then arm, and its difference from the baseline after it.
    pub answers: Vec<AnswerRecord>,
    /// By measure.
    pub orders: Vec<OrderRecord>,
}

/// A figure and the range in which it is varied.
#[derive(Clone, Debug, PartialEq)]
pub struct AssumptionRecord {
    /// As the scenario's section has it.
    pub name: String,
    /// What is taken for it elsewhere.
    pub value: f64,
    /// The lower end of its range.
    pub low: f64,
    /// The upper end of its range.
    pub high: f64,
    /// Where the value comes from.
    pub backing: Backed,
    /// Where the range comes from.
    pub range: Backed,
}

/// A failure rate, or the loss and running costs of a year.
#[derive(Clone, Debug)]
pub struct AnswerRecord {
    /// What it is of.
    pub measure: Measure,
    /// Index into the record's arms.
    pub arm: usize,
    /// The arm it is compared with: then the answer is a difference.
    pub against: Option<usize>,
    /// With every assumption at its value.
    pub value: f64,
    /// Nine in ten of the sampled points give an answer between the outer two; the middle one is the median.
    pub quantiles: [f64; 3],
    /// By assumption.
    pub effects: Vec<Effect>,
}

impl AnswerRecord {
    /// The assumptions by their total index, the largest first; those that have none come by how far their ends
    /// move the answer.
    pub fn ranked(&self) -> Vec<usize> {
        let key = |at: usize| {
            let effect = &self.effects[at];
            (effect.index.map_or(0.0, |index| index.total.estimate), effect.swing().abs())
        };
        let mut order: Vec<usize> = (0..self.effects.len()).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (key(a), key(b));
            b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
        });
        order
    }
}

/// What one assumption does to one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// The answer with this assumption at the lower end of its range, all others at their values.
    pub at_low: f64,
    /// The same at the other end.
    pub at_high: f64,
    /// `None` where the answer does not vary at all.
    pub index: Option<Index>,
}

impl Effect {
    /// How far its range moves the answer.
    pub fn swing(&self) -> f64 {
        self.at_high - self.at_low
    }
}

/// Whether the order of the arms by a measure survives.
#[derive(Clone, Debug)]
pub struct OrderRecord {
    /// What the arms are ordered by.
    pub measure: Measure,
    /// The best arm first, with every assumption at its value.
    pub order: Vec<usize>,
    /// Sampled points that shares are of.
    pub points: usize,
    /// The share of points with the same order.
    pub holds: f64,
    /// By arm: the share of points at which it is the best; ties are shared.
    pub best: Vec<f64>,
}
