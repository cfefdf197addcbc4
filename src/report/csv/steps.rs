//! Defines `steps.csv`.

use super::RunTable;
use crate::report::table::{
    ColumnUnit, TableDefinition, number_column, text_column, whole_column, yes_no_column,
};
use crate::run::record::{RunRecord, RunStepRecord};

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: None,
};

struct ArmStepRow<'a> {
    arm: &'a str,
    step: &'a RunStepRecord,
}

impl ArmStepRow<'_> {
    /// For retrieve steps: embedder, number of passages passed on, and whether the entity filter is on.
    fn retrieval(&self) -> Option<&(String, usize, bool)> {
        self.step.retrieval.as_ref()
    }
}

fn definition<'a>() -> TableDefinition<ArmStepRow<'a>> {
    TableDefinition {
        file: "steps.csv",
        doc: "one row per step and arm",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.to_owned()),
            text_column("step", ColumnUnit::Id, "the step", |row| row.step.step.clone()),
            text_column("kind", ColumnUnit::Name, "the kind of the step", |row| {
                row.step.kind.to_owned()
            }),
            text_column("embedder", ColumnUnit::Id, "the embedder of a retrieve step", |row| {
                row.retrieval().map(|(embedder, ..)| embedder.clone()).unwrap_or_default()
            }),
            whole_column(
                "top_k",
                ColumnUnit::Count,
                "the number of passages that a retrieve step passes on",
                |row| row.retrieval().map(|(_, k, _)| *k),
            ),
            yes_no_column(
                "entity_filter",
                "whether a retrieve step searches only the passages of one entity",
                |row| row.retrieval().map(|(.., filter)| *filter),
            ),
            number_column(
                "p_reached",
                ColumnUnit::Probability,
                "P(the run reached this step)",
                |row| Some(row.step.p_reached),
            ),
            number_column(
                "p_correct",
                ColumnUnit::Probability,
                "P(its output equals the oracle's); p_correct, p_wrong and p_missing sum to \
                 p_reached",
                |row| Some(row.step.p_correct),
            ),
            number_column(
                "p_wrong",
                ColumnUnit::Probability,
                "P(its output differs from the oracle's)",
                |row| Some(row.step.p_wrong),
            ),
            number_column(
                "p_missing",
                ColumnUnit::Probability,
                "P(it has no output: it abstained, could not be parsed, failed or was skipped, or the run \
                 stopped here)",
                |row| Some(row.step.p_missing),
            ),
            number_column(
                "p_hit",
                ColumnUnit::Probability,
                "retrieve: P(a gold passage was passed on)",
                |row| Some(row.step.p_hit),
            ),
            number_column(
                "p_own_miss",
                ColumnUnit::Probability,
                "retrieve: P(it missed, also on the right query)",
                |row| Some(row.step.p_own_miss),
            ),
            number_column(
                "p_induced_miss",
                ColumnUnit::Probability,
                "retrieve: P(it missed only because an upstream error made the query wrong)",
                |row| Some(row.step.p_induced_miss),
            ),
            number_column(
                "p_no_gold",
                ColumnUnit::Probability,
                "retrieve: P(the task has nothing to find here)",
                |row| Some(row.step.p_no_gold),
            ),
            number_column(
                "p_distracted",
                ColumnUnit::Probability,
                "read: P(it followed a wrong passage)",
                |row| Some(row.step.p_distracted),
            ),
            number_column(
                "p_misread",
                ColumnUnit::Probability,
                "read: P(it misread the value)",
                |row| Some(row.step.p_misread),
            ),
            number_column(
                "p_fabricated",
                ColumnUnit::Probability,
                "read: P(it made up a wrong value)",
                |row| Some(row.step.p_fabricated),
            ),
            number_column(
                "p_lucky",
                ColumnUnit::Probability,
                "read: P(it gave the right value without the evidence)",
                |row| Some(row.step.p_lucky),
            ),
            number_column(
                "p_abstained",
                ColumnUnit::Probability,
                "read: P(it reported that the evidence is missing)",
                |row| Some(row.step.p_abstained),
            ),
            number_column(
                "p_unparsable",
                ColumnUnit::Probability,
                "read: P(its answer could not be parsed into a value)",
                |row| Some(row.step.p_unparsable),
            ),
            number_column(
                "p_failed",
                ColumnUnit::Probability,
                "P(an expression had no value); for an act step, P(a rule was passed over because \
                 its condition had none)",
                |row| Some(row.step.p_failed),
            ),
            number_column("p_stopped", ColumnUnit::Probability, "P(the run stopped here)", |row| {
                Some(row.step.p_stopped)
            }),
            number_column(
                "p_skipped",
                ColumnUnit::Probability,
                "P(`when` was not true, or the retrieve step that it reads from was skipped)",
                |row| Some(row.step.p_skipped),
            ),
            number_column(
                "p_caught",
                ColumnUnit::Probability,
                "guarded steps: P(a guard stopped the run for an output that was not right); \
                 errors that were caught or recovered also count in their own columns, since a \
                 miss is a miss, however it was handled",
                |row| Some(row.step.p_caught),
            ),
            number_column(
                "p_recovered",
                ColumnUnit::Probability,
                "guarded steps: P(a guard detected an output that was not right, and a further \
                 attempt or a person corrected it)",
                |row| Some(row.step.p_recovered),
            ),
            number_column(
                "p_false_alarm",
                ColumnUnit::Probability,
                "guarded steps: P(a guard mistook a right output for a wrong one, and the result \
                 was not right)",
                |row| Some(row.step.p_false_alarm),
            ),
            number_column(
                "p_fail_given_hit",
                ColumnUnit::Probability,
                "P(failure) of runs with a hit at this step",
                |row| row.step.p_fail_given_hit,
            ),
            number_column(
                "p_fail_given_miss",
                ColumnUnit::Probability,
                "P(failure) of runs with a miss at this step",
                |row| row.step.p_fail_given_miss,
            ),
            number_column(
                "p_absorbed_given_wrong",
                ColumnUnit::Probability,
                "P(correct end) of runs whose output here was wrong",
                |row| row.step.p_absorbed_given_wrong,
            ),
            number_column(
                "p_err",
                ColumnUnit::Probability,
                "steps that can err: P(the step errs): a miss of any cause, a reading error with \
                 the evidence in the context, or a guard's false alarm",
                |row| row.step.importance.map(|i| i.p_err),
            ),
            number_column(
                "p_fail_if_right",
                ColumnUnit::Probability,
                "P(failure) if the step were always right, with everything else unchanged: its \
                 output is replaced by the oracle's wherever they differ, whatever its input (a \
                 retrieve step passes on the gold passages, a read step puts out what they state, \
                 even if the search before it missed). Unlike p_fail_given_hit and \
                 p_fail_given_miss, this and p_fail_if_wrong compare the same tasks",
                |row| row.step.importance.map(|i| i.p_fail_if_right),
            ),
            number_column(
                "p_fail_without_own_errors",
                ColumnUnit::Probability,
                "P(failure) if the step made no error of its own; the consequences of earlier \
                 errors at it remain. For a read step: a better reader with the same searches",
                |row| row.step.importance.map(|i| i.p_fail_without_own_errors),
            ),
            number_column(
                "p_fail_if_wrong",
                ColumnUnit::Probability,
                "P(failure) if the step were always wrong, with everything else unchanged: it errs \
                 as it does where it can; where only its input is wrong, its output is not right; \
                 where it never errs, it passes on the passages that rank next instead of gold, or \
                 another value is read",
                |row| row.step.importance.map(|i| i.p_fail_if_wrong),
            ),
            number_column(
                "birnbaum",
                ColumnUnit::Share,
                "Birnbaum importance: p_fail_if_wrong - p_fail_if_right",
                |row| row.step.importance.map(|i| i.birnbaum),
            ),
            number_column(
                "fussell_vesely",
                ColumnUnit::Share,
                "Fussell-Vesely importance: 1 - p_fail_if_right / failure rate: the share of \
                 failures that would disappear if the step were always right. 0 for a step that is \
                 never wrong. Negative, as Birnbaum then is, if the step's errors prevent more \
                 failures than they cause, since two errors can cancel; Shapley shares average \
                 over orders of repair and may still be positive",
                |row| row.step.importance.map(|i| i.fussell_vesely),
            ),
            number_column(
                "raw",
                ColumnUnit::Ratio,
                "risk achievement worth: p_fail_if_wrong / failure rate. 1: no difference; `inf`: \
                 the denominator is 0",
                |row| row.step.importance.map(|i| i.raw),
            ),
            number_column(
                "rrw",
                ColumnUnit::Ratio,
                "risk reduction worth: failure rate / p_fail_if_right. 1: no difference; `inf`: \
                 the denominator is 0",
                |row| row.step.importance.map(|i| i.rrw),
            ),
            number_column(
                "recall_at_k",
                ColumnUnit::Share,
                "share of the gold passages passed on, on the right query, mean over the tasks \
                 that have gold here",
                |row| row.step.quality.map(|q| q.recall_at_k),
            ),
            number_column(
                "ndcg_at_10",
                ColumnUnit::Share,
                "nDCG@10 on the right query, mean over the tasks that have gold here",
                |row| row.step.quality.map(|q| q.ndcg_at_10),
            ),
            number_column(
                "mrr_at_10",
                ColumnUnit::Share,
                "reciprocal rank of the first gold passage (0 past rank 10) on the right query, \
                 mean over the tasks that have gold here",
                |row| row.step.quality.map(|q| q.mrr_at_10),
            ),
            whole_column(
                "judged_tasks",
                ColumnUnit::Count,
                "the number of tasks that have gold here",
                |row| Some(row.step.judged_tasks),
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<ArmStepRow<'_>> {
    let mut rows = Vec::new();
    for arm in &record.arms {
        rows.extend(arm.steps.iter().map(|step| ArmStepRow { arm: &arm.id, step }));
    }
    rows
}
