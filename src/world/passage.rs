//! Passages: the units of retrieval, one JSON object a line.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::extract::Found;
use crate::value::{Type, Value};

/// How a passage differs from the one it is a near-miss of ([`Passage::of`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    Negation,
    RoleSwap,
    Number,
    Version,
    Binding,
}

/// A unit of retrieval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passage {
    pub id: String,
    pub text: String,
    /// What the passage is about: which contract, which row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// Which clause type, which column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// What the passage states: field -> value. A scenario's extractors add what they read in the text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, Value>,
    /// The id of the passage that this one is a variant of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Variant>,
}

/// The passages of one file, in file order, with distinct ids.
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    pub name: String,
    pub passages: Vec<Passage>,
    /// Field -> by passage, the bytes of its text that state the field; only where an extractor read it.
    pub extracted: BTreeMap<String, Vec<Option<Range<usize>>>>,
}

impl Corpus {
    /// Reads a JSONL file. The error names file, line and what is wrong.
    pub fn read(name: &str, path: &Path) -> anyhow::Result<Corpus> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the passages in {}", path.display()))?;
        Corpus::parse(name, &text).with_context(|| format!("in {}", path.display()))
    }

    /// Parses JSONL text; see [`Corpus::read`].
    pub fn parse(name: &str, text: &str) -> anyhow::Result<Corpus> {
        let mut passages: Vec<Passage> = Vec::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut types: BTreeMap<String, (Type, usize)> = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if line.trim().is_empty() {
                continue;
            }
            let passage: Passage =
                serde_json::from_str(line).with_context(|| format!("line {number}"))?;
            if let Some(first) = seen.insert(passage.id.clone(), number) {
                bail!("line {number}: the id '{}' stands on line {first} already", passage.id);
            }
            if passage.of.is_some() != passage.variant.is_some() {
                bail!("line {number}: 'of' and 'variant' go together: give both or neither");
            }
            for (field, value) in &passage.facts {
                let (ty, first) = *types.entry(field.clone()).or_insert((value.type_of(), number));
                if ty != value.type_of() {
                    bail!(
                        "line {number}: fact '{field}' is a {} here and a {ty} on line {first}; a field has one type",
                        value.type_of()
                    );
                }
            }
            passages.push(passage);
        }
        if passages.is_empty() {
            bail!("no passage in the file");
        }
        Ok(Corpus { name: name.to_owned(), passages, ..Corpus::default() })
    }

    /// Adds to the facts what was found in the texts, by passage. A fact that is there already stays.
    pub fn add_extracted(&mut self, field: &str, found: Vec<Option<Found>>) {
        let mut ranges = vec![None; self.passages.len()];
        for ((passage, range), found) in self.passages.iter_mut().zip(&mut ranges).zip(found) {
            if let (Some(found), false) = (found, passage.facts.contains_key(field)) {
                passage.facts.insert(field.to_owned(), found.value);
                *range = Some(found.range);
            }
        }
        self.extracted.insert(field.to_owned(), ranges);
    }

    /// The bytes of a passage's text from which an extractor read `field`.
    pub fn extracted_at(&self, field: &str, passage: usize) -> Option<Range<usize>> {
        self.extracted.get(field)?.get(passage)?.clone()
    }

    /// The fields that any passage states, with their types.
    pub fn fields(&self) -> BTreeMap<&str, Type> {
        let facts = self.passages.iter().flat_map(|p| &p.facts);
        facts.map(|(field, value)| (field.as_str(), value.type_of())).collect()
    }
}
