//! Propagation of errors from parent to child: how often a wrong output makes the next one wrong, and how often a step
//! goes wrong on right inputs.

use crate::compile::CompiledTask;
use crate::kernel::BranchMasses;
use crate::scenario::Scenario;
use crate::step::OutputState;

/// One edge of the DAG. Probabilities are weighted sums over the tasks added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdgePropagation {
    pub parent: usize,
    pub child: usize,
    /// P(this parent's output is not right, those of the child's other parents are, and the child is reached).
    pub alone: f64,
    /// Of that: the child's output is wrong, or missing.
    pub wrong: f64,
    pub missing: f64,
}

/// One step on right inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RightInputRates {
    /// P(reached with the outputs of all parents right).
    pub reached: f64,
    /// Of that: its output right.
    pub correct: f64,
}

/// Edges and steps of one arm, summed over tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorPropagation {
    /// In the order of child, then parent.
    pub edges: Vec<EdgePropagation>,
    pub steps: Vec<RightInputRates>,
    /// By step: its parents in the DAG. An input that only its guards check is not an edge.
    needs: Vec<Vec<usize>>,
}

impl ErrorPropagation {
    pub fn new(scenario: &Scenario) -> ErrorPropagation {
        let edges = scenario.steps.iter().enumerate().flat_map(|(child, step)| {
            step.required_parents.iter().map(move |&parent| EdgePropagation {
                parent,
                child,
                alone: 0.0,
                wrong: 0.0,
                missing: 0.0,
            })
        });
        ErrorPropagation {
            edges: edges.collect(),
            needs: scenario.steps.iter().map(|step| step.required_parents.clone()).collect(),
            steps: vec![RightInputRates::default(); scenario.steps.len()],
        }
    }

    /// Adds a solved task with this weight.
    pub fn add(&mut self, compiled: &CompiledTask, masses: &BranchMasses, weight: f64) {
        for (step, kernel) in compiled.model.kernels.iter().enumerate() {
            for (row, inputs) in kernel.inputs() {
                let inputs = kernel.parents.iter().zip(inputs);
                let needed = inputs.filter(|(parent, _)| self.needs[step].contains(parent));
                let mut off = needed.filter_map(|(&parent, &token)| {
                    let output = compiled.outputs[parent].get(token as usize);
                    (compiled.state(parent, output) != OutputState::Correct).then_some(parent)
                });
                // With two or more parents off, the effect cannot be attributed to one edge.
                let (first, second) = (off.next(), off.next());
                // By state of the output: correct, wrong, missing.
                let mut sums = [0.0; 3];
                for at in kernel.span(row) {
                    let output = compiled.outputs[step].get(kernel.branches()[at].token as usize);
                    let p: f64 = masses.steps[step][at].iter().sum();
                    sums[compiled.state(step, output) as usize] += p * weight;
                }
                let all: f64 = sums.iter().sum();
                match (first, second) {
                    (None, _) => {
                        self.steps[step].reached += all;
                        self.steps[step].correct += sums[OutputState::Correct as usize];
                    }
                    (Some(parent), None) => {
                        if let Some(edge) = self
                            .edges
                            .iter_mut()
                            .find(|edge| (edge.parent, edge.child) == (parent, step))
                        {
                            edge.alone += all;
                            edge.wrong += sums[OutputState::Wrong as usize];
                            edge.missing += sums[OutputState::Missing as usize];
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// The success rate if steps failed independently of one another, within a task and over tasks: the product over
    /// steps of P(right output, given right inputs).
    pub fn independent_success(&self) -> f64 {
        let rates = self.steps.iter().filter(|s| s.reached > 0.0).map(|s| s.correct / s.reached);
        rates.product()
    }
}
