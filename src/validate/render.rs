//! Formats a validation for the terminal: one sentence, the arms, and the orders.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{RateValidation, ValidationRecord};

/// The sentence about how far predictions were from real runs.
pub fn sentence(record: &ValidationRecord) -> String {
    let model = record.usage.identity.as_ref().map_or("the language model", |id| id.model.as_str());
    let (Some(median), Some(greatest)) = (record.median_error(), record.greatest_error()) else {
        return format!("No arm but '{}' was predicted.", record.fit_arm);
    };
    format!(
        "Simulated with rates fitted to answers of {model} ({} and {} readings of the arm '{}', one half of the units \
         each): on {} the failure rate was off by {:.1} points (median; at most {:.1}), and {} of {} 95% \
         intervals held.",
        record.fitted_reads[0],
        record.fitted_reads[1],
        record.fit_arm,
        match record.arms.len() {
            1 => "one other arm".to_owned(),
            count => format!("{count} other arms"),
        },
        100.0 * median,
        100.0 * greatest,
        record.held(),
        record.arms.len(),
    )
}

/// The sentence, a table of the arms, and a table of the orders.
pub fn text(record: &ValidationRecord) -> String {
    format!(
        "{}\n\n{}\n\nOrder of the arms, compared with that of the real failure rates (Spearman's rank correlation):\n{}",
        sentence(record),
        arms(record),
        orders(record)
    )
}

fn arms(record: &ValidationRecord) -> Table {
    let mut table = new_table();
    table.set_header([
        "arm",
        "really failed",
        "predicted",
        "95% interval",
        "error",
        "held",
        "uncalibrated",
        "independent steps",
        "really stopped",
        "predicted",
    ]);
    for arm in &record.arms {
        let stopped = arm.outcomes.iter().find(|(outcome, _)| outcome.name() == "stopped");
        let stopped = |value: fn(&RateValidation) -> f64| {
            stopped.map_or_else(String::new, |(_, rate)| percent(value(rate)))
        };
        let failure = &arm.failure;
        table.add_row([
            arm.arm.clone(),
            percent(failure.real),
            percent(failure.predicted.estimate),
            format!("{} to {}", percent(failure.predicted.low), percent(failure.predicted.high)),
            format!("{:+.1}", 100.0 * failure.error()),
            if failure.is_held() { "yes" } else { "no" }.to_owned(),
            percent(arm.indicators.uncalibrated),
            percent(arm.indicators.independent_steps),
            stopped(|rate| rate.real),
            stopped(|rate| rate.predicted.estimate),
        ]);
    }
    right_aligned(table)
}

fn orders(record: &ValidationRecord) -> Table {
    let mut table = new_table();
    table.set_header(["indicator", "correlation"]);
    for order in &record.orders {
        let correlation = order.spearman.map_or("-".to_owned(), |rho| format!("{rho:.2}"));
        table.add_row([order.indicator.to_owned(), correlation]);
    }
    right_aligned(table)
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.force_no_tty();
    table
}

/// All columns but the first are numbers.
fn right_aligned(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}
