//! What sentence-transformers may put behind the pooling: linear layers, with or without a tanh.

use anyhow::{Context, bail, ensure};

use super::math::{normalize, row_dots};
use crate::embed::files::Module;
use crate::embed::weights::Weights;

/// The modules of a model, in their order; none for most.
pub struct Behind {
    modules: Vec<Step>,
    dim: usize,
}

enum Step {
    Normalize,
    Dense(Map),
}

/// `y = W x + b`, then tanh where `tanh`.
struct Map {
    /// (outputs, inputs).
    weight: Vec<f32>,
    bias: Vec<f32>,
    tanh: bool,
}

impl Behind {
    /// `hidden` numbers come out of the pooling.
    ///
    /// # Errors
    /// An activation that we do not have, or layers that do not fit together.
    pub fn load(modules: &[Module], hidden: usize) -> anyhow::Result<Self> {
        let mut dim = hidden;
        let step = |module: &Module| match module {
            Module::Normalize => Ok(Step::Normalize),
            Module::Dense { path, config, weights } => {
                let map = Map::load(config, weights, dim).with_context(|| path.clone())?;
                dim = map.bias.len();
                Ok(Step::Dense(map))
            }
        };
        let modules = modules.iter().map(step).collect::<anyhow::Result<_>>()?;
        Ok(Self { modules, dim })
    }

    /// Numbers in a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// From a pooled vector to one of length one.
    pub fn apply(&self, mut x: Vec<f32>) -> Vec<f32> {
        for step in &self.modules {
            match step {
                Step::Normalize => normalize(&mut x),
                Step::Dense(map) => x = map.apply(&x),
            }
        }
        normalize(&mut x);
        x
    }
}

impl Map {
    fn load(config: &serde_json::Value, weights: &[u8], inputs: usize) -> anyhow::Result<Self> {
        // Before there was a setting, it was tanh.
        let activation = config["activation_function"].as_str().unwrap_or("Tanh");
        let tanh = match activation.rsplit('.').next() {
            Some("Identity") => false,
            Some("Tanh") => true,
            _ => bail!("its activation is `{activation}`; Identity and Tanh can be run"),
        };
        let weights = Weights::parse(weights)?;
        let rows = weights.rows("linear.weight", 0, 0)?;
        ensure!(
            rows.cols() == inputs,
            "it takes {} numbers, and {inputs} come out before it",
            rows.cols()
        );
        let bias = match weights.has("linear.bias") {
            true => weights.vector("linear.bias", rows.len())?,
            false => vec![0.0; rows.len()],
        };
        Ok(Self { weight: rows.into_f32(), bias, tanh })
    }

    fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; self.bias.len()];
        row_dots(&self.weight, x, &mut out);
        for (y, bias) in out.iter_mut().zip(&self.bias) {
            *y += bias;
            if self.tanh {
                *y = y.tanh();
            }
        }
        out
    }
}
