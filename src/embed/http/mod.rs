//! Embeddings from an HTTP endpoint with OpenAI's `POST /v1/embeddings` interface. The API key must never be part of a
//! fingerprint, and no secret may appear in a message.
//!
//! Texts are sent in batches, except blank ones, whose vector is zero. A reply is validated as a whole ([`wire`])
//! before any of its vectors is used, and each batch is passed on as soon as it arrives. The API key is read when the
//! first request needs it.

pub(crate) mod request_additions;
mod wire;

use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::constant_vectors::ConstantVectorDetector;
use super::{Embedder, EmbeddingVectors, TextRole};
use crate::environment::Environment;
use crate::http_client::{self, FIRST_RETRY_WAIT, JsonEndpoint, JsonRequestError};
pub use request_additions::{
    RESERVED_BODY_KEYS, RESERVED_HEADERS, RequestAdditions, SuppliedValue,
};

/// The settings of an embedding endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpEmbedderSpec {
    /// The address; `/embeddings` is appended if it is missing, see [`embeddings_url`].
    pub url: String,
    /// The model's name at the endpoint.
    pub model: String,
    /// The environment variable that holds the API key; `None`: no key is sent.
    pub api_key_env: Option<String>,
    /// The number of dimensions of a vector.
    pub dim: usize,
    /// Whether to request vectors of `dim` numbers from the endpoint (`dimensions`).
    pub send_dim: bool,
    /// Number of texts per request.
    pub batch_size: usize,
    /// Number of simultaneous requests.
    pub concurrency: usize,
    /// The limit for one request, from its start to the last byte of the reply.
    pub timeout: Duration,
    /// Number of retries of a request that failed temporarily.
    pub retries: u32,
    /// The approximate wait before the first retry.
    pub first_wait: Duration,
    pub query_prefix: String,
    pub passage_prefix: String,
    /// Headers sent with each request.
    pub headers: RequestAdditions,
    /// Extra keys of the body of each request, and of requests for queries or for passages only.
    pub body: RequestAdditions,
    pub query_body: RequestAdditions,
    pub passage_body: RequestAdditions,
}

impl HttpEmbedderSpec {
    /// Settings with the defaults of a scenario.
    pub fn new(url: impl Into<String>, model: impl Into<String>, dim: usize) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            api_key_env: None,
            dim,
            send_dim: false,
            batch_size: 64,
            concurrency: 4,
            timeout: Duration::from_secs(60),
            retries: 5,
            first_wait: FIRST_RETRY_WAIT,
            query_prefix: String::new(),
            passage_prefix: String::new(),
            headers: RequestAdditions::new(),
            body: RequestAdditions::new(),
            query_body: RequestAdditions::new(),
            passage_body: RequestAdditions::new(),
        }
    }

    fn role_body(&self, role: TextRole) -> &RequestAdditions {
        match role {
            TextRole::Query => &self.query_body,
            TextRole::Passage => &self.passage_body,
        }
    }
}

/// Parses `url` and appends `/embeddings`, unless it already ends in that or in `/embed`, the route of Text Embeddings
/// Inference and Ollama.
///
/// # Errors
/// Not an http or https address, or one that contains a password.
pub fn embeddings_url(url: &str) -> anyhow::Result<reqwest::Url> {
    let mut url = http_client::parse_address(url)?;
    let path = url.path().trim_end_matches('/').to_owned();
    if !path.ends_with("/embeddings") && !path.ends_with("/embed") {
        url.set_path(&format!("{path}/embeddings"));
    }
    Ok(url)
}

/// An embedder that sends texts to an HTTP endpoint.
pub struct HttpEmbedder {
    spec: HttpEmbedderSpec,
    endpoint: reqwest::Url,
    environment: Environment,
    fingerprint: String,
    constant_detector: Mutex<ConstantVectorDetector>,
}

/// An endpoint that returns the same vector for this many different texts, and no other vector, is rejected.
const MIN_DISTINCT_TEXTS: usize = 3;

impl HttpEmbedder {
    /// Sends no request yet.
    ///
    /// # Errors
    /// An invalid address, or a size of 0.
    pub fn new(spec: HttpEmbedderSpec, environment: &Environment) -> anyhow::Result<Self> {
        let endpoint = embeddings_url(&spec.url)
            .with_context(|| format!("url {:?}", http_client::display_wrong_address(&spec.url)))?;
        ensure!(spec.dim > 0 && spec.batch_size > 0 && spec.concurrency > 0, "a setting is 0");
        let mut settings = format!(
            "http 1 {endpoint} {:?} {} {} {:?} {:?}",
            spec.model, spec.dim, spec.send_dim, spec.query_prefix, spec.passage_prefix
        );
        // Secrets enter the fingerprint by the names of their variables. Optional settings enter only if they are
        // set, so that the fingerprints of specs without them stay as they were, and in their Debug form, so that
        // renaming a variant of `Supplied` changes fingerprints.
        let HttpEmbedderSpec { headers, body, query_body, passage_body, .. } = &spec;
        for (what, additions) in
            [("headers", headers), ("body", body), ("query", query_body), ("passage", passage_body)]
        {
            if !additions.is_empty() {
                let _ = write!(settings, " {what} {additions:?}");
            }
        }
        let fingerprint = blake3::hash(settings.as_bytes()).to_hex().to_string();
        let same = Mutex::new(ConstantVectorDetector::new(MIN_DISTINCT_TEXTS));
        let environment = environment.clone();
        Ok(Self { spec, endpoint, environment, fingerprint, constant_detector: same })
    }

    /// The connection settings for one role, with the API key and other secrets read from the environment.
    fn remote_endpoint(&self, role: TextRole) -> anyhow::Result<JsonEndpoint> {
        let HttpEmbedderSpec { timeout, retries, first_wait, concurrency, .. } = self.spec;
        let longest_reply = wire::max_reply_bytes(self.spec.batch_size, self.spec.dim);
        let key = self
            .spec
            .api_key_env
            .as_deref()
            .map(|name| self.environment.api_key(name))
            .transpose()?;
        let bodies = [&self.spec.body, self.spec.role_body(role)].into_iter();
        let secrets = request_additions::secrets(
            key.as_deref(),
            &self.spec.headers,
            bodies,
            &self.environment,
        )?;
        let headers = http_client::headers(
            &request_additions::headers(&self.spec.headers, &self.environment)?,
            key.as_deref(),
        )?;
        let url = self.endpoint.clone();
        Ok(JsonEndpoint {
            url,
            timeout,
            retries,
            first_wait,
            concurrency,
            headers,
            secrets,
            max_reply_bytes: longest_reply,
        })
    }
}

impl Embedder for HttpEmbedder {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.spec.dim
    }

    fn embed(
        &self,
        role: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<EmbeddingVectors> {
        let dim = self.spec.dim;
        let mut data = vec![0.0; texts.len() * dim];
        self.embed_in_parts(role, texts, done, &mut |first, part| {
            data[first * dim..][..part.data.len()].copy_from_slice(&part.data);
            Ok(())
        })?;
        Ok(EmbeddingVectors { dim, data })
    }

    fn embed_in_parts(
        &self,
        role: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
        keep: &mut dyn FnMut(usize, &EmbeddingVectors) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if texts.is_empty() {
            return Ok(());
        }
        let line = self.remote_endpoint(role)?;
        let further =
            request_additions::body(&self.spec.body, self.spec.role_body(role), &self.environment)?;
        let prefix = match role {
            TextRole::Query => &self.spec.query_prefix,
            TextRole::Passage => &self.spec.passage_prefix,
        };
        let HttpEmbedderSpec { dim, batch_size, .. } = self.spec;
        let batches: Vec<EmbeddingBatch> = texts
            .chunks(batch_size)
            .enumerate()
            .map(|(i, texts)| {
                let full = (0..texts.len()).filter(|&i| !texts[i].trim().is_empty()).collect();
                EmbeddingBatch { first: i * batch_size, len: texts.len(), non_blank: full }
            })
            .collect();
        // Batches that contain only blank texts need no request.
        let (to_send, blank): (Vec<&EmbeddingBatch>, Vec<&EmbeddingBatch>) =
            batches.iter().partition(|batch| !batch.non_blank.is_empty());
        let bodies = to_send.iter().map(|batch| {
            let filled = batch.non_blank.iter();
            let input: Vec<String> =
                filled.map(|&i| format!("{prefix}{}", texts[batch.first + i])).collect();
            wire::request_body(&self.spec, self.endpoint.path(), &input, &further)
        });
        // `post_all` passes errors on as text; `broken` keeps the original of an error that is not about a request.
        let mut broken = None;
        // Vectors are cached only after two of them have differed, so that a constant vector never enters the cache.
        let mut held_back: Vec<(usize, EmbeddingVectors)> = Vec::new();
        let mut take = |batch: &EmbeddingBatch, rows: Vec<Vec<f32>>| {
            let mut data = vec![0.0; batch.len * dim];
            let mut same = self.constant_detector.lock().unwrap_or_else(|e| e.into_inner());
            for (&i, row) in batch.non_blank.iter().zip(rows) {
                same.observe(texts[batch.first + i], &row);
                data[i * dim..][..dim].copy_from_slice(&row);
            }
            if let Some(count) = same.constant_text_count() {
                bail!(
                    "{}: the same vector came for {count} different texts, and for all others so far: the endpoint \
                     ignores its input (is it one for embeddings, and of the model {:?}?)",
                    line.display_address(),
                    self.spec.model
                );
            }
            held_back.push((batch.first, EmbeddingVectors { dim, data }));
            if !same.is_constant_so_far() {
                held_back.drain(..).try_for_each(|(first, vectors)| keep(first, &vectors))?;
            }
            done(batch.len);
            anyhow::Ok(())
        };
        for batch in blank {
            take(batch, Vec::new())?;
        }
        let sent = line.post_all(bodies, |at, reply| {
            let rows = wire::parse_vectors(reply, to_send[at].non_blank.len(), dim)?;
            take(to_send[at], rows).map_err(|error| {
                let what = error.to_string();
                broken.get_or_insert(error);
                what
            })
        })?;
        if let Some(error) = broken {
            return Err(error);
        }
        // No two vectors differed, but there were too few texts to reject the endpoint.
        held_back.iter().try_for_each(|(first, vectors)| keep(*first, vectors))?;
        if let Err(JsonRequestError { index: at, reason: what }) = sent {
            let EmbeddingBatch { first, len: count, .. } = *to_send[at];
            let (number, from, to) = (first / batch_size + 1, first + 1, first + count);
            bail!(
                "{}, batch {number} (texts {from} to {to} of {}): {what}\nThe vectors of other batches are \
                 cached: the same command resumes from there.",
                line.display_address(),
                texts.len()
            );
        }
        Ok(())
    }
}

/// The texts of one request.
struct EmbeddingBatch {
    /// The index of the first text.
    first: usize,
    len: usize,
    /// The texts that are not blank, by index relative to `first`.
    non_blank: Vec<usize>,
}
