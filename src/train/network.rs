//! The whole network: the forward pass from texts to vectors of norm 1, and the backward pass.

use anyhow::bail;
use rayon::prelude::*;

use super::layer::{self, LayerGradients, LayerTape, TrainingLayer};
use super::layer_parameters::{TrainingLayerLayout, flatten};
use super::matmul::{self, GemmOperand, GemmOutput};
use crate::embed::TokenPooling;
use crate::embed::bert::attention::TextAttention;
use crate::embed::bert::config::BertConfig;
use crate::embed::bert::layers::{BertEncoder, LayerNormWeights};
use crate::embed::bert::math::norm_rows;
use crate::embed::bert::packed::GROUP_TOKENS;
use crate::embed::bert::relative_bias::RelativeBias;
use crate::embed::weight_matrix::WeightMatrix;

/// A network in f32. The embeddings and everything before the first layer are not tuned.
pub struct TunableNetwork {
    config: BertConfig,
    pooling: TunablePooling,
    pub layout: TrainingLayerLayout,
    word_embeddings: WeightMatrix,
    /// Position embedding plus that of token type 0: (positions, hidden).
    position_embeddings: Vec<f32>,
    norm: LayerNormWeights,
    bias: Option<RelativeBias>,
    /// The parameters of each layer, in the order of [`TrainingLayerLayout`].
    pub layers: Vec<Vec<f32>>,
    /// A linear map (hidden, hidden) after the pooling.
    pub head: Option<Vec<f32>>,
}

/// How token vectors are pooled: the methods whose gradient is implemented.
#[derive(Clone, Copy)]
enum TunablePooling {
    Mean,
    First,
    Last,
}

/// The parameters for which a gradient is requested.
#[derive(Clone, Copy, Debug)]
pub struct GradientRequest {
    /// This layer and all later ones.
    pub first_layer: usize,
    pub head: bool,
}

impl GradientRequest {
    /// Whether any layer is requested.
    pub fn includes_layers(self, network: &TunableNetwork) -> bool {
        self.first_layer < network.layers.len()
    }
}

/// The gradient of each layer, empty if it was not requested, and of the head.
pub struct NetworkGradient {
    pub layers: Vec<Vec<f32>>,
    pub head: Vec<f32>,
}

/// The result of a forward pass.
pub struct TrainingPass {
    groups: Vec<TrainingTextGroup>,
    /// (texts, hidden), each row of norm 1.
    pub vectors: Vec<f32>,
}

/// Some texts of about [`GROUP_TOKENS`] tokens in total: the work of one thread at a time.
struct TrainingTextGroup {
    lengths: Vec<usize>,
    /// Of the requested layers, in order.
    tapes: Vec<LayerTape>,
    /// Before the head, and after it but before normalisation.
    pooled: Vec<f32>,
    mapped: Vec<f32>,
}

impl TunableNetwork {
    /// # Errors
    /// A pooling that cannot be tuned.
    pub fn new(
        config: &BertConfig,
        encoder: &BertEncoder,
        pooling: TokenPooling,
    ) -> anyhow::Result<Self> {
        let pooling = match pooling {
            // These two are equal after normalisation to norm 1.
            TokenPooling::Mean | TokenPooling::MeanSqrtLength => TunablePooling::Mean,
            TokenPooling::Cls => TunablePooling::First,
            TokenPooling::Last => TunablePooling::Last,
            other => bail!("the model's pooling is {other:?}; mean, cls and last can be tuned"),
        };
        let h = config.hidden;
        let mut places = encoder.positions.clone().into_f32();
        places.chunks_exact_mut(h).for_each(|place| encoder.token_types.add_row(0, place));
        let bias = encoder.relative_bias.clone().map(|learnt| {
            RelativeBias::new(&learnt.into_f32(), config.heads, config.max_text_tokens())
        });
        Ok(Self {
            pooling,
            layout: TrainingLayerLayout { hidden: h, wide: config.intermediate },
            word_embeddings: encoder.word_embeddings.clone(),
            position_embeddings: places,
            norm: LayerNormWeights {
                scale: encoder.norm.scale.clone(),
                shift: encoder.norm.shift.clone(),
            },
            bias,
            layers: encoder.layers.iter().map(flatten).collect(),
            head: None,
            config: config.clone(),
        })
    }

    pub fn hidden(&self) -> usize {
        self.config.hidden
    }

    fn layer(&self, at: usize) -> TrainingLayer<'_> {
        TrainingLayer {
            layout: self.layout,
            numbers: &self.layers[at],
            attention: TextAttention {
                hidden: self.config.hidden,
                heads: self.config.heads,
                bias: self.bias.as_ref(),
                window: None,
                visible_tokens: usize::MAX,
            },
            activation: self.config.activation,
            eps: self.config.norm_eps,
        }
    }

    /// Every text must have at least one token and at most as many as the model accepts.
    pub fn forward(&self, texts: &[&[u32]], wanted: GradientRequest) -> TrainingPass {
        let groups = group_texts(texts)
            .into_par_iter()
            .map(|texts| self.forward_group(texts, wanted))
            .collect();
        self.normalize_vectors(groups)
    }

    /// The pooled vector of a text, before the head: independent of all other texts.
    pub fn pooled(&self, text: &[u32]) -> Vec<f32> {
        self.forward_group(&[text], GradientRequest { first_layer: self.layers.len(), head: false })
            .pooled
    }

    /// As [`TunableNetwork::forward`] with only the head tuned, from pooled vectors.
    pub fn forward_head(&self, pooled: Vec<f32>) -> TrainingPass {
        let mapped = self.apply_head(&pooled);
        // For the head, a text is one vector.
        let lengths = vec![1; pooled.len() / self.config.hidden];
        self.normalize_vectors(vec![TrainingTextGroup {
            lengths,
            tapes: Vec::new(),
            pooled,
            mapped,
        }])
    }

    fn normalize_vectors(&self, groups: Vec<TrainingTextGroup>) -> TrainingPass {
        let mut vectors: Vec<f32> = groups.iter().flat_map(|g| &g.mapped).copied().collect();
        for row in vectors.chunks_exact_mut(self.config.hidden) {
            let length = norm(row);
            row.iter_mut().for_each(|v| *v /= length);
        }
        TrainingPass { groups, vectors }
    }

    fn forward_group(&self, texts: &[&[u32]], wanted: GradientRequest) -> TrainingTextGroup {
        let h = self.config.hidden;
        let lengths: Vec<usize> = texts.iter().map(|ids| ids.len()).collect();
        let mut x = Vec::with_capacity(lengths.iter().sum::<usize>() * h);
        for ids in texts {
            for (place, &id) in (self.config.first_position..).zip(*ids) {
                let start = x.len();
                x.extend(&self.position_embeddings[place * h..(place + 1) * h]);
                self.word_embeddings.add_row(id as usize, &mut x[start..]);
            }
        }
        norm_rows(&mut x, &self.norm.scale, &self.norm.shift, self.config.norm_eps);
        let mut tapes = Vec::new();
        // Only requested layers keep their intermediate results; later layers need no others.
        for at in 0..self.layers.len() {
            let (out, tape) = self.layer(at).forward(x, &lengths);
            x = out;
            if at >= wanted.first_layer {
                tapes.push(tape);
            }
        }
        let mut pooled = Vec::with_capacity(texts.len() * h);
        let mut rest = x.as_slice();
        for &n in &lengths {
            let (text, after) = rest.split_at(n * h);
            rest = after;
            let start = pooled.len();
            match self.pooling {
                TunablePooling::Last => pooled.extend(&text[(n - 1) * h..]),
                TunablePooling::First => pooled.extend(&text[..h]),
                TunablePooling::Mean => {
                    pooled.resize(start + h, 0.0);
                    super::math::add_rows(text, &mut pooled[start..]);
                    pooled[start..].iter_mut().for_each(|v| *v /= n as f32);
                }
            }
        }
        let mapped = self.apply_head(&pooled);
        TrainingTextGroup { lengths, tapes, pooled, mapped }
    }

    fn apply_head(&self, pooled: &[f32]) -> Vec<f32> {
        let h = self.config.hidden;
        let Some(head) = &self.head else { return pooled.to_vec() };
        let mut mapped = vec![0.0; pooled.len()];
        let head = GemmOperand::new(head, h).transposed();
        matmul::set(GemmOutput::new(&mut mapped, h), GemmOperand::new(pooled, h), head, 1.0);
        mapped
    }

    /// From the gradient of [`TrainingPass::vectors`] to that of the parameters in `wanted`, which must be as in the forward
    /// pass.
    pub fn backward(
        &self,
        pass: TrainingPass,
        d: &[f32],
        wanted: GradientRequest,
    ) -> NetworkGradient {
        let h = self.config.hidden;
        // Backpropagate through the normalisation: only the component orthogonal to the vector remains.
        let lengths = pass.groups.iter().flat_map(|g| g.mapped.chunks_exact(h)).map(norm);
        let rows = d.chunks_exact(h).zip(pass.vectors.chunks_exact(h)).zip(lengths);
        let mut d: Vec<f32> = Vec::with_capacity(d.len());
        for ((by, vector), length) in rows {
            let along: f32 = by.iter().zip(vector).map(|(d, v)| d * v).sum();
            d.extend(by.iter().zip(vector).map(|(d, v)| (d - along * v) / length));
        }
        let mut head = Vec::new();
        if let Some(map) = &self.head {
            let by = GemmOperand::new(&d, h);
            if wanted.head {
                let pooled: Vec<f32> =
                    pass.groups.iter().flat_map(|g| &g.pooled).copied().collect();
                head = vec![0.0; h * h];
                let pooled = GemmOperand::new(&pooled, h);
                matmul::set(GemmOutput::new(&mut head, h), by.transposed(), pooled, 1.0);
            }
            let mut before = vec![0.0; d.len()];
            matmul::set(GemmOutput::new(&mut before, h), by, GemmOperand::new(map, h), 1.0);
            d = before;
        }
        let mut layers = vec![Vec::new(); self.layers.len()];
        let mut rest = d.as_slice();
        let mut groups: Vec<(TrainingTextGroup, Vec<f32>)> = Vec::with_capacity(pass.groups.len());
        for group in pass.groups {
            let (d, after) = rest.split_at(group.lengths.len() * h);
            rest = after;
            let d = self.unpool(d, &group.lengths);
            groups.push((group, d));
        }
        for at in (wanted.first_layer..self.layers.len()).rev() {
            let layer = self.layer(at);
            // Groups are summed in their order, whatever thread computed them.
            let slopes: Vec<LayerGradients> = groups
                .par_iter_mut()
                .filter_map(|(group, d)| {
                    let (tape, d_out) = (group.tapes.pop()?, std::mem::take(d));
                    let deeper = at > wanted.first_layer;
                    let (d_in, slopes) = layer.backward(tape, d_out, &group.lengths, deeper);
                    *d = d_in;
                    Some(slopes)
                })
                .collect();
            layers[at] = layer::gradient(self.layout, &slopes);
        }
        NetworkGradient { layers, head }
    }

    /// From the gradient of the pooled vectors to that of the tokens.
    fn unpool(&self, d: &[f32], lengths: &[usize]) -> Vec<f32> {
        let h = self.config.hidden;
        let mut out = Vec::with_capacity(lengths.iter().sum::<usize>() * h);
        for (d, &n) in d.chunks_exact(h).zip(lengths) {
            let start = out.len();
            match self.pooling {
                TunablePooling::Mean => {
                    let d: Vec<f32> = d.iter().map(|d| d / n as f32).collect();
                    out.extend(d.repeat(n));
                }
                TunablePooling::First => {
                    out.extend(d);
                    out.resize(start + n * h, 0.0);
                }
                TunablePooling::Last => {
                    out.resize(start + (n - 1) * h, 0.0);
                    out.extend(d);
                }
            }
        }
        out
    }
}

fn norm(row: &[f32]) -> f32 {
    let squares: f32 = row.iter().map(|v| v * v).sum();
    // Never 0, since vectors are divided by it.
    squares.sqrt().max(f32::MIN_POSITIVE)
}

/// Consecutive texts of about [`GROUP_TOKENS`] tokens in total: determined by the batch, whatever the number
/// of threads.
fn group_texts<'a, 't>(texts: &'a [&'t [u32]]) -> Vec<&'a [&'t [u32]]> {
    let mut groups = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (i, text) in texts.iter().enumerate() {
        if i > start && tokens + text.len() > GROUP_TOKENS {
            groups.push(&texts[start..i]);
            (start, tokens) = (i, 0);
        }
        tokens += text.len();
    }
    if start < texts.len() {
        groups.push(&texts[start..]);
    }
    groups
}
