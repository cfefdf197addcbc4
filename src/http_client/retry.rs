//! Decides which failures are retried, and after which wait: no connection, no reply in time, and the statuses 408,
//! 425, 429 and 5xx. Everything else is final, since the same request would fail again.

use std::hash::BuildHasher;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::secrets::RequestSecrets;

/// The maximum wait that we choose ourselves.
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// The maximum wait that a service may ask for.
const MAX_REQUESTED_WAIT: Duration = Duration::from_secs(300);

/// Why a request failed.
#[derive(Debug)]
pub struct AttemptFailure {
    pub message: String,
    /// Whether a retry may succeed.
    pub is_temporary: bool,
    /// Whether other requests should wait too (too many requests).
    pub delays_all: bool,
    retry_after: Option<Duration>,
}

impl AttemptFailure {
    pub fn permanent(message: String) -> Self {
        Self { message, is_temporary: false, delays_all: false, retry_after: None }
    }

    /// No reply, or an incomplete one.
    pub fn connection(error: reqwest::Error, timeout: Duration, secrets: &RequestSecrets) -> Self {
        let message = if error.is_timeout() {
            format!("no answer within {} s", timeout.as_secs_f64())
        } else {
            let error = anyhow::Error::new(error.without_url());
            // The outermost error says little; the root cause has the reason.
            let cause = error.root_cause().to_string();
            format!("the connection failed: {}", secrets.redact_or_withhold(&cause, 0))
        };
        Self { message, is_temporary: true, delays_all: false, retry_after: None }
    }

    /// `retry_after` is the wait that the service asks for.
    pub fn from_status(status: StatusCode, said: &str, retry_after: Option<Duration>) -> Self {
        let is_temporary = status.is_server_error()
            || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS]
                .contains(&status);
        Self {
            message: format!("HTTP {status}: {said}"),
            is_temporary,
            delays_all: status == StatusCode::TOO_MANY_REQUESTS,
            retry_after,
        }
    }
}

/// The wait before attempt number `tries + 1`.
///
/// # Errors
/// The service asks for a longer wait than we allow.
pub fn wait_before(
    tries: u32,
    first_wait: Duration,
    failure: &AttemptFailure,
) -> Result<Duration, String> {
    match failure.retry_after {
        Some(wait) if wait > MAX_REQUESTED_WAIT => Err(format!(
            "it asks to wait {}, and {} s is the longest we do: run the command again later",
            match wait.as_secs() {
                seconds if seconds < 1_000_000 => format!("{seconds} s"),
                _ => "more than a million seconds".to_owned(),
            },
            MAX_REQUESTED_WAIT.as_secs()
        )),
        Some(wait) => Ok(wait),
        None => {
            // The exponent is capped so that the shift cannot overflow.
            let wait = first_wait.saturating_mul(1 << (tries - 1).min(16)).min(MAX_BACKOFF);
            // Half of the wait is random, so that requests that failed together are not retried together.
            let chance = std::hash::RandomState::new().hash_one(tries) as f64 / u64::MAX as f64;
            Ok(wait.mul_f64(0.5 + 0.5 * chance))
        }
    }
}

/// The wait that a reply asks for: `retry-after-ms` of Azure and OpenAI, which is finer, otherwise `Retry-After`.
pub fn requested_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let milliseconds = ["retry-after-ms", "x-ms-retry-after-ms"].into_iter().find_map(text);
    let milliseconds = milliseconds.and_then(|ms| seconds(ms.trim().parse::<f64>().ok()? / 1000.0));
    milliseconds.or_else(|| parse_retry_after(text(RETRY_AFTER.as_str())?, SystemTime::now()))
}

/// A duration of this many seconds, capped at the maximum.
fn seconds(seconds: f64) -> Option<Duration> {
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// Parses a number of seconds or a date.
fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(number) = value.trim().parse::<f64>() {
        return seconds(number);
    }
    let date = chrono::DateTime::parse_from_rfc2822(value.trim()).ok()?;
    let then = u64::try_from(date.timestamp()).ok()?;
    let now = now.duration_since(UNIX_EPOCH).ok()?;
    Some(Duration::from_secs(then).saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(1_445_412_400);
        let parse = |v| parse_retry_after(v, now);
        assert_eq!(parse("7"), Some(Duration::from_secs(7)));
        assert_eq!(parse("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(parse("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(80)));
        assert_eq!(parse("Wed, 21 Oct 2014 07:28:00 GMT"), None, "no Wednesday");
        assert_eq!(parse("Mon, 01 Jan 2001 00:00:00 GMT"), Some(Duration::ZERO), "gone by");
        assert_eq!(parse("-1"), None);
        assert_eq!(parse("NaN"), None);
        assert_eq!(parse("1e300"), Some(Duration::MAX), "not nothing");
        assert_eq!(parse("inf"), Some(Duration::MAX));
        assert_eq!(parse("soon"), None);
    }

    #[test]
    fn milliseconds_come_before_seconds() {
        let wait = |named: &[(&'static str, &'static str)]| {
            let headers = named.iter().map(|(name, value)| {
                (reqwest::header::HeaderName::from_static(name), value.parse().unwrap())
            });
            requested_wait(&headers.collect())
        };
        assert_eq!(wait(&[("retry-after-ms", "3000")]), Some(Duration::from_secs(3)));
        assert_eq!(
            wait(&[("retry-after-ms", "250"), ("retry-after", "1")]),
            Some(Duration::from_millis(250))
        );
        assert_eq!(wait(&[("x-ms-retry-after-ms", "12.5")]), Some(Duration::from_micros(12_500)));
        assert_eq!(
            wait(&[("retry-after-ms", "soon"), ("retry-after", "2")]),
            Some(Duration::from_secs(2))
        );
        assert_eq!(wait(&[("retry-after-ms", "1e300")]), Some(Duration::MAX));
        assert_eq!(wait(&[]), None);
        let failure =
            AttemptFailure::from_status(StatusCode::TOO_MANY_REQUESTS, "", Some(Duration::MAX));
        let why = wait_before(1, Duration::from_millis(1), &failure).unwrap_err();
        assert!(why.starts_with("it asks to wait more than a million seconds"), "{why}");
    }

    #[test]
    fn waits_double_and_end() {
        let failure = AttemptFailure::from_status(StatusCode::BAD_GATEWAY, "", None);
        for (tries, most) in [(1, 0.5), (2, 1.0), (4, 4.0), (60, 30.0)] {
            let wait =
                wait_before(tries, Duration::from_millis(500), &failure).unwrap().as_secs_f64();
            assert!((0.5 * most..=most).contains(&wait), "{tries}: {wait}");
        }
    }
}
