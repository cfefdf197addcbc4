//! The tuned parameters: how they determine the network's weights, and how the network's gradient becomes
//! theirs. The network only handles whole layers; everything specific to a tuning method is here.

use std::ops::Range;

use super::layer::Part;
use super::network::{Gradient, Network, Wanted};
use super::product::{self, Target, View};
use super::recipe::{Method, Recipe};
use crate::kernel::rng;

/// The relation between the tuned parameters, one slice `theta`, and the network.
pub struct Tuned {
    /// The ranges that partition `theta`, each with whether weight decay applies to it.
    pub parts: Vec<(Range<usize>, bool)>,
    what: What,
}

enum What {
    /// All layers from this one on.
    Layers(usize),
    Lora(Lora),
    Head,
}

/// Low-rank matrices beside every linear layer.
pub struct Lora {
    /// For each layer, in the order of `Encoder::linear_names`.
    pub pairs: Vec<[Thin; 6]>,
    pub rank: usize,
    scale: f32,
    /// The original layers.
    base: Vec<Vec<f32>>,
}

/// The low-rank matrices A (rank, inputs) and B (outputs, rank) beside a weight (outputs, inputs).
#[derive(Clone)]
pub struct Thin {
    /// The range of the weight in the layer's parameters.
    weight: Range<usize>,
    inputs: usize,
    /// The ranges of A and B in `theta`.
    pub a: Range<usize>,
    pub b: Range<usize>,
}

impl Tuned {
    /// Also returns the initial parameters, which leave the network unchanged.
    pub fn new(recipe: &Recipe, network: &Network) -> (Self, Vec<f32>) {
        match recipe.method {
            Method::Full => Self::layers(network, 0),
            Method::LastLayer => Self::layers(network, network.layers.len() - 1),
            Method::Lora => Self::lora(recipe, network),
            Method::Adapter => {
                let h = network.hidden();
                let identity = (0..h * h).map(|i| if i % (h + 1) == 0 { 1.0 } else { 0.0 });
                (Self { parts: vec![(0..h * h, true)], what: What::Head }, identity.collect())
            }
        }
    }

    fn layers(network: &Network, first: usize) -> (Self, Vec<f32>) {
        let (mut theta, mut parts) = (Vec::new(), Vec::new());
        for layer in &network.layers[first..] {
            let of = |part: Part| {
                // Biases and layer norms are not decayed.
                let range = network.layout.range(part);
                (theta.len() + range.start..theta.len() + range.end, part.is_weight())
            };
            parts.extend(Part::ALL.map(of));
            theta.extend(layer);
        }
        (Self { parts, what: What::Layers(first) }, theta)
    }

    /// A is initialised as in PEFT, uniform within 1 / sqrt(inputs); B is 0.
    fn lora(recipe: &Recipe, network: &Network) -> (Self, Vec<f32>) {
        let layout = network.layout;
        // Linear layers 0 to 2 are the query, key and value, which share one stacked matrix.
        let (h, wide, rank) = (layout.hidden, layout.wide, recipe.rank);
        let (mut theta, mut parts) = (Vec::new(), Vec::new());
        let pairs = (0..network.layers.len())
            .map(|at| {
                [0, 1, 2, 3, 4, 5].map(|linear| {
                    let (part, rows) = match linear {
                        0..3 => (Part::Qkv, linear * h..(linear + 1) * h),
                        3 => (Part::Attended, 0..h),
                        4 => (Part::Wide, 0..wide),
                        _ => (Part::Narrow, 0..h),
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
                    Thin { weight, inputs, a, b }
                })
            })
            .collect();
        let scale = (recipe.alpha / rank as f64) as f32;
        let base = network.layers.clone();
        (Self { parts, what: What::Lora(Lora { pairs, rank, scale, base }) }, theta)
    }

    /// The gradients that the network must compute.
    pub fn wanted(&self, network: &Network) -> Wanted {
        match &self.what {
            What::Layers(first) => Wanted { first_layer: *first, head: false },
            What::Lora(_) => Wanted { first_layer: 0, head: false },
            What::Head => Wanted { first_layer: network.layers.len(), head: true },
        }
    }

    pub fn as_lora(&self) -> Option<&Lora> {
        match &self.what {
            What::Lora(lora) => Some(lora),
            What::Layers(_) | What::Head => None,
        }
    }

    /// Sets the network's weights to those that `theta` determines.
    pub fn put(&self, theta: &[f32], network: &mut Network) {
        match &self.what {
            What::Layers(first) => {
                let size = network.layout.len();
                let numbers = theta.chunks_exact(size);
                for (layer, numbers) in network.layers[*first..].iter_mut().zip(numbers) {
                    layer.copy_from_slice(numbers);
                }
            }
            What::Lora(lora) => {
                for ((layer, base), pairs) in
                    network.layers.iter_mut().zip(&lora.base).zip(&lora.pairs)
                {
                    // From the original weights each time: adding to the current ones would accumulate rounding errors.
                    layer.copy_from_slice(base);
                    for thin in pairs {
                        let a = View::new(&theta[thin.a.clone()], thin.inputs);
                        let b = View::new(&theta[thin.b.clone()], lora.rank);
                        let weight = &mut layer[thin.weight.clone()];
                        product::add(Target::new(weight, thin.inputs), b, a, lora.scale);
                    }
                }
            }
            What::Head => network.head = Some(theta.to_vec()),
        }
    }

    /// The gradient with respect to `theta`, from that of the network's parameters.
    pub fn gradient(&self, theta: &[f32], of: Gradient) -> Vec<f32> {
        match &self.what {
            What::Layers(_) => of.layers.concat(),
            What::Lora(lora) => {
                let mut out = vec![0.0; theta.len()];
                for (layer, pairs) in of.layers.iter().zip(&lora.pairs) {
                    for thin in pairs {
                        let d = View::new(&layer[thin.weight.clone()], thin.inputs);
                        let a = View::new(&theta[thin.a.clone()], thin.inputs);
                        let b = View::new(&theta[thin.b.clone()], lora.rank);
                        let by_a = Target::new(&mut out[thin.a.clone()], thin.inputs);
                        product::set(by_a, b.transposed(), d, lora.scale);
                        let by_b = Target::new(&mut out[thin.b.clone()], lora.rank);
                        product::set(by_b, d, a.transposed(), lora.scale);
                    }
                }
                out
            }
            What::Head => of.head,
        }
    }
}
