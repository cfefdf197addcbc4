//! Vectors from an endpoint that speaks OpenAI's `POST /v1/embeddings`. Async lives here and ends here.
//!
//! 1. Texts go out in batches, a bounded number of them at a time; blank ones do not, their vector is zero.
//! 2. A request that failed for now (no connection, no answer in time, 408, 425, 429, 5xx) is made again after
//!    a growing, jittered wait, or the one that `Retry-After` names; a 429 holds up all batches.
//! 3. A reply is checked as a whole ([`wire`]) before any vector of it is taken.
//! 4. Each batch is handed over when it is there. After an error no further batch starts, those under way are
//!    awaited and kept, and the error names endpoint, batch and what came.
//!
//! The key is read from the environment when the first request needs it. It goes into one header and
//! nowhere else: no fingerprint, no message; replies that repeat it are redacted.

mod retry;
mod wire;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Embedder, Role, Vectors};
use retry::{Failure, wait_before};

/// An endpoint with its settings.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpSpec {
    /// Ends in `/embeddings`, or that is added.
    pub url: String,
    /// As the endpoint calls it.
    pub model: String,
    /// The environment variable that holds the key; none is sent without.
    pub api_key_env: Option<String>,
    /// Numbers in a vector.
    pub dim: usize,
    /// Ask the endpoint for vectors of `dim` numbers (`dimensions`).
    pub send_dim: bool,
    /// Texts in a request.
    pub batch_size: usize,
    /// Requests at a time.
    pub concurrency: usize,
    /// For one request, from its start to the last byte of the reply.
    pub timeout: Duration,
    /// Further tries of a request that failed for now.
    pub retries: u32,
    /// The wait before the first of them, about.
    pub first_wait: Duration,
    pub query_prefix: String,
    pub passage_prefix: String,
}

impl HttpSpec {
    /// With the defaults of a scenario.
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
            first_wait: Duration::from_millis(500),
            query_prefix: String::new(),
            passage_prefix: String::new(),
        }
    }
}

/// The address that `url` means.
///
/// # Errors
/// No http or https address, or one with a password in it.
pub fn endpoint(url: &str) -> anyhow::Result<reqwest::Url> {
    let mut url = reqwest::Url::parse(url).context("not an address")?;
    ensure!(["http", "https"].contains(&url.scheme()), "not an http or https address");
    ensure!(
        url.username().is_empty() && url.password().is_none(),
        "an address does not hold a password here: name a variable in api_key_env"
    );
    let path = url.path().trim_end_matches('/').to_owned();
    if !path.ends_with("/embeddings") {
        url.set_path(&format!("{path}/embeddings"));
    }
    Ok(url)
}

/// An endpoint that is asked.
pub struct HttpEmbedder {
    spec: HttpSpec,
    endpoint: reqwest::Url,
    fingerprint: String,
}

impl HttpEmbedder {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// An address that is none.
    pub fn new(spec: HttpSpec) -> anyhow::Result<Self> {
        let endpoint = endpoint(&spec.url).with_context(|| format!("url {:?}", spec.url))?;
        ensure!(spec.dim > 0 && spec.batch_size > 0 && spec.concurrency > 0, "a setting is 0");
        let settings = format!(
            "http 1 {endpoint} {:?} {} {} {:?} {:?}",
            spec.model, spec.dim, spec.send_dim, spec.query_prefix, spec.passage_prefix
        );
        let fingerprint = blake3::hash(settings.as_bytes()).to_hex().to_string();
        Ok(Self { spec, endpoint, fingerprint })
    }

    fn key(&self) -> anyhow::Result<Option<String>> {
        let Some(variable) = &self.spec.api_key_env else { return Ok(None) };
        match std::env::var(variable) {
            Ok(key) if !key.trim().is_empty() => Ok(Some(key.trim().to_owned())),
            _ => bail!("the environment variable {variable} (api_key_env) holds no key"),
        }
    }

    fn line(&self) -> anyhow::Result<Line> {
        let mut shown = self.endpoint.clone();
        shown.set_query(None);
        Ok(Line {
            client: reqwest::Client::builder()
                .user_agent(concat!("knockon/", env!("CARGO_PKG_VERSION")))
                .timeout(self.spec.timeout)
                .build()?,
            key: self.key()?,
            spec: self.spec.clone(),
            endpoint: self.endpoint.clone(),
            shown: shown.to_string(),
            not_before: Mutex::new(Instant::now()),
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
        role: Role,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vectors> {
        let dim = self.spec.dim;
        let mut data = vec![0.0; texts.len() * dim];
        self.embed_in_parts(role, texts, done, &mut |first, part| {
            data[first * dim..][..part.data.len()].copy_from_slice(&part.data);
            Ok(())
        })?;
        Ok(Vectors { dim, data })
    }

    fn embed_in_parts(
        &self,
        role: Role,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
        keep: &mut dyn FnMut(usize, &Vectors) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if texts.is_empty() {
            return Ok(());
        }
        let line = Arc::new(self.line()?);
        let prefix = match role {
            Role::Query => &self.spec.query_prefix,
            Role::Passage => &self.spec.passage_prefix,
        };
        let size = self.spec.batch_size;
        let mut batches = texts.chunks(size).enumerate().map(|(i, texts)| Batch {
            number: i + 1,
            first: i * size,
            texts: texts
                .iter()
                .map(|t| (!t.trim().is_empty()).then(|| format!("{prefix}{t}")))
                .collect(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut running = JoinSet::new();
            let mut failed: Option<(usize, String)> = None;
            loop {
                while failed.is_none() && running.len() < self.spec.concurrency {
                    let Some(batch) = batches.next() else { break };
                    let line = line.clone();
                    running.spawn(async move {
                        let result = line.embed(&batch).await;
                        (batch, result)
                    });
                }
                let Some(ended) = running.join_next().await else { break };
                let (batch, result) = ended.context("a request ended unexpectedly")?;
                match result {
                    Ok(vectors) => {
                        keep(batch.first, &vectors)?;
                        done(vectors.len());
                    }
                    Err(what) if failed.as_ref().is_none_or(|(n, _)| batch.number < *n) => {
                        failed = Some((batch.number, batch.error(&line.shown, texts.len(), &what)));
                    }
                    Err(_) => {}
                }
            }
            match failed {
                None => Ok(()),
                Some((_, message)) => bail!(
                    "{message}\nThe vectors of other batches are kept: the same command goes on from there."
                ),
            }
        })
    }
}

/// Texts of one request; `None` for a blank one.
struct Batch {
    /// From 1 on.
    number: usize,
    first: usize,
    texts: Vec<Option<String>>,
}

impl Batch {
    fn error(&self, endpoint: &str, of: usize, what: &str) -> String {
        let (from, to) = (self.first + 1, self.first + self.texts.len());
        format!("{endpoint}, batch {} (texts {from} to {to} of {of}): {what}", self.number)
    }
}

/// What all requests share.
struct Line {
    client: reqwest::Client,
    key: Option<String>,
    spec: HttpSpec,
    endpoint: reqwest::Url,
    /// The endpoint as messages name it.
    shown: String,
    /// Set by a 429 for all.
    not_before: Mutex<Instant>,
}

impl Line {
    async fn embed(&self, batch: &Batch) -> Result<Vectors, String> {
        let dim = self.spec.dim;
        let input: Vec<&str> = batch.texts.iter().flatten().map(String::as_str).collect();
        let mut data = vec![0.0; batch.texts.len() * dim];
        if !input.is_empty() {
            let rows = self.ask(&input).await?;
            let places = data.chunks_exact_mut(dim).zip(&batch.texts).filter(|(_, t)| t.is_some());
            for ((place, _), row) in places.zip(rows) {
                place.copy_from_slice(&row);
            }
        }
        Ok(Vectors { dim, data })
    }

    /// The vectors of `input` in its order, after as many tries as it takes and is allowed.
    async fn ask(&self, input: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let body = wire::request(&self.spec, input);
        let mut tries = 0;
        loop {
            let until = *self.not_before.lock().unwrap_or_else(|e| e.into_inner());
            tokio::time::sleep_until(until).await;
            tries += 1;
            let failure = match self.once(&body, input.len()).await {
                Ok(rows) => return Ok(rows),
                Err(failure) => failure,
            };
            if !failure.for_now {
                return Err(failure.what);
            }
            if tries > self.spec.retries {
                return Err(match tries {
                    1 => failure.what,
                    n => format!("{} (the last of {n} tries)", failure.what),
                });
            }
            let wait = wait_before(tries, &self.spec, &failure)
                .map_err(|why| format!("{}; {why}", failure.what))?;
            if failure.holds_up_all {
                let mut not_before = self.not_before.lock().unwrap_or_else(|e| e.into_inner());
                *not_before = (*not_before).max(Instant::now() + wait);
            } else {
                tokio::time::sleep(wait).await;
            }
        }
    }

    async fn once(&self, body: &[u8], texts: usize) -> Result<Vec<Vec<f32>>, Failure> {
        let mut request = self
            .client
            .post(self.endpoint.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(body.to_vec());
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let broken = |e| Failure::on_the_way(e, self.spec.timeout);
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status();
        let retry_after = response.headers().get(reqwest::header::RETRY_AFTER).cloned();
        let most = wire::longest_reply(texts, self.spec.dim);
        let mut reply = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(broken)? {
            reply.extend_from_slice(&piece);
            if reply.len() > most {
                return Err(Failure::for_good(format!(
                    "HTTP {status}, then a body of more than {most} bytes"
                )));
            }
        }
        if let Some(key) = &self.key
            && reply.windows(key.len()).any(|part| part == key.as_bytes())
        {
            reply = String::from_utf8_lossy(&reply).replace(key.as_str(), "[key]").into_bytes();
        }
        if !status.is_success() {
            return Err(Failure::of_status(status, &wire::said(&reply), retry_after.as_ref()));
        }
        wire::vectors(&reply, texts, self.spec.dim)
            .map_err(|what| Failure::for_good(format!("HTTP {status}, but {what}")))
    }
}
