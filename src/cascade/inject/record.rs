//! The record of an injection: for each injected error, where it goes and how it ends. It holds every number that a
//! report prints.
//!
//! Probabilities are conditional on the error having taken effect, over tasks weighted by task weight. `None` means
//! undefined, such as a rate over no cases.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::InjectionObstacle;
use crate::kernel::OUTCOMES;
use crate::step::RunOutcome;

/// All injected errors, under one arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InjectionReport {
    /// Name of the scenario.
    pub scenario: String,
    /// Id of the arm.
    pub arm: String,
    /// Number of tasks that were tried.
    pub tasks: usize,
    /// In the order of the steps, then of the kinds.
    pub injections: Vec<InjectedErrorRecord>,
}

/// One error, injected into every task's otherwise clean run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InjectedErrorRecord {
    /// Id of the step that errs.
    pub step: String,
    /// A kind of miss, `misread`, `distracted` or `fabricated`.
    pub kind: &'static str,
    /// Number of tasks on which it took effect in at least some runs.
    pub tasks: usize,
    /// Number of these that were sampled: past the cap, or because the scenario asks for it.
    pub sampled: usize,
    /// Share of runs, by task weight, in which it took effect; sums to one with those of `not`.
    pub share: f64,
    /// Reasons why it took no effect in the other runs.
    pub not: Vec<InjectionObstacleRecord>,
    /// `None` if it took no effect in any run.
    pub effect: Option<InjectionEffect>,
}

/// A reason why an error took no effect.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct InjectionObstacleRecord {
    /// The reason.
    pub why: InjectionObstacle,
    /// Number of tasks on which it took no effect at all.
    pub tasks: usize,
    /// Share of runs, by task weight.
    pub share: f64,
}

/// Consequences of an error where it takes effect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InjectionEffect {
    /// P(outcome), in the order of [`RunOutcome::ALL`]; sums to one.
    #[serde(serialize_with = "by_name")]
    pub outcomes: [f64; OUTCOMES],
    /// P(any outcome other than correct).
    pub failure: f64,
    /// P(correct): the error is absorbed.
    pub absorbed: f64,
    /// The likeliest outcome other than correct.
    pub likeliest_failure: Option<LikeliestItem>,
    /// P(the step that erred gives the right output all the same).
    pub right_there: f64,
    /// Labels that are not the oracle's, likeliest first.
    pub actions: Vec<WrongActionRecord>,
    /// Length of the longest chain of outputs that are not right, in edges of the DAG.
    pub depth: CountDistribution,
    /// Number of further outputs that are not right; its mean is the amplification of the error.
    pub breadth: CountDistribution,
    /// The step at which most runs are flagged, with the probability.
    pub flags_most: Option<LikeliestItem>,
    /// The step that most often gives a right output on an input that is not right, with the probability.
    pub absorbs_most: Option<LikeliestItem>,
    /// The steps downstream, in topological order.
    pub steps: Vec<InjectionStepRecord>,
    /// The edges downstream.
    pub edges: Vec<InjectionEdgeRecord>,
}

/// The likeliest of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LikeliestItem {
    /// Name of the item.
    pub name: String,
    /// Its probability.
    pub p: f64,
}

/// A wrong label in place of the right one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WrongActionRecord {
    /// Id of the act step.
    pub step: String,
    /// The oracle's label; `stopped`, `skipped` or `missing` if it has none.
    pub right: String,
    /// The label of the run.
    pub instead: String,
    /// P(the oracle's label is `right`, and that of the run is `instead`).
    pub p: f64,
    /// P(the label of the run is `instead`), given that the oracle's is `right`.
    pub p_given_right: f64,
}

/// The distribution of a whole number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CountDistribution {
    /// The mean.
    pub mean: f64,
    /// The largest value that occurs.
    pub max: usize,
    /// P(0), P(1) and so on to P(max).
    pub shares: Vec<f64>,
}

/// A step downstream. `wrong`, `missing`, `right` and `not_reached` add up to one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InjectionStepRecord {
    /// Id of the step.
    pub step: String,
    /// P(its output differs from the oracle's).
    pub wrong: f64,
    /// P(its output is missing, is skipped where it should not be, or the run stops here).
    pub missing: f64,
    /// P(its output is the oracle's).
    pub right: f64,
    /// P(the run has stopped before this step).
    pub not_reached: f64,
    /// P(its output is right although an input is wrong or missing).
    pub absorbs: f64,
    /// P(the error is noticed here): see [`super::is_flag`].
    pub flags: f64,
    /// Probabilities of its events, except those in which nothing happens; misses are summed over their kinds.
    pub events: BTreeMap<&'static str, f64>,
}

/// An edge downstream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InjectionEdgeRecord {
    /// Id of the step that gives the output.
    pub parent: String,
    /// Id of the step that takes it as an input.
    pub child: String,
    /// P(only this input of the child is not right).
    pub alone: f64,
    /// P(the child's output is not right), given that.
    pub propagation: Option<f64>,
}

fn by_name<S: Serializer>(outcomes: &[f64; OUTCOMES], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(RunOutcome::ALL.iter().map(|o| (o.name(), outcomes[*o as usize])))
}
