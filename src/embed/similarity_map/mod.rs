//! Verifiers over similarity maps: a small network reads the cosines between the tokens of two texts, cell by cell,
//! and separates pairs with the same meaning from pairs that only look alike (arXiv 2604.16351). Maps are computed in
//! [`super::bert`] and networks are trained in `train`, not here.
//!
//! A directory holds `config.json` (the model that makes the maps, the shape of the network) and
//! `model.safetensors`; `knockon verifier` writes it.

mod map;
mod network;

use std::path::Path;

use anyhow::{Context, bail, ensure};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};

pub use map::TokenSimilarityMap;
pub use network::{MapForwardPass, MapNetwork, MapNetworkShape};

use super::files::{self, LoadPurpose};
use super::pair_scorer::{PairLimit, PairScorer, TextPair};
use super::weights::ModelWeights;
use super::{ModelKind, ModelPrecision, ModelSpec, bert, opening};
use crate::environment::Environment;
use crate::output::OutputWriter;

/// The files that [`save`] writes.
pub const FILES: [&str; 2] = [CONFIG, WEIGHTS];

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
/// The value of `model_type` in config.json.
const MODEL_TYPE: &str = "similarity_map";
const VERSION: u32 = 1;
/// The default number of tokens of either text in a map, which bounds the cost of a pair.
pub const DEFAULT_TOKENS: usize = 128;
/// The maximum of each number in config.json.
const MAX_SETTING: usize = 1024;

/// A verifier's directory and how the output of its network becomes a score.
#[derive(Clone, Debug, PartialEq)]
pub struct SimilarityMapSpec {
    pub dir: String,
    /// `None`: the score is the probability that both texts mean the same.
    pub penalty: Option<Penalty>,
}

/// The score is the cosine of the texts. If it is greater than `above`, it is lowered by `weight` times the probability
/// that the texts differ in meaning. The defaults are those of arXiv 2604.16351.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalty {
    pub above: f64,
    pub weight: f64,
}

impl Default for Penalty {
    fn default() -> Penalty {
        Penalty { above: 0.9, weight: 0.5 }
    }
}

/// `config.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimilarityMapConfig {
    model_type: String,
    version: u32,
    pub base: SimilarityMapBase,
    /// Number of tokens of either text in a map; later tokens are ignored.
    pub tokens: usize,
    width: usize,
    layers: usize,
}

/// The model that makes the maps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimilarityMapBase {
    /// A name listed by `knockon models list`, or a directory.
    pub model: String,
    pub precision: ModelPrecision,
    /// The fingerprint of the model's weights and settings. Maps of another model would be meaningless to the network.
    pub fingerprint: String,
}

impl SimilarityMapConfig {
    pub fn new(
        base: SimilarityMapBase,
        tokens: usize,
        shape: MapNetworkShape,
    ) -> SimilarityMapConfig {
        let MapNetworkShape { width, layers } = shape;
        SimilarityMapConfig {
            model_type: MODEL_TYPE.to_owned(),
            version: VERSION,
            base,
            tokens,
            width,
            layers,
        }
    }

    fn parse(bytes: &[u8]) -> anyhow::Result<SimilarityMapConfig> {
        let json: serde_json::Value = serde_json::from_slice(bytes).context("config.json")?;
        let found = json.get("model_type").and_then(|found| found.as_str()).unwrap_or("nothing");
        ensure!(
            found == MODEL_TYPE,
            "config.json: model_type is {found}, not {MODEL_TYPE}; `knockon verifier` makes such directories"
        );
        let config: SimilarityMapConfig = serde_json::from_value(json).context("config.json")?;
        ensure!(
            config.version == VERSION,
            "config.json: version {} is not known here, only {VERSION}",
            config.version
        );
        for (what, number) in
            [("tokens", config.tokens), ("width", config.width), ("layers", config.layers)]
        {
            ensure!(
                (1..=MAX_SETTING).contains(&number),
                "config.json: `{what}` is {number}, not 1 to {MAX_SETTING}"
            );
        }
        Ok(config)
    }

    fn shape(&self) -> MapNetworkShape {
        MapNetworkShape { width: self.width, layers: self.layers }
    }
}

/// Whether a directory's config.json is that of a similarity-map network.
pub fn is_similarity_map(dir: &Path) -> bool {
    files::read_settings(&dir.join(CONFIG))
        .is_ok_and(|bytes| SimilarityMapConfig::parse(&bytes).is_ok())
}

/// Writes the network's files, and the additional files `further`, to a directory.
///
/// # Errors
/// A directory that cannot be written.
pub fn save(
    output: &OutputWriter,
    dir: &Path,
    config: &SimilarityMapConfig,
    net: &MapNetwork,
    further: &[(&str, Vec<u8>)],
) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    let mut at = 0;
    for (name, shape) in net.shape.tensors() {
        let count: usize = shape.iter().product();
        let data: Vec<u8> =
            net.weights[at..at + count].iter().flat_map(|w| w.to_le_bytes()).collect();
        at += count;
        bytes.push((name, shape, data));
    }
    let views = bytes
        .iter()
        .map(|(name, shape, data)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), data)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let weights = safetensors::serialize(views, None)?;
    let mut files = vec![(CONFIG, serde_json::to_vec_pretty(config)?), (WEIGHTS, weights)];
    files.extend(further.iter().cloned());
    output.write_folder(dir, &files)
}

/// Loads a network over similarity maps from its directory, and the model that makes the maps.
///
/// # Errors
/// A directory that is damaged or of another kind; a model that is missing, or that is not the one for which the
/// network was trained.
pub fn open_similarity_map(
    spec: &SimilarityMapSpec,
    environment: &Environment,
) -> anyhow::Result<Box<dyn PairScorer>> {
    let opened = SimilarityMapScorer::open(spec, environment)
        .with_context(|| format!("cannot load the similarity map {}", spec.dir))?;
    Ok(Box::new(opened))
}

/// A pair scorer: a network and the model that makes its maps.
pub struct SimilarityMapScorer {
    maps: bert::SimilarityMapper,
    net: MapNetwork,
    penalty: Option<Penalty>,
    fingerprint: String,
}

impl SimilarityMapScorer {
    fn open(
        spec: &SimilarityMapSpec,
        environment: &Environment,
    ) -> anyhow::Result<SimilarityMapScorer> {
        let dir = Path::new(&spec.dir);
        let config_bytes = files::read_settings(&dir.join(CONFIG))?;
        let bytes = files::read_weights(&dir.join(WEIGHTS))?;
        let config = SimilarityMapConfig::parse(&config_bytes)?;
        let net = load_net(config.shape(), &bytes)?;
        let base = &config.base;
        let model = ModelSpec::new(ModelKind::Transformer, base.model.as_str())
            .with_precision(base.precision);
        let maps = opening::open_maps(&model, config.tokens, environment)?;
        if maps.fingerprint() != base.fingerprint {
            bail!(
                "it was trained on other weights or settings of {} than those here: train it again with \
                 `knockon verifier`",
                base.model
            );
        }
        let mut hash = blake3::Hasher::new();
        let penalty = spec.penalty;
        // The Debug form of `Penalty` enters the hash, so renaming the type or its fields changes fingerprints.
        let settings = format!("similarity_map 1 {penalty:?} {}", maps.fingerprint());
        for part in [settings.as_bytes(), &config_bytes, &bytes] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let fingerprint = hash.finalize().to_hex().to_string();
        Ok(SimilarityMapScorer { maps, net, penalty, fingerprint })
    }

    /// The score of a pair. A pair without a map, because a text has no token, counts as different.
    fn score_map(&self, map: Option<&TokenSimilarityMap>) -> f32 {
        let differs = map.map_or(1.0, |map| probability(self.net.logit(map)));
        match self.penalty {
            None => 1.0 - differs,
            Some(Penalty { above, weight }) => {
                let base = map.map_or(0.0, |map| map.base);
                match f64::from(base) > above {
                    true => base - weight as f32 * differs,
                    false => base,
                }
            }
        }
    }
}

fn load_net(shape: MapNetworkShape, bytes: &[u8]) -> anyhow::Result<MapNetwork> {
    let weights = ModelWeights::parse(bytes)?;
    let mut all = Vec::with_capacity(shape.parameter_count());
    for (name, shape) in shape.tensors() {
        all.extend(weights.vector(&name, shape.iter().product())?);
    }
    weights.check_all_read(LoadPurpose::Vectors)?;
    Ok(MapNetwork { shape, weights: all })
}

/// The logistic function.
pub fn probability(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

impl PairScorer for SimilarityMapScorer {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn pair_limit(&self) -> Option<PairLimit> {
        Some(self.maps.pair_limit())
    }

    fn are_truncated(&self, pairs: &[TextPair]) -> anyhow::Result<Vec<bool>> {
        self.maps.are_cut(pairs)
    }

    fn score(&self, pairs: &[TextPair], done: &(dyn Fn(usize) + Sync)) -> anyhow::Result<Vec<f32>> {
        self.maps.map_each(pairs, done, &|map| self.score_map(map.as_ref()))
    }
}
