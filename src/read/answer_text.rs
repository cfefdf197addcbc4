//! Extracts the answer from a model's text: removes reasoning, Markdown, quotation marks and introductory words.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// Tags that enclose a model's reasoning.
const REASONING_TAGS: [(&str, &str); 3] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<|channel|>analysis", "<|message|>"),
];

/// Keys of a JSON answer, in order of preference.
const ANSWER_KEYS: [&str; 4] = ["answer", "value", "result", "final_answer"];

/// Introductory words before an answer.
static INTRODUCTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)^(?:(?:the\s+)?(?:final\s+|correct\s+)?(?:answer|value|result)(?:\s+to\s+the\s+question)?\s*(?:is\s*:?|:|=)|based on the passages?(?: provided)?\s*[,:]|a\s*:)\s*",
    )
    .unwrap_or_else(|_| unreachable!("the pattern is valid"))
});

/// The answer, which may have several lines; `None` if the text holds only reasoning.
pub fn extract_answer(raw: &str) -> Option<String> {
    let text = without_reasoning(raw)?;
    let text = without_fence(text.trim());
    Some(json_answer(text).unwrap_or_else(|| text.to_owned()).trim().to_owned())
}

/// The text after the last block of reasoning.
fn without_reasoning(raw: &str) -> Option<&str> {
    let mut text = raw;
    for (open, close) in REASONING_TAGS {
        // Only the closing tag is searched for, since the opening tag may be part of the prompt.
        if let Some(at) = text.rfind(close) {
            text = &text[at + close.len()..];
        }
        if text.trim_start().starts_with(open) {
            return None;
        }
    }
    Some(text)
}

/// The content of a fenced block that is the whole text.
fn without_fence(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("```") else { return text };
    let Some((inside, after)) = rest.rsplit_once("```") else { return text };
    if !after.trim().is_empty() {
        return text;
    }
    // The first line names the language.
    match inside.split_once('\n') {
        Some((language, inside)) if !language.trim().contains(' ') => inside.trim(),
        _ => inside.trim(),
    }
}

/// The answer in a JSON object or string.
fn json_answer(text: &str) -> Option<String> {
    if !text.starts_with(['{', '"']) {
        return None;
    }
    match serde_json::from_str(text).ok()? {
        Value::Object(object) => {
            let named = ANSWER_KEYS.iter().find_map(|key| object.get(*key));
            let only = object.values().next().filter(|_| object.len() == 1);
            scalar(named.or(only)?)
        }
        value => scalar(&value),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => Some(super::NOT_STATED.to_owned()),
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// One line without Markdown, introductory words, quotation marks and a final full stop.
pub fn clean_line(text: &str) -> String {
    let mut text = text.trim();
    // Repeated until nothing changes, since the marks can be nested in any order.
    loop {
        let before = text;
        text = text.trim_start_matches(['#', '>']).trim();
        for bullet in ["- ", "* ", "• "] {
            text = text.strip_prefix(bullet).unwrap_or(text).trim();
        }
        text = &text[INTRODUCTION.find(text).map_or(0, |found| found.end())..];
        for mark in ["**", "__", "`", "*"] {
            text = unwrapped(text, mark, mark);
        }
        for (open, close) in
            [("\"", "\""), ("'", "'"), ("\u{201c}", "\u{201d}"), ("\u{2018}", "\u{2019}")]
        {
            text = unwrapped(text, open, close);
        }
        text = without_full_stop(text).trim();
        if text == before {
            return text.to_owned();
        }
    }
}

/// `text` without the marks around it; marks inside the text are kept.
fn unwrapped<'t>(text: &'t str, open: &str, close: &str) -> &'t str {
    let inside = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    match inside {
        Some(inside) if !inside.contains(open) && !inside.contains(close) => inside.trim(),
        // `**Answer:** 60 days` starts with a mark that is closed before the value.
        _ if matches!(open, "**" | "__") && text.starts_with(open) => {
            match text[open.len()..].split_once(close) {
                Some((label, rest)) if INTRODUCTION.is_match(label) && !rest.trim().is_empty() => {
                    rest.trim_start_matches(':').trim()
                }
                _ => text,
            }
        }
        _ => text,
    }
}

/// Abbreviations whose full stop belongs to the word.
const ABBREVIATIONS: [&str; 13] =
    ["inc", "corp", "ltd", "co", "llc", "jr", "sr", "no", "st", "bros", "pty", "gmbh", "plc"];

fn without_full_stop(text: &str) -> &str {
    let Some(rest) = text.strip_suffix('.') else { return text };
    let last = rest.split_whitespace().last().unwrap_or_default().to_lowercase();
    let own = last.contains('.') || ABBREVIATIONS.contains(&last.as_str()) || rest.ends_with('.');
    // After a number, the full stop ends the sentence: `12.5.`
    let number = last.starts_with(|c: char| c.is_ascii_digit());
    if own && !number { text } else { rest }
}

/// The content of a line after words such as `Answer:`.
pub fn marked_as_answer(text: &str) -> Option<String> {
    static ANSWER_MARK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^\W*(?:so\s*,?\s*)?(?:therefore\s*,?\s*)?(?:the\s+)?(?:final\s+)?answer(?:\s*(?:is\b\s*:?|:))\W{0,3}")
            .unwrap_or_else(|_| unreachable!("the pattern is valid"))
    });
    let found = ANSWER_MARK.find(text)?;
    let rest = clean_line(&text[found.end()..]);
    (!rest.is_empty()).then_some(rest)
}
