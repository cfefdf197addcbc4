//! What an import holds: passages, questions that can be asked, and findings.

use std::collections::BTreeMap;

use super::finding::TatqaFinding;
use super::questions::ArithmeticQuestion;
use crate::world::Passage;

/// An imported file.
#[derive(Clone, Debug, Default)]
pub struct TatqaImport {
    pub contexts: usize,
    pub passages: Vec<Passage>,
    /// The number of questions in the file by answer type.
    pub questions: BTreeMap<String, usize>,
    /// Number of arithmetic questions with mappings.
    pub mapped_questions: usize,
    /// The questions whose answers follow from the figures in their gold passages.
    pub arithmetic: Vec<ArithmeticQuestion>,
    pub findings: Vec<TatqaFinding>,
}

impl TatqaImport {
    /// The questions that the scenario can ask.
    pub fn tasks(&self) -> impl Iterator<Item = &ArithmeticQuestion> {
        self.arithmetic.iter().filter(|a| a.reason_not_a_task().is_none())
    }
}
