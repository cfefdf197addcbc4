//! Reports which questions became tasks and which did not, by shape and as single findings.

use std::collections::BTreeMap;

use serde::Serialize;

use super::TatqaImport;
use super::derivation::SHAPES;
use super::layout::TatqaQuestion;
use crate::world::import::report_csv;

/// A question that did not become a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TatqaFinding {
    pub kind: TatqaFindingKind,
    pub report: String,
    pub id: String,
    pub question: String,
    pub why: String,
}

impl TatqaFinding {
    pub fn new(
        question: &TatqaQuestion,
        report: &str,
        kind: TatqaFindingKind,
        why: String,
    ) -> TatqaFinding {
        TatqaFinding {
            kind,
            report: report.to_owned(),
            id: question.uid.clone(),
            question: question.question.clone(),
            why,
        }
    }
}

/// The category of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TatqaFindingKind {
    /// The file does not state where the figures are.
    NoMapping,
    AnswerNoNumber,
    DerivationUnreadable,
    /// There is no figure at the mapped location.
    FigureNotLocated,
    /// The figure at the mapped location has another value.
    FigureDiffers,
    /// The derivation does not give the answer.
    AnswerDiffers,
    /// The answer follows, but the scenario cannot compute it: another shape, or a paragraph with several figures.
    NotInScenario,
}

impl TatqaFindingKind {
    /// A description for the terminal.
    pub fn description(self) -> &'static str {
        match self {
            TatqaFindingKind::NoMapping => "without a mapping to cells or paragraphs",
            TatqaFindingKind::AnswerNoNumber => "with an answer that is not a number",
            TatqaFindingKind::DerivationUnreadable => "with a derivation that cannot be read",
            TatqaFindingKind::FigureNotLocated => "with a figure that is not where it is mapped to",
            TatqaFindingKind::FigureDiffers => "with another figure where it is mapped to",
            TatqaFindingKind::AnswerDiffers => "whose derivation does not give the answer",
            TatqaFindingKind::NotInScenario => {
                "whose answer follows, but the scenario cannot ask (another shape, or a paragraph with several figures)"
            }
        }
    }
}

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
