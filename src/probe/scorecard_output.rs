//! Writes the scorecard as CSV and as a table for the terminal.

use std::collections::BTreeMap;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::score::{ScorecardRow, ScorecardSection};
use crate::report::csv::{csv_bytes, number_cell, text_cell};

const HEADER: [&str; 13] = [
    "embedder",
    "section",
    "set",
    "measure",
    "value",
    "low",
    "high",
    "difference",
    "diff_low",
    "diff_high",
    "p",
    "n",
    "clusters",
];

/// `scorecard.csv`.
///
/// # Errors
/// A CSV writer that fails.
pub fn csv(rows: &[ScorecardRow]) -> anyhow::Result<Vec<u8>> {
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let [low, high] = end_cells(row.interval);
        let [diff_low, diff_high] = end_cells(row.difference_interval);
        lines.push(vec![
            text_cell(&row.embedder),
            row.section.name().to_owned(),
            text_cell(&row.set),
            text_cell(&row.measure),
            number_cell(Some(row.value)),
            low,
            high,
            number_cell(row.difference),
            diff_low,
            diff_high,
            number_cell(row.p),
            row.n.to_string(),
            row.clusters.to_string(),
        ]);
    }
    csv_bytes(&HEADER, lines)
}

fn end_cells(ends: Option<(f64, f64)>) -> [String; 2] {
    [number_cell(ends.map(|e| e.0)), number_cell(ends.map(|e| e.1))]
}

/// One line per measure and one column per embedder; a star marks a difference from the first embedder with p < .05.
pub fn terminal(rows: &[ScorecardRow]) -> String {
    let mut names: Vec<&str> = Vec::new();
    // Measures are in order of first appearance, since embedders may lack some.
    let mut measures: Vec<(ScorecardSection, &str, &str)> = Vec::new();
    // Not every embedder has every measure, so cells are looked up and not laid out in order.
    let mut cells: BTreeMap<(usize, usize), &ScorecardRow> = BTreeMap::new();
    for row in rows {
        let name = index_or_push(&mut names, row.embedder.as_str());
        let measure =
            index_or_push(&mut measures, (row.section, row.set.as_str(), row.measure.as_str()));
        cells.insert((measure, name), row);
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["set", "measure"].iter().chain(&names).copied());
    let mut order: Vec<usize> = (0..measures.len()).collect();
    // By section, since the rows of each embedder list the sections in another order.
    order.sort_by_key(|&at| (measures[at].0 as u8, at));
    for measure in order {
        let (_, set, name) = measures[measure];
        let mut line = vec![Cell::new(set), Cell::new(name)];
        for embedder in 0..names.len() {
            let shown = cells.get(&(measure, embedder)).map_or(String::new(), |row| cell(row));
            line.push(Cell::new(shown).set_alignment(CellAlignment::Right));
        }
        table.add_row(line);
    }
    format!(
        "{table}\n\
         ±: half of the 95% interval. What shares a passage or a text counts as one; too few of these have no interval.\n\
         Different from the first embedder: * p < .05 for one comparison, not adjusted for how many there are."
    )
}

fn cell(row: &ScorecardRow) -> String {
    let star = if row.p.is_some_and(|p| p < 0.05) { " *" } else { "  " };
    let value = match row.value.abs() >= 10.0 {
        true => format!("{:.1}", row.value),
        false => format!("{:.3}", row.value),
    };
    match row.interval {
        Some((low, high)) => format!("{value} ± {:.3}{star}", (high - low) / 2.0),
        None => format!("{value}{star}"),
    }
}

/// The index of an item; a new item is appended.
fn index_or_push<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}
