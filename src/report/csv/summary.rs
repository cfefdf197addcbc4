//! Defines `summary.csv`.

use super::RunTable;
use super::event_names::event_name;
use crate::report::table::{
    ColumnUnit, TableDefinition, number_column, text_column, whole_column, yes_no_column,
};
use crate::run::record::{ArmRecord, PairedDifference, RunRecord};
use crate::step::RunOutcome;
use crate::step::StepEvent;

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: None,
};

struct ArmSummaryRow<'a> {
    record: &'a RunRecord,
    /// Index of the arm in the record.
    at: usize,
    arm: &'a ArmRecord,
}

impl ArmSummaryRow<'_> {
    fn difference(&self) -> Option<&PairedDifference> {
        self.arm.summary.difference.as_ref()
    }

    fn worst_step(&self) -> Option<&(String, f64)> {
        self.arm.summary.worst_step.as_ref()
    }

    fn main_cause(&self) -> Option<&(String, StepEvent, f64)> {
        self.arm.summary.main_cause.as_ref()
    }
}

fn definition<'a>() -> TableDefinition<ArmSummaryRow<'a>> {
    TableDefinition {
        file: "summary.csv",
        doc: "one row per arm",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.id.clone()),
            yes_no_column("baseline", "whether the others are compared with it", |row| {
                Some(row.record.baseline == Some(row.at))
            }),
            whole_column("tasks", ColumnUnit::Count, "tasks replayed", |row| {
                Some(row.arm.summary.tasks)
            }),
            whole_column(
                "units",
                ColumnUnit::Count,
                "distinct sampling units (the field `tasks.unit`, else the task)",
                |row| Some(row.record.units),
            ),
            whole_column(
                "tasks_exact",
                ColumnUnit::Count,
                "tasks solved without sampling noise",
                |row| Some(row.arm.summary.exact_tasks),
            ),
            number_column("failure_rate", ColumnUnit::Probability, "P(failure)", |row| {
                Some(row.arm.summary.failure.estimate)
            }),
            number_column(
                "failure_low",
                ColumnUnit::Probability,
                "lower end of its 95% interval, clustered on the unit",
                |row| Some(row.arm.summary.failure.low),
            ),
            number_column(
                "failure_high",
                ColumnUnit::Probability,
                "upper end of that interval",
                |row| Some(row.arm.summary.failure.high),
            ),
            number_column(
                "difference",
                ColumnUnit::Share,
                "failure rate minus the baseline's on the same tasks",
                |row| row.difference().map(|d| d.interval.estimate),
            ),
            number_column(
                "difference_low",
                ColumnUnit::Share,
                "lower end of its 95% interval, which excludes 0 if and only if p_value is below \
                 .05; with fewer than six units `-inf`, since no test can reject anything",
                |row| row.difference().map(|d| d.interval.low),
            ),
            number_column(
                "difference_high",
                ColumnUnit::Share,
                "upper end of that interval; with fewer than six units `inf`",
                |row| row.difference().map(|d| d.interval.high),
            ),
            number_column(
                "p_value",
                ColumnUnit::Probability,
                "two-sided, paired by task and tested over units: the largest of the p-values of \
                 sign flips and of Student's t, each with and without correction for skewness",
                |row| row.difference().map(|d| d.p_value),
            ),
            number_column(
                "p_holm",
                ColumnUnit::Probability,
                "p_value after Holm's correction over the comparisons with the baseline",
                |row| row.difference().map(|d| d.p_holm),
            ),
            number_column(
                "holm_low",
                ColumnUnit::Share,
                "lower end of the interval of the difference at the level at which Holm's \
                 procedure tests it, which excludes 0 if and only if p_holm is below .05",
                |row| row.difference().map(|d| d.holm_interval.low),
            ),
            number_column("holm_high", ColumnUnit::Share, "upper end of that interval", |row| {
                row.difference().map(|d| d.holm_interval.high)
            }),
            yes_no_column(
                "identical",
                "`yes`: arm and baseline have the same failure probability on every task",
                |row| row.difference().map(|d| d.identical),
            ),
            number_column(
                "p_correct",
                ColumnUnit::Probability,
                "P(the run ends like the oracle)",
                |row| Some(row.arm.summary.outcomes[RunOutcome::Correct as usize]),
            ),
            number_column("p_stopped", ColumnUnit::Probability, "P(the run stops)", |row| {
                Some(row.arm.summary.outcomes[RunOutcome::Stopped as usize])
            }),
            number_column(
                "p_omission",
                ColumnUnit::Probability,
                "P(the run takes no action where the oracle acts)",
                |row| Some(row.arm.summary.outcomes[RunOutcome::Omission as usize]),
            ),
            number_column(
                "p_commission",
                ColumnUnit::Probability,
                "P(the run acts where the oracle holds)",
                |row| Some(row.arm.summary.outcomes[RunOutcome::Commission as usize]),
            ),
            number_column(
                "p_wrong_action",
                ColumnUnit::Probability,
                "P(the run acts, but not as the oracle does)",
                |row| Some(row.arm.summary.outcomes[RunOutcome::WrongAction as usize]),
            ),
            number_column(
                "p_silent_failure",
                ColumnUnit::Probability,
                "P(a failure that nothing flagged; a stop is a flag): the sum of `p_omission`, \
                 `p_commission` and `p_wrong_action`",
                |row| Some(row.arm.summary.silent),
            ),
            number_column(
                "silent_share",
                ColumnUnit::Share,
                "these as a share of all failures",
                |row| row.arm.summary.silent_share,
            ),
            number_column(
                "p_success_if_independent",
                ColumnUnit::Probability,
                "what the success rate (`p_correct`) would be if steps failed independently: the \
                 product over steps of P(right output, given right inputs); the real rate differs \
                 because hard tasks are hard at several steps at once, and because some errors are \
                 absorbed",
                |row| Some(row.arm.summary.independent_success),
            ),
            number_column(
                "p_failure_with_own_miss",
                ColumnUnit::Probability,
                "P(failure with an own miss in the run); a run can have own and induced misses, or \
                 none",
                |row| Some(row.arm.summary.failure_with_own_miss),
            ),
            number_column(
                "p_failure_with_induced_miss",
                ColumnUnit::Probability,
                "P(failure with an induced miss in the run)",
                |row| Some(row.arm.summary.failure_with_induced_miss),
            ),
            number_column(
                "recall_at_k",
                ColumnUnit::Share,
                "share of the gold passages passed on, on the right query, mean over tasks and \
                 retrieve steps; k is the number of passages that the step passes on",
                |row| row.arm.summary.quality.map(|q| q.recall_at_k),
            ),
            number_column(
                "ndcg_at_10",
                ColumnUnit::Share,
                "nDCG@10 on the right query, mean over tasks and retrieve steps",
                |row| row.arm.summary.quality.map(|q| q.ndcg_at_10),
            ),
            number_column(
                "mrr_at_10",
                ColumnUnit::Share,
                "reciprocal rank of the first gold passage (0 past rank 10) on the right query, \
                 mean over tasks and retrieve steps",
                |row| row.arm.summary.quality.map(|q| q.mrr_at_10),
            ),
            text_column(
                "worst_step",
                ColumnUnit::Id,
                "the retrieve step with the highest P(failure and a miss there)",
                |row| row.worst_step().map(|(step, _)| step.clone()).unwrap_or_default(),
            ),
            number_column(
                "p_failure_with_miss_there",
                ColumnUnit::Probability,
                "that probability",
                |row| row.worst_step().map(|(_, p)| *p),
            ),
            text_column(
                "commonest_miss",
                ColumnUnit::Name,
                "the most frequent miss kind in failing runs",
                |row| {
                    row.arm
                        .summary
                        .commonest_miss
                        .map(|(kind, _)| kind.name().to_owned())
                        .unwrap_or_default()
                },
            ),
            number_column(
                "failing_misses_per_run",
                ColumnUnit::PerRun,
                "its number in failing runs, per run of any kind (a run can have it at several \
                 steps, so this may exceed the failure rate)",
                |row| row.arm.summary.commonest_miss.map(|(_, number)| number),
            ),
            text_column(
                "main_cause_step",
                ColumnUnit::Id,
                "the step of the own error with the largest share of the failures: see causes.csv",
                |row| row.main_cause().map(|(step, ..)| step.clone()).unwrap_or_default(),
            ),
            text_column("main_cause", ColumnUnit::Name, "that error", |row| {
                row.main_cause().map(|(_, event, _)| event_name(*event)).unwrap_or_default()
            }),
            number_column(
                "main_cause_share",
                ColumnUnit::Share,
                "its share of the failures",
                |row| row.main_cause().map(|(.., share)| *share),
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<ArmSummaryRow<'_>> {
    let arms = record.arms.iter().enumerate();
    arms.map(|(at, arm)| ArmSummaryRow { record, at, arm }).collect()
}
