//! Parses a model's text into a typed value.

use super::answer_text;
use super::field::ReadField;
use super::language_model::{FinishReason, RawModelAnswer};
use crate::extract::{ExtractorKind, field_cues};
use crate::value::{TypedValue, ValueType};

/// A parsed answer of a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ParsedAnswer {
    Value(TypedValue),
    /// The model says that the passages do not state the value.
    NotStated,
    /// Neither of these; the text gives the reason.
    Unparsable(String),
}

/// Other phrases for "not stated", as a whole answer or its first sentence, in lower case.
const NOT_STATED_PHRASES: [&str; 18] = [
    "not stated",
    "not specified",
    "not mentioned",
    "not provided",
    "not given",
    "not found",
    "not available",
    "not applicable",
    "not present",
    "not defined",
    "not disclosed",
    "not explicitly stated",
    "not explicitly mentioned",
    "unknown",
    "unspecified",
    "n/a",
    "none",
    "null",
];

impl ReadField {
    /// Parses the value in a model's text.
    ///
    /// An answer that names exactly one value is that value, whatever other words it has. If it names several, the
    /// line marked as the answer is used, otherwise the first line, provided that it names one. A value keeps the unit
    /// in which it is written: `6 months` stays six months even if days were requested.
    pub fn parse_answer(&self, raw: &RawModelAnswer) -> ParsedAnswer {
        let Some(text) = answer_text::extract_answer(&raw.text) else {
            return ParsedAnswer::Unparsable("the text ends before the answer begins".to_owned());
        };
        if text.is_empty() {
            return ParsedAnswer::Unparsable("the answer is empty".to_owned());
        }
        if raw.finish == FinishReason::Length {
            // A value at the end of a truncated text may be incomplete.
            let whole = text.split_once('\n').map(|(first, _)| first);
            return match whole {
                Some(first) => self.parse_text(first),
                None => ParsedAnswer::Unparsable("the answer was cut off at max_tokens".to_owned()),
            };
        }
        self.parse_text(&text)
    }

    fn parse_text(&self, text: &str) -> ParsedAnswer {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        let marked = lines.iter().rev().find_map(|line| answer_text::marked_as_answer(line));
        let first = lines.first().map(|line| answer_text::clean_line(line)).unwrap_or_default();
        // From the most to the least specific: the marked line, the whole text, the first line.
        let whole = if lines.len() > 1 { lines.join("\n") } else { first.clone() };
        if marked.is_none() && is_not_stated(&first) {
            return ParsedAnswer::NotStated;
        }
        let mut why = None;
        for part in [marked, Some(whole), Some(first)].into_iter().flatten() {
            if is_not_stated(&part) {
                return ParsedAnswer::NotStated;
            }
            match self.parse_value(&part) {
                Ok(value) => return ParsedAnswer::Value(value),
                Err(reason) => why = why.or(Some(reason)),
            }
        }
        // The exact phrase of the prompt counts anywhere in the text, but only after a value was looked for.
        if text.to_lowercase().contains(&super::NOT_STATED.to_lowercase()) {
            return ParsedAnswer::NotStated;
        }
        ParsedAnswer::Unparsable(why.unwrap_or_default())
    }

    fn parse_value(&self, text: &str) -> Result<TypedValue, String> {
        if !self.choices.is_empty() {
            return self.parse_choice(text);
        }
        match self.ty {
            ValueType::YesNo => {
                let first = text.split(|c: char| !c.is_alphanumeric()).find(|w| !w.is_empty());
                match first.map(str::to_lowercase).as_deref() {
                    Some("yes" | "true") => return Ok(TypedValue::YesNo(true)),
                    Some("no" | "false") => return Ok(TypedValue::YesNo(false)),
                    _ => {}
                }
            }
            ValueType::Text if matches!(self.kind, ExtractorKind::Text) => {
                let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                return match (lines.next(), lines.next()) {
                    (Some(line), None) => Ok(TypedValue::Text(collapse_whitespace(line))),
                    (None, _) => Err("the answer is empty".to_owned()),
                    _ => Err("it has several lines".to_owned()),
                };
            }
            _ => {}
        }
        // A number without a unit is tried first: the extractors below require units.
        if let Some(value) = self.bare_number(text) {
            return Ok(value);
        }
        let mut values: Vec<TypedValue> = Vec::new();
        for mention in self.kind.all_mentions(text) {
            let Some(value) = mention.value else {
                let said = &text[mention.range];
                return Err(format!("'{said}' does not say which {}", type_noun(self.ty)));
            };
            if !values.contains(&value) {
                values.push(value);
            }
        }
        match values.as_slice() {
            [one] => Ok(one.clone()),
            [] if self.ty == ValueType::YesNo => Err("it says neither yes nor no".to_owned()),
            [] => self.jurisdiction(text).ok_or_else(|| {
                format!("it names no {}{}", type_noun(self.ty), unit_phrase(self.ty))
            }),
            several => {
                let several: Vec<String> = several.iter().map(TypedValue::to_string).collect();
                Err(format!("it names several values: {}", several.join("; ")))
            }
        }
    }

    /// A jurisdiction in an answer that is not a full sentence.
    fn jurisdiction(&self, text: &str) -> Option<TypedValue> {
        if !matches!(self.kind, ExtractorKind::Jurisdiction) {
            return None;
        }
        if let Some(spelling) = field_cues::spelling(&self.name, text) {
            return Some(TypedValue::Text(spelling.to_owned()));
        }
        // The extractor expects a sentence of a contract around the name.
        let readings = self.kind.all_mentions(&format!("This agreement is governed by {text}."));
        match readings.as_slice() {
            [one] => one.value.clone(),
            _ => None,
        }
    }

    /// A number without unit or sign, if the question determines these.
    fn bare_number(&self, text: &str) -> Option<TypedValue> {
        let digits = text.trim().trim_end_matches('.');
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        match (self.ty, &self.kind) {
            (ValueType::Duration, _) => {
                let count = digits.parse().ok()?;
                Some(TypedValue::Duration(self.unit?.period(count)?))
            }
            (ValueType::Percent, _) => TypedValue::parse(ValueType::Percent, digits).ok(),
            (ValueType::Money, ExtractorKind::Money { currency: Some(currency), .. }) => {
                TypedValue::parse(ValueType::Money, &format!("{currency} {digits}")).ok()
            }
            _ => None,
        }
    }
}

/// The noun for a value of this type in messages.
fn type_noun(ty: ValueType) -> &'static str {
    match ty {
        ValueType::Text => "value of this field",
        ValueType::Number => "number",
        ValueType::YesNo => "answer",
        ValueType::Date => "date",
        ValueType::Duration => "length of time",
        ValueType::Money => "amount of money",
        ValueType::Percent => "percentage",
    }
}

/// The part that a value of this type must have.
fn unit_phrase(ty: ValueType) -> &'static str {
    match ty {
        ValueType::Duration => " with its unit",
        ValueType::Money => " with its currency",
        _ => "",
    }
}

fn collapse_whitespace(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a text starts with such a phrase or consists of it.
fn is_not_stated(text: &str) -> bool {
    let text = collapse_whitespace(&text.to_lowercase().replace('_', " "));
    NOT_STATED_PHRASES.iter().any(|said| {
        text.strip_prefix(said).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(['.', ',', ';', ':', '!', '(', ')'])
                // Matches `Not stated in the passages`, but not `None of the parties`.
                || (said.starts_with("not ") && rest.starts_with(" in "))
        })
    })
}
