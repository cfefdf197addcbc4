//! The weights of a BERT encoder by function, as loaded, before they are arranged for either forward pass.

use anyhow::{Context, ensure};

use super::config::{Config, Family};
use crate::embed::weights::{Rows, Weights};

/// The scale and shift of a layer norm.
pub struct Norm {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

/// `y = x W^T + b` with `weight` of shape (outputs, inputs).
pub struct Dense {
    pub weight: Rows,
    pub bias: Vec<f32>,
}

/// The weights of one transformer layer.
pub struct Layer {
    pub query: Dense,
    pub key: Dense,
    pub value: Dense,
    pub attended: Dense,
    pub attended_norm: Norm,
    pub wide: Dense,
    pub narrow: Dense,
    pub narrow_norm: Norm,
}

/// The weights of a BERT-family encoder.
pub struct Encoder {
    family: Family,
    pub words: Rows,
    pub positions: Rows,
    /// The embeddings of token types; a row of zeros for a model without any.
    pub types: Rows,
    /// MPNet's relative position bias, (buckets, heads).
    pub relative: Option<Rows>,
    pub norm: Norm,
    pub layers: Vec<Layer>,
}

/// Matrices and vectors by their name in a safetensors file.
pub struct Parts<'a> {
    pub matrices: Vec<(String, &'a Rows)>,
    pub vectors: Vec<(String, &'a [f32])>,
}

/// The names of a layer's tensors that differ between families.
struct Names {
    query: &'static str,
    key: &'static str,
    value: &'static str,
    attended: &'static str,
    attended_norm: &'static str,
}

const WIDE: &str = "intermediate.dense";
const NARROW: &str = "output.dense";
const NARROW_NORM: &str = "output.LayerNorm";
const TYPES: &str = "embeddings.token_type_embeddings.weight";
const RELATIVE: &str = "encoder.relative_attention_bias.weight";

impl Family {
    fn names(self) -> Names {
        match self {
            Family::Bert => Names {
                query: "attention.self.query",
                key: "attention.self.key",
                value: "attention.self.value",
                attended: "attention.output.dense",
                attended_norm: "attention.output.LayerNorm",
            },
            Family::Mpnet { .. } => Names {
                query: "attention.attn.q",
                key: "attention.attn.k",
                value: "attention.attn.v",
                attended: "attention.attn.o",
                attended_norm: "attention.LayerNorm",
            },
        }
    }
}

impl Encoder {
    /// # Errors
    /// A tensor that is missing or whose shape does not match `config`.
    pub fn load(weights: &Weights, config: &Config) -> anyhow::Result<Self> {
        let h = config.hidden;
        let names = config.family.names();
        let norm = |name: &str| -> anyhow::Result<Norm> {
            // Exports from before 2019 name these tensors gamma and beta.
            let part = |new: &str, old: &str| {
                weights
                    .vector(&format!("{name}.{new}"), h)
                    .or_else(|e| weights.vector(&format!("{name}.{old}"), h).map_err(|_| e))
            };
            Ok(Norm { scale: part("weight", "gamma")?, shift: part("bias", "beta")? })
        };
        let dense = |name: String, outputs, inputs| -> anyhow::Result<Dense> {
            Ok(Dense {
                weight: weights.rows(&format!("{name}.weight"), outputs, inputs)?,
                bias: weights.vector(&format!("{name}.bias"), outputs)?,
            })
        };
        let table = |name: &str, rows| weights.rows(&format!("embeddings.{name}.weight"), rows, h);
        let layers = (0..config.layers)
            .map(|i| -> anyhow::Result<Layer> {
                let at = format!("encoder.layer.{i}");
                let layer = Layer {
                    query: dense(format!("{at}.{}", names.query), h, h)?,
                    key: dense(format!("{at}.{}", names.key), h, h)?,
                    value: dense(format!("{at}.{}", names.value), h, h)?,
                    attended: dense(format!("{at}.{}", names.attended), h, h)?,
                    attended_norm: norm(&format!("{at}.{}", names.attended_norm))?,
                    wide: dense(format!("{at}.{WIDE}"), config.intermediate, h)?,
                    narrow: dense(format!("{at}.{NARROW}"), h, config.intermediate)?,
                    narrow_norm: norm(&format!("{at}.{NARROW_NORM}"))?,
                };
                let smooth = layer.query.weight.smooth();
                ensure!(
                    smooth == layer.key.weight.smooth() && smooth == layer.value.weight.smooth(),
                    "layer {i}: query, key and value read one input, but are smoothed differently"
                );
                Ok(layer)
            })
            .collect::<anyhow::Result<_>>()
            .context("the layers")?;
        let (types, relative) = match config.family {
            Family::Bert => (weights.rows(TYPES, config.token_types, h)?, None),
            Family::Mpnet { buckets } => (
                Rows::F32 { data: vec![0.0; h], cols: h },
                Some(weights.rows(RELATIVE, buckets, config.heads)?),
            ),
        };
        Ok(Self {
            family: config.family,
            words: table("word_embeddings", config.vocabulary)?,
            positions: table("position_embeddings", config.positions)?,
            types,
            relative,
            norm: norm("embeddings.LayerNorm")?,
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
        self.words = self.words.into_int8();
        self.positions = self.positions.into_int8();
        let mut before = &self.norm;
        for layer in &mut self.layers {
            // The three projections share one factor; the value decides, because its errors reach the output directly,
            // those of query and key only through a softmax.
            let smooth = smoothing(before, &layer.value);
            round(&mut layer.query, &smooth);
            round(&mut layer.key, &smooth);
            round(&mut layer.value, &smooth);
            // Its input does not come from a layer norm, so its span is unknown. The same holds for `narrow`.
            round(&mut layer.attended, &[]);
            let smooth = smoothing(&layer.attended_norm, &layer.wide);
            round(&mut layer.wide, &smooth);
            round(&mut layer.narrow, &[]);
            before = &layer.narrow_norm;
        }
        self
    }

    /// The names of the linear layers of layer `i` in a safetensors file: query, key, value, attention output,
    /// feed-forward input and feed-forward output.
    pub fn linear_names(&self, i: usize) -> [String; 6] {
        let names = self.family.names();
        [names.query, names.key, names.value, names.attended, WIDE, NARROW]
            .map(|name| format!("encoder.layer.{i}.{name}"))
    }

    /// All matrices and vectors under their names in a safetensors file.
    pub fn parts(&self) -> Parts<'_> {
        let names = self.family.names();
        let mut matrices = vec![
            ("embeddings.word_embeddings.weight".to_owned(), &self.words),
            ("embeddings.position_embeddings.weight".to_owned(), &self.positions),
            match &self.relative {
                Some(relative) => (RELATIVE.to_owned(), relative),
                None => (TYPES.to_owned(), &self.types),
            },
        ];
        let mut vectors: Vec<(String, &[f32])> = Vec::new();
        let mut norms = vec![("embeddings.LayerNorm".to_owned(), &self.norm)];
        for (i, l) in self.layers.iter().enumerate() {
            let at = format!("encoder.layer.{i}");
            let linear = [&l.query, &l.key, &l.value, &l.attended, &l.wide, &l.narrow];
            for (name, dense) in self.linear_names(i).into_iter().zip(linear) {
                matrices.push((format!("{name}.weight"), &dense.weight));
                vectors.push((format!("{name}.bias"), &dense.bias));
            }
            norms.push((format!("{at}.{}", names.attended_norm), &l.attended_norm));
            norms.push((format!("{at}.{NARROW_NORM}"), &l.narrow_norm));
        }
        for (name, norm) in norms {
            vectors.push((format!("{name}.weight"), &norm.scale));
            vectors.push((format!("{name}.bias"), &norm.shift));
        }
        Parts { matrices, vectors }
    }
}

/// Smooths the weight matrix and rounds it to int8.
pub(super) fn round(dense: &mut Dense, smooth: &[f32]) {
    let weight = std::mem::replace(&mut dense.weight, Rows::F32 { data: Vec::new(), cols: 0 });
    dense.weight = weight.into_smooth_int8(smooth);
}

/// The smoothing factor of each input channel of `reader`: sqrt(span of the channel / its largest weight), scaled so
/// that the median is 1.
pub(super) fn smoothing(norm: &Norm, reader: &Dense) -> Vec<f32> {
    let cols = norm.scale.len();
    let Rows::F32 { data, .. } = &reader.weight else { return Vec::new() };
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
