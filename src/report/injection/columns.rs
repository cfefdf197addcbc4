//! Defines the CSV of injected errors.

use crate::cascade::inject::{
    InjectedErrorRecord, InjectionEffect, InjectionObstacle, InjectionReport, LikeliestItem,
    WrongActionRecord,
};
use crate::report::table::{
    ColumnUnit, TableDefinition, TypedTable, number_column, text_column, whole_column,
};
use crate::step::RunOutcome;

struct InjectionRow<'a> {
    report: &'a InjectionReport,
    injected: &'a InjectedErrorRecord,
}

impl<'a> InjectionRow<'a> {
    fn effect(&self) -> Option<&'a InjectionEffect> {
        self.injected.effect.as_ref()
    }

    /// The number of tasks on which the error could not happen for this reason.
    fn prevented(&self, why: InjectionObstacle) -> usize {
        self.injected.not.iter().find(|not| not.why == why).map_or(0, |not| not.tasks)
    }

    fn stops_most(&self) -> Option<&'a LikeliestItem> {
        self.effect()?.flags_most.as_ref()
    }

    fn absorbs_most(&self) -> Option<&'a LikeliestItem> {
        self.effect()?.absorbs_most.as_ref()
    }

    fn wrong_action(&self) -> Option<&'a WrongActionRecord> {
        self.effect()?.actions.first()
    }
}

/// The table with one row per injected error; without a report, its columns.
pub fn injection_table(report: Option<&InjectionReport>) -> TypedTable {
    let mut rows = Vec::new();
    if let Some(report) = report {
        let injections = report.injections.iter();
        rows.extend(injections.map(|injected| InjectionRow { report, injected }));
    }
    definition().table(&rows)
}

fn definition<'a>() -> TableDefinition<InjectionRow<'a>> {
    TableDefinition {
        file: "knockon inject --format csv",
        doc: "one row per step and error",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.report.arm.clone()),
            text_column("step", ColumnUnit::Id, "the step that errs", |row| {
                row.injected.step.clone()
            }),
            text_column("kind", ColumnUnit::Name, "the error that was injected", |row| {
                row.injected.kind.to_owned()
            }),
            whole_column("tasks", ColumnUnit::Count, "all tasks", |row| Some(row.report.tasks)),
            whole_column(
                "tasks_affected",
                ColumnUnit::Count,
                "tasks on which the error could happen",
                |row| Some(row.injected.tasks),
            ),
            whole_column(
                "tasks_sampled",
                ColumnUnit::Count,
                "those of them that were sampled instead of solved exactly",
                |row| Some(row.injected.sampled),
            ),
            number_column(
                "share_affected",
                ColumnUnit::Share,
                "the weighted share of runs in which it happened; all columns from p_failure on \
                 are conditional on it",
                |row| Some(row.injected.share),
            ),
            whole_column(
                "tasks_not_reached",
                ColumnUnit::Count,
                "tasks on which it could not happen, wholly or in part, because the oracle stops \
                 before the step",
                |row| Some(row.prevented(InjectionObstacle::NotReached)),
            ),
            whole_column(
                "tasks_skipped",
                ColumnUnit::Count,
                "likewise, because the oracle skips the step",
                |row| Some(row.prevented(InjectionObstacle::Skipped)),
            ),
            whole_column(
                "tasks_no_gold",
                ColumnUnit::Count,
                "likewise, because the oracle has nothing to find there",
                |row| Some(row.prevented(InjectionObstacle::NoGold)),
            ),
            whole_column(
                "tasks_no_query",
                ColumnUnit::Count,
                "likewise, because the right query cannot be rendered",
                |row| Some(row.prevented(InjectionObstacle::NoQuery)),
            ),
            whole_column(
                "tasks_no_passage",
                ColumnUnit::Count,
                "likewise, because no retrieved passage makes a miss of this kind",
                |row| Some(row.prevented(InjectionObstacle::NoPassage)),
            ),
            whole_column(
                "tasks_reader_cannot",
                ColumnUnit::Count,
                "likewise, because the reader cannot make this error on its input",
                |row| Some(row.prevented(InjectionObstacle::ReaderCannot)),
            ),
            whole_column(
                "tasks_not_solved",
                ColumnUnit::Count,
                "likewise, because the task is past the state cap and cannot be replayed",
                |row| Some(row.prevented(InjectionObstacle::NotSolved)),
            ),
            number_column("p_failure", ColumnUnit::Probability, "P(failure)", |row| {
                row.effect().map(|effect| effect.failure)
            }),
            number_column(
                "p_correct",
                ColumnUnit::Probability,
                "P(the run ends like the oracle): the error was absorbed",
                |row| row.effect().map(|effect| effect.outcomes[RunOutcome::Correct as usize]),
            ),
            number_column("p_stopped", ColumnUnit::Probability, "P(the run stops)", |row| {
                row.effect().map(|effect| effect.outcomes[RunOutcome::Stopped as usize])
            }),
            number_column(
                "p_omission",
                ColumnUnit::Probability,
                "P(the run takes no action where the oracle acts)",
                |row| row.effect().map(|effect| effect.outcomes[RunOutcome::Omission as usize]),
            ),
            number_column(
                "p_commission",
                ColumnUnit::Probability,
                "P(the run acts where the oracle holds)",
                |row| row.effect().map(|effect| effect.outcomes[RunOutcome::Commission as usize]),
            ),
            number_column(
                "p_wrong_action",
                ColumnUnit::Probability,
                "P(the run acts, but not as the oracle does)",
                |row| row.effect().map(|effect| effect.outcomes[RunOutcome::WrongAction as usize]),
            ),
            number_column(
                "p_right_there",
                ColumnUnit::Probability,
                "P(the step's own output was right nevertheless)",
                |row| row.effect().map(|effect| effect.right_there),
            ),
            number_column(
                "depth_mean",
                ColumnUnit::Count,
                "mean of the longest chain of wrong or missing outputs from the step on, in edges",
                |row| row.effect().map(|effect| effect.depth.mean),
            ),
            whole_column(
                "depth_max",
                ColumnUnit::Count,
                "the longest such chain that occurs",
                |row| row.effect().map(|effect| effect.depth.max),
            ),
            number_column(
                "breadth_mean",
                ColumnUnit::Count,
                "mean number of further outputs wrong or missing: the amplification of the error",
                |row| row.effect().map(|effect| effect.breadth.mean),
            ),
            whole_column(
                "breadth_max",
                ColumnUnit::Count,
                "the largest such number that occurs",
                |row| row.effect().map(|effect| effect.breadth.max),
            ),
            text_column("stops_most", ColumnUnit::Id, "the step at which most runs stop", |row| {
                row.stops_most().map(|item| item.name.clone()).unwrap_or_default()
            }),
            number_column(
                "p_stops_most",
                ColumnUnit::Probability,
                "P(the run stops there)",
                |row| row.stops_most().map(|item| item.p),
            ),
            text_column(
                "absorbs_most",
                ColumnUnit::Id,
                "the step that most often has a right output for an input that is not right",
                |row| row.absorbs_most().map(|item| item.name.clone()).unwrap_or_default(),
            ),
            number_column("p_absorbs_most", ColumnUnit::Probability, "P(it has one)", |row| {
                row.absorbs_most().map(|item| item.p)
            }),
            text_column(
                "right_action",
                ColumnUnit::Text,
                "the right action in place of which the most likely wrong one is taken",
                |row| row.wrong_action().map(|action| action.right.clone()).unwrap_or_default(),
            ),
            text_column(
                "likeliest_wrong_action",
                ColumnUnit::Text,
                "the most likely wrong label",
                |row| row.wrong_action().map(|action| action.instead.clone()).unwrap_or_default(),
            ),
            number_column(
                "p_likeliest_wrong_action",
                ColumnUnit::Probability,
                "P(that label in place of that action)",
                |row| row.wrong_action().map(|action| action.p),
            ),
        ],
    }
}
