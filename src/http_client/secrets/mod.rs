//! Redacts the secrets of requests from everything that is shown. A message must never contain a secret or a part of
//! one.
//!
//! A reply may repeat a secret literally, in full-width letters, or with the escapes of JSON (once or twice), of a
//! URL, or of HTML. So texts are compared character by character, each in any of its spellings.

mod addresses;
mod escapes;
mod fragments;

use std::fmt;

pub use addresses::{address_secrets, display_wrong_address, without_passwords};
use fragments::SecretFragments;
use unicode_normalization::UnicodeNormalization;

/// The replacement for a secret.
const REDACTED: &str = "[key]";
/// The number of characters of a secret that disclose it if a text ends before the rest. A shorter value is not a
/// secret but the placeholder that local servers require, and redacting it would damage ordinary words.
const MIN_SECRET_CHARS: usize = 4;
/// Parts of the names of headers and query parameters whose values are secret.
const SECRET_NAME_PARTS: [&str; 7] = ["key", "token", "secret", "sig", "pass", "auth", "code"];

/// Whether a value with this name is secret.
pub fn names_a_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET_NAME_PARTS.iter().any(|part| name.contains(part))
}

/// Texts that must not be shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RequestSecrets {
    /// The longest first.
    whole: Vec<String>,
    fragments: SecretFragments,
}

impl fmt::Debug for RequestSecrets {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} secrets", self.whole.len())
    }
}

impl RequestSecrets {
    pub fn new(secrets: impl IntoIterator<Item = String>) -> RequestSecrets {
        let mut all = RequestSecrets::default();
        for secret in secrets {
            all.add(secret);
        }
        all
    }

    fn add(&mut self, secret: String) {
        // In `Bearer KEY` the key is also a secret, and in `Basic KEY` so is the text that it encodes.
        let key = secret.split_once(' ').map(|(scheme, key)| (scheme, key.trim().to_owned()));
        let encoded = key.as_ref().filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        let encoded = encoded.and_then(|(_, key)| fragments::decoded(key));
        let password = encoded.as_ref().and_then(|pair| Some(pair.split_once(':')?.1.to_owned()));
        let parts = match &key {
            Some((scheme, key)) if scheme.chars().all(char::is_alphabetic) => key,
            _ => &secret,
        };
        for secret in [Some(parts), password.as_ref()].into_iter().flatten() {
            if is_long_enough(secret) {
                self.fragments.add(secret);
            }
        }
        let key = key.map(|(_, key)| key);
        for secret in [Some(secret), key, encoded, password].into_iter().flatten() {
            self.add_whole(secret);
        }
    }

    fn add_whole(&mut self, secret: String) {
        if is_long_enough(&secret) && !self.whole.contains(&secret) {
            self.whole.push(secret);
        }
        // A secret that is a prefix of another must come after it.
        self.whole.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// Adds the query of an address: the whole query, and the values whose names mark them as secret.
    pub fn with_query_of(mut self, url: &reqwest::Url) -> RequestSecrets {
        for (_, value) in url.query_pairs().filter(|(name, _)| names_a_secret(name)) {
            self.add(value.into_owned());
        }
        // Other values, such as an API version, may be needed in messages, so they are not secrets by themselves.
        self.add_whole(url.query().unwrap_or_default().to_owned());
        self
    }

    /// `text`, from a reply of this many bytes, with secrets redacted; a notice instead if the text repeats a secret in
    /// part, backwards or encoded.
    pub fn redact_or_withhold(&self, text: &str, bytes: usize) -> String {
        let cut = self.redact(text);
        match self.fragments.occur_in(&cut) {
            true => format!(
                "the reply of {bytes} bytes is not shown, since it repeats a secret in part or in another form"
            ),
            false => cut,
        }
    }

    /// `text` with whole secrets redacted.
    pub fn redact(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            match self.whole.iter().find_map(|secret| matched_length(rest, secret)) {
                Some(length) => {
                    out.push_str(REDACTED);
                    rest = &rest[length..];
                }
                None => {
                    out.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        out
    }
}

fn is_long_enough(secret: &str) -> bool {
    secret.trim().chars().count() >= MIN_SECRET_CHARS
}

/// The number of bytes at the start of `text` that spell `secret`. A secret may also be cut short by the end of the
/// text or by an ellipsis.
fn matched_length(text: &str, secret: &str) -> Option<usize> {
    // The end of each possible reading so far: a run of backslashes can be read in several ways.
    let mut ends = vec![0];
    for (count, wanted) in secret.chars().enumerate() {
        let ended = |at: &&usize| text[**at..].is_empty() || text[**at..].starts_with('…');
        if let Some(at) = ends.iter().find(ended).filter(|_| count >= MIN_SECRET_CHARS) {
            return Some(*at);
        }
        let mut next = Vec::new();
        for at in ends {
            next.extend(spellings(&text[at..], wanted).into_iter().map(|length| at + length));
        }
        next.sort_unstable();
        next.dedup();
        ends = next;
    }
    ends.last().copied()
}

/// The lengths of all spellings of a character at the start of `text`, in bytes.
fn spellings(text: &str, wanted: char) -> Vec<usize> {
    let backslashes = text.bytes().take_while(|byte| *byte == b'\\').count();
    let mut lengths = Vec::new();
    if wanted == '\\' {
        // Each level of nested strings adds backslashes.
        lengths.extend(1..=backslashes);
    } else if text.starts_with(wanted) {
        lengths.push(wanted.len_utf8());
    }
    if let Some(first) = text.chars().next().filter(|first| !first.is_ascii() && *first != wanted)
        && std::iter::once(first).nfkc().eq([wanted])
    {
        lengths.push(first.len_utf8());
    }
    // Of several backslashes, the last one begins the escape.
    let before = backslashes.saturating_sub(1);
    let escape = escapes::escape(&text[before..]).filter(|found| found.code == u32::from(wanted));
    lengths.extend(escape.map(|found| before + found.length));
    if backslashes > 0 {
        let escape = json_escape(&text[backslashes..], wanted);
        lengths.extend(escape.map(|length| backslashes + length));
    }
    lengths.extend(percent(text, wanted));
    lengths.extend(entity(text, wanted));
    lengths
}

/// The length of a JSON escape after the backslash.
fn json_escape(text: &str, wanted: char) -> Option<usize> {
    let short = match wanted {
        '"' | '/' | '\'' => Some(wanted),
        '\u{8}' => Some('b'),
        '\u{c}' => Some('f'),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        _ => None,
    };
    if short.is_some_and(|short| text.starts_with(short)) {
        return Some(1);
    }
    let mut units = [0; 2];
    let mut at = 0;
    for (place, unit) in wanted.encode_utf16(&mut units).iter().enumerate() {
        let rest = &text[at..];
        let hex = match place {
            0 => rest.strip_prefix('u')?,
            _ => rest.trim_start_matches('\\').strip_prefix('u')?,
        };
        let digits = hex.get(..4)?;
        if u16::from_str_radix(digits, 16).ok()? != *unit {
            return None;
        }
        at = text.len() - hex.len() + 4;
    }
    Some(at)
}

/// The length of a percent-encoded character.
fn percent(text: &str, wanted: char) -> Option<usize> {
    if wanted == ' ' && text.starts_with('+') {
        return Some(1);
    }
    let mut bytes = [0; 4];
    let mut at = 0;
    for byte in wanted.encode_utf8(&mut bytes).bytes() {
        let digits = text.get(at..)?.strip_prefix('%')?.get(..2)?;
        if u8::from_str_radix(digits, 16).ok()? != byte {
            return None;
        }
        at += 3;
    }
    Some(at)
}

/// The length of an HTML entity with a name.
fn entity(text: &str, wanted: char) -> Option<usize> {
    let name = match wanted {
        '"' => "&quot;",
        '\'' => "&apos;",
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '_' => "&lowbar;",
        '-' => "&hyphen;",
        _ => return None,
    };
    text.starts_with(name).then_some(name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(secret: &str, text: &str) -> String {
        RequestSecrets::new([secret.to_owned()]).redact(text)
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let secret = "a\"b/ü\\𝄞&c";
        for text in [
            "a\"b/ü\\𝄞&c",
            r#"a\"b\/ü\\𝄞&c"#,
            r#"a\"b/\u00fc\\\ud834\udd1e\u0026c"#,
            r#"a\\\"b/\\u00FC\\\\𝄞&c"#,
            "a%22b%2F%C3%BC%5c%F0%9D%84%9E%26c",
            "a&quot;b/&#252;\\&#x1D11E;&amp;c",
            r"\u0061\u0022\u0062\u002f\u00fc\u005c\uD834\uDD1E\u0026\u0063",
            r"\x61\x22\x62/\u{fc}\x5c𝄞\x26\143",
            r"\\x61\\x22\\x62/ü\\𝄞&\\x63",
            "ａ＂ｂ／ü＼𝄞＆ｃ",
            "&#00000000097;&#x0000000000022;b/ü\\&#0000119070;&#38c",
        ] {
            assert_eq!(cut(secret, &format!("<{text}>")), "<[key]>", "{text}");
        }
        assert_eq!(cut(secret, "a\"b/ü\\𝄞&d"), "a\"b/ü\\𝄞&d");
    }

    #[test]
    fn a_truncated_secret_is_redacted_too() {
        assert_eq!(cut("sk-very-secret", "the key sk-very-se…"), "the key [key]…");
        assert_eq!(cut("sk-very-secret", "the key sk-very"), "the key [key]");
        assert_eq!(cut("sk-very-secret", "the task sk"), "the task sk");
        assert_eq!(cut("sk-very-secret", "sk-verysecret"), "sk-verysecret");
    }

    #[test]
    fn the_longest_secret_is_redacted_first() {
        let secrets = ["Bearer abcdef", "abcd", " ", "x"].map(str::to_owned);
        let secrets = RequestSecrets::new(secrets);
        assert_eq!(
            secrets.redact("abcdef, abcd, Bearer abcdef, Bearer x"),
            "[key], [key], [key], Bearer x"
        );
        assert!(!format!("{secrets:?}").contains("abc"));
    }

    #[test]
    fn a_partial_secret_withholds_the_text() {
        let key = "sk-Proj_4fT9xQ2mLw7Zr8";
        let secrets =
            RequestSecrets::new([format!("Bearer {key}"), "Basic bWU6aHVudGVyMi1sb25n".to_owned()]);
        for (text, shown) in [
            (format!("the key {key} is unknown"), Some("the key [key] is unknown")),
            ("use Bearer sk-..., not this".to_owned(), Some("use Bearer sk-..., not this")),
            ("the key ...Q2mLw7Zr8 is unknown".to_owned(), None),
            ("who is me:hunter2-long?".to_owned(), Some("who is [key]?")),
            ("no hunter2-long".to_owned(), Some("no [key]")),
            ("no gnol-2retnuh".to_owned(), None),
        ] {
            let found = secrets.redact_or_withhold(&text, 99);
            match shown {
                Some(shown) => assert_eq!(found, shown),
                None => assert!(found.starts_with("the reply of 99 bytes is not shown"), "{found}"),
            }
        }
    }

    #[test]
    fn a_query_is_secret_and_its_version_is_not() {
        let url = "http://h/v1?api-version=2024-02-01&api_key=s3cr%2Fet".parse().unwrap();
        let secrets = RequestSecrets::default().with_query_of(&url);
        assert_eq!(
            secrets.redact("version 2024-02-01, key s3cr/et"),
            "version 2024-02-01, key [key]"
        );
        assert_eq!(
            secrets.redact("POST /v1?api-version=2024-02-01&api_key=s3cr%2Fet"),
            "POST /v1?[key]"
        );
    }
}
