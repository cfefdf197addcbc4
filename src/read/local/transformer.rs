//! The transformer: computes the scores of the next token from the tokens so far.
//!
//! One forward pass serves all families: RMS norms, rotary positions, grouped attention over a cache of keys and
//! values, and a gated feed-forward layer. Differences between families are in [`TransformerShape`] or follow from the
//! tensors that are present.
//!
//! All arithmetic of a token is independent of which other tokens pass through the layers with it. So tokens whose
//! keys and values are still in the cache need not pass again, without any change of the answer.

use anyhow::{Context, ensure};
use rayon::prelude::*;

use super::attention::LayerCache;
use super::gguf::{GgufHeader, GgufTensorInfo};
use super::linear::GgufMatrix;
use super::math::{add, dot, gelu_gate, silu_gate};
use super::shape::{RotaryPairing, TransformerShape};

/// The maximum number of tokens that pass through the layers together.
const MAX_CHUNK_TOKENS: usize = 512;

/// The weights of a layer.
struct TransformerLayer {
    attention_norm: Vec<f32>,
    query: TransformerLinear,
    key: TransformerLinear,
    value: TransformerLinear,
    /// Norms of the queries and keys of each head.
    query_norm: Option<Vec<f32>>,
    key_norm: Option<Vec<f32>>,
    output: TransformerLinear,
    post_attention_norm: Option<Vec<f32>>,
    feed_norm: Vec<f32>,
    gate: TransformerLinear,
    up: TransformerLinear,
    down: TransformerLinear,
    post_feed_norm: Option<Vec<f32>>,
}

struct TransformerLinear {
    tensor: GgufTensorInfo,
    bias: Option<Vec<f32>>,
}

impl TransformerLinear {
    fn forward(&self, file: &[u8], x: &[f32]) -> Vec<f32> {
        matrix(file, &self.tensor).forward(x, self.bias.as_deref())
    }
}

/// A model whose matrices stay in the file; norms and biases are loaded.
pub struct GgufTransformer {
    pub shape: TransformerShape,
    embedding: GgufTensorInfo,
    layers: Vec<TransformerLayer>,
    norm: Vec<f32>,
    /// The output matrix; `None` if it is the embedding matrix.
    output: Option<GgufTensorInfo>,
    /// Divisors of the rotation frequencies, if the file has them.
    rotary_factors: Option<Vec<f32>>,
}

/// Tokens, and their keys and values by layer.
pub struct KeyValueCache {
    layers: Vec<LayerCache>,
    tokens: Vec<u32>,
}

fn matrix<'f>(file: &'f [u8], at: &GgufTensorInfo) -> GgufMatrix<'f> {
    GgufMatrix { format: at.format, rows: at.rows, cols: at.cols, bytes: &file[at.range.clone()] }
}

impl GgufTransformer {
    /// Looks up all tensors and checks their sizes.
    ///
    /// # Errors
    /// A tensor that is missing or of the wrong size.
    pub fn new(
        header: &GgufHeader,
        file: &[u8],
        vocabulary: usize,
    ) -> anyhow::Result<GgufTransformer> {
        let shape = TransformerShape::of(header)?;
        let tensor = |name: &str, rows: usize, cols: usize| {
            let found = header.tensors.get(name);
            let found = found.with_context(|| format!("the tensor {name:?} is missing"))?;
            ensure!(
                (found.rows, found.cols) == (rows, cols),
                "the tensor {name:?} has {} rows of {}, and {rows} of {cols} are expected",
                found.rows,
                found.cols
            );
            anyhow::Ok(found.clone())
        };
        let vector = |name: &str, length: usize| {
            let mut out = vec![0.0; length];
            matrix(file, &tensor(name, 1, length)?).row(0, &mut out);
            ensure!(
                out.iter().all(|x| x.is_finite()),
                "the tensor {name:?} contains numbers that are not finite"
            );
            anyhow::Ok(out)
        };
        let optional = |name: &str, length: usize| {
            header.tensors.contains_key(name).then(|| vector(name, length)).transpose()
        };
        let (width, head) = (shape.width, shape.head_size);
        let (queries, keys) = (shape.heads * head, shape.key_value_heads * head);
        let embedding = tensor("token_embd.weight", vocabulary, width)?;
        let mut layers = Vec::with_capacity(shape.layers);
        for n in 0..shape.layers {
            let name = |part: &str| format!("blk.{n}.{part}.weight");
            let linear = |part: &str, rows: usize, cols: usize| {
                let at = tensor(&name(part), rows, cols)?;
                anyhow::Ok(TransformerLinear {
                    tensor: at,
                    bias: optional(&format!("blk.{n}.{part}.bias"), rows)?,
                })
            };
            let feed = header.tensors.get(&name("ffn_gate")).map_or(0, |found| found.rows);
            layers.push(TransformerLayer {
                attention_norm: vector(&name("attn_norm"), width)?,
                query: linear("attn_q", queries, width)?,
                key: linear("attn_k", keys, width)?,
                value: linear("attn_v", keys, width)?,
                query_norm: optional(&name("attn_q_norm"), head)?,
                key_norm: optional(&name("attn_k_norm"), head)?,
                output: linear("attn_output", width, queries)?,
                post_attention_norm: optional(&name("post_attention_norm"), width)?,
                feed_norm: vector(&name("ffn_norm"), width)?,
                gate: linear("ffn_gate", feed, width)?,
                up: linear("ffn_up", feed, width)?,
                down: linear("ffn_down", width, feed)?,
                post_feed_norm: optional(&name("post_ffw_norm"), width)?,
            });
        }
        let output = header.tensors.contains_key("output.weight");
        Ok(GgufTransformer {
            embedding,
            layers,
            norm: vector("output_norm.weight", width)?,
            output: output.then(|| tensor("output.weight", vocabulary, width)).transpose()?,
            rotary_factors: optional("rope_freqs.weight", shape.rotary_size / 2)?,
            shape,
        })
    }

    pub fn new_cache(&self) -> KeyValueCache {
        let layer = LayerCache::new(&self.shape);
        KeyValueCache { layers: vec![layer; self.shape.layers], tokens: Vec::new() }
    }

    /// Reduces `memory` to the tokens at its beginning that are also at the beginning of `tokens`, and returns their
    /// number. The last of `tokens` is not counted: it must pass through the layers to be continued.
    pub fn keep_common(&self, tokens: &[u32], memory: &mut KeyValueCache) -> usize {
        let others = &tokens[..tokens.len().saturating_sub(1)];
        let common = memory.tokens.iter().zip(others).take_while(|(a, b)| a == b).count();
        memory.tokens.truncate(common);
        for layer in &mut memory.layers {
            layer.truncate(&self.shape, common);
        }
        common
    }

    /// The score of each token of the vocabulary after these tokens, which are added to `memory`.
    pub fn forward(&self, file: &[u8], tokens: &[u32], memory: &mut KeyValueCache) -> Vec<f32> {
        let width = self.shape.width;
        let mut last = vec![0.0; width];
        // Chunks bound the memory for the activations of a long prompt.
        for tokens in tokens.chunks(MAX_CHUNK_TOKENS) {
            let x = self.through_layers(file, tokens, memory);
            last.copy_from_slice(&x[x.len() - width..]);
        }
        self.normalize(&mut last, &self.norm);
        matrix(file, self.output.as_ref().unwrap_or(&self.embedding)).forward(&last, None)
    }

    fn through_layers(&self, file: &[u8], tokens: &[u32], memory: &mut KeyValueCache) -> Vec<f32> {
        let TransformerShape { width, gemma, .. } = self.shape;
        let embedding = matrix(file, &self.embedding);
        let mut x = vec![0.0; tokens.len() * width];
        for (token, x) in tokens.iter().zip(x.chunks_exact_mut(width)) {
            embedding.row(*token as usize, x);
            if gemma {
                let scale = (width as f32).sqrt();
                x.iter_mut().for_each(|x| *x *= scale);
            }
        }
        let start = memory.tokens.len();
        let turns = self.turns(start, tokens.len(), self.shape.rope_base);
        let local_turns = self.shape.window.map(|(_, base)| self.turns(start, tokens.len(), base));
        let local_turns = local_turns.unwrap_or_default();
        for (n, layer) in self.layers.iter().enumerate() {
            let mut h = x.clone();
            self.normalize(&mut h, &layer.attention_norm);
            let mut queries = layer.query.forward(file, &h);
            let mut keys = layer.key.forward(file, &h);
            let values = layer.value.forward(file, &h);
            for (heads, norm) in [(&mut queries, &layer.query_norm), (&mut keys, &layer.key_norm)] {
                if let Some(norm) = norm {
                    self.normalize(heads, norm);
                }
            }
            // Every sixth layer sees all tokens.
            let window = self.shape.window.filter(|_| (n + 1) % 6 != 0);
            let base = window.map_or(self.shape.rope_base, |(_, base)| base);
            let turns = if base == self.shape.rope_base { &turns } else { &local_turns };
            self.rotate(&mut queries, self.shape.heads, turns);
            self.rotate(&mut keys, self.shape.key_value_heads, turns);
            let cache = &mut memory.layers[n];
            cache.append(&self.shape, &keys, &values);
            let window = window.map_or(usize::MAX, |(window, _)| window);
            let seen = cache.attend(&self.shape, &queries, window);
            let mut out = layer.output.forward(file, &seen);
            if let Some(norm) = &layer.post_attention_norm {
                self.normalize(&mut out, norm);
            }
            add(&mut x, &out);
            let mut h = x.clone();
            self.normalize(&mut h, &layer.feed_norm);
            let mut gate = layer.gate.forward(file, &h);
            let up = layer.up.forward(file, &h);
            gate.par_chunks_mut(1 << 12).zip(up.par_chunks(1 << 12)).for_each(|(gate, up)| {
                let gate_with = if gemma { gelu_gate } else { silu_gate };
                gate_with(gate, up);
            });
            let mut out = layer.down.forward(file, &gate);
            if let Some(norm) = &layer.post_feed_norm {
                self.normalize(&mut out, norm);
            }
            add(&mut x, &out);
        }
        memory.tokens.extend_from_slice(tokens);
        x
    }

    /// Scales each chunk of the norm's length to a mean square of 1, then multiplies it by the norm.
    fn normalize(&self, x: &mut [f32], norm: &[f32]) {
        for x in x.chunks_exact_mut(norm.len()) {
            let mean = dot(x, x) / norm.len() as f32;
            let scale = 1.0 / (mean + self.shape.norm_epsilon).sqrt();
            x.iter_mut().zip(norm).for_each(|(x, norm)| *x = *x * scale * norm);
        }
    }

    /// The sines and cosines of `count` positions from `start` on: (position, half of the rotated numbers).
    fn turns(&self, start: usize, count: usize, base: f64) -> Vec<(f32, f32)> {
        let rotated = self.shape.rotary_size;
        // Angles are computed in f64: at high positions, f32 would lose the fractional turn.
        let frequencies: Vec<f64> = (0..rotated / 2)
            .map(|i| {
                let factor =
                    self.rotary_factors.as_ref().map_or(1.0, |factors| f64::from(factors[i]));
                base.powf(-2.0 * i as f64 / rotated as f64) / factor
            })
            .collect();
        let turn = |position: usize, frequency: &f64| {
            let (sine, cosine) = (position as f64 * frequency).sin_cos();
            (sine as f32, cosine as f32)
        };
        let positions = start..start + count;
        positions.flat_map(|at| frequencies.iter().map(move |f| turn(at, f))).collect()
    }

    /// Rotates `heads` heads of each token.
    fn rotate(&self, x: &mut [f32], heads: usize, turns: &[(f32, f32)]) {
        let TransformerShape { head_size: head, rotary_size: rotated, pairs, .. } = self.shape;
        let half = rotated / 2;
        if half == 0 {
            return;
        }
        for (x, turns) in x.chunks_exact_mut(heads * head).zip(turns.chunks_exact(half)) {
            for x in x.chunks_exact_mut(head) {
                for (i, (sine, cosine)) in turns.iter().enumerate() {
                    let (a, b) = match pairs {
                        RotaryPairing::Adjacent => (2 * i, 2 * i + 1),
                        RotaryPairing::Halves => (i, i + half),
                    };
                    (x[a], x[b]) = (x[a] * cosine - x[b] * sine, x[a] * sine + x[b] * cosine);
                }
            }
        }
    }
}
