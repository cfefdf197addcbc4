//! Settings of the search by PostgreSQL with pgvector. The `server` module, compiled with the feature `pgvector`,
//! connects and searches. Embedding vectors are always computed on this machine, never by the server, which
//! only stores, indexes and ranks them.
//!
//! The passages are either in a table of knockon's own, which is named by a hash of its content and filled if it is
//! missing, or in one of the user's, which is only read.

#[cfg(feature = "pgvector")]
mod server;

#[cfg(feature = "pgvector")]
pub use server::{PgRetriever, PgVectorCorpus};

use std::time::Duration;

/// The default number of passages requested.
pub const PG_DEPTH: usize = 50;

/// Which table is searched, and with which settings.
#[derive(Clone, Debug, PartialEq)]
pub struct PgSearchSettings {
    pub table: PgVectorTable,
    pub distance: PgDistance,
    /// `hnsw.ef_search` and `ivfflat.probes` of the sessions; `None` keeps the server's setting.
    pub ef_search: Option<u32>,
    pub probes: Option<u32>,
    pub depth: usize,
    /// The maximum number of simultaneous connections.
    pub concurrency: usize,
    /// The time limit of one statement, and of connecting.
    pub timeout: Duration,
}

/// The table that holds the passages.
#[derive(Clone, Debug, PartialEq)]
pub enum PgVectorTable {
    /// A table that knockon creates and fills.
    Own(PgIndexMethod),
    /// A table of the user's.
    Theirs {
        /// The name, optionally with a schema and a dot before it.
        table: String,
        /// The column with the ids of the passages file, of any type that can be cast to text.
        id: String,
        /// The column with the vectors.
        vector: String,
        /// Scan all rows, even if there is an index.
        exact: bool,
    },
}

/// How the nearest vectors are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PgIndexMethod {
    Exact,
    /// With an index of this kind, with pgvector's default settings.
    Hnsw,
    Ivfflat,
}

/// The measure of distance. The score is the cosine, the inner product, or the negated L2 distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PgDistance {
    Cosine,
    InnerProduct,
    L2,
}

impl PgDistance {
    /// The name in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            PgDistance::Cosine => "cosine",
            PgDistance::InnerProduct => "inner_product",
            PgDistance::L2 => "l2",
        }
    }
}

impl PgIndexMethod {
    /// The name in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            PgIndexMethod::Exact => "exact",
            PgIndexMethod::Hnsw => "hnsw",
            PgIndexMethod::Ivfflat => "ivfflat",
        }
    }
}
