//! JSON over HTTP to a service of the user's: many requests, a few at a time, each tried again where that can
//! help. Async stays in this file; what comes back is handed out as it arrives.
//!
//! Tried again, after a wait that doubles: no connection, no answer in time, and the statuses that say so
//! (408, 425, 429, 500, 502, 503, 504). Anything else is final, since asking again would change nothing.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tokio::task::JoinSet;

/// The wait before the second try, unless the service names one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// No wait is longer, whatever the service asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Characters of an answer that a message shows.
const SHOWN: usize = 300;

/// Where requests go, and how patiently.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    pub url: String,
    /// For one try, from connecting to the last byte.
    pub timeout: Duration,
    /// After the first.
    pub retries: u32,
    /// Requests under way at once.
    pub concurrency: usize,
    /// Sent as `Authorization: Bearer ...`, and shown nowhere.
    pub token: Option<String>,
}

impl Endpoint {
    /// Posts each of `bodies` and hands its place and the answer's bytes to `take` as they arrive. The first
    /// request that fails for good, or that `take` refuses, ends all.
    ///
    /// # Errors
    /// As told at the top; the message names the address, the tries and what the service said.
    pub fn post_all(
        &self,
        bodies: Vec<String>,
        mut take: impl FnMut(usize, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let url = reqwest::Url::parse(&self.url)
            .with_context(|| format!("`{}` is no address", self.url))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = reqwest::Client::builder().timeout(self.timeout).build()?;
        runtime.block_on(async {
            let mut waiting = bodies.into_iter().enumerate();
            let mut under_way = JoinSet::new();
            loop {
                while under_way.len() < self.concurrency.max(1)
                    && let Some((at, body)) = waiting.next()
                {
                    let (client, url, endpoint) = (client.clone(), url.clone(), self.clone());
                    under_way.spawn(async move { (at, endpoint.post(&client, url, body).await) });
                }
                let Some(joined) = under_way.join_next().await else {
                    return Ok(());
                };
                let (at, answer) = joined.context("a request broke off")?;
                let answer = answer.with_context(|| format!("{} does not answer", self.url))?;
                take(at, &answer)
                    .with_context(|| format!("{} answers otherwise than it should", self.url))?;
            }
        })
    }

    async fn post(
        &self,
        client: &reqwest::Client,
        url: reqwest::Url,
        body: String,
    ) -> anyhow::Result<Vec<u8>> {
        let mut wait = FIRST_WAIT;
        for attempt in 0.. {
            let mut request = client
                .post(url.clone())
                .header("content-type", "application/json")
                .header("accept", "application/json");
            if let Some(token) = &self.token {
                request = request.bearer_auth(token);
            }
            let (problem, asked) = match self.attempt(request.body(body.clone())).await {
                Attempt::Answer(bytes) => return Ok(bytes),
                Attempt::Final(problem) => bail!("{problem}"),
                Attempt::Again(problem, asked) => (problem, asked),
            };
            if attempt >= self.retries {
                let tries = attempt + 1;
                bail!("{tries} {}: {problem}", if tries == 1 { "try" } else { "tries, the last" });
            }
            tokio::time::sleep(asked.unwrap_or(wait).min(LONGEST_WAIT)).await;
            wait *= 2;
        }
        Err(anyhow!("no try was made"))
    }

    async fn attempt(&self, request: reqwest::RequestBuilder) -> Attempt {
        let failed = |error: reqwest::Error| {
            let seconds = self.timeout.as_secs_f64();
            let problem = match error.is_timeout() {
                true => format!("no answer within {seconds} s"),
                false => causes(&error),
            };
            // A request that cannot even be made would fail again.
            if error.is_builder() { Attempt::Final(problem) } else { Attempt::Again(problem, None) }
        };
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return failed(error),
        };
        let status = response.status();
        let asked =
            response.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
        let bytes = match response.bytes().await {
            Ok(bytes) => bytes,
            Err(error) => return failed(error),
        };
        if status.is_success() {
            return Attempt::Answer(bytes.into());
        }
        let mut text = shown(&bytes);
        if let Some(token) = self.token.as_ref().filter(|token| !token.is_empty()) {
            text = text.replace(token.as_str(), "***");
        }
        let problem = match text {
            text if text.is_empty() => format!("status {status}"),
            text => format!("status {status}: {text}"),
        };
        match status.as_u16() {
            408 | 425 | 429 | 500 | 502 | 503 | 504 => {
                Attempt::Again(problem, asked.map(Duration::from_secs))
            }
            _ => Attempt::Final(problem),
        }
    }
}

/// What became of one try.
enum Attempt {
    Answer(Vec<u8>),
    Final(String),
    /// Worth another try, after the time that the service asked for.
    Again(String, Option<Duration>),
}

/// An error with what caused it: the outermost alone says "error sending request".
fn causes(error: &reqwest::Error) -> String {
    let mut source = std::error::Error::source(error);
    let mut innermost = None;
    while let Some(cause) = source {
        innermost = Some(cause.to_string());
        source = cause.source();
    }
    innermost.unwrap_or_else(|| error.to_string())
}

/// The beginning of an answer, on one line.
pub fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
