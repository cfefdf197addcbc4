//! Steps and what they do.

use schemars::JsonSchema;
use serde::Deserialize;

use super::guard::GuardEntry;
use crate::scenario::de::{At, Named};
use crate::value::Type;

/// A step: exactly one of retrieve, read, lookup, compute and act.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct StepEntry {
    /// The name that other steps use: lower-case letters, digits and `_`.
    pub id: At<String>,
    /// Searches a corpus.
    pub retrieve: Option<At<RetrieveEntry>>,
    /// Takes a field from the passages that a retrieve step found.
    pub read: Option<At<ReadEntry>>,
    /// Takes a cell from a table by an exact key.
    pub lookup: Option<At<LookupEntry>>,
    /// A CEL expression over task fields and earlier steps.
    pub compute: Option<At<String>>,
    /// Ordered rules; the first that is true gives the action.
    pub act: Option<At<Vec<At<RuleEntry>>>>,
    /// For act: the actions that mean doing nothing.
    pub hold: Option<At<Vec<At<String>>>>,
    /// A CEL expression; the step is skipped unless it is true.
    pub when: Option<At<String>>,
    /// What happens where an input is missing: stop the run (default), or continue with null.
    pub on_missing: Option<OnMissing>,
    /// Checks on what the step puts out, in their order. One that fails takes its next retry, else
    /// escalates, else stops the run.
    pub guard: Option<At<Vec<At<GuardEntry>>>>,
    /// Whether the guards are on; arms can switch it. Default: true.
    pub guarded: Option<At<bool>>,
}

/// What happens where an input is missing.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum OnMissing {
    Stop,
    Continue,
}

/// A search.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct RetrieveEntry {
    /// The corpus to search.
    pub corpus: At<String>,
    /// The query: text with {{ CEL }} parts. Either this or `queries`.
    pub query: Option<At<String>>,
    /// Several phrasings of the query with weights. Either this or `query`.
    pub queries: Option<At<Vec<QueryEntry>>>,
    /// Which passages are right: CEL over passage and task, or `listed` for the ids in the task file.
    pub gold: At<String>,
    /// CEL that gives a text: only passages of this entity are searched.
    pub entity: Option<At<String>>,
    /// Whether `entity` narrows the search; arms can switch it. Default: true where `entity` is given.
    pub entity_filter: Option<At<bool>>,
    /// How many passages the reader gets. Default: 5.
    pub top_k: Option<At<u32>>,
    /// The embedder of this step.
    pub embedder: Option<At<String>>,
}

/// One phrasing.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct QueryEntry {
    /// Text with {{ CEL }} parts.
    pub text: At<String>,
    /// How often it is used, relative to the others; above zero. Default: 1.
    pub weight: Option<At<f64>>,
}

/// What to take from the passages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct ReadEntry {
    /// The retrieve step.
    pub from: At<String>,
    /// A field that passages of its corpus state.
    pub field: At<String>,
    /// Reads the field from the text of passages whose facts do not state it.
    pub extract: Option<At<ExtractEntry>>,
}

/// Words that stand in a text.
pub(in crate::scenario) type Phrases = At<Vec<At<String>>>;

/// How to read a typed value from a text. What can be read in two ways is not read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct ExtractEntry {
    /// What the text states.
    #[serde(rename = "type")]
    pub kind: ExtractType,
    /// Cues: only a value with one of these phrases in its sentence, at most 15 words away, counts, and of
    /// several the one nearest to a phrase. Default: the words that go with the field, where its name is known, such
    /// as `notice_period` or `expiration_date`; for other fields none, and the first value of the text is taken.
    pub near: Option<Phrases>,
    /// For date: what 03/04/2024 is. Default: no date.
    pub day_order: Option<At<DayOrder>>,
    /// For money, percent and number: the sign before decimals, which tells what 1,234 is.
    pub decimal: Option<At<Decimal>>,
    /// For money: the currency behind a sign of several, such as `$`. Default: none, and no value.
    pub currency: Option<At<String>>,
    /// For yes_no: phrases that mean yes. Default: those of a renewal, where the name of the field asks for one.
    pub yes: Option<Phrases>,
    /// For yes_no: phrases that mean no.
    pub no: Option<Phrases>,
    /// For choice: each value with the phrases that mean it.
    pub choices: Option<At<Named<Phrases>>>,
    /// For regex: a regular expression with one group, which holds the value.
    pub pattern: Option<At<String>>,
    /// For regex: the type of what the group holds.
    #[serde(rename = "as")]
    pub group: Option<At<Type>>,
}

/// What an extractor looks for.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum ExtractType {
    Date,
    Duration,
    Money,
    Percent,
    Number,
    YesNo,
    Choice,
    Party,
    // The governing law, in one spelling a jurisdiction: `England and Wales` for English law.
    Jurisdiction,
    Regex,
}

/// Which of day and month comes first.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum DayOrder {
    DayFirst,
    MonthFirst,
}

/// The sign before decimals.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum Decimal {
    Point,
    Comma,
}

/// What to take from a table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct LookupEntry {
    /// The table.
    pub table: At<String>,
    /// CEL that gives the key.
    pub key: At<String>,
    /// A declared column of the table.
    pub column: At<String>,
}

/// A rule of an act step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct RuleEntry {
    /// CEL that gives yes_no. A rule without it always applies.
    #[serde(rename = "if")]
    pub condition: Option<At<String>>,
    /// The action.
    #[serde(rename = "do")]
    pub action: At<String>,
}
