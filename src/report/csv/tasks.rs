//! Defines `tasks.csv`.

use super::RunTable;
use crate::report::table::{ColumnUnit, TableDefinition, number_column, text_column};
use crate::run::SolveMethod;
use crate::run::record::{ArmRecord, RunRecord, TaskRecord};
use crate::step::RunOutcome;

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: None,
};

struct ArmTaskRow<'a> {
    arm: &'a ArmRecord,
    /// Index of the task in the arm's list.
    at: usize,
    task: &'a TaskRecord,
}

impl ArmTaskRow<'_> {
    fn main_miss_kind(&self) -> String {
        let miss = self.task.main_miss.as_ref();
        miss.map(|(_, kind, _)| kind.name().to_owned()).unwrap_or_default()
    }
}

fn definition<'a>() -> TableDefinition<ArmTaskRow<'a>> {
    TableDefinition {
        file: "tasks.csv",
        doc: "one row per task and arm",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.id.clone()),
            text_column("task", ColumnUnit::Id, "the task", |row| row.task.id.clone()),
            text_column("unit", ColumnUnit::Text, "its sampling unit", |row| row.task.unit.clone()),
            number_column(
                "weight",
                ColumnUnit::Number,
                "how often it occurs, relative to the others",
                |row| Some(row.task.weight),
            ),
            text_column(
                "method",
                ColumnUnit::Name,
                "`exact`, `monte_carlo` (requested) or `monte_carlo_past_cap` (more joint states \
                 than `simulation.max_states`)",
                |row| method_name(row.task.method).to_owned(),
            ),
            text_column("right_action", ColumnUnit::Text, "what the oracle does", |row| {
                row.task.right_action.clone()
            }),
            number_column("p_failure", ColumnUnit::Probability, "P(failure)", |row| {
                Some(row.task.failure())
            }),
            number_column(
                "p_correct",
                ColumnUnit::Probability,
                "P(the run ends like the oracle)",
                |row| Some(row.task.outcomes[RunOutcome::Correct as usize]),
            ),
            number_column("p_stopped", ColumnUnit::Probability, "P(the run stops)", |row| {
                Some(row.task.outcomes[RunOutcome::Stopped as usize])
            }),
            number_column(
                "p_omission",
                ColumnUnit::Probability,
                "P(the run takes no action where the oracle acts)",
                |row| Some(row.task.outcomes[RunOutcome::Omission as usize]),
            ),
            number_column(
                "p_commission",
                ColumnUnit::Probability,
                "P(the run acts where the oracle holds)",
                |row| Some(row.task.outcomes[RunOutcome::Commission as usize]),
            ),
            number_column(
                "p_wrong_action",
                ColumnUnit::Probability,
                "P(the run acts, but not as the oracle does)",
                |row| Some(row.task.outcomes[RunOutcome::WrongAction as usize]),
            ),
            number_column(
                "ndcg_at_10",
                ColumnUnit::Share,
                "nDCG@10 on the right queries, mean over the task's retrieve steps; empty if \
                 nothing is gold",
                |row| row.task.ndcg_at_10,
            ),
            text_column(
                "likeliest_wrong_action",
                ColumnUnit::Text,
                "the most likely label of a terminal step that is not the oracle's",
                |row| {
                    row.task
                        .wrong_action
                        .as_ref()
                        .map(|(label, _)| label.clone())
                        .unwrap_or_default()
                },
            ),
            number_column(
                "p_likeliest_wrong_action",
                ColumnUnit::Probability,
                "P(that label)",
                |row| row.task.wrong_action.as_ref().map(|(_, p)| *p),
            ),
            text_column(
                "main_miss_step",
                ColumnUnit::Id,
                "the retrieve step of the miss with the highest P(failure and this miss)",
                |row| {
                    row.task.main_miss.as_ref().map(|(step, ..)| step.clone()).unwrap_or_default()
                },
            ),
            text_column("main_miss_kind", ColumnUnit::Name, "the kind of that miss", |row| {
                row.main_miss_kind()
            }),
            number_column(
                "p_failure_with_main_miss",
                ColumnUnit::Probability,
                "P(failure and that miss)",
                |row| row.task.main_miss.as_ref().map(|(.., p)| *p),
            ),
            number_column(
                "expected_loss",
                ColumnUnit::Currency,
                "if money is counted: the expected loss of the task",
                |row| row.arm.money.as_ref().map(|money| money.tasks[row.at]),
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<ArmTaskRow<'_>> {
    let mut rows = Vec::new();
    for arm in &record.arms {
        rows.extend(arm.tasks.iter().enumerate().map(|(at, task)| ArmTaskRow { arm, at, task }));
    }
    rows
}

/// The name of the method that solved a task.
pub fn method_name(ran: SolveMethod) -> &'static str {
    match ran {
        SolveMethod::Exact { .. } => "exact",
        SolveMethod::Sampled => "monte_carlo",
        SolveMethod::SampledPastCap => "monte_carlo_past_cap",
    }
}
