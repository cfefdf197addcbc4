//! The table of guards that is printed after a run if any arm has guards.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::percent;
use crate::report::uncertainty;
use crate::run::RunRecord;

const COLUMNS: [&str; 9] = [
    "arm",
    "step",
    "guard",
    "caught",
    "missed",
    "false alarms",
    "saved",
    "95% interval",
    "USD a run",
];

/// One row per guard, by arm and step; `None` if no arm has a guard.
pub fn table(record: &RunRecord) -> Option<String> {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.force_no_tty();
    table.set_header(COLUMNS);
    let guards = record.arms.iter().flat_map(|arm| arm.guards.iter().map(move |g| (arm, g)));
    for (arm, guard) in guards {
        // A guard that never raises an alarm changes no run, so there is no difference to estimate.
        let acts = guard.counts.alarms() > 0.0;
        let (low, high) = (100.0 * guard.saved.low, 100.0 * guard.saved.high);
        let interval = match uncertainty::missing_interval_reason(&guard.saved, record.units) {
            None => format!("{low:+.1} to {high:+.1}"),
            Some(why) => why.to_owned(),
        };
        let saved = format!("{:+.1} pp", 100.0 * guard.saved.estimate);
        let (saved, interval) = match acts {
            true => (saved, interval),
            false => ("no alarm".to_owned(), "-".to_owned()),
        };
        table.add_row(vec![
            Cell::new(&arm.id),
            Cell::new(&guard.step),
            Cell::new(&guard.guard),
            Cell::new(percent(guard.counts.caught)),
            Cell::new(percent(guard.counts.missed)),
            Cell::new(percent(guard.counts.false_alarms)),
            Cell::new(saved),
            Cell::new(interval),
            Cell::new(format!("{:.2}", guard.cost)),
        ]);
    }
    for column in 3..COLUMNS.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    (!table.is_empty()).then(|| table.to_string())
}

/// Explains the columns.
pub const LEGEND: &str = "caught, missed: wrong outputs that raised an alarm, and that passed; false alarms: right ones that did;\n\
     each a run, at every attempt. saved: failures without the guard minus failures with it, all others as\n\
     they are; stops count as failures. Costs and thresholds: guards.csv and guard_curves.csv.";
