//! The section `embedders`, and the kinds of embedders: one module for each kind, listed in `KINDS`.
//!
//! A module of a kind has the settings as written, with the documentation that editors show; their resolution; and the
//! resolved settings, which implement [`EmbedderKind`]. Nothing outside of it depends on the kind.

mod bm25;
mod checks;
mod definition;
pub mod fusion;
mod host;
mod http;
pub mod http_search;
mod kind;
mod model;
pub mod pgvector;
mod references;
pub mod rerank;
pub mod run_file;
mod sources;

use std::sync::Arc;

use super::file::ScenarioFile;
use super::resolve::{ScenarioData, ScenarioResolver};
use crate::retrieve::Bm25Params;

pub(super) use definition::EmbedderEntry;
use definition::{EmbedderEntryContext, KindDefinition, NamedEmbedders};
pub use host::{
    EmbedderHost, NoteSource, NoteTopic, OpenedEmbedders, RightQuery, RightQuerySource,
};
pub use kind::{
    EmbedderDeclaration, EmbedderKind, OpeningFailure, RankingLimit, TextIndexer, VectorModel,
};

/// All kinds, in the order in which messages and the schema list them.
const KINDS: &[KindDefinition] = &[
    KindDefinition::new::<bm25::Bm25Entry>(&["bm25"], "scores words")
        .with_default(|| Arc::new(Bm25Params::default())),
    KindDefinition::new::<model::StaticModelEntry>(&["static"], "adds up word vectors"),
    KindDefinition::new::<model::TransformerEntry>(
        &["transformer", "bert"],
        "runs a model (BERT and its family, MPNet, ModernBERT; `bert` means the same)",
    ),
    KindDefinition::new::<http::HttpEmbedderEntry>(
        &["http"],
        "queries an endpoint with OpenAI's embeddings API",
    ),
    KindDefinition::new::<fusion::FusionEntry>(
        &["fusion"],
        "merges the rankings of several embedders",
    ),
    KindDefinition::new::<rerank::RerankEntry>(
        &["rerank"],
        "reorders the best passages of another embedder",
    ),
    KindDefinition::new::<run_file::RunFileEntry>(
        &["run_file"],
        "reads rankings of another system from a file",
    ),
    KindDefinition::new::<http_search::HttpSearchEntry>(
        &["http_search"],
        "queries a search service",
    ),
    KindDefinition::new::<pgvector::PgvectorEntry>(&["pgvector"], "queries PostgreSQL"),
];

/// The embedder that a kind makes with its default settings; `None` for an unknown name and for kinds that need a
/// setting.
pub fn default_embedder(kind: &str) -> Option<Arc<dyn EmbedderKind>> {
    let definition = KINDS.iter().find(|definition| definition.known_as(kind).is_some())?;
    definition.default.map(|default| default())
}

impl ScenarioResolver<'_> {
    /// All embedders in file order; `None` where an entry is wrong.
    pub fn embedders(
        &mut self,
        file: &ScenarioFile,
        world: &ScenarioData,
    ) -> Vec<Option<EmbedderDeclaration>> {
        let names = self.section_keys("embedders");
        let mut embedders: Vec<Option<EmbedderDeclaration>> = names.iter().map(|_| None).collect();
        let entries = file.embedders.as_ref().map_or(&[][..], |named| &named.0);
        for (name, EmbedderEntry { kind, settings }) in entries {
            let context = EmbedderEntryContext { name, kind, names: &names, world };
            let kind = settings.resolve(&context, self);
            if let Some(i) = names.iter().position(|n| *n == name.value) {
                embedders[i] =
                    kind.map(|kind| EmbedderDeclaration { name: name.value.clone(), kind });
            }
        }
        self.check_not_empty(
            "embedders",
            "embedder",
            file.embedders.as_ref().map(|n| n.0.is_empty()),
        );
        // Embedders may refer to later ones, so these checks need all entries.
        self.check_no_cycle(entries, &names);
        let resolved = NamedEmbedders { names: &names, embedders: &embedders };
        for (name, entry) in entries {
            if resolved.find(&name.value).is_some() {
                entry.settings.check_references(&resolved, self);
            }
        }
        embedders
    }
}
