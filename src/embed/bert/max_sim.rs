//! Late interaction (MaxSim) over the token vectors of a transformer: each token of the query is matched with the most
//! similar token of the passage.
//!
//! The score is the mean over the query's tokens of the largest cosine with any token of the passage. Khattab and
//! Zaharia ("ColBERT", SIGIR 2020) take the sum; the mean gives the same ranking and stays within -1 to 1. Tokens are
//! compared after the model's own projection, if it has one. The model reads special tokens and prefixes, but they are
//! not compared, unless it was made for late interaction and says otherwise ([`super::late_interaction`]).

use rayon::prelude::*;

use super::embedder::TransformerEmbedder;
use super::late_interaction::LateInteractionTokenizer;
use super::math::max_dots;
use super::token_vectors::{distinct, either_is_cut};
use crate::embed::files::ModelFiles;
use crate::embed::pair_scorer::{PairLimit, PairScorer, TextPair};
use crate::embed::{ModelSpec, TextRole};
use crate::environment::Environment;

/// Number of passages whose token vectors are in memory at once: 128 of 256 tokens and 384 numbers are 50 MB.
const PASSAGES_PER_BLOCK: usize = 128;

/// A pair scorer by MaxSim, with a model trained for late interaction or for one vector per text.
pub struct MaxSimScorer {
    bert: TransformerEmbedder,
    /// The tokenizer of a model made for late interaction; `None` for other models.
    late_interaction: Option<LateInteractionTokenizer>,
    fingerprint: String,
}

impl MaxSimScorer {
    /// # Errors
    /// As [`TransformerEmbedder::load`].
    pub fn load(
        files: &ModelFiles,
        spec: &ModelSpec,
        environment: &Environment,
    ) -> anyhow::Result<MaxSimScorer> {
        let bert = TransformerEmbedder::load(files, spec, environment)?;
        let marking = match &files.late_interaction {
            None => None,
            Some(late) => Some(LateInteractionTokenizer::load(
                late,
                files,
                spec,
                bert.limits,
                bert.forward.window(),
            )?),
        };
        // Version 1 compared tokens before the projection; models without one are unchanged.
        let version = if bert.token_modules.is_empty() { 1 } else { 2 };
        let fingerprint = format!("max_sim {version} {}", bert.fingerprint);
        let fingerprint = blake3::hash(fingerprint.as_bytes()).to_hex().to_string();
        Ok(MaxSimScorer { bert, late_interaction: marking, fingerprint })
    }

    /// The token vectors of each text that are compared.
    fn vectors(&self, role: TextRole, texts: &[&str]) -> anyhow::Result<Vec<Vec<f32>>> {
        match &self.late_interaction {
            Some(marking) => self.bert.late_interaction_vectors(marking, role, texts),
            None => {
                let vectors = self.bert.token_vectors(role, texts)?;
                Ok(vectors.into_iter().map(|text| text.rows).collect())
            }
        }
    }

    fn max_sim(&self, query: &[f32], passage: &[f32]) -> f32 {
        let dim = self.bert.token_modules.dim();
        let count = query.len() / dim;
        if count == 0 {
            return 0.0;
        }
        let mut best = vec![-1.0; count];
        max_dots(query, passage, dim, &mut best);
        best.iter().sum::<f32>() / count as f32
    }
}

impl PairScorer for MaxSimScorer {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn pair_limit(&self) -> Option<PairLimit> {
        Some(match &self.late_interaction {
            Some(marking) => PairLimit::Apart {
                query: marking.length(TextRole::Query),
                passage: marking.length(TextRole::Passage),
            },
            None => self.bert.text.pair_limit(),
        })
    }

    fn are_truncated(&self, pairs: &[TextPair]) -> anyhow::Result<Vec<bool>> {
        either_is_cut(pairs, |role, texts| match &self.late_interaction {
            Some(marking) => marking.are_cut(role, texts),
            None => self.bert.text.are_truncated(role, texts),
        })
    }

    fn score(&self, pairs: &[TextPair], done: &(dyn Fn(usize) + Sync)) -> anyhow::Result<Vec<f32>> {
        let (queries, query_of) = distinct(pairs.iter().map(|pair| pair.0));
        let (passages, passage_of) = distinct(pairs.iter().map(|pair| pair.1));
        let queries = self.vectors(TextRole::Query, &queries)?;
        let mut scores = vec![0.0; pairs.len()];
        for (block, texts) in passages.chunks(PASSAGES_PER_BLOCK).enumerate() {
            let passages = self.vectors(TextRole::Passage, texts)?;
            let first = block * PASSAGES_PER_BLOCK;
            let here = first..first + texts.len();
            let pairs_here: Vec<usize> =
                (0..pairs.len()).filter(|&pair| here.contains(&passage_of[pair])).collect();
            let found: Vec<f32> = pairs_here
                .par_iter()
                .map(|&pair| {
                    self.max_sim(&queries[query_of[pair]], &passages[passage_of[pair] - first])
                })
                .collect();
            pairs_here.iter().zip(found).for_each(|(&pair, score)| scores[pair] = score);
            done(pairs_here.len());
        }
        Ok(scores)
    }
}
