//! Embedders as written in the file, and the settings of each kind.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::retrieve::{StemmerLanguage, StopWordList};
use crate::scenario::spanned_de::{AnyYamlValue, NamedEntries, Spanned};

/// Something that ranks passages. A setting that the kind does not have is a mistake.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct EmbedderEntry {
    /// `bm25` scores words; `static` adds up word vectors; `transformer` runs a model (BERT and its family, MPNet,
    /// ModernBERT; `bert` means the same); `http` queries an endpoint with OpenAI's embeddings API; `fusion` merges the
    /// rankings of several embedders; `rerank` reorders the best passages of another embedder; `run_file` reads
    /// rankings of another system from a file; `http_search` queries a search service; `pgvector` queries PostgreSQL.
    pub kind: EmbedderKindEntry,
    /// For static, transformer and rerank: a name in models/ or a directory, which may hold a LoRA adapter that names
    /// its base model. For http: the endpoint's name for the model.
    pub model: Option<Spanned<String>>,
    /// For static, transformer and rerank. Default: int8.
    pub precision: Option<Spanned<PrecisionEntry>>,
    /// For transformer: how token vectors become one. Default: as in the model's configuration.
    pub pooling: Option<Spanned<PoolingEntry>>,
    /// For transformer: a LoRA adapter in PEFT's format, given by its name in models/ or its directory.
    pub adapter: Option<Spanned<String>>,
    /// The dimension of a vector. For static and transformer: vectors are truncated to it and scaled to length 1
    /// (Matryoshka); default: all. For http: the dimension that the endpoint returns; required.
    pub dim: Option<Spanned<u32>>,
    /// A text before each query. Default: as in the model's configuration; for http none.
    pub query_prefix: Option<Spanned<String>>,
    /// A text before each passage. Default: as in the model's configuration; for http none.
    pub passage_prefix: Option<Spanned<String>>,
    /// For static, transformer and rerank: longer texts are truncated. Default: as in the model's configuration.
    pub max_tokens: Option<Spanned<u32>>,
    /// For http: request vectors of dimension `dim` (`dimensions`), which not every endpoint supports. Default: false.
    pub send_dim: Option<Spanned<bool>>,
    /// For http: texts per request. Default: 64.
    pub batch_size: Option<Spanned<u32>>,
    /// For bm25: term-frequency saturation; the higher, the more repeats of a word count. Default: 0.9.
    pub k1: Option<Spanned<f64>>,
    /// For bm25: length normalisation, from 0 (none) to 1 (full). Default: 0.4.
    pub b: Option<Spanned<f64>>,
    /// For bm25: how a text is split into words. Default: as in Lucene's EnglishAnalyzer, except that `no` and `not`
    /// count.
    pub analyzer: Option<Spanned<AnalyzerEntry>>,
    /// For fusion: the names of the embedders to merge, two or more.
    pub of: Option<Spanned<Vec<Spanned<String>>>>,
    /// For fusion: `rrf` adds up reciprocal ranks (default), `convex` adds up normalised scores.
    pub method: Option<Spanned<FusionMethodEntry>>,
    /// For fusion: the weight of each embedder, in the order of `of`. Default: equal weights.
    pub weights: Option<Spanned<Vec<Spanned<f64>>>>,
    /// For fusion by rrf: a rank scores 1 / (k + rank). Default: 60.
    pub k: Option<Spanned<f64>>,
    /// For convex fusion: the score that is normalised to 0; the best score becomes 1. `min_max`: the lowest score
    /// found (default); `theoretical`: the lowest score possible (0 for bm25 and fusion, -1 for a cosine).
    pub normalise: Option<Spanned<NormaliseEntry>>,
    /// For rerank: the name of the embedder whose best passages are reordered.
    pub first: Option<Spanned<String>>,
    /// For rerank: `cross_encoder`, a model that reads query and passage together; `max_sim`, which compares the tokens
    /// of a bert model; `similarity_map`, a directory written by `knockon verifier`.
    pub with: Option<Spanned<RerankerEntry>>,
    /// For a cross-encoder that was trained on a single text: that text, with {query} and {passage}. Default: as in the
    /// model's configuration, else query and passage as two segments.
    pub pair: Option<Spanned<String>>,
    /// For a similarity map: the score is the cosine of its base model; if the cosine is above this, the score is
    /// lowered by `weight` times the probability that query and passage differ in meaning. Default, if `weight` is
    /// given: 0.9. Default, if neither is given: the score is the probability that they mean the same.
    pub above: Option<Spanned<f64>>,
    /// For a similarity map: see `above`. Default, if `above` is given: 0.5.
    pub weight: Option<Spanned<f64>>,
    /// For fusion: the number of passages taken from each embedder. Default: 100. For rerank: the number of passages
    /// that are reordered and returned. Default: 20. For http_search: the number of passages requested. Default: 50.
    /// For pgvector: the number of passages requested. Default: 50.
    pub depth: Option<Spanned<u32>>,
    /// For run_file: a run in TREC's format (qid Q0 passage rank score tag), relative to this file.
    pub file: Option<Spanned<String>>,
    /// For run_file: the form of its qids. `task_step` (default): TASK.STEP, or TASK.STEP.N for the N-th of several
    /// queries; `task`: the task's id alone. Neither has the queries that an upstream error changed.
    pub qid: Option<Spanned<QidMappingEntry>>,
    /// For run_file: a file of lines `qid TAB query`; then every query whose text is listed there gets its ranking.
    pub queries: Option<Spanned<String>>,
    /// For run_file: the embedder for queries that are not in the run. Default: these find nothing.
    pub fallback: Option<Spanned<String>>,
    /// For http_search: the address that queries are posted to. For http: the endpoint's address; `/embeddings` is
    /// appended unless it ends with that.
    pub url: Option<Spanned<String>>,
    /// For http_search, http and pgvector: the time limit of one attempt in seconds. Default: 30; for http 60.
    pub timeout: Option<Spanned<f64>>,
    /// For http_search and http: retries after a transient failure. Default: 3; for http 5.
    pub retries: Option<Spanned<u32>>,
    /// For http_search, http and pgvector: concurrent requests. Default: 8; for http and pgvector 4.
    pub concurrency: Option<Spanned<u32>>,
    /// For http_search and http: the environment variable that holds the key. Default: no key is sent.
    pub api_key_env: Option<Spanned<String>>,
    /// For http: headers of each request, by name: a text, or `{env: NAME}` for the value of an environment variable (a
    /// secret, such as Azure's `api-key`).
    pub headers: Option<Spanned<NamedEntries<AnyYamlValue>>>,
    /// For http: additional keys of each request's body, such as `input_type` or `encoding_format`: any value, or
    /// `{env: NAME}`.
    pub body: Option<Spanned<NamedEntries<AnyYamlValue>>>,
    /// For http: keys of the body for requests with queries only; they add to or override those of `body`.
    pub query_body: Option<Spanned<NamedEntries<AnyYamlValue>>>,
    /// For http: keys of the body for requests with passages only; they add to or override those of `body`.
    pub passage_body: Option<Spanned<NamedEntries<AnyYamlValue>>>,
    /// For http_search: any text that names the version of the service's index. Responses are cached under it: change
    /// it when the index has changed. For pgvector with `table`: the same, for that table.
    pub index: Option<Spanned<String>>,
    /// For pgvector: the name of the embedder, of kind static, transformer or http, whose vectors are compared.
    pub embedder: Option<Spanned<String>>,
    /// For pgvector: the environment variable that holds the server's address, as in
    /// postgresql://USER:PASSWORD@HOST:PORT/DATABASE. Default: DATABASE_URL.
    pub url_env: Option<Spanned<String>>,
    /// For pgvector: a table of yours with the vectors of all passages; it is only read. Default: a table that knockon
    /// creates and fills.
    pub table: Option<Spanned<String>>,
    /// For pgvector with `table`: the column with the ids of the passages file. Default: id.
    pub id_column: Option<Spanned<String>>,
    /// For pgvector with `table`: the column with the vectors. Default: embedding.
    pub vector_column: Option<Spanned<String>>,
    /// For pgvector: `exact` compares with all rows; `hnsw` and `ivfflat` use an index of that kind. Default: exact;
    /// with `table`: as the server decides.
    pub search: Option<Spanned<PgSearchEntry>>,
    /// For pgvector: the distance between vectors: `cosine` (default), `inner_product` or `l2`.
    pub distance: Option<Spanned<PgDistanceEntry>>,
    /// For pgvector with hnsw: `hnsw.ef_search`. Default: the server's.
    pub ef_search: Option<Spanned<u32>>,
    /// For pgvector with ivfflat: `ivfflat.probes`. Default: the server's.
    pub probes: Option<Spanned<u32>>,
}

/// How a text is split into words.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct AnalyzerEntry {
    /// The language whose word endings are removed, so that `renew` finds `renewals`; `none`: no stemming. Default:
    /// english.
    pub stem: Option<StemmerLanguage>,
    /// Words that are ignored: `lucene`, the 33 of its EnglishAnalyzer; `english`, the same without `no` and `not`; or
    /// `none`. Default: english.
    pub stop_words: Option<StopWordList>,
    /// Whether upper and lower case count as the same. Default: true.
    pub lowercase: Option<bool>,
    /// Whether letters with and without accents count as the same. Default: false.
    pub fold: Option<bool>,
}

/// The kind of an embedder.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum EmbedderKindEntry {
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

/// The settings of a transformer, whose kind has two names.
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

impl EmbedderKindEntry {
    /// The kind's name and its settings.
    pub fn settings(self) -> (&'static str, &'static [&'static str]) {
        match self {
            EmbedderKindEntry::Bm25 => ("bm25", &["k1", "b", "analyzer"]),
            EmbedderKindEntry::Static => (
                "static",
                &["model", "precision", "dim", "query_prefix", "passage_prefix", "max_tokens"],
            ),
            EmbedderKindEntry::Transformer => ("transformer", TRANSFORMER),
            EmbedderKindEntry::Bert => ("bert", TRANSFORMER),
            EmbedderKindEntry::Http => (
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
            EmbedderKindEntry::Fusion => {
                ("fusion", &["of", "method", "weights", "k", "normalise", "depth"])
            }
            EmbedderKindEntry::RunFile => ("run_file", &["file", "qid", "queries", "fallback"]),
            EmbedderKindEntry::HttpSearch => (
                "http_search",
                &["url", "depth", "timeout", "retries", "concurrency", "api_key_env", "index"],
            ),
            EmbedderKindEntry::Pgvector => (
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
            EmbedderKindEntry::Rerank => (
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

/// How rankings are merged.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum FusionMethodEntry {
    Rrf,
    Convex,
}

/// What the qids of a run stand for.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum QidMappingEntry {
    TaskStep,
    Task,
}

/// The model that reorders passages.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum RerankerEntry {
    CrossEncoder,
    MaxSim,
    SimilarityMap,
}

/// The score that is normalised to 0; the best score becomes 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum NormaliseEntry {
    MinMax,
    Theoretical,
}

/// How PostgreSQL finds the nearest vectors.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum PgSearchEntry {
    Exact,
    Hnsw,
    Ivfflat,
}

/// The distance between vectors.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum PgDistanceEntry {
    Cosine,
    InnerProduct,
    L2,
}

/// The precision of a model's weights.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum PrecisionEntry {
    Int8,
    F32,
}

/// How a model combines token vectors into one.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum PoolingEntry {
    Mean,
    Cls,
    Max,
    Last,
}
