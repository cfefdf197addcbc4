//! The token vectors of texts, which [`super::max_sim`] and similarity maps compare.

use std::collections::HashMap;

use rayon::prelude::*;

use super::math::normalize;
use super::packed::Scratch;
use super::{Bert, groups, pooling};
use crate::embed::Role;

/// One text. Special tokens and those of a prefix have been seen by the model, but are not among these.
pub struct TokenVectors {
    pub ids: Vec<u32>,
    /// At length one, token after token.
    pub rows: Vec<f32>,
    /// The vector of the whole text, as an embedder gives it.
    pub whole: Vec<f32>,
}

impl Bert {
    /// The token vectors of each text.
    pub(super) fn token_vectors(
        &self,
        role: Role,
        texts: &[&str],
    ) -> anyhow::Result<Vec<TokenVectors>> {
        let text = &self.text;
        let hidden = self.hidden;
        let ids = text.encode(role, texts)?;
        // What even an empty text has: special tokens, and those of the prefix.
        let special = text.tokens.encode("", &[""])?.remove(0);
        let prefix = text.encode(role, &[""])?.remove(0);
        let prefix = prefix.iter().filter(|id| !special.contains(id)).count();
        let tokens: Vec<Vec<TokenVectors>> = groups(&ids)
            .into_par_iter()
            .map_init(Scratch::default, |scratch, group| {
                let mut states = self.forward.run(group, scratch);
                let one = |ids: &Vec<u32>| {
                    let (here, rest) = states.split_at(ids.len() * hidden);
                    states = rest;
                    let plain = ids.iter().zip(here.chunks_exact(hidden));
                    let plain = plain.filter(|(id, _)| !special.contains(id)).skip(prefix);
                    let (ids, rows): (Vec<u32>, Vec<&[f32]>) = plain.unzip();
                    let mut rows = rows.concat();
                    rows.chunks_exact_mut(hidden).for_each(normalize);
                    let whole = pooling::pool(here, hidden, text.pooling);
                    TokenVectors { ids, rows, whole }
                };
                group.iter().map(one).collect()
            })
            .collect();
        Ok(tokens.into_iter().flatten().collect())
    }
}

/// The distinct texts in order of first appearance, and for each text its place among them.
pub fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> (Vec<&'a str>, Vec<usize>) {
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
