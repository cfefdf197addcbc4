//! The results of the sensitivity analysis: the assumptions that matter most, and whether the ranking of arms holds.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::money::whole_amount;
use crate::report::uncertainty;
use crate::run::RunRecord;
use crate::run::record::{ComparisonMeasure, SensitivityAnswerRecord, SensitivityRecord};

/// Assumptions shown per arm.
const MAX_SHOWN: usize = 3;

const COLUMNS: [&str; 9] =
    ["arm", "answer", "9 in 10", "assumption", "value", "range", "at low", "at high", "total"];

fn amount(measure: ComparisonMeasure, value: f64) -> String {
    match measure {
        ComparisonMeasure::Money => whole_amount(value),
        ComparisonMeasure::Ndcg | ComparisonMeasure::Failure => format!("{:.1}%", 100.0 * value),
    }
}

/// The most influential assumptions of each arm: on its total cost if the scenario prices failures, else on its
/// failure rate. `None` without a sensitivity analysis.
pub fn table(record: &RunRecord) -> Option<String> {
    let of = record.sensitivity.as_ref()?;
    // Money comes last if the scenario prices failures, and is then the measure that matters.
    let measure = of.orders.last()?.measure;
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.force_no_tty();
    table.set_header(COLUMNS);
    for &arm in &of.orders.last()?.order {
        let own =
            |a: &&SensitivityAnswerRecord| (a.measure, a.arm, a.against) == (measure, arm, None);
        for (line, at) in
            of.answers.iter().find(own)?.ranked().into_iter().take(MAX_SHOWN).enumerate()
        {
            let answer = of.answers.iter().find(own)?;
            table.add_row(row(record, of, answer, at, line == 0));
        }
    }
    for column in [1, 2, 4, 5, 6, 7, 8] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    (!table.is_empty()).then(|| table.to_string())
}

/// The row of one assumption; only the first row of an arm shows the arm and its answer.
fn row(
    record: &RunRecord,
    of: &SensitivityRecord,
    answer: &SensitivityAnswerRecord,
    at: usize,
    first: bool,
) -> Vec<Cell> {
    let (told, effect) = (&of.assumptions[at], &answer.effects[at]);
    let [low, _, high] = answer.quantiles;
    let [arm, value, range] = match first {
        true => [
            record.arms[answer.arm].id.clone(),
            amount(answer.measure, answer.value),
            format!("{}-{}", amount(answer.measure, low), amount(answer.measure, high)),
        ],
        false => Default::default(),
    };
    let total = effect
        .index
        .map_or_else(|| "-".to_owned(), |index| format!("{:.0}%", 100.0 * index.total.estimate));
    [
        arm,
        value,
        range,
        told.name.clone(),
        assumption_value(told.value),
        format!("{}-{}", assumption_value(told.low), assumption_value(told.high)),
        amount(answer.measure, effect.at_low),
        amount(answer.measure, effect.at_high),
        total,
    ]
    .map(Cell::new)
    .into()
}

/// The value of an assumption: a whole amount from 100 up, else a number with three decimals.
fn assumption_value(value: f64) -> String {
    if value.abs() >= 100.0 { whole_amount(value) } else { format!("{value:.3}") }
}

/// Explains the table, and says how often the ranking of arms holds.
pub fn legend(of: &SensitivityRecord, record: &RunRecord) -> String {
    let mut lines = vec![format!(
        "What the answers depend on: {} assumptions in their ranges, {} points. 9 in 10: the range of that share of {}\nsampled points. at low, at high: this assumption alone at the ends of its range. total: the share of the variance\nthat would remain if all others were known (Sobol); totals can add up to more than 100%. Intervals and the rest:\nsensitivity.csv",
        of.assumptions.len(),
        of.points,
        // The two base matrices of the Saltelli design, whose points are independent draws.
        2 * of.base_samples,
    )];
    if of.left_out > 0 {
        lines.push(format!(
            "{} tasks above simulation.max_states are left out: the table covers the other {}.",
            of.left_out, of.tasks
        ));
    }
    if record.arms.len() > 1 {
        for order in &of.orders {
            let name = if order.measure == ComparisonMeasure::Money { "money" } else { "failures" };
            let arms = order.order.iter().map(|&arm| {
                let share = uncertainty::estimated_probability(order.share_best[arm]);
                format!("{} ({share})", record.arms[arm].id)
            });
            let arms: Vec<String> = arms.collect();
            lines.push(format!(
                "Order by {name:<8}: holds at {} of the points; best at: {}",
                uncertainty::estimated_probability(order.share_unchanged),
                arms.join(", ")
            ));
        }
    }
    lines.join("\n")
}
