//! Search done by PostgreSQL with pgvector: what is asked of it. `server` asks; it is there with the feature
//! `pgvector`.
//!
//! Either the passages lie in a table of knockon's own, which is named by what is in it and filled when it is
//! missing, or in one of the user's, which is only read. Vectors are this machine's either way: the server
//! stores, indexes and ranks.

#[cfg(feature = "pgvector")]
mod server;

#[cfg(feature = "pgvector")]
pub use server::{PgCorpus, PgRetriever};

use std::time::Duration;

/// Passages asked for, unless said otherwise.
pub const PG_DEPTH: usize = 50;

/// Which table is searched, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct PgIndex {
    pub table: PgTable,
    pub distance: Distance,
    /// `hnsw.ef_search` and `ivfflat.probes` of the sessions; `None`: the server's.
    pub ef_search: Option<u32>,
    pub probes: Option<u32>,
    pub depth: usize,
    /// Connections at once.
    pub concurrency: usize,
    /// For one statement, and for connecting.
    pub timeout: Duration,
}

/// Where the passages lie.
#[derive(Clone, Debug, PartialEq)]
pub enum PgTable {
    /// In a table that knockon fills.
    Own(Search),
    /// In one of the user's.
    Theirs {
        /// A schema may stand before it, apart by a dot.
        table: String,
        /// The column with the ids of the passages file; any type that has a text.
        id: String,
        /// The column with the vectors.
        vector: String,
        /// All rows are looked at, whatever indexes there are.
        exact: bool,
    },
}

/// How nearest vectors are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Search {
    Exact,
    /// Through an index of these kinds, with pgvector's own defaults.
    Hnsw,
    Ivfflat,
}

/// What is nearest. Scores are the cosine, the inner product, and the distance below zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distance {
    Cosine,
    InnerProduct,
    L2,
}

impl Distance {
    /// The name in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            Distance::Cosine => "cosine",
            Distance::InnerProduct => "inner_product",
            Distance::L2 => "l2",
        }
    }
}

impl Search {
    /// The name in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            Search::Exact => "exact",
            Search::Hnsw => "hnsw",
            Search::Ivfflat => "ivfflat",
        }
    }
}
