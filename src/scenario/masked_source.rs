//! Masks secrets in the text of a scenario, so that mistakes can quote its lines.
//!
//! Nothing here parses YAML: a file whose syntax is wrong is quoted as well. Names followed by a colon are searched,
//! and what comes after a name that may hold a secret is masked, rather too much than too little. The text keeps its
//! length, so that spans remain valid.

use std::ops::Range;

use super::yaml_extent::{ValueExtent, YamlEntry, next_entry, value_extent};
use crate::environment::is_variable_name;
use crate::http_client::{address_secrets, names_a_secret, without_passwords};

/// Endings of words that say that a value is secret.
const SECRET_ENDINGS: [&str; 13] = [
    "key",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "authorization",
    "bearer",
    "credential",
    "credentials",
    "signature",
    "cookie",
];
/// Names of addresses.
const ADDRESS_WORDS: [&str; 8] =
    ["url", "uri", "address", "endpoint", "host", "base", "dsn", "proxy"];
/// Maps whose keys the user makes up, for a request's body.
const BODIES: [&str; 3] = ["body", "query_body", "passage_body"];
/// Nested names that are looked at. What is nested deeper is masked.
const MAX_DEPTH: usize = 32;

/// What the names in a part of the text stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameMeaning {
    Setting,
    /// In `tables`, where `key` is a column.
    Table,
    /// Headers, whose values are all masked.
    Header,
    /// Keys of a request's body.
    Body,
}

/// `source` with asterisks in place of secrets: the values of headers and of names that say so, the user, the password
/// and the query of addresses, and what stands in place of a variable's name but is none.
pub(super) fn masked(source: &str) -> String {
    let mut text = SourceMasker { source, out: without_passwords(source).into_bytes() };
    text.mask_entries(0..source.len(), NameMeaning::Setting, 0);
    String::from_utf8(text.out).unwrap_or_default()
}

/// Whether the value of a setting may be secret, or hold one.
pub(super) fn may_hold_secret(setting: &str) -> bool {
    let words = words(setting);
    setting == "headers"
        || BODIES.contains(&setting)
        || words.last().is_some_and(|word| word == "env" || ADDRESS_WORDS.contains(&word.as_str()))
        || (setting != "key" && is_secret_name(setting, &words, NameMeaning::Setting))
}

struct SourceMasker<'a> {
    source: &'a str,
    out: Vec<u8>,
}

impl SourceMasker<'_> {
    /// Masks the secret values of the entries in a part of the text.
    fn mask_entries(&mut self, part: Range<usize>, meaning: NameMeaning, depth: usize) {
        let mut from = part.start;
        while let Some(entry) = next_entry(self.source, from..part.end) {
            from = self.mask_value(&entry, part.end, meaning, depth);
        }
    }

    /// Masks the value of an entry if it is secret; returns where to look for the next entry.
    fn mask_value(
        &mut self,
        entry: &YamlEntry,
        end: usize,
        meaning: NameMeaning,
        depth: usize,
    ) -> usize {
        let name = entry.name(self.source);
        let words = words(name);
        let last = words.last().map_or("", String::as_str);
        let inside = match name {
            _ if meaning == NameMeaning::Header => NameMeaning::Header,
            "headers" => NameMeaning::Header,
            "tables" if depth == 0 => NameMeaning::Table,
            name if BODIES.contains(&name) => NameMeaning::Body,
            _ => meaning,
        };
        let names_variable = last == "env";
        let is_secret = !names_variable
            && (inside == NameMeaning::Header || is_secret_name(name, &words, meaning));
        let is_address = ADDRESS_WORDS.contains(&last);
        if !(is_secret || names_variable || is_address) && inside == meaning {
            return entry.after_colon;
        }
        let ValueExtent { range, has_entries } = value_extent(self.source, entry, end);
        if has_entries && depth < MAX_DEPTH {
            self.mask_entries(range.clone(), inside, depth + 1);
        } else if is_secret
            || has_entries
            || (BODIES.contains(&name) && inside != meaning)
            // A key that was pasted in place of the name of its variable.
            || (names_variable && !is_variable_name(unquoted(&self.source[range.clone()])))
        {
            self.fill(range.clone());
        } else if is_address {
            let address = &self.source[range.clone()];
            let start = range.end - address.trim_start_matches(['"', '\'', ' ']).len();
            for secret in
                address_secrets(self.source[start..range.end].trim_end_matches(['"', '\'']))
            {
                self.fill(start + secret.start..start + secret.end);
            }
        }
        range.end.max(entry.after_colon)
    }

    /// Replaces everything but white space and quotes by asterisks.
    fn fill(&mut self, range: Range<usize>) {
        let secret = &mut self.out[range];
        for byte in secret.iter_mut().filter(|byte| !b" \t\r\n\"'".contains(byte)) {
            *byte = b'*';
        }
    }
}

/// The words of a name, in lower case: `apiKey`, `api-key` and `API_KEY` have the same.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && after_small) {
            words.push(String::new());
        }
        after_small = c.is_lowercase();
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a name says that its value is secret.
fn is_secret_name(name: &str, words: &[String], meaning: NameMeaning) -> bool {
    match meaning {
        NameMeaning::Body if names_a_secret(name) => return true,
        // The column that identifies the rows, not a secret.
        NameMeaning::Table if name == "key" => return false,
        _ => {}
    }
    words
        .iter()
        .any(|word| word == "auth" || SECRET_ENDINGS.iter().any(|ending| word.ends_with(ending)))
}

fn unquoted(value: &str) -> &str {
    value.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each source contains the word `secret` or parts of it only where it has to be masked.
    #[test]
    fn secrets_are_masked_where_they_stand() {
        for source in [
            // Names that say so.
            "api_key: s3cr3t",
            "apiKey: s3cr3t # which",
            "API-KEY: 's3cr3t'",
            "\"access_token\": \"s3cr3t with \\\"quotes\\\" s3cr3t\"",
            "{kind: http, api_key: s3cr3t, model: m}",
            "{kind: http, \"api_key\":\"s3cr3t, s3cr3t\", model: m}",
            "api_key:s3cr3t",
            "authorization: Bearer s3cr3t, s3cr3t} s3cr3t",
            "Authorization: Basic s3cr3t",
            "password: |\n  s3cr3t\n\n  s3cr3t\nname: x",
            "password: >-\n  s3cr3t: s3cr3t\nname: x",
            "client_secret:\n  s3cr3t\nname: x",
            "client_secret: s3cr3t\n  s3cr3t\nname: x",
            "client_secret: \"s3cr3t\n  s3cr3t\"\nname: x",
            "tokens: 3\napi_token: &a s3cr3t",
            "api_token: !!str s3cr3t",
            "my_keys: x\nkey: s3cr3t",
            "api_key: [s3cr3t, s3cr3t]",
            "api_keys: x\napi_key:\n- s3cr3t\n- s3cr3t\nname: x",
            "auth: s3cr3t",
            "# api_key: s3cr3t",
            "api_key: \"s3cr3t",
            "api_key: \u{fc}s3cr3t\u{1b}",
            "- api_key: s3cr3t\n  model: m",
            "tables: {t: {file: f, key: c, password: s3cr3t}}",
            "tables: {t: {file: f}}\nkey: s3cr3t",
            // Headers.
            "headers: {x-org: s3cr3t, y: [s3cr3t], z: {deep: s3cr3t}}",
            "headers:\n  x-org: s3cr3t\n  body: s3cr3t\nname: x",
            "headers: {\n  x-org: s3cr3t,\n  y: 's3cr3t'\n}\nname: x",
            "headers: {\n  x-org: s3cr3t,\n  y: s3cr3t\nname: x",
            "headers: s3cr3t",
            "headers: [s3cr3t]",
            "{headers: {s3cr3t}, model: m}",
            "{body: s3cr3t, model: m}",
            "headers:\n  - x-org: s3cr3t\n  - y: s3cr3t\nname: x",
            "{headers: {x-org: \"s3cr3t } s3cr3t\"}, model: m}",
            // Bodies.
            "body: {user: u, code: s3cr3t, key: s3cr3t}",
            "query_body:\n  passcode: s3cr3t",
            // Addresses.
            "url: http://me:s3cr3t s3cr3t@host/v1",
            "url: \"me:s3cr3t s3cr3t@host/v1\"",
            "{url: 'http://me:s3cr3t''s3cr3t@host/v1', model: m}",
            "url: \"http://me:s3cr3t\\\"s3cr3t@host/v1\"",
            "base_url: http://host/v1?a=s3cr3t&b=s3cr3t",
            "model: http://host/v1?a=s3cr3t",
            "endpoint: http://host/v1#s3cr3t",
            // What stands in place of a variable's name.
            "api_key_env: sk-s3cr3t",
            "url_env: \"http://s3cr3t\"",
            "{api_key_env: s3cr3t-1, model: m}",
            "headers: {x: {env: s3cr3t-1}}",
            "headers: {x: {ENV: \"s3cr3t 1\"}}",
        ] {
            let shown = masked(source);
            assert!(!shown.contains("s3cr3t"), "{source}\n{shown}");
            assert_eq!(shown.len(), source.len(), "{source}\n{shown}");
            assert_eq!(shown.matches('\n').count(), source.matches('\n').count());
            for kept in ["model: m", "name: x", "tokens: 3", "my_keys: x", "user: u", "key: c"] {
                assert_eq!(shown.contains(kept), source.contains(kept), "{source}\n{shown}");
            }
        }
    }

    #[test]
    fn everything_else_is_shown() {
        for source in [
            "tables:\n  vendors: {file: vendors.csv, key: vendor}\nname: x",
            "api_key_env: OPENAI_API_KEY",
            "{url_env: \"DATABASE_URL\", headers: {api-key: {env: AZURE_KEY}}}",
            "headers:\n  api-key: {env: AZURE_KEY}",
            "passages: passages.jsonl\npassage_prefix: \"passage: \"",
            "max_tokens: 8\ntokens: [a: b]\nsignals: 3\nkeys: [1]",
            "url: http://127.0.0.1:9/v1 # the gateway",
            "{kind: http, url: \"https://api.openai.com/v1\", model: m, dim: 3}",
            "query: \"when is {{ task.order }} due?\"",
            "- {if: task.today <= task.end.minus(notice), do: cancel}",
            "body: {input_type: query, options: [1, {deep: true}]}",
            "",
            ":",
            "::\n: :\n\u{e4}: \u{f6}",
        ] {
            assert_eq!(masked(source), source);
        }
    }

    #[test]
    fn a_wrong_file_is_masked_in_linear_time() {
        let start = std::time::Instant::now();
        for part in
            ["api_key: {\n", "{key:", "a:", "headers: [", "url: \"http://a:b?\n", "'", "key: |\n"]
        {
            let source = part.repeat(50_000 / part.len());
            assert_eq!(masked(&source).len(), source.len());
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "{:?}", start.elapsed());
    }
}
