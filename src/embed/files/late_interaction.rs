//! The settings of late-interaction models: PyLate's in config_sentence_transformers.json, or those of Stanford's
//! ColBERT in artifact.metadata.
//!
//! A query is padded to its length with mask tokens, which take part in the score but are not attended to by the other
//! tokens (Khattab and Zaharia, "ColBERT", SIGIR 2020, section 3.2). A marker follows the first token of either text.
//! Punctuation in passages is attended to but not compared.

use serde_json::Value;

use super::known_settings::{self, PYLATE};
use super::model_directory::ModelDirectory;
use super::settings::{self, DirectoryFaults, SettingReader};

/// The default of both PyLate and Stanford's ColBERT.
const QUERY_LENGTH: usize = 32;
/// The default of both PyLate and Stanford's ColBERT.
const PASSAGE_LENGTH: usize = 180;
/// Python's `string.punctuation`.
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// How texts are prepared for late interaction.
#[derive(Clone, Debug, PartialEq)]
pub struct LateInteraction {
    /// The marker token of queries; empty for none.
    pub query_marker: String,
    /// The marker token of passages; empty for none.
    pub passage_marker: String,
    /// Maximum tokens of a query, including marker and special tokens.
    pub query_length: usize,
    /// Maximum tokens of a passage, including marker and special tokens.
    pub passage_length: usize,
    /// Whether queries are padded with mask tokens.
    pub expands: bool,
    /// Whether the other tokens attend to the mask tokens.
    pub attends_to_expansion: bool,
    /// Words in passages that are not compared.
    pub skipped: Vec<String>,
    /// Whether this is a model of Stanford's ColBERT, whose projection is the tensor `linear.weight` in the
    /// transformer's file.
    pub stanford: bool,
}

impl LateInteraction {
    /// Reads the settings; `None` for a model without any.
    pub(super) fn read(
        source: &mut ModelDirectory,
        config: &Value,
        gives_tokens: bool,
        faults: &mut DirectoryFaults,
    ) -> anyhow::Result<Option<Self>> {
        if config["architectures"][0] == "HF_ColBERT" {
            return Ok(Some(read_stanford(source, faults)?));
        }
        const FILE: &str = "config_sentence_transformers.json";
        let json = source.json_unrecorded(FILE)?;
        if !gives_tokens
            || !json.as_ref().is_some_and(|json| PYLATE.iter().any(|key| json.get(key).is_some()))
        {
            return Ok(None);
        }
        let mut reader = SettingReader::new(FILE, json.as_ref(), faults);
        let expands = reader.flag("do_query_expansion").unwrap_or(true);
        let skipped = match reader.texts("skiplist_words") {
            Some(words) => words.into_iter().map(str::to_owned).collect(),
            None => punctuation(),
        };
        Ok(Some(Self {
            query_marker: reader.text("query_prefix").unwrap_or("[Q] ").to_owned(),
            passage_marker: reader.text("document_prefix").unwrap_or("[D] ").to_owned(),
            query_length: reader.count("query_length").unwrap_or(QUERY_LENGTH),
            passage_length: reader.count("document_length").unwrap_or(PASSAGE_LENGTH),
            expands,
            attends_to_expansion: expands
                && reader.flag("attend_to_expansion_tokens").unwrap_or(false),
            skipped,
            stanford: false,
        }))
    }
}

fn punctuation() -> Vec<String> {
    PUNCTUATION.chars().map(String::from).collect()
}

fn read_stanford(
    source: &mut ModelDirectory,
    faults: &mut DirectoryFaults,
) -> anyhow::Result<LateInteraction> {
    const FILE: &str = "artifact.metadata";
    let json = source.json(FILE)?;
    if let Some(json) = &json {
        settings::check(FILE, json, &[known_settings::COLBERT], faults);
    }
    let mut reader = SettingReader::new(FILE, json.as_ref(), faults);
    Ok(LateInteraction {
        query_marker: reader.text("query_token_id").unwrap_or("[unused0]").to_owned(),
        passage_marker: reader.text("doc_token_id").unwrap_or("[unused1]").to_owned(),
        query_length: reader.count("query_maxlen").unwrap_or(QUERY_LENGTH),
        passage_length: reader.count("doc_maxlen").unwrap_or(PASSAGE_LENGTH),
        expands: true,
        attends_to_expansion: reader.flag("attend_to_mask_tokens").unwrap_or(false),
        skipped: match reader.flag("mask_punctuation").unwrap_or(true) {
            true => punctuation(),
            false => Vec::new(),
        },
        stanford: true,
    })
}
