//! The files of one model directory, as they lie on disk: nothing is interpreted yet but JSON.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use super::{Pooling, Role};

/// A model directory: `config.json`, `tokenizer.json`, `model.safetensors` and, where there, the
/// settings of sentence-transformers.
pub struct ModelFiles {
    pub dir: PathBuf,
    pub config: Value,
    pub tokenizer: Vec<u8>,
    pub weights: Vec<u8>,
    pooling: Option<Value>,
    sentence_bert: Option<Value>,
    sentence_transformers: Option<Value>,
    /// What follows the pooling, if `modules.json` is there and has a linear layer in it.
    pub behind: Vec<Module>,
}

/// A module of sentence-transformers behind the pooling.
pub enum Module {
    Normalize,
    Dense { path: String, config: Value, weights: Vec<u8> },
}

impl ModelFiles {
    /// Reads the directory.
    ///
    /// # Errors
    /// A file missing or unreadable, or one that is not JSON where it should be.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let json = |name: &str| -> anyhow::Result<Option<Value>> {
            let path = dir.join(name);
            match std::fs::read(&path) {
                Ok(bytes) => serde_json::from_slice(&bytes)
                    .map(Some)
                    .with_context(|| format!("{} is not valid JSON", path.display())),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
            }
        };
        let bytes = |name: &str| {
            let path = dir.join(name);
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let Some(config) = json("config.json")? else {
            bail!("{} is missing", dir.join("config.json").display());
        };
        let mut behind = Vec::new();
        let modules = json("modules.json")?;
        for module in modules.iter().flat_map(|m| m.as_array()).flatten() {
            let text = |key: &str| module.get(key).and_then(Value::as_str).unwrap_or_default();
            match text("type").rsplit('.').next() {
                Some("Normalize") => behind.push(Module::Normalize),
                Some("Dense") => {
                    let path = text("path").to_owned();
                    let config = json(&format!("{path}/config.json"))?.unwrap_or_default();
                    let weights = bytes(&format!("{path}/model.safetensors"))?;
                    behind.push(Module::Dense { path, config, weights });
                }
                _ => {}
            }
        }
        // All vectors are brought to length one in the end.
        if behind.iter().all(|module| matches!(module, Module::Normalize)) {
            behind.clear();
        }
        Ok(Self {
            dir: dir.to_owned(),
            config,
            tokenizer: bytes("tokenizer.json")?,
            weights: bytes("model.safetensors")?,
            pooling: json("1_Pooling/config.json")?,
            sentence_bert: json("sentence_bert_config.json")?,
            sentence_transformers: json("config_sentence_transformers.json")?,
            behind,
        })
    }

    /// Pooling as `1_Pooling/config.json` says; `None` where that file is absent.
    ///
    /// # Errors
    /// A pooling that we do not have, or several at once.
    pub fn pooling(&self) -> anyhow::Result<Option<Pooling>> {
        let Some(file) = &self.pooling else { return Ok(None) };
        // Written one by one, or, since sentence-transformers 5, as one word.
        let named = file.get("pooling_mode").and_then(Value::as_str).map(str::to_owned);
        let mut asked: Vec<String> = named.into_iter().collect();
        for (key, on) in file.as_object().into_iter().flatten() {
            if let (Some(mode), Some(true)) = (key.strip_prefix("pooling_mode_"), on.as_bool()) {
                asked.push(mode.trim_end_matches("_tokens").trim_end_matches("_token").to_owned());
            }
        }
        let [mode] = asked.as_slice() else {
            bail!("1_Pooling/config.json asks for {} poolings at once; set `pooling`", asked.len());
        };
        match mode.as_str() {
            // Divided by the root of the length; all the same at length one.
            "mean" | "mean_sqrt_len" => Ok(Some(Pooling::Mean)),
            "cls" => Ok(Some(Pooling::Cls)),
            "max" => Ok(Some(Pooling::Max)),
            "lasttoken" => Ok(Some(Pooling::Last)),
            other => bail!("1_Pooling/config.json asks for {other} pooling; set `pooling`"),
        }
    }

    /// `max_seq_length` of `sentence_bert_config.json`.
    pub fn max_tokens(&self) -> Option<usize> {
        let n = self.sentence_bert.as_ref()?.get("max_seq_length")?.as_u64()?;
        usize::try_from(n).ok()
    }

    /// The prompt for this role in `config_sentence_transformers.json`; empty where there is none.
    pub fn prefix(&self, role: Role) -> &str {
        let names: &[&str] = match role {
            Role::Query => &["query"],
            Role::Passage => &["passage", "document"],
        };
        let prompts = self.sentence_transformers.as_ref().and_then(|f| f.get("prompts"));
        names.iter().find_map(|n| prompts?.get(n)?.as_str()).unwrap_or("")
    }

    /// A hash over weights, tokenizer, configuration and whatever else `settings` names, in hex.
    pub fn fingerprint(&self, settings: &str) -> String {
        let mut hash = blake3::Hasher::new();
        let config = self.config.to_string();
        let mut add = |part: &[u8]| {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        for part in [settings.as_bytes(), config.as_bytes(), &self.tokenizer, &self.weights] {
            add(part);
        }
        for module in &self.behind {
            match module {
                Module::Normalize => add(b"normalize"),
                Module::Dense { config, weights, .. } => {
                    add(config.to_string().as_bytes());
                    add(weights);
                }
            }
        }
        hash.finalize().to_hex().to_string()
    }
}
