//! Reports what was located and read and what was not, by clause type and as single findings.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::Import;
use super::answer::Answer;
use crate::world::import::sheet;

/// An item of the data set that the import could not use unchanged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    pub kind: Kind,
    /// The contract's file name in the table; for a text that no row names, the name of the text file.
    pub file: String,
    pub clause_type: String,
    /// The text that was not found or not understood.
    pub found: String,
    pub why: String,
}

/// The category of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A row without a text file; the contract is left out.
    FileMissing,
    /// A text file without a row; it is left out.
    TextNotListed,
    NotUtf8,
    /// A cell that is not a list of texts.
    ListUnreadable,
    /// A clause text that is missing from its contract, completely or in part.
    TextNotLocated,
    /// An answer that is not a single value.
    AnswerUnclear,
    /// A clause without an answer.
    AnswerAbsent,
    /// A clause whose answer is No.
    AnswerDenies,
    /// An answer without a clause.
    TextAbsent,
}

impl Kind {
    /// A description for the terminal.
    pub fn words(self) -> &'static str {
        match self {
            Kind::FileMissing => "contracts without their text on disk (left out)",
            Kind::TextNotListed => "texts on disk that no row names (left out)",
            Kind::NotUtf8 => "texts with bytes that are not UTF-8",
            Kind::ListUnreadable => "cells that are no list of texts",
            Kind::TextNotLocated => "clause texts not located",
            Kind::AnswerUnclear => "answers that are no single value",
            Kind::AnswerAbsent => "clauses without an answer",
            Kind::AnswerDenies => "clauses whose answer is No",
            Kind::TextAbsent => "answers without a clause",
        }
    }
}

/// One line of the report, for a clause type or for the total.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    pub clause_type: String,
    pub field: String,
    #[serde(rename = "type")]
    pub value_type: String,
    /// Number of contracts for which the table has at least one text of the type.
    pub contracts: usize,
    pub texts_located: usize,
    pub texts_not_located: usize,
    /// Number of non-empty answers (including `No`) that became a typed value.
    pub answers_normalised: usize,
    /// Number of non-empty answers that did not become a typed value.
    pub answers_not_normalised: usize,
    /// Number of chunks that contain a clause of the type.
    pub passages: usize,
}

/// One row per clause type in the order of the table, then `total`, whose `contracts` counts all imported ones.
pub fn rows(import: &Import) -> Vec<Row> {
    let mut total = Row {
        clause_type: "total".to_owned(),
        contracts: import.contracts.len(),
        ..Row::default()
    };
    let mut rows = Vec::new();
    for (i, ty) in import.types.iter().enumerate() {
        let mut row = Row {
            clause_type: ty.name.clone(),
            field: ty.field.clone(),
            value_type: ty.form.value_type().to_string(),
            ..Row::default()
        };
        for clause in import.contracts.iter().map(|contract| &contract.clauses[i]) {
            row.contracts += usize::from(clause.texts > 0);
            row.texts_located += clause.located;
            row.texts_not_located += clause.texts - clause.located;
            row.answers_normalised += usize::from(matches!(clause.answer, Answer::Value(_)));
            row.answers_not_normalised += usize::from(matches!(clause.answer, Answer::Unclear(_)));
            row.passages += clause.chunks.len();
        }
        total.texts_located += row.texts_located;
        total.texts_not_located += row.texts_not_located;
        total.answers_normalised += row.answers_normalised;
        total.answers_not_normalised += row.answers_not_normalised;
        rows.push(row);
    }
    // A chunk with clauses of several types is one passage, so the column's sum would count it more than once.
    let labelled = super::passages::passages(import, false).filter(|p| p.attribute.is_some());
    total.passages = labelled.count();
    rows.push(total);
    rows
}

/// `import_report.csv`.
pub fn csv(rows: &[Row]) -> anyhow::Result<Vec<u8>> {
    sheet::rows(rows)
}

/// `import_findings.csv`.
pub fn findings_csv(findings: &[Finding]) -> anyhow::Result<Vec<u8>> {
    sheet::findings(["kind", "file", "clause_type", "found", "why"], findings, |finding| {
        finding.kind
    })
}

/// The report as a table for the terminal.
pub fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "clause type",
        "contracts",
        "texts located",
        "not located",
        "answers read",
        "not read",
        "passages",
    ]);
    for row in rows {
        table.add_row([
            row.clause_type.clone(),
            row.contracts.to_string(),
            row.texts_located.to_string(),
            row.texts_not_located.to_string(),
            row.answers_normalised.to_string(),
            row.answers_not_normalised.to_string(),
            row.passages.to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// Findings by kind: names all contracts that were left out, and the first few findings of the other kinds. The
/// complete list is in `import_findings.csv`.
pub fn findings_text(findings: &[Finding]) -> String {
    const NAMED: usize = 12;
    let mut kinds: BTreeMap<Kind, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        kinds.entry(finding.kind).or_default().push(finding);
    }
    let mut text = String::new();
    for (kind, found) in kinds {
        text.push_str(&format!("{} {}\n", found.len(), kind.words()));
        let named = match kind {
            Kind::FileMissing | Kind::TextNotListed => found.len(),
            _ => NAMED,
        };
        for finding in found.iter().take(named) {
            let parts = [&finding.clause_type, &finding.found, &finding.file];
            let parts: Vec<String> =
                parts.into_iter().filter(|p| !p.is_empty()).map(|p| shortened(p)).collect();
            text.push_str(&format!("  {}\n", parts.join(" | ")));
        }
        if found.len() > named {
            text.push_str(&format!("  and {} more\n", found.len() - named));
        }
    }
    text
}

fn shortened(text: &str) -> String {
    const LENGTH: usize = 60;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
