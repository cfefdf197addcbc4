//! The section with the graph of steps: steps shaded by their share of blame, edges as wide as the error that passes
//! through them.

use maud::{Markup, html};

use super::arms::dash;
use super::graph_layout::{self, GraphLayout, LayoutSpacing};
use super::number_format::{at, percent, truncated};
use super::{arm_blocks, scroll_box};
use crate::run::RunRecord;
use crate::run::record::{ArmRecord, RunEdgeRecord};

/// Width and height of a step's box.
const BOX_SIZE: (f64, f64) = (140.0, 62.0);
const SPACING: LayoutSpacing =
    LayoutSpacing { layer_distance: 196.0, step_height: 84.0, bend_height: 34.0 };
/// Margin for thick edges along the border.
const MARGIN: f64 = 8.0;
/// The greatest and the least width of an edge.
const MAX_EDGE_WIDTH: f64 = 14.0;
const MIN_EDGE_WIDTH: f64 = 1.0;

/// The lower bounds of the shades by share of blame; shares below the first bound have shade 0.
const SHADES: [f64; 5] = [0.02, 0.10, 0.20, 0.35, 0.50];

pub fn section(record: &RunRecord) -> Markup {
    // One scale for all arms, so that widths can be compared when the arm is switched.
    let most = record.arms.iter().flat_map(|arm| &arm.edges).map(RunEdgeRecord::p_passed);
    let most = most.fold(0.0, f64::max);
    html! {
        (arm_blocks(record, |_, arm| html! {
            (scroll_box(&format!("Steps of {}, drawn", arm.id), &step_graph(arm, most)))
            (legend())
            details { summary { "The steps as a table" } (scroll_box("Steps", &steps(arm))) }
            details { summary { "The edges as a table" } (scroll_box("Edges", &edges(arm))) }
        }))
        p.note {
            "Blame: the share of all failures that a step's own errors account for (Shapley); it can be negative if errors \
             cancel others. The width of an edge shows how much error passes through it: the share of runs in which the earlier step is the only wrong or \
             missing input, and the later step is wrong or missing too."
        }
    }
}

/// The number of a share's shade, from 0.
fn shade(blame: f64) -> usize {
    SHADES.iter().filter(|&&least| blame >= least).count()
}

fn legend() -> Markup {
    html! {
        p.legend aria-hidden="true" {
            "Share of blame: "
            @for n in 0..=SHADES.len() {
                span.key {
                    svg viewBox="0 0 16 16" { g class={ "b" (n) } { rect x="1" y="1" width="14" height="14" rx="3" {} } }
                    @match n { 0 => { "below " (at(100.0 * SHADES[0])) "%" } _ => { "from " (at(100.0 * SHADES[n - 1])) "%" } }
                }
            }
        }
    }
}

fn step_graph(arm: &ArmRecord, most: f64) -> Markup {
    let edges: Vec<(&RunEdgeRecord, (usize, usize))> = arm
        .edges
        .iter()
        .filter_map(|edge| {
            Some((edge, (step_index(arm, &edge.parent)?, step_index(arm, &edge.child)?)))
        })
        .collect();
    let pairs: Vec<(usize, usize)> = edges.iter().map(|(_, pair)| *pair).collect();
    let GraphLayout { steps, edges: paths, width, height } =
        graph_layout::layout(arm.steps.len(), &pairs, &SPACING);
    let view = format!("0 {} {} {}", -MARGIN, at(width), at(height + 2.0 * MARGIN));
    html! {
        svg.drawn.graph viewBox=(view) style={ "max-width:" (at(width)) "px;min-width:" (at(0.62 * width)) "px" } role="img"
            aria-label={
                "The steps under " (arm.id) " with their share of blame, and how much error passes between them; \
                 the tables below have the same"
            } {
            @for ((edge, _), points) in edges.iter().zip(&paths) {
                @let p = edge.p_passed();
                path.flow d=(edge_path(points)) stroke-width=(at(edge_width(p, most))) {
                    title { (edge.parent) " to " (edge.child) ": error passes in " (percent(p)) " of runs" }
                }
            }
            // Labels are drawn after all edges, so that no edge covers them.
            @for ((edge, _), points) in edges.iter().zip(&paths) {
                @let p = edge.p_passed();
                // Below this the label would read 0.0%.
                @if p >= 0.0005 && let [.., (x0, y0), (x1, y1)] = points.as_slice() {
                    text.halo x=(at((x0 + x1) / 2.0)) y=(at((y0 + y1) / 2.0 + 4.0)) text-anchor="middle" { (percent(p)) }
                }
            }
            @for (step, (x, y)) in arm.steps.iter().zip(&steps) {
                @let blame = arm.blame(&step.step);
                @let left = at(x - BOX_SIZE.0 / 2.0 + 10.0);
                g class={ "b" (shade(blame)) } {
                    title { (step.step) ": " (percent(blame)) " of the blame, right in " (percent(step.p_correct)) " of runs" }
                    rect x=(at(x - BOX_SIZE.0 / 2.0)) y=(at(y - BOX_SIZE.1 / 2.0)) width=(at(BOX_SIZE.0)) height=(at(BOX_SIZE.1)) rx="7" {}
                    text.name x=(left) y=(at(y - 12.0)) { (truncated(&step.step, 17)) }
                    text x=(left) y=(at(y + 5.0)) { (step.kind) }
                    text.name x=(left) y=(at(y + 22.0)) { (percent(blame)) }
                }
            }
        }
    }
}

fn step_index(arm: &ArmRecord, id: &str) -> Option<usize> {
    arm.steps.iter().position(|step| step.step == id)
}

fn edge_width(p: f64, most: f64) -> f64 {
    if most > 0.0 {
        MIN_EDGE_WIDTH + (MAX_EDGE_WIDTH - MIN_EDGE_WIDTH) * p / most
    } else {
        MIN_EDGE_WIDTH
    }
}

/// A smooth curve through points from left to right, as an SVG path; it starts and ends at the borders of boxes.
fn edge_path(points: &[(f64, f64)]) -> String {
    let last = points.len().saturating_sub(1);
    let ends: Vec<(f64, f64, f64, f64)> = points
        .windows(2)
        .enumerate()
        .map(|(n, pair)| {
            let out = if n == 0 { BOX_SIZE.0 / 2.0 } else { 0.0 };
            let into = if n + 1 == last { BOX_SIZE.0 / 2.0 } else { 0.0 };
            (pair[0].0 + out, pair[0].1, pair[1].0 - into, pair[1].1)
        })
        .collect();
    let start = ends.first().map_or_else(String::new, |e| format!("M{} {}", at(e.0), at(e.1)));
    ends.iter().fold(start, |path, (x0, y0, x1, y1)| {
        let middle = at((x0 + x1) / 2.0);
        format!("{path} C{middle} {},{middle} {},{} {}", at(*y0), at(*y1), at(*x1), at(*y1))
    })
}

fn steps(arm: &ArmRecord) -> Markup {
    html! {
        table.figures {
            thead { tr {
                th scope="col" { "Step" } th scope="col" { "Kind" } th.n scope="col" { "Blame" } th.n scope="col" { "Right" }
                th.n scope="col" { "Wrong" } th.n scope="col" { "Missing" } th.n scope="col" { "Own miss" } th.n scope="col" { "Induced miss" }
                th.n scope="col" { "Failure if always right" } th.n scope="col" { "Failure without its own errors" } th.n scope="col" { "Absorbed if wrong" }
            } }
            tbody { @for step in &arm.steps { tr {
                th scope="row" { (step.step) } td { (step.kind) } td.n { (percent(arm.blame(&step.step))) }
                td.n { (percent(step.p_correct)) } td.n { (percent(step.p_wrong)) } td.n { (percent(step.p_missing)) }
                @match step.retrieval {
                    Some(_) => { td.n { (percent(step.p_own_miss)) } td.n { (percent(step.p_induced_miss)) } }
                    None => { td.n { (dash()) } td.n { (dash()) } }
                }
                td.n { (optional_percent(step.importance.map(|i| i.p_fail_if_right))) }
                td.n { (optional_percent(step.importance.map(|i| i.p_fail_without_own_errors))) }
                td.n { (optional_percent(step.p_absorbed_given_wrong)) }
            } } }
        }
    }
}

fn edges(arm: &ArmRecord) -> Markup {
    html! {
        table.figures {
            thead { tr {
                th scope="col" { "From" } th scope="col" { "To" } th.n scope="col" { "Passes" } th.n scope="col" { "Off before" }
                th.n scope="col" { "then wrong" } th.n scope="col" { "then missing" } th.n scope="col" { "absorbed" }
            } }
            tbody { @for edge in &arm.edges { tr {
                th scope="row" { (edge.parent) } td { (edge.child) }
                td.n { (percent(edge.p_passed())) } td.n { (percent(edge.p_only_parent_off)) }
                td.n { (optional_percent(edge.p_child_wrong_given)) } td.n { (optional_percent(edge.p_child_missing_given)) }
                td.n { (optional_percent(edge.p_absorbed_given)) }
            } } }
        }
    }
}

fn optional_percent(value: Option<f64>) -> String {
    value.map_or_else(dash, percent)
}
