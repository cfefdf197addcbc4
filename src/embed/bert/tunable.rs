//! Opens a model directory for fine-tuning: the encoder in f32, and the tokenizer and pooling.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::config::{Config, model_type};
use super::layers::Encoder;
use super::text::TextSide;
use crate::embed::files::{ModelFiles, Purpose};
use crate::embed::weights::Weights;
use crate::embed::{ModelKind, ModelSpec, Pooling, locate};

/// The architectures that can be tuned, for messages.
pub const FAMILIES: &str = "BERT, RoBERTa and MPNet";

/// A base model to tune.
pub struct Tunable {
    pub dir: PathBuf,
    pub config: Config,
    pub encoder: Encoder,
    pub text: TextSide,
    /// Whether the weights were dequantised from int8 because no f32 weights were found.
    pub from_int8: bool,
    /// The fingerprint of weights, tokenizer and configuration.
    pub hash: String,
    pub pooling: Pooling,
    /// The content of config.json.
    pub settings: Value,
    /// Whether texts are lowercased first.
    pub lower_case: bool,
    /// The maximum number of tokens per text in the model's own files, if stated.
    pub max_tokens: Option<usize>,
    /// The name, shape and numbers of the pooler's tensors, which are not used here but copied to the tuned model.
    pub pooler: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl Tunable {
    /// Opens the model `base`, a name or a directory, with texts truncated to `max_tokens`.
    ///
    /// # Errors
    /// A model that is missing or whose architecture cannot be tuned.
    pub fn open(base: &str, max_tokens: usize) -> anyhow::Result<Self> {
        // Prefer the original weights to the bundled int8 form. A path is always taken as a directory.
        let found = match locate::pulled(base) {
            None => locate::bundled(base)?,
            found => found,
        };
        let dir = match found {
            Some(dir) if Path::new(base).components().count() == 1 => dir,
            _ => locate::model_dir(base, crate::embed::Precision::F32)?,
        };
        Self::read(&dir, max_tokens)
            .with_context(|| format!("cannot tune the model {base} from {}", dir.display()))
    }

    fn read(dir: &Path, max_tokens: usize) -> anyhow::Result<Self> {
        let files = ModelFiles::read(dir)?;
        match model_type(&files.config) {
            "model2vec" => bail!("it is a static table; {FAMILIES} can be tuned"),
            "modernbert" => bail!("its architecture is ModernBERT; {FAMILIES} can be tuned"),
            _ => {}
        }
        ensure!(
            files.is_plain(),
            "it has modules around its pooling, several poolings, or vectors compared by dot product; only a \
             transformer with one pooling can be tuned"
        );
        let pooling = files.pooling.as_ref().map_or(Pooling::Mean, |pooling| pooling.modes[0]);
        let config = Config::parse(&files.config)?;
        let weights = Weights::parse(&files.weights)?;
        let mut spec = ModelSpec::new(ModelKind::Transformer, "");
        ensure!(
            (3..=config.longest()).contains(&max_tokens),
            "--length is {max_tokens}; the model takes 3 to {} tokens",
            config.longest()
        );
        spec.max_tokens = Some(max_tokens);
        let encoder = Encoder::load(&weights, &config)?;
        weights.check_all_read(Purpose::Vectors)?;
        Ok(Self {
            text: TextSide::load(&files, &spec, config.vocabulary, config.longest())?,
            encoder,
            from_int8: weights.is_int8(),
            hash: files.fingerprint("tune"),
            pooling,
            lower_case: files.lower_case,
            max_tokens: files.max_tokens(),
            pooler: pooler(&weights, config.hidden),
            dir: dir.to_owned(),
            settings: files.config,
            config,
        })
    }
}

fn pooler(weights: &Weights, hidden: usize) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let (weight, bias) = ("pooler.dense.weight", "pooler.dense.bias");
    match (weights.rows(weight, hidden, hidden), weights.vector(bias, hidden)) {
        (Ok(rows), Ok(vector)) => vec![
            (weight.to_owned(), vec![hidden, hidden], rows.into_f32()),
            (bias.to_owned(), vec![hidden], vector),
        ],
        _ => Vec::new(),
    }
}
