//! The section that compares the arms: failure rates and money, with intervals drawn to a common scale.

use maud::{Markup, html};

use super::number_format::{amount_of, at, percent, percent_interval, points, signed};
use super::scroll_box;
use crate::chart_axis::ChartAxis;
use crate::report::uncertainty;
use crate::run::RunRecord;
use crate::run::record::{ArmRecord, ConfidenceInterval, MoneyRecord};
use crate::stats::FEW_CLUSTERS;
use crate::step::RunOutcome;

/// Width, height and margin of the drawing of an interval.
const WIDTH: f64 = 180.0;
const HEIGHT: f64 = 22.0;
const MARGIN: f64 = 6.0;

pub fn section(record: &RunRecord) -> Markup {
    html! {
        (scroll_box("Failures by arm", &failures(record)))
        p.note {
            "Failure: the run ends differently from the same pipeline with perfect retrieval and reading. Wrong: acted \
             differently. Omitted: held where it should act. Unasked: acted where it should hold. Stopped: for lack of an \
             input, or by a guard. Silent: share of failures that nothing flagged. "
            @if record.arms.len() > 1 { (uncertainty::legend("the baseline", record.arms.iter().flat_map(ArmRecord::differences))) " " }
            "Lines are 95% intervals."
        }
        @if record.currency.is_some() {
            (scroll_box("Money by arm", &money(record)))
            p.note {
                "Loss: what failures cost, by the scenario's rules; running: searches, readers and guards; both per case. \
                 vs baseline, with its mark: of both. Main loss: the error with the largest (Shapley) share of it, \
                     which is above 100% where other errors prevent part of its harm. "
                @if record.units < FEW_CLUSTERS {
                    (uncertainty::units_with_verb(record.units)) " too few for an interval of an amount: where amounts are skewed, \
                     it would cover the true value less often than stated."
                } @else {
                    "Where a few losses are many times larger than all others, an interval of an amount covers the true value \
                     less often than 95 times in 100: about 90 to 92 times with 20 to 40 units."
                }
            }
        }
    }
}

fn failures(record: &RunRecord) -> Markup {
    let high = record.arms.iter().map(|arm| arm.summary.failure.high).fold(0.0, f64::max);
    let axis = ChartAxis::covering(0.0, high, 4.0, MARGIN, WIDTH - MARGIN);
    let order = ordered(record, |at| record.arms[at].summary.failure.estimate);
    html! {
        table.figures {
            caption { "Failures, best arm first" }
            thead { tr {
                th scope="col" { "Arm" } th.n scope="col" { "Failure" } th.n scope="col" { "95% interval" }
                th scope="col" { (scale(&axis, percent_mark)) }
                th.n scope="col" { "vs baseline" }
                @for name in ["Wrong", "Omitted", "Unasked", "Stopped", "Silent"] { th.n scope="col" { (name) } }
                th.n scope="col" { "Recall@k" } th.n scope="col" { "nDCG@10" } th scope="col" { "Main cause" }
            } }
            tbody { @for &at in &order {
                @let arm = &record.arms[at];
                @let s = &arm.summary;
                tr {
                    th scope="row" { (arm.id) }
                    td.n { strong { (percent(s.failure.estimate)) } }
                    td.n { (percent_interval(&s.failure)) }
                    td { (line(&axis, &s.failure)) }
                    td.n { @match &s.difference {
                        Some(d) => { (points(d.interval.estimate)) " pp" (uncertainty::significance_mark(d)) }
                        None => { (no_difference(record, at)) }
                    } }
                    @for outcome in [RunOutcome::WrongAction, RunOutcome::Omission, RunOutcome::Commission, RunOutcome::Stopped] {
                        td.n { (percent(s.outcomes[outcome as usize])) }
                    }
                    td.n { (s.silent_share.map_or_else(dash, percent)) }
                    td.n { (s.quality.map_or_else(dash, |q| format!("{:.3}", q.recall_at_k))) }
                    td.n { (s.quality.map_or_else(dash, |q| format!("{:.3}", q.ndcg_at_10))) }
                    td.cause { (s.main_cause.as_ref().map_or_else(dash, |(step, event, share)| cause(step, event.name(), *share))) }
                }
            } }
        }
    }
}

fn money(record: &RunRecord) -> Markup {
    let arms = record.arms.iter().filter_map(|arm| arm.money.as_ref());
    let drawn: Vec<ConfidenceInterval> = arms.map(|m| drawn_loss(m, record.units)).collect();
    let high = drawn.iter().map(|interval| interval.high).fold(0.0, f64::max);
    let low = drawn.iter().map(|interval| interval.low).fold(0.0, f64::min);
    let axis = ChartAxis::covering(low, high, 3.0, MARGIN, WIDTH - MARGIN);
    // The order is by total cost, loss and running costs together, although the interval is that of the loss.
    let order = ordered(record, |at| record.arms[at].money.as_ref().map_or(0.0, |m| m.total()));
    html! {
        table.figures {
            caption {
                "Money in " (record.currency.as_deref().unwrap_or_default())
                ", cheapest arm first; every assumption at its stated value"
            }
            thead { tr {
                th scope="col" { "Arm" } th.n scope="col" { "Loss a case" } th.n scope="col" { "95% interval" }
                th scope="col" { (scale(&axis, compact)) }
                th.n scope="col" { "Running" } th.n scope="col" { "vs baseline" } th.n scope="col" { "A year, both" }
                th.n scope="col" { "Half from" } th scope="col" { "Main loss" }
            } }
            tbody { @for &at in &order { @if let Some(m) = &record.arms[at].money { tr {
                th scope="row" { (record.arms[at].id) }
                td.n { strong { (amount_of(m.loss.estimate)) } }
                @let missing = uncertainty::missing_interval_reason(&m.loss, record.units);
                td.n { @match missing { None => { (amount_of(m.loss.low)) " to " (amount_of(m.loss.high)) } Some(why) => { (why) } } }
                td { (line(&axis, &drawn_loss(m, record.units))) }
                td.n { (amount_of(m.running)) }
                td.n { @match &m.difference {
                    Some(d) => { (signed(d.interval.estimate)) (uncertainty::significance_mark(d)) }
                    None => { (no_difference(record, at)) }
                } }
                td.n { (amount_of(m.per_year(m.total()))) }
                td.n { (m.tasks_for_half_loss) " tasks" }
                td.cause { (m.main_error().map_or_else(dash, |(step, event, split)| cause(step, event.name(), split.share))) }
            } } } }
        }
    }
}

/// The interval of the loss as drawn: an unbounded one is a point, so that it does not stretch the axis.
fn drawn_loss(m: &MoneyRecord, units: usize) -> ConfidenceInterval {
    match uncertainty::missing_interval_reason(&m.loss, units) {
        None => m.loss,
        Some(_) => point(&m.loss),
    }
}

/// The indices of the arms by a value, lowest first.
fn ordered(record: &RunRecord, value: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..record.arms.len()).collect();
    order.sort_by(|&a, &b| value(a).total_cmp(&value(b)).then(a.cmp(&b)));
    order
}

fn cause(step: &str, event: &str, share: f64) -> String {
    format!("{step} {}, {:.0}%", event.replace('_', " "), 100.0 * share)
}

fn no_difference(record: &RunRecord, at: usize) -> String {
    if record.baseline == Some(at) { "baseline".to_owned() } else { dash() }
}

/// The interval reduced to its estimate, for amounts without an interval.
fn point(of: &ConfidenceInterval) -> ConfidenceInterval {
    ConfidenceInterval { low: of.estimate, high: of.estimate, ..*of }
}

/// The mark for a missing value.
pub fn dash() -> String {
    "\u{2013}".to_owned()
}

fn percent_mark(value: f64) -> String {
    format!("{:.0}%", 100.0 * value)
}

/// An amount in a few characters: `1.5M`, `20k`.
pub fn compact(value: f64) -> String {
    match value.abs() {
        size if size >= 1e9 => format!("{}B", at(value / 1e9)),
        size if size >= 1e6 => format!("{}M", at(value / 1e6)),
        size if size >= 1e3 => format!("{}k", at(value / 1e3)),
        _ => at(value),
    }
}

/// The drawing of one interval, hidden from screen readers since the cells beside it have the figures.
fn line(axis: &ChartAxis, interval: &ConfidenceInterval) -> Markup {
    let [low, high] =
        [interval.low, interval.high].map(|end| axis.position(end).clamp(axis.from, axis.to));
    let mid = HEIGHT / 2.0;
    html! {
        svg.line viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } aria-hidden="true" {
            @for tick in axis.ticks() {
                @let x = at(axis.position(tick));
                line.grid x1=(x) x2=(x) y1="0" y2=(HEIGHT) {}
            }
            line.bar x1=(at(low)) x2=(at(high)) y1=(mid) y2=(mid) {}
            circle.dot cx=(at(axis.position(interval.estimate))) cy=(mid) r="4.5" {}
        }
    }
}

/// The scale above the drawings of a column.
fn scale(axis: &ChartAxis, label: impl Fn(f64) -> String) -> Markup {
    let last = axis.ticks().count().saturating_sub(1);
    html! {
        svg.line viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label="Scale of the intervals drawn below" {
            @for (n, tick) in axis.ticks().enumerate() {
                // The outer labels are aligned inwards, or the drawing would cut them off.
                @let anchor = if n == 0 { "start" } else if n == last { "end" } else { "middle" };
                @let x = if n == 0 { 0.0 } else if n == last { WIDTH } else { axis.position(tick) };
                text x=(at(x)) y="15" text-anchor=(anchor) { (label(tick)) }
            }
        }
    }
}
