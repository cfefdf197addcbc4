//! Findings: questions that did not become tasks.

use serde::Serialize;

use super::layout::TatqaQuestion;

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
