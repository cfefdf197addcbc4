//! Steps as written in the file, and the settings of each kind.

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
    /// Reads a field from the passages that a retrieve step found.
    pub read: Option<At<ReadEntry>>,
    /// Takes a cell from a table by an exact key.
    pub lookup: Option<At<LookupEntry>>,
    /// A CEL expression over task fields and earlier steps.
    pub compute: Option<At<String>>,
    /// Rules in order; the first one whose condition is true gives the action.
    pub act: Option<At<Vec<At<RuleEntry>>>>,
    /// For act: the actions that mean that nothing is done.
    pub hold: Option<At<Vec<At<String>>>>,
    /// A CEL expression; the step is skipped unless it is true.
    pub when: Option<At<String>>,
    /// What happens if an input is missing: stop the run (default), or continue with null.
    pub on_missing: Option<OnMissing>,
    /// Checks on the step's output, in order. When one fails, its next retry runs; without one left it escalates, or
    /// else the run stops.
    pub guard: Option<At<Vec<At<GuardEntry>>>>,
    /// Whether the guards are on; arms can switch it. Default: true.
    pub guarded: Option<At<bool>>,
}

/// What happens if an input is missing.
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
    /// Which passages are relevant: CEL over passage and task, or `listed` for the ids in the task file.
    pub gold: At<String>,
    /// CEL that gives a text: only passages of this entity are searched.
    pub entity: Option<At<String>>,
    /// Whether only passages of `entity` are searched; arms can switch it. Default: true if `entity` is given.
    pub entity_filter: Option<At<bool>>,
    /// The number of passages that the reader gets. Default: 5.
    pub top_k: Option<At<u32>>,
    /// The embedder of this step.
    pub embedder: Option<At<String>>,
}

/// One phrasing of a query.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct QueryEntry {
    /// Text with {{ CEL }} parts.
    pub text: At<String>,
    /// Its frequency relative to the other phrasings; above zero. Default: 1.
    pub weight: Option<At<f64>>,
}

/// What to read from the passages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct ReadEntry {
    /// The retrieve step whose passages are read.
    pub from: At<String>,
    /// A field that passages of its corpus state.
    pub field: At<String>,
    /// Reads the field from the text of passages whose facts do not state it.
    pub extract: Option<At<ExtractEntry>>,
}

/// Phrases as they occur in a text.
pub(in crate::scenario) type Phrases = At<Vec<At<String>>>;

/// How to read a typed value from a text. A value that could be read in two ways is not read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct ExtractEntry {
    /// The type of the value.
    #[serde(rename = "type")]
    pub kind: ExtractType,
    /// Cue phrases: a value counts only if one of them is in its sentence, at most 15 words away; of several values the
    /// one nearest to a phrase is taken. Default: phrases that belong to the field, if its name is known, such as
    /// `notice_period` or `expiration_date`; for other fields none, and the first value of the text is taken.
    pub near: Option<Phrases>,
    /// For date: how to read 03/04/2024. Default: as no date.
    pub day_order: Option<At<DayOrder>>,
    /// For money, percent and number: the decimal separator, which determines what 1,234 means.
    pub decimal: Option<At<Decimal>>,
    /// For money: the currency of a sign that several currencies share, such as `$`. Default: none, and no value is
    /// read.
    pub currency: Option<At<String>>,
    /// For yes_no: phrases that mean yes. Default: those of a renewal, if the field's name is that of one.
    pub yes: Option<Phrases>,
    /// For yes_no: phrases that mean no.
    pub no: Option<Phrases>,
    /// For choice: each value with the phrases that mean it.
    pub choices: Option<At<Named<Phrases>>>,
    /// For regex: a regular expression with one group, which captures the value.
    pub pattern: Option<At<String>>,
    /// For regex: the type of the captured value.
    #[serde(rename = "as")]
    pub group: Option<At<Type>>,
}

/// The type of value that an extractor reads.
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
    // The governing law, spelled once per jurisdiction: `England and Wales` for English law. Not a doc comment: one on
    // a single variant would change the form of the schema.
    Jurisdiction,
    Regex,
}

/// Whether the day or the month comes first.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum DayOrder {
    DayFirst,
    MonthFirst,
}

/// The decimal separator.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum Decimal {
    Point,
    Comma,
}

/// The cell to take from a table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct LookupEntry {
    /// The table to read.
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
    /// The action's label.
    #[serde(rename = "do")]
    pub action: At<String>,
}
