//! The section with a Sankey diagram of failures: from the first error, over the step where it happens, to the outcome.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::number_format::{at, percent, truncated};
use super::{arm_blocks, scroll_box};
use crate::run::RunRecord;
use crate::run::record::{ArmRecord, FailureFlowRecord};
use crate::step::RunOutcome;

const WIDTH: f64 = 920.0;
/// The height that stands for all failures.
const FAILURES_HEIGHT: f64 = 340.0;
const TOP: f64 = 34.0;
/// Width of a node.
const NODE_WIDTH: f64 = 12.0;
/// Left edges of the three columns.
const COLUMNS: [f64; 3] = [130.0, 440.0, 700.0];
/// The least height of a node, which is that of its label, and the gap between two nodes.
const LABEL_HEIGHT: f64 = 14.0;
const GAP: f64 = 7.0;
/// Errors and outcomes with a smaller share of the failures are merged into one node.
const MERGE_BELOW: f64 = 0.01;
/// The most rows of the table.
const MAX_TABLE_ROWS: usize = 40;

pub fn section(record: &RunRecord) -> Markup {
    html! {
        (arm_blocks(record, |_, arm| {
            if arm.flows.is_empty() {
                return html! { p { "No run fails." } };
            }
            html! {
                (scroll_box(&format!("Flow of failures under {}, drawn", arm.id), &sankey_diagram(arm)))
                details { summary { "The flow as a table" } (scroll_box("Flow of failures", &table(arm))) }
            }
        }))
        p.note {
            "Each failing run counts once, under its first own error in the order of the steps. Blame (above) divides a failure \
             among all the errors in it, so the two differ."
        }
    }
}

/// A node of the diagram: its label, probability and position.
struct FlowNode {
    label: String,
    p: f64,
    y: f64,
    height: f64,
    /// The height that links already occupy on each side.
    left_used: f64,
    right_used: f64,
}

/// A column of nodes with distinct labels, from top to bottom.
struct FlowColumn {
    nodes: Vec<FlowNode>,
}

impl FlowColumn {
    fn new(sums: Vec<(String, f64)>, all: f64) -> FlowColumn {
        let mut y = TOP;
        let mut nodes = Vec::with_capacity(sums.len());
        for (label, p) in sums {
            let height = FAILURES_HEIGHT * p / all;
            let slot = height.max(LABEL_HEIGHT);
            nodes.push(FlowNode {
                label,
                p,
                y: y + (slot - height) / 2.0,
                height,
                left_used: 0.0,
                right_used: 0.0,
            });
            y += slot + GAP;
        }
        FlowColumn { nodes }
    }

    fn bottom(&self) -> f64 {
        self.nodes.last().map_or(TOP, |node| node.y + node.height.max(LABEL_HEIGHT))
    }

    fn node_index(&self, label: &str) -> usize {
        self.nodes.iter().position(|node| node.label == label).unwrap_or(0)
    }
}

/// Sums the probabilities by label, largest first.
fn sums<'a>(rows: impl Iterator<Item = (&'a str, f64)>) -> Vec<(String, f64)> {
    let mut by_label: BTreeMap<&str, f64> = BTreeMap::new();
    for (label, p) in rows {
        *by_label.entry(label).or_default() += p;
    }
    let mut sums: Vec<(String, f64)> =
        by_label.into_iter().map(|(label, p)| (label.to_owned(), p)).collect();
    sums.sort_by(|a, b| b.1.total_cmp(&a.1));
    sums
}

/// A flow: its label in each column (error, step, end), its outcome and its probability.
struct FlowRow {
    labels: [String; 3],
    outcome: RunOutcome,
    p: f64,
}

/// The label of a flow's end: the action and the outcome.
fn end_label(flow: &FailureFlowRecord, outcome: RunOutcome) -> String {
    let outcome_name = outcome.name().replace('_', " ");
    match flow.action.as_str() {
        "" => outcome_name,
        action => format!("{} ({outcome_name})", truncated(action, 20)),
    }
}

/// The flows of an arm, rare errors and outcomes merged.
fn rows(arm: &ArmRecord) -> Vec<FlowRow> {
    let rows = arm.flows.iter().filter_map(|flow| {
        // The sum of rare flows has no root and is left to the table.
        let ((step, event), outcome) = (flow.root.as_ref()?, flow.outcome?);
        let labels = [event.name().replace('_', " "), step.clone(), end_label(flow, outcome)];
        Some(FlowRow { labels, outcome, p: flow.p })
    });
    let mut rows: Vec<FlowRow> = rows.collect();
    let all: f64 = rows.iter().map(|row| row.p).sum();
    for (column, other) in [(0, "other errors"), (2, "other ends")] {
        let sums = column_sums(&rows, column);
        let small: Vec<&str> =
            sums.iter().filter(|(_, p)| *p < MERGE_BELOW * all).map(|(l, _)| l.as_str()).collect();
        // A single small node would only lose its name.
        if small.len() > 1 {
            for row in rows.iter_mut().filter(|row| small.contains(&row.labels[column].as_str())) {
                row.labels[column] = other.to_owned();
            }
        }
    }
    rows
}

fn column_sums(rows: &[FlowRow], column: usize) -> Vec<(String, f64)> {
    sums(rows.iter().map(|row| (row.labels[column].as_str(), row.p)))
}

fn sankey_diagram(arm: &ArmRecord) -> Markup {
    let rows = rows(arm);
    let all: f64 = rows.iter().map(|row| row.p).sum();
    let mut steps = column_sums(&rows, 1);
    // Steps are in pipeline order, so that the diagram reads like the pipeline; the outer columns by size.
    steps.sort_by_key(|(label, _)| arm.steps.iter().position(|step| step.step == *label));
    let mut columns = [column_sums(&rows, 0), steps, column_sums(&rows, 2)]
        .map(|sums| FlowColumn::new(sums, all));
    // One link per pair of nodes and outcome. The maps are ordered by node, so links leave a node without crossing.
    let mut first: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    let mut second: BTreeMap<(usize, usize, RunOutcome), f64> = BTreeMap::new();
    for row in &rows {
        let [from, step, end] =
            [0, 1, 2].map(|column: usize| columns[column].node_index(&row.labels[column]));
        *first.entry((from, step)).or_default() += row.p;
        *second.entry((step, end, row.outcome)).or_default() += row.p;
    }
    let mut links = Vec::new();
    for ((from, to), p) in first {
        links.push((
            link(&mut columns, 0, from, to, p, all),
            "link".to_owned(),
            [(0, from), (1, to)],
            p,
        ));
    }
    for ((from, to, outcome), p) in second {
        let class = format!("link {}", outcome.name());
        links.push((link(&mut columns, 1, from, to, p, all), class, [(1, from), (2, to)], p));
    }
    let height = columns.iter().map(FlowColumn::bottom).fold(0.0, f64::max) + 8.0;
    html! {
        svg.drawn viewBox={ "0 0 " (WIDTH) " " (at(height)) } style={ "max-width:" (WIDTH) "px;min-width:640px" } role="img"
            aria-label={ "Failing runs of " (arm.id) ": from the kind of the first error over its step to the end; the table below has the same" } {
            text.head x=(at(COLUMNS[0] + NODE_WIDTH)) y="16" text-anchor="end" { "first error" }
            text.head x=(at(COLUMNS[1] + NODE_WIDTH / 2.0)) y="16" text-anchor="middle" { "at step" }
            text.head x=(at(COLUMNS[2])) y="16" { "end of the run" }
            @for (d, class, ends, p) in &links {
                path class=(class) d=(d) { title { (node_label(&columns, ends[0])) " to " (node_label(&columns, ends[1])) ": " (percent(*p)) " of runs" } }
            }
            @for (column, nodes) in columns.iter().enumerate() {
                @for node in &nodes.nodes {
                    @let x = COLUMNS[column];
                    @let y = at(node.y + node.height / 2.0 + 4.0);
                    rect.node x=(at(x)) y=(at(node.y)) width=(at(NODE_WIDTH)) height=(at(node.height.max(1.0))) {}
                    @match column {
                        0 => text.halo x=(at(x - 7.0)) y=(y) text-anchor="end" { (node.label) },
                        1 => text.halo x=(at(x + NODE_WIDTH + 6.0)) y=(y) { (truncated(&node.label, 24)) tspan.mute { " " (percent(node.p)) } },
                        _ => text.halo x=(at(x + NODE_WIDTH + 6.0)) y=(y) { (truncated(&node.label, 36)) tspan.mute { " " (percent(node.p)) } },
                    }
                }
            }
        }
    }
}

fn node_label(columns: &[FlowColumn], (column, node): (usize, usize)) -> &str {
    columns[column].nodes[node].label.as_str()
}

/// The SVG path of a link from node `a` of column `from` to node `b` of the next one; takes the next free part of both.
fn link(
    columns: &mut [FlowColumn; 3],
    from: usize,
    a: usize,
    b: usize,
    p: f64,
    all: f64,
) -> String {
    let wide = FAILURES_HEIGHT * p / all;
    let source = &mut columns[from].nodes[a];
    let y0 = source.y + source.right_used;
    source.right_used += wide;
    let target = &mut columns[from + 1].nodes[b];
    let y1 = target.y + target.left_used;
    target.left_used += wide;
    let (x0, x1) = (COLUMNS[from] + NODE_WIDTH, COLUMNS[from + 1]);
    let middle = at((x0 + x1) / 2.0);
    let [x0, x1, low0, low1] = [x0, x1, y0 + wide, y1 + wide].map(at);
    let [y0, y1] = [y0, y1].map(at);
    format!(
        "M{x0} {y0}C{middle} {y0},{middle} {y1},{x1} {y1}V{low1}C{middle} {low1},{middle} {low0},{x0} {low0}Z"
    )
}

fn table(arm: &ArmRecord) -> Markup {
    let mut flows: Vec<&FailureFlowRecord> = arm.flows.iter().collect();
    flows.sort_by(|a, b| b.p.total_cmp(&a.p));
    let hidden = flows.len().saturating_sub(MAX_TABLE_ROWS);
    html! {
        table.figures {
            thead { tr { th scope="col" { "First error" } th scope="col" { "At step" } th scope="col" { "End" } th.n scope="col" { "Of all runs" } } }
            tbody { @for flow in flows.iter().take(MAX_TABLE_ROWS) { tr {
                @match (&flow.root, flow.outcome) {
                    (Some((step, event)), Some(outcome)) => { td { (event.name().replace('_', " ")) } td { (step) } td { (end_label(flow, outcome)) } }
                    _ => td colspan="3" { "failures too rare to be shown separately" }
                }
                td.n { (percent(flow.p)) }
            } } }
        }
        @if hidden > 0 { p.note { "And " (hidden) " rarer ones." } }
    }
}
