//! ModernBERT's forward pass for the CPU, with the layout of [`crate::embed::bert::packed`].

use super::super::attention::TextAttention;
use super::super::linear::{MIN_GEMM_ROWS, PackedLinear};
use super::super::math;
use super::super::packed::{ForwardScratch, TokenizedGroup};
use super::{ModernBertConfig, ModernBertEncoder, ModernBertLayer};
use crate::embed::ModelPrecision;
use crate::embed::bert::layers::LayerNormWeights;
use crate::embed::weight_matrix::WeightMatrix;

/// The weights of ModernBERT in the layout of the CPU forward pass.
pub struct PackedModernBert {
    config: ModernBertConfig,
    word_embeddings: WeightMatrix,
    norm: LayerNormWeights,
    layers: Vec<PackedModernBertLayer>,
    final_norm: LayerNormWeights,
    /// One table for each distinct base of the layers' angles.
    angles: Vec<RotaryAngles>,
}

struct PackedModernBertLayer {
    attention_norm: Option<LayerNormWeights>,
    qkv: PackedLinear,
    attention_out: PackedLinear,
    ffn_norm: LayerNormWeights,
    ffn_in: PackedLinear,
    ffn_out: PackedLinear,
    /// The index of the layer's table in [`PackedModernBert::angles`].
    angles: usize,
}

impl PackedModernBert {
    /// Arranges the weights for texts of at most `longest` tokens.
    pub fn new(
        config: ModernBertConfig,
        encoder: ModernBertEncoder,
        precision: ModelPrecision,
        longest: usize,
    ) -> Self {
        let encoder = match precision {
            ModelPrecision::F32 => encoder,
            ModelPrecision::Int8 => encoder.into_int8(),
        };
        let word_embeddings = match precision {
            ModelPrecision::F32 => {
                WeightMatrix::F32 { data: encoder.word_embeddings.into_f32(), cols: config.hidden }
            }
            ModelPrecision::Int8 => encoder.word_embeddings,
        };
        let size = config.hidden / config.heads;
        let mut thetas: Vec<f64> = Vec::new();
        let layers = encoder.layers.into_iter().zip(&config.scopes).map(|(layer, scope)| {
            let ModernBertLayer {
                attention_norm,
                qkv,
                attention_out: attended,
                ffn_norm: wide_norm,
                ffn_in: wide,
                ffn_out: narrow,
            } = layer;
            let angles = thetas.iter().position(|t| *t == scope.theta).unwrap_or_else(|| {
                thetas.push(scope.theta);
                thetas.len() - 1
            });
            PackedModernBertLayer {
                attention_norm,
                qkv: PackedLinear::new(vec![qkv], precision),
                attention_out: PackedLinear::new(vec![attended], precision),
                ffn_norm: wide_norm,
                ffn_in: PackedLinear::new(vec![wide], precision),
                ffn_out: PackedLinear::new(vec![narrow], precision),
                angles,
            }
        });
        let layers = layers.collect();
        let angles = thetas.iter().map(|theta| RotaryAngles::new(*theta, size, longest)).collect();
        Self {
            word_embeddings,
            norm: encoder.norm,
            layers,
            final_norm: encoder.final_norm,
            angles,
            config,
        }
    }

    /// The narrowest attention window of any layer; `None` if no layer has one.
    pub fn window(&self) -> Option<usize> {
        self.config.scopes.iter().filter_map(|scope| scope.window).min()
    }

    /// See [`crate::embed::bert::packed::PackedBert::forward`].
    pub fn forward<'s>(&self, texts: TokenizedGroup, s: &'s mut ForwardScratch) -> &'s [f32] {
        let group = texts.ids;
        let (h, wide) = (self.config.hidden, self.config.intermediate);
        let tokens: usize = group.iter().map(Vec::len).sum();
        let rows = tokens.max(MIN_GEMM_ROWS);
        let eps = self.config.norm_eps;
        let norm =
            |x: &mut [f32], n: &LayerNormWeights| math::norm_rows(x, &n.scale, &n.shift, eps);

        s.x.clear();
        s.x.resize(rows * h, 0.0);
        for (row, &id) in s.x.chunks_exact_mut(h).zip(group.iter().flatten()) {
            self.word_embeddings.add_row(id as usize, row);
        }
        norm(&mut s.x, &self.norm);

        s.y.resize(rows * h, 0.0);
        s.qkv.resize(rows * 3 * h, 0.0);
        s.ffn.resize(rows * 2 * wide, 0.0);
        s.gated.resize(rows * wide, 0.0);
        for (layer, scope) in self.layers.iter().zip(&self.config.scopes) {
            s.y.copy_from_slice(&s.x);
            if let Some(n) = &layer.attention_norm {
                norm(&mut s.y, n);
            }
            layer.qkv.forward(&s.y, &mut s.qkv, rows, &mut s.rounded);
            let angles = &self.angles[layer.angles];
            let mut start = 0;
            for (text, ids) in group.iter().enumerate() {
                let attention = TextAttention {
                    hidden: h,
                    heads: self.config.heads,
                    bias: None,
                    window: scope.window,
                    visible_tokens: texts.visible_tokens(text),
                };
                let (from, to) = (start, start + ids.len());
                let qkv = &mut s.qkv[from * 3 * h..to * 3 * h];
                // Rotate query and key, but not the value.
                for (place, row) in qkv.chunks_exact_mut(3 * h).enumerate() {
                    angles.rotate(place, &mut row[..2 * h]);
                }
                attention.attend(qkv, ids.len(), &mut s.y[from * h..to * h], &mut s.scores);
                start = to;
            }
            s.y[tokens * h..].fill(0.0);
            let out = &mut s.qkv[..rows * h];
            layer.attention_out.forward(&s.y, out, rows, &mut s.rounded);
            math::add(&mut s.x, out);

            s.y.copy_from_slice(&s.x);
            norm(&mut s.y, &layer.ffn_norm);
            layer.ffn_in.forward(&s.y, &mut s.ffn, rows, &mut s.rounded);
            math::gated_gelu(&s.ffn, wide, &mut s.gated);
            layer.ffn_out.forward(&s.gated, &mut s.y, rows, &mut s.rounded);
            math::add(&mut s.x, &s.y);
        }
        norm(&mut s.x, &self.final_norm);
        &s.x[..tokens * h]
    }
}

/// The cosines and sines of the rotary embedding, by position.
struct RotaryAngles {
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
}

impl RotaryAngles {
    fn new(theta: f64, size: usize, places: usize) -> Self {
        let half = size / 2;
        let turns: Vec<f64> =
            (0..half).map(|i| theta.powf(-2.0 * i as f64 / size as f64)).collect();
        let angles = (0..places).flat_map(|place| turns.iter().map(move |t| place as f64 * t));
        let (sin, cos) = angles.map(|a| (a.sin() as f32, a.cos() as f32)).unzip();
        Self { cos, sin, half }
    }

    /// Rotates the heads of query and key; each head pairs its first half with its second.
    fn rotate(&self, place: usize, heads: &mut [f32]) {
        let at = place * self.half;
        let (cos, sin) = (&self.cos[at..at + self.half], &self.sin[at..at + self.half]);
        for head in heads.chunks_exact_mut(2 * self.half) {
            let (first, second) = head.split_at_mut(self.half);
            for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }
}
