//! Defines `misses.csv`.

use super::RunTable;
use crate::report::table::{ColumnUnit, TableDefinition, number_column, text_column};
use crate::run::record::{MissKindRecord, RunRecord};
use crate::step::RunOutcome;

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: None,
};

struct MissKindRow<'a> {
    arm: &'a str,
    miss: &'a MissKindRecord,
}

fn definition<'a>() -> TableDefinition<MissKindRow<'a>> {
    TableDefinition {
        file: "misses.csv",
        doc: "one row per arm, step, miss kind and cause",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.to_owned()),
            text_column("step", ColumnUnit::Id, "the retrieve step", |row| row.miss.step.clone()),
            text_column(
                "miss_kind",
                ColumnUnit::Name,
                "determined by the best-ranked passage: `negation`, `role_swap`, `number`, \
                 `version`, `binding` (a near-miss of the gold passage, or the same attribute of \
                 another entity), `attribute` (the same entity, another attribute), `topic`, \
                 `empty`. Two passages have the same attribute if they are labelled so or both \
                 state a field that is read at the step",
                |row| row.miss.kind.name().to_owned(),
            ),
            text_column(
                "cause",
                ColumnUnit::Name,
                "`own`: it misses on the right query too; `induced`: only because of an upstream \
                 error",
                |row| if row.miss.induced { "induced" } else { "own" }.to_owned(),
            ),
            number_column("p_miss", ColumnUnit::Probability, "P(this miss)", |row| {
                Some(row.miss.p)
            }),
            number_column(
                "p_correct",
                ColumnUnit::Probability,
                "P(this miss, and the run ends like the oracle)",
                |row| Some(row.miss.outcomes[RunOutcome::Correct as usize]),
            ),
            number_column(
                "p_stopped",
                ColumnUnit::Probability,
                "P(this miss, and the run stops)",
                |row| Some(row.miss.outcomes[RunOutcome::Stopped as usize]),
            ),
            number_column(
                "p_omission",
                ColumnUnit::Probability,
                "P(this miss, and the run takes no action where the oracle acts)",
                |row| Some(row.miss.outcomes[RunOutcome::Omission as usize]),
            ),
            number_column(
                "p_commission",
                ColumnUnit::Probability,
                "P(this miss, and the run acts where the oracle holds)",
                |row| Some(row.miss.outcomes[RunOutcome::Commission as usize]),
            ),
            number_column(
                "p_wrong_action",
                ColumnUnit::Probability,
                "P(this miss, and the run acts, but not as the oracle does)",
                |row| Some(row.miss.outcomes[RunOutcome::WrongAction as usize]),
            ),
            number_column(
                "p_fail_given_miss",
                ColumnUnit::Probability,
                "P(failure, given this miss)",
                |row| Some(row.miss.p_fail_given),
            ),
            number_column(
                "share_of_failures",
                ColumnUnit::Share,
                "P(this miss, given a failure); one failure can have misses at several steps, so \
                 these overlap",
                |row| row.miss.share_of_failures,
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<MissKindRow<'_>> {
    let mut rows = Vec::new();
    for arm in &record.arms {
        rows.extend(arm.misses.iter().map(|miss| MissKindRow { arm: &arm.id, miss }));
    }
    rows
}
