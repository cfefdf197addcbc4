//! The section with tornado diagrams: the answer with each assumption moved over its range, all others at their values.

use maud::{Markup, html};

use super::arms::{compact, dash};
use super::figures::{amount_of, at, percent, short};
use super::{by_arm, wide};
use crate::axis::Axis;
use crate::run::Record;
use crate::run::record::{AnswerRecord, AssumptionRecord, Effect, Measure, SensitivityRecord};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 310.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 14.0;
const ROW: f64 = 30.0;
/// The number of assumptions shown, the most influential first.
const SHOWN: usize = 12;

/// The section; `None` without a sensitivity analysis.
pub fn section(record: &Record) -> Option<Markup> {
    let of = record.sensitivity.as_ref()?;
    // Money comes last if the scenario prices failures, and is then the measure that matters.
    let measure = of.orders.last()?.measure;
    let told = |arm: usize| {
        let own = |a: &&AnswerRecord| (a.measure, a.arm, a.against) == (measure, arm, None);
        of.answers.iter().find(own)
    };
    Some(html! {
        @for order in &of.orders { p { (holds(record, order.measure, order.holds, &order.order, order.points)) } }
        (by_arm(record, |arm, told_arm| match told(arm) {
            Some(answer) => html! {
                (wide(&format!("What {} hangs on, drawn", told_arm.id), &drawn(of, answer)))
                details { summary { "The assumptions as a table" } (wide("What it hangs on", &table(of, answer))) }
            },
            None => html! { p { "No answer for this arm." } },
        }))
        p.note {
            (name(measure)) " with each assumption at the low (dashed) and the high (filled) end of its range, all others at their values. \
             Total: the share of the answer's variance that goes with the assumption (Sobol), alone or with others, all varied \
             together. " (of.points) " points over " (of.tasks) " tasks"
            @if of.left_out > 0 { "; " (of.left_out) " tasks past the state cap are left out" }
            "."
        }
    })
}

fn name(measure: Measure) -> &'static str {
    match measure {
        Measure::Money => "What a year costs",
        Measure::Failure | Measure::Ndcg => "The failure rate",
    }
}

fn holds(record: &Record, measure: Measure, share: f64, order: &[usize], points: usize) -> String {
    let by = if measure == Measure::Money { "money" } else { "failures" };
    let arms: Vec<&str> = order.iter().map(|&arm| record.arms[arm].id.as_str()).collect();
    format!(
        "The order of the arms by {by} ({}) holds at {} of {points} points drawn from the ranges of all assumptions.",
        arms.join(", "),
        percent(share)
    )
}

fn amount(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Money => amount_of(value),
        Measure::Failure | Measure::Ndcg => percent(value),
    }
}

/// A value of an assumption, without trailing zeros.
fn figure(value: f64) -> String {
    if value.abs() >= 100.0 {
        return amount_of(value);
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The most influential assumptions with their effects on the answer.
fn shown<'a>(
    of: &'a SensitivityRecord,
    answer: &'a AnswerRecord,
) -> impl Iterator<Item = (&'a AssumptionRecord, &'a Effect)> {
    let ranked = answer.ranked().into_iter().take(SHOWN);
    ranked.map(|at| (&of.assumptions[at], &answer.effects[at]))
}

fn drawn(of: &SensitivityRecord, answer: &AnswerRecord) -> Markup {
    let rows: Vec<_> = shown(of, answer).collect();
    let ends = || rows.iter().flat_map(|(_, effect)| [effect.at_low, effect.at_high]);
    // Starting from the answer itself keeps it on the axis even if no assumption moves it.
    let low = ends().fold(answer.value, f64::min);
    let high = ends().fold(answer.value, f64::max);
    let axis = Axis::over(low, high, 6.0, LEFT, WIDTH - RIGHT);
    let bottom = TOP + ROW * rows.len() as f64;
    let label = |value: f64| match answer.measure {
        Measure::Money => compact(value),
        Measure::Failure | Measure::Ndcg => format!("{}%", at(100.0 * value)),
    };
    let middle = at(axis.place(answer.value));
    html! {
        svg.drawn viewBox={ "0 0 " (WIDTH) " " (at(bottom + 34.0)) } style={ "max-width:" (WIDTH) "px;min-width:560px" } role="img"
            aria-label="How far each assumption moves the answer; the table below has the same" {
            @for tick in axis.ticks() {
                @let x = at(axis.place(tick));
                line.grid x1=(x) x2=(x) y1=(TOP) y2=(at(bottom)) {}
                text x=(x) y=(at(bottom + 20.0)) text-anchor="middle" { (label(tick)) }
            }
            @for (n, (assumption, effect)) in rows.iter().enumerate() {
                @let y = TOP + ROW * n as f64;
                text x=(at(LEFT - 12.0)) y=(at(y + 19.0)) text-anchor="end" {
                    (short(&assumption.name, 24)) tspan.mute { " " (figure(assumption.low)) " to " (figure(assumption.high)) }
                }
                @for (end, class) in [(effect.at_low, "low"), (effect.at_high, "high")] {
                    @let (from, to) = (axis.place(answer.value), axis.place(end));
                    rect class={ "moved " (class) } x=(at(from.min(to))) y=(at(y + 6.0)) width=(at((to - from).abs())) height=(at(ROW - 12.0)) {
                        title { (assumption.name) " at its " (class) " end: " (amount(answer.measure, end)) }
                    }
                }
            }
            line.value x1=(middle) x2=(middle) y1=(TOP) y2=(at(bottom)) {}
        }
    }
}

fn table(of: &SensitivityRecord, answer: &AnswerRecord) -> Markup {
    html! {
        table.figures {
            thead { tr {
                th scope="col" { "Assumption" } th.n scope="col" { "Value" } th.n scope="col" { "Range" } th.n scope="col" { "At low" }
                th.n scope="col" { "At high" } th.n scope="col" { "Total" }
            } }
            tbody { @for (assumption, effect) in shown(of, answer) { tr {
                th scope="row" { (assumption.name) } td.n { (figure(assumption.value)) }
                td.n { (figure(assumption.low)) " to " (figure(assumption.high)) }
                td.n { (amount(answer.measure, effect.at_low)) } td.n { (amount(answer.measure, effect.at_high)) }
                td.n { (effect.index.map_or_else(dash, |index| percent(index.total.estimate))) }
            } } }
        }
    }
}
