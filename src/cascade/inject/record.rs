//! The answer: for each injected error, where it goes and how it ends. Every number that a report prints.
//!
//! Probabilities are given that the error took effect, over tasks weighted by task weight. `None` is "cannot be
//! told": a rate over no cases.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::Why;
use crate::kernel::OUTCOMES;
use crate::step::Outcome;

/// All errors asked for, under one arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// Its name.
    pub scenario: String,
    /// The arm's id.
    pub arm: String,
    /// How many tasks were tried.
    pub tasks: usize,
    /// In the order of the steps, then of the kinds.
    pub injections: Vec<InjectionRecord>,
}

/// One error, injected into every task's otherwise clean run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InjectionRecord {
    /// Where it was injected.
    pub step: String,
    /// A kind of miss, `misread`, `distracted` or `fabricated`.
    pub kind: &'static str,
    /// Tasks on which it took effect, be it in some of the ways the run can go.
    pub tasks: usize,
    /// Of these, how many were sampled: past the cap, or as the scenario asks.
    pub sampled: usize,
    /// The share of runs, by task weight, on which it took effect; with those of `not` it adds up to one.
    pub share: f64,
    /// Why it did not.
    pub not: Vec<NotRecord>,
    /// `None` where it took effect nowhere.
    pub effect: Option<Effect>,
}

/// A reason why an error took no effect.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NotRecord {
    /// The reason.
    pub why: Why,
    /// Tasks on which it took no effect at all.
    pub tasks: usize,
    /// The share of runs, by task weight.
    pub share: f64,
}

/// What an error does where it takes effect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effect {
    /// In the order of [`Outcome::ALL`]; they add up to one.
    #[serde(serialize_with = "by_name")]
    pub outcomes: [f64; OUTCOMES],
    /// P(any outcome but correct).
    pub failure: f64,
    /// P(correct): the error is absorbed on the way.
    pub absorbed: f64,
    /// Among the outcomes but correct.
    pub likeliest_failure: Option<Most>,
    /// P(the step that erred puts out what is right all the same).
    pub right_there: f64,
    /// Labels that are not the oracle's, likeliest first.
    pub actions: Vec<ActionRecord>,
    /// Of the longest chain of outputs that are not right, in edges of the DAG.
    pub depth: Spread,
    /// Of the number of further outputs that are not right; its mean is the amplification of the error.
    pub breadth: Spread,
    /// The step at which most runs are flagged, with the probability.
    pub flags_most: Option<Most>,
    /// The step that most often is right on an input that is not, with the probability.
    pub absorbs_most: Option<Most>,
    /// The steps downstream, in the order of the DAG.
    pub steps: Vec<StepRecord>,
    /// The edges downstream.
    pub edges: Vec<EdgeRecord>,
}

/// The likeliest of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Most {
    /// Its name.
    pub name: String,
    /// Its probability.
    pub p: f64,
}

/// A wrong label in place of a right one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActionRecord {
    /// The act step.
    pub step: String,
    /// The oracle's label; `stopped`, `skipped` or `missing` where it has none.
    pub right: String,
    /// What is done in its place.
    pub instead: String,
    /// P(this instead of that).
    pub p: f64,
    /// P(this, given that the oracle's label is that).
    pub p_given_right: f64,
}

/// A whole number at random.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Its mean.
    pub mean: f64,
    /// The largest that occurs.
    pub max: usize,
    /// P(0), P(1) and so on to P(max).
    pub shares: Vec<f64>,
}

/// A step downstream. `wrong`, `missing`, `right` and `not_reached` add up to one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepRecord {
    /// Its id.
    pub step: String,
    /// P(its output is another than the oracle's).
    pub wrong: f64,
    /// Missing, skipped where it should not be, or the run stops here.
    pub missing: f64,
    /// P(its output is the oracle's).
    pub right: f64,
    /// The run has stopped before.
    pub not_reached: f64,
    /// Right although an input is wrong or missing.
    pub absorbs: f64,
    /// The error is noticed here: see [`super::flags`].
    pub flags: f64,
    /// What happens, other than that nothing does; induced misses of all kinds together.
    pub events: BTreeMap<&'static str, f64>,
}

/// An edge downstream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EdgeRecord {
    /// The step that puts out.
    pub parent: String,
    /// The step that takes it.
    pub child: String,
    /// P(only this input of the child is not right).
    pub alone: f64,
    /// P(the child's output is not right, given that).
    pub propagation: Option<f64>,
}

fn by_name<S: Serializer>(outcomes: &[f64; OUTCOMES], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(Outcome::ALL.iter().map(|o| (o.name(), outcomes[*o as usize])))
}
