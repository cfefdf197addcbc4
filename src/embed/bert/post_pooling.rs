//! The modules of sentence-transformers and PyLate that follow the transformer: linear layers and layer norms, applied
//! to token vectors or to the pooled vector.

use anyhow::{Context, ensure};

use super::math::{self, normalize, row_dots};
use crate::embed::files::{DenseActivation, DenseSettings, LoadPurpose, SentenceModule};
use crate::embed::weights::ModelWeights;

/// PyTorch's default, which sentence-transformers does not change.
const NORM_EPS: f32 = 1e-5;

/// The modules of one stage, in order; most models have none.
pub struct ModuleChain {
    steps: Vec<ChainedModule>,
    dim: usize,
}

enum ChainedModule {
    Normalize,
    Dense(Box<DenseModule>),
    LayerNorm { scale: Vec<f32>, shift: Vec<f32> },
}

/// `y = activation(W x + b)`, plus `x` or a linear map of it if there is a residual.
struct DenseModule {
    activation: DenseActivation,
    /// (outputs, inputs).
    weight: Vec<f32>,
    bias: Vec<f32>,
    residual: DenseResidual,
}

enum DenseResidual {
    None,
    Input,
    Projected(Vec<f32>),
}

impl ModuleChain {
    /// Loads modules whose input has `dim` numbers.
    ///
    /// # Errors
    /// Layers whose sizes do not match, or tensors that contradict the settings.
    pub fn load(modules: &[SentenceModule], dim: usize) -> anyhow::Result<Self> {
        let mut dim = dim;
        let mut steps = Vec::with_capacity(modules.len());
        for module in modules {
            steps.push(match module {
                SentenceModule::Normalize => ChainedModule::Normalize,
                SentenceModule::Dense { path, dense, weights } => {
                    let dense =
                        DenseModule::load(dense, weights, dim).with_context(|| path.clone())?;
                    dim = dense.bias.len();
                    ChainedModule::Dense(Box::new(dense))
                }
                SentenceModule::LayerNorm { path, dimension, weights } => {
                    load_norm(weights, *dimension, dim).with_context(|| path.clone())?
                }
            });
        }
        Ok(Self { steps, dim })
    }

    /// A single linear map without bias: the projection of Stanford's ColBERT.
    ///
    /// # Errors
    /// A tensor that is missing or of another shape.
    pub fn projection(weights: &ModelWeights, name: &str, dim: usize) -> anyhow::Result<Self> {
        let rows = weights.matrix(name, 0, dim)?;
        let dense = DenseModule {
            activation: DenseActivation::Identity,
            bias: vec![0.0; rows.len()],
            weight: rows.into_f32(),
            residual: DenseResidual::None,
        };
        Ok(Self { dim: dense.bias.len(), steps: vec![ChainedModule::Dense(Box::new(dense))] })
    }

    /// The number of dimensions of the output.
    pub fn dim(&self) -> usize {
        self.dim
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub fn apply(&self, mut x: Vec<f32>) -> Vec<f32> {
        for step in &self.steps {
            match step {
                ChainedModule::Normalize => normalize(&mut x),
                ChainedModule::Dense(dense) => x = dense.apply(&x),
                ChainedModule::LayerNorm { scale, shift } => {
                    math::norm_rows(&mut x, scale, shift, NORM_EPS)
                }
            }
        }
        x
    }
}

/// A layer norm over `dim` numbers; `stated` is the dimension in its config.json.
fn load_norm(weights: &[u8], stated: Option<usize>, dim: usize) -> anyhow::Result<ChainedModule> {
    ensure!(
        stated.is_none_or(|stated| stated == dim),
        "its config.json says `dimension`: {}, and {dim} numbers come out before it",
        stated.unwrap_or(0)
    );
    let weights = ModelWeights::parse(weights)?;
    let norm = ChainedModule::LayerNorm {
        scale: weights.vector("norm.weight", dim)?,
        shift: weights.vector("norm.bias", dim)?,
    };
    weights.check_all_read(LoadPurpose::Vectors)?;
    Ok(norm)
}

impl DenseModule {
    fn load(settings: &DenseSettings, weights: &[u8], inputs: usize) -> anyhow::Result<Self> {
        ensure!(
            settings.inputs == inputs,
            "it takes {} numbers, and {inputs} come out before it",
            settings.inputs
        );
        let outputs = settings.outputs;
        let weights = ModelWeights::parse(weights)?;
        let weight = weights.matrix("linear.weight", outputs, inputs)?.into_f32();
        ensure!(
            weights.has("linear.bias") == settings.bias,
            "its config.json says bias: {}, its weights say otherwise",
            settings.bias
        );
        let bias = match settings.bias {
            true => weights.vector("linear.bias", outputs)?,
            false => vec![0.0; outputs],
        };
        let residual = match settings.residual {
            false => DenseResidual::None,
            true if inputs == outputs => DenseResidual::Input,
            true => DenseResidual::Projected(
                weights.matrix("residual.weight", outputs, inputs)?.into_f32(),
            ),
        };
        weights.check_all_read(LoadPurpose::Vectors)?;
        Ok(Self { activation: settings.activation, weight, bias, residual })
    }

    fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; self.bias.len()];
        row_dots(&self.weight, x, &mut out);
        out.iter_mut().zip(&self.bias).for_each(|(y, bias)| *y += bias);
        match self.activation {
            DenseActivation::Identity => {}
            DenseActivation::Tanh => out.iter_mut().for_each(|y| *y = y.tanh()),
            DenseActivation::Relu => math::relu(&mut out),
            DenseActivation::Gelu => math::gelu(&mut out),
            DenseActivation::Sigmoid => out.iter_mut().for_each(|y| *y = 1.0 / (1.0 + (-*y).exp())),
        }
        match &self.residual {
            DenseResidual::None => {}
            DenseResidual::Input => math::add(&mut out, x),
            DenseResidual::Projected(map) => {
                let mut mapped = vec![0.0; out.len()];
                row_dots(map, x, &mut mapped);
                math::add(&mut out, &mapped);
            }
        }
        out
    }
}
