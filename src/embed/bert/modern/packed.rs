//! ModernBERT's forward pass for the CPU, with the layout of [`crate::embed::bert::packed`].

use super::super::attend::Attention;
use super::super::linear::{LEAST_ROWS, Linear};
use super::super::math;
use super::super::packed::{Scratch, Texts};
use super::{Config, Encoder, Layer};
use crate::embed::Precision;
use crate::embed::bert::layers::Norm;
use crate::embed::weights::Rows;

/// The weights of ModernBERT in the layout of the CPU forward pass.
pub struct Packed {
    config: Config,
    words: Rows,
    norm: Norm,
    layers: Vec<PackedLayer>,
    final_norm: Norm,
    /// One table for each distinct base of the layers' angles.
    angles: Vec<Angles>,
}

struct PackedLayer {
    attention_norm: Option<Norm>,
    qkv: Linear,
    attended: Linear,
    wide_norm: Norm,
    wide: Linear,
    narrow: Linear,
    /// The index of the layer's table in [`Packed::angles`].
    angles: usize,
}

impl Packed {
    /// Arranges the weights for texts of at most `longest` tokens.
    pub fn new(config: Config, encoder: Encoder, precision: Precision, longest: usize) -> Self {
        let encoder = match precision {
            Precision::F32 => encoder,
            Precision::Int8 => encoder.into_int8(),
        };
        let words = match precision {
            Precision::F32 => Rows::F32 { data: encoder.words.into_f32(), cols: config.hidden },
            Precision::Int8 => encoder.words,
        };
        let linear = |dense| Linear::new(vec![dense], precision);
        let size = config.hidden / config.heads;
        let mut thetas: Vec<f64> = Vec::new();
        let layers = encoder.layers.into_iter().zip(&config.scopes).map(|(layer, scope)| {
            let Layer { attention_norm, qkv, attended, wide_norm, wide, narrow } = layer;
            let angles = thetas.iter().position(|t| *t == scope.theta).unwrap_or_else(|| {
                thetas.push(scope.theta);
                thetas.len() - 1
            });
            PackedLayer {
                attention_norm,
                qkv: linear(qkv),
                attended: linear(attended),
                wide_norm,
                wide: linear(wide),
                narrow: linear(narrow),
                angles,
            }
        });
        let layers = layers.collect();
        let angles = thetas.iter().map(|theta| Angles::new(*theta, size, longest)).collect();
        Self { words, norm: encoder.norm, layers, final_norm: encoder.final_norm, angles, config }
    }

    /// The narrowest attention window of any layer; `None` if no layer has one.
    pub fn window(&self) -> Option<usize> {
        self.config.scopes.iter().filter_map(|scope| scope.window).min()
    }

    /// See [`crate::embed::bert::packed::Packed::forward`].
    pub fn forward<'s>(&self, texts: Texts, s: &'s mut Scratch) -> &'s [f32] {
        let group = texts.ids;
        let (h, wide) = (self.config.hidden, self.config.intermediate);
        let tokens: usize = group.iter().map(Vec::len).sum();
        let rows = tokens.max(LEAST_ROWS);
        let eps = self.config.norm_eps;
        let norm = |x: &mut [f32], n: &Norm| math::norm_rows(x, &n.scale, &n.shift, eps);

        s.x.clear();
        s.x.resize(rows * h, 0.0);
        for (row, &id) in s.x.chunks_exact_mut(h).zip(group.iter().flatten()) {
            self.words.add_row(id as usize, row);
        }
        norm(&mut s.x, &self.norm);

        s.y.resize(rows * h, 0.0);
        s.qkv.resize(rows * 3 * h, 0.0);
        s.wide.resize(rows * 2 * wide, 0.0);
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
                let attention = Attention {
                    hidden: h,
                    heads: self.config.heads,
                    bias: None,
                    window: scope.window,
                    seen: texts.seen(text),
                };
                let (from, to) = (start, start + ids.len());
                let qkv = &mut s.qkv[from * 3 * h..to * 3 * h];
                // Rotate query and key, but not the value.
                for (place, row) in qkv.chunks_exact_mut(3 * h).enumerate() {
                    angles.turn(place, &mut row[..2 * h]);
                }
                attention.attend(qkv, ids.len(), &mut s.y[from * h..to * h], &mut s.scores);
                start = to;
            }
            s.y[tokens * h..].fill(0.0);
            let out = &mut s.qkv[..rows * h];
            layer.attended.forward(&s.y, out, rows, &mut s.rounded);
            math::add(&mut s.x, out);

            s.y.copy_from_slice(&s.x);
            norm(&mut s.y, &layer.wide_norm);
            layer.wide.forward(&s.y, &mut s.wide, rows, &mut s.rounded);
            math::gated_gelu(&s.wide, wide, &mut s.gated);
            layer.narrow.forward(&s.gated, &mut s.y, rows, &mut s.rounded);
            math::add(&mut s.x, &s.y);
        }
        norm(&mut s.x, &self.final_norm);
        &s.x[..tokens * h]
    }
}

/// The cosines and sines of the rotary embedding, by position.
struct Angles {
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
}

impl Angles {
    fn new(theta: f64, size: usize, places: usize) -> Self {
        let half = size / 2;
        let turns: Vec<f64> =
            (0..half).map(|i| theta.powf(-2.0 * i as f64 / size as f64)).collect();
        let angles = (0..places).flat_map(|place| turns.iter().map(move |t| place as f64 * t));
        let (sin, cos) = angles.map(|a| (a.sin() as f32, a.cos() as f32)).unzip();
        Self { cos, sin, half }
    }

    /// Rotates the heads of query and key; each head pairs its first half with its second.
    fn turn(&self, place: usize, heads: &mut [f32]) {
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
