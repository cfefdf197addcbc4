//! Tokenization with the vocabulary of a GGUF file, or with a `tokenizer.json` in the same directory.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, anyhow, bail, ensure};
use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::gguf::{GgufHeader, GgufMetaValue};
use super::special_tokens::{ControlToken, ControlTokens, PromptPart};

/// Token types in a GGUF file.
const CONTROL: i128 = 3;
const USER_DEFINED: i128 = 4;

/// Tokens that end an answer, recognised by their text whether or not the file lists them as end tokens.
const END_TOKEN_TEXTS: [&str; 7] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end|>",
    "</s>",
];

/// Word-splitting patterns of the models' own tokenizers, by llama.cpp's names for them.
const WORDS_QWEN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const WORDS_LLAMA: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const KNOWN_PRETOKENIZERS: [&str; 6] =
    ["qwen2", "llama-bpe", "llama3", "smollm", "gpt-2", "deepseek-r1-qwen"];

/// A tokenizer with its special tokens.
pub struct GgufTokenizer {
    /// Knows no control token, so no text becomes one.
    tokenizer: Tokenizer,
    pub control: ControlTokens,
    pub vocabulary: usize,
    /// The token that is put before every text unless it is already there.
    begin_token: Option<u32>,
    /// The tokens that end an answer.
    pub end_tokens: Vec<u32>,
    /// The texts of the begin and end tokens, which chat templates use.
    pub begin_text: String,
    pub end_text: String,
}

impl GgufTokenizer {
    /// Builds the tokenizer from `tokenizer.json` beside `model`, or from the metadata.
    ///
    /// # Errors
    /// Missing metadata, or an unknown kind of tokenizer without a `tokenizer.json` beside the model.
    pub fn of(header: &GgufHeader, model: &Path) -> anyhow::Result<GgufTokenizer> {
        let tokens = header.texts("tokenizer.ggml.tokens")?;
        let (begin, end) = (
            token_id(header, "bos_token_id", tokens.len()),
            token_id(header, "eos_token_id", tokens.len()),
        );
        let mut ends: Vec<u32> = ["eos_token_id", "eot_token_id", "eom_token_id"]
            .into_iter()
            .filter_map(|key| token_id(header, key, tokens.len()))
            .collect();
        // Some files do not list all tokens that end an answer.
        let known = tokens.iter().enumerate().filter(|(_, token)| END_TOKEN_TEXTS.contains(*token));
        ends.extend(known.filter_map(|(id, _)| u32::try_from(id).ok()));
        ends.sort_unstable();
        ends.dedup();
        // Tokens that end or begin a text control the model, whatever kind the file gives them.
        let kinds = token_kinds(header);
        let is_control = |id: usize| {
            let listed = u32::try_from(id).is_ok_and(|id| ends.contains(&id) || begin == Some(id));
            listed || kinds.get(id) == Some(&CONTROL)
        };
        let mut control: Vec<ControlToken> = (0_u32..)
            .zip(&tokens)
            .filter(|(id, _)| is_control(*id as usize))
            .map(|(id, text)| ControlToken { text: (*text).to_owned(), id, strips: [false; 2] })
            .collect();
        let beside = model.with_file_name("tokenizer.json");
        let tokenizer = match beside.is_file() {
            true => {
                let bytes = crate::input_file::read(&beside)
                    .with_context(|| format!("cannot read {}", beside.display()))?;
                let mut json =
                    serde_json::from_slice(&bytes).with_context(|| beside.display().to_string())?;
                take_control_tokens(&mut json, &mut control);
                Tokenizer::from_bytes(written(json)?)
                    .map_err(|e| anyhow!("{}: {e}", beside.display()))?
            }
            false => {
                let json = tokenizer_json(header, &tokens, &is_control)?;
                Tokenizer::from_bytes(written(json)?)
                    .map_err(|e| anyhow!("the tokens of the file cannot be used: {e}"))?
            }
        };
        let of_words = header.text("tokenizer.ggml.model") == Some("llama");
        let adds = header.boolean("tokenizer.ggml.add_bos_token").unwrap_or(of_words);
        Ok(GgufTokenizer {
            tokenizer,
            control: ControlTokens::new(control),
            vocabulary: tokens.len(),
            begin_token: begin.filter(|_| adds),
            end_tokens: ends,
            begin_text: begin.map_or_else(String::new, |id| tokens[id as usize].to_owned()),
            end_text: end.map_or_else(String::new, |id| tokens[id as usize].to_owned()),
        })
    }

    /// The tokens of a rendered prompt, whose messages were protected by [`ControlTokens::protect`] with this mark.
    ///
    /// # Errors
    /// Errors of the tokenizer, and tokens that the model does not have.
    pub fn encode(&self, text: &str, mark: char) -> anyhow::Result<Vec<u32>> {
        let mut ids = Vec::new();
        for part in self.control.split(text, mark) {
            match part {
                PromptPart::Control(id) => ids.push(id),
                PromptPart::Text(text) => {
                    let encoding =
                        self.tokenizer.encode(text, false).map_err(|e| anyhow!("{e}"))?;
                    let found = encoding.get_ids().iter().find(|id| self.control.contains(**id));
                    if let Some(id) = found {
                        bail!("a text of the prompt becomes the control token {id}");
                    }
                    ids.extend_from_slice(encoding.get_ids());
                }
            }
        }
        if let Some(first) = self.begin_token.filter(|first| ids.first() != Some(first)) {
            ids.insert(0, first);
        }
        if let Some(beyond) = ids.iter().find(|id| **id as usize >= self.vocabulary) {
            bail!(
                "the token {beyond} is not among the {} of the model: its tokenizer.json is of another",
                self.vocabulary
            );
        }
        Ok(ids)
    }

    /// The text of an answer, without control tokens.
    ///
    /// # Errors
    /// Errors of the tokenizer.
    pub fn decode(&self, ids: &[u32]) -> anyhow::Result<String> {
        let ids: Vec<u32> = ids.iter().copied().filter(|id| !self.control.contains(*id)).collect();
        self.tokenizer.decode(&ids, true).map_err(|e| anyhow!("{e}"))
    }
}

/// The text of a JSON value, whose memory is free before the text is parsed: it is large.
fn written(json: Value) -> anyhow::Result<Vec<u8>> {
    Ok(serde_json::to_vec(&json)?)
}

/// The kind of each token, if the file says it.
fn token_kinds(header: &GgufHeader) -> Vec<i128> {
    let kinds = header.list("tokenizer.ggml.token_type").unwrap_or_default().iter();
    kinds.map(|kind| if let GgufMetaValue::Integer(n) = kind { *n } else { 1 }).collect()
}

/// Moves the control tokens of a `tokenizer.json` to `control`.
fn take_control_tokens(json: &mut Value, control: &mut Vec<ControlToken>) {
    let Some(added) = json["added_tokens"].as_array().cloned() else { return };
    let text = |token: &Value| token["content"].as_str().unwrap_or_default().to_owned();
    let (special, others): (Vec<Value>, Vec<Value>) = added.into_iter().partition(|token| {
        token["special"] == true || control.iter().any(|known| known.text == text(token))
    });
    for token in &special {
        let id = token["id"].as_u64().and_then(|id| u32::try_from(id).ok());
        let strips = ["lstrip", "rstrip"].map(|key| token[key] == true);
        // What the tokenizer says has precedence over the model's file.
        control.retain(|known| known.text != text(token));
        control.extend(id.map(|id| ControlToken { text: text(token), id, strips }));
    }
    let texts: HashSet<&str> = control.iter().map(|token| token.text.as_str()).collect();
    if let Some(merges) = json["model"]["merges"].as_array_mut() {
        drop_merges(merges, &texts);
    }
    let unknown = json["model"]["unk_token"].as_str().map(str::to_owned);
    if let Some(vocabulary) = json["model"]["vocab"].as_object_mut() {
        vocabulary
            .retain(|token, _| Some(token) == unknown.as_ref() || !texts.contains(token.as_str()));
        // Added tokens that are not in the vocabulary would be numbered anew, and the numbers of those just taken are
        // missing.
        for token in &others {
            vocabulary.entry(text(token)).or_insert_with(|| token["id"].clone());
        }
    }
    json["added_tokens"] = Value::Array(others);
    // It would add control tokens, which is the template's task.
    json["post_processor"] = Value::Null;
}

fn token_id(header: &GgufHeader, key: &str, vocabulary: usize) -> Option<u32> {
    let id = header.count(&format!("tokenizer.ggml.{key}"))?;
    u32::try_from(id).ok().filter(|id| (*id as usize) < vocabulary)
}

/// The file's tokenizer in the format of `tokenizer.json`.
fn tokenizer_json(
    header: &GgufHeader,
    tokens: &[&str],
    is_control: &impl Fn(usize) -> bool,
) -> anyhow::Result<Value> {
    let kinds = token_kinds(header);
    let is_added = |id: usize| kinds.get(id) == Some(&USER_DEFINED) && !is_control(id);
    let special = |id: &usize| is_control(*id) || is_added(*id);
    let added: Vec<Value> = (0..tokens.len())
        .filter(|id| is_added(*id))
        .map(|id| {
            json!({
                "id": id, "content": tokens[id], "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": false,
            })
        })
        .collect();
    // Two tokens may have the same text if their bytes are not valid UTF-8; the first is used.
    let mut vocabulary = serde_json::Map::new();
    let unknown = header.count("tokenizer.ggml.unknown_token_id");
    for (id, token) in tokens.iter().enumerate() {
        if is_control(id) && Some(id) != unknown {
            continue;
        }
        vocabulary.entry((*token).to_owned()).or_insert_with(|| json!(id));
    }
    let model = header.text("tokenizer.ggml.model").context("tokenizer.ggml.model is missing")?;
    let (normalizer, words, decoder, merges, by_bytes, whole_words) = match model {
        "gpt2" => {
            let name = header.text("tokenizer.ggml.pre").unwrap_or("default");
            let words = match name {
                "qwen2" | "deepseek-r1-qwen" => split_by(WORDS_QWEN),
                "llama-bpe" | "llama3" => split_by(WORDS_LLAMA),
                "smollm" => json!({"type": "Sequence", "pretokenizers": [
                    {"type": "Digits", "individual_digits": true},
                    byte_level(true),
                ]}),
                "gpt-2" => byte_level(true),
                other => bail!(
                    "how its tokenizer splits words ({other:?}) is not known here; known: {}. Put the model's \
                     tokenizer.json beside the file",
                    KNOWN_PRETOKENIZERS.join(", ")
                ),
            };
            let merges = header.texts("tokenizer.ggml.merges")?;
            let merges: Option<Vec<Value>> = merges
                .iter()
                .map(|merge| merge.split_once(' ').map(|(a, b)| json!([a, b])))
                .collect();
            let mut merges =
                merges.context("a merge of tokenizer.ggml.merges is not two tokens")?;
            let control: HashSet<&str> =
                (0..tokens.len()).filter(|id| is_control(*id)).map(|id| tokens[id]).collect();
            drop_merges(&mut merges, &control);
            // Llama's tokenizers take a whole word that is in the vocabulary without applying merges.
            let whole_words = name.starts_with("llama");
            (Value::Null, words, byte_level(true), merges, false, whole_words)
        }
        "llama" => {
            let scores =
                header.list("tokenizer.ggml.scores").context("tokenizer.ggml.scores is missing")?;
            ensure!(
                scores.len() == tokens.len(),
                "there are {} scores for {} tokens",
                scores.len(),
                tokens.len()
            );
            let score = |id: usize| match scores[id] {
                GgufMetaValue::Float(score) => score,
                _ => 0.0,
            };
            let prefix = header.boolean("tokenizer.ggml.add_space_prefix").unwrap_or(true);
            let replace =
                json!({"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"});
            let normalizer = match prefix {
                true => {
                    json!({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u{2581}"}, replace]})
                }
                false => replace,
            };
            let mut decoders = vec![
                json!({"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "}),
                json!({"type": "ByteFallback"}),
                json!({"type": "Fuse"}),
            ];
            if prefix {
                decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
            }
            let decoder = json!({"type": "Sequence", "decoders": decoders});
            let merges = merges_from_scores(tokens, &special, &score);
            (normalizer, Value::Null, decoder, merges, true, false)
        }
        other => bail!(
            "its tokenizer is of the kind {other:?}; allowed: gpt2, llama, or a tokenizer.json beside the file"
        ),
    };
    let unknown = unknown.filter(|id| by_bytes && *id < tokens.len());
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": normalizer,
        "pre_tokenizer": words, "post_processor": null, "decoder": decoder,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": unknown.map(|id| tokens[id]),
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": by_bytes,
            "byte_fallback": by_bytes, "ignore_merges": whole_words, "vocab": vocabulary, "merges": merges,
        },
    }))
}

/// Drops merges that make or take a control token: some vocabularies can put one together from the pieces of a text.
fn drop_merges(merges: &mut Vec<Value>, control: &HashSet<&str>) {
    merges.retain(|merge| {
        let (a, b) = match merge {
            Value::String(both) => both.split_once(' ').unwrap_or((both, "")),
            pair => (pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default()),
        };
        ![a, b, &format!("{a}{b}")].into_iter().any(|text| control.contains(text))
    });
}

fn byte_level(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex})
}

fn split_by(pattern: &str) -> Value {
    json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
        byte_level(false),
    ]})
}

/// BPE merges that give the same tokens as the scores: the higher a token's score, the earlier its halves are merged.
fn merges_from_scores(
    tokens: &[&str],
    special: &impl Fn(&usize) -> bool,
    score: &impl Fn(usize) -> f64,
) -> Vec<Value> {
    let ids: HashMap<&str, usize> = tokens
        .iter()
        .enumerate()
        .filter(|(id, _)| !special(id))
        .map(|(id, token)| (*token, id))
        .collect();
    let mut merges = Vec::new();
    for (id, token) in tokens.iter().enumerate().filter(|(id, _)| !special(id)) {
        for (at, _) in token.char_indices().skip(1) {
            if let (Some(&left), Some(&right)) = (ids.get(&token[..at]), ids.get(&token[at..])) {
                merges.push((score(id), left, right));
            }
        }
    }
    merges.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    merges.into_iter().map(|(_, left, right)| json!([tokens[left], tokens[right]])).collect()
}
