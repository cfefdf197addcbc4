//! Static embeddings (model2vec): a text is the mean of its tokens' rows in a table.

use anyhow::{bail, ensure};
use rayon::prelude::*;

use super::bert::normalize;
use super::files::ModelFiles;
use super::tokens::Tokens;
use super::weights::{Rows, Weights};
use super::{Embedder, ModelSpec, Precision, Role, Vectors};

/// Tokens behind this one are dropped unless the spec says otherwise, as model2vec does.
const MAX_TOKENS: usize = 512;

/// A loaded table.
pub struct StaticTable {
    tokens: Tokens,
    unknown: Option<u32>,
    table: Rows,
    query_prefix: String,
    passage_prefix: String,
    fingerprint: String,
}

impl StaticTable {
    /// # Errors
    /// Files that do not fit together, a setting that a table cannot have, or f32 asked of int8
    /// weights.
    pub fn load(files: &ModelFiles, spec: &ModelSpec) -> anyhow::Result<Self> {
        if spec.pooling.is_some_and(|p| p != super::Pooling::Mean) || spec.adapter.is_some() {
            bail!("a static table has no layers: its pooling is mean, and no adapter fits it");
        }
        if files.config.get("num_hidden_layers").is_some() {
            bail!(
                "config.json is that of a transformer, not of a static table (kind: transformer)"
            );
        }
        let weights = Weights::parse(&files.weights)?;
        ensure!(
            spec.precision == Precision::Int8 || !weights.is_int8(),
            "the weights there are int8, and precision f32 was asked for"
        );
        let table = weights.rows("embeddings", 0, 0)?;
        let table = match spec.precision {
            Precision::F32 => table,
            Precision::Int8 => table.into_int8(),
        };
        let max_tokens = spec.max_tokens.unwrap_or(MAX_TOKENS);
        ensure!(max_tokens > 0, "max_tokens is 0; at least 1 is needed");
        let tokens = Tokens::load(&files.tokenizer, max_tokens, false)?;
        ensure!(
            tokens.vocabulary() <= table.len(),
            "tokenizer.json has {} tokens, the table only {} rows: they are not of one model",
            tokens.vocabulary(),
            table.len()
        );
        let prefix = |asked: &Option<String>| asked.clone().unwrap_or_default();
        let (query_prefix, passage_prefix) =
            (prefix(&spec.query_prefix), prefix(&spec.passage_prefix));
        let fingerprint = files.fingerprint(&format!(
            "static 1 {:?} {max_tokens} {query_prefix:?} {passage_prefix:?}",
            spec.precision
        ));
        let unknown = tokens.id("[UNK]");
        Ok(Self { tokens, unknown, table, query_prefix, passage_prefix, fingerprint })
    }
}

impl Embedder for StaticTable {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.table.cols()
    }

    fn embed(
        &self,
        role: Role,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vectors> {
        let dim = self.dim();
        let prefix = match role {
            Role::Query => &self.query_prefix,
            Role::Passage => &self.passage_prefix,
        };
        let ids = self.tokens.encode(prefix, texts)?;
        let mut data = vec![0.0; ids.len() * dim];
        data.par_chunks_mut(dim).zip(&ids).for_each(|(out, ids)| {
            for &id in ids.iter().filter(|&&id| Some(id) != self.unknown) {
                self.table.add_row(id as usize, out);
            }
            // The division by the number of tokens falls away in the normalisation.
            normalize(out);
        });
        done(texts.len());
        Ok(Vectors { dim, data })
    }
}
