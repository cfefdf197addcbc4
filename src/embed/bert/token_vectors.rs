//! The token vectors of texts, for [`super::max_sim`] and similarity maps.

use std::collections::HashMap;

use rayon::prelude::*;

use super::embedder::{TransformerEmbedder, token_groups};
use super::late_interaction::LateInteractionTokenizer;
use super::math::normalize;
use super::packed::{ForwardScratch, TokenizedGroup};
use crate::embed::{TextPair, TextRole};

/// The token vectors of one text, without those of special tokens and of the prefix, which the model does read.
pub struct TokenVectors {
    pub ids: Vec<u32>,
    /// The vectors, token after token, each of unit length.
    pub rows: Vec<f32>,
    /// The pooled vector of the text, as an embedder returns it.
    pub text_vector: Vec<f32>,
}

impl TransformerEmbedder {
    /// The token vectors of each text.
    pub(super) fn token_vectors(
        &self,
        role: TextRole,
        texts: &[&str],
    ) -> anyhow::Result<Vec<TokenVectors>> {
        let text = &self.text;
        let ids = text.encode(role, texts)?;
        // An empty text consists of the special tokens and those of the prefix.
        let special = text.tokens.encode("", &[""])?.remove(0);
        let prefix = text.encode(role, &[""])?.remove(0);
        let prefix = prefix.iter().filter(|id| !special.contains(id)).count();
        let tokens: Vec<Vec<TokenVectors>> = token_groups(&ids)
            .into_par_iter()
            .map_init(ForwardScratch::default, |scratch, group| {
                let mut states = self.forward.run(TokenizedGroup::unsegmented(group), scratch)?;
                let texts = group.iter().map(|ids| {
                    let (here, rest) = states.split_at(ids.len() * self.hidden);
                    states = rest;
                    let plain = ids.iter().zip(here.chunks_exact(self.hidden));
                    let plain = plain.filter(|(id, _)| !special.contains(id)).skip(prefix);
                    let (ids, rows): (Vec<u32>, Vec<&[f32]>) = plain.unzip();
                    let rows = self.comparison_rows(&rows);
                    TokenVectors { ids, rows, text_vector: self.pool(role, here) }
                });
                Ok(texts.collect())
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(tokens.into_iter().flatten().collect())
    }

    /// The token vectors of each text that a late-interaction model compares, scaled to unit length.
    pub(super) fn late_interaction_vectors(
        &self,
        marking: &LateInteractionTokenizer,
        role: TextRole,
        texts: &[&str],
    ) -> anyhow::Result<Vec<Vec<f32>>> {
        let marked = marking.encode(role, texts)?;
        let (ids, seen): (Vec<Vec<u32>>, Vec<usize>) =
            marked.into_iter().map(|text| (text.ids, text.visible_tokens)).unzip();
        let mut seen = seen.as_slice();
        let groups: Vec<(&[Vec<u32>], &[usize])> = token_groups(&ids)
            .into_iter()
            .map(|group| {
                let (here, rest) = seen.split_at(group.len());
                seen = rest;
                (group, here)
            })
            .collect();
        let vectors: Vec<Vec<Vec<f32>>> = groups
            .into_par_iter()
            .map_init(ForwardScratch::default, |scratch, (group, seen)| {
                let texts =
                    TokenizedGroup { ids: group, second_segment_starts: &[], visible_tokens: seen };
                let mut states = self.forward.run(texts, scratch)?;
                let vectors = group.iter().map(|ids| {
                    let (here, rest) = states.split_at(ids.len() * self.hidden);
                    states = rest;
                    let rows = ids.iter().zip(here.chunks_exact(self.hidden));
                    let rows = rows.filter(|(id, _)| marking.is_compared(role, **id));
                    self.comparison_rows(&rows.map(|(_, row)| row).collect::<Vec<_>>())
                });
                Ok(vectors.collect())
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(vectors.into_iter().flatten().collect())
    }

    /// Applies the token modules to rows of the last layer and scales the results to unit length.
    fn comparison_rows(&self, rows: &[&[f32]]) -> Vec<f32> {
        let mut rows = rows.concat();
        if !self.token_modules.is_empty() {
            rows = self.apply_token_modules(&rows);
        }
        rows.chunks_exact_mut(self.token_modules.dim()).for_each(normalize);
        rows
    }
}

/// For each pair, whether at least one of its texts is truncated; `are_cut` decides this for texts.
pub fn either_is_cut(
    pairs: &[TextPair],
    are_cut: impl Fn(TextRole, &[&str]) -> anyhow::Result<Vec<bool>>,
) -> anyhow::Result<Vec<bool>> {
    let (queries, query_of) = distinct(pairs.iter().map(|pair| pair.0));
    let (passages, passage_of) = distinct(pairs.iter().map(|pair| pair.1));
    let (queries, passages) =
        (are_cut(TextRole::Query, &queries)?, are_cut(TextRole::Passage, &passages)?);
    let places = query_of.into_iter().zip(passage_of);
    Ok(places.map(|(query, passage)| queries[query] || passages[passage]).collect())
}

/// The distinct texts in order of first appearance, and for each text its index among them.
pub fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> (Vec<&'a str>, Vec<usize>) {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut distinct = Vec::new();
    let places = texts
        .map(|text| {
            *places.entry(text).or_insert_with(|| {
                distinct.push(text);
                distinct.len() - 1
            })
        })
        .collect();
    (distinct, places)
}
