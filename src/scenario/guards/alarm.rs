//! What a resolved check is: how it comes to an alarm, what it observes of an output, and what one look costs.

use std::fmt;

use super::effort::SourcedEffort;
use super::rates::CheckErrorRates;
use super::threshold::PassingThreshold;
use crate::expr::{EvalEnvironment, Expression};
use crate::value::TypedValue;
use crate::world::Task;

/// A check on the outputs of a step, resolved.
pub trait GuardCheck: fmt::Debug + Send + Sync {
    /// How it comes to an alarm.
    fn rule(&self) -> AlarmRule<'_>;

    /// Whether it also looks where the step ran without an output.
    fn checks_missing_outputs(&self) -> bool {
        false
    }

    /// The embedder that scores the query and the best passage for it, as an index into
    /// [`super::super::Scenario::embedders`].
    fn scoring_embedder(&self) -> Option<usize> {
        None
    }

    /// Cost and time of one look; `None` for checks on existing data, which cost nothing.
    fn effort(&self) -> Option<&SourcedEffort> {
        None
    }
}

/// How a check comes to an alarm.
#[derive(Clone, Copy)]
pub enum AlarmRule<'a> {
    /// Where a condition holds of what the output shows.
    Condition(&'a dyn AlarmCondition),
    /// Where a score is below a threshold, or missing. Reports show a curve over other thresholds.
    Threshold(&'a PassingThreshold),
    /// With probabilities that depend on whether the output is right: the rates model what the check would find out.
    Rates(&'a CheckErrorRates),
}

/// A condition on what an output shows.
pub trait AlarmCondition {
    /// Whether the output raises an alarm.
    fn raises_alarm(&self, output: &CheckedOutput) -> bool;
}

/// One output of a step, with what a condition may use.
pub struct CheckedOutput<'a> {
    /// `None` is null.
    pub value: Option<&'a TypedValue>,
    /// The step ran without an output, or its search found nothing.
    pub is_empty: bool,
    /// The entity of the best passage found, or of the passage from which the value was read.
    pub entity: Option<&'a str>,
    /// The index of the step.
    pub step: usize,
    /// The values of all steps by index, without this step's own.
    pub values: &'a [Option<&'a TypedValue>],
    pub task: &'a Task,
}

impl CheckedOutput<'_> {
    /// The value of an expression, which may use this output; `None` if it has none.
    pub fn eval(&self, expression: &Expression) -> Option<TypedValue> {
        let mut values = self.values.to_vec();
        values[self.step] = self.value;
        let env = EvalEnvironment { task: Some(self.task), passage: None, steps: &values };
        expression.eval(&env).ok().flatten()
    }
}
