//! Consequences of one error, summed over runs and tasks.

use std::collections::BTreeMap;

use crate::kernel::OUTCOMES;
use crate::scenario::Scenario;
use crate::step::Event;

/// Sums over the runs in which an injected error took effect. All are joint probabilities (or weights) with that event:
/// divide by [`Fallout::p`] to condition on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fallout {
    /// P(the error took effect).
    pub p: f64,
    pub outcomes: [f64; OUTCOMES],
    /// The step that erred gives the right output all the same, such as after misreading a wrong value.
    pub right_there: f64,
    /// By the length of the longest chain of outputs that are not right, in edges.
    pub depths: Vec<f64>,
    /// By the number of further outputs that are not right.
    pub breadths: Vec<f64>,
    pub steps: Vec<StepFallout>,
    /// In the order of child, then parent.
    pub edges: Vec<EdgeFallout>,
    /// By terminal step and the oracle's label there: the part of [`Fallout::p`] that should end with this label.
    pub due: BTreeMap<(usize, String), f64>,
    /// By terminal step, the oracle's label and the other label that the run ended with.
    pub labels: BTreeMap<(usize, String, String), f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepFallout {
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
pub struct EdgeFallout {
    pub parent: usize,
    pub child: usize,
    /// This parent's output is not right, those of the child's other parents are, and the child is reached.
    pub alone: f64,
    /// Of that: the child's output is not right either.
    pub passed_on: f64,
}

impl Fallout {
    pub fn new(scenario: &Scenario) -> Fallout {
        let events = Event::all().len();
        let step = || StepFallout { events: vec![0.0; events], ..StepFallout::default() };
        let edges = scenario.steps.iter().enumerate().flat_map(|(child, step)| {
            let edge = move |&parent| EdgeFallout { parent, child, alone: 0.0, passed_on: 0.0 };
            step.needs.iter().map(edge)
        });
        Fallout {
            steps: scenario.steps.iter().map(|_| step()).collect(),
            edges: edges.collect(),
            ..Fallout::default()
        }
    }

    /// Adds the sums of another task, multiplied by `weight`.
    pub fn add(&mut self, other: &Fallout, weight: f64) {
        self.p += weight * other.p;
        self.right_there += weight * other.right_there;
        add(&mut self.outcomes, &other.outcomes, weight);
        for (sum, more) in
            [(&mut self.depths, &other.depths), (&mut self.breadths, &other.breadths)]
        {
            sum.resize(sum.len().max(more.len()), 0.0);
            add(sum, more, weight);
        }
        for (sum, more) in self.steps.iter_mut().zip(&other.steps) {
            sum.reached += weight * more.reached;
            sum.wrong += weight * more.wrong;
            sum.missing += weight * more.missing;
            sum.absorbs += weight * more.absorbs;
            add(&mut sum.events, &more.events, weight);
        }
        for (sum, more) in self.edges.iter_mut().zip(&other.edges) {
            sum.alone += weight * more.alone;
            sum.passed_on += weight * more.passed_on;
        }
        for (key, p) in &other.due {
            *self.due.entry(key.clone()).or_default() += weight * p;
        }
        for (key, p) in &other.labels {
            *self.labels.entry(key.clone()).or_default() += weight * p;
        }
    }
}

fn add(sums: &mut [f64], more: &[f64], weight: f64) {
    for (sum, p) in sums.iter_mut().zip(more) {
        *sum += weight * p;
    }
}
