//! Draws `scorecard.svg`: compositional accuracy (vertical) against general retrieval (horizontal), one point per
//! embedder.
//!
//! Points have 95% intervals. With several sets, a coordinate is the mean over the sets and its interval that of a mean
//! of independent estimates. Colours follow the viewer's light or dark scheme.

use std::fmt::Write;

use super::composition::{ACCURACY, ALL_CATEGORIES};
use super::retrieval::NDCG;
use super::score::{ScorecardRow, ScorecardSection};
use crate::chart_axis::ChartAxis;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 32.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 60.0;
/// The most intervals between ticks on an axis.
const MAX_TICKS: f64 = 8.0;

/// A mean, and half the width of its interval.
#[derive(Clone, Copy)]
struct PlotCoordinate {
    mean: f64,
    half_width: f64,
}

/// The SVG; `None` if no embedder has both numbers.
pub fn svg(rows: &[ScorecardRow]) -> Option<String> {
    let mut names: Vec<&str> = rows.iter().map(|row| row.embedder.as_str()).collect();
    names.dedup();
    let accuracy = format!("{ACCURACY} {ALL_CATEGORIES}");
    let points: Vec<(&str, PlotCoordinate, PlotCoordinate)> = names
        .iter()
        .filter_map(|name| {
            let x = mean_over_sets(rows, name, ScorecardSection::Retrieval, NDCG)?;
            Some((*name, x, mean_over_sets(rows, name, ScorecardSection::Composition, &accuracy)?))
        })
        .collect();
    let x = axis(points.iter().map(|(_, x, _)| *x), LEFT, WIDTH - RIGHT)?;
    // SVG coordinates grow downwards, so the vertical axis runs from the bottom to the top.
    let y = axis(points.iter().map(|(_, _, y)| *y), HEIGHT - BOTTOM, TOP)?;
    Some(draw(&points, &x, &y))
}

/// The mean of a measure over the sets that have it.
fn mean_over_sets(
    rows: &[ScorecardRow],
    name: &str,
    section: ScorecardSection,
    measure: &str,
) -> Option<PlotCoordinate> {
    let found: Vec<&ScorecardRow> = rows
        .iter()
        .filter(|row| row.embedder == name && row.section == section && row.measure == measure)
        .collect();
    let n = (!found.is_empty()).then_some(found.len() as f64)?;
    let halves = found.iter().map(|row| row.interval.map_or(0.0, |(low, high)| (high - low) / 2.0));
    Some(PlotCoordinate {
        mean: found.iter().map(|row| row.value).sum::<f64>() / n,
        half_width: halves.map(|half| half * half).sum::<f64>().sqrt() / n,
    })
}

/// An axis that contains all points with their intervals.
fn axis(spots: impl Iterator<Item = PlotCoordinate>, from: f64, to: f64) -> Option<ChartAxis> {
    let ends: Vec<(f64, f64)> =
        spots.map(|s| (s.mean - s.half_width, s.mean + s.half_width)).collect();
    let low = ends.iter().map(|e| e.0).reduce(f64::min)?;
    let high = ends.iter().map(|e| e.1).reduce(f64::max)?;
    Some(ChartAxis::covering(low, high, MAX_TICKS, from, to))
}

fn draw(points: &[(&str, PlotCoordinate, PlotCoordinate)], x: &ChartAxis, y: &ChartAxis) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <title>Compositional accuracy against general retrieval, by embedder</title>\n\
         <style>\n\
         .paper {{ fill: #ffffff; }} .ink {{ fill: #1f2328; }} .mute {{ fill: #59636e; }}\n\
         .grid {{ stroke: #d1d9e0; stroke-width: 1; }} .bar {{ stroke: #0969da; stroke-width: 1.5; }}\n\
         .dot {{ fill: #0969da; }}\n\
         .name {{ paint-order: stroke; stroke: #ffffff; stroke-width: 4; stroke-linejoin: round; }}\n\
         @media (prefers-color-scheme: dark) {{\n\
         .paper {{ fill: #0d1117; }} .ink {{ fill: #e6edf3; }} .mute {{ fill: #9198a1; }}\n\
         .grid {{ stroke: #3d444d; }} .bar {{ stroke: #58a6ff; }} .dot {{ fill: #58a6ff; }}\n\
         .name {{ stroke: #0d1117; }}\n\
         }}\n\
         </style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n"
    );
    for tick in x.ticks() {
        let at = x.position(tick);
        svg += &line_element("grid", at, y.from, at, y.to);
        svg += &text_element("mute", at, y.from + 20.0, "middle", &format!("{tick:.2}"));
    }
    for tick in y.ticks() {
        let at = y.position(tick);
        svg += &line_element("grid", x.from, at, x.to, at);
        svg += &text_element("mute", x.from - 8.0, at + 4.0, "end", &format!("{tick:.2}"));
    }
    let centre = (x.from + x.to) / 2.0;
    svg += &text_element(
        "ink",
        centre,
        HEIGHT - 14.0,
        "middle",
        "breadth: nDCG@10 of general retrieval",
    );
    let middle = (y.from + y.to) / 2.0;
    let _ = writeln!(
        svg,
        "<text class=\"ink\" text-anchor=\"middle\" transform=\"translate(18 {middle:.1}) rotate(-90)\">\
         precision: accuracy on near-misses</text>"
    );
    let mut labels: Vec<(f64, f64)> = Vec::new();
    for (name, across, up) in points {
        let (px, py) = (x.position(across.mean), y.position(up.mean));
        svg += &line_element(
            "bar",
            x.position(across.mean - across.half_width),
            py,
            x.position(across.mean + across.half_width),
            py,
        );
        svg += &line_element(
            "bar",
            px,
            y.position(up.mean - up.half_width),
            px,
            y.position(up.mean + up.half_width),
        );
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "<circle class=\"dot\" cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"4.5\"/>");
        // A label goes to the left of its point near the right border, and is moved down past earlier labels.
        let (anchor, lx) = if px > WIDTH - 200.0 { ("end", px - 8.0) } else { ("start", px + 8.0) };
        let mut ly = py - 8.0;
        while labels.iter().any(|(x, y)| (x - lx).abs() < 140.0 && (y - ly).abs() < 15.0) {
            ly += 15.0;
        }
        labels.push((lx, ly));
        svg += &text_element("ink name", lx, ly, anchor, name);
    }
    svg + "</svg>\n"
}

fn line_element(class: &str, x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!(
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
    )
}

fn text_element(class: &str, x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!(
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>\n",
        escape_xml(text)
    )
}

fn escape_xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
