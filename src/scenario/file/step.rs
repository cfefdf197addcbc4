//! Steps as written in the file, and the settings of each kind.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::guards::GuardEntry;
use crate::scenario::spanned_de::{NamedEntries, Spanned};
use crate::value::ValueType;

/// A step: exactly one of retrieve, read, lookup, compute and act.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct StepEntry {
    /// The name that other steps use: lower-case letters, digits and `_`.
    pub id: Spanned<String>,
    /// Searches a corpus.
    pub retrieve: Option<Spanned<RetrieveEntry>>,
    /// Reads a field from the passages that a retrieve step found.
    pub read: Option<Spanned<ReadEntry>>,
    /// Takes a cell from a table by an exact key.
    pub lookup: Option<Spanned<LookupEntry>>,
    /// A CEL expression over task fields and earlier steps.
    pub compute: Option<Spanned<String>>,
    /// Rules in order; the first one whose condition is true gives the action.
    pub act: Option<Spanned<Vec<Spanned<RuleEntry>>>>,
    /// For act: the actions that mean that nothing is done.
    pub hold: Option<Spanned<Vec<Spanned<String>>>>,
    /// A CEL expression; the step is skipped unless it is true.
    pub when: Option<Spanned<String>>,
    /// What happens if an input is missing: stop the run (default), or continue with null.
    pub on_missing: Option<OnMissingEntry>,
    /// Checks on the step's output, in order. When one fails, its next retry runs; without one left it escalates, or
    /// else the run stops.
    pub guard: Option<Spanned<Vec<Spanned<GuardEntry>>>>,
    /// Whether the guards are on; arms can switch it. Default: true.
    pub guarded: Option<Spanned<bool>>,
}

/// What happens if an input is missing.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum OnMissingEntry {
    Stop,
    Continue,
}

/// A search.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct RetrieveEntry {
    /// The corpus to search.
    pub corpus: Spanned<String>,
    /// The query: text with {{ CEL }} parts. Either this or `queries`.
    pub query: Option<Spanned<String>>,
    /// Several phrasings of the query with weights. Either this or `query`.
    pub queries: Option<Spanned<Vec<QueryEntry>>>,
    /// Which passages are relevant: CEL over passage and task, or `listed` for the ids in the task file.
    pub gold: Spanned<String>,
    /// CEL that gives a text: only passages of this entity are searched.
    pub entity: Option<Spanned<String>>,
    /// Whether only passages of `entity` are searched; arms can switch it. Default: true if `entity` is given.
    pub entity_filter: Option<Spanned<bool>>,
    /// The number of passages that the reader gets. Default: 5.
    pub top_k: Option<Spanned<u32>>,
    /// The embedder of this step.
    pub embedder: Option<Spanned<String>>,
}

/// One phrasing of a query.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct QueryEntry {
    /// Text with {{ CEL }} parts.
    pub text: Spanned<String>,
    /// Its frequency relative to the other phrasings; above zero. Default: 1.
    pub weight: Option<Spanned<f64>>,
}

/// What to read from the passages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct ReadEntry {
    /// The retrieve step whose passages are read.
    pub from: Spanned<String>,
    /// A field that passages of its corpus state.
    pub field: Spanned<String>,
    /// Reads the field from the text of passages whose facts do not state it.
    pub extract: Option<Spanned<ExtractEntry>>,
    /// The question that a language model is asked: text with {{ CEL }} parts over the task. Default: the first
    /// phrasing of the query if it uses nothing but the task, otherwise a question made of the field's name.
    pub question: Option<Spanned<String>>,
    /// For a duration: the unit in which a language model is asked for it. Default: any.
    pub unit: Option<Spanned<DurationUnitEntry>>,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum DurationUnitEntry {
    Days,
    Weeks,
    Months,
    Years,
}

/// Phrases as they occur in a text.
pub(in crate::scenario) type PhraseListEntry = Spanned<Vec<Spanned<String>>>;

/// How to read a typed value from a text. A value that could be read in two ways is not read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct ExtractEntry {
    /// The type of the value.
    #[serde(rename = "type")]
    pub kind: ExtractTypeEntry,
    /// Cue phrases: a value counts only if one of them is in its sentence, at most 15 words away; of several values the
    /// one nearest to a phrase is taken. Default: phrases that belong to the field, if its name is known, such as
    /// `notice_period` or `expiration_date`; for other fields none, and the first value of the text is taken.
    pub near: Option<PhraseListEntry>,
    /// For date: how to read 03/04/2024. Default: as no date.
    pub day_order: Option<Spanned<DayOrderEntry>>,
    /// For money, percent and number: the decimal separator, which determines what 1,234 means.
    pub decimal: Option<Spanned<DecimalEntry>>,
    /// For money: the currency of a sign that several currencies share, such as `$`. Default: none, and no value is
    /// read.
    pub currency: Option<Spanned<String>>,
    /// For yes_no: phrases that mean yes. Default: those of a renewal, if the field's name is that of one.
    pub yes: Option<PhraseListEntry>,
    /// For yes_no: phrases that mean no.
    pub no: Option<PhraseListEntry>,
    /// For choice: each value with the phrases that mean it.
    pub choices: Option<Spanned<NamedEntries<PhraseListEntry>>>,
    /// For regex: a regular expression with one group, which captures the value.
    pub pattern: Option<Spanned<String>>,
    /// For regex: the type of the captured value.
    #[serde(rename = "as")]
    pub group: Option<Spanned<ValueType>>,
}

/// The type of value that an extractor reads.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum ExtractTypeEntry {
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
pub(in crate::scenario) enum DayOrderEntry {
    DayFirst,
    MonthFirst,
}

/// The decimal separator.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum DecimalEntry {
    Point,
    Comma,
}

/// The cell to take from a table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct LookupEntry {
    /// The table to read.
    pub table: Spanned<String>,
    /// CEL that gives the key.
    pub key: Spanned<String>,
    /// A declared column of the table.
    pub column: Spanned<String>,
}

/// A rule of an act step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct RuleEntry {
    /// CEL that gives yes_no. A rule without it always applies.
    #[serde(rename = "if")]
    pub condition: Option<Spanned<String>>,
    /// The action's label.
    #[serde(rename = "do")]
    pub action: Spanned<String>,
}
