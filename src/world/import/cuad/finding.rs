//! Findings: what the import could not use unchanged.

use serde::Serialize;

/// An item of the data set that the import could not use unchanged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CuadFinding {
    pub kind: CuadFindingKind,
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
pub enum CuadFindingKind {
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

impl CuadFindingKind {
    /// A description for the terminal.
    pub fn description(self) -> &'static str {
        match self {
            CuadFindingKind::FileMissing => "contracts without their text on disk (left out)",
            CuadFindingKind::TextNotListed => "texts on disk that no row names (left out)",
            CuadFindingKind::NotUtf8 => "texts with bytes that are not UTF-8",
            CuadFindingKind::ListUnreadable => "cells that are not a list of texts",
            CuadFindingKind::TextNotLocated => "clause texts not located",
            CuadFindingKind::AnswerUnclear => "answers that are not a single value",
            CuadFindingKind::AnswerAbsent => "clauses without an answer",
            CuadFindingKind::AnswerDenies => "clauses whose answer is No",
            CuadFindingKind::TextAbsent => "answers without a clause",
        }
    }
}
