//! Consequences of one error, summed over runs and tasks.

use std::collections::BTreeMap;

use crate::kernel::OUTCOMES;
use crate::scenario::Scenario;
use crate::step::StepEvent;

/// Sums over the runs in which an injected error took effect. All are joint probabilities (or weights) with that event:
/// divide by [`ErrorEffects::p`] to condition on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorEffects {
    /// P(the error took effect).
    pub p: f64,
    pub outcomes: [f64; OUTCOMES],
    /// The step that erred gives the right output all the same, such as after misreading a wrong value.
    pub right_at_source: f64,
    /// By the length of the longest chain of outputs that are not right, in edges.
    pub depths: Vec<f64>,
    /// By the number of further outputs that are not right.
    pub breadths: Vec<f64>,
    pub steps: Vec<StepErrorEffects>,
    /// In the order of child, then parent.
    pub edges: Vec<EdgeErrorEffects>,
    /// By terminal step and the oracle's label there: the part of [`ErrorEffects::p`] that should end with this label.
    pub expected_labels: BTreeMap<(usize, String), f64>,
    /// By terminal step, the oracle's label and the other label that the run ended with.
    pub wrong_labels: BTreeMap<(usize, String, String), f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepErrorEffects {
    /// The run did not stop before this step.
    pub reached: f64,
    pub wrong: f64,
    pub missing: f64,
    /// Right although an input is not.
    pub absorbs: f64,
    /// By [`Event::code`].
    pub events: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdgeErrorEffects {
    pub parent: usize,
    pub child: usize,
    /// This parent's output is not right, those of the child's other parents are, and the child is reached.
    pub alone: f64,
    /// Of that: the child's output is not right either.
    pub passed_on: f64,
}

impl ErrorEffects {
    pub fn new(scenario: &Scenario) -> ErrorEffects {
        let events = StepEvent::all().len();
        let edges = scenario.steps.iter().enumerate().flat_map(|(child, step)| {
            step.required_parents.iter().map(move |&parent| EdgeErrorEffects {
                parent,
                child,
                alone: 0.0,
                passed_on: 0.0,
            })
        });
        ErrorEffects {
            steps: scenario
                .steps
                .iter()
                .map(|_| StepErrorEffects {
                    events: vec![0.0; events],
                    ..StepErrorEffects::default()
                })
                .collect(),
            edges: edges.collect(),
            ..ErrorEffects::default()
        }
    }

    /// Adds the sums of another task, multiplied by `weight`.
    pub fn add(&mut self, other: &ErrorEffects, weight: f64) {
        self.p += weight * other.p;
        self.right_at_source += weight * other.right_at_source;
        add_weighted(&mut self.outcomes, &other.outcomes, weight);
        for (sum, more) in
            [(&mut self.depths, &other.depths), (&mut self.breadths, &other.breadths)]
        {
            sum.resize(sum.len().max(more.len()), 0.0);
            add_weighted(sum, more, weight);
        }
        for (sum, more) in self.steps.iter_mut().zip(&other.steps) {
            sum.reached += weight * more.reached;
            sum.wrong += weight * more.wrong;
            sum.missing += weight * more.missing;
            sum.absorbs += weight * more.absorbs;
            add_weighted(&mut sum.events, &more.events, weight);
        }
        for (sum, more) in self.edges.iter_mut().zip(&other.edges) {
            sum.alone += weight * more.alone;
            sum.passed_on += weight * more.passed_on;
        }
        for (key, p) in &other.expected_labels {
            *self.expected_labels.entry(key.clone()).or_default() += weight * p;
        }
        for (key, p) in &other.wrong_labels {
            *self.wrong_labels.entry(key.clone()).or_default() += weight * p;
        }
    }
}

fn add_weighted(sums: &mut [f64], more: &[f64], weight: f64) {
    for (sum, p) in sums.iter_mut().zip(more) {
        *sum += weight * p;
    }
}
