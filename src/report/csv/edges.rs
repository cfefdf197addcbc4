//! Defines `edges.csv`.

use super::RunTable;
use crate::report::table::{ColumnUnit, TableDefinition, number_column, text_column};
use crate::run::record::{RunEdgeRecord, RunRecord};

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: None,
};

struct EdgeRow<'a> {
    arm: &'a str,
    edge: &'a RunEdgeRecord,
}

fn definition<'a>() -> TableDefinition<EdgeRow<'a>> {
    TableDefinition {
        file: "edges.csv",
        doc: "one row per arm and edge of the DAG",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.to_owned()),
            text_column("parent", ColumnUnit::Id, "the step that gives the output", |row| {
                row.edge.parent.clone()
            }),
            text_column("child", ColumnUnit::Id, "the step that takes it as an input", |row| {
                row.edge.child.clone()
            }),
            number_column(
                "p_parent_off_alone",
                ColumnUnit::Probability,
                "P(the child is reached with this parent's output wrong or missing and those of \
                 all its other parents right)",
                |row| Some(row.edge.p_only_parent_off),
            ),
            number_column(
                "p_child_wrong_given",
                ColumnUnit::Probability,
                "given that, P(the child's output is wrong); this and the next two sum to 1, and \
                 are empty if it never happens",
                |row| row.edge.p_child_wrong_given,
            ),
            number_column(
                "p_child_missing_given",
                ColumnUnit::Probability,
                "given that, P(the child's output is missing)",
                |row| row.edge.p_child_missing_given,
            ),
            number_column(
                "p_absorbed_given",
                ColumnUnit::Probability,
                "given that, P(the child's output is right nevertheless)",
                |row| row.edge.p_absorbed_given,
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<EdgeRow<'_>> {
    let mut rows = Vec::new();
    for arm in &record.arms {
        rows.extend(arm.edges.iter().map(|edge| EdgeRow { arm: &arm.id, edge }));
    }
    rows
}
