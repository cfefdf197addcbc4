//! Cross-encoders: a transformer with a classification head that reads query and passage together and scores how well
//! they match.

use anyhow::{Context, bail, ensure};
use rayon::prelude::*;
use serde_json::Value;

use super::architecture::{ModelArchitecture, PackedForward};
use super::config::text_or;
use super::embedder::token_groups;
use super::layers::LayerNormWeights;
use super::math;
use super::packed::{ForwardScratch, TokenizedGroup};
use super::pooling::pool;
use crate::embed::files::{LoadPurpose, ModelFiles};
use crate::embed::model_tokenizer::ModelTokenizer;
use crate::embed::pair_scorer::{PairLimit, PairScorer, TextPair};
use crate::embed::weights::ModelWeights;
use crate::embed::{CrossEncoderSpec, ModelPrecision, TokenPooling};

/// A model as saved by Hugging Face's `BertForSequenceClassification` or its RoBERTa or ModernBERT counterpart. With
/// one label the score is its logit, with two it is the second logit minus the first.
pub struct CrossEncoder {
    tokens: ModelTokenizer,
    /// The template that joins query and passage; `None`: they are passed as two segments.
    template: Option<String>,
    segments: bool,
    forward: PackedForward,
    head: ClassifierHead,
    hidden: usize,
    fingerprint: String,
}

/// The classification head, applied to the vector of the first token or to the mean: `out(tanh(dense(x)))`, for
/// ModernBERT `out(norm(gelu(dense(x))))`.
struct ClassifierHead {
    /// Whether the mean over the tokens is used instead of the first token.
    pools_mean: bool,
    dense: AffineLayer,
    /// ModernBERT's layer norm and its epsilon.
    norm: Option<(LayerNormWeights, f32)>,
    out: AffineLayer,
}

/// `y = W x + b`, row-major.
struct AffineLayer {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl AffineLayer {
    fn load(
        weights: &ModelWeights,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> anyhow::Result<AffineLayer> {
        let weight = weights.matrix(&format!("{name}.weight"), outputs, inputs)?;
        let bias = format!("{name}.bias");
        let bias = match weights.has(&bias) {
            true => weights.vector(&bias, weight.len())?,
            // By default, ModernBERT's head has no bias.
            false if name == "head.dense" => vec![0.0; weight.len()],
            false => bail!("model.safetensors has no tensor `{bias}`"),
        };
        Ok(AffineLayer { weight: weight.into_f32(), bias })
    }

    fn forward(&self, x: &[f32]) -> Vec<f32> {
        let rows = self.weight.chunks_exact(x.len()).zip(&self.bias);
        rows.map(|(row, bias)| row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>() + bias).collect()
    }
}

/// The names of the two layers of the classification head, in order; `None` if there is no head.
pub fn classifier_layers(weights: &ModelWeights) -> Option<[&'static str; 2]> {
    let heads = [
        ["classifier.dense", "classifier.out_proj"],
        ["head.dense", "classifier"],
        ["pooler.dense", "classifier"],
    ];
    heads
        .into_iter()
        .find(|layers| layers.iter().all(|layer| weights.has(&format!("{layer}.weight"))))
}

/// The number of labels stated in config.json, with the key that states it.
fn stated_labels(config: &Value) -> Option<(&'static str, usize)> {
    for key in ["num_labels", "_num_labels"] {
        let number = config.get(key).and_then(Value::as_u64);
        if let Some(labels) = number.and_then(|labels| usize::try_from(labels).ok()) {
            return Some((key, labels));
        }
    }
    Some(("id2label", config.get("id2label")?.as_object()?.len()))
}

impl ClassifierHead {
    fn load(
        weights: &ModelWeights,
        hidden: usize,
        config: &Value,
        modern: Option<f32>,
    ) -> anyhow::Result<ClassifierHead> {
        let Some([dense, out]) = classifier_layers(weights) else {
            bail!(
                "model.safetensors has no classification head (`classifier.weight`): this model \
                 embeds texts, it does not score pairs"
            );
        };
        ensure!(
            (dense == "head.dense") == modern.is_some(),
            "the head `{dense}` does not belong to the model type of config.json"
        );
        let wanted = config.get("classifier_bias").and_then(Value::as_bool).unwrap_or(false);
        ensure!(
            modern.is_none() || weights.has("head.dense.bias") == wanted,
            "config.json says classifier_bias: {wanted}, and model.safetensors says otherwise"
        );
        let pooling = text_or(config, "classifier_pooling", "cls");
        let activation = text_or(config, "classifier_activation", "gelu");
        if modern.is_some() {
            ensure!(
                ["cls", "mean"].contains(&pooling),
                "config.json: classifier_pooling is `{pooling}`; cls and mean can be run"
            );
            ensure!(
                activation == "gelu",
                "config.json: classifier_activation is `{activation}`; only gelu can be run"
            );
        }
        let norm = match modern {
            None => None,
            Some(eps) => {
                let shift = match weights.has("head.norm.bias") {
                    true => weights.vector("head.norm.bias", hidden)?,
                    false => vec![0.0; hidden],
                };
                Some((
                    LayerNormWeights { scale: weights.vector("head.norm.weight", hidden)?, shift },
                    eps,
                ))
            }
        };
        let dense = AffineLayer::load(weights, dense, hidden, hidden)?;
        let out = AffineLayer::load(weights, out, 0, hidden)?;
        let labels = out.bias.len();
        if let Some((key, stated)) = stated_labels(config) {
            ensure!(
                stated == labels,
                "config.json: `{key}` says {stated} labels, and the head in model.safetensors has {labels}"
            );
        }
        ensure!(labels <= 2, "the model distinguishes {labels} labels; a reranker has 1 or 2");
        Ok(ClassifierHead { pools_mean: modern.is_some() && pooling == "mean", dense, norm, out })
    }

    /// The score of a pair from its token vectors.
    fn score(&self, states: &[f32]) -> f32 {
        let hidden = self.dense.bias.len();
        let mode = if self.pools_mean { TokenPooling::Mean } else { TokenPooling::Cls };
        let mut pooled = self.dense.forward(&pool(states, hidden, &[mode], 0));
        match &self.norm {
            None => pooled.iter_mut().for_each(|x| *x = x.tanh()),
            Some((norm, eps)) => {
                math::gelu(&mut pooled);
                math::norm_rows(&mut pooled, &norm.scale, &norm.shift, *eps);
            }
        }
        match self.out.forward(&pooled)[..] {
            // The difference of two logits ranks pairs like the softmax probability of the second label.
            [no, yes] => yes - no,
            [yes, ..] => yes,
            [] => 0.0,
        }
    }
}

impl CrossEncoder {
    /// # Errors
    /// Files that do not match, an unsupported architecture, a missing classification head, or precision f32 with int8
    /// weights.
    pub fn load(files: &ModelFiles, spec: &CrossEncoderSpec) -> anyhow::Result<CrossEncoder> {
        let weights = ModelWeights::parse(&files.weights)?;
        ensure!(
            spec.precision == ModelPrecision::Int8 || !weights.is_int8(),
            "the weights there are int8, but precision f32 was requested"
        );
        let architecture = ModelArchitecture::load(files, &weights)?;
        let hidden = architecture.hidden();
        let (modern, segments) = match &architecture {
            ModelArchitecture::Bert(config, _) => (None, config.token_types > 1),
            ModelArchitecture::Modern(config, _) => (Some(config.norm_eps), false),
        };
        let head =
            ClassifierHead::load(&weights, hidden, &files.config, modern).context("the head")?;
        weights.check_all_read(LoadPurpose::Scores)?;
        let (vocabulary, longest) = architecture.limits();
        let max_tokens = spec.max_tokens.or(files.max_tokens()).unwrap_or(longest).min(longest);
        ensure!(max_tokens > 4, "max_tokens is {max_tokens}; at least 5 are needed");
        let tokens = ModelTokenizer::load(&files.tokenizer, max_tokens, true, vocabulary)?;
        let tokens = tokens.with_lower_case(files.lower_case);
        let pair = match &spec.pair {
            Some(pair) => Some(pair.clone()),
            None => config_template(&files.config)?,
        };
        let fingerprint = files
            .fingerprint(&format!("cross_encoder 1 {:?} {max_tokens} {pair:?}", spec.precision));
        Ok(CrossEncoder {
            tokens,
            template: pair,
            segments,
            hidden,
            forward: PackedForward::new(architecture, spec.precision, max_tokens),
            head,
            fingerprint,
        })
    }

    /// The ids of each pair, and the number of ids in the first segment.
    fn encode(&self, pairs: &[TextPair]) -> anyhow::Result<(Vec<Vec<u32>>, Vec<usize>)> {
        if let Some(template) = &self.template {
            let texts: Vec<String> = pairs
                .iter()
                .map(|(query, passage)| fill_template(template, query, passage))
                .collect();
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

/// The placeholders that a template must contain.
pub const PLACEHOLDERS: [&str; 2] = ["{query}", "{passage}"];

/// The template in the model's own config.json, under `pair`. This key is an extension of knockon that other libraries
/// ignore.
fn config_template(config: &Value) -> anyhow::Result<Option<String>> {
    let Some(pair) = config.get("pair") else { return Ok(None) };
    let pair = pair.as_str().filter(|pair| PLACEHOLDERS.iter().all(|hole| pair.contains(hole)));
    let pair = pair.context("config.json: `pair` must be a text with {query} and {passage}")?;
    Ok(Some(pair.to_owned()))
}

/// Fills in `{query}` and `{passage}`. Placeholders inside the inserted texts are not replaced.
fn fill_template(template: &str, query: &str, passage: &str) -> String {
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

    fn pair_limit(&self) -> Option<PairLimit> {
        Some(PairLimit::Together(self.tokens.max_tokens()))
    }

    fn are_truncated(&self, pairs: &[TextPair]) -> anyhow::Result<Vec<bool>> {
        let Some(template) = &self.template else { return self.tokens.pairs_are_truncated(pairs) };
        let texts: Vec<String> =
            pairs.iter().map(|(query, passage)| fill_template(template, query, passage)).collect();
        self.tokens.are_truncated("", &texts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn score(&self, pairs: &[TextPair], done: &(dyn Fn(usize) + Sync)) -> anyhow::Result<Vec<f32>> {
        let (ids, firsts) = self.encode(pairs)?;
        let mut firsts = firsts.as_slice();
        let groups = token_groups(&ids).into_iter().map(|group| {
            let (here, rest) = firsts.split_at(group.len());
            firsts = rest;
            (group, here)
        });
        let groups: Vec<(&[Vec<u32>], &[usize])> = groups.collect();
        let scores: Vec<Vec<f32>> = groups
            .into_par_iter()
            .map_init(ForwardScratch::default, |scratch, (group, firsts)| {
                let texts = TokenizedGroup {
                    ids: group,
                    second_segment_starts: firsts,
                    visible_tokens: &[],
                };
                let mut states = self.forward.run(texts, scratch)?;
                let scores = group
                    .iter()
                    .map(|ids| {
                        let (here, rest) = states.split_at(ids.len() * self.hidden);
                        states = rest;
                        self.head.score(here)
                    })
                    .collect();
                done(group.len());
                Ok(scores)
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(scores.concat())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_template_is_filled_in_once() {
        let filled = super::fill_template("Q: {query} {x} P: {passage}", "{passage}", "b {query}");
        assert_eq!(filled, "Q: {passage} {x} P: b {query}");
    }
}
