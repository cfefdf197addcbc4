//! Converts table cells and paragraphs to passages.
//!
//! A figure is one cell of a row, so a passage is one cell with the labels that identify it: section, row label and
//! column header. A paragraph becomes a passage unchanged; its facts are the figures to which questions refer.

use std::collections::BTreeMap;

use super::figure::{self, FigureLocation};
use super::layout::{TatqaContext, TatqaTable};
use crate::value::TypedValue;
use crate::world::Passage;

/// The fact name of a passage's first figure; further ones are `figure_2` and so on.
pub const FIGURE: &str = "figure";

/// The labels of a table cell, for texts and queries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TatqaCellLabel {
    /// The label of the last row above that has no other content.
    pub section: String,
    pub row: String,
    pub column: String,
}

/// The passages of one context, and the passage and fact of each figure.
#[derive(Clone, Debug, Default)]
pub struct TatqaContextPassages {
    pub entity: String,
    pub passages: Vec<Passage>,
    pub labels: BTreeMap<FigureLocation, TatqaCellLabel>,
    /// Location -> index of the passage, fact name, value.
    pub figures: BTreeMap<FigureLocation, (usize, String, f64)>,
}

/// Creates the passages of a context; `places` are the spans in paragraphs to which questions refer.
pub fn context_passages(
    entity: &str,
    context: &TatqaContext,
    places: &[FigureLocation],
) -> TatqaContextPassages {
    let mut sheet =
        TatqaContextPassages { entity: entity.to_owned(), ..TatqaContextPassages::default() };
    add_cells(&context.table, &mut sheet);
    for paragraph in &context.paragraphs {
        let mut facts = BTreeMap::new();
        let mut stated: Vec<f64> = Vec::new();
        for place in places {
            let FigureLocation::Text { paragraph: order, start, end } = *place else { continue };
            if order != paragraph.order {
                continue;
            }
            let Some(value) = figure::figure_in_text(&paragraph.text, start..end) else { continue };
            // The same figure may be referred to by several spans; it is one fact.
            let at = stated.iter().position(|v| *v == value).unwrap_or_else(|| {
                stated.push(value);
                stated.len() - 1
            });
            let field = if at == 0 { FIGURE.to_owned() } else { format!("{FIGURE}_{}", at + 1) };
            facts.insert(field.clone(), TypedValue::Number(value));
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

fn add_cells(table: &TatqaTable, sheet: &mut TatqaContextPassages) {
    let rows = &table.table;
    // The header is the first row and all rows directly below it without a label.
    let unlabelled = rows
        .iter()
        .skip(1)
        .take_while(|row| row.first().is_none_or(|label| label.trim().is_empty()));
    let header = 1 + unlabelled.count();
    let mut section = String::new();
    for (r, row) in rows.iter().enumerate().skip(header) {
        let label = collapse_spaces(row.first().map_or("", String::as_str));
        if row.iter().skip(1).all(|cell| cell.trim().is_empty()) {
            section = label.trim_end_matches(':').to_owned();
            continue;
        }
        for (c, cell) in row.iter().enumerate().skip(1) {
            if cell.trim().is_empty() {
                continue;
            }
            let heads = rows.iter().take(header).filter_map(|head| head.get(c));
            let heads: Vec<String> =
                heads.map(|h| collapse_spaces(h)).filter(|h| !h.is_empty()).collect();
            let name = TatqaCellLabel {
                section: section.clone(),
                row: label.clone(),
                column: heads.join(" "),
            };
            let before = [&name.section, &name.row, &name.column];
            let before: Vec<&str> =
                before.into_iter().map(String::as_str).filter(|t| !t.is_empty()).collect();
            let place = FigureLocation::Cell { row: r, column: c };
            let mut facts = BTreeMap::new();
            if let Some(value) = figure::figure_in_cell(cell) {
                facts.insert(FIGURE.to_owned(), TypedValue::Number(value));
                sheet.figures.insert(place, (sheet.passages.len(), FIGURE.to_owned(), value));
            }
            sheet.passages.push(Passage {
                id: format!("{}.r{r}c{c}", sheet.entity),
                text: format!("{}: {}", before.join(", "), collapse_spaces(cell)),
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
fn collapse_spaces(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
