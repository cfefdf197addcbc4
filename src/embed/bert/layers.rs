//! The weights of a BERT encoder by function, as loaded, before they are arranged for either forward pass.

use anyhow::{Context, ensure};

use super::config::{BertConfig, BertFamily};
use crate::embed::weight_matrix::WeightMatrix;
use crate::embed::weights::ModelWeights;

/// The scale and shift of a layer norm.
pub struct LayerNormWeights {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

impl LayerNormWeights {
    fn load(weights: &ModelWeights, name: &str, size: usize) -> anyhow::Result<Self> {
        Ok(Self {
            scale: norm_vector(weights, name, ["weight", "gamma"], size)?,
            shift: norm_vector(weights, name, ["bias", "beta"], size)?,
        })
    }
}

/// A vector of a layer norm under its usual name, or under the one in exports from before 2019.
fn norm_vector(
    weights: &ModelWeights,
    norm: &str,
    [new, old]: [&str; 2],
    size: usize,
) -> anyhow::Result<Vec<f32>> {
    weights
        .vector(&format!("{norm}.{new}"), size)
        .or_else(|e| weights.vector(&format!("{norm}.{old}"), size).map_err(|_| e))
}

/// `y = x W^T + b` with `weight` of shape (outputs, inputs).
pub struct DenseWeights {
    pub weight: WeightMatrix,
    pub bias: Vec<f32>,
}

impl DenseWeights {
    fn load(
        weights: &ModelWeights,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            weight: weights.matrix(&format!("{name}.weight"), outputs, inputs)?,
            bias: weights.vector(&format!("{name}.bias"), outputs)?,
        })
    }
}

/// The weights of one transformer layer.
pub struct BertLayer {
    pub query: DenseWeights,
    pub key: DenseWeights,
    pub value: DenseWeights,
    pub attention_out: DenseWeights,
    pub attention_out_norm: LayerNormWeights,
    pub ffn_in: DenseWeights,
    pub ffn_out: DenseWeights,
    pub ffn_out_norm: LayerNormWeights,
}

/// The weights of a BERT-family encoder.
pub struct BertEncoder {
    family: BertFamily,
    pub word_embeddings: WeightMatrix,
    pub positions: WeightMatrix,
    /// The embeddings of token types; a row of zeros for a model without any.
    pub token_types: WeightMatrix,
    /// MPNet's relative position bias, (buckets, heads).
    pub relative_bias: Option<WeightMatrix>,
    pub norm: LayerNormWeights,
    pub layers: Vec<BertLayer>,
}

/// Matrices and vectors by their name in a safetensors file.
pub struct NamedWeights<'a> {
    pub matrices: Vec<(String, &'a WeightMatrix)>,
    pub vectors: Vec<(String, &'a [f32])>,
}

/// The names of a layer's tensors that differ between families.
struct LayerTensorNames {
    query: &'static str,
    key: &'static str,
    value: &'static str,
    attention_out: &'static str,
    attention_out_norm: &'static str,
}

const FFN_IN: &str = "intermediate.dense";
const FFN_OUT: &str = "output.dense";
const FFN_OUT_NORM: &str = "output.LayerNorm";
const TOKEN_TYPES: &str = "embeddings.token_type_embeddings.weight";
const RELATIVE_BIAS: &str = "encoder.relative_attention_bias.weight";

impl BertFamily {
    fn names(self) -> LayerTensorNames {
        match self {
            BertFamily::Bert => LayerTensorNames {
                query: "attention.self.query",
                key: "attention.self.key",
                value: "attention.self.value",
                attention_out: "attention.output.dense",
                attention_out_norm: "attention.output.LayerNorm",
            },
            BertFamily::Mpnet { .. } => LayerTensorNames {
                query: "attention.attn.q",
                key: "attention.attn.k",
                value: "attention.attn.v",
                attention_out: "attention.attn.o",
                attention_out_norm: "attention.LayerNorm",
            },
        }
    }
}

impl BertEncoder {
    /// # Errors
    /// A tensor that is missing or whose shape does not match `config`.
    pub fn load(weights: &ModelWeights, config: &BertConfig) -> anyhow::Result<Self> {
        let h = config.hidden;
        let names = config.family.names();
        let layers = (0..config.layers)
            .map(|i| -> anyhow::Result<BertLayer> {
                let at = format!("encoder.layer.{i}");
                let layer = BertLayer {
                    query: DenseWeights::load(weights, &format!("{at}.{}", names.query), h, h)?,
                    key: DenseWeights::load(weights, &format!("{at}.{}", names.key), h, h)?,
                    value: DenseWeights::load(weights, &format!("{at}.{}", names.value), h, h)?,
                    attention_out: DenseWeights::load(
                        weights,
                        &format!("{at}.{}", names.attention_out),
                        h,
                        h,
                    )?,
                    attention_out_norm: LayerNormWeights::load(
                        weights,
                        &format!("{at}.{}", names.attention_out_norm),
                        h,
                    )?,
                    ffn_in: DenseWeights::load(
                        weights,
                        &format!("{at}.{FFN_IN}"),
                        config.intermediate,
                        h,
                    )?,
                    ffn_out: DenseWeights::load(
                        weights,
                        &format!("{at}.{FFN_OUT}"),
                        h,
                        config.intermediate,
                    )?,
                    ffn_out_norm: LayerNormWeights::load(
                        weights,
                        &format!("{at}.{FFN_OUT_NORM}"),
                        h,
                    )?,
                };
                let smooth = layer.query.weight.smoothing_divisors();
                ensure!(
                    smooth == layer.key.weight.smoothing_divisors()
                        && smooth == layer.value.weight.smoothing_divisors(),
                    "layer {i}: query, key and value read one input, but are smoothed differently"
                );
                Ok(layer)
            })
            .collect::<anyhow::Result<_>>()
            .context("the layers")?;
        let (types, relative) = match config.family {
            BertFamily::Bert => (weights.matrix(TOKEN_TYPES, config.token_types, h)?, None),
            BertFamily::Mpnet { buckets } => (
                WeightMatrix::F32 { data: vec![0.0; h], cols: h },
                Some(weights.matrix(RELATIVE_BIAS, buckets, config.heads)?),
            ),
        };
        Ok(Self {
            family: config.family,
            word_embeddings: weights.matrix(
                "embeddings.word_embeddings.weight",
                config.vocabulary,
                h,
            )?,
            positions: weights.matrix(
                "embeddings.position_embeddings.weight",
                config.positions,
                h,
            )?,
            token_types: types,
            relative_bias: relative,
            norm: LayerNormWeights::load(weights, "embeddings.LayerNorm", h)?,
            layers,
        })
    }

    /// Rounds tables and linear layers to int8.
    ///
    /// Some channels of a layer norm's output are many times larger than the rest and would take up the whole range
    /// of a rounded row. So the inputs of linear layers after a layer norm are divided, and their weights multiplied,
    /// by a factor per channel (SmoothQuant, arXiv 2211.10438, with strength 1/2). The span of a channel is estimated
    /// from the layer norm, so no calibration texts are needed.
    pub fn into_int8(mut self) -> Self {
        self.word_embeddings = self.word_embeddings.into_int8();
        self.positions = self.positions.into_int8();
        let mut before = &self.norm;
        for layer in &mut self.layers {
            // The three projections share one factor; the value decides, because its errors reach the output directly,
            // those of query and key only through a softmax.
            let smooth = smoothing_factors(before, &layer.value);
            smooth_and_round(&mut layer.query, &smooth);
            smooth_and_round(&mut layer.key, &smooth);
            smooth_and_round(&mut layer.value, &smooth);
            // Its input does not come from a layer norm, so its span is unknown. The same holds for `narrow`.
            smooth_and_round(&mut layer.attention_out, &[]);
            let smooth = smoothing_factors(&layer.attention_out_norm, &layer.ffn_in);
            smooth_and_round(&mut layer.ffn_in, &smooth);
            smooth_and_round(&mut layer.ffn_out, &[]);
            before = &layer.ffn_out_norm;
        }
        self
    }

    /// The names of the linear layers of layer `i` in a safetensors file: query, key, value, attention output,
    /// feed-forward input and feed-forward output.
    pub fn linear_names(&self, i: usize) -> [String; 6] {
        let names = self.family.names();
        [names.query, names.key, names.value, names.attention_out, FFN_IN, FFN_OUT]
            .map(|name| format!("encoder.layer.{i}.{name}"))
    }

    /// All matrices and vectors under their names in a safetensors file.
    pub fn named_weights(&self) -> NamedWeights<'_> {
        let names = self.family.names();
        let mut matrices = vec![
            ("embeddings.word_embeddings.weight".to_owned(), &self.word_embeddings),
            ("embeddings.position_embeddings.weight".to_owned(), &self.positions),
            match &self.relative_bias {
                Some(relative) => (RELATIVE_BIAS.to_owned(), relative),
                None => (TOKEN_TYPES.to_owned(), &self.token_types),
            },
        ];
        let mut vectors: Vec<(String, &[f32])> = Vec::new();
        let mut norms = vec![("embeddings.LayerNorm".to_owned(), &self.norm)];
        for (i, l) in self.layers.iter().enumerate() {
            let at = format!("encoder.layer.{i}");
            let linear = [&l.query, &l.key, &l.value, &l.attention_out, &l.ffn_in, &l.ffn_out];
            for (name, dense) in self.linear_names(i).into_iter().zip(linear) {
                matrices.push((format!("{name}.weight"), &dense.weight));
                vectors.push((format!("{name}.bias"), &dense.bias));
            }
            norms.push((format!("{at}.{}", names.attention_out_norm), &l.attention_out_norm));
            norms.push((format!("{at}.{FFN_OUT_NORM}"), &l.ffn_out_norm));
        }
        for (name, norm) in norms {
            vectors.push((format!("{name}.weight"), &norm.scale));
            vectors.push((format!("{name}.bias"), &norm.shift));
        }
        NamedWeights { matrices, vectors }
    }
}

/// Smooths the weight matrix and rounds it to int8.
pub(super) fn smooth_and_round(dense: &mut DenseWeights, smooth: &[f32]) {
    let weight =
        std::mem::replace(&mut dense.weight, WeightMatrix::F32 { data: Vec::new(), cols: 0 });
    dense.weight = weight.into_smooth_int8(smooth);
}

/// The smoothing factor of each input channel of `reader`: sqrt(span of the channel / its largest weight), scaled so
/// that the median is 1.
pub(super) fn smoothing_factors(norm: &LayerNormWeights, reader: &DenseWeights) -> Vec<f32> {
    let cols = norm.scale.len();
    let WeightMatrix::F32 { data, .. } = &reader.weight else { return Vec::new() };
    let mut largest = vec![0.0_f32; cols];
    for row in data.chunks_exact(cols) {
        for (l, w) in largest.iter_mut().zip(row) {
            *l = l.max(w.abs());
        }
    }
    let spans = norm.scale.iter().zip(&norm.shift).map(|(g, b)| g.abs() + b.abs());
    let mut smooth: Vec<f32> = spans
        .zip(largest)
        .map(|(span, l)| if span > 0.0 && l > 0.0 { (span / l).sqrt() } else { 1.0 })
        .collect();
    let mut sorted = smooth.clone();
    sorted.sort_by(f32::total_cmp);
    let median = sorted[cols / 2];
    for s in &mut smooth {
        *s /= median;
    }
    smooth
}
