//! Explains what is wrong with a line of a JSON Lines file, above all with one that should be a passage.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::csv_table::did_you_mean;
use super::json_numbers;
use super::json_object;
use super::mistakes::FileMistakes;
use super::passage::{PassageVariant, VARIANTS};
use crate::value::{TOO_MANY_DIGITS, TypedValue, ValueType, exact_number};

const FIELDS: [&str; 7] = ["id", "text", "entity", "attribute", "facts", "of", "variant"];

/// Maximum number of characters shown of a line or a value.
const MAX_EXCERPT_CHARS: usize = 40;

/// A JSON text for a message: quoted, and shortened if it is long.
pub(super) fn quoted_excerpt(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(MAX_EXCERPT_CHARS) {
        Some((at, _)) => format!("'{}…'", &text[..at]),
        None => format!("'{text}'"),
    }
}

/// Whether a file is in JSON Lines format, by its extension.
pub(super) fn is_jsonl_file(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jsonl"))
}

/// Whether a line seems to be intended as an object.
pub(super) fn looks_like_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// The message for a line that is not a valid JSON object. `what` names the expected item, `such_as` is an example.
pub(super) fn invalid_object_message(
    what: &str,
    such_as: &str,
    text: &str,
    error: &serde_json::Error,
) -> String {
    if !looks_like_object(text) {
        return format!(
            "a {what} is a JSON object, such as {such_as}, but this is {}",
            quoted_excerpt(text)
        );
    }
    // Each line is parsed on its own, so the error's line number would always be 1.
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    let message = match error.is_data() {
        true => message.to_owned(),
        false => format!("invalid JSON: {message}"),
    };
    // serde_json counts bytes, users count characters.
    let before = text.get(..error.column()).map_or(error.column(), |before| before.chars().count());
    format!("{message}, at character {before}")
}

/// Adds the mistakes of a line that could not be read as a passage because of `error`. `text` is the line as written,
/// `read` the same line with all digits of its numbers preserved.
pub(super) fn report_passage_line(
    line: usize,
    text: &str,
    read: &str,
    error: &serde_json::Error,
    mistakes: &mut FileMistakes,
) {
    let before = mistakes.count();
    // Parse again because the passage reader detects repeated keys only among its own fields. `text` comes first
    // because columns must refer to the line as written.
    let parsed = json_object::parse(text).and_then(|_| json_object::parse(read));
    if let Ok(object) = &parsed {
        check_passage(line, object, mistakes);
    }
    let error = parsed.as_ref().err().unwrap_or(error);
    if mistakes.count() == before {
        let mut what =
            invalid_object_message("passage", r#"{"id": "p1", "text": "..."}"#, text, error);
        if !looks_like_object(text) {
            what.push_str(" (a table becomes passages by `knockon import csv`)");
        }
        mistakes.add(Some(line), None, what);
    }
}

fn check_passage(line: usize, object: &Map<String, Json>, mistakes: &mut FileMistakes) {
    for field in ["id", "text"] {
        // A misspelt field is reported by itself; reporting the missing one as well would be redundant.
        if !object.contains_key(field) && !is_misspelt(object, field) {
            mistakes.add(Some(line), Some(field), "it is required for a passage, but missing");
        }
    }
    for (field, value) in object {
        let mut wrong = |what: String| mistakes.add(Some(line), Some(field), what);
        let text = value.as_str();
        let optional = !["id", "text"].contains(&field.as_str());
        match field.as_str() {
            unknown if !FIELDS.contains(&unknown) => wrong(format!(
                "passages have no such field; allowed: {}{}",
                FIELDS.join(", "),
                did_you_mean(unknown, FIELDS.into_iter())
            )),
            "facts" => match value {
                Json::Object(facts) => {
                    for (name, fact) in facts {
                        if let Some(what) = fact_mistake(fact) {
                            mistakes.add(Some(line), Some(&format!("facts.{name}")), what);
                        }
                    }
                }
                other => wrong(format!(
                    "{} is not an object; such as {{\"price\": {{\"number\": 12.5}}}}",
                    quoted_excerpt(&other.to_string())
                )),
            },
            _ if optional && value.is_null() => {}
            "variant" if text.is_none() => wrong(unknown_variant_message(&value.to_string())),
            "variant" => {
                if let Err(what) = parse_variant(text.unwrap_or_default()) {
                    wrong(what);
                }
            }
            _ if text.is_none() => {
                wrong(format!(
                    "{} is not a text; texts must be quoted",
                    quoted_excerpt(&value.to_string())
                ));
            }
            _ => {}
        }
    }
}

/// Whether the object has an unknown field that was probably meant to be this one.
fn is_misspelt(object: &Map<String, Json>, field: &str) -> bool {
    let unknown = object.keys().filter(|key| !FIELDS.contains(&key.as_str()));
    unknown
        .map(|key| did_you_mean(key, FIELDS.into_iter()))
        .any(|meant| meant.contains(&format!("`{field}`")))
}

/// The variant with this name, or the message for an unknown one.
pub(super) fn parse_variant(text: &str) -> Result<PassageVariant, String> {
    let name = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text);
    PassageVariant::deserialize(name).map_err(|_| unknown_variant_message(text))
}

fn unknown_variant_message(text: &str) -> String {
    format!("{} is not a variant; allowed: {}", quoted_excerpt(text), VARIANTS.join(", "))
}

/// What is wrong with a fact, which must be `{TYPE: VALUE}`; `None` if it is valid.
fn fact_mistake(fact: &Json) -> Option<String> {
    let types = ValueType::ALL.map(ValueType::name);
    let entry = fact.as_object().filter(|fact| fact.len() == 1).and_then(|fact| fact.iter().next());
    let Some((name, value)) = entry else {
        return Some(format!(
            "{} is not a fact; a fact is {{TYPE: VALUE}}, with one of the types {}",
            quoted_excerpt(&fact.to_string()),
            types.join(", ")
        ));
    };
    let Some(ty) = ValueType::ALL.into_iter().find(|ty| ty.name() == name) else {
        return Some(format!(
            "'{name}' is not a type; allowed: {}{}",
            types.join(", "),
            did_you_mean(name, types.into_iter())
        ));
    };
    let excerpt = quoted_excerpt(&value.to_string());
    let quoted = match (ty, value) {
        (ValueType::Number | ValueType::Percent, Json::Number(_))
        | (ValueType::YesNo, Json::Bool(_)) => None,
        (ValueType::Number | ValueType::Percent, Json::String(text))
            if let Some(digits) = json_numbers::original_digits(text) =>
        {
            let rounded = exact_number(digits).is_none();
            return rounded.then(|| {
                format!("{} is not a {ty}; allowed: {TOO_MANY_DIGITS}", quoted_excerpt(digits))
            });
        }
        (ValueType::Number | ValueType::Percent, _) => {
            Some("a number without quotes, such as 12.5")
        }
        (ValueType::YesNo, _) => Some("true or false, without quotes"),
        (ValueType::Text, Json::String(_)) => None,
        (ValueType::Text, _) => Some("a text in quotes"),
        (ValueType::Date | ValueType::Duration | ValueType::Money, _) => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            return match TypedValue::parse(ty, &text) {
                Err(error) => Some(error.to_string()),
                Ok(_) if !value.is_string() => Some(format!("{excerpt} must be quoted")),
                Ok(_) => None,
            };
        }
    };
    quoted.map(|allowed| format!("{excerpt} is not a {ty}; allowed: {allowed}"))
}
