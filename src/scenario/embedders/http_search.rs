//! The kind `http_search`: queries a search service.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::checks::{DEFAULT_TIMEOUT_SECONDS, MAX_CONCURRENCY, text};
use super::definition::{EmbedderEntryContext, EmbedderSettings};
use super::host::{EmbedderHost, NoteTopic, OpenedEmbedders, identity_hash};
use super::kind::{EmbedderKind, OpeningFailure};
use super::sources::sourced_depth;
use crate::environment::Environment;
use crate::http_client::{self, FIRST_RETRY_WAIT, JsonEndpoint, RequestSecrets};
use crate::retrieve::{HTTP_DEPTH, HttpRetriever, MAX_ANSWER_BYTES, Retriever, ShortAnswerCount};
use crate::scenario::Scenario;
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;

/// The default number of retries of a search request.
const DEFAULT_RETRIES: u32 = 3;
/// The default number of concurrent search requests.
const DEFAULT_CONCURRENCY: usize = 8;

/// Queries a search service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpSearchEntry {
    /// The address that queries are posted to.
    url: Option<Spanned<String>>,
    /// The number of passages requested. Default: 50.
    depth: Option<Spanned<u32>>,
    /// The time limit of one attempt in seconds. Default: 30.
    timeout: Option<Spanned<f64>>,
    /// Retries after a transient failure. Default: 3.
    retries: Option<Spanned<u32>>,
    /// Concurrent requests. Default: 8.
    concurrency: Option<Spanned<u32>>,
    /// The environment variable that holds the key. Default: no key is sent.
    api_key_env: Option<Spanned<String>>,
    /// Any text that names the version of the service's index. Responses are cached under it: change it when the index
    /// has changed.
    index: Option<Spanned<String>>,
}

/// A search service.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpSearchSettings {
    pub url: reqwest::Url,
    /// The maximum number of passages requested.
    pub depth: usize,
    /// The time limit of one attempt.
    pub timeout: Duration,
    /// Further attempts after a transient failure.
    pub retries: u32,
    /// The maximum number of requests in flight.
    pub concurrency: usize,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// A version label of the service's index; part of the key under which responses are cached.
    pub index: String,
}

impl EmbedderSettings for HttpSearchEntry {
    fn resolve(
        &self,
        entry: &EmbedderEntryContext,
        resolver: &mut ScenarioResolver,
    ) -> Option<Arc<dyn EmbedderKind>> {
        let depth = resolver.count("depth", &self.depth, HTTP_DEPTH);
        let concurrency = resolver.count_to(
            "concurrency",
            &self.concurrency,
            DEFAULT_CONCURRENCY,
            MAX_CONCURRENCY,
        );
        let seconds = resolver.number("timeout", &self.timeout, DEFAULT_TIMEOUT_SECONDS, 3600.0);
        // `number` allows 0, which would fail every request.
        if let Some(timeout) = self.timeout.as_ref().filter(|at| at.value == 0.0) {
            let message = "`timeout` cannot be 0";
            resolver.mistakes.push(
                Diagnostic::new("out-of-range", timeout.span.clone(), message)
                    .label("allowed: above 0, up to 3600"),
            );
        }
        let Some(url) = &self.url else {
            let message = format!("the embedder `{}` has no address", entry.name.value);
            let label = "kind http_search needs `url`: where queries are posted to";
            resolver.report_missing_setting(entry.name.span.clone(), message, label);
            return None;
        };
        let url = match http_client::parse_address(&url.value) {
            Ok(url) => url,
            Err(error) => {
                let mistake = Diagnostic::new("bad-url", url.span.clone(), format!("{error:#}"));
                let label = "allowed: http://HOST/PATH or https://HOST/PATH";
                resolver.mistakes.push(mistake.label(label));
                return None;
            }
        };
        Some(Arc::new(HttpSearchSettings {
            url,
            depth,
            timeout: Duration::try_from_secs_f64(seconds).ok()?,
            retries: resolver.request_retries(&self.retries, DEFAULT_RETRIES),
            concurrency,
            api_key_env: resolver.variable_name("api_key_env", &self.api_key_env),
            index: text(&self.index).unwrap_or_default(),
        }))
    }
}

impl HttpSearchSettings {
    /// The key of the service, which only the environment holds.
    fn key(&self, environment: &Environment) -> anyhow::Result<Option<String>> {
        self.api_key_env.as_deref().map(|name| environment.api_key(name)).transpose()
    }
}

impl EmbedderKind for HttpSearchSettings {
    fn name(&self) -> &'static str {
        "http_search"
    }

    fn lowest_score(&self) -> Option<f64> {
        None
    }

    fn depth(&self) -> Option<usize> {
        Some(self.depth)
    }

    fn opening_failure(&self) -> OpeningFailure {
        OpeningFailure::variable("api_key_env")
    }

    fn check_ready(&self, host: &dyn EmbedderHost) -> anyhow::Result<()> {
        self.key(host.environment()).map(drop).with_context(|| host.about())
    }

    fn open(&self, host: &dyn EmbedderHost) -> anyhow::Result<Arc<dyn Retriever>> {
        let key = self.key(host.environment()).with_context(|| host.about())?;
        let headers = http_client::headers(&[], key.as_deref()).with_context(|| host.about())?;
        let endpoint = JsonEndpoint {
            url: self.url.clone(),
            timeout: self.timeout,
            retries: self.retries,
            first_wait: FIRST_RETRY_WAIT,
            concurrency: self.concurrency,
            headers,
            secrets: RequestSecrets::new(key),
            max_reply_bytes: MAX_ANSWER_BYTES,
        };
        let catalogue = host.remote_corpus();
        let answers_dir = host.answers_dir("http_search")?;
        let count = Arc::<ShortAnswerCount>::default();
        let (noted, name) = (count.clone(), host.name().to_owned());
        host.add_notes(
            NoteTopic::ShortAnswers,
            Box::new(move || noted.note(&name).into_iter().collect()),
        );
        Ok(Arc::new(HttpRetriever::new(endpoint, catalogue, self.depth, answers_dir, count)))
    }

    fn identity(&self, _: usize, _: &dyn OpenedEmbedders) -> Option<String> {
        let HttpSearchSettings { url, depth, index, .. } = self;
        Some(identity_hash(&format!("http_search 1 {:?} {depth} {index:?}", url.as_str())))
    }

    fn describe(&self, _: &Scenario) -> Json {
        json!({
            "url": http_client::without_query(&self.url),
            "index": self.index,
            "parameters": [sourced_depth(self.depth, HTTP_DEPTH)],
        })
    }
}
