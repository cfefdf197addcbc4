//! Late interaction over the token vectors of a BERT model: each token of the query looks for the token of
//! the passage that is most like it.
//!
//! The score is the mean over the query's tokens of the largest cosine with any token of the passage
//! (Khattab and Zaharia, "ColBERT", SIGIR 2020, who sum; the mean ranks alike and stays within -1 to 1).
//! Special tokens and prefixes are seen by the model, but not counted.

use rayon::prelude::*;

use super::Bert;
use super::math::max_dots;
use super::token_vectors::distinct;
use crate::embed::files::ModelFiles;
use crate::embed::pairs::{Pair, PairScorer};
use crate::embed::{ModelSpec, Role};

/// Passages whose token vectors are held at once: 128 of 256 tokens and 384 numbers are 50 MB.
const PASSAGES: usize = 128;

/// MaxSim over the tokens of a model that was trained for one vector a text, or for this.
pub struct MaxSim {
    bert: Bert,
    fingerprint: String,
}

impl MaxSim {
    /// # Errors
    /// As [`Bert::load`].
    pub fn load(files: &ModelFiles, spec: &ModelSpec) -> anyhow::Result<MaxSim> {
        let bert = Bert::load(files, spec)?;
        let fingerprint = format!("max_sim 1 {}", bert.fingerprint);
        let fingerprint = blake3::hash(fingerprint.as_bytes()).to_hex().to_string();
        Ok(MaxSim { bert, fingerprint })
    }

    fn max_sim(&self, query: &[f32], passage: &[f32]) -> f32 {
        let count = query.len() / self.bert.hidden;
        if count == 0 {
            return 0.0;
        }
        let mut best = vec![-1.0; count];
        max_dots(query, passage, self.bert.hidden, &mut best);
        best.iter().sum::<f32>() / count as f32
    }
}

impl PairScorer for MaxSim {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn score(&self, pairs: &[Pair], done: &(dyn Fn(usize) + Sync)) -> anyhow::Result<Vec<f32>> {
        let (queries, query_of) = distinct(pairs.iter().map(|pair| pair.0));
        let (passages, passage_of) = distinct(pairs.iter().map(|pair| pair.1));
        let queries = self.bert.token_vectors(Role::Query, &queries)?;
        let mut scores = vec![0.0; pairs.len()];
        for (block, texts) in passages.chunks(PASSAGES).enumerate() {
            let passages = self.bert.token_vectors(Role::Passage, texts)?;
            let first = block * PASSAGES;
            let here = first..first + texts.len();
            let asked: Vec<usize> =
                (0..pairs.len()).filter(|&pair| here.contains(&passage_of[pair])).collect();
            let score = |&pair: &usize| {
                let passage = &passages[passage_of[pair] - first];
                self.max_sim(&queries[query_of[pair]].rows, &passage.rows)
            };
            let found: Vec<f32> = asked.par_iter().map(score).collect();
            asked.iter().zip(found).for_each(|(&pair, score)| scores[pair] = score);
            done(asked.len());
        }
        Ok(scores)
    }
}
