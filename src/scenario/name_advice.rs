//! Suggestions for names from other tools that are too different from knockon's for the edit distance to find them.

use serde_json::{Map, Value as Json};

/// Names of a key in other tools, with knockon's key. A row applies only where that key is allowed.
const KEY_SYNONYMS: [(&[&str], &str); 16] = [
    (&["base_url", "api_base", "endpoint", "host", "address", "uri"], "url"),
    (&["k", "topk", "limit", "n_results", "size"], "top_k"),
    (&["type", "provider", "backend"], "kind"),
    (&["then", "action", "label", "return"], "do"),
    (&["condition", "cond", "rule"], "if"),
    (&["documents", "docs", "chunks", "data", "file", "path"], "passages"),
    (&["path", "csv", "cases", "source"], "file"),
    (&["dimension", "dimensions", "dims"], "dim"),
    (&["sep", "separator"], "delimiter"),
    (&["model_name", "model_id", "name_or_path", "deployment"], "model"),
    (&["prompt", "question", "q", "search"], "query"),
    (&["relevant", "expected", "truth", "qrels"], "gold"),
    (&["index", "collection", "dataset"], "corpus"),
    (&["temperature", "llm"], "preset"),
    (&["variants", "configs", "experiments"], "arms"),
    (&["nodes", "stages", "pipeline", "chain"], "steps"),
];

/// A suggestion for the unknown key `name`, given the keys that are allowed in its place.
pub(super) fn for_key(name: &str, properties: &Map<String, Json>) -> Option<String> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    // Only where `api_key_env` is allowed: elsewhere the advice would lead to another unknown key.
    let is_secret = ["api_key", "apikey", "key", "token", "api_token", "bearer", "secret"];
    if is_secret.contains(&name.as_str()) && properties.contains_key("api_key_env") {
        let help = "keys must not be in a file: put the key into an environment variable, and name the variable under `api_key_env`";
        return Some(help.to_owned());
    }
    let ours = KEY_SYNONYMS
        .iter()
        .find(|(others, ours)| properties.contains_key(*ours) && others.contains(&name.as_str()));
    ours.map(|(_, ours)| format!("here it is called `{ours}`"))
}

/// Values of `kind` and similar keys in other tools, with knockon's word and a continuation of the advice.
const WORD_SYNONYMS: [(&[&str], &str, &str); 9] = [
    (
        &[
            "openai",
            "azure",
            "azure_openai",
            "cohere",
            "voyage",
            "mistral",
            "jina",
            "gemini",
            "google",
            "ollama",
            "tei",
            "vllm",
            "lm_studio",
            "localai",
            "litellm",
            "openai_compatible",
            "api",
            "remote",
            "endpoint",
        ],
        "http",
        ", with `url` and `model`: any endpoint with the interface of OpenAI's embeddings",
    ),
    (
        &[
            "sentence_transformers",
            "sentence_transformer",
            "sbert",
            "huggingface",
            "hf",
            "bert",
            "dense",
            "onnx",
            "embedding",
            "local",
        ],
        "transformer",
        ", with `model`",
    ),
    (&["model2vec", "potion", "static_embedding", "glove", "word2vec"], "static", ", with `model`"),
    (&["tfidf", "tf_idf", "lexical", "keyword", "sparse", "okapi", "full_text"], "bm25", ""),
    (
        &[
            "elasticsearch",
            "elastic",
            "opensearch",
            "qdrant",
            "weaviate",
            "pinecone",
            "milvus",
            "vespa",
            "solr",
            "chroma",
            "service",
        ],
        "http_search",
        ", with `url`; docs/src/retrievers.md describes the replies of such a service",
    ),
    (&["postgres", "postgresql", "pg", "pg_vector"], "pgvector", ""),
    (&["hybrid", "rrf", "ensemble", "fused", "mixed"], "fusion", ", with `of`"),
    (
        &["cross_encoder", "reranker", "colbert", "max_sim", "maxsim"],
        "rerank",
        ", with `first` and `with`",
    ),
    (&["trec", "run", "file", "results", "precomputed"], "run_file", ", with `file`"),
];

/// A suggestion for a word that is not allowed, given the words that are.
pub(super) fn for_word(word: &str, allowed: &[&str]) -> Option<String> {
    let word = word.to_ascii_lowercase().replace(['-', ' '], "_");
    let ours = WORD_SYNONYMS
        .iter()
        .find(|(others, ours, _)| allowed.contains(ours) && others.contains(&word.as_str()));
    ours.map(|(_, ours, more)| format!("write `{ours}`{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_lead_to_ours_only_where_ours_are_allowed() {
        let properties =
            |names: &[&str]| names.iter().map(|n| (n.to_string(), Json::Null)).collect();
        let advice = |name, ours: &[&str]| for_key(name, &properties(ours)).unwrap_or_default();
        assert!(advice("api_key", &["api_key_env"]).contains("`api_key_env`"));
        assert!(advice("API-Key", &["api_key_env"]).contains("environment variable"));
        assert!(advice("base_url", &["url"]).contains("`url`"));
        assert!(advice("topk", &["top_k"]).contains("`top_k`"));
        assert!(advice("path", &["file"]).contains("`file`"));
        assert!(advice("path", &["passages"]).contains("`passages`"));
        assert_eq!(advice("api_key", &["url"]), "");
        assert_eq!(advice("colour", &["url", "top_k"]), "");

        let kinds = [
            "bm25",
            "static",
            "transformer",
            "http",
            "fusion",
            "rerank",
            "pgvector",
            "http_search",
        ];
        for (word, ours) in [
            ("openai", "http"),
            ("Azure-OpenAI", "http"),
            ("ollama", "http"),
            ("sentence-transformers", "transformer"),
            ("model2vec", "static"),
            ("hybrid", "fusion"),
            ("cross-encoder", "rerank"),
            ("qdrant", "http_search"),
            ("tfidf", "bm25"),
            ("PostgreSQL", "pgvector"),
        ] {
            let advice = for_word(word, &kinds).unwrap_or_default();
            assert!(advice.contains(&format!("`{ours}`")), "{word}: {advice}");
        }
        assert_eq!(for_word("openai", &["low", "high"]), None);
        assert_eq!(for_word("purple", &kinds), None);
    }
}
