//! Reads the file in the authors' layout: a JSON list of contexts.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::input_file;

/// A table with the paragraphs around it and the questions about them.
#[derive(Clone, Debug, Deserialize)]
pub struct TatqaContext {
    pub table: TatqaTable,
    pub paragraphs: Vec<TatqaParagraph>,
    pub questions: Vec<TatqaQuestion>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct TatqaTable {
    pub uid: String,
    pub table: Vec<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct TatqaParagraph {
    /// From 1; mappings refer to a paragraph by this number.
    pub order: usize,
    pub text: String,
}

/// A question. The fields from `tree_derivation` on exist only in `test_gold`.
#[derive(Clone, Debug, Deserialize)]
pub struct TatqaQuestion {
    pub uid: String,
    pub question: String,
    pub answer: serde_json::Value,
    pub answer_type: String,
    /// The unit of the answer: `thousand`, `million`, `percent`, or empty.
    pub scale: String,
    /// The derivation in prefix order.
    #[serde(default)]
    pub tree_derivation: Vec<String>,
    /// The figures that the derivation uses, without repetition.
    #[serde(default)]
    pub facts: Vec<String>,
    /// The location of each fact, in the same order.
    #[serde(default)]
    pub mappings: Vec<BTreeMap<String, Vec<usize>>>,
}

/// Reads the file. The error names the first deviation from the authors' layout.
pub fn read(file: &Path) -> anyhow::Result<Vec<TatqaContext>> {
    let text = input_file::read_text(file)?;
    let contexts: Vec<TatqaContext> = serde_json::from_str(&text)
        .with_context(|| format!("{} does not have the layout of TAT-QA", file.display()))?;
    if contexts.is_empty() {
        bail!("{}: no context in the file", file.display());
    }
    Ok(contexts)
}
