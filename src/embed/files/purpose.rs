//! The purpose of a model directory: vectors of texts, or scores of pairs.

use std::path::Path;

use serde_json::Value;

use super::model_directory::{self, MAX_JSON_BYTES, parse};

/// The purpose for which a directory is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadPurpose {
    /// Vectors of texts, or of tokens.
    Vectors,
    /// Scores of pairs, by a cross-encoder.
    Scores,
}

/// The purpose of a model directory, according to its own files.
pub fn detect_purpose(dir: &Path) -> LoadPurpose {
    let scores = read_json(dir, "config_sentence_transformers.json")
        .is_some_and(|settings| settings["model_type"] == "CrossEncoder")
        // Most cross-encoders have no such file, or one without a type; their class then decides.
        || read_json(dir, "config.json").is_some_and(|config| {
            let class = config["architectures"][0].as_str().unwrap_or_default();
            class.ends_with("ForSequenceClassification")
        });
    if scores { LoadPurpose::Scores } else { LoadPurpose::Vectors }
}

fn read_json(dir: &Path, name: &str) -> Option<Value> {
    parse(name, &model_directory::read(&dir.join(name), MAX_JSON_BYTES).ok()??).ok()
}
