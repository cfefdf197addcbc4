//! An HTTP client for JSON services of the user's: sends many requests, a few at a time, and retries them where that
//! can help. A secret must never reach another host or a message, and async code stays in this file. Replies are passed
//! on as they arrive.
//!
//! 1. A request that failed temporarily ([`retry`]) is sent again after an exponential wait with jitter, or after the
//!    wait that `Retry-After` names; a 429 delays all requests.
//! 2. After an error no further request starts; requests in progress are awaited and their replies passed on, so that
//!    no answered request has to be paid for twice.
//! 3. Secrets go into headers and bodies to the host of the address and nowhere else: replies that
//!    repeat them are redacted in messages ([`RequestSecrets`]), and redirects to another host are not followed.

mod retry;
mod secrets;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::task::JoinSet;
use tokio::time::Instant;

use retry::{AttemptFailure, requested_wait, wait_before};
pub use secrets::{
    RequestSecrets, address_secrets, display_wrong_address, names_a_secret, without_passwords,
};

/// The maximum number of characters of a reply that a message shows.
const MAX_SHOWN_CHARS: usize = 300;

/// Bytes of an error reply that are searched for secrets, many more than are shown.
const MAX_SCANNED_BYTES: usize = 1 << 16;

/// The maximum number of redirects of one request.
const MAX_REDIRECTS: usize = 5;

/// The address of a service, with limits and retries.
#[derive(Clone, Debug)]
pub struct JsonEndpoint {
    pub url: reqwest::Url,
    /// For one attempt, from connecting to the last byte of the reply.
    pub timeout: Duration,
    /// The maximum number of retries after the first attempt.
    pub retries: u32,
    /// The approximate wait before the first retry.
    pub first_wait: Duration,
    /// The maximum number of simultaneous requests.
    pub concurrency: usize,
    /// Sent with each request, in addition to the content headers for JSON.
    pub headers: HeaderMap,
    /// The parts of a request that must never be shown.
    pub secrets: RequestSecrets,
    /// The maximum size of a reply in bytes.
    pub max_reply_bytes: usize,
}

/// Builds request headers from names and values, and from a key as `Authorization: Bearer KEY`.
///
/// # Errors
/// An invalid header name or value; the value is not shown.
pub fn headers(named: &[(String, String)], bearer: Option<&str>) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let bearer = bearer.map(|key| ("authorization".to_owned(), format!("Bearer {key}")));
    for (name, value) in named.iter().chain(&bearer) {
        let name: HeaderName =
            name.parse().with_context(|| format!("{name:?} cannot be the name of a header"))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            anyhow!("the value of the header {name} has characters that a header cannot have")
        })?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// An address as it may be shown and stored: without user, password and query, which may be secret.
pub fn without_query(url: &reqwest::Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    // An address without a host, such as `mailto:`, has no parts of which only one is secret.
    if shown.set_username("").is_err() || shown.set_password(None).is_err() {
        return format!("{}:...", shown.scheme());
    }
    shown.to_string()
}

/// A request that failed for good, and why.
#[derive(Debug)]
pub struct JsonRequestError {
    /// The index of its body.
    pub index: usize,
    pub reason: String,
}

/// The default wait before the first retry.
pub const FIRST_RETRY_WAIT: Duration = Duration::from_millis(500);

/// Parses a web address.
///
/// # Errors
/// An address that is not http or https, or one that contains a password.
pub fn parse_address(url: &str) -> anyhow::Result<reqwest::Url> {
    let url = reqwest::Url::parse(url).context("not an address")?;
    ensure!(["http", "https"].contains(&url.scheme()), "not an http or https address");
    ensure!(
        url.username().is_empty() && url.password().is_none(),
        "an address must not contain a password: name a variable in api_key_env"
    );
    Ok(url)
}

impl JsonEndpoint {
    /// The address as messages show it.
    pub fn display_address(&self) -> String {
        self.secrets.redact(&without_query(&self.url))
    }

    /// Posts each of `bodies`, and passes its index and the reply to `take` as replies arrive. A reply that `take`
    /// rejects counts as failed, like one that the service rejects.
    ///
    /// # Errors
    /// The inner error is the failed request with the smallest index; outer errors are those of this machine.
    pub fn post_all(
        &self,
        bodies: impl Iterator<Item = Vec<u8>>,
        mut take: impl FnMut(usize, &[u8]) -> Result<(), String>,
    ) -> anyhow::Result<Result<(), JsonRequestError>> {
        let line = Arc::new(JsonRequestSender {
            client: reqwest::Client::builder()
                .user_agent(concat!("knockon/", env!("CARGO_PKG_VERSION")))
                .timeout(self.timeout)
                // Both would disclose the address with its query to another host.
                .referer(false)
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
            endpoint: JsonEndpoint {
                secrets: self.secrets.clone().with_query_of(&self.url),
                ..self.clone()
            },
            not_before: Mutex::new(Instant::now()),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut waiting = bodies.enumerate();
            let mut under_way = JoinSet::new();
            let mut given_up: Option<JsonRequestError> = None;
            loop {
                while given_up.is_none()
                    && under_way.len() < self.concurrency.max(1)
                    && let Some((at, body)) = waiting.next()
                {
                    let line = line.clone();
                    under_way.spawn(async move { (at, line.send(&body).await) });
                }
                let Some(ended) = under_way.join_next().await else { break };
                let (at, reply) = ended.context("a request ended unexpectedly")?;
                let bytes = reply.as_ref().map_or(0, Vec::len);
                let secrets = &line.endpoint.secrets;
                // Only what was made of the reply: the words of a failed request hold no secret, and a key that is an
                // ordinary word would cut them.
                let taken = reply.and_then(|reply| {
                    take(at, &reply).map_err(|what| secrets.redact_or_withhold(&what, bytes))
                });
                if let Err(what) = taken
                    // The smallest index is reported, so that the message does not depend on the order of arrival.
                    && given_up.as_ref().is_none_or(|first| at < first.index)
                {
                    given_up = Some(JsonRequestError { index: at, reason: what });
                }
            }
            Ok(given_up.map_or(Ok(()), Err))
        })
    }
}

/// The state that all requests share.
struct JsonRequestSender {
    client: reqwest::Client,
    endpoint: JsonEndpoint,
    /// The earliest time of the next request, set by a 429.
    not_before: Mutex<Instant>,
}

impl JsonRequestSender {
    /// The reply, after as many attempts as needed and allowed.
    async fn send(&self, body: &[u8]) -> Result<Vec<u8>, String> {
        let JsonEndpoint { retries, first_wait, .. } = self.endpoint;
        let mut tries = 0;
        loop {
            // Waits here, before each attempt, for a delay that any request's 429 has set.
            let until = *self.not_before.lock().unwrap_or_else(|e| e.into_inner());
            tokio::time::sleep_until(until).await;
            tries += 1;
            let failure = match self.attempt(body).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            if !failure.is_temporary {
                return Err(failure.message);
            }
            if tries > retries {
                return Err(match tries {
                    1 => failure.message,
                    n => format!("{} (the last of {n} attempts)", failure.message),
                });
            }
            let wait = wait_before(tries, first_wait, &failure)
                .map_err(|why| format!("{}; {why}", failure.message))?;
            if failure.delays_all {
                let mut not_before = self.not_before.lock().unwrap_or_else(|e| e.into_inner());
                *not_before = (*not_before).max(Instant::now() + wait);
            } else {
                tokio::time::sleep(wait).await;
            }
        }
    }

    async fn attempt(&self, body: &[u8]) -> Result<Vec<u8>, AttemptFailure> {
        let JsonEndpoint { url, headers, secrets, timeout, max_reply_bytes: longest_reply, .. } =
            &self.endpoint;
        let broken = |e| AttemptFailure::connection(e, *timeout, secrets);
        let mut url = url.clone();
        let mut redirects = 0;
        let mut response = loop {
            let request = self
                .client
                .post(url.clone())
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .header(reqwest::header::ACCEPT, "application/json")
                .headers(headers.clone())
                .body(body.to_vec());
            let response = request.send().await.map_err(broken)?;
            if !response.status().is_redirection() {
                break response;
            }
            redirects += 1;
            url = redirect_target(&url, &response, redirects).map_err(|why| {
                AttemptFailure::permanent(format!(
                    "HTTP {}: {}",
                    response.status(),
                    secrets.redact_or_withhold(&why, 0)
                ))
            })?;
        };
        let status = response.status();
        let asked_wait = requested_wait(response.headers());
        let mut reply = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(broken)? {
            // Read in pieces, so that an oversized body is rejected before all of it is in memory.
            reply.extend_from_slice(&piece);
            if reply.len() > *longest_reply {
                return Err(AttemptFailure::permanent(format!(
                    "HTTP {status}, then a body of more than {longest_reply} bytes"
                )));
            }
        }
        match status.is_success() {
            true => Ok(reply),
            false => Err(AttemptFailure::from_status(
                status,
                &error_message(&reply, secrets),
                asked_wait,
            )),
        }
    }
}

/// The target of a redirect: the same request is sent there, provided that it stays on the host.
fn redirect_target(
    from: &reqwest::Url,
    response: &reqwest::Response,
    count: usize,
) -> Result<reqwest::Url, String> {
    let status = response.status();
    let location = response.headers().get(reqwest::header::LOCATION);
    let to = location.and_then(|to| from.join(to.to_str().ok()?).ok());
    let Some(to) = to else {
        return Err("a redirect without a target".to_owned());
    };
    let shown = without_query(&to);
    // 303 and similar ask for a GET of another resource, without the body.
    if ![301, 302, 307, 308].contains(&status.as_u16()) {
        return Err(format!("it refers to {shown}, which is not where texts are posted to"));
    }
    // An upgrade from http to https with the default ports stays on the host.
    let upgraded = from.scheme() == "http"
        && to.scheme() == "https"
        && from.port().is_none()
        && to.port().is_none();
    let same_place =
        from.scheme() == to.scheme() && from.port_or_known_default() == to.port_or_known_default();
    if from.host() != to.host() || !(same_place || upgraded) || has_user(&to) {
        return Err(format!(
            "it redirects to {shown}, and texts and keys are not sent on to another host: if that is the right \
             address, write it as `url`"
        ));
    }
    if count > MAX_REDIRECTS {
        return Err(format!("more than {MAX_REDIRECTS} redirects, the last to {shown}"));
    }
    Ok(to)
}

fn has_user(url: &reqwest::Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// The content of an error reply: its message if it has one, otherwise its beginning; without secrets.
fn error_message(reply: &[u8], secrets: &RequestSecrets) -> String {
    let message = serde_json::from_slice::<serde_json::Value>(reply).ok().and_then(|json| {
        let error = json.get("error").unwrap_or(&json);
        let text = error.get("message").or(error.get("detail")).unwrap_or(error);
        text.as_str().map(str::to_owned)
    });
    let shown = |text: &str| {
        let shown = secrets.redact_or_withhold(text, reply.len());
        // Again, since the excerpt leaves out characters, which may have stood within a secret.
        secrets.redact_or_withhold(&excerpt(shown.as_bytes(), MAX_SHOWN_CHARS), reply.len())
    };
    match message {
        Some(message) => shown(&message),
        None if reply.is_empty() => "nothing more".to_owned(),
        None => shown(&String::from_utf8_lossy(&reply[..reply.len().min(MAX_SCANNED_BYTES)])),
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
