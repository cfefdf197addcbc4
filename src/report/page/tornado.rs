//! The section with tornado diagrams: the answer with each assumption moved over its range, all others at their values.

use maud::{Markup, html};

use super::arms::{compact, dash};
use super::number_format::{amount_of, at, percent, truncated};
use super::{arm_blocks, scroll_box};
use crate::chart_axis::ChartAxis;
use crate::run::RunRecord;
use crate::run::record::{
    AssumptionEffect, AssumptionRecord, ComparisonMeasure, SensitivityAnswerRecord,
    SensitivityRecord,
};
use crate::sensitivity::SobolIndex;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 310.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 14.0;
const ROW_HEIGHT: f64 = 30.0;
/// The number of assumptions shown, the most influential first.
const MAX_SHOWN: usize = 12;

/// The section; `None` without a sensitivity analysis.
pub fn section(record: &RunRecord) -> Option<Markup> {
    let of = record.sensitivity.as_ref()?;
    // Money comes last if the scenario prices failures, and is then the measure that matters.
    let measure = of.orders.last()?.measure;
    Some(html! {
        @for order in &of.orders { p { (stability_text(record, order.measure, order.share_unchanged, &order.order, order.points)) } }
        (arm_blocks(record, |arm, told_arm| match own_answer(of, measure, arm) {
            Some(answer) => html! {
                (scroll_box(&format!("What {} depends on, as a chart", told_arm.id), &tornado_chart(of, answer)))
                details { summary { "The assumptions as a table" } (scroll_box("What it depends on", &table(of, answer))) }
            },
            None => html! { p { "No answer for this arm." } },
        }))
        p.note {
            (name(measure)) " with each assumption at the low (dashed) and the high (filled) end of its range, all others at their values. \
             Total: the share of the answer's variance that goes with the assumption (Sobol), alone or with others, all varied \
             together, with its 95% interval; totals add up to more than 100% where assumptions act together. " (of.points) " points over " (of.tasks) " tasks"
            @if of.left_out > 0 { "; " (of.left_out) " tasks above the state cap are left out" }
            "."
        }
    })
}

/// The answer about the arm itself, not about its difference from another.
fn own_answer(
    of: &SensitivityRecord,
    measure: ComparisonMeasure,
    arm: usize,
) -> Option<&SensitivityAnswerRecord> {
    of.answers.iter().find(|a| (a.measure, a.arm, a.against) == (measure, arm, None))
}

fn name(measure: ComparisonMeasure) -> &'static str {
    match measure {
        ComparisonMeasure::Money => "What a year costs",
        ComparisonMeasure::Failure | ComparisonMeasure::Ndcg => "The failure rate",
    }
}

fn stability_text(
    record: &RunRecord,
    measure: ComparisonMeasure,
    share: f64,
    order: &[usize],
    points: usize,
) -> String {
    let by = if measure == ComparisonMeasure::Money { "money" } else { "failures" };
    let arms: Vec<&str> = order.iter().map(|&arm| record.arms[arm].id.as_str()).collect();
    format!(
        "The order of the arms by {by} ({}) holds at {} of {points} points drawn from the ranges of all assumptions.",
        arms.join(", "),
        (share * points as f64).round()
    )
}

fn amount(measure: ComparisonMeasure, value: f64) -> String {
    match measure {
        ComparisonMeasure::Money => amount_of(value),
        ComparisonMeasure::Failure | ComparisonMeasure::Ndcg => percent(value),
    }
}

/// A value of an assumption, without trailing zeros.
fn assumption_value(value: f64) -> String {
    if value.abs() >= 100.0 {
        return amount_of(value);
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The most influential assumptions with their effects on the answer.
fn shown<'a>(
    of: &'a SensitivityRecord,
    answer: &'a SensitivityAnswerRecord,
) -> impl Iterator<Item = (&'a AssumptionRecord, &'a AssumptionEffect)> {
    let ranked = answer.ranked().into_iter().take(MAX_SHOWN);
    ranked.map(|at| (&of.assumptions[at], &answer.effects[at]))
}

fn tornado_chart(of: &SensitivityRecord, answer: &SensitivityAnswerRecord) -> Markup {
    let rows: Vec<_> = shown(of, answer).collect();
    let ends: Vec<f64> =
        rows.iter().flat_map(|(_, effect)| [effect.at_low, effect.at_high]).collect();
    // Starting from the answer itself keeps it on the axis even if no assumption moves it.
    let low = ends.iter().copied().fold(answer.value, f64::min);
    let high = ends.iter().copied().fold(answer.value, f64::max);
    let axis = ChartAxis::covering(low, high, 6.0, LEFT, WIDTH - RIGHT);
    let bottom = TOP + ROW_HEIGHT * rows.len() as f64;
    let middle = at(axis.position(answer.value));
    html! {
        svg.drawn viewBox={ "0 0 " (WIDTH) " " (at(bottom + 34.0)) } style={ "max-width:" (WIDTH) "px;min-width:560px" } role="img"
            aria-label="How far each assumption moves the answer; the table below has the same" {
            @for tick in axis.ticks() {
                @let x = at(axis.position(tick));
                line.grid x1=(x) x2=(x) y1=(TOP) y2=(at(bottom)) {}
                text x=(x) y=(at(bottom + 20.0)) text-anchor="middle" { (tick_label(answer.measure, tick)) }
            }
            @for (n, (assumption, effect)) in rows.iter().enumerate() {
                @let y = TOP + ROW_HEIGHT * n as f64;
                text x=(at(LEFT - 12.0)) y=(at(y + 19.0)) text-anchor="end" {
                    (truncated(&assumption.name, 24)) tspan.mute { " " (assumption_value(assumption.low)) " to " (assumption_value(assumption.high)) }
                }
                @for (end, class) in [(effect.at_low, "low"), (effect.at_high, "high")] {
                    @let (from, to) = (axis.position(answer.value), axis.position(end));
                    rect class={ "moved " (class) } x=(at(from.min(to))) y=(at(y + 6.0)) width=(at((to - from).abs())) height=(at(ROW_HEIGHT - 12.0)) {
                        title { (assumption.name) " at its " (class) " end: " (amount(answer.measure, end)) }
                    }
                }
            }
            line.value x1=(middle) x2=(middle) y1=(TOP) y2=(at(bottom)) {}
        }
    }
}

fn tick_label(measure: ComparisonMeasure, value: f64) -> String {
    match measure {
        ComparisonMeasure::Money => compact(value),
        ComparisonMeasure::Failure | ComparisonMeasure::Ndcg => format!("{}%", at(100.0 * value)),
    }
}

/// A total Sobol index with its interval, in whole percents: more digits would be noise of the sampled points.
fn total_index(index: &SobolIndex) -> String {
    let total = &index.total;
    let [low, high] = [total.low, total.high].map(|share| 100.0 * share.clamp(0.0, 1.0));
    format!("{:.0}% ({low:.0} to {high:.0}%)", 100.0 * total.estimate)
}

fn table(of: &SensitivityRecord, answer: &SensitivityAnswerRecord) -> Markup {
    html! {
        table.figures {
            thead { tr {
                th scope="col" { "Assumption" } th.n scope="col" { "Value" } th.n scope="col" { "Range" } th.n scope="col" { "At low" }
                th.n scope="col" { "At high" } th.n scope="col" { "Total" }
            } }
            tbody { @for (assumption, effect) in shown(of, answer) { tr {
                th scope="row" { (assumption.name) } td.n { (assumption_value(assumption.value)) }
                td.n { (assumption_value(assumption.low)) " to " (assumption_value(assumption.high)) }
                td.n { (amount(answer.measure, effect.at_low)) } td.n { (amount(answer.measure, effect.at_high)) }
                td.n { (effect.index.as_ref().map_or_else(dash, total_index)) }
            } } }
        }
    }
}
