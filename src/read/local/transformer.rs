//! The transformer: computes the scores of the next token from the tokens so far.
//!
//! One forward pass serves all families: RMS norms, rotary positions, grouped attention over a cache of keys and
//! values, and a gated feed-forward layer. Differences between families are in [`TransformerShape`] or follow from the tensors
//! that are present.

use anyhow::{Context, bail, ensure};
use rayon::prelude::*;

use super::gguf::{GgufHeader, GgufTensorInfo};
use super::linear::{GgufMatrix, add_scaled, dot};

/// The maximum number of tokens that pass through the layers together.
const MAX_CHUNK_TOKENS: usize = 512;

/// Which two numbers of a head are rotated together.
#[derive(Clone, Copy, Debug, PartialEq)]
enum RotaryPairing {
    /// Adjacent numbers.
    Adjacent,
    /// One number of each half.
    Halves,
}

/// The hyperparameters in the metadata.
#[derive(Debug)]
pub struct TransformerShape {
    layers: usize,
    width: usize,
    heads: usize,
    key_value_heads: usize,
    head_size: usize,
    /// The maximum number of tokens.
    pub context: usize,
    norm_epsilon: f32,
    rotary_size: usize,
    rope_base: f64,
    pairs: RotaryPairing,
    /// Sliding-window attention: the window in tokens and the base of the rotation. Every sixth layer has no window.
    window: Option<(usize, f64)>,
    /// Whether the model is a Gemma: embeddings are scaled, and the gate is a GELU.
    gemma: bool,
}

/// The supported families, by their names in the file.
const SUPPORTED_FAMILIES: [&str; 5] = ["llama", "qwen2", "qwen3", "gemma", "gemma3"];

impl TransformerShape {
    /// Reads the hyperparameters.
    ///
    /// # Errors
    /// A family that is not supported, or metadata that is missing or inconsistent.
    pub fn of(header: &GgufHeader) -> anyhow::Result<TransformerShape> {
        let family =
            header.text("general.architecture").context("general.architecture is missing")?;
        ensure!(
            SUPPORTED_FAMILIES.contains(&family),
            "models of the family {family:?} are not read here; allowed: {}. An endpoint (url) can serve them",
            SUPPORTED_FAMILIES.join(", ")
        );
        let gemma = family.starts_with("gemma");
        let key = |name: &str| format!("{family}.{name}");
        let count = |name: &str| {
            let found = header.count(&key(name)).filter(|n| (1..1 << 24).contains(n));
            found
                .with_context(|| format!("the metadata {:?} is missing or out of range", key(name)))
        };
        let (width, heads) = (count("embedding_length")?, count("attention.head_count")?);
        let groups = match header.count(&key("attention.head_count_kv")) {
            None => heads,
            Some(_) => count("attention.head_count_kv")?,
        };
        let head = header.count(&key("attention.key_length")).unwrap_or(width / heads);
        let rotated = header.count(&key("rope.dimension_count")).unwrap_or(head);
        ensure!(
            heads.is_multiple_of(groups)
                && head > 0
                && rotated <= head
                && rotated.is_multiple_of(2),
            "{heads} heads in {groups} groups of {head} numbers, {rotated} of them rotated, cannot be combined"
        );
        // Rejected rather than ignored: the answers would be wrong without a visible error.
        if let Some(scaling) = header.text(&key("rope.scaling.type")).filter(|kind| *kind != "none")
        {
            bail!("the positions are scaled ({scaling}), which is not supported");
        }
        if header.count(&key("expert_count")).is_some_and(|n| n > 0) {
            bail!("it is a mixture of experts, which is not supported");
        }
        let window = header.count(&key("attention.sliding_window")).filter(|_| family == "gemma3");
        let real = |name: &str, otherwise: f64| header.float(&key(name)).unwrap_or(otherwise);
        Ok(TransformerShape {
            layers: count("block_count")?,
            width,
            heads,
            key_value_heads: groups,
            head_size: head,
            context: count("context_length")?,
            norm_epsilon: real("attention.layer_norm_rms_epsilon", 1e-6) as f32,
            rotary_size: rotated,
            rope_base: real("rope.freq_base", 10_000.0),
            pairs: if family == "llama" { RotaryPairing::Adjacent } else { RotaryPairing::Halves },
            window: window.map(|window| (window, real("rope.local.freq_base", 10_000.0))),
            gemma,
        })
    }
}

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

/// The cache of keys and values of previous tokens, by layer.
pub struct KeyValueCache {
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    tokens: usize,
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
        let none = vec![Vec::new(); self.shape.layers];
        KeyValueCache { keys: none.clone(), values: none, tokens: 0 }
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
            self.rotate(&mut queries, self.shape.heads, memory.tokens, base);
            self.rotate(&mut keys, self.shape.key_value_heads, memory.tokens, base);
            memory.keys[n].extend_from_slice(&keys);
            memory.values[n].extend_from_slice(&values);
            let seen = self.attend(
                &queries,
                &memory.keys[n],
                &memory.values[n],
                memory.tokens,
                window.map_or(usize::MAX, |(window, _)| window),
            );
            let mut out = layer.output.forward(file, &seen);
            if let Some(norm) = &layer.post_attention_norm {
                self.normalize(&mut out, norm);
            }
            add_scaled(&mut x, &out, 1.0);
            let mut h = x.clone();
            self.normalize(&mut h, &layer.feed_norm);
            let mut gate = layer.gate.forward(file, &h);
            let up = layer.up.forward(file, &h);
            gate.par_chunks_mut(1 << 12).zip(up.par_chunks(1 << 12)).for_each(|(gate, up)| {
                for (gate, up) in gate.iter_mut().zip(up) {
                    *gate = up * if gemma { gelu(*gate) } else { *gate / (1.0 + (-*gate).exp()) };
                }
            });
            let mut out = layer.down.forward(file, &gate);
            if let Some(norm) = &layer.post_feed_norm {
                self.normalize(&mut out, norm);
            }
            add_scaled(&mut x, &out, 1.0);
        }
        memory.tokens += tokens.len();
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

    fn rotate(&self, x: &mut [f32], heads: usize, start: usize, base: f64) {
        let TransformerShape { head_size: head, rotary_size: rotated, pairs, .. } = self.shape;
        let half = rotated / 2;
        // Angles are computed in f64: at high positions, f32 would lose the fractional turn.
        let frequencies: Vec<f64> = (0..half)
            .map(|i| {
                let factor =
                    self.rotary_factors.as_ref().map_or(1.0, |factors| f64::from(factors[i]));
                base.powf(-2.0 * i as f64 / rotated as f64) / factor
            })
            .collect();
        for (token, x) in x.chunks_exact_mut(heads * head).enumerate() {
            let turns: Vec<(f32, f32)> = frequencies
                .iter()
                .map(|frequency| {
                    let (sine, cosine) = ((start + token) as f64 * frequency).sin_cos();
                    (sine as f32, cosine as f32)
                })
                .collect();
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

    /// Attention: for each head of each token, over the tokens up to itself, at most `window` of them.
    fn attend(
        &self,
        queries: &[f32],
        keys: &[f32],
        values: &[f32],
        start: usize,
        window: usize,
    ) -> Vec<f32> {
        let TransformerShape { heads, key_value_heads: groups, head_size: head, .. } = self.shape;
        let scale = 1.0 / (head as f32).sqrt();
        let stride = groups * head;
        let mut out = vec![0.0; queries.len()];
        let each = out.par_chunks_mut(head).zip(queries.par_chunks(head)).enumerate();
        each.for_each_init(Vec::new, |scores: &mut Vec<f32>, (place, (out, query))| {
            let (token, head_number) = (place / heads, place % heads);
            let at = head_number / (heads / groups) * head;
            let end = start + token + 1;
            let first = end.saturating_sub(window);
            scores.clear();
            scores
                .extend((first..end).map(|n| scale * dot(query, &keys[n * stride + at..][..head])));
            // The maximum is subtracted so that `exp` cannot overflow.
            let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for score in scores.iter_mut() {
                *score = (*score - highest).exp();
                sum += *score;
            }
            for (n, score) in (first..end).zip(scores.iter()) {
                add_scaled(out, &values[n * stride + at..][..head], score / sum);
            }
        });
        out
    }
}

/// The tanh approximation, as used by Gemma.
fn gelu(x: f32) -> f32 {
    let inner = 0.797_884_6 * (x + 0.044_715 * x * x * x);
    0.5 * x * (1.0 + inner.tanh())
}
