//! The types that a scenario file is deserialized into; nothing is resolved or checked here. The JSON Schema is
//! generated from them, so their doc comments are the help texts that editors show.

mod impact;
mod plan;
mod sensitivity;
mod step;

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::embedders::EmbedderEntry;
use super::parameters::ReaderParameters;
use super::readers::{LanguageReaderEntry, ReaderChoiceEntry};
use super::spanned_de::{NamedEntries, Spanned};
use crate::value::ValueType;
use crate::world::Delimiter;

pub(super) use impact::*;
pub(super) use plan::*;
pub(super) use sensitivity::*;
pub(super) use step::*;

/// A knockon scenario: a pipeline of retrieval steps, the tasks it is replayed on, and the arms to compare.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "knockon scenario, version 1")]
pub(super) struct ScenarioFile {
    /// The version of this format: 1.
    #[schemars(required)]
    pub version: Option<Spanned<u64>>,
    /// Lower-case letters, digits, `_` and `-`. Reports go to reports/NAME/.
    #[schemars(required)]
    pub name: Option<Spanned<String>>,
    /// One line about what is simulated.
    #[serde(default)]
    pub description: String,
    /// The corpora that steps search, by name.
    #[schemars(required)]
    pub corpora: Option<NamedEntries<CorpusEntry>>,
    /// The tasks to replay.
    #[schemars(required)]
    pub tasks: Option<TasksEntry>,
    /// The tables that `lookup` steps read, by name.
    #[serde(default)]
    pub tables: NamedEntries<TableEntry>,
    /// The embedders that rank passages, by name.
    #[schemars(required)]
    pub embedders: Option<NamedEntries<EmbedderEntry>>,
    /// The embedder of retrieve steps that do not name one.
    pub embedder: Option<Spanned<String>>,
    /// Language models that really read the passages, by name.
    #[serde(default)]
    pub readers: NamedEntries<LanguageReaderEntry>,
    /// What reads the passages: a reader of the section `readers`, by name, or a simulated one. Default: simulated,
    /// with the preset gpt-4o.
    pub reader: Option<Spanned<ReaderChoiceEntry>>,
    /// The pipeline, in any order: each step runs after the steps that it names.
    #[schemars(required)]
    pub steps: Option<Vec<Spanned<StepEntry>>>,
    /// The arm that the others are compared with. Default: the first.
    pub baseline: Option<Spanned<String>>,
    /// The variants to compare: the scenario with some settings changed.
    #[schemars(required)]
    pub arms: Option<Vec<Spanned<ArmEntry>>>,
    /// How the scenario is solved.
    #[serde(default)]
    pub simulation: SimulationEntry,
    /// The value of one unit of other currencies, for amounts that are compared or added. Default: it is a mistake if
    /// an expression combines amounts in two currencies.
    pub exchange_rates: Option<Spanned<ExchangeRatesEntry>>,
    /// What failures cost. Default: no money is computed.
    pub impact: Option<Spanned<ImpactEntry>>,
    /// Mitigations to choose among, for `knockon plan`.
    pub plan: Option<Spanned<PlanEntry>>,
    /// Which assumptions are varied, to see how much the results depend on them. Default: none; `{}` varies all that
    /// are used.
    pub sensitivity: Option<Spanned<SensitivityEntry>>,
}

/// Converts amounts in other currencies to one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExchangeRatesEntry {
    /// The code of the currency to convert to, such as USD.
    pub into: Spanned<String>,
    /// The value of one unit of each other currency in `into`, by its code: `{EUR: 1.08}`.
    pub rates: NamedEntries<Spanned<f64>>,
}

/// A set of passages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CorpusEntry {
    /// A .jsonl file with one passage per line, or a .csv or .tsv file with one passage per row, relative to this file.
    pub passages: Spanned<String>,
    /// For .csv and .tsv: the character between cells. Default: tab for .tsv, otherwise comma.
    pub delimiter: Option<Spanned<Delimiter>>,
}

/// The tasks to replay.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TasksEntry {
    /// A .csv, .tsv or .jsonl file with the column `id`, relative to this file.
    pub file: Spanned<String>,
    /// For .csv and .tsv: the character between cells. Default: tab for .tsv, otherwise comma.
    pub delimiter: Option<Spanned<Delimiter>>,
    /// The field that groups tasks into independent units for intervals. Default: each task is a unit.
    pub unit: Option<Spanned<String>>,
    /// Replays at most this many tasks, drawn at random from the file with `simulation.seed`. Default: all.
    pub sample: Option<Spanned<u32>>,
    /// The fields that expressions may use, with their types.
    #[serde(default)]
    pub fields: NamedEntries<ValueType>,
    /// The column with the expected action, or a map from steps to columns with their expected outputs. The oracle is
    /// compared with them. An empty cell means no expectation, `null` no output, `stopped` a stop.
    pub expected: Option<Spanned<ExpectedEntry>>,
}

/// One column with actions, or columns by step.
#[derive(Clone, Debug)]
pub(super) enum ExpectedEntry {
    Action(String),
    Steps(NamedEntries<Spanned<String>>),
}

impl<'de> Deserialize<'de> for ExpectedEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ExpectedEntry, D::Error> {
        struct ExpectedEntryVisitor;

        impl<'de> Visitor<'de> for ExpectedEntryVisitor {
            type Value = ExpectedEntry;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a column, or a map of steps to columns")
            }

            fn visit_str<E>(self, text: &str) -> Result<ExpectedEntry, E> {
                Ok(ExpectedEntry::Action(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExpectedEntry, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(ExpectedEntry::Steps(NamedEntries(entries)))
            }
        }
        deserializer.deserialize_any(ExpectedEntryVisitor)
    }
}

impl JsonSchema for ExpectedEntry {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expected".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let column = generator.subschema_for::<String>();
        schemars::json_schema!({
            "type": ["string", "object"],
            "additionalProperties": column,
        })
    }
}

/// A table for exact key lookups.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TableEntry {
    /// A .csv or .tsv file with a header, relative to this file.
    pub file: Spanned<String>,
    /// The character between cells. Default: tab for .tsv, otherwise comma.
    pub delimiter: Option<Spanned<Delimiter>>,
    /// The column with the distinct keys.
    pub key: Spanned<String>,
    /// The columns that steps may use, with their types.
    pub columns: NamedEntries<ValueType>,
}

/// Defines the two entries with one key a parameter of the reader: that of the reader itself, which has further keys,
/// and that of a field.
macro_rules! reader_rate_entries {
    ($($(#[$about:meta])* $rate:ident)+) => {
        /// A preset, and parameters that override the preset's.
        #[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct ReaderEntry {
            /// A named set of parameters with cited sources.
            pub preset: Option<Spanned<ReaderPresetEntry>>,
            $($(#[$about])* pub $rate: Option<Spanned<f64>>,)+
            /// Parameters that differ for some fields, by the field that is read. They replace the reader's.
            #[serde(default)]
            pub by_field: NamedEntries<FieldRatesEntry>,
        }

        /// The parameters of the reader for one field.
        #[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct FieldRatesEntry {
            $($(#[$about])* pub $rate: Option<Spanned<f64>>,)+
        }

        impl ReaderEntry {
            /// The parameters that it gives.
            pub fn parameters(&self) -> ReaderParameters<Option<&Spanned<f64>>> {
                ReaderParameters { $($rate: self.$rate.as_ref(),)+ }
            }
        }

        impl FieldRatesEntry {
            /// The parameters that it gives.
            pub fn parameters(&self) -> ReaderParameters<Option<&Spanned<f64>>> {
                ReaderParameters { $($rate: self.$rate.as_ref(),)+ }
            }
        }
    };
}

reader_rate_entries! {
    /// The probability of reading a wrong value from the passage that is read, gold or distractor.
    misread
    /// With gold in context: the probability of following a distractor that ranks above it.
    distracted_above
    /// With gold in context: the probability of following a distractor that ranks below it.
    distracted_below
    /// Without gold: the probability of following the best distractor.
    follow
    /// Without gold, if a distractor states the field: the probability of making up a wrong value. With `follow` it
    /// adds up to at most 1; in the remaining reads the reader abstains.
    fabricate
    /// Without any passage that states the field: the probability of making up a wrong value.
    fabricate_empty
    /// Without gold: the probability of the right value nevertheless. `follow`, `fabricate` and `fabricate_empty` apply
    /// to the remaining reads.
    lucky
    /// With gold in context: the probability of overlooking it, for each passage between it and the nearer end of the
    /// context. An overlooked passage is treated as absent.
    overlooked
    /// With gold in context, not overlooked, and no distractor followed: the probability of reporting nevertheless that
    /// the value is not stated.
    declined
    /// The probability of an answer that cannot be parsed into a value. It applies first: the other parameters apply to
    /// the remaining reads.
    unparsable
}

/// The name of a reader preset.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) enum ReaderPresetEntry {
    #[serde(rename = "gpt-4o")]
    Gpt4o,
    #[serde(rename = "claude-opus")]
    ClaudeOpus,
    #[serde(rename = "gemini-1.5")]
    Gemini15,
    #[serde(rename = "llama-3")]
    Llama3,
    #[serde(rename = "gpt-3.5-turbo")]
    Gpt35Turbo,
    #[serde(rename = "perfect")]
    Perfect,
}

impl ReaderPresetEntry {
    /// Its name, one of [`super::READER_PRESETS`].
    pub fn name(self) -> &'static str {
        super::READER_PRESETS[self as usize]
    }
}

/// A variant of the scenario with some settings changed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ArmEntry {
    /// The name in the reports.
    pub id: Spanned<String>,
    /// The embedder of every retrieve step; overrides the step's own.
    pub embedder: Option<Spanned<String>>,
    /// Corpora to swap, by name: the corpus that is searched instead.
    #[serde(default)]
    pub corpora: NamedEntries<Spanned<String>>,
    /// Another reader, by name, or changes to the simulated one: a preset discards all other parameters, a parameter
    /// replaces only itself.
    pub reader: Option<Spanned<ReaderChoiceEntry>>,
    /// The number of passages that every reader gets.
    pub top_k: Option<Spanned<u32>>,
    /// Whether steps with an `entity` search only that entity's passages.
    pub entity_filter: Option<Spanned<bool>>,
    /// Whether guards are on.
    pub guarded: Option<Spanned<bool>>,
    /// Settings of single steps, by step id; they override those above.
    #[serde(default)]
    pub steps: NamedEntries<ArmStepEntry>,
}

/// The settings of one step in one arm.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ArmStepEntry {
    /// For retrieve: the embedder of this step.
    pub embedder: Option<Spanned<String>>,
    /// For retrieve: the number of passages that the reader gets.
    pub top_k: Option<Spanned<u32>>,
    /// For retrieve: whether only passages of the step's `entity` are searched.
    pub entity_filter: Option<Spanned<bool>>,
    /// Whether the step's guards are on.
    pub guarded: Option<Spanned<bool>>,
}

/// How the scenario is solved.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SimulationEntry {
    /// Exact inference, sampling, or exact for tasks that need at most max_states states. Default: auto.
    pub method: Option<InferenceMethodEntry>,
    /// The seed of all random numbers. Default: 1.
    pub seed: Option<u64>,
    /// Samples per task and arm when sampling is used. Default: 10000.
    pub trials: Option<Spanned<u32>>,
    /// The number of states above which auto switches to sampling. Default: 20000.
    pub max_states: Option<Spanned<u64>>,
}

/// Exact inference or sampling.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum InferenceMethodEntry {
    Auto,
    Exact,
    MonteCarlo,
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;

    use super::ReaderPresetEntry;

    #[test]
    fn a_preset_is_called_what_is_written() {
        for name in crate::scenario::READER_PRESETS {
            let deserializer: serde::de::value::StrDeserializer<Error> = name.into_deserializer();
            assert_eq!(ReaderPresetEntry::deserialize(deserializer).unwrap().name(), name);
        }
    }
}
