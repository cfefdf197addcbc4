//! Writes `impact.csv`, `losses.csv`, `loss_curve.csv` and `loss_bands.csv`.

use super::{causes, cents_cell, csv_bytes, float_cell, number_cell, text_cell, yes_no_cell};
use crate::run::record::{LossAttribution, MoneyRecord, RunRecord};

/// An amount per case, with four decimals: a search costs less than a cent.
fn amount_cell(value: f64) -> String {
    match value.is_finite() {
        true => format!("{:.4}", (value * 1e4).round() / 1e4 + 0.0),
        false => number_cell(Some(value)),
    }
}

fn arms(record: &RunRecord) -> impl Iterator<Item = (usize, &str, &MoneyRecord)> {
    let arms = record.arms.iter().enumerate();
    arms.filter_map(|(at, arm)| Some((at, arm.id.as_str(), arm.money.as_ref()?)))
}

fn currency_cell(record: &RunRecord) -> String {
    text_cell(record.currency.as_deref().unwrap_or_default())
}

/// `impact.csv`, one row per arm.
pub fn impact(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let mut header: Vec<String> = [
        "arm",
        "baseline",
        "currency",
        "loss_per_case",
        "loss_per_case_low",
        "loss_per_case_high",
        "running_per_case",
        "total_per_case",
        "seconds_per_case",
        "difference_per_case",
        "difference_per_case_low",
        "difference_per_case_high",
        "p_value",
        "p_holm",
        "holm_low",
        "holm_high",
        "identical",
        "cases_per_year",
        "loss_per_year",
        "running_per_year",
        "total_per_year",
        "difference_per_year",
        "assumptions_drawn",
        "loss_per_year_mean",
        "loss_per_year_sd",
    ]
    .map(str::to_owned)
    .into();
    // The header takes its levels from the first arm: all arms have the same.
    let tail = arms(record).next().map_or(&[][..], |(.., money)| &money.stated_year.tail);
    for tail in tail {
        let var = format!("var_{:.0}", 100.0 * tail.level);
        header.extend([
            var.clone(),
            format!("{var}_low"),
            format!("{var}_high"),
            format!("c{var}"),
        ]);
    }
    header.push("loss_per_year_sd_stated".to_owned());
    for tail in tail {
        let var = format!("var_{:.0}", 100.0 * tail.level);
        header.extend([format!("{var}_stated"), format!("c{var}_stated")]);
    }
    header.extend(["sampled_years", "tasks_behind_half"].map(str::to_owned));
    let row = |(at, arm, m): (usize, &str, &MoneyRecord)| {
        let d = m.difference.as_ref();
        let amount = |value: Option<f64>| value.map_or_else(String::new, amount_cell);
        let mut row = vec![
            text_cell(arm),
            if record.baseline == Some(at) { "yes" } else { "no" }.to_owned(),
            currency_cell(record),
            amount_cell(m.loss.estimate),
            amount_cell(m.loss.low),
            amount_cell(m.loss.high),
            amount_cell(m.running),
            amount_cell(m.total()),
            float_cell(m.seconds),
            amount(d.map(|d| d.interval.estimate)),
            amount(d.map(|d| d.interval.low)),
            amount(d.map(|d| d.interval.high)),
            number_cell(d.map(|d| d.p_value)),
            number_cell(d.map(|d| d.p_holm)),
            amount(d.map(|d| d.holm_interval.low)),
            amount(d.map(|d| d.holm_interval.high)),
            d.map_or_else(String::new, |d| yes_no_cell(d.identical)),
            float_cell(m.cases),
            cents_cell(m.per_year(m.loss.estimate)),
            cents_cell(m.per_year(m.running)),
            cents_cell(m.per_year(m.total())),
            d.map_or_else(String::new, |d| cents_cell(m.per_year(d.interval.estimate))),
            yes_no_cell(m.drawn_year.is_some()),
            cents_cell(m.year().mean),
            cents_cell(m.year().sd),
        ];
        let drawn = m.year().tail.iter();
        row.extend(drawn.flat_map(|tail| {
            [tail.var, tail.var_error.0, tail.var_error.1, tail.cvar].map(cents_cell)
        }));
        row.push(cents_cell(m.stated_year.sd));
        row.extend(
            m.stated_year.tail.iter().flat_map(|tail| [tail.var, tail.cvar].map(cents_cell)),
        );
        row.extend([m.year().years.to_string(), m.tasks_for_half_loss.to_string()]);
        row
    };
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    csv_bytes(&header, arms(record).map(row).collect())
}

/// `losses.csv`: the expected loss split by outcome, loss rule and error, and what each step would save if it were
/// right.
pub fn losses(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let header = [
        "arm",
        "currency",
        "by",
        "step",
        "item",
        "loss_per_case",
        "loss_per_year",
        "share_of_loss",
    ];
    let mut rows = Vec::new();
    for (_, arm, m) in arms(record) {
        // Splits by outcome, rule and error each add up to the whole loss: rows of different `by` overlap.
        let mut row = |by: &str, step: &str, item: String, loss: f64, share: Option<f64>| {
            rows.push(vec![
                text_cell(arm),
                currency_cell(record),
                by.to_owned(),
                text_cell(step),
                item,
                amount_cell(loss),
                cents_cell(m.per_year(loss)),
                number_cell(share),
            ]);
        };
        for split in &m.splits {
            let share = Some(split.share);
            match &split.attributed_to {
                LossAttribution::Outcome(outcome) => {
                    row("outcome", "", outcome.name().to_owned(), split.loss, share);
                }
                LossAttribution::Rule(name) => row("loss", "", text_cell(name), split.loss, share),
                LossAttribution::Error(Some((step, event))) => {
                    row("error", step, causes::event_name(*event), split.loss, share);
                }
                LossAttribution::Error(None) => {
                    row("error", "", "none".to_owned(), split.loss, share)
                }
            }
        }
        for of in &m.avoidable {
            row("saved_if_right", &of.step, String::new(), of.loss, of.share);
        }
    }
    csv_bytes(&header, rows)
}

/// `loss_curve.csv`: exceedance curves, with assumptions drawn from their ranges and with each at its stated value.
pub fn curve(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let header = ["arm", "currency", "assumptions", "p_exceeded", "loss_per_year"];
    let mut rows = Vec::new();
    for (_, arm, m) in arms(record) {
        let drawn = m.drawn_year.iter().map(|year| ("drawn", year));
        for (assumptions, year) in drawn.chain([("stated", &m.stated_year)]) {
            for (exceeded, loss) in &year.curve {
                let assumptions = assumptions.to_owned();
                rows.push(vec![
                    text_cell(arm),
                    currency_cell(record),
                    assumptions,
                    float_cell(*exceeded),
                    cents_cell(*loss),
                ]);
            }
        }
    }
    csv_bytes(&header, rows)
}

/// `loss_bands.csv`: losses by size, and the number of tasks and units with a loss of that size.
pub fn bands(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let header = [
        "arm",
        "currency",
        "loss_from",
        "loss_below",
        "incidents_per_year",
        "loss_per_year",
        "share_of_loss",
        "tasks",
        "units",
    ];
    let mut rows = Vec::new();
    for (_, arm, m) in arms(record) {
        for band in &m.bands {
            rows.push(vec![
                text_cell(arm),
                currency_cell(record),
                cents_cell(band.from),
                // Bands are decades.
                cents_cell(10.0 * band.from),
                float_cell(band.incidents),
                cents_cell(band.loss),
                float_cell(band.share),
                band.tasks.to_string(),
                band.units.to_string(),
            ]);
        }
    }
    csv_bytes(&header, rows)
}
