//! The section on what counts as right: the oracle's actions, its stops, and where a person's expectation differs.

use maud::{Markup, html};

use super::scroll_box;
use crate::run::RunRecord;
use crate::run::record::{ExpectedColumnRecord, OracleRecord};

/// The most differences listed on the page; `knockon check` lists all.
const LISTED: usize = 50;

pub fn section(record: &RunRecord) -> Markup {
    let right = &record.right;
    html! {
        p {
            "A run is right if it does what the same pipeline does with perfect retrieval and reading (the oracle). "
            "In " (right.tasks) " tasks it does:"
        }
        (scroll_box("Right actions", &actions(right)))
        @if !right.stops.is_empty() {
            p {
                "Where the oracle stops, a run that stops counts as correct: "
                (share(right.stops.len(), right.tasks)) "."
            }
        }
        @let notes = right.notes();
        @if !notes.is_empty() {
            ul { @for note in notes.iter().filter_map(|note| note.lines().next()) { li { (note) } } }
        }
        @for expected in &right.expected { (oracle_against_person(expected)) }
    }
}

fn share(count: usize, of: usize) -> String {
    format!("{count} of {of} tasks")
}

fn actions(right: &OracleRecord) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Right action" } th.n scope="col" { "Tasks" } th scope="col" { "" } } }
            tbody {
                @for action in &right.actions { tr {
                    th scope="row" { (action.action) }
                    td.n { (action.tasks) }
                    td { @if action.holds { "does nothing" } }
                } }
                @if !right.idle.is_empty() { tr {
                    th scope="row" { "none" } td.n { (right.idle.len()) } td { "all act steps are skipped" }
                } }
            }
        }
    }
}

/// Compares what a person expects with what the oracle does.
fn oracle_against_person(expected: &ExpectedColumnRecord) -> Markup {
    let what = expected.step.as_deref().unwrap_or("action");
    html! {
        p {
            "Of " (expected.compared) " tasks a person says what is right (" code { (expected.column) } ", " (what) "): the oracle says otherwise in "
            (expected.differ.len()) "."
        }
        @if !expected.differ.is_empty() {
            (scroll_box("The oracle against a person", &html! {
                table {
                    thead { tr { @for name in ["Task", "Expected", "Oracle"] { th scope="col" { (name) } } } }
                    tbody { @for difference in expected.differ.iter().take(LISTED) { tr {
                        th scope="row" { (difference.task) }
                        td { (difference.expected) } td { (difference.oracle) }
                    } } }
                }
            }))
            @if expected.differ.len() > LISTED {
                p.note { "And " (expected.differ.len() - LISTED) " more; " code { "knockon check" } " lists all." }
            }
        }
    }
}
