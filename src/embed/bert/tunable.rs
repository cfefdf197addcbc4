//! Opens a model directory for fine-tuning: the encoder in f32, and the tokenizer and pooling.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::config::{BertConfig, model_type};
use super::layers::BertEncoder;
use super::text_input::TransformerTextInput;
use crate::embed::files::{LoadPurpose, ModelFiles};
use crate::embed::weights::ModelWeights;
use crate::embed::{ModelKind, ModelSpec, TokenPooling, model_paths};
use crate::environment::Environment;
use crate::wrong_use::WrongUse;

/// The architectures that can be tuned, for messages.
pub const TUNABLE_FAMILIES: &str = "BERT, RoBERTa and MPNet";

/// A base model to tune.
pub struct TunableModel {
    pub dir: PathBuf,
    pub config: BertConfig,
    pub encoder: BertEncoder,
    pub text: TransformerTextInput,
    /// Whether the weights were dequantised from int8 because no f32 weights were found.
    pub from_int8: bool,
    /// The fingerprint of weights, tokenizer and configuration.
    pub hash: String,
    pub pooling: TokenPooling,
    /// The content of config.json.
    pub config_json: Value,
    /// Whether texts are lowercased first.
    pub lower_case: bool,
    /// The maximum number of tokens per text in the model's own files, if stated.
    pub max_tokens: Option<usize>,
    /// The name, shape and numbers of the pooler's tensors, which are not used here but copied to the tuned model.
    pub pooler: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl TunableModel {
    /// Opens the model `base`, a name or a directory, with texts truncated to `max_tokens`.
    ///
    /// # Errors
    /// A model that is missing or whose architecture cannot be tuned.
    pub fn open(base: &str, max_tokens: usize, environment: &Environment) -> anyhow::Result<Self> {
        // Prefer the original weights to the bundled int8 form. A path is always taken as a directory.
        let found = match model_paths::pulled_model_dir(base, environment) {
            None => model_paths::int8_model_dir(base, environment)?,
            found => found,
        };
        let dir = match found {
            Some(dir) if Path::new(base).components().count() == 1 => dir,
            _ => model_paths::model_dir(base, crate::embed::ModelPrecision::F32, environment)?,
        };
        Self::read(&dir, max_tokens)
            .with_context(|| format!("cannot tune the model {base} from {}", dir.display()))
    }

    fn read(dir: &Path, max_tokens: usize) -> anyhow::Result<Self> {
        let files = ModelFiles::read(dir)?;
        match model_type(&files.config) {
            "model2vec" => bail!("it is a static table; {TUNABLE_FAMILIES} can be tuned"),
            "modernbert" => {
                bail!("its architecture is ModernBERT; {TUNABLE_FAMILIES} can be tuned")
            }
            _ => {}
        }
        ensure!(
            files.has_single_plain_pooling(),
            "it has modules around its pooling, several poolings, or vectors compared by dot product; only a \
             transformer with one pooling can be tuned"
        );
        let pooling = files.pooling.as_ref().map_or(TokenPooling::Mean, |pooling| pooling.modes[0]);
        let config = BertConfig::parse(&files.config)?;
        let weights = ModelWeights::parse(&files.weights)?;
        let mut spec = ModelSpec::new(ModelKind::Transformer, "");
        WrongUse::unless((3..=config.max_text_tokens()).contains(&max_tokens), || {
            format!(
                "--length is {max_tokens}; the model takes 3 to {} tokens",
                config.max_text_tokens()
            )
        })?;
        spec.max_tokens = Some(max_tokens);
        let encoder = BertEncoder::load(&weights, &config)?;
        weights.check_all_read(LoadPurpose::Vectors)?;
        Ok(Self {
            text: TransformerTextInput::load(
                &files,
                &spec,
                config.vocabulary,
                config.max_text_tokens(),
            )?,
            encoder,
            from_int8: weights.is_int8(),
            hash: files.fingerprint("tune"),
            pooling,
            lower_case: files.lower_case,
            max_tokens: files.max_tokens(),
            pooler: pooler(&weights, config.hidden),
            dir: dir.to_owned(),
            config_json: files.config,
            config,
        })
    }
}

fn pooler(weights: &ModelWeights, hidden: usize) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let (weight, bias) = ("pooler.dense.weight", "pooler.dense.bias");
    match (weights.matrix(weight, hidden, hidden), weights.vector(bias, hidden)) {
        (Ok(rows), Ok(vector)) => vec![
            (weight.to_owned(), vec![hidden, hidden], rows.into_f32()),
            (bias.to_owned(), vec![hidden], vector),
        ],
        _ => Vec::new(),
    }
}
