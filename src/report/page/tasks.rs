//! The section of the worst tasks of each arm; each task opens into a run that fails in the task's most likely way.

use maud::{Markup, html};

use super::arms::dash;
use super::number_format::{amount_of, percent};
use super::{arm_blocks, detailed_arms, run_steps};
use crate::run::RunRecord;
use crate::run::record::{ArmRecord, TaskRecord, WorstTaskRecord};

/// The most bytes of HTML for the runs of all arms together, which keeps the page small enough to be mailed.
const MAX_RUN_BYTES: usize = 2_000_000;

pub fn section(record: &RunRecord) -> Markup {
    let room = MAX_RUN_BYTES / detailed_arms(record).len().max(1);
    let by = if record.currency.is_some() { "expected loss" } else { "failures" };
    html! {
        (arm_blocks(record, |_, arm| match arm.worst.is_empty() {
            true => html! { p { "No task fails." } },
            false => table(record, arm, room),
        }))
        p.note {
            "The worst by " (by) " times weight; all are in tasks.csv. Each opens into one of its runs: the first that goes its \
             most likely failure path. " code { "knockon trace" } " shows any other."
        }
    }
}

/// The heading of a column that can be sorted; its cells have their sort key in `data-v`.
fn heading(name: &str, class: &str) -> Markup {
    html! { th class=(class) scope="col" data-sort { (name) } }
}

fn table(record: &RunRecord, arm: &ArmRecord, room: usize) -> Markup {
    let priced = arm.money.as_ref();
    let columns = 7 + usize::from(priced.is_some());
    let mut left = room;
    // A run that does not fit is left out, but a shorter one after it may still fit.
    let mut fit = |told: Markup| {
        let fits = told.0.len() <= left;
        left -= if fits { told.0.len() } else { 0 };
        fits.then_some(told)
    };
    html! {
        table.sortable {
            caption { "Worst tasks under " (arm.id) }
            thead { tr {
                (heading("Task", "")) (heading(record.unit.as_deref().unwrap_or("Unit"), "more"))
                (heading("Fails", "n"))
                @if priced.is_some() { (heading("Loss a case", "n")) }
                (heading("Right action", "")) (heading("Likeliest wrong", "more")) (heading("Main miss", "more")) (heading("nDCG@10", "n more"))
            } }
            @for WorstTaskRecord { task: at, trace } in &arm.worst {
                @let task = &arm.tasks[*at];
                tbody {
                    (row(task, priced.map(|money| money.tasks[*at])))
                    tr.told { td colspan=(columns) {
                        @match trace.as_ref().map(|trace| fit(run_steps::render_run(trace))) {
                            Some(Some(told)) => (told),
                            Some(None) => p.note { "Left out to keep the page small." },
                            None => p.note { "Its failures are so rare that no trial fails." },
                        }
                    } }
                }
            }
        }
    }
}

fn row(task: &TaskRecord, loss: Option<f64>) -> Markup {
    let wrong = task.wrong_action.as_ref();
    let miss = task.main_miss.as_ref();
    html! {
        tr {
            th scope="row" data-v=(task.id) { (task.id) }
            td.more data-v=(task.unit) { (task.unit) }
            td.n data-v=(task.failure()) { (percent(task.failure())) }
            @if let Some(loss) = loss { td.n data-v=(loss) { (amount_of(loss)) } }
            td data-v=(task.right_action) { (task.right_action) }
            td.more data-v=(wrong.map_or(0.0, |(_, p)| *p)) { (wrong.map_or_else(dash, |(label, p)| format!("{label}, {}", percent(*p)))) }
            td.more data-v=(miss.map_or(0.0, |(.., p)| *p)) {
                (miss.map_or_else(dash, |(step, kind, p)| format!("{step} {}, {}", kind.name().replace('_', " "), percent(*p))))
            }
            td.n.more data-v=(task.ndcg_at_10.unwrap_or(-1.0)) { (task.ndcg_at_10.map_or_else(dash, |v| format!("{v:.3}"))) }
        }
    }
}
