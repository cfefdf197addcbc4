//! Converts table cells and paragraphs to passages.
//!
//! A figure is one cell of a row, so a passage is one cell with the labels that identify it: section, row label and
//! column header. A paragraph becomes a passage unchanged; its facts are the figures to which questions refer.

use std::collections::BTreeMap;

use super::layout::{Context, Table};
use super::{Place, figure};
use crate::value::Value;
use crate::world::Passage;

/// The fact name of a passage's first figure; further ones are `figure_2` and so on.
pub const FIGURE: &str = "figure";

/// The labels of a table cell, for texts and queries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Label {
    /// The label of the last row above that has no other content.
    pub section: String,
    pub row: String,
    pub column: String,
}

/// The passages of one context, and the passage and fact of each figure.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    pub entity: String,
    pub passages: Vec<Passage>,
    pub labels: BTreeMap<Place, Label>,
    /// Location -> index of the passage, fact name, value.
    pub figures: BTreeMap<Place, (usize, String, f64)>,
}

/// Creates the passages of a context; `places` are the spans in paragraphs to which questions refer.
pub fn sheet(entity: &str, context: &Context, places: &[Place]) -> Sheet {
    let mut sheet = Sheet { entity: entity.to_owned(), ..Sheet::default() };
    cells(&context.table, &mut sheet);
    for paragraph in &context.paragraphs {
        let mut facts = BTreeMap::new();
        let mut stated: Vec<f64> = Vec::new();
        for place in places {
            let Place::Text { paragraph: order, start, end } = *place else { continue };
            if order != paragraph.order {
                continue;
            }
            let Some(value) = figure::in_text(&paragraph.text, start..end) else { continue };
            // The same figure may be referred to by several spans; it is one fact.
            let at = stated.iter().position(|v| *v == value).unwrap_or_else(|| {
                stated.push(value);
                stated.len() - 1
            });
            let field = if at == 0 { FIGURE.to_owned() } else { format!("{FIGURE}_{}", at + 1) };
            facts.insert(field.clone(), Value::Number(value));
            sheet.figures.insert(*place, (sheet.passages.len(), field, value));
        }
        sheet.passages.push(Passage {
            id: format!("{entity}.p{}", paragraph.order),
            text: paragraph.text.clone(),
            entity: Some(entity.to_owned()),
            attribute: Some("paragraph".to_owned()),
            facts,
            of: None,
            variant: None,
        });
    }
    sheet
}

fn cells(table: &Table, sheet: &mut Sheet) {
    let rows = &table.table;
    // The header is the first row and all rows directly below it without a label.
    let unlabelled = |row: &Vec<String>| row.first().is_none_or(|label| label.trim().is_empty());
    let header = 1 + rows.iter().skip(1).take_while(|row| unlabelled(row)).count();
    let mut section = String::new();
    for (r, row) in rows.iter().enumerate().skip(header) {
        let label = tidy(row.first().map_or("", String::as_str));
        if row.iter().skip(1).all(|cell| cell.trim().is_empty()) {
            section = label.trim_end_matches(':').to_owned();
            continue;
        }
        for (c, cell) in row.iter().enumerate().skip(1) {
            if cell.trim().is_empty() {
                continue;
            }
            let heads = rows.iter().take(header).filter_map(|head| head.get(c));
            let heads: Vec<String> = heads.map(|h| tidy(h)).filter(|h| !h.is_empty()).collect();
            let name =
                Label { section: section.clone(), row: label.clone(), column: heads.join(" ") };
            let before = [&name.section, &name.row, &name.column];
            let before: Vec<&str> =
                before.into_iter().map(String::as_str).filter(|t| !t.is_empty()).collect();
            let place = Place::Cell { row: r, column: c };
            let mut facts = BTreeMap::new();
            if let Some(value) = figure::of_cell(cell) {
                facts.insert(FIGURE.to_owned(), Value::Number(value));
                sheet.figures.insert(place, (sheet.passages.len(), FIGURE.to_owned(), value));
            }
            sheet.passages.push(Passage {
                id: format!("{}.r{r}c{c}", sheet.entity),
                text: format!("{}: {}", before.join(", "), tidy(cell)),
                entity: Some(sheet.entity.clone()),
                attribute: Some(name.row.clone()),
                facts,
                of: None,
                variant: None,
            });
            sheet.labels.insert(place, name);
        }
    }
}

/// Collapses each run of white space to one space.
fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
