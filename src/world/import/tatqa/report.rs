//! Reports which questions became tasks and which did not, by shape and as single findings.

use std::collections::BTreeMap;

use serde::Serialize;

use super::derivation::SHAPES;
pub use super::finding::{TatqaFinding, TatqaFindingKind};
use super::imported::TatqaImport;
use crate::world::import::report_csv;

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TatqaReportRow {
    /// A derivation shape, `other`, or `total`.
    pub shape: String,
    pub formula: String,
    /// Number of questions whose answer follows from the figures in their gold passages.
    pub reproduced: usize,
    /// Number of them that the scenario asks.
    pub tasks: usize,
}

/// One row per shape, then `other` and `total`.
pub fn rows(import: &TatqaImport) -> Vec<TatqaReportRow> {
    let mut rows: Vec<TatqaReportRow> = SHAPES
        .iter()
        .map(|(name, formula, _)| report_row(import, name, formula, &|shape| shape == Some(*name)))
        .collect();
    rows.push(report_row(import, "other", "", &|shape| shape.is_none()));
    rows.push(report_row(import, "total", "", &|_| true));
    rows
}

fn report_row(
    import: &TatqaImport,
    shape: &str,
    formula: &str,
    wanted: &dyn Fn(Option<&str>) -> bool,
) -> TatqaReportRow {
    let reproduced = import.arithmetic.iter().filter(|a| wanted(a.derivation.shape())).count();
    let tasks = import.tasks().filter(|a| wanted(a.derivation.shape())).count();
    TatqaReportRow { shape: shape.to_owned(), formula: formula.to_owned(), reproduced, tasks }
}

/// `import_report.csv`.
pub fn csv(rows: &[TatqaReportRow]) -> anyhow::Result<Vec<u8>> {
    report_csv::rows_csv(rows)
}

/// `import_findings.csv`.
pub fn findings_csv(findings: &[TatqaFinding]) -> anyhow::Result<Vec<u8>> {
    report_csv::findings_csv(["kind", "report", "id", "question", "why"], findings, |finding| {
        finding.kind
    })
}

/// The summary that is shown in the terminal.
pub fn summary(import: &TatqaImport) -> String {
    let questions: Vec<String> =
        import.questions.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    let mut text = format!(
        "{} contexts, {} passages; questions: {}\n",
        import.contexts,
        import.passages.len(),
        questions.join(", ")
    );
    text.push_str(&format!(
        "{} of {} arithmetic questions with mappings follow from what their gold passages state\n",
        import.arithmetic.len(),
        import.mapped_questions
    ));
    for TatqaReportRow { shape, formula, reproduced, tasks } in rows(import) {
        text.push_str(&format!(
            "  {shape:<15} {formula:<18} {reproduced:>4}, {tasks:>4} as tasks\n"
        ));
    }
    let mut kinds: BTreeMap<TatqaFindingKind, usize> = BTreeMap::new();
    for finding in &import.findings {
        *kinds.entry(finding.kind).or_default() += 1;
    }
    for (kind, count) in kinds {
        text.push_str(&format!("{count} {}\n", kind.description()));
    }
    text
}
