//! Reports what was located and read and what was not, by clause type and as single findings.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::answer::CuadAnswer;
pub use super::finding::{CuadFinding, CuadFindingKind};
use super::imported::CuadImport;
use super::passages::passages;
use crate::world::import::report_csv;

/// One line of the report, for a clause type or for the total.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CuadReportRow {
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
pub fn rows(import: &CuadImport) -> Vec<CuadReportRow> {
    let mut total = CuadReportRow {
        clause_type: "total".to_owned(),
        contracts: import.contracts.len(),
        ..CuadReportRow::default()
    };
    let mut rows = Vec::new();
    for (i, ty) in import.types.iter().enumerate() {
        let mut row = CuadReportRow {
            clause_type: ty.name.clone(),
            field: ty.field.clone(),
            value_type: ty.answer_form.value_type().to_string(),
            ..CuadReportRow::default()
        };
        for clause in import.contracts.iter().map(|contract| &contract.clauses[i]) {
            row.contracts += usize::from(clause.texts > 0);
            row.texts_located += clause.located;
            row.texts_not_located += clause.texts - clause.located;
            row.answers_normalised += usize::from(matches!(clause.answer, CuadAnswer::Value(_)));
            row.answers_not_normalised +=
                usize::from(matches!(clause.answer, CuadAnswer::Unclear(_)));
            row.passages += clause.chunks.len();
        }
        total.texts_located += row.texts_located;
        total.texts_not_located += row.texts_not_located;
        total.answers_normalised += row.answers_normalised;
        total.answers_not_normalised += row.answers_not_normalised;
        rows.push(row);
    }
    // A chunk with clauses of several types is one passage, so the column's sum would count it more than once.
    let labelled = passages(import, false).filter(|p| p.attribute.is_some());
    total.passages = labelled.count();
    rows.push(total);
    rows
}

/// `import_report.csv`.
pub fn csv(rows: &[CuadReportRow]) -> anyhow::Result<Vec<u8>> {
    report_csv::rows_csv(rows)
}

/// `import_findings.csv`.
pub fn findings_csv(findings: &[CuadFinding]) -> anyhow::Result<Vec<u8>> {
    report_csv::findings_csv(["kind", "file", "clause_type", "found", "why"], findings, |finding| {
        finding.kind
    })
}

/// The report as a table for the terminal.
pub fn table(rows: &[CuadReportRow]) -> String {
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
pub fn findings_text(findings: &[CuadFinding]) -> String {
    const NAMED: usize = 12;
    let mut kinds: BTreeMap<CuadFindingKind, Vec<&CuadFinding>> = BTreeMap::new();
    for finding in findings {
        kinds.entry(finding.kind).or_default().push(finding);
    }
    let mut text = String::new();
    for (kind, found) in kinds {
        text.push_str(&format!("{} {}\n", found.len(), kind.description()));
        let named = match kind {
            CuadFindingKind::FileMissing | CuadFindingKind::TextNotListed => found.len(),
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
