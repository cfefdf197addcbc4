//! Reads the settings of sentence-transformers: sentence_bert_config.json, and the prompts, similarity and truncation in
//! config_sentence_transformers.json.

use serde_json::Value;

use super::known_settings;
use super::model_directory::ModelDirectory;
use super::modules::ModulePipeline;
use super::purpose::LoadPurpose;
use super::settings::{DirectoryFaults, SettingReader, abbreviated, check};
use crate::embed::VectorSimilarity;

/// The maximum number of tokens and whether to lowercase texts, from sentence_bert_config.json or its variants.
pub fn read_sentence_bert(
    source: &mut ModelDirectory,
    at: &str,
    purpose: LoadPurpose,
    faults: &mut DirectoryFaults,
) -> anyhow::Result<(Option<usize>, bool)> {
    for name in known_settings::SENTENCE_BERT_NAMES {
        let path = format!("{at}{name}");
        let Some(json) = source.json(&path)? else { continue };
        // Like sentence-transformers, ignore an empty file and look for the next one.
        if json.as_object().is_some_and(serde_json::Map::is_empty) {
            continue;
        }
        check(&path, &json, &[known_settings::SENTENCE_BERT], faults);
        let modalities = json.get("modality_config").and_then(Value::as_object);
        let mut reader = SettingReader::new(&path, Some(&json), faults);
        let task = reader.text("transformer_task").unwrap_or("feature-extraction");
        let expected = match purpose {
            LoadPurpose::Vectors => "feature-extraction",
            LoadPurpose::Scores => "sequence-classification",
        };
        if task != expected && reader.is_set("transformer_task") {
            reader
                .fault(format!("`transformer_task` is {task}; here only {expected} is supported"));
        }
        for (modality, settings) in modalities.into_iter().flatten() {
            let usual = settings.get("method").is_none_or(|m| m == "forward")
                && settings.get("method_output_name").is_none_or(|name| {
                    name.is_null() || name == "last_hidden_state" || name == "logits"
                })
                && settings.as_object().is_some_and(|settings| {
                    settings.keys().all(|key| key == "method" || key == "method_output_name")
                });
            if modality != "text" || !usual {
                let found = abbreviated(settings);
                reader.fault(format!(
                    "`modality_config` has {modality}: {found}; only plain text is supported"
                ));
            }
        }
        return Ok((reader.count("max_seq_length"), reader.flag("do_lower_case").unwrap_or(false)));
    }
    Ok((None, false))
}

/// The settings in config_sentence_transformers.json.
#[derive(Debug, Default)]
pub struct SentenceSettings {
    /// The prompt of queries; empty if there is none.
    pub query: String,
    /// The prompt of passages; empty if there is none.
    pub passage: String,
    pub similarity: VectorSimilarity,
    pub truncate_dim: Option<usize>,
}

impl SentenceSettings {
    pub fn read(
        source: &mut ModelDirectory,
        purpose: LoadPurpose,
        pipeline: &ModulePipeline,
        faults: &mut DirectoryFaults,
    ) -> anyhow::Result<Self> {
        const FILE: &str = "config_sentence_transformers.json";
        let Some(json) = source.json(FILE)? else { return Ok(Self::default()) };
        let tokens = purpose == LoadPurpose::Vectors && pipeline.pooling.is_none();
        let of_purpose = match purpose {
            LoadPurpose::Scores => known_settings::CROSS_ENCODER_SETTINGS,
            LoadPurpose::Vectors if tokens => known_settings::PYLATE_SETTINGS,
            LoadPurpose::Vectors => &[],
        };
        check(FILE, &json, &[known_settings::SENTENCE_TRANSFORMERS, of_purpose], faults);
        let mut reader = SettingReader::new(FILE, Some(&json), faults);
        let model_type = reader.text("model_type");
        let expected: &[&str] = match purpose {
            LoadPurpose::Scores => &["CrossEncoder"],
            LoadPurpose::Vectors if tokens => &["SentenceTransformer", "ColBERT"],
            LoadPurpose::Vectors => &["SentenceTransformer"],
        };
        if let Some(found) = model_type.filter(|found| !expected.contains(found)) {
            reader.fault(format!(
                "`model_type` is {found}; here {} is supported",
                expected.join(" or ")
            ));
        }
        let mut similarity = VectorSimilarity::Cosine;
        match reader.text("similarity_fn_name") {
            None | Some("cosine") => {}
            Some("dot" | "dot_product") if !tokens => similarity = VectorSimilarity::Dot,
            // MaxSim is computed as a mean over the query's tokens, not a sum; the ranking is the same.
            Some("MaxSim" | "maxsim") if tokens => {}
            Some(other) => reader.fault(format!(
                "`similarity_fn_name` is {other}; cosine and dot are supported, and MaxSim of token vectors"
            )),
        }
        let mut prompts = Vec::new();
        match json.get("prompts") {
            None | Some(Value::Null) => {}
            Some(Value::Object(texts)) => {
                for (name, text) in texts {
                    match text {
                        Value::String(text) => prompts.push((name.as_str(), text.as_str())),
                        Value::Null => {}
                        _ => reader.fault(format!(
                            "the prompt `{name}` is {}, not a text",
                            abbreviated(text)
                        )),
                    }
                }
            }
            Some(other) => {
                reader.fault(format!("`prompts` is {}, not texts by name", abbreviated(other)))
            }
        }
        let default = reader.text("default_prompt_name");
        if let Some(name) = default.filter(|name| prompt(&prompts, name).is_none()) {
            reader.fault(format!("`default_prompt_name` is {name}, which is not among `prompts`"));
        }
        let default = default.and_then(|name| prompt(&prompts, name));
        Ok(Self {
            query: first_prompt(&prompts, &["query"], default),
            passage: first_prompt(&prompts, &["document", "passage", "corpus"], default),
            similarity,
            truncate_dim: reader.count("truncate_dim"),
        })
    }
}

/// The prompt of this name.
fn prompt<'a>(prompts: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    prompts.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// The first of these prompts that is not empty, otherwise the default. sentence-transformers saves empty `query` and
/// `document` prompts; these do not override the default.
fn first_prompt(prompts: &[(&str, &str)], names: &[&str], default: Option<&str>) -> String {
    let own = names.iter().filter_map(|name| prompt(prompts, name)).find(|text| !text.is_empty());
    own.or(default).unwrap_or_default().to_owned()
}
