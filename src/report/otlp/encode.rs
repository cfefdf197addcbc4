//! Encodes attributes, identifiers and times in OTLP's JSON.
//!
//! This is Protobuf's JSON mapping with OTLP's exceptions: identifiers are lower-case hex, enums are numbers, and
//! 64-bit integers are strings. See
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.

use serde_json::{Value as Json, json};

/// A list of attributes in the order in which they were set.
#[derive(Default)]
pub struct OtlpAttributes(Vec<Json>);

impl OtlpAttributes {
    pub fn text(&mut self, key: &str, value: &str) {
        self.set(key, json!({"stringValue": value}));
    }

    /// Does nothing for `None`.
    pub fn text_if(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// Sets a value as JSON text: the conventions store structured values on spans as strings.
    pub fn json(&mut self, key: &str, value: &Json) {
        self.text(key, &value.to_string());
    }

    pub fn boolean(&mut self, key: &str, value: bool) {
        self.set(key, json!({"boolValue": value}));
    }

    pub fn integer(&mut self, key: &str, value: u64) {
        self.set(key, json!({"intValue": value.to_string()}));
    }

    /// Sets a number rounded to six decimals; does nothing for NaN and infinities, which JSON lacks.
    pub fn number(&mut self, key: &str, value: f64) {
        if value.is_finite() {
            self.set(key, json!({"doubleValue": six_decimals(value)}));
        }
    }

    pub fn texts(&mut self, key: &str, values: &[String]) {
        let values: Vec<Json> = values.iter().map(|v| json!({"stringValue": v})).collect();
        self.set(key, json!({"arrayValue": {"values": values}}));
    }

    fn set(&mut self, key: &str, value: Json) {
        self.0.push(json!({"key": key, "value": value}));
    }

    pub fn finish(self) -> Json {
        Json::Array(self.0)
    }
}

/// Rounds to six decimals, finer than any interval here; `+ 0.0` drops the sign of a negative zero.
pub fn six_decimals(value: f64) -> f64 {
    (value * 1e6).round() / 1e6 + 0.0
}

/// A hash of `parts` as `N` bytes in lower-case hex. It is never all zeros, which OTLP reserves for invalid
/// identifiers.
pub fn hashed_id<const N: usize>(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        // Length prefixes keep ("ab", "c") and ("a", "bc") apart.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bytes = [0; N];
    hasher.finalize_xof().fill(&mut bytes);
    // One bit set is enough for a valid identifier, and costs one bit of the hash.
    bytes[N - 1] |= 1;
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A Unix time in nanoseconds, as text, from milliseconds since 2000-01-01 00:00 UTC.
pub fn unix_nanos(milliseconds: u64) -> String {
    const Y2000: u64 = 946_684_800_000;
    format!("{}000000", Y2000 + milliseconds)
}
