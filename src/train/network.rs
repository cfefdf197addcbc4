//! The whole network: the forward pass from texts to vectors of norm 1, and the backward pass.

use anyhow::bail;
use rayon::prelude::*;

use super::layer::{self, Layer, Layout, Slopes, Tape};
use super::product::{self, Target, View};
use crate::embed::Pooling;
use crate::embed::bert::attend::Attention;
use crate::embed::bert::config::Config;
use crate::embed::bert::layers::{Encoder, Norm};
use crate::embed::bert::math::norm_rows;
use crate::embed::bert::packed::GROUP_TOKENS;
use crate::embed::bert::relative::Bias;
use crate::embed::weights::Rows;

/// A network in f32. The embeddings and everything before the first layer are not tuned.
pub struct Network {
    config: Config,
    pooling: TunablePooling,
    pub layout: Layout,
    words: Rows,
    /// Position embedding plus that of token type 0: (positions, hidden).
    places: Vec<f32>,
    norm: Norm,
    bias: Option<Bias>,
    /// The parameters of each layer, in the order of [`Layout`].
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
pub struct Wanted {
    /// This layer and all later ones.
    pub first_layer: usize,
    pub head: bool,
}

impl Wanted {
    /// Whether any layer is requested.
    pub fn layers(self, network: &Network) -> bool {
        self.first_layer < network.layers.len()
    }
}

/// The gradient of each layer, empty if it was not requested, and of the head.
pub struct Gradient {
    pub layers: Vec<Vec<f32>>,
    pub head: Vec<f32>,
}

/// The result of a forward pass.
pub struct Pass {
    groups: Vec<Group>,
    /// (texts, hidden), each row of norm 1.
    pub vectors: Vec<f32>,
}

/// Some texts of about [`GROUP_TOKENS`] tokens in total: the work of one thread at a time.
struct Group {
    lengths: Vec<usize>,
    /// Of the requested layers, in order.
    tapes: Vec<Tape>,
    /// Before the head, and after it but before normalisation.
    pooled: Vec<f32>,
    mapped: Vec<f32>,
}

impl Network {
    /// # Errors
    /// A pooling that cannot be tuned.
    pub fn new(config: &Config, encoder: &Encoder, pooling: Pooling) -> anyhow::Result<Self> {
        let pooling = match pooling {
            // These two are equal after normalisation to norm 1.
            Pooling::Mean | Pooling::MeanSqrtLength => TunablePooling::Mean,
            Pooling::Cls => TunablePooling::First,
            Pooling::Last => TunablePooling::Last,
            other => bail!("the model's pooling is {other:?}; mean, cls and last can be tuned"),
        };
        let h = config.hidden;
        let rows = |rows: &Rows| rows.clone().into_f32();
        let mut places = rows(&encoder.positions);
        places.chunks_exact_mut(h).for_each(|place| encoder.types.add_row(0, place));
        let bias = encoder.relative.as_ref();
        let bias = bias.map(|learnt| Bias::new(&rows(learnt), config.heads, config.longest()));
        Ok(Self {
            pooling,
            layout: Layout { hidden: h, wide: config.intermediate },
            words: encoder.words.clone(),
            places,
            norm: Norm { scale: encoder.norm.scale.clone(), shift: encoder.norm.shift.clone() },
            bias,
            layers: encoder.layers.iter().map(layer::fold).collect(),
            head: None,
            config: config.clone(),
        })
    }

    pub fn hidden(&self) -> usize {
        self.config.hidden
    }

    fn layer(&self, at: usize) -> Layer<'_> {
        Layer {
            layout: self.layout,
            numbers: &self.layers[at],
            attention: Attention {
                hidden: self.config.hidden,
                heads: self.config.heads,
                bias: self.bias.as_ref(),
                window: None,
                seen: usize::MAX,
            },
            activation: self.config.activation,
            eps: self.config.norm_eps,
        }
    }

    /// Every text must have at least one token and at most as many as the model accepts.
    pub fn forward(&self, texts: &[&[u32]], wanted: Wanted) -> Pass {
        let groups = groups(texts).into_par_iter().map(|texts| self.group(texts, wanted)).collect();
        self.pass(groups)
    }

    /// The pooled vector of a text, before the head: independent of all other texts.
    pub fn pooled(&self, text: &[u32]) -> Vec<f32> {
        self.group(&[text], Wanted { first_layer: self.layers.len(), head: false }).pooled
    }

    /// As [`Network::forward`] with only the head tuned, from pooled vectors.
    pub fn behind(&self, pooled: Vec<f32>) -> Pass {
        let mapped = self.mapped(&pooled);
        // For the head, a text is one vector.
        let lengths = vec![1; pooled.len() / self.config.hidden];
        self.pass(vec![Group { lengths, tapes: Vec::new(), pooled, mapped }])
    }

    fn pass(&self, groups: Vec<Group>) -> Pass {
        let mut vectors: Vec<f32> = groups.iter().flat_map(|g| &g.mapped).copied().collect();
        for row in vectors.chunks_exact_mut(self.config.hidden) {
            let length = length(row);
            row.iter_mut().for_each(|v| *v /= length);
        }
        Pass { groups, vectors }
    }

    fn group(&self, texts: &[&[u32]], wanted: Wanted) -> Group {
        let h = self.config.hidden;
        let lengths: Vec<usize> = texts.iter().map(|ids| ids.len()).collect();
        let mut x = Vec::with_capacity(lengths.iter().sum::<usize>() * h);
        for ids in texts {
            for (place, &id) in (self.config.first_position..).zip(*ids) {
                let start = x.len();
                x.extend(&self.places[place * h..(place + 1) * h]);
                self.words.add_row(id as usize, &mut x[start..]);
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
            let (text, behind) = rest.split_at(n * h);
            rest = behind;
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
        let mapped = self.mapped(&pooled);
        Group { lengths, tapes, pooled, mapped }
    }

    fn mapped(&self, pooled: &[f32]) -> Vec<f32> {
        let h = self.config.hidden;
        let Some(head) = &self.head else { return pooled.to_vec() };
        let mut mapped = vec![0.0; pooled.len()];
        let head = View::new(head, h).transposed();
        product::set(Target::new(&mut mapped, h), View::new(pooled, h), head, 1.0);
        mapped
    }

    /// From the gradient of [`Pass::vectors`] to that of the parameters in `wanted`, which must be as in the forward
    /// pass.
    pub fn backward(&self, pass: Pass, d: &[f32], wanted: Wanted) -> Gradient {
        let h = self.config.hidden;
        // Backpropagate through the normalisation: only the component orthogonal to the vector remains.
        let lengths = pass.groups.iter().flat_map(|g| g.mapped.chunks_exact(h)).map(length);
        let rows = d.chunks_exact(h).zip(pass.vectors.chunks_exact(h)).zip(lengths);
        let mut d: Vec<f32> = Vec::with_capacity(d.len());
        for ((by, vector), length) in rows {
            let along: f32 = by.iter().zip(vector).map(|(d, v)| d * v).sum();
            d.extend(by.iter().zip(vector).map(|(d, v)| (d - along * v) / length));
        }
        let mut head = Vec::new();
        if let Some(map) = &self.head {
            let by = View::new(&d, h);
            if wanted.head {
                let pooled: Vec<f32> =
                    pass.groups.iter().flat_map(|g| &g.pooled).copied().collect();
                head = vec![0.0; h * h];
                let pooled = View::new(&pooled, h);
                product::set(Target::new(&mut head, h), by.transposed(), pooled, 1.0);
            }
            let mut before = vec![0.0; d.len()];
            product::set(Target::new(&mut before, h), by, View::new(map, h), 1.0);
            d = before;
        }
        let mut layers = vec![Vec::new(); self.layers.len()];
        let mut rest = d.as_slice();
        let mut groups: Vec<(Group, Vec<f32>)> = Vec::with_capacity(pass.groups.len());
        for group in pass.groups {
            let (d, behind) = rest.split_at(group.lengths.len() * h);
            rest = behind;
            let d = self.unpool(d, &group.lengths);
            groups.push((group, d));
        }
        for at in (wanted.first_layer..self.layers.len()).rev() {
            let layer = self.layer(at);
            let back = |(group, d): &mut (Group, Vec<f32>)| -> Option<Slopes> {
                let (tape, d_out) = (group.tapes.pop()?, std::mem::take(d));
                let deeper = at > wanted.first_layer;
                let (d_in, slopes) = layer.backward(tape, d_out, &group.lengths, deeper);
                *d = d_in;
                Some(slopes)
            };
            // Groups are summed in their order, whatever thread computed them.
            let slopes: Vec<Slopes> = groups.par_iter_mut().filter_map(back).collect();
            layers[at] = layer::gradient(self.layout, &slopes);
        }
        Gradient { layers, head }
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

fn length(row: &[f32]) -> f32 {
    let squares: f32 = row.iter().map(|v| v * v).sum();
    // Never 0, since vectors are divided by it.
    squares.sqrt().max(f32::MIN_POSITIVE)
}

/// Consecutive texts of about [`GROUP_TOKENS`] tokens in total: determined by the batch, whatever the number
/// of threads.
fn groups<'a, 't>(texts: &'a [&'t [u32]]) -> Vec<&'a [&'t [u32]]> {
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
