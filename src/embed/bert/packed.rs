//! The BERT forward pass for the CPU, without padding: the tokens of a group of texts are concatenated; linear layers
//! run over all tokens of the group at once, attention per text and head.

use super::attend::Attention;
use super::config::{Activation, Config};
use super::int8::Rounded;
use super::layers::{Dense, Encoder, Norm};
use super::linear::{LEAST_ROWS, Linear};
use super::math;
use super::relative::Bias;
use crate::embed::Precision;
use crate::embed::weights::Rows;

/// Maximum tokens per group: enough to keep the matrix kernels busy, few enough for the L2 cache.
pub const GROUP_TOKENS: usize = 256;

/// The weights of a BERT-family encoder in the layout of the CPU forward pass.
pub struct Packed {
    config: Config,
    words: Rows,
    /// The sum of position embedding and embedding of token type 0, (positions, hidden).
    places: Vec<f32>,
    /// The same for token type 1; empty for a model without a second segment.
    second_places: Vec<f32>,
    bias: Option<Bias>,
    norm: Norm,
    layers: Vec<PackedLayer>,
}

struct PackedLayer {
    /// The query, key and value projections, concatenated.
    qkv: Linear,
    attended: Linear,
    attended_norm: Norm,
    wide: Linear,
    narrow: Linear,
    narrow_norm: Norm,
}

/// A group of texts for one forward pass.
#[derive(Clone, Copy)]
pub struct Texts<'a> {
    /// The token ids of each text, all within the vocabulary; no text exceeds the model's maximum length.
    pub ids: &'a [Vec<u32>],
    /// The start of each text's second segment; empty if every text has one segment.
    pub firsts: &'a [usize],
    /// The number of leading tokens of each text that are attended to; empty if all are.
    pub seen: &'a [usize],
}

impl<'a> Texts<'a> {
    /// Texts of one segment whose tokens are all attended to.
    pub fn whole(ids: &'a [Vec<u32>]) -> Self {
        Self { ids, firsts: &[], seen: &[] }
    }

    /// The number of leading tokens of that text that are attended to.
    pub fn seen(&self, text: usize) -> usize {
        self.seen.get(text).copied().unwrap_or(usize::MAX)
    }
}

/// Buffers that a thread reuses from group to group.
#[derive(Default)]
pub struct Scratch {
    pub(super) x: Vec<f32>,
    pub(super) y: Vec<f32>,
    pub(super) qkv: Vec<f32>,
    pub(super) wide: Vec<f32>,
    pub(super) gated: Vec<f32>,
    pub(super) scores: Vec<f32>,
    pub(super) rounded: Rounded,
}

impl Packed {
    pub fn new(config: Config, encoder: Encoder, precision: Precision) -> Self {
        let h = config.hidden;
        let encoder = match precision {
            Precision::F32 => encoder,
            Precision::Int8 => encoder.into_int8(),
        };
        let positions = encoder.positions.into_f32();
        let placed = |token_type: usize| {
            let mut places = positions.clone();
            places.chunks_exact_mut(h).for_each(|place| encoder.types.add_row(token_type, place));
            places
        };
        let second_places = if config.token_types > 1 { placed(1) } else { Vec::new() };
        let places = placed(0);
        let relative = encoder.relative.map(Rows::into_f32);
        let bias = relative.map(|learnt| Bias::new(&learnt, config.heads, config.longest()));
        let words = match precision {
            Precision::F32 => Rows::F32 { data: encoder.words.into_f32(), cols: h },
            Precision::Int8 => encoder.words,
        };
        let linear = |parts: Vec<Dense>| Linear::new(parts, precision);
        let layers = encoder
            .layers
            .into_iter()
            .map(|l| PackedLayer {
                qkv: linear(vec![l.query, l.key, l.value]),
                attended: linear(vec![l.attended]),
                attended_norm: l.attended_norm,
                wide: linear(vec![l.wide]),
                narrow: linear(vec![l.narrow]),
                narrow_norm: l.narrow_norm,
            })
            .collect();
        Self { config, words, places, second_places, bias, norm: encoder.norm, layers }
    }

    /// The token vectors of the last layer, (tokens, hidden), concatenated over the texts. If
    /// [`Config::token_types`] is at most 1, every text must have one segment.
    pub fn forward<'s>(&self, texts: Texts, s: &'s mut Scratch) -> &'s [f32] {
        let (group, firsts) = (texts.ids, texts.firsts);
        let h = self.config.hidden;
        let tokens: usize = group.iter().map(Vec::len).sum();
        // Small groups are padded with rows of zeros, so that the f32 sums keep their order.
        let rows = tokens.max(LEAST_ROWS);
        let eps = self.config.norm_eps;

        s.x.clear();
        s.x.resize(rows * h, 0.0);
        let firsts = firsts.iter().copied().chain(std::iter::repeat(usize::MAX));
        let places = group.iter().zip(firsts).flat_map(|(ids, first)| {
            let token = move |(i, &id): (usize, &u32)| (i, id, i >= first);
            ids.iter().enumerate().map(token)
        });
        for (row, (i, id, second)) in s.x.chunks_exact_mut(h).zip(places) {
            let place = self.config.first_position + i;
            let places = if second { &self.second_places } else { &self.places };
            row.copy_from_slice(&places[place * h..(place + 1) * h]);
            self.words.add_row(id as usize, row);
        }
        math::norm_rows(&mut s.x, &self.norm.scale, &self.norm.shift, eps);

        s.y.resize(rows * h, 0.0);
        s.qkv.resize(rows * 3 * h, 0.0);
        s.wide.resize(rows * self.config.intermediate, 0.0);
        for layer in &self.layers {
            layer.qkv.forward(&s.x, &mut s.qkv, rows, &mut s.rounded);
            let mut start = 0;
            for (text, ids) in group.iter().enumerate() {
                let attention = Attention {
                    hidden: h,
                    heads: self.config.heads,
                    bias: self.bias.as_ref(),
                    window: None,
                    seen: texts.seen(text),
                };
                let (from, to) = (start, start + ids.len());
                let qkv = &s.qkv[from * 3 * h..to * 3 * h];
                attention.attend(qkv, ids.len(), &mut s.y[from * h..to * h], &mut s.scores);
                start = to;
            }
            // The padding rows may hold numbers of an earlier group.
            s.y[tokens * h..].fill(0.0);
            // Query, key and value are no longer needed, so their buffer takes the projection.
            let out = &mut s.qkv[..rows * h];
            layer.attended.forward(&s.y, out, rows, &mut s.rounded);
            let norm = &layer.attended_norm;
            math::add_norm_rows(&mut s.x, out, &norm.scale, &norm.shift, eps);

            let wide = &mut s.wide[..rows * layer.wide.outputs()];
            layer.wide.forward(&s.x, wide, rows, &mut s.rounded);
            match self.config.activation {
                Activation::Gelu => math::gelu(wide),
                Activation::Relu => math::relu(wide),
            }
            layer.narrow.forward(wide, &mut s.y, rows, &mut s.rounded);
            let norm = &layer.narrow_norm;
            math::add_norm_rows(&mut s.x, &s.y, &norm.scale, &norm.shift, eps);
        }
        &s.x[..tokens * h]
    }
}
