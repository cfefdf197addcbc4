//! Reads and checks the files of a model directory. No module, file or setting is silently ignored: each is applied,
//! known to have no effect on vectors, or reported, all faults in one message.
//!
//! The reference is the library that writes the layout: sentence-transformers 6 (and PyLate, Stanford's ColBERT,
//! model2vec). Settings are in [`known`], modules in [`modules`].

mod known_settings;
mod late_interaction;
mod model_directory;
mod modules;
mod settings;
mod tokenizer;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

pub use known_settings::{IGNORED_TENSORS, LORA};
pub use late_interaction::LateInteraction;
pub use model_directory::{parse, read_settings, read_weights};
pub use modules::{DenseActivation, DenseSettings, PoolingSettings, SentenceModule};
pub use settings::{DirectoryFaults, SettingReader, abbreviated, check};
pub use tokenizer::TokenizerFiles;

use super::{TextRole, VectorSimilarity};
use model_directory::{MAX_JSON_BYTES, MAX_WEIGHTS_BYTES, ModelDirectory};
use modules::ModulePipeline;

/// The purpose for which a directory is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadPurpose {
    /// Vectors of texts, or of tokens.
    Vectors,
    /// Scores of pairs, by a cross-encoder.
    Scores,
}

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
            LoadPurpose::Scores => scoring_pipeline(&mut source, &mut faults)?,
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
        faults.check()?;
        let weights = read_model_weights(&source, &at)?;
        // Stanford's ColBERT stores its projection with the transformer and has no pooling.
        let stanford = late.as_ref().is_some_and(|late| late.stanford);
        // At unit length the dot product is the cosine, but truncated vectors no longer have unit length.
        let at_length_one = pipeline.ends_normalized() && sentence.truncate_dim.is_none();
        let similarity = if at_length_one { VectorSimilarity::Cosine } else { sentence.similarity };
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

    /// The prefix that was asked for, otherwise the prompt for this role.
    pub fn prefix_or(&self, asked: &Option<String>, role: TextRole) -> String {
        asked.clone().unwrap_or_else(|| self.prefix(role).to_owned())
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

/// The purpose of a model directory, according to its own files.
pub fn detect_purpose(dir: &Path) -> LoadPurpose {
    let scores = read_json(dir, "config_sentence_transformers.json")
        .is_some_and(|settings| settings["model_type"] == "CrossEncoder")
        || read_json(dir, "config.json").is_some_and(|config| {
            let class = config["architectures"][0].as_str().unwrap_or_default();
            class.ends_with("ForSequenceClassification")
        });
    if scores { LoadPurpose::Scores } else { LoadPurpose::Vectors }
}

fn read_json(dir: &Path, name: &str) -> Option<Value> {
    parse(name, &model_directory::read(&dir.join(name), MAX_JSON_BYTES).ok()??).ok()
}

/// The folder with config.json, tokenizer.json and model.safetensors of the model in `dir`.
pub fn transformer_folder(dir: &Path) -> PathBuf {
    let modules = model_directory::read(&dir.join("modules.json"), MAX_JSON_BYTES).ok().flatten();
    let modules: Option<Value> = modules.and_then(|bytes| parse("modules.json", &bytes).ok());
    let path = modules.as_ref().and_then(|modules| modules.get(0)?.get("path")?.as_str());
    match path.and_then(modules::path_inside) {
        Some(path) if !path.is_empty() => dir.join(path),
        _ => dir.to_owned(),
    }
}

/// Reads the modules.json of a cross-encoder, in which sentence-transformers 6 lists a single transformer.
fn scoring_pipeline(
    source: &mut ModelDirectory,
    faults: &mut DirectoryFaults,
) -> anyhow::Result<ModulePipeline> {
    let Some(modules) = source.json("modules.json")? else { return Ok(ModulePipeline::default()) };
    let classes: Vec<&str> = modules
        .as_array()
        .into_iter()
        .flatten()
        .map(|module| module.get("type").and_then(Value::as_str).unwrap_or("?"))
        .collect();
    match classes.as_slice() {
        [class]
            if class.starts_with("sentence_transformers.") && class.ends_with(".Transformer") =>
        {
            settings::check("modules.json", &modules[0], &[known_settings::MODULE], faults);
            if modules[0]["path"] != "" {
                faults.add(
                    "modules.json: the transformer of a cross-encoder lies in the directory itself",
                );
            }
        }
        [] => faults.add("modules.json is not a list of modules"),
        _ => faults.add(format!(
            "modules.json: a cross-encoder may contain only a Transformer, not {}",
            classes.join(", ")
        )),
    }
    Ok(ModulePipeline::default())
}

fn check_config(config: &Value, faults: &mut DirectoryFaults) {
    let of_kind = match config.get("model_type").and_then(Value::as_str) {
        Some("model2vec") => {
            return check("config.json", config, &[known_settings::MODEL2VEC_CONFIG], faults);
        }
        Some("modernbert") => {
            check_rope(config, faults);
            known_settings::MODERN_CONFIG
        }
        Some("mpnet") => known_settings::MPNET_CONFIG,
        Some("bert" | "roberta" | "xlm-roberta" | "camembert") | None => {
            known_settings::BERT_CONFIG
        }
        // An unknown architecture is reported later, when the model is loaded.
        Some(_) => return,
    };
    check("config.json", config, &[known_settings::ANY_CONFIG, of_kind], faults);
    if let Some(note) = config.get("sentence_transformers").filter(|note| !note.is_null()) {
        check(
            "config.json (sentence_transformers)",
            note,
            &[known_settings::CROSS_ENCODER_NOTE],
            faults,
        );
    }
}

/// Checks the rotary settings of ModernBERT's layers, by kind of layer.
fn check_rope(config: &Value, faults: &mut DirectoryFaults) {
    let Some(parameters) = config.get("rope_parameters").and_then(Value::as_object) else { return };
    let file = "config.json (rope_parameters)";
    check(file, &config["rope_parameters"], &[known_settings::ROPE_PARAMETERS], faults);
    for (kind, rope) in parameters.iter().filter(|(_, rope)| rope.is_object()) {
        check(
            &format!("config.json (rope_parameters.{kind})"),
            rope,
            &[known_settings::ROPE],
            faults,
        );
    }
}

/// Reports JSON and weights files that are neither read nor known to have no effect.
fn check_files(source: &ModelDirectory, at: &str, faults: &mut DirectoryFaults) {
    const READ: [&str; 9] = [
        "config.json",
        "modules.json",
        "config_sentence_transformers.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "model.safetensors",
        "artifact.metadata",
    ];
    let folders = if at.is_empty() { vec![""] } else { vec!["", at] };
    for folder in folders {
        for name in ModelDirectory::new(&source.path(folder)).files() {
            let matters = name.ends_with(".json") || name.ends_with(".safetensors");
            let known = READ.contains(&name.as_str())
                || known_settings::SENTENCE_BERT_NAMES.contains(&name.as_str())
                || known_settings::OTHER_JSON.contains(&name.as_str());
            if matters && !name.starts_with('.') && !known {
                faults.add(format!("{folder}{name}: a file not known here, which may change what the model computes"));
            }
        }
    }
}

/// The maximum number of tokens and whether to lowercase texts, from sentence_bert_config.json or its variants.
fn read_sentence_bert(
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
        for (modality, how) in modalities.into_iter().flatten() {
            let usual = how.get("method").is_none_or(|m| m == "forward")
                && how.get("method_output_name").is_none_or(|name| {
                    name.is_null() || name == "last_hidden_state" || name == "logits"
                })
                && how.as_object().is_some_and(|how| {
                    how.keys().all(|key| key == "method" || key == "method_output_name")
                });
            if modality != "text" || !usual {
                let how = abbreviated(how);
                reader.fault(format!(
                    "`modality_config` has {modality}: {how}; only plain text is supported"
                ));
            }
        }
        return Ok((reader.count("max_seq_length"), reader.flag("do_lower_case").unwrap_or(false)));
    }
    Ok((None, false))
}

/// The settings in config_sentence_transformers.json.
#[derive(Debug, Default)]
struct SentenceSettings {
    query: String,
    passage: String,
    similarity: VectorSimilarity,
    truncate_dim: Option<usize>,
}

impl SentenceSettings {
    fn read(
        source: &mut ModelDirectory,
        purpose: LoadPurpose,
        pipeline: &ModulePipeline,
        faults: &mut DirectoryFaults,
    ) -> anyhow::Result<Self> {
        const FILE: &str = "config_sentence_transformers.json";
        let Some(json) = source.json(FILE)? else { return Ok(Self::default()) };
        let tokens = purpose == LoadPurpose::Vectors && pipeline.pooling.is_none();
        let of_kind = match purpose {
            LoadPurpose::Scores => known_settings::CROSS_ENCODER_SETTINGS,
            LoadPurpose::Vectors if tokens => known_settings::PYLATE_SETTINGS,
            LoadPurpose::Vectors => &[],
        };
        check(FILE, &json, &[known_settings::SENTENCE_TRANSFORMERS, of_kind], faults);
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

fn prompt<'a>(prompts: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    prompts.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// The first of these prompts that is not empty, otherwise the default. sentence-transformers saves empty `query` and
/// `document` prompts; these do not override the default.
fn first_prompt(prompts: &[(&str, &str)], names: &[&str], default: Option<&str>) -> String {
    let own = names.iter().filter_map(|name| prompt(prompts, name)).find(|text| !text.is_empty());
    own.or(default).unwrap_or_default().to_owned()
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
