//! Reads a model directory as a whole.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use super::config::{check_config, check_files};
use super::late_interaction::LateInteraction;
use super::model_directory::{self, MAX_JSON_BYTES, MAX_WEIGHTS_BYTES, ModelDirectory, parse};
use super::module_settings::PoolingSettings;
use super::modules::{ModulePipeline, SentenceModule, path_inside};
use super::purpose::LoadPurpose;
use super::sentence_settings::{SentenceSettings, read_sentence_bert};
use super::settings::DirectoryFaults;
use super::tokenizer::TokenizerFiles;
use crate::embed::{TextRole, VectorSimilarity};

/// A model directory: a transformer or a static table, its tokenizer, and the settings of sentence-transformers.
pub struct ModelFiles {
    pub dir: PathBuf,
    /// The folder of the transformer or the table inside the directory; empty for the directory itself.
    pub transformer_folder: String,
    pub config: Value,
    pub tokenizer: TokenizerFiles,
    pub weights: Vec<u8>,
    /// The modules applied to each token's vector.
    pub token_modules: Vec<SentenceModule>,
    /// `None` for a model that returns token vectors.
    pub pooling: Option<PoolingSettings>,
    /// The modules after the pooling; empty if they only normalise vectors whose similarity is the cosine anyway.
    pub text_modules: Vec<SentenceModule>,
    /// How vectors are compared.
    pub similarity: VectorSimilarity,
    /// Vectors are truncated to this many numbers; `None`: not truncated.
    pub truncate_dim: Option<usize>,
    /// Whether texts are lowercased first.
    pub lower_case: bool,
    /// The late-interaction settings of the model, if it has any.
    pub late_interaction: Option<LateInteraction>,
    query_prefix: String,
    passage_prefix: String,
    max_tokens: Option<usize>,
    /// The path and content of every other file that was read, and that a copy of the model needs.
    pub settings: Vec<(String, Vec<u8>)>,
}

impl ModelFiles {
    /// Reads the directory of an embedding model.
    ///
    /// # Errors
    /// A file that is missing or unreadable, or invalid JSON; and, in one message, everything that is not supported.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        Self::read_for(dir, LoadPurpose::Vectors)
    }

    /// Reads the directory for the given purpose.
    ///
    /// # Errors
    /// As [`ModelFiles::read`].
    pub fn read_for(dir: &Path, purpose: LoadPurpose) -> anyhow::Result<Self> {
        let mut source = ModelDirectory::new(dir);
        let mut faults = DirectoryFaults::default();
        let pipeline = match purpose {
            LoadPurpose::Vectors => ModulePipeline::read(&mut source, &mut faults)?,
            LoadPurpose::Scores => ModulePipeline::read_scoring(&mut source, &mut faults)?,
        };
        let at = match pipeline.transformer_folder.as_str() {
            "" => String::new(),
            first => format!("{first}/"),
        };
        let name = format!("{at}config.json");
        let config = model_directory::read(&source.path(&name), MAX_JSON_BYTES)?
            .with_context(|| format!("{name} is missing"))?;
        let config = parse(&name, &config)?;
        check_config(&config, &mut faults);
        check_files(&source, &at, &mut faults);
        let tokenizer = TokenizerFiles::read(&mut source, &at, &mut faults)?;
        let (bert_max, lower_case) = read_sentence_bert(&mut source, &at, purpose, &mut faults)?;
        let sentence = SentenceSettings::read(&mut source, purpose, &pipeline, &mut faults)?;
        let late =
            LateInteraction::read(&mut source, &config, pipeline.pooling.is_none(), &mut faults)?;
        if late.is_some() && !(sentence.query.is_empty() && sentence.passage.is_empty()) {
            faults.add("config_sentence_transformers.json: `prompts` of a late-interaction model are not supported");
        }
        // Weights are large, so all faults of the settings are reported before they are read.
        faults.check()?;
        let weights = read_model_weights(&source, &at)?;
        // Stanford's ColBERT stores its projection with the transformer and has no pooling.
        let stanford = late.as_ref().is_some_and(|late| late.stanford);
        // At unit length the dot product is the cosine, but truncated vectors no longer have unit length.
        let has_unit_length = pipeline.ends_normalized() && sentence.truncate_dim.is_none();
        let similarity =
            if has_unit_length { VectorSimilarity::Cosine } else { sentence.similarity };
        let pooling = pipeline.pooling.filter(|_| !stanford);
        let mut on_text = pipeline.text_modules;
        // Vectors compared by their cosine are normalised in any case, so a Normalize module changes nothing.
        if similarity == VectorSimilarity::Cosine
            && on_text.iter().all(|module| matches!(module, SentenceModule::Normalize))
        {
            on_text.clear();
        }
        Ok(Self {
            dir: dir.to_owned(),
            transformer_folder: pipeline.transformer_folder,
            config,
            weights,
            token_modules: pipeline.token_modules,
            pooling,
            text_modules: on_text,
            similarity,
            truncate_dim: sentence.truncate_dim,
            lower_case,
            late_interaction: late,
            query_prefix: sentence.query,
            passage_prefix: sentence.passage,
            max_tokens: bert_max.into_iter().chain(tokenizer.max_tokens).min(),
            tokenizer,
            settings: source.files_read,
        })
    }

    /// The maximum number of tokens per text according to the model's files.
    pub fn max_tokens(&self) -> Option<usize> {
        self.max_tokens
    }

    /// The prompt for this role; empty if there is none.
    pub fn prefix(&self, role: TextRole) -> &str {
        match role {
            TextRole::Query => &self.query_prefix,
            TextRole::Passage => &self.passage_prefix,
        }
    }

    /// The given prefix, otherwise the prompt for this role.
    pub fn prefix_or(&self, given: &Option<String>, role: TextRole) -> String {
        given.clone().unwrap_or_else(|| self.prefix(role).to_owned())
    }

    /// Whether the transformer is followed by a single pooling over all tokens and nothing else.
    pub fn has_single_plain_pooling(&self) -> bool {
        let pooling = self.pooling.as_ref();
        pooling.is_some_and(|pooling| pooling.modes.len() == 1 && pooling.include_prompt)
            && self.token_modules.is_empty()
            && self.text_modules.is_empty()
            && self.similarity == VectorSimilarity::Cosine
            && self.transformer_folder.is_empty()
    }

    /// A hash over the weights, tokenizer and configuration and over the text `settings`, in hex.
    pub fn fingerprint(&self, settings: &str) -> String {
        let mut hash = blake3::Hasher::new();
        let config = self.config.to_string();
        let mut add = |part: &[u8]| {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        for part in [settings.as_bytes(), config.as_bytes(), &self.tokenizer.json, &self.weights] {
            add(part);
        }
        for module in self.token_modules.iter().chain(&self.text_modules) {
            match module {
                SentenceModule::Normalize => add(b"normalize"),
                SentenceModule::Dense { dense, weights, .. } => {
                    add(format!("{dense:?}").as_bytes());
                    add(weights);
                }
                SentenceModule::LayerNorm { weights, .. } => {
                    add(b"layer norm");
                    add(weights);
                }
            }
        }
        // The Debug form enters the hash here and for `DenseSettings`: renaming their fields or variants changes it.
        if let Some(late) = &self.late_interaction {
            add(format!("{late:?}").as_bytes());
        }
        // Rare settings enter only if they are set, so that the hash of all other models stays the same.
        if self.lower_case {
            add(b"lower case");
        }
        if self.tokenizer.truncates_start {
            add(b"keeps the end");
        }
        if self.similarity == VectorSimilarity::Dot {
            add(b"dot");
        }
        hash.finalize().to_hex().to_string()
    }
}

/// The folder with config.json, tokenizer.json and model.safetensors of the model in `dir`.
pub fn transformer_folder(dir: &Path) -> PathBuf {
    let modules = model_directory::read(&dir.join("modules.json"), MAX_JSON_BYTES).ok().flatten();
    let modules: Option<Value> = modules.and_then(|bytes| parse("modules.json", &bytes).ok());
    let path = modules.as_ref().and_then(|modules| modules.get(0)?.get("path")?.as_str());
    match path.and_then(path_inside) {
        Some(path) if !path.is_empty() => dir.join(path),
        _ => dir.to_owned(),
    }
}

fn read_model_weights(source: &ModelDirectory, at: &str) -> anyhow::Result<Vec<u8>> {
    let path = source.path(&format!("{at}model.safetensors"));
    if let Some(weights) = model_directory::read(&path, MAX_WEIGHTS_BYTES)? {
        return Ok(weights);
    }
    for other in ["pytorch_model.bin", "model.safetensors.index.json", "tf_model.h5"] {
        if source.path(&format!("{at}{other}")).exists() {
            bail!(
                "{at}model.safetensors is missing; weights in {other} cannot be read: save them as one safetensors file"
            );
        }
    }
    bail!("{at}model.safetensors is missing")
}
