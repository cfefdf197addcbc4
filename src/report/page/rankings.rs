//! The section that compares the rankings of the arms by each measure, as a slope chart: crossing lines are pairs of
//! arms in the opposite order.

use maud::{Markup, html};

use super::arms::dash;
use super::number_format::{amount_of, at, percent, truncated};
use super::scroll_box;
use crate::report::uncertainty;
use crate::run::RunRecord;
use crate::run::record::{ArmRankRecord, ComparisonMeasure, RankFlips};
use crate::step::RunOutcome;

const ROW_HEIGHT: f64 = 34.0;
const TOP: f64 = 40.0;
const LABEL_WIDTH: f64 = 170.0;
const COLUMN_DISTANCE: f64 = 210.0;

/// The section; `None` with fewer than two arms or measures.
pub fn section(record: &RunRecord) -> Option<Markup> {
    let measures: Vec<(ComparisonMeasure, &str)> = [
        (ComparisonMeasure::Ndcg, "nDCG@10"),
        (ComparisonMeasure::Failure, "failures"),
        (ComparisonMeasure::Money, "money"),
    ]
    .into_iter()
    .filter(|(measure, _)| record.comparison.ranks.iter().any(|r| r.measure == *measure))
    .collect();
    if record.arms.len() < 2 || measures.len() < 2 {
        return None;
    }
    Some(html! {
        p { (agreement_text(record, &measures)) }
        (scroll_box("Order of the arms, drawn", &slope_chart(record, &measures)))
        (scroll_box("Order of the arms", &table(record, &measures)))
        p.note {
            "Best: the share of resamples of the units (bootstrap) in which the arm is the best. It is not a test, and not \
             corrected for the number of arms. "
            @if !uncertainty::can_rank_best(record.units) {
                "Not shown here: " (uncertainty::units_with_verb(record.units)) " too few."
            }
        }
    })
}

/// Sentences on whether the rankings by failures and money agree with the one by retrieval quality.
fn agreement_text(record: &RunRecord, measures: &[(ComparisonMeasure, &str)]) -> String {
    if !measures.iter().any(|(measure, _)| *measure == ComparisonMeasure::Ndcg) {
        return String::new();
    }
    let others = measures.iter().filter(|(measure, _)| *measure != ComparisonMeasure::Ndcg);
    others
        .map(|(measure, name)| agreement_sentence(record, *measure, name))
        .collect::<Vec<_>>()
        .join(" ")
}

fn agreement_sentence(record: &RunRecord, measure: ComparisonMeasure, name: &str) -> String {
    let RankFlips { pairs, flipped, both_significant: clear } = record.comparison.flips(measure);
    match (flipped, clear) {
        (0, _) => format!("By {name} the arms are in the same order as by nDCG@10."),
        (_, 0) => format!(
            "By {name}, {flipped} of {pairs} pairs of arms are in the opposite order to nDCG@10, none of them \
             significantly by both."
        ),
        _ => format!(
            "By {name}, {flipped} of {pairs} pairs of arms are in the opposite order to nDCG@10, {clear} of \
             them significantly by both."
        ),
    }
}

/// The ranks by a measure, best first.
fn ranked(record: &RunRecord, measure: ComparisonMeasure) -> Vec<&ArmRankRecord> {
    let of = record.comparison.ranks.iter().filter(|rank| rank.measure == measure);
    let mut ranks: Vec<&ArmRankRecord> = of.collect();
    ranks.sort_by_key(|rank| (rank.rank, rank.arm));
    ranks
}

fn slope_chart(record: &RunRecord, measures: &[(ComparisonMeasure, &str)]) -> Markup {
    // Tied arms get successive places, so that no two lines coincide.
    let places: Vec<Vec<usize>> = measures
        .iter()
        .map(|(measure, _)| ranked(record, *measure).iter().map(|rank| rank.arm).collect())
        .collect();
    let last = measures.len() - 1;
    let (width, height) =
        (column_x(last) + LABEL_WIDTH, TOP + ROW_HEIGHT * record.arms.len() as f64 + 8.0);
    html! {
        svg.drawn viewBox={ "0 0 " (at(width)) " " (at(height)) }
            style={ "max-width:" (at(width)) "px;min-width:" (at(0.8 * width)) "px" } role="img"
            aria-label="The arms in order by each measure; the table below has the same" {
            @for (column, (_, name)) in measures.iter().enumerate() {
                text.head x=(at(column_x(column))) y="20" text-anchor="middle" { "by " (name) }
            }
            @for (arm, of) in record.arms.iter().enumerate() {
                @let path: Vec<(f64, f64)> = places.iter().enumerate().filter_map(|(column, order)| {
                    Some((column_x(column), place_y(order.iter().position(|&a| a == arm)?)))
                }).collect();
                @let points: Vec<String> = path.iter().map(|(x, y)| format!("{},{}", at(*x), at(*y))).collect();
                polyline class={ "series s" (arm % 8) } points=(points.join(" ")) {}
                @for (x, y) in &path { circle class={ "mark s" (arm % 8) } cx=(at(*x)) cy=(at(*y)) r="5" {} }
                @if let (Some(first), Some(end)) = (path.first(), path.last()) {
                    text x=(at(first.0 - 12.0)) y=(at(first.1 + 4.0)) text-anchor="end" { (truncated(&of.id, 22)) }
                    text x=(at(end.0 + 12.0)) y=(at(end.1 + 4.0)) { (truncated(&of.id, 22)) }
                }
            }
        }
    }
}

fn column_x(column: usize) -> f64 {
    LABEL_WIDTH + COLUMN_DISTANCE * column as f64
}

fn place_y(place: usize) -> f64 {
    TOP + ROW_HEIGHT * (place as f64 + 0.5)
}

fn table(record: &RunRecord, measures: &[(ComparisonMeasure, &str)]) -> Markup {
    html! {
        table.figures {
            caption { "Rank, and share of resamples of the units in which the arm is the best" }
            thead {
                tr {
                    th scope="col" rowspan="2" { "Arm" }
                    @for (measure, name) in measures {
                        th.group scope="colgroup" colspan=(if is_parted(*measure) { "5" } else { "3" }) { "By " (name) }
                    }
                }
                tr { @for (measure, _) in measures {
                    th.n scope="col" { "Value" }
                    @if is_parted(*measure) { th.n scope="col" { "Wrong or missed" } th.n scope="col" { "Stopped" } }
                    th.n scope="col" { "Rank" } th.n scope="col" { "Best" }
                } }
            }
            tbody { @for (at, arm) in record.arms.iter().enumerate() { tr {
                th scope="row" { (arm.id) }
                @for (measure, _) in measures {
                    @let rank = ranked(record, *measure).into_iter().find(|rank| rank.arm == at);
                    td.n { (rank.map_or_else(dash, rank_value)) }
                    @if is_parted(*measure) {
                        td.n { (percent(arm.summary.silent)) }
                        td.n { (percent(arm.summary.outcomes[RunOutcome::Stopped as usize])) }
                    }
                    td.n { (rank.map_or_else(dash, |rank| rank.rank.to_string())) }
                    td.n { (rank.map_or_else(dash, |rank| best_cell(rank.p_best, record.units))) }
                }
            } } }
        }
    }
}

fn rank_value(rank: &ArmRankRecord) -> String {
    match rank.measure {
        ComparisonMeasure::Ndcg => format!("{:.3}", rank.value),
        ComparisonMeasure::Failure => percent(rank.value),
        ComparisonMeasure::Money => amount_of(rank.value),
    }
}

fn best_cell(p_best: f64, units: usize) -> String {
    match uncertainty::can_rank_best(units) {
        true => uncertainty::estimated_probability(p_best),
        false => dash(),
    }
}

/// Whether silent failures and stops have columns of their own: a stop is not a wrong action.
fn is_parted(measure: ComparisonMeasure) -> bool {
    measure == ComparisonMeasure::Failure
}
