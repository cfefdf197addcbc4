//! Tokenization for late-interaction models: marker tokens, padding of queries with mask tokens, and tokens that are
//! not compared. It follows PyLate 1.6, with PyLate's or Stanford's settings ([`LateInteraction`]).

use std::collections::HashSet;

use anyhow::{Context, ensure};

use crate::embed::files::{LateInteraction, ModelFiles};
use crate::embed::model_tokenizer::ModelTokenizer;
use crate::embed::{ModelSpec, TextRole};

/// The token ids of one text.
pub struct MarkedText {
    pub ids: Vec<u32>,
    /// The number of leading tokens that are attended to.
    pub visible_tokens: usize,
}

/// The tokenizer of a late-interaction model for queries and passages.
pub struct LateInteractionTokenizer {
    query: MarkedSide,
    passage: MarkedSide,
    expands_queries: bool,
    attends_to_expansion: bool,
    mask: u32,
    skipped_ids: HashSet<u32>,
}

/// The settings for queries or for passages.
struct MarkedSide {
    tokens: ModelTokenizer,
    marker: Option<u32>,
    length: usize,
    prefix: String,
}

/// The maximum number of tokens of a text of a late-interaction model; 0 for other models.
pub fn max_text_tokens(files: &ModelFiles) -> usize {
    files.late_interaction.as_ref().map_or(0, |late| late.query_length.max(late.passage_length))
}

impl LateInteractionTokenizer {
    /// Loads the tokenizer of a model with vectors for `vocabulary` tokens and texts of at most `longest` tokens, each
    /// of which attends to tokens at a distance of at most `window`; `None`: to all.
    ///
    /// # Errors
    /// A marker that is not in the vocabulary, or lengths that the model does not support.
    pub fn load(
        late: &LateInteraction,
        files: &ModelFiles,
        spec: &ModelSpec,
        (vocabulary, longest): (usize, usize),
        window: Option<usize>,
    ) -> anyhow::Result<LateInteractionTokenizer> {
        let side = |marker: &str,
                    length: usize,
                    prefix: &Option<String>|
         -> anyhow::Result<MarkedSide> {
            ensure!(
                (4..=longest).contains(&length),
                "texts of {length} tokens are requested; the model takes 4 to {longest}"
            );
            // Reserve one token for the marker, which is inserted after tokenization.
            let cut = length - usize::from(!marker.is_empty());
            let tokens = ModelTokenizer::load(&files.tokenizer, cut, true, vocabulary)?;
            let tokens = tokens.with_lower_case(files.lower_case);
            let marker = match marker {
                "" => None,
                marker => Some(tokens.id(marker).with_context(|| {
                    format!("the marker `{marker}` is not a token of tokenizer.json, so it has no vector")
                })?),
            };
            Ok(MarkedSide { tokens, marker, length, prefix: prefix.clone().unwrap_or_default() })
        };
        let passage_length = late.passage_length.min(spec.max_tokens.unwrap_or(usize::MAX));
        let query = side(&late.query_marker, late.query_length, &spec.query_prefix)?;
        let passage = side(&late.passage_marker, passage_length, &spec.passage_prefix)?;
        let tokens = &query.tokens;
        let named = files.tokenizer.mask.as_deref().into_iter().chain(["[MASK]", "<mask>"]);
        let mask = named.into_iter().find_map(|name| tokens.id(name));
        ensure!(
            mask.is_some() || !late.expands,
            "queries are filled up with mask tokens, and tokenizer.json has none"
        );
        ensure!(
            late.attends_to_expansion || window.is_none_or(|w| w >= late.query_length),
            "queries of {} tokens are longer than the window of {} in which a token sees others",
            late.query_length,
            window.unwrap_or(0)
        );
        // PyLate maps a word that is not a token to the unknown token.
        let unknown = tokens.unknown_id(&files.tokenizer);
        let skipped = late.skipped.iter().filter_map(|word| tokens.id(word).or(unknown)).collect();
        Ok(LateInteractionTokenizer {
            expands_queries: late.expands,
            attends_to_expansion: late.attends_to_expansion,
            mask: mask.unwrap_or(0),
            skipped_ids: skipped,
            query,
            passage,
        })
    }

    fn side(&self, role: TextRole) -> &MarkedSide {
        match role {
            TextRole::Query => &self.query,
            TextRole::Passage => &self.passage,
        }
    }

    /// The maximum number of tokens of a text, including the marker.
    pub fn length(&self, role: TextRole) -> usize {
        self.side(role).length
    }

    /// For each text, whether it has more tokens and is therefore truncated.
    pub fn are_cut(&self, role: TextRole, texts: &[&str]) -> anyhow::Result<Vec<bool>> {
        let side = self.side(role);
        side.tokens.are_truncated(&side.prefix, texts)
    }

    pub fn encode(&self, role: TextRole, texts: &[&str]) -> anyhow::Result<Vec<MarkedText>> {
        let side = self.side(role);
        let ids = side.tokens.encode(&side.prefix, texts)?;
        let marked = ids.into_iter().map(|mut ids| {
            if let Some(marker) = side.marker {
                ids.insert(ids.len().min(1), marker);
            }
            let mut seen = ids.len();
            if self.expands_queries && role == TextRole::Query {
                ids.resize(ids.len().max(side.length), self.mask);
                if self.attends_to_expansion {
                    seen = ids.len();
                }
            }
            MarkedText { ids, visible_tokens: seen }
        });
        Ok(marked.collect())
    }

    /// Whether a token takes part in the comparison.
    pub fn is_compared(&self, role: TextRole, id: u32) -> bool {
        role == TextRole::Query || !self.skipped_ids.contains(&id)
    }
}
