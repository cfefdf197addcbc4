//! The BERT forward pass for the CPU, without padding: the tokens of a group of texts are concatenated; linear layers
//! run over all tokens of the group at once, attention per text and head.

use super::attention::TextAttention;
use super::config::{BertActivation, BertConfig};
use super::int8::RoundedActivations;
use super::layers::{BertEncoder, LayerNormWeights};
use super::linear::{MIN_GEMM_ROWS, PackedLinear};
use super::math;
use super::relative_bias::RelativeBias;
use crate::embed::ModelPrecision;
use crate::embed::weight_matrix::WeightMatrix;

/// Maximum tokens per group: enough to keep the matrix kernels busy, few enough for the L2 cache.
pub const GROUP_TOKENS: usize = 256;

/// The weights of a BERT-family encoder in the layout of the CPU forward pass.
pub struct PackedBert {
    config: BertConfig,
    word_embeddings: WeightMatrix,
    /// The sum of position embedding and embedding of token type 0, (positions, hidden).
    position_table: Vec<f32>,
    /// The same for token type 1; empty for a model without a second segment.
    second_position_table: Vec<f32>,
    bias: Option<RelativeBias>,
    norm: LayerNormWeights,
    layers: Vec<PackedBertLayer>,
}

struct PackedBertLayer {
    /// The query, key and value projections, concatenated.
    qkv: PackedLinear,
    attention_out: PackedLinear,
    attention_out_norm: LayerNormWeights,
    ffn_in: PackedLinear,
    ffn_out: PackedLinear,
    ffn_out_norm: LayerNormWeights,
}

/// A group of texts for one forward pass.
#[derive(Clone, Copy)]
pub struct TokenizedGroup<'a> {
    /// The token ids of each text, all within the vocabulary; no text exceeds the model's maximum length.
    pub ids: &'a [Vec<u32>],
    /// The start of each text's second segment; empty if every text has one segment.
    pub second_segment_starts: &'a [usize],
    /// The number of leading tokens of each text that are attended to; empty if all are.
    pub visible_tokens: &'a [usize],
}

impl<'a> TokenizedGroup<'a> {
    /// Texts of one segment whose tokens are all attended to.
    pub fn unsegmented(ids: &'a [Vec<u32>]) -> Self {
        Self { ids, second_segment_starts: &[], visible_tokens: &[] }
    }

    /// The number of leading tokens of that text that are attended to.
    pub fn visible_tokens(&self, text: usize) -> usize {
        self.visible_tokens.get(text).copied().unwrap_or(usize::MAX)
    }
}

/// Buffers that a thread reuses from group to group.
#[derive(Default)]
pub struct ForwardScratch {
    pub(super) x: Vec<f32>,
    pub(super) y: Vec<f32>,
    pub(super) qkv: Vec<f32>,
    pub(super) ffn: Vec<f32>,
    pub(super) gated: Vec<f32>,
    pub(super) scores: Vec<f32>,
    pub(super) rounded: RoundedActivations,
}

impl PackedBert {
    pub fn new(config: BertConfig, encoder: BertEncoder, precision: ModelPrecision) -> Self {
        let h = config.hidden;
        let encoder = match precision {
            ModelPrecision::F32 => encoder,
            ModelPrecision::Int8 => encoder.into_int8(),
        };
        let positions = encoder.positions.into_f32();
        let second_position_table = if config.token_types > 1 {
            position_table(&positions, &encoder.token_types, 1)
        } else {
            Vec::new()
        };
        let position_table = position_table(&positions, &encoder.token_types, 0);
        let relative = encoder.relative_bias.map(WeightMatrix::into_f32);
        let bias = relative
            .map(|learnt| RelativeBias::new(&learnt, config.heads, config.max_text_tokens()));
        let word_embeddings = match precision {
            ModelPrecision::F32 => {
                WeightMatrix::F32 { data: encoder.word_embeddings.into_f32(), cols: h }
            }
            ModelPrecision::Int8 => encoder.word_embeddings,
        };
        let layers = encoder
            .layers
            .into_iter()
            .map(|l| PackedBertLayer {
                qkv: PackedLinear::new(vec![l.query, l.key, l.value], precision),
                attention_out: PackedLinear::new(vec![l.attention_out], precision),
                attention_out_norm: l.attention_out_norm,
                ffn_in: PackedLinear::new(vec![l.ffn_in], precision),
                ffn_out: PackedLinear::new(vec![l.ffn_out], precision),
                ffn_out_norm: l.ffn_out_norm,
            })
            .collect();
        Self {
            config,
            word_embeddings,
            position_table,
            second_position_table,
            bias,
            norm: encoder.norm,
            layers,
        }
    }

    /// The token vectors of the last layer, (tokens, hidden), concatenated over the texts. If
    /// [`Config::token_types`] is at most 1, every text must have one segment.
    pub fn forward<'s>(&self, texts: TokenizedGroup, s: &'s mut ForwardScratch) -> &'s [f32] {
        let (group, firsts) = (texts.ids, texts.second_segment_starts);
        let h = self.config.hidden;
        let tokens: usize = group.iter().map(Vec::len).sum();
        // Small groups are padded with rows of zeros, so that the f32 sums keep their order.
        let rows = tokens.max(MIN_GEMM_ROWS);
        let eps = self.config.norm_eps;

        s.x.clear();
        s.x.resize(rows * h, 0.0);
        let firsts = firsts.iter().copied().chain(std::iter::repeat(usize::MAX));
        let places = group.iter().zip(firsts).flat_map(|(ids, first)| {
            ids.iter().enumerate().map(move |(i, &id)| (i, id, i >= first))
        });
        for (row, (i, id, second)) in s.x.chunks_exact_mut(h).zip(places) {
            let place = self.config.first_position + i;
            let places = if second { &self.second_position_table } else { &self.position_table };
            row.copy_from_slice(&places[place * h..(place + 1) * h]);
            self.word_embeddings.add_row(id as usize, row);
        }
        math::norm_rows(&mut s.x, &self.norm.scale, &self.norm.shift, eps);

        s.y.resize(rows * h, 0.0);
        s.qkv.resize(rows * 3 * h, 0.0);
        s.ffn.resize(rows * self.config.intermediate, 0.0);
        for layer in &self.layers {
            layer.qkv.forward(&s.x, &mut s.qkv, rows, &mut s.rounded);
            let mut start = 0;
            for (text, ids) in group.iter().enumerate() {
                let attention = TextAttention {
                    hidden: h,
                    heads: self.config.heads,
                    bias: self.bias.as_ref(),
                    window: None,
                    visible_tokens: texts.visible_tokens(text),
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
            layer.attention_out.forward(&s.y, out, rows, &mut s.rounded);
            let norm = &layer.attention_out_norm;
            math::add_norm_rows(&mut s.x, out, &norm.scale, &norm.shift, eps);

            let wide = &mut s.ffn[..rows * layer.ffn_in.outputs()];
            layer.ffn_in.forward(&s.x, wide, rows, &mut s.rounded);
            match self.config.activation {
                BertActivation::Gelu => math::gelu(wide),
                BertActivation::Relu => math::relu(wide),
            }
            layer.ffn_out.forward(wide, &mut s.y, rows, &mut s.rounded);
            let norm = &layer.ffn_out_norm;
            math::add_norm_rows(&mut s.x, &s.y, &norm.scale, &norm.shift, eps);
        }
        &s.x[..tokens * h]
    }
}

/// The embeddings of the positions, each with that of the token type added.
fn position_table(positions: &[f32], token_types: &WeightMatrix, token_type: usize) -> Vec<f32> {
    let mut places = positions.to_vec();
    places
        .chunks_exact_mut(token_types.cols())
        .for_each(|place| token_types.add_row(token_type, place));
    places
}
