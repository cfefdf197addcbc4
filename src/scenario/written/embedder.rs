//! What ranks passages, and which settings each kind has.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::retrieve::{Stem, StopWords};
use crate::scenario::de::{AnyValue, At, Named};

/// What ranks passages. Settings that a kind does not have are mistakes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct EmbedderEntry {
    /// `bm25` counts words; `static` adds up word vectors; `transformer` runs one (BERT and its family, MPNet,
    /// ModernBERT; `bert` means the same); `http` asks an endpoint that speaks OpenAI's embeddings API; `fusion`
    /// merges the rankings of several embedders; `rerank` orders the best of one anew; `run_file` gives what
    /// another system found, from a file; `http_search` asks a service; `pgvector` asks PostgreSQL.
    pub kind: Kind,
    /// For static, transformer and rerank: a name in models/, or a directory; of a LoRA adapter too, which names its
    /// base. For http: as the endpoint calls it.
    pub model: Option<At<String>>,
    /// For static, transformer and rerank. Default: int8.
    pub precision: Option<At<Precision>>,
    /// For transformer. Default: as the model's own configuration says.
    pub pooling: Option<At<Pooling>>,
    /// For transformer: a LoRA adapter in PEFT's layout, by its name in models/ or its directory.
    pub adapter: Option<At<String>>,
    /// Numbers in a vector. For static and transformer: cut to so many, at length one again (Matryoshka);
    /// default: all. For http: what the endpoint sends, and needed.
    pub dim: Option<At<u32>>,
    /// Put before each query. Default: as the model's own configuration says; for http none.
    pub query_prefix: Option<At<String>>,
    /// Put before each passage. Default: as the model's own configuration says; for http none.
    pub passage_prefix: Option<At<String>>,
    /// For static and transformer: longer texts are cut. Default: as the model's own configuration says.
    pub max_tokens: Option<At<u32>>,
    /// For http: ask for vectors of `dim` numbers (`dimensions`), which not every endpoint knows. Default: false.
    pub send_dim: Option<At<bool>>,
    /// For http: texts in a request. Default: 64.
    pub batch_size: Option<At<u32>>,
    /// For bm25: how slowly repeats of a word stop counting. Default: 0.9.
    pub k1: Option<At<f64>>,
    /// For bm25: how much long passages are held back, 0 to 1. Default: 0.4.
    pub b: Option<At<f64>>,
    /// For bm25: how a text becomes words. Default: as Lucene's EnglishAnalyzer does it, but that `no` and `not` count.
    pub analyzer: Option<At<AnalyzerEntry>>,
    /// For fusion: the names of the embedders whose rankings are merged, two or more.
    pub of: Option<At<Vec<At<String>>>>,
    /// For fusion: `rrf` adds up reciprocal ranks (default), `convex` normalised scores.
    pub method: Option<At<FusionMethod>>,
    /// For fusion: how much each embedder counts, in the order of `of`. Default: all the same.
    pub weights: Option<At<Vec<At<f64>>>>,
    /// For fusion by rrf: a rank counts 1 / (k + rank). Default: 60.
    pub k: Option<At<f64>>,
    /// For convex fusion: what becomes 0 where the best score becomes 1. `min_max`, the worst score found
    /// (default), or `theoretical`, the lowest score that there can be (0 for bm25 and fusion by rrf,
    /// -1 for a cosine).
    pub normalise: Option<At<Normalise>>,
    /// For rerank: the name of the embedder whose best passages are ordered anew.
    pub first: Option<At<String>>,
    /// For rerank: `cross_encoder`, a model that reads query and passage together; `max_sim`, which
    /// compares the tokens of a bert model; `similarity_map`, a directory made by `knockon verifier`.
    pub with: Option<At<Reranker>>,
    /// For a cross-encoder that was trained on one text: that text, with {query} and {passage}. Default: as
    /// the model's own configuration says, else query and passage as two segments.
    pub pair: Option<At<String>>,
    /// For a similarity map: the score is the cosine of its base model, and where that is above this, less
    /// `weight` times the probability that query and passage do not mean the same. Default, where `weight` is
    /// given: 0.9. Default, where neither is: the score is the probability that they mean the same.
    pub above: Option<At<f64>>,
    /// For a similarity map: see `above`. Default, where that is given: 0.5.
    pub weight: Option<At<f64>>,
    /// For fusion: how many passages of each embedder take part. Default: 100. For rerank: how many are
    /// ordered anew; none further are found. Default: 20. For http_search: how many are asked for. Default: 50.
    /// For pgvector: how many are asked for. Default: 50.
    pub depth: Option<At<u32>>,
    /// For run_file: a run in TREC's format (qid Q0 passage rank score tag), relative to this file.
    pub file: Option<At<String>>,
    /// For run_file: what its qids are. `task_step` (default): TASK.STEP, or TASK.STEP.N for the N-th of
    /// several queries; `task`: the task's id alone. A query that an upstream error changed is in neither.
    pub qid: Option<At<Qid>>,
    /// For run_file: a file of lines `qid TAB query`; then any query is answered whose text stands there.
    pub queries: Option<At<String>>,
    /// For run_file: the embedder for queries that are not in the run. Default: these find nothing.
    pub fallback: Option<At<String>>,
    /// For http_search: where queries are posted to. For http: the address; `/embeddings` is added where it
    /// does not end so.
    pub url: Option<At<String>>,
    /// For http_search, http and pgvector: seconds that one try may take. Default: 30; for http 60.
    pub timeout: Option<At<f64>>,
    /// For http_search and http: further tries of a request that failed for now. Default: 3; for http 5.
    pub retries: Option<At<u32>>,
    /// For http_search, http and pgvector: requests at a time. Default: 8; for http and pgvector 4.
    pub concurrency: Option<At<u32>>,
    /// For http_search and http: the environment variable that holds the key. Default: no key is sent.
    pub api_key_env: Option<At<String>>,
    /// For http: headers sent with each request, by name: a text, or `{env: NAME}` for what an environment variable
    /// holds (a secret, such as Azure's `api-key`).
    pub headers: Option<At<Named<AnyValue>>>,
    /// For http: further keys of each request's body, such as `input_type` or `encoding_format`: any value, or
    /// `{env: NAME}`.
    pub body: Option<At<Named<AnyValue>>>,
    /// For http: keys of the body of requests with queries alone, beside or instead of those of `body`.
    pub query_body: Option<At<Named<AnyValue>>>,
    /// For http: the same, of requests with passages.
    pub passage_body: Option<At<Named<AnyValue>>>,
    /// For http_search: any text for the state of the service's index. Answers are kept under it: change it
    /// when the index has changed. For pgvector with `table`: the same, of that table.
    pub index: Option<At<String>>,
    /// For pgvector: the name of the embedder, of kind static, transformer or http, whose vectors are compared.
    pub embedder: Option<At<String>>,
    /// For pgvector: the environment variable that holds the server's address, as in
    /// postgresql://USER:PASSWORD@HOST:PORT/DATABASE. Default: DATABASE_URL.
    pub url_env: Option<At<String>>,
    /// For pgvector: a table of yours with the vectors of all passages, which is only read. Default: one that
    /// knockon makes and fills.
    pub table: Option<At<String>>,
    /// For pgvector with `table`: its column with the ids of the passages file. Default: id.
    pub id_column: Option<At<String>>,
    /// For pgvector with `table`: its column with the vectors. Default: embedding.
    pub vector_column: Option<At<String>>,
    /// For pgvector: `exact` compares with all rows; `hnsw` and `ivfflat` ask an index of that kind. Default:
    /// exact; with `table`: as the server does by itself.
    pub search: Option<At<Search>>,
    /// For pgvector: `cosine` (default), `inner_product` or `l2`.
    pub distance: Option<At<Distance>>,
    /// For pgvector through hnsw: `hnsw.ef_search`. Default: the server's.
    pub ef_search: Option<At<u32>>,
    /// For pgvector through ivfflat: `ivfflat.probes`. Default: the server's.
    pub probes: Option<At<u32>>,
}

/// How a text becomes words.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct AnalyzerEntry {
    /// The language whose endings are cut, so that `renew` finds `renewals`; `none` cuts nothing. Default: english.
    pub stem: Option<Stem>,
    /// Words that are left out: `lucene`, the 33 of its EnglishAnalyzer; `english`, these without `no` and `not`; or
    /// `none`. Default: english.
    pub stop_words: Option<StopWords>,
    /// Whether capitals count as small letters. Default: true.
    pub lowercase: Option<bool>,
    /// Whether letters with accents count as those without. Default: false.
    pub fold: Option<bool>,
}

/// The kind of an embedder.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum Kind {
    Bm25,
    Static,
    Transformer,
    Bert,
    Http,
    Fusion,
    Rerank,
    RunFile,
    HttpSearch,
    Pgvector,
}

const TRANSFORMER: &[&str] = &[
    "model",
    "precision",
    "pooling",
    "adapter",
    "dim",
    "query_prefix",
    "passage_prefix",
    "max_tokens",
];

impl Kind {
    /// Its name, and the settings that it has.
    pub fn settings(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Kind::Bm25 => ("bm25", &["k1", "b", "analyzer"]),
            Kind::Static => (
                "static",
                &["model", "precision", "dim", "query_prefix", "passage_prefix", "max_tokens"],
            ),
            Kind::Transformer => ("transformer", TRANSFORMER),
            Kind::Bert => ("bert", TRANSFORMER),
            Kind::Http => (
                "http",
                &[
                    "url",
                    "model",
                    "dim",
                    "send_dim",
                    "api_key_env",
                    "batch_size",
                    "concurrency",
                    "timeout",
                    "retries",
                    "query_prefix",
                    "passage_prefix",
                    "headers",
                    "body",
                    "query_body",
                    "passage_body",
                ],
            ),
            Kind::Fusion => ("fusion", &["of", "method", "weights", "k", "normalise", "depth"]),
            Kind::RunFile => ("run_file", &["file", "qid", "queries", "fallback"]),
            Kind::HttpSearch => (
                "http_search",
                &["url", "depth", "timeout", "retries", "concurrency", "api_key_env", "index"],
            ),
            Kind::Pgvector => (
                "pgvector",
                &[
                    "embedder",
                    "url_env",
                    "table",
                    "id_column",
                    "vector_column",
                    "search",
                    "distance",
                    "ef_search",
                    "probes",
                    "depth",
                    "concurrency",
                    "timeout",
                    "index",
                ],
            ),
            Kind::Rerank => (
                "rerank",
                &[
                    "first",
                    "with",
                    "model",
                    "precision",
                    "max_tokens",
                    "depth",
                    "pair",
                    "above",
                    "weight",
                    "query_prefix",
                    "passage_prefix",
                ],
            ),
        }
    }
}

/// How rankings become one.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum FusionMethod {
    Rrf,
    Convex,
}

/// What the qids of a run are.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum Qid {
    TaskStep,
    Task,
}

/// What orders passages anew.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum Reranker {
    CrossEncoder,
    MaxSim,
    SimilarityMap,
}

/// What becomes 0 when the best score becomes 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum Normalise {
    MinMax,
    Theoretical,
}

/// How PostgreSQL finds what is nearest.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum Search {
    Exact,
    Hnsw,
    Ivfflat,
}

/// What nearest is.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum Distance {
    Cosine,
    InnerProduct,
    L2,
}

/// The precision of a model's weights.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum Precision {
    Int8,
    F32,
}

/// How a model turns token vectors into one.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum Pooling {
    Mean,
    Cls,
    Max,
    Last,
}
