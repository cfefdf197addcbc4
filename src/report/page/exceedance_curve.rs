//! The section on yearly losses: exceedance curves (the probability that a year loses more than an amount), VaR and
//! CVaR.

use maud::{Markup, html};

use super::arms::compact;
use super::number_format::{amount_of, at, whole_percent};
use super::scroll_box;
use crate::chart_axis::ChartAxis;
use crate::run::RunRecord;
use crate::run::record::{ArmRecord, MoneyRecord};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 52.0;

/// Probabilities with a grid line. The scale is logarithmic, since the rare years are the costly ones.
const GRID_PROBABILITIES: [f64; 8] = [1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001];

/// The section; `None` if the scenario prices nothing.
pub fn section(record: &RunRecord) -> Option<Markup> {
    let arms: Vec<(usize, &ArmRecord, &MoneyRecord)> = record
        .arms
        .iter()
        .enumerate()
        .filter_map(|(at, arm)| Some((at, arm, arm.money.as_ref()?)))
        .collect();
    let (.., first) = arms.first()?;
    let currency = record.currency.as_deref().unwrap_or_default();
    Some(html! {
        (scroll_box("Exceedance curve", &exceedance_chart(&arms, currency)))
        p.legend aria-hidden="true" {
            @for (at, arm, _) in &arms {
                span.key { svg viewBox="0 0 34 10" { line class={ "series s" (at % 8) } x1="1" x2="33" y1="5" y2="5" {} } (arm.id) }
            }
        }
        (scroll_box("Losses of a year", &table(&arms, currency)))
        p.note {
            "Losses only, without running costs; " (amount_of(first.cases)) " cases a year on average, "
            (amount_of(f64::from(first.year().years))) " sampled years. VaR: the loss that this share of years does not exceed, with \
             its 95% interval, which covers only the chance of the sampled years; CVaR: the mean of the other years. "
            @if arms.iter().any(|(.., m)| m.drawn_year.is_some()) {
                "Drawn: in every year the volume and the means of variables are drawn from their ranges, and readers and \
                 guards in turn from " (draw_count(&arms)) " draws. Stated (thin line): every assumption is at its stated value, and only \
                 the cases vary by chance."
            }
        }
    })
}

fn exceedance_chart(arms: &[(usize, &ArmRecord, &MoneyRecord)], currency: &str) -> Markup {
    // Drawn and stated curves share the axis.
    let highest = arms.iter().flat_map(|(.., m)| m.year().curve.iter().chain(&m.stated_year.curve));
    let highest = highest.map(|point| point.1);
    let x = ChartAxis::covering(0.0, highest.fold(0.0, f64::max), 7.0, LEFT, WIDTH - RIGHT);
    html! {
        svg.drawn viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } style={ "max-width:" (WIDTH) "px;min-width:520px" } role="img"
            aria-label="Probability that a year loses more than an amount, by arm; the table below has its tail" {
            @for p in GRID_PROBABILITIES {
                @let place = at(probability_y(p));
                line.grid x1=(LEFT) x2=(at(WIDTH - RIGHT)) y1=(place) y2=(place) {}
                text x=(at(LEFT - 8.0)) y=(at(probability_y(p) + 4.0)) text-anchor="end" { (at(100.0 * p)) "%" }
            }
            @for tick in x.ticks() {
                @let place = at(x.position(tick));
                line.grid x1=(place) x2=(place) y1=(TOP) y2=(at(HEIGHT - BOTTOM)) {}
                text x=(place) y=(at(HEIGHT - BOTTOM + 20.0)) text-anchor="middle" { (compact(tick)) }
            }
            text.head x=(at((LEFT + WIDTH - RIGHT) / 2.0)) y=(at(HEIGHT - 8.0)) text-anchor="middle" { "a year loses more than this (" (currency) ")" }
            @for (n, _, m) in arms {
                @for (dashed, curve) in curves(m) {
                    @let points: Vec<String> = curve.iter().map(|(p, loss)| format!("{},{}", at(x.position(*loss)), at(probability_y(*p)))).collect();
                    polyline class={ "series s" (n % 8) (dashed) } points=(points.join(" ")) {}
                }
            }
        }
    }
}

/// An arm's curves, each with the class that marks the one at stated values beside a drawn one.
fn curves(m: &MoneyRecord) -> Vec<(&'static str, Vec<(f64, f64)>)> {
    let drawn = m.drawn_year.iter().map(|year| ("", year.curve.clone()));
    let stated = if m.drawn_year.is_some() { " stated" } else { "" };
    drawn.chain([(stated, m.stated_year.curve.clone())]).collect()
}

fn probability_y(p: f64) -> f64 {
    let least = GRID_PROBABILITIES[GRID_PROBABILITIES.len() - 1];
    // Probabilities below the lowest grid line are drawn on it: a logarithm would not end.
    let depth = p.clamp(least, 1.0).log10() / least.log10();
    TOP + depth * (HEIGHT - BOTTOM - TOP)
}

/// The number of draws of reader and guard rates, as text.
fn draw_count(arms: &[(usize, &ArmRecord, &MoneyRecord)]) -> String {
    let most = arms.iter().filter_map(|(.., m)| m.drawn_year.as_ref()?.draws).max();
    most.map_or_else(|| "one".to_owned(), |draws| amount_of(f64::from(draws)))
}

fn table(arms: &[(usize, &ArmRecord, &MoneyRecord)], currency: &str) -> Markup {
    let levels: Vec<f64> = arms
        .first()
        .map_or_else(Vec::new, |(.., m)| m.stated_year.tail.iter().map(|t| t.level).collect());
    html! {
        table.figures {
            caption { "Loss of a year in " (currency) }
            thead { tr {
                th scope="col" { "Arm" } th scope="col" { "Assumptions" } th.n scope="col" { "Mean" }
                th.n scope="col" { "Standard deviation" }
                @for level in &levels {
                    th.n scope="col" { "VaR " (whole_percent(*level)) }
                    th.n scope="col" { "CVaR " (whole_percent(*level)) }
                }
            } }
            tbody { @for (_, arm, m) in arms {
                @let drawn = m.drawn_year.iter().map(|year| ("drawn", year));
                @for (assumptions, year) in drawn.chain([("stated", &m.stated_year)]) { tr {
                    th scope="row" { (arm.id) } td { (assumptions) }
                    td.n { (amount_of(year.mean)) } td.n { (amount_of(year.sd)) }
                    @for tail in &year.tail {
                        td.n { (amount_of(tail.var)) " (" (amount_of(tail.var_error.0)) " to " (upper_bound(tail.var_error.1)) ")" }
                        td.n { (amount_of(tail.cvar)) }
                    }
                } }
            } }
        }
    }
}

/// The upper end of an interval; an infinite one has no number.
fn upper_bound(amount: f64) -> String {
    if amount.is_finite() { amount_of(amount) } else { "more".to_owned() }
}
