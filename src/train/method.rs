//! The tuned parameters: how they determine the network's weights, and how the network's gradient becomes
//! theirs. The network only handles whole layers; everything specific to a tuning method is here.

use std::ops::Range;

use super::layer_parameters::TrainingLayerPart;
use super::matmul::{self, GemmOperand, GemmOutput};
use super::network::{GradientRequest, NetworkGradient, TunableNetwork};
use super::recipe::{TuningMethod, TuningRecipe};
use crate::kernel::rng;

/// The relation between the tuned parameters, one slice `theta`, and the network.
pub struct TunedParameters {
    /// The ranges that partition `theta`, each with whether weight decay applies to it.
    pub parts: Vec<(Range<usize>, bool)>,
    target: TuningTarget,
}

enum TuningTarget {
    /// All layers from this one on.
    Layers(usize),
    Lora(LoraParameters),
    Head,
}

/// Low-rank matrices beside every linear layer.
pub struct LoraParameters {
    /// For each layer, in the order of `Encoder::linear_names`.
    pub pairs: Vec<[LoraMatrixPair; 6]>,
    pub rank: usize,
    scale: f32,
    /// The original layers.
    base: Vec<Vec<f32>>,
}

/// The low-rank matrices A (rank, inputs) and B (outputs, rank) beside a weight (outputs, inputs).
#[derive(Clone)]
pub struct LoraMatrixPair {
    /// The range of the weight in the layer's parameters.
    weight: Range<usize>,
    inputs: usize,
    /// The ranges of A and B in `theta`.
    pub a: Range<usize>,
    pub b: Range<usize>,
}

impl TunedParameters {
    /// Also returns the initial parameters, which leave the network unchanged.
    pub fn new(recipe: &TuningRecipe, network: &TunableNetwork) -> (Self, Vec<f32>) {
        match recipe.method {
            TuningMethod::Full => Self::layers(network, 0),
            TuningMethod::LastLayer => Self::layers(network, network.layers.len() - 1),
            TuningMethod::Lora => Self::lora(recipe, network),
            TuningMethod::Adapter => {
                let h = network.hidden();
                let identity = (0..h * h).map(|i| if i % (h + 1) == 0 { 1.0 } else { 0.0 });
                (
                    Self { parts: vec![(0..h * h, true)], target: TuningTarget::Head },
                    identity.collect(),
                )
            }
        }
    }

    fn layers(network: &TunableNetwork, first: usize) -> (Self, Vec<f32>) {
        let (mut theta, mut parts) = (Vec::new(), Vec::new());
        for layer in &network.layers[first..] {
            for part in TrainingLayerPart::ALL {
                // Biases and layer norms are not decayed.
                let range = network.layout.range(part);
                parts.push((theta.len() + range.start..theta.len() + range.end, part.is_weight()));
            }
            theta.extend(layer);
        }
        (Self { parts, target: TuningTarget::Layers(first) }, theta)
    }

    /// A is initialised as in PEFT, uniform within 1 / sqrt(inputs); B is 0.
    fn lora(recipe: &TuningRecipe, network: &TunableNetwork) -> (Self, Vec<f32>) {
        let layout = network.layout;
        // Linear layers 0 to 2 are the query, key and value, which share one stacked matrix.
        let (h, wide, rank) = (layout.hidden, layout.wide, recipe.rank);
        let (mut theta, mut parts) = (Vec::new(), Vec::new());
        let pairs = (0..network.layers.len())
            .map(|at| {
                [0, 1, 2, 3, 4, 5].map(|linear| {
                    let (part, rows) = match linear {
                        0..3 => (TrainingLayerPart::Qkv, linear * h..(linear + 1) * h),
                        3 => (TrainingLayerPart::Attended, 0..h),
                        4 => (TrainingLayerPart::Wide, 0..wide),
                        _ => (TrainingLayerPart::Narrow, 0..h),
                    };
                    let inputs = layout.inputs(part);
                    let start = layout.range(part).start;
                    let key = rng::key(recipe.seed, "lora", &format!("{at} {linear}"));
                    let bound = 1.0 / (inputs as f64).sqrt();
                    let a = theta.len()..theta.len() + rank * inputs;
                    theta.extend((0..rank * inputs).map(|i| {
                        let unit = rng::draw(key, i as u64) as f64 / 2f64.powi(64);
                        ((2.0 * unit - 1.0) * bound) as f32
                    }));
                    let b = theta.len()..theta.len() + rows.len() * rank;
                    theta.resize(b.end, 0.0);
                    parts.extend([(a.clone(), true), (b.clone(), true)]);
                    let weight = start + rows.start * inputs..start + rows.end * inputs;
                    LoraMatrixPair { weight, inputs, a, b }
                })
            })
            .collect();
        let scale = (recipe.alpha / rank as f64) as f32;
        let base = network.layers.clone();
        (
            Self { parts, target: TuningTarget::Lora(LoraParameters { pairs, rank, scale, base }) },
            theta,
        )
    }

    /// The gradients that the network must compute.
    pub fn required_gradients(&self, network: &TunableNetwork) -> GradientRequest {
        match &self.target {
            TuningTarget::Layers(first) => GradientRequest { first_layer: *first, head: false },
            TuningTarget::Lora(_) => GradientRequest { first_layer: 0, head: false },
            TuningTarget::Head => GradientRequest { first_layer: network.layers.len(), head: true },
        }
    }

    pub fn as_lora(&self) -> Option<&LoraParameters> {
        match &self.target {
            TuningTarget::Lora(lora) => Some(lora),
            TuningTarget::Layers(_) | TuningTarget::Head => None,
        }
    }

    /// Sets the network's weights to those that `theta` determines.
    pub fn set_weights(&self, theta: &[f32], network: &mut TunableNetwork) {
        match &self.target {
            TuningTarget::Layers(first) => {
                let size = network.layout.len();
                let numbers = theta.chunks_exact(size);
                for (layer, numbers) in network.layers[*first..].iter_mut().zip(numbers) {
                    layer.copy_from_slice(numbers);
                }
            }
            TuningTarget::Lora(lora) => {
                for ((layer, base), pairs) in
                    network.layers.iter_mut().zip(&lora.base).zip(&lora.pairs)
                {
                    // From the original weights each time: adding to the current ones would accumulate rounding errors.
                    layer.copy_from_slice(base);
                    for pair in pairs {
                        let a = GemmOperand::new(&theta[pair.a.clone()], pair.inputs);
                        let b = GemmOperand::new(&theta[pair.b.clone()], lora.rank);
                        let weight = &mut layer[pair.weight.clone()];
                        matmul::add(GemmOutput::new(weight, pair.inputs), b, a, lora.scale);
                    }
                }
            }
            TuningTarget::Head => network.head = Some(theta.to_vec()),
        }
    }

    /// The gradient with respect to `theta`, from that of the network's parameters.
    pub fn gradient(&self, theta: &[f32], gradient: NetworkGradient) -> Vec<f32> {
        match &self.target {
            TuningTarget::Layers(_) => gradient.layers.concat(),
            TuningTarget::Lora(lora) => {
                let mut out = vec![0.0; theta.len()];
                for (layer, pairs) in gradient.layers.iter().zip(&lora.pairs) {
                    for pair in pairs {
                        let d = GemmOperand::new(&layer[pair.weight.clone()], pair.inputs);
                        let a = GemmOperand::new(&theta[pair.a.clone()], pair.inputs);
                        let b = GemmOperand::new(&theta[pair.b.clone()], lora.rank);
                        let by_a = GemmOutput::new(&mut out[pair.a.clone()], pair.inputs);
                        matmul::set(by_a, b.transposed(), d, lora.scale);
                        let by_b = GemmOutput::new(&mut out[pair.b.clone()], lora.rank);
                        matmul::set(by_b, d, a.transposed(), lora.scale);
                    }
                }
                out
            }
            TuningTarget::Head => gradient.head,
        }
    }
}
