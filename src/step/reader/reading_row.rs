//! The row of a read step: the branches of the simulated reader, and which of them are its own errors.

use super::{FieldReading, ReaderModel, answer_distribution};
use crate::kernel::BranchFault;
use crate::step::{StepBranch, StepEvent, StepOutput, StepRow};

/// The row of a read step.
///
/// An error with the evidence in the context, or with no evidence anywhere, is the reader's own. What it makes of a
/// context from which the evidence is missing is not: there the retrieval miss takes effect.
pub fn reading_row(reader: &ReaderModel, reading: &FieldReading) -> StepRow {
    row_with_faults(branches(reader, reading), reading)
}

/// The row with these branches: which of them are the reader's own errors, its repair, and how it would err.
pub(super) fn row_with_faults(branches: Vec<StepBranch>, reading: &FieldReading) -> StepRow {
    let mut row = StepRow::from(branches);
    let FieldReading { gold, pool, context, .. } = *reading;
    let right = context.iter().filter(|p| gold.contains(p)).find_map(|&p| reading.stated(p));
    if right.is_none() && reading.right_value().is_some() {
        return row;
    }
    for branch in &mut row.branches {
        let erred = matches!(
            branch.event,
            StepEvent::Distracted | StepEvent::Misread | StepEvent::Fabricated
        );
        // No value is an error only if the evidence is in the context.
        let silent = matches!(branch.event, StepEvent::Abstained | StepEvent::Unparsable);
        if erred || silent && right.is_some() {
            branch.fault = BranchFault::Own;
        }
    }
    if row.branches.iter().any(|b| b.fault == BranchFault::Own) {
        row.repair = Some(match right {
            Some(value) => {
                StepBranch::new(Some(StepOutput::Value(value.clone())), StepEvent::Clean, 1.0)
            }
            None => StepBranch::new(Some(StepOutput::Missing), StepEvent::Abstained, 1.0),
        });
    } else {
        let event = if right.is_some() { StepEvent::Misread } else { StepEvent::Fabricated };
        for (value, p) in pool.excluding(&[right]) {
            row.error_branches.push(StepBranch {
                fault: BranchFault::Own,
                ..StepBranch::new(Some(StepOutput::Value(value.clone())), event, p)
            });
        }
    }
    row
}

fn branches(reader: &ReaderModel, reading: &FieldReading) -> Vec<StepBranch> {
    let (answers, distribution) = answer_distribution(reading);
    let mut p = Vec::with_capacity(answers.len());
    distribution.write_probabilities(&reader.rates(reading.field), &mut p);
    let mut branches = Vec::new();
    for (answer, p) in answers.into_iter().zip(p).filter(|(_, p)| *p > 0.0) {
        let output =
            answer.value.map_or(StepOutput::Missing, |value| StepOutput::Value(value.clone()));
        branches.push(StepBranch {
            source: answer.source,
            ..StepBranch::new(Some(output), answer.event, p)
        });
    }
    branches
}
