//! Bounds how much longer a text becomes by the normalizers of a tokenizer.json. They are part of a model's files, and a
//! few that replace one letter by many would otherwise fill the memory with the first text.
//!
//! The bound is found backwards: the growth of a character through the last steps is known from the steps after the
//! first of these. So a chain of replacements of different characters, as model2vec writes one for each punctuation
//! mark, counts once, and a chain that replaces the same character counts each time.

use std::collections::BTreeMap;

use anyhow::bail;
use base64::Engine as _;
use serde_json::Value;

/// The most characters that one character of a text may become. The normalizers of published models make up to about
/// 50 of one.
const MAX_GROWTH: f64 = 200.0;

/// The most characters that any normal form of Unicode makes of one (U+FDFA in NFKC), and that lower case adds nothing
/// to.
const UNICODE_GROWTH: f64 = 18.0;

/// The most characters of one with the bytes of a text written as characters.
const BYTE_GROWTH: f64 = 4.0;

/// What one normalizer does to a text, as far as its length is concerned.
enum NormalizerStep {
    /// Replaces a text by another.
    Replace { pattern: String, content: String },
    /// Replaces matches of one character or more by a text.
    ReplaceMatches { content: String },
    /// Adds a text, in front of the text or at any place in it.
    Insert { content: String },
    /// Makes at most this many characters of each.
    Rewrite { growth: f64 },
}

/// How many characters the remaining steps make of one character.
struct CharacterGrowth {
    /// Of these characters.
    known: BTreeMap<char, f64>,
    /// Of all others.
    other: f64,
}

impl CharacterGrowth {
    fn of(&self, c: char) -> f64 {
        self.known.get(&c).copied().unwrap_or(self.other)
    }

    fn of_text(&self, text: &str) -> f64 {
        text.chars().map(|c| self.of(c)).sum()
    }

    fn largest(&self) -> f64 {
        self.known.values().copied().fold(self.other, f64::max)
    }

    /// Adds `extra` characters to what is made of each.
    fn add(&mut self, extra: f64) {
        self.known.values_mut().for_each(|growth| *growth += extra);
        self.other += extra;
    }

    /// Puts `step` before the steps that are known.
    fn precede(&mut self, step: &NormalizerStep) {
        match step {
            NormalizerStep::Replace { pattern, content } => {
                let length = pattern.chars().count().max(1) as f64;
                let each = self.of_text(content) / length;
                for c in pattern.chars() {
                    // Where the pattern has several characters, one of them may stand alone and stay.
                    let stays = if length > 1.0 { self.of(c) } else { 0.0 };
                    self.known.insert(c, each.max(stays));
                }
            }
            NormalizerStep::ReplaceMatches { content } => {
                let each = self.of_text(content);
                self.known.values_mut().for_each(|growth| *growth = growth.max(each));
                self.other = self.other.max(each);
            }
            NormalizerStep::Insert { content } => self.add(self.of_text(content)),
            NormalizerStep::Rewrite { growth } => {
                self.other = growth * self.largest();
                self.known.clear();
            }
        }
    }
}

/// Checks the normalizers of the parsed tokenizer.json.
///
/// # Errors
/// Normalizers by which a text may become too long; the message names the one that adds most.
pub(super) fn check(tokenizer: &Value) -> anyhow::Result<()> {
    let mut found = Vec::new();
    flatten("normalizer", &tokenizer["normalizer"], &mut found);
    let mut growth = CharacterGrowth { known: BTreeMap::new(), other: 1.0 };
    let mut most: Option<(f64, &str, &Value)> = None;
    let steps = steps(&found);
    for ((path, normalizer), step) in found.iter().zip(&steps).rev() {
        let after = growth.largest();
        growth.precede(step);
        let factor = growth.largest() / after;
        if most.is_none_or(|(largest, ..)| factor > largest) {
            most = Some((factor, path, normalizer));
        }
    }
    match most {
        Some((_, path, normalizer)) if growth.largest() > MAX_GROWTH => bail!(
            "tokenizer.json: the normalizers make up to {:.0} characters of one, `{path}` ({}) the most of them; \
             allowed: up to {MAX_GROWTH}",
            growth.largest(),
            normalizer["type"].as_str().unwrap_or_default()
        ),
        _ => Ok(()),
    }
}

/// The normalizers in the order in which they are applied, each with its path in the file.
fn flatten<'a>(path: &str, normalizer: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    match normalizer["normalizers"].as_array() {
        Some(parts) => {
            for (at, part) in parts.iter().enumerate() {
                flatten(&format!("{path}.normalizers[{at}]"), part, found);
            }
        }
        None if normalizer.is_object() => found.push((path.to_owned(), normalizer)),
        None => {}
    }
}

fn steps(normalizers: &[(String, &Value)]) -> Vec<NormalizerStep> {
    // A second normal form finds nothing left to expand, unless a character that expands was put in between.
    let mut expanded = false;
    let mut steps = Vec::new();
    for (_, normalizer) in normalizers {
        let content = || normalizer["content"].as_str().unwrap_or_default().to_owned();
        let step = match normalizer["type"].as_str().unwrap_or_default() {
            "Replace" => replacement(&normalizer["pattern"], content()),
            "Prepend" => {
                let content = normalizer["prepend"].as_str().unwrap_or_default();
                NormalizerStep::Insert { content: content.to_owned() }
            }
            "Precompiled" => {
                let growth = precompiled_growth(normalizer);
                let known = expanded && growth <= UNICODE_GROWTH;
                NormalizerStep::Rewrite { growth: if known { 1.0 } else { growth } }
            }
            "BertNormalizer" | "NFC" | "NFD" | "NFKC" | "NFKD" | "Lowercase" => {
                NormalizerStep::Rewrite { growth: if expanded { 1.0 } else { UNICODE_GROWTH } }
            }
            "ByteLevel" => NormalizerStep::Rewrite { growth: BYTE_GROWTH },
            // These only remove characters, or replace one by one.
            _ => NormalizerStep::Rewrite { growth: 1.0 },
        };
        expanded = match &step {
            NormalizerStep::Replace { content, .. }
            | NormalizerStep::ReplaceMatches { content }
            | NormalizerStep::Insert { content } => {
                expanded && content.chars().all(|c| c.is_ascii() || c == WORD_START)
            }
            NormalizerStep::Rewrite { growth } => expanded || *growth > 1.0,
        };
        steps.push(step);
    }
    steps
}

/// The step that replaces this pattern, a text or a regular expression.
fn replacement(pattern: &Value, content: String) -> NormalizerStep {
    match (pattern["String"].as_str(), pattern["Regex"].as_str()) {
        (Some(pattern), _) if !pattern.is_empty() => {
            NormalizerStep::Replace { pattern: pattern.to_owned(), content }
        }
        (None, Some(pattern)) if !may_match_nothing(pattern) => {
            NormalizerStep::ReplaceMatches { content }
        }
        _ => NormalizerStep::Insert { content },
    }
}

/// Whether a regular expression may match between two characters. One that cannot be compiled here, as with looks to the
/// side, may.
fn may_match_nothing(pattern: &str) -> bool {
    let Ok(pattern) = regex::Regex::new(pattern) else { return true };
    ["", "a", "a b", "1-\u{e9}"].iter().any(|text| pattern.find_iter(text).any(|m| m.is_empty()))
}

/// The sign that SentencePiece puts in the place of a space; no normal form changes it.
const WORD_START: char = '\u{2581}';

/// The most characters that a table of SentencePiece makes of one. The table is the size of its index, the index, and the
/// replacements, each ended by a zero byte.
fn precompiled_growth(normalizer: &Value) -> f64 {
    let written = normalizer["precompiled_charsmap"].as_str().unwrap_or_default();
    // A table that cannot be read is refused when the tokenizer is loaded.
    let Ok(table) = base64::engine::general_purpose::STANDARD.decode(written) else {
        return UNICODE_GROWTH;
    };
    let Some((size, rest)) = table.split_first_chunk::<4>() else { return UNICODE_GROWTH };
    let replacements = rest.get(u32::from_le_bytes(*size) as usize..).unwrap_or_default();
    let lengths = replacements.split(|byte| *byte == 0).map(|text| {
        // Bytes that continue a character are not counted.
        text.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
    });
    lengths.max().unwrap_or(0).max(1) as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn replace(pattern: &str, content: &str) -> Value {
        json!({"type": "Replace", "pattern": {"String": pattern}, "content": content})
    }

    fn matches(pattern: &str, content: &str) -> Value {
        json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": content})
    }

    fn table(replacements: &[u8]) -> Value {
        let bytes = [&4_u32.to_le_bytes()[..], &[0; 4], replacements].concat();
        let written = base64::engine::general_purpose::STANDARD.encode(bytes);
        json!({"type": "Precompiled", "precompiled_charsmap": written})
    }

    fn checked(normalizers: &[Value]) -> Result<(), String> {
        let sequence = json!({"type": "Sequence", "normalizers": normalizers});
        check(&json!({"normalizer": sequence})).map_err(|error| error.to_string())
    }

    #[test]
    fn normalizers_that_multiply_a_text_are_refused_by_name() {
        let hundred = "l".repeat(100);
        let nested = json!({"type": "Sequence", "normalizers": [replace("a", &"b".repeat(20))]});
        for (normalizers, named) in [
            (vec![replace("l", &hundred); 6], "`normalizer.normalizers[5]` (Replace)"),
            (vec![replace("l", &"m".repeat(201))], "`normalizer.normalizers[0]` (Replace)"),
            (
                vec![json!({"type": "Prepend", "prepend": "l".repeat(50)}), replace("l", &hundred)],
                "`normalizer.normalizers[1]` (Replace)",
            ),
            (vec![json!({"type": "Prepend", "prepend": "x".repeat(1000)})], "(Prepend)"),
            (vec![matches("x*", &hundred), matches("l", &hundred)], "(Replace)"),
            (vec![matches("l", &hundred), matches(r"\b", "abc")], "(Replace)"),
            (vec![matches("(?<=l)", &"x".repeat(200))], "(Replace)"),
            (vec![replace("", &hundred), replace("l", "lll")], "(Replace)"),
            (vec![replace("ab", &"ab".repeat(30)), replace("ab", &"ab".repeat(30))], "(Replace)"),
            (vec![replace("z", &"a".repeat(20)), nested], "normalizers[1].normalizers[0]`"),
            // Each normal form expands the character that the replacement puts back.
            (
                vec![json!({"type": "NFKC"}), replace("a", "\u{fdfa}"), json!({"type": "NFKC"})],
                "(NFKC)",
            ),
            (vec![table(&[b'a'; 300])], "(Precompiled)"),
        ] {
            let error = checked(&normalizers).expect_err(named);
            assert!(error.starts_with("tokenizer.json: the normalizers"), "{error}");
            assert!(error.contains(named), "{named}: {error}");
        }
    }

    #[test]
    fn normalizers_of_published_models_are_accepted() {
        let marks = "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~";
        let punctuation: Vec<Value> =
            marks.chars().map(|c| replace(&c.to_string(), &format!(" {c} "))).collect();
        let albert = vec![
            replace("``", "\""),
            json!({"type": "NFKD"}),
            json!({"type": "StripAccents"}),
            json!({"type": "Lowercase"}),
            table(b"ab\0c\0"),
            matches(" {2,}", " "),
        ];
        let model2vec =
            [vec![json!({"type": "NFKC"})], punctuation, vec![matches(r"\s+", " ")]].concat();
        let llama =
            vec![json!({"type": "Prepend", "prepend": "\u{2581}"}), replace(" ", "\u{2581}")];
        for normalizers in [vec![], albert, model2vec, llama, vec![json!({"type": "ByteLevel"})]] {
            assert_eq!(checked(&normalizers), Ok(()));
        }
        for normalizer in [Value::Null, json!({"type": "BertNormalizer"}), json!({"type": "Nmt"})] {
            assert!(check(&json!({"normalizer": normalizer})).is_ok());
        }
    }
}
