//! The kind `http`: compares vectors that an endpoint computes.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::checks::{MAX_CONCURRENCY, MAX_DIMENSION, text};
use super::definition::{EmbedderEntryContext, EmbedderSettings};
use super::host::{EmbedderHost, OpenedEmbedders};
use super::kind::{EmbedderKind, VectorModel};
use crate::embed::http::{RESERVED_BODY_KEYS, RESERVED_HEADERS};
use crate::embed::{self, CachedEmbedder, Embedder, HttpEmbedder, HttpEmbedderSpec};
use crate::environment::Environment;
use crate::retrieve::Retriever;
use crate::scenario::Scenario;
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::request_additions::AdditionRules;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::{AnyYamlValue, NamedEntries, Spanned};

/// The upper limit on texts per request: more than any service accepts.
const MAX_BATCH_SIZE: u32 = 10_000;

/// Queries an endpoint with OpenAI's embeddings API.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpEmbedderEntry {
    /// The endpoint's address; `/embeddings` is appended unless it ends with that.
    url: Option<Spanned<String>>,
    /// The endpoint's name for the model.
    model: Option<Spanned<String>>,
    /// The dimension of the vectors that the endpoint returns; required.
    dim: Option<Spanned<u32>>,
    /// Request vectors of dimension `dim` (`dimensions`), which not every endpoint supports. Default: false.
    send_dim: Option<Spanned<bool>>,
    /// The environment variable that holds the key. Default: no key is sent.
    api_key_env: Option<Spanned<String>>,
    /// Texts per request. Default: 64.
    batch_size: Option<Spanned<u32>>,
    /// Concurrent requests. Default: 4.
    concurrency: Option<Spanned<u32>>,
    /// The time limit of one attempt in seconds. Default: 60.
    timeout: Option<Spanned<f64>>,
    /// Retries after a transient failure. Default: 5.
    retries: Option<Spanned<u32>>,
    /// A text before each query. Default: none.
    query_prefix: Option<Spanned<String>>,
    /// A text before each passage. Default: none.
    passage_prefix: Option<Spanned<String>>,
    /// Headers of each request, by name: a text, or `{env: NAME}` for the value of an environment variable (a secret,
    /// such as Azure's `api-key`).
    headers: Option<Spanned<NamedEntries<AnyYamlValue>>>,
    /// Additional keys of each request's body, such as `input_type` or `encoding_format`: any value, or `{env: NAME}`.
    body: Option<Spanned<NamedEntries<AnyYamlValue>>>,
    /// Keys of the body for requests with queries only; they add to or override those of `body`.
    query_body: Option<Spanned<NamedEntries<AnyYamlValue>>>,
    /// Keys of the body for requests with passages only; they add to or override those of `body`.
    passage_body: Option<Spanned<NamedEntries<AnyYamlValue>>>,
}

impl EmbedderSettings for HttpEmbedderEntry {
    fn resolve(
        &self,
        entry: &EmbedderEntryContext,
        resolver: &mut ScenarioResolver,
    ) -> Option<Arc<dyn EmbedderKind>> {
        let needed = [
            ("url", self.url.is_some(), "the endpoint's address"),
            ("model", self.model.is_some(), "as the endpoint calls it"),
            ("dim", self.dim.is_some(), "how many numbers its vectors hold"),
        ];
        for (setting, _, what) in needed.into_iter().filter(|(_, given, _)| !given) {
            let message = format!("the embedder `{}` has no `{setting}`", entry.name.value);
            let label = format!("kind http needs `{setting}`: {what}");
            resolver.report_missing_setting(entry.name.span.clone(), message, label);
        }
        let url = self.url.as_ref()?;
        if let Err(error) = embed::http::embeddings_url(&url.value) {
            let mistake = Diagnostic::new("bad-url", url.span.clone(), format!("{error:#}"));
            resolver.mistakes.push(mistake.label("such as https://api.openai.com/v1"));
        }
        let dim = resolver.count_to("dim", &self.dim, 1, MAX_DIMENSION);
        let rules = AdditionRules {
            reserved_headers: &RESERVED_HEADERS,
            reserved_body_keys: &RESERVED_BODY_KEYS,
            body_label: "it follows from the texts, `model`, and `send_dim` with `dim`",
            has_key: self.api_key_env.is_some(),
        };
        let additions = [
            rules.headers(&self.headers, resolver),
            rules.body("body", &self.body, resolver),
            rules.body("query_body", &self.query_body, resolver),
            rules.body("passage_body", &self.passage_body, resolver),
        ];
        let model = self.model.as_ref()?;
        let mut spec =
            HttpEmbedderSpec::new(&url.value, &model.value, self.dim.as_ref().map(|_| dim)?);
        if let Some(timeout) = &self.timeout {
            resolver.check_range("timeout", timeout, 0.1, 86_400.0);
            spec.timeout = Duration::try_from_secs_f64(timeout.value).ok()?;
        }
        spec.batch_size =
            resolver.count_to("batch_size", &self.batch_size, spec.batch_size, MAX_BATCH_SIZE);
        spec.concurrency =
            resolver.count_to("concurrency", &self.concurrency, spec.concurrency, MAX_CONCURRENCY);
        spec.retries = resolver.request_retries(&self.retries, spec.retries);
        spec.api_key_env = resolver.variable_name("api_key_env", &self.api_key_env);
        spec.send_dim = self.send_dim.as_ref().is_some_and(|at| at.value);
        spec.query_prefix = text(&self.query_prefix).unwrap_or_default();
        spec.passage_prefix = text(&self.passage_prefix).unwrap_or_default();
        [spec.headers, spec.body, spec.query_body, spec.passage_body] = additions;
        Some(Arc::new(spec))
    }
}

impl VectorModel for HttpEmbedderSpec {
    fn model_name(&self) -> &str {
        &self.model
    }

    fn load(&self, environment: &Environment) -> anyhow::Result<Box<dyn Embedder>> {
        let remote = Box::new(HttpEmbedder::new(self.clone(), environment)?);
        Ok(Box::new(CachedEmbedder::new(remote, environment.answers_folder()?)?))
    }
}

impl EmbedderKind for HttpEmbedderSpec {
    fn name(&self) -> &'static str {
        "http"
    }

    fn lowest_score(&self) -> Option<f64> {
        Some(-1.0)
    }

    fn vector_model(&self) -> Option<&dyn VectorModel> {
        Some(self)
    }

    fn check_ready(&self, host: &dyn EmbedderHost) -> anyhow::Result<()> {
        host.model(host.embedder()).map(drop)
    }

    fn open(&self, host: &dyn EmbedderHost) -> anyhow::Result<Arc<dyn Retriever>> {
        host.open_dense()
    }

    fn identity(&self, at: usize, opened: &dyn OpenedEmbedders) -> Option<String> {
        opened.loaded_model(at).map(|model| model.fingerprint().to_owned())
    }

    fn describe(&self, _: &Scenario) -> Json {
        // A query string may hold a key, so only the part before it is written.
        let url = self.url.split(['?', '#']).next();
        json!({"url": url, "model": self.model, "dim": self.dim})
    }
}
