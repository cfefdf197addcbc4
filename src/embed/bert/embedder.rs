//! An embedder by a transformer: tokenization, forward pass, modules and pooling.

use std::fmt::Write as _;

use anyhow::ensure;
use rayon::prelude::*;

use super::architecture::{ModelArchitecture, PackedForward};
use super::late_interaction;
use super::math::normalize;
use super::packed::{ForwardScratch, GROUP_TOKENS, TokenizedGroup};
use super::pooling;
use super::post_pooling::ModuleChain;
use super::text_input::TransformerTextInput;
use crate::embed::adapter::PeftAdapter;
use crate::embed::files::{LoadPurpose, ModelFiles};
use crate::embed::model_paths;
use crate::embed::weights::ModelWeights;
use crate::embed::{
    Embedder, EmbeddingVectors, ModelPrecision, ModelSpec, TextRole, TokenPooling, VectorSimilarity,
};
use crate::environment::Environment;

/// A loaded transformer on the CPU.
pub struct TransformerEmbedder {
    pub(super) text: TransformerTextInput,
    pub(super) forward: PackedForward,
    pub(super) token_modules: ModuleChain,
    text_modules: ModuleChain,
    similarity: VectorSimilarity,
    pub(super) fingerprint: String,
    pub(super) hidden: usize,
    /// The size of the vocabulary and the maximum number of tokens of a text.
    pub(super) limits: (usize, usize),
}

impl TransformerEmbedder {
    /// Like [`Self::load`], for a model that returns one vector per text.
    ///
    /// # Errors
    /// As [`Self::load`], and a model without a pooling.
    pub fn load_pooled(
        files: &ModelFiles,
        spec: &ModelSpec,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        ensure!(
            files.pooling.is_some(),
            "it has no pooling: it gives vectors of tokens, which a reranker can compare (with: max_sim)"
        );
        Self::load(files, spec, environment)
    }

    /// # Errors
    /// Files that do not match, an unsupported architecture, an adapter for another base model, or precision f32 with
    /// int8 weights.
    pub fn load(
        files: &ModelFiles,
        spec: &ModelSpec,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let adapter = read_adapter(spec, environment)?;
        let weights = ModelWeights::parse(&files.weights)?.with_adapter(adapter.as_ref());
        ensure!(
            spec.precision == ModelPrecision::Int8 || !weights.is_int8(),
            "the weights there are int8, but precision f32 was requested"
        );
        let architecture = ModelArchitecture::load(files, &weights)?;
        let (vocabulary, longest_text) = architecture.limits();
        let text = TransformerTextInput::load(files, spec, vocabulary, longest_text)?;
        // A single pooling enters the fingerprint by its bare name, as before there were several, so that caches
        // stay valid.
        let pooling = match text.pooling.as_slice() {
            [one] => format!("{one:?}"),
            several => format!("{several:?}"),
        };
        let mut settings = format!(
            "bert 1 {:?} {pooling} {} {:?} {:?}",
            spec.precision,
            text.tokens.max_tokens(),
            text.query_prefix,
            text.passage_prefix
        );
        if let Some(adapter) = &adapter {
            adapter.check_all_used()?;
            settings.push_str(&adapter.hash());
        }
        // As above: only what is set enters, so that other fingerprints stay as they are.
        for role in [TextRole::Query, TextRole::Passage] {
            if text.unpooled(role) > 0 {
                let _ = write!(settings, " {role:?} without {}", text.unpooled(role));
            }
        }
        let fingerprint = files.fingerprint(&settings);
        let hidden = architecture.hidden();
        let token_modules = match files.late_interaction.as_ref().is_some_and(|late| late.stanford)
        {
            true => ModuleChain::projection(&weights, "linear.weight", hidden)?,
            false => ModuleChain::load(&files.token_modules, hidden)?,
        };
        if let Some(inputs) = files.pooling.as_ref().and_then(|pooling| pooling.inputs) {
            let found = token_modules.dim();
            ensure!(
                inputs == found,
                "the pooling takes vectors of {inputs} numbers, and tokens have {found}"
            );
        }
        let text_modules =
            ModuleChain::load(&files.text_modules, text.pooling.len() * token_modules.dim())?;
        weights.check_all_read(LoadPurpose::Vectors)?;
        let longest = text.tokens.max_tokens().max(late_interaction::max_text_tokens(files));
        let forward = PackedForward::new(architecture, spec.precision, longest);
        let similarity = files.similarity;
        let limits = (vocabulary, longest_text);
        Ok(Self {
            text,
            forward,
            token_modules,
            text_modules,
            similarity,
            fingerprint,
            hidden,
            limits,
        })
    }
}

impl TransformerEmbedder {
    /// The vector of a text, pooled from the token vectors of the last layer.
    pub(super) fn pool(&self, role: TextRole, states: &[f32]) -> Vec<f32> {
        let projected;
        let (states, hidden) = match self.token_modules.is_empty() {
            true => (states, self.hidden),
            false => {
                projected = self.apply_token_modules(states);
                (projected.as_slice(), self.token_modules.dim())
            }
        };
        let prompt = self.text.unpooled(role);
        let direction_only =
            self.text_modules.is_empty() && self.similarity == VectorSimilarity::Cosine;
        let mut pooled = match self.text.pooling.as_slice() {
            // The normalisation makes the division by the number of tokens unnecessary.
            [TokenPooling::Mean | TokenPooling::MeanSqrtLength] if direction_only => {
                let rows = states.chunks_exact(hidden).skip(prompt);
                pooling::sum(rows, vec![0.0; hidden])
            }
            modes => pooling::pool(states, hidden, modes, prompt),
        };
        pooled = self.text_modules.apply(pooled);
        if self.similarity == VectorSimilarity::Cosine {
            normalize(&mut pooled);
        }
        pooled
    }

    /// Applies the token modules to each row of `states`.
    pub(super) fn apply_token_modules(&self, states: &[f32]) -> Vec<f32> {
        let rows = states.chunks_exact(self.hidden);
        rows.flat_map(|row| self.token_modules.apply(row.to_vec())).collect()
    }
}

/// The adapter that the settings name, if any.
pub(super) fn read_adapter(
    spec: &ModelSpec,
    environment: &Environment,
) -> anyhow::Result<Option<PeftAdapter>> {
    let Some(name) = &spec.adapter else { return Ok(None) };
    let dir = model_paths::adapter_dir(name, environment).unwrap_or_else(|| name.into());
    Ok(Some(PeftAdapter::read(&dir)?))
}

impl Embedder for TransformerEmbedder {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.text_modules.dim()
    }

    fn similarity(&self) -> VectorSimilarity {
        self.similarity
    }

    fn embed(
        &self,
        role: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<EmbeddingVectors> {
        let ids = self.text.encode(role, texts)?;
        let data: Vec<Vec<f32>> = token_groups(&ids)
            .into_par_iter()
            .map_init(ForwardScratch::default, |scratch, group| {
                let states = self.forward.run(TokenizedGroup::unsegmented(group), scratch)?;
                let mut out = Vec::with_capacity(group.len() * self.dim());
                let mut start = 0;
                for text in group {
                    let end = start + text.len() * self.hidden;
                    out.extend(self.pool(role, &states[start..end]));
                    start = end;
                }
                done(group.len());
                Ok(out)
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(EmbeddingVectors { dim: self.dim(), data: data.concat() })
    }

    fn token_limit(&self) -> Option<usize> {
        Some(self.text.tokens.max_tokens())
    }

    fn are_truncated(&self, role: TextRole, texts: &[&str]) -> anyhow::Result<Vec<bool>> {
        self.text.are_truncated(role, texts)
    }
}

/// Splits texts into runs of at most [`GROUP_TOKENS`] tokens; a longer text is a group of its own.
pub(super) fn token_groups(ids: &[Vec<u32>]) -> Vec<&[Vec<u32>]> {
    let mut groups = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (i, text) in ids.iter().enumerate() {
        if i > start && tokens + text.len() > GROUP_TOKENS {
            groups.push(&ids[start..i]);
            (start, tokens) = (i, 0);
        }
        tokens += text.len();
    }
    if start < ids.len() {
        groups.push(&ids[start..]);
    }
    groups
}
