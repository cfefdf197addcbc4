//! The field whose value a model is asked to find in passages.

use serde_json::{Value as Json, json};

use super::template::NOT_STATED;
use crate::extract::phrase::{Meaning, Phrase};
use crate::extract::{Kind, field_cues};
use crate::value::{Period, Type, Value};

/// The unit of time in which a duration is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Days,
    Weeks,
    Months,
    Years,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Unit::Days => "days",
            Unit::Weeks => "weeks",
            Unit::Months => "months",
            Unit::Years => "years",
        }
    }

    /// `count` of this unit; `None` if a period cannot hold that many.
    pub fn period(self, count: u32) -> Option<Period> {
        Some(match self {
            Unit::Days => Period::days(count),
            Unit::Weeks => Period::days(count.checked_mul(7)?),
            Unit::Months => Period::months(count),
            Unit::Years => Period::months(count.checked_mul(12)?),
        })
    }
}

/// A field and its question.
#[derive(Clone, Debug)]
pub struct Field {
    /// The name in the scenario, such as `notice_period`.
    pub name: String,
    pub ty: Type,
    pub question: String,
    /// How values are extracted from an answer.
    pub kind: Kind,
    /// The only values that a text field can have; empty means any value.
    pub choices: Vec<String>,
    /// The unit in which a duration is requested, which applies to a number without a unit.
    pub unit: Option<Unit>,
}

impl Field {
    /// A field whose values are parsed as plain values of their type.
    pub fn new(name: impl Into<String>, ty: Type, question: impl Into<String>) -> Field {
        let name = name.into();
        let kind = match ty {
            Type::Text if field_cues::is_law(&name) => Kind::Jurisdiction,
            Type::Text => Kind::Text,
            Type::Number => Kind::Number(None),
            Type::YesNo => Kind::Phrases(yes_or_no()),
            Type::Date => Kind::Date(None),
            Type::Duration => Kind::Duration,
            Type::Money => Kind::Money { decimal: None, currency: None },
            Type::Percent => Kind::Percent(None),
        };
        Field { name, ty, question: question.into(), kind, choices: Vec::new(), unit: None }
    }

    /// The required form of an answer: a description, never an example, because small models repeat examples.
    pub fn form(&self) -> String {
        match self.ty {
            Type::Text if !self.choices.is_empty() => {
                format!("one of these: {}", self.choices.join("; "))
            }
            Type::Text => "the exact words of the passage that answer the question".to_owned(),
            Type::Number => "one number in digits, without separators".to_owned(),
            Type::YesNo => "yes or no".to_owned(),
            Type::Date => "one date in the form YYYY-MM-DD".to_owned(),
            Type::Duration => match self.unit {
                Some(unit) => format!("one length of time in {}, with its unit", unit.name()),
                None => "one length of time, a number with its unit (days, weeks, months or years)"
                    .to_owned(),
            },
            Type::Money => {
                "one amount of money in digits without separators, with its currency".to_owned()
            }
            Type::Percent => "one percentage in digits, with the percent sign".to_owned(),
        }
    }

    /// The JSON schema of an answer: an object with the key `answer`.
    pub fn schema(&self) -> Json {
        let closed: Vec<&str> = match self.ty {
            Type::YesNo => vec!["yes", "no"],
            _ => self.choices.iter().map(String::as_str).collect(),
        };
        let answer = match closed.is_empty() {
            true => {
                json!({"type": "string", "description": format!("{}, or {NOT_STATED}", self.form())})
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
    pub(super) fn choice(&self, text: &str) -> Result<Value, String> {
        // An exact match wins before any search within the text.
        let lower = text.to_lowercase();
        if let Some(same) = self.choices.iter().find(|choice| choice.to_lowercase() == lower) {
            return Ok(Value::Text(same.clone()));
        }
        let named = self.choices.iter().filter(|choice| {
            Phrase::new(choice).is_some_and(|phrase| phrase.ranges(text).next().is_some())
        });
        let named: Vec<&String> = named.collect();
        // The longest match wins: `net 30 days` does not also name `net 30`.
        let longest: Vec<&&String> = named
            .iter()
            .filter(|a| {
                let longer = |b: &&String| b.len() > a.len() && b.contains(a.as_str());
                !named.iter().any(longer)
            })
            .collect();
        match longest.as_slice() {
            [one] => Ok(Value::Text((**one).clone())),
            [] => Err(format!("it is none of: {}", self.choices.join("; "))),
            several => {
                let several: Vec<&str> = several.iter().map(|choice| choice.as_str()).collect();
                Err(format!("it names several of the choices: {}", several.join("; ")))
            }
        }
    }
}

fn yes_or_no() -> Vec<Meaning> {
    let words = [("yes", true), ("true", true), ("no", false), ("false", false)];
    let meaning =
        |(word, yes)| Some(Meaning { phrase: Phrase::new(word)?, value: Value::YesNo(yes) });
    words.into_iter().filter_map(meaning).collect()
}
