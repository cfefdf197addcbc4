//! The rates of a calibration as a table.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::run::calibration::CalibrationRecord;
use crate::scenario::ReaderParameter;
use crate::stats::ALPHA;

/// The rates as a table, and how much errors at one unit depend on each other.
pub fn text(record: &CalibrationRecord) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.force_no_tty();
    table.set_header(["rate", "field", "value", "95% interval", "readings"]);
    for &parameter in ReaderParameter::ALL {
        let estimate = record.fit.rates.get(parameter);
        let interval = match estimate.interval {
            Some((low, high)) => format!("{low:.3} to {high:.3}"),
            None => "not informed, the preset's".to_owned(),
        };
        table.add_row([
            parameter.name().to_owned(),
            "all".to_owned(),
            format!("{:.3}", estimate.value),
            interval,
            estimate.reads.to_string(),
        ]);
        for of in record.fit.by_field.iter().filter(|of| of.rate == parameter) {
            table.add_row([
                String::new(),
                of.field.clone(),
                format!("{:.3}", of.value),
                format!("{:.3} to {:.3}", of.interval.0, of.interval.1),
                of.reads.to_string(),
            ]);
        }
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let cause = &record.dependence;
    // The estimate itself says little where nothing speaks against 0.
    let dependence = match cause.p_value < ALPHA {
        true => format!(
            "Errors at one unit have a common cause, with a correlation of {:.2} (95% interval {:.2} to {:.2}), which no \
             simulation includes.",
            cause.correlation, cause.interval.0, cause.interval.1
        ),
        false => {
            "These answers do not show that errors at one unit have a common cause.".to_owned()
        }
    };
    format!(
        "{} readings by {} in {}\n\n{table}\n\n{dependence}",
        record.reader.reads, record.reader.model, record.reader.scenario,
    )
}
