//! Late interaction over the token vectors of a BERT model: each token of the query looks for the token of
//! the passage that is most like it.
//!
//! The score is the mean over the query's tokens of the largest cosine with any token of the passage
//! (Khattab and Zaharia, "ColBERT", SIGIR 2020, who sum; the mean ranks alike and stays within -1 to 1).
//! Special tokens and prefixes are seen by the model, but not counted.

use std::collections::HashMap;

use rayon::prelude::*;

use super::Bert;
use super::math::{max_dots, normalize};
use super::packed::Scratch;
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

    /// The token vectors of each text, at length one, token after token.
    fn tokens(&self, role: Role, texts: &[&str]) -> anyhow::Result<Vec<Vec<f32>>> {
        let text = &self.bert.text;
        let hidden = self.bert.hidden;
        let ids = text.encode(role, texts)?;
        // What even an empty text has: special tokens, and those of the prefix.
        let special = text.tokens.encode("", &[""])?.remove(0);
        let prefix = text.encode(role, &[""])?.remove(0);
        let prefix = prefix.iter().filter(|id| !special.contains(id)).count();
        let tokens: Vec<Vec<Vec<f32>>> = super::groups(&ids)
            .into_par_iter()
            .map_init(Scratch::default, |scratch, group| {
                let mut states = self.bert.forward.run(group, scratch).chunks_exact(hidden);
                let text = |ids: &Vec<u32>| {
                    let plain = ids.iter().zip(states.by_ref().take(ids.len()));
                    let plain = plain.filter(|(id, _)| !special.contains(id)).skip(prefix);
                    let mut rows: Vec<f32> = plain.flat_map(|(_, row)| row).copied().collect();
                    rows.chunks_exact_mut(hidden).for_each(normalize);
                    rows
                };
                group.iter().map(text).collect()
            })
            .collect();
        Ok(tokens.into_iter().flatten().collect())
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
        let queries = self.tokens(Role::Query, &queries)?;
        let mut scores = vec![0.0; pairs.len()];
        for (block, texts) in passages.chunks(PASSAGES).enumerate() {
            let passages = self.tokens(Role::Passage, texts)?;
            let first = block * PASSAGES;
            let here = first..first + texts.len();
            let asked: Vec<usize> =
                (0..pairs.len()).filter(|&pair| here.contains(&passage_of[pair])).collect();
            let score = |&pair: &usize| {
                self.max_sim(&queries[query_of[pair]], &passages[passage_of[pair] - first])
            };
            let found: Vec<f32> = asked.par_iter().map(score).collect();
            asked.iter().zip(found).for_each(|(&pair, score)| scores[pair] = score);
            done(asked.len());
        }
        Ok(scores)
    }
}

/// The distinct texts in order of first appearance, and for each text its place among them.
fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> (Vec<&'a str>, Vec<usize>) {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut distinct = Vec::new();
    let place = |text| {
        *places.entry(text).or_insert_with(|| {
            distinct.push(text);
            distinct.len() - 1
        })
    };
    let places = texts.map(place).collect();
    (distinct, places)
}
