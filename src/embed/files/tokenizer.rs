//! Reads tokenizer.json and applies the settings of tokenizer_config.json, special_tokens_map.json and
//! added_tokens.json to it.

use anyhow::Context;
use serde_json::{Value, json};

use super::known_settings;
use super::model_directory::{MAX_JSON_BYTES, ModelDirectory};
use super::settings::{self, DirectoryFaults, SettingReader};

const CONFIG: &str = "tokenizer_config.json";

/// The tokenizer files of a model, merged.
#[derive(Debug, Default)]
pub struct TokenizerFiles {
    /// tokenizer.json with the settings of tokenizer_config.json applied.
    pub json: Vec<u8>,
    /// The maximum number of tokens per text, including special tokens.
    pub max_tokens: Option<usize>,
    /// Whether a text that is too long is truncated at its beginning.
    pub truncates_start: bool,
    /// The mask token, if the files name one.
    pub mask: Option<String>,
    /// Tokens that the tokenizer must have under these ids.
    pub expected_ids: Vec<(String, u32)>,
    /// The token for words outside the vocabulary.
    pub unknown: UnknownToken,
}

/// The unknown token, by its text or its id.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum UnknownToken {
    #[default]
    None,
    Token(String),
    Id(u32),
}

impl TokenizerFiles {
    /// `at` is the folder of the model's first module: empty, or with a trailing `/`.
    pub fn read(
        source: &mut ModelDirectory,
        at: &str,
        faults: &mut DirectoryFaults,
    ) -> anyhow::Result<Self> {
        let bytes = super::model_directory::read(
            &source.path(&format!("{at}tokenizer.json")),
            MAX_JSON_BYTES,
        )?;
        let bytes = bytes.with_context(|| format!("{at}tokenizer.json is missing"))?;
        let mut tokenizer = super::model_directory::parse(&format!("{at}tokenizer.json"), &bytes)?;
        settings::check("tokenizer.json", &tokenizer, &[known_settings::TOKENIZER_PARTS], faults);
        let config = source.json(&format!("{at}{CONFIG}"))?;
        let special = source.json(&format!("{at}special_tokens_map.json"))?;
        if let Some(json) = &config {
            settings::check(CONFIG, json, &[known_settings::TOKENIZER], faults);
        }
        if let Some(json) = &special {
            settings::check(
                "special_tokens_map.json",
                json,
                &[known_settings::SPECIAL_TOKENS_MAP],
                faults,
            );
        }
        let mut files = Self { unknown: unknown_token(&tokenizer), ..Self::default() };
        let direction = tokenizer["truncation"]["direction"].as_str().unwrap_or("Right");
        files.truncates_start = direction == "Left";
        files.mask = [&config, &special].into_iter().flatten().find_map(|json| {
            let token = json.get("mask_token")?;
            token.as_str().or_else(|| token.get("content")?.as_str()).map(str::to_owned)
        });

        let mut reader = SettingReader::new(CONFIG, config.as_ref(), faults);
        files.max_tokens = reader.count("model_max_length");
        match reader.text("truncation_side") {
            None => {}
            Some("left") => files.truncates_start = true,
            Some("right") => files.truncates_start = false,
            Some(other) => reader.fault(format!("`truncation_side` is {other}, not left or right")),
        }
        let changed = apply_normalizer_settings(&mut tokenizer, config.as_ref(), &mut reader);
        if let Some(wanted) = reader.flag("add_prefix_space")
            && let Some(found) = byte_level_prefix(&tokenizer["pre_tokenizer"])
            && wanted != found
        {
            reader
                .fault(format!("`add_prefix_space` is {wanted}, and tokenizer.json says {found}"));
        }
        if let Some(added) = config.as_ref().and_then(|c| c.get("added_tokens_decoder")) {
            for (id, token) in added.as_object().into_iter().flatten() {
                match (id.parse(), token.get("content").and_then(Value::as_str)) {
                    (Ok(id), Some(content)) => files.expected_ids.push((content.to_owned(), id)),
                    _ => reader.fault(format!("`added_tokens_decoder` cannot be read at `{id}`")),
                }
            }
        }
        if let Some(added) = source.json(&format!("{at}added_tokens.json"))? {
            for (token, id) in added.as_object().into_iter().flatten() {
                match id.as_u64().and_then(|id| u32::try_from(id).ok()) {
                    Some(id) => files.expected_ids.push((token.clone(), id)),
                    None => faults.add(format!("added_tokens.json: the id of `{token}` is {id}")),
                }
            }
        }
        files.json = if changed { serde_json::to_vec(&tokenizer)? } else { bytes };
        Ok(files)
    }
}

/// Applies `do_lower_case`, `strip_accents` and `tokenize_chinese_chars` to the normalizer of tokenizer.json, as BERT's
/// tokenizer classes do. Returns whether anything changed.
fn apply_normalizer_settings(
    tokenizer: &mut Value,
    config: Option<&Value>,
    reader: &mut SettingReader,
) -> bool {
    const SETTINGS: [(&str, &str); 3] = [
        ("do_lower_case", "lowercase"),
        ("strip_accents", "strip_accents"),
        ("tokenize_chinese_chars", "handle_chinese_chars"),
    ];
    let class = config.and_then(|c| c.get("tokenizer_class")).and_then(Value::as_str);
    // The generic classes use tokenizer.json unchanged.
    if matches!(class, Some("PreTrainedTokenizerFast" | "TokenizersBackend")) {
        return false;
    }
    let mut changed = false;
    let normalizer = &mut tokenizer["normalizer"];
    if normalizer["type"] == "BertNormalizer" {
        for (key, field) in SETTINGS {
            if let Some(wanted) = reader.flag(key)
                && normalizer[field] != json!(wanted)
            {
                normalizer[field] = json!(wanted);
                changed = true;
            }
        }
    } else if let Some(wanted) = reader.flag("do_lower_case") {
        let lowers = normalizer.to_string().contains("\"Lowercase\"")
            || normalizer.to_string().contains("\"lowercase\":true");
        if wanted != lowers {
            reader.fault(format!(
                "`do_lower_case` is {wanted}, and the normalizer of tokenizer.json {} texts",
                if lowers { "lowers" } else { "does not lower" }
            ));
        }
    }
    changed
}

/// The `add_prefix_space` setting of the byte-level pre-tokenizer, if there is one.
fn byte_level_prefix(pre_tokenizer: &Value) -> Option<bool> {
    if pre_tokenizer["type"] == "ByteLevel" {
        return pre_tokenizer["add_prefix_space"].as_bool();
    }
    pre_tokenizer["pretokenizers"].as_array()?.iter().find_map(byte_level_prefix)
}

fn unknown_token(tokenizer: &Value) -> UnknownToken {
    let model = &tokenizer["model"];
    if let Some(id) = model["unk_id"].as_u64().and_then(|id| u32::try_from(id).ok()) {
        return UnknownToken::Id(id);
    }
    match model["unk_token"].as_str() {
        Some(token) => UnknownToken::Token(token.to_owned()),
        None => UnknownToken::None,
    }
}
