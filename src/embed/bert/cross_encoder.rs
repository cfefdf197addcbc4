//! Cross-encoders: a BERT model with a classification head reads query and passage together and says how
//! well they fit.

use anyhow::{Context, bail, ensure};
use rayon::prelude::*;
use serde_json::Value;

use super::config::Config;
use super::layers::Encoder;
use super::packed::{Packed, Scratch};
use crate::embed::files::ModelFiles;
use crate::embed::pairs::{Pair, PairScorer};
use crate::embed::tokens::Tokens;
use crate::embed::weights::Weights;
use crate::embed::{CrossEncoderSpec, Precision};

/// A model directory as Hugging Face saves `BertForSequenceClassification` or its RoBERTa sibling, with one
/// label, whose logit is the score, or two: then it is the second's logit less the first's.
pub struct CrossEncoder {
    tokens: Tokens,
    /// `None`: query and passage go in as two segments.
    pair: Option<String>,
    segments: bool,
    packed: Packed,
    head: Head,
    hidden: usize,
    fingerprint: String,
}

/// What is made of the first token's vector: `out(tanh(dense(x)))`.
struct Head {
    dense: Affine,
    out: Affine,
}

/// `y = W x + b`, row-major.
struct Affine {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Affine {
    fn load(
        weights: &Weights,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> anyhow::Result<Affine> {
        let weight = weights.rows(&format!("{name}.weight"), outputs, inputs)?;
        let bias = weights.vector(&format!("{name}.bias"), weight.len())?;
        Ok(Affine { weight: weight.into_f32(), bias })
    }

    fn forward(&self, x: &[f32]) -> Vec<f32> {
        let rows = self.weight.chunks_exact(x.len()).zip(&self.bias);
        rows.map(|(row, bias)| row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>() + bias).collect()
    }
}

/// The layers of a classification head, first to last; `None` without one.
pub fn head_of(weights: &Weights) -> Option<[&'static str; 2]> {
    let heads = [["classifier.dense", "classifier.out_proj"], ["pooler.dense", "classifier"]];
    heads.into_iter().find(|[_, out]| weights.has(&format!("{out}.weight")))
}

impl Head {
    fn load(weights: &Weights, hidden: usize) -> anyhow::Result<Head> {
        let Some([dense, out]) = head_of(weights) else {
            bail!(
                "model.safetensors has no classification head (`classifier.weight`): this model \
                 embeds texts, it does not score pairs"
            );
        };
        let dense = Affine::load(weights, dense, hidden, hidden)?;
        let out = Affine::load(weights, out, 0, hidden)?;
        let labels = out.bias.len();
        ensure!(labels <= 2, "the model tells {labels} labels apart; a reranker has 1 or 2");
        Ok(Head { dense, out })
    }

    fn score(&self, first: &[f32]) -> f32 {
        let mut pooled = self.dense.forward(first);
        pooled.iter_mut().for_each(|x| *x = x.tanh());
        match self.out.forward(&pooled)[..] {
            [no, yes] => yes - no,
            [yes, ..] => yes,
            [] => 0.0,
        }
    }
}

impl CrossEncoder {
    /// # Errors
    /// Files that do not fit together, an architecture that cannot be run, no classification head, or f32
    /// asked of int8 weights.
    pub fn load(files: &ModelFiles, spec: &CrossEncoderSpec) -> anyhow::Result<CrossEncoder> {
        let config = Config::parse(&files.config)?;
        let weights = Weights::parse(&files.weights)?;
        ensure!(
            spec.precision == Precision::Int8 || !weights.is_int8(),
            "the weights there are int8, and precision f32 was asked for"
        );
        let head = Head::load(&weights, config.hidden).context("the head")?;
        let max_tokens = spec.max_tokens.unwrap_or(config.longest()).min(config.longest());
        ensure!(max_tokens > 4, "max_tokens is {max_tokens}; at least 5 are needed");
        let tokens = Tokens::load(&files.tokenizer, max_tokens, true)?;
        ensure!(
            tokens.vocabulary() <= config.vocabulary,
            "tokenizer.json has {} tokens, config.json only {}: they are not of one model",
            tokens.vocabulary(),
            config.vocabulary
        );
        let encoder = Encoder::load(&weights, &config)?;
        let pair = match &spec.pair {
            Some(pair) => Some(pair.clone()),
            None => own_pair(&files.config)?,
        };
        let fingerprint = files
            .fingerprint(&format!("cross_encoder 1 {:?} {max_tokens} {pair:?}", spec.precision));
        Ok(CrossEncoder {
            tokens,
            pair,
            segments: config.token_types > 1,
            hidden: config.hidden,
            packed: Packed::new(config, encoder, spec.precision),
            head,
            fingerprint,
        })
    }

    /// The ids of each pair, and how many of them are of the first segment.
    fn encode(&self, pairs: &[Pair]) -> anyhow::Result<(Vec<Vec<u32>>, Vec<usize>)> {
        if let Some(template) = &self.pair {
            let text = |(query, passage): &Pair| filled(template, query, passage);
            let texts: Vec<String> = pairs.iter().map(text).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let ids = self.tokens.encode("", &texts)?;
            let firsts = ids.iter().map(Vec::len).collect();
            return Ok((ids, firsts));
        }
        let (ids, mut firsts): (Vec<_>, Vec<_>) =
            self.tokens.encode_pairs(pairs)?.into_iter().unzip();
        if !self.segments {
            firsts = ids.iter().map(Vec::len).collect();
        }
        Ok((ids, firsts))
    }
}

/// What a pair's text must have room for.
pub const HOLES: [&str; 2] = ["{query}", "{passage}"];

/// The form that the model's own config.json asks for, in `pair`; a key of ours, which other readers of the
/// file let be.
fn own_pair(config: &Value) -> anyhow::Result<Option<String>> {
    let Some(pair) = config.get("pair") else { return Ok(None) };
    let pair = pair.as_str().filter(|pair| HOLES.iter().all(|hole| pair.contains(hole)));
    let pair = pair.context("config.json: `pair` must be a text with {query} and {passage}")?;
    Ok(Some(pair.to_owned()))
}

/// The template with its `{query}` and `{passage}` filled in; what is filled in is not looked at again.
fn filled(template: &str, query: &str, passage: &str) -> String {
    let mut text = String::with_capacity(template.len() + query.len() + passage.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let (mark, value) = match rest {
            _ if rest.starts_with("{query}") => ("{query}", query),
            _ if rest.starts_with("{passage}") => ("{passage}", passage),
            _ => ("{", "{"),
        };
        text.push_str(value);
        rest = &rest[mark.len()..];
    }
    text + rest
}

impl PairScorer for CrossEncoder {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn score(&self, pairs: &[Pair], done: &(dyn Fn(usize) + Sync)) -> anyhow::Result<Vec<f32>> {
        let (ids, firsts) = self.encode(pairs)?;
        let mut firsts = firsts.as_slice();
        let groups = super::groups(&ids).into_iter().map(|group| {
            let (here, rest) = firsts.split_at(group.len());
            firsts = rest;
            (group, here)
        });
        let groups: Vec<(&[Vec<u32>], &[usize])> = groups.collect();
        let scores: Vec<Vec<f32>> = groups
            .into_par_iter()
            .map_init(Scratch::default, |scratch, (group, firsts)| {
                let states = self.packed.forward_segments(group, firsts, scratch);
                let mut start = 0;
                let score = |ids: &Vec<u32>| {
                    let first = &states[start..start + self.hidden];
                    start += ids.len() * self.hidden;
                    self.head.score(first)
                };
                let scores = group.iter().map(score).collect();
                done(group.len());
                scores
            })
            .collect();
        Ok(scores.concat())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_template_is_filled_in_once() {
        let filled = super::filled("Q: {query} {x} P: {passage}", "{passage}", "b {query}");
        assert_eq!(filled, "Q: {passage} {x} P: b {query}");
    }
}
