//! JSON over HTTP to a service of the user's: many requests, a few at a time, each tried again where that can
//! help. Async stays in this file; what comes back is handed out as it arrives.
//!
//! 1. A request that failed for now ([`retry`]) is made again after a growing, jittered wait, or the one that
//!    `Retry-After` names; a 429 holds up all requests.
//! 2. After an error no further request starts; those under way are awaited and handed out, so that none that
//!    was answered has to be paid for twice.
//! 3. The key goes into one header and nowhere else: replies that repeat it are redacted.

mod retry;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::task::JoinSet;
use tokio::time::Instant;

use retry::{Failure, wait_before};

/// Characters of a reply that a message shows.
const SHOWN: usize = 300;

/// Where requests go, and how patiently.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    pub url: reqwest::Url,
    /// For one try, from connecting to the last byte of the reply.
    pub timeout: Duration,
    /// After the first.
    pub retries: u32,
    /// The wait before the first of them, about.
    pub first_wait: Duration,
    /// Requests under way at once.
    pub concurrency: usize,
    /// Sent as `Authorization: Bearer ...`, and shown nowhere.
    pub token: Option<String>,
    /// Bytes that a reply may have.
    pub longest_reply: usize,
}

/// Why a request is given up, and which.
#[derive(Debug)]
pub struct Refused {
    /// Its place among the bodies.
    pub at: usize,
    pub what: String,
}

/// The wait before a second try, unless the service names one.
pub const FIRST_WAIT: Duration = Duration::from_millis(500);

/// A web address.
///
/// # Errors
/// Another address than http or https, or one with a password in it.
pub fn address(url: &str) -> anyhow::Result<reqwest::Url> {
    let url = reqwest::Url::parse(url).context("not an address")?;
    ensure!(["http", "https"].contains(&url.scheme()), "not an http or https address");
    ensure!(
        url.username().is_empty() && url.password().is_none(),
        "an address does not hold a password here: name a variable in api_key_env"
    );
    Ok(url)
}

/// The key in an environment variable.
///
/// # Errors
/// There is none.
pub fn key(variable: &str) -> anyhow::Result<String> {
    let key = std::env::var(variable).unwrap_or_default().trim().to_owned();
    ensure!(!key.is_empty(), "the environment variable {variable} (api_key_env) holds no key");
    Ok(key)
}

impl Endpoint {
    /// The address as messages name it: what follows a `?` may be secret.
    pub fn shown(&self) -> String {
        let mut shown = self.url.clone();
        shown.set_query(None);
        shown.to_string()
    }

    /// Posts each of `bodies`, and hands its place and the reply to `take` as replies arrive. What `take`
    /// refuses is given up like what the service refuses.
    ///
    /// # Errors
    /// The first of the requests that are given up. Outer errors are of this machine.
    pub fn post_all(
        &self,
        bodies: impl Iterator<Item = Vec<u8>>,
        mut take: impl FnMut(usize, &[u8]) -> Result<(), String>,
    ) -> anyhow::Result<Result<(), Refused>> {
        let line = Arc::new(Line {
            client: reqwest::Client::builder()
                .user_agent(concat!("knockon/", env!("CARGO_PKG_VERSION")))
                .timeout(self.timeout)
                .build()?,
            endpoint: self.clone(),
            not_before: Mutex::new(Instant::now()),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut waiting = bodies.enumerate();
            let mut under_way = JoinSet::new();
            let mut given_up: Option<Refused> = None;
            loop {
                while given_up.is_none()
                    && under_way.len() < self.concurrency.max(1)
                    && let Some((at, body)) = waiting.next()
                {
                    let line = line.clone();
                    under_way.spawn(async move { (at, line.ask(&body).await) });
                }
                let Some(ended) = under_way.join_next().await else { break };
                let (at, reply) = ended.context("a request ended unexpectedly")?;
                if let Err(what) = reply.and_then(|reply| take(at, &reply))
                    && given_up.as_ref().is_none_or(|first| at < first.at)
                {
                    given_up = Some(Refused { at, what });
                }
            }
            Ok(given_up.map_or(Ok(()), Err))
        })
    }
}

/// What all requests share.
struct Line {
    client: reqwest::Client,
    endpoint: Endpoint,
    /// Set by a 429 for all.
    not_before: Mutex<Instant>,
}

impl Line {
    /// The reply, after as many tries as it takes and is allowed.
    async fn ask(&self, body: &[u8]) -> Result<Vec<u8>, String> {
        let Endpoint { retries, first_wait, .. } = self.endpoint;
        let mut tries = 0;
        loop {
            let until = *self.not_before.lock().unwrap_or_else(|e| e.into_inner());
            tokio::time::sleep_until(until).await;
            tries += 1;
            let failure = match self.once(body).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            if !failure.for_now {
                return Err(failure.what);
            }
            if tries > retries {
                return Err(match tries {
                    1 => failure.what,
                    n => format!("{} (the last of {n} tries)", failure.what),
                });
            }
            let wait = wait_before(tries, first_wait, &failure)
                .map_err(|why| format!("{}; {why}", failure.what))?;
            if failure.holds_up_all {
                let mut not_before = self.not_before.lock().unwrap_or_else(|e| e.into_inner());
                *not_before = (*not_before).max(Instant::now() + wait);
            } else {
                tokio::time::sleep(wait).await;
            }
        }
    }

    async fn once(&self, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let Endpoint { url, token, timeout, longest_reply, .. } = &self.endpoint;
        let mut request = self
            .client
            .post(url.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .header(reqwest::header::ACCEPT, "application/json")
            .body(body.to_vec());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let broken = |e| Failure::on_the_way(e, *timeout);
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status();
        let retry_after = response.headers().get(reqwest::header::RETRY_AFTER).cloned();
        let mut reply = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(broken)? {
            reply.extend_from_slice(&piece);
            if reply.len() > *longest_reply {
                return Err(Failure::for_good(format!(
                    "HTTP {status}, then a body of more than {longest_reply} bytes"
                )));
            }
        }
        if let Some(key) = token.as_ref().filter(|key| !key.is_empty())
            && reply.windows(key.len()).any(|part| part == key.as_bytes())
        {
            reply = String::from_utf8_lossy(&reply).replace(key.as_str(), "[key]").into_bytes();
        }
        match status.is_success() {
            true => Ok(reply),
            false => Err(Failure::of_status(status, &said(&reply), retry_after.as_ref())),
        }
    }
}

/// What an error reply says: its message where it has one, else how it starts.
fn said(reply: &[u8]) -> String {
    let message = serde_json::from_slice::<serde_json::Value>(reply).ok().and_then(|json| {
        let error = json.get("error").unwrap_or(&json);
        let text = error.get("message").or(error.get("detail")).unwrap_or(error);
        text.as_str().map(str::to_owned)
    });
    match message {
        Some(message) => excerpt(message.as_bytes(), SHOWN),
        None if reply.is_empty() => "nothing more".to_owned(),
        None => excerpt(reply, SHOWN),
    }
}

/// The beginning of a reply, on one line: at most `most` characters.
pub fn excerpt(bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * most)]);
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(most) {
        line.truncate(end);
        line.push('…');
    }
    line.chars().filter(|c| !c.is_control()).collect()
}
