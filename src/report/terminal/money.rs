//! The table of losses and costs that is printed after a run if the scenario prices failures.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use crate::report::uncertainty;
use crate::run::RunRecord;
use crate::run::record::{LossTail, MoneyRecord};

const COLUMNS: [&str; 11] = [
    "arm",
    "loss a case",
    "95% interval",
    "running",
    "vs baseline",
    "a year",
    "VaR 95%",
    "VaR 99%",
    "99%, stated",
    "half from",
    "main loss",
];

/// One row per arm by total cost of a case, cheapest first; `None` if the scenario prices nothing.
pub fn table(record: &RunRecord) -> Option<String> {
    let mut arms: Vec<(usize, &str, &MoneyRecord)> = record
        .arms
        .iter()
        .enumerate()
        .filter_map(|(at, arm)| Some((at, arm.id.as_str(), arm.money.as_ref()?)))
        .collect();
    arms.sort_by(|a, b| a.2.total().total_cmp(&b.2.total()).then(a.0.cmp(&b.0)));
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.force_no_tty();
    table.set_header(COLUMNS);
    for (at, arm, m) in &arms {
        let against = match &m.difference {
            Some(d) => {
                format!("{:+.2}{}", d.interval.estimate, uncertainty::significance_mark(d))
            }
            None if record.baseline == Some(*at) => "baseline".to_owned(),
            None => "-".to_owned(),
        };
        // The interval of the Monte Carlo error may be lopsided: show its longer side, relative to the VaR.
        let error = m.year().tail.last().map_or(f64::NAN, |tail| {
            let (low, high) = tail.var_error;
            (tail.var - low).max(high - tail.var) / tail.var
        });
        let error = match error.is_finite() {
            true => format!(" ±{:.0}%", 100.0 * error),
            false => String::new(),
        };
        table.add_row(vec![
            Cell::new(arm),
            Cell::new(format!("{:.2}", m.loss.estimate)),
            Cell::new(match uncertainty::missing_interval_reason(&m.loss, record.units) {
                None => format!("{:.2}-{:.2}", m.loss.low, m.loss.high),
                Some(why) => why.to_owned(),
            }),
            Cell::new(format!("{:.2}", m.running)),
            Cell::new(against),
            Cell::new(whole_amount(m.per_year(m.total()))),
            Cell::new(value_at_risk(m.year().tail.first())),
            Cell::new(format!("{}{error}", value_at_risk(m.year().tail.get(1)))),
            Cell::new(value_at_risk(m.stated_year.tail.last())),
            Cell::new(format!("{} tasks", m.tasks_for_half_loss)),
            Cell::new(m.main_error().map_or_else(
                || "-".to_owned(),
                |(step, event, split)| {
                    format!("{step} {}, {:.0}%", event.name(), 100.0 * split.share)
                },
            )),
        ]);
    }
    for column in 1..10 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    (!table.is_empty()).then(|| table.to_string())
}

fn value_at_risk(tail: Option<&LossTail>) -> String {
    tail.map_or_else(|| "-".to_owned(), |tail| whole_amount(tail.var))
}

/// An amount rounded to an integer, with thousands separated by commas.
pub(crate) fn whole_amount(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    // Between -0.5 and 0 the digits are a plain zero, which takes no sign.
    if value <= -0.5 { format!("-{text}") } else { text }
}

/// Explains the columns.
pub fn legend(record: &RunRecord) -> String {
    let money = record.arms.iter().find_map(|arm| arm.money.as_ref());
    let (cases, years) = money.map_or((0.0, 0), |m| (m.cases, m.year().years));
    let drawn =
        record.arms.iter().any(|arm| arm.money.as_ref().is_some_and(|m| m.drawn_year.is_some()));
    let of_what = match drawn {
        true => "each with volume, means of variables, readers and guards drawn from their ranges",
        false => "with every assumption at its value",
    };
    format!(
        "In {}. loss: what failures cost, by the scenario's rules; running: searches, readers and guards; vs baseline: of\n\
         both, per case, and its mark tests this sum. a year: both, of {} cases. In these columns every assumption is at its stated value. VaR: the loss that 95% or 99% of {} sampled years do not exceed,\n\
         {of_what}; ±: its Monte Carlo error. stated: with every\n\
         assumption at its value, by the chance of the cases alone. half from: how few tasks make up half of the loss. main\n\
         loss: the error with the largest (Shapley) share of it, above 100% where other errors prevent part of its harm. CVaR: impact.csv. Losses by outcome, rule and error:\n\
         losses.csv; by size: loss_bands.csv.",
        record.currency.as_deref().unwrap_or_default(),
        whole_amount(cases),
        whole_amount(f64::from(years)),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_have_commas() {
        let all = [0.4, 999.6, 1234567.0, -1000.0, -0.4].map(super::whole_amount);
        assert_eq!(all, ["0", "1,000", "1,234,567", "-1,000", "0"]);
    }
}
