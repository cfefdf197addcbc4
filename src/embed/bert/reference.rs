//! The reference forward pass in plain tensor operations: slow, easy to check against the paper, differentiable, and
//! runnable on every device of candle.

use candle_core::{D, Device, Module, Result, Tensor};

use super::config::{BertActivation, BertConfig};
use super::layers::{BertEncoder, DenseWeights, LayerNormWeights};
use super::relative_bias::bucket;
use crate::embed::weight_matrix::WeightMatrix;

/// The encoder's weights as tensors. The fields are public so that training can replace them by variables.
pub struct ReferenceEncoder {
    pub config: BertConfig,
    pub word_embeddings: Tensor,
    pub positions: Tensor,
    pub token_types: Tensor,
    /// MPNet's relative position bias, (buckets, heads).
    pub relative_bias: Option<Tensor>,
    pub norm: TensorLayerNorm,
    pub layers: Vec<TensorLayer>,
}

/// The scale and shift of a layer norm.
pub struct TensorLayerNorm {
    pub scale: Tensor,
    pub shift: Tensor,
}

/// A linear layer; `weight` is (outputs, inputs).
pub struct TensorDense {
    pub weight: Tensor,
    pub bias: Tensor,
}

/// The weights of one transformer layer.
pub struct TensorLayer {
    pub query: TensorDense,
    pub key: TensorDense,
    pub value: TensorDense,
    pub attention_out: TensorDense,
    pub attention_out_norm: TensorLayerNorm,
    pub ffn_in: TensorDense,
    pub ffn_out: TensorDense,
    pub ffn_out_norm: TensorLayerNorm,
}

impl ReferenceEncoder {
    /// Moves the weights to `device`, int8 ones as the f32 numbers that they represent.
    pub fn new(config: BertConfig, encoder: BertEncoder, device: &Device) -> Result<Self> {
        let layers = encoder
            .layers
            .into_iter()
            .map(|l| {
                Ok(TensorLayer {
                    query: dense(l.query, device)?,
                    key: dense(l.key, device)?,
                    value: dense(l.value, device)?,
                    attention_out: dense(l.attention_out, device)?,
                    attention_out_norm: norm(l.attention_out_norm, device)?,
                    ffn_in: dense(l.ffn_in, device)?,
                    ffn_out: dense(l.ffn_out, device)?,
                    ffn_out_norm: norm(l.ffn_out_norm, device)?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            word_embeddings: matrix(encoder.word_embeddings, device)?,
            positions: matrix(encoder.positions, device)?,
            token_types: matrix(encoder.token_types, device)?,
            relative_bias: encoder.relative_bias.map(|rows| matrix(rows, device)).transpose()?,
            norm: norm(encoder.norm, device)?,
            layers,
            config,
        })
    }

    /// The token vectors of the last layer, (texts, tokens, hidden).
    ///
    /// `ids` is u32 (texts, tokens); `mask`, f32 of the same shape, is 1 for tokens and 0 for padding. The rows of
    /// padding are meaningless.
    pub fn forward(&self, ids: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let (texts, tokens) = ids.dims2()?;
        let (h, eps) = (self.config.hidden, f64::from(self.config.norm_eps));
        let words = self
            .word_embeddings
            .index_select(&ids.flatten_all()?, 0)?
            .reshape((texts, tokens, h))?;
        let positions = self.positions.narrow(0, self.config.first_position, tokens)?;
        let x =
            words.broadcast_add(&positions)?.broadcast_add(&self.token_types.narrow(0, 0, 1)?)?;
        let mut x = self.norm.forward(&x, eps)?;
        // 0 for tokens, and a large negative number for padding, which must not be attended to.
        let closed = ((mask - 1.0)? * 1e9)?.reshape((texts, 1, 1, tokens))?;
        let added = match &self.relative_bias {
            None => closed,
            Some(learnt) => closed.broadcast_add(&bias(learnt, tokens)?)?,
        };
        for layer in &self.layers {
            let attended = layer.attend(&x, &added, self.config.heads)?;
            x = layer
                .attention_out_norm
                .forward(&(x + layer.attention_out.forward(&attended)?)?, eps)?;
            let wide = layer.ffn_in.forward(&x)?;
            let wide = match self.config.activation {
                BertActivation::Gelu => wide.gelu_erf()?,
                BertActivation::Relu => wide.relu()?,
            };
            x = layer.ffn_out_norm.forward(&(x + layer.ffn_out.forward(&wide)?)?, eps)?;
        }
        Ok(x)
    }

    /// [`Self::forward`], then the mean over the tokens of each text, scaled to unit length: (texts, hidden).
    pub fn mean_pooled(&self, ids: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let sum = self.forward(ids, mask)?.broadcast_mul(&mask.unsqueeze(D::Minus1)?)?.sum(1)?;
        normalized(&sum)
    }

    /// [`Self::forward`], then the vector of the first token, scaled to unit length: (texts, hidden).
    pub fn cls_pooled(&self, ids: &Tensor, mask: &Tensor) -> Result<Tensor> {
        normalized(&self.forward(ids, mask)?.narrow(1, 0, 1)?.squeeze(1)?)
    }
}

fn matrix(rows: WeightMatrix, device: &Device) -> Result<Tensor> {
    let shape = (rows.len(), rows.cols());
    Tensor::from_vec(rows.into_f32(), shape, device)
}

fn vector(numbers: Vec<f32>, device: &Device) -> Result<Tensor> {
    let n = numbers.len();
    Tensor::from_vec(numbers, n, device)
}

fn norm(weights: LayerNormWeights, device: &Device) -> Result<TensorLayerNorm> {
    Ok(TensorLayerNorm {
        scale: vector(weights.scale, device)?,
        shift: vector(weights.shift, device)?,
    })
}

fn dense(weights: DenseWeights, device: &Device) -> Result<TensorDense> {
    Ok(TensorDense { weight: matrix(weights.weight, device)?, bias: vector(weights.bias, device)? })
}

/// The relative position bias of a text of `tokens` tokens, (1, heads, tokens, tokens).
fn bias(learnt: &Tensor, tokens: usize) -> Result<Tensor> {
    let (buckets, heads) = learnt.dims2()?;
    let places = 0..tokens as isize;
    let bucket_of: Vec<u32> = places
        .clone()
        .flat_map(|query| places.clone().map(move |key| bucket(key - query, buckets) as u32))
        .collect();
    let bucket_of = Tensor::from_vec(bucket_of, tokens * tokens, learnt.device())?;
    learnt.index_select(&bucket_of, 0)?.reshape((1, tokens, tokens, heads))?.permute((0, 3, 1, 2))
}

/// Scales each row to unit length.
fn normalized(x: &Tensor) -> Result<Tensor> {
    x.broadcast_div(&x.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)
}

impl TensorLayerNorm {
    fn forward(&self, x: &Tensor, eps: f64) -> Result<Tensor> {
        let x = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let deviation = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
        x.broadcast_div(&deviation)?.broadcast_mul(&self.scale)?.broadcast_add(&self.shift)
    }
}

impl Module for TensorDense {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.broadcast_matmul(&self.weight.t()?)?.broadcast_add(&self.bias)
    }
}

impl TensorLayer {
    fn attend(&self, x: &Tensor, added: &Tensor, heads: usize) -> Result<Tensor> {
        let (texts, tokens, hidden) = x.dims3()?;
        let size = hidden / heads;
        let split =
            |t: Tensor| t.reshape((texts, tokens, heads, size))?.transpose(1, 2)?.contiguous();
        let query = split(self.query.forward(x)?)?;
        let key = split(self.key.forward(x)?)?;
        let value = split(self.value.forward(x)?)?;
        let scores = (query.matmul(&key.t()?.contiguous()?)? / (size as f64).sqrt())?;
        let scores = scores.broadcast_add(added)?;
        let scores = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
        let weights = scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)?;
        weights.matmul(&value)?.transpose(1, 2)?.reshape((texts, tokens, hidden))
    }
}
