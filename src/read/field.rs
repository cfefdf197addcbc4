//! The field whose value a model is asked to find in passages.

use serde_json::{Value as Json, json};

use crate::extract::phrase::{CuePhrase, PhraseMeaning};
use crate::extract::{ExtractorKind, field_cues};
use crate::value::{CalendarPeriod, TypedValue, ValueType};

/// The answer of a model if the passages do not state the value.
pub const NOT_STATED: &str = "NOT STATED";

/// The unit of time in which a duration is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurationUnit {
    Days,
    Weeks,
    Months,
    Years,
}

impl DurationUnit {
    pub fn name(self) -> &'static str {
        match self {
            DurationUnit::Days => "days",
            DurationUnit::Weeks => "weeks",
            DurationUnit::Months => "months",
            DurationUnit::Years => "years",
        }
    }

    /// `count` of this unit; `None` if a period cannot hold that many.
    pub fn period(self, count: u32) -> Option<CalendarPeriod> {
        Some(match self {
            DurationUnit::Days => CalendarPeriod::days(count),
            DurationUnit::Weeks => CalendarPeriod::days(count.checked_mul(7)?),
            DurationUnit::Months => CalendarPeriod::months(count),
            DurationUnit::Years => CalendarPeriod::months(count.checked_mul(12)?),
        })
    }
}

/// A field and its question.
#[derive(Clone, Debug)]
pub struct ReadField {
    /// The name in the scenario, such as `notice_period`.
    pub name: String,
    pub ty: ValueType,
    pub question: String,
    /// How values are extracted from an answer.
    pub kind: ExtractorKind,
    /// The only values that a text field can have; empty means any value.
    pub choices: Vec<String>,
    /// The unit in which a duration is requested, which applies to a number without a unit.
    pub unit: Option<DurationUnit>,
}

impl ReadField {
    /// A field whose values are parsed as plain values of their type.
    pub fn new(name: impl Into<String>, ty: ValueType, question: impl Into<String>) -> ReadField {
        let name = name.into();
        let kind = match ty {
            ValueType::Text if field_cues::is_law(&name) => ExtractorKind::Jurisdiction,
            ValueType::Text => ExtractorKind::Text,
            ValueType::Number => ExtractorKind::Number(None),
            ValueType::YesNo => ExtractorKind::Phrases(yes_or_no()),
            ValueType::Date => ExtractorKind::Date(None),
            ValueType::Duration => ExtractorKind::Duration,
            ValueType::Money => ExtractorKind::Money { decimal: None, currency: None },
            ValueType::Percent => ExtractorKind::Percent(None),
        };
        ReadField { name, ty, question: question.into(), kind, choices: Vec::new(), unit: None }
    }

    /// The required form of an answer: a description, never an example, because small models repeat examples.
    pub fn answer_form(&self) -> String {
        match self.ty {
            ValueType::Text if !self.choices.is_empty() => {
                format!("one of these: {}", self.choices.join("; "))
            }
            ValueType::Text => "the exact words of the passage that answer the question".to_owned(),
            ValueType::Number => "one number in digits, without separators".to_owned(),
            ValueType::YesNo => "yes or no".to_owned(),
            ValueType::Date => "one date in the form YYYY-MM-DD".to_owned(),
            ValueType::Duration => match self.unit {
                Some(unit) => format!("one length of time in {}, with its unit", unit.name()),
                None => "one length of time, a number with its unit (days, weeks, months or years)"
                    .to_owned(),
            },
            ValueType::Money => {
                "one amount of money in digits without separators, with its currency".to_owned()
            }
            ValueType::Percent => "one percentage in digits, with the percent sign".to_owned(),
        }
    }

    /// The JSON schema of an answer: an object with the key `answer`.
    pub fn schema(&self) -> Json {
        let closed: Vec<&str> = match self.ty {
            ValueType::YesNo => vec!["yes", "no"],
            _ => self.choices.iter().map(String::as_str).collect(),
        };
        let answer = match closed.is_empty() {
            true => {
                json!({"type": "string", "description": format!("{}, or {NOT_STATED}", self.answer_form())})
            }
            false => {
                let values: Vec<&str> = closed.into_iter().chain([NOT_STATED]).collect();
                json!({"type": "string", "enum": values})
            }
        };
        json!({
            "type": "object",
            "properties": {"answer": answer},
            "required": ["answer"],
            "additionalProperties": false,
        })
    }

    /// The only choice that `text` names, ignoring case.
    pub(super) fn parse_choice(&self, text: &str) -> Result<TypedValue, String> {
        // An exact match wins before any search within the text.
        let lower = text.to_lowercase();
        if let Some(same) = self.choices.iter().find(|choice| choice.to_lowercase() == lower) {
            return Ok(TypedValue::Text(same.clone()));
        }
        let named = self.choices.iter().filter(|choice| {
            CuePhrase::new(choice).is_some_and(|phrase| phrase.ranges(text).next().is_some())
        });
        let named: Vec<&String> = named.collect();
        // The longest match wins: `net 30 days` does not also name `net 30`.
        let longest: Vec<&&String> = named
            .iter()
            .filter(|a| !named.iter().any(|b| b.len() > a.len() && b.contains(a.as_str())))
            .collect();
        match longest.as_slice() {
            [one] => Ok(TypedValue::Text((**one).clone())),
            [] => Err(format!("it is none of: {}", self.choices.join("; "))),
            several => {
                let several: Vec<&str> = several.iter().map(|choice| choice.as_str()).collect();
                Err(format!("it names several of the choices: {}", several.join("; ")))
            }
        }
    }
}

fn yes_or_no() -> Vec<PhraseMeaning> {
    let words = [("yes", true), ("true", true), ("no", false), ("false", false)];
    words
        .into_iter()
        .filter_map(|(word, yes)| {
            Some(PhraseMeaning { phrase: CuePhrase::new(word)?, value: TypedValue::YesNo(yes) })
        })
        .collect()
}
