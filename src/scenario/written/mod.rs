//! The scenario file as it is written. The JSON Schema is generated from these types, so a comment on
//! a field is what an editor shows for it.

mod embedder;
mod guard;
mod impact;
mod plan;
mod sensitivity;
mod step;

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::de::{At, Named};
use crate::value::Type;
use crate::world::Delimiter;

pub(super) use embedder::*;
pub(super) use guard::*;
pub(super) use impact::*;
pub(super) use plan::*;
pub(super) use sensitivity::*;
pub(super) use step::*;

/// A knockon scenario: a pipeline of retrieval steps, the cases it is replayed on, and the arms to compare.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "knockon scenario, version 1")]
pub(super) struct File {
    /// The version of this format: 1.
    #[schemars(required)]
    pub version: Option<At<u64>>,
    /// Lower-case letters, digits, `_` and `-`. Reports go to reports/NAME/.
    #[schemars(required)]
    pub name: Option<At<String>>,
    /// One line about what is simulated.
    #[serde(default)]
    pub description: String,
    /// Where steps retrieve from, by name.
    #[schemars(required)]
    pub corpora: Option<Named<CorpusEntry>>,
    /// The cases to replay.
    #[schemars(required)]
    pub tasks: Option<TasksEntry>,
    /// Where `lookup` steps look, by name.
    #[serde(default)]
    pub tables: Named<TableEntry>,
    /// What ranks passages, by name.
    #[schemars(required)]
    pub embedders: Option<Named<EmbedderEntry>>,
    /// The embedder of retrieve steps that name none.
    pub embedder: Option<At<String>>,
    /// The simulated language model that reads the passages. Default: the preset gpt-4o.
    pub reader: Option<ReaderEntry>,
    /// The pipeline. The order is free: a step comes after the steps it names.
    #[schemars(required)]
    pub steps: Option<Vec<At<StepEntry>>>,
    /// The arm that the others are compared with. Default: the first.
    pub baseline: Option<At<String>>,
    /// What is compared: the scenario with some settings changed.
    #[schemars(required)]
    pub arms: Option<Vec<At<ArmEntry>>>,
    /// How the answer is computed.
    #[serde(default)]
    pub simulation: SimulationEntry,
    /// What one unit of other currencies is worth, for amounts that are compared or added. Default: amounts in
    /// two currencies that come together in an expression are a mistake.
    pub exchange_rates: Option<At<ExchangeRatesEntry>>,
    /// What failures cost. Default: money is left out.
    pub impact: Option<At<ImpactEntry>>,
    /// Mitigations to choose among, for `knockon plan`.
    pub plan: Option<At<PlanEntry>>,
    /// How far the answers hang on what is assumed. Default: that is left out; `{}` varies all that is used.
    pub sensitivity: Option<At<SensitivityEntry>>,
}

/// Amounts in these currencies are read as amounts in one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExchangeRatesEntry {
    /// The code of the currency that amounts are turned into, such as USD.
    pub into: At<String>,
    /// By code of another currency, how many of `into` one of it is: `{EUR: 1.08}`.
    pub rates: Named<At<f64>>,
}

/// A set of passages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CorpusEntry {
    /// A .jsonl file, one passage a line, or a .csv or .tsv file, one passage a row, relative to this file.
    pub passages: At<String>,
    /// For a table: what stands between cells. Default: tab for .tsv, otherwise comma.
    pub delimiter: Option<At<Delimiter>>,
}

/// The cases to replay.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TasksEntry {
    /// A .csv, .tsv or .jsonl file with the column `id`, relative to this file.
    pub file: At<String>,
    /// For a table: what stands between cells. Default: tab for .tsv, otherwise comma.
    pub delimiter: Option<At<Delimiter>>,
    /// The field that groups tasks into independent units for intervals. Default: each task is its own.
    pub unit: Option<At<String>>,
    /// Replays at most this many tasks, drawn at random from the file by `simulation.seed`. Default: all.
    pub sample: Option<At<u32>>,
    /// The fields that expressions may use, with their types.
    #[serde(default)]
    pub fields: Named<Type>,
    /// The column in which a person says which action is right; or a map of steps to columns with their right outputs.
    /// The oracle is held against them. An empty cell says nothing; `null` is no output, `stopped` a stop.
    pub expected: Option<At<ExpectedEntry>>,
}

/// A column, or columns by step.
#[derive(Clone, Debug)]
pub(super) enum ExpectedEntry {
    Action(String),
    Steps(Named<At<String>>),
}

impl<'de> Deserialize<'de> for ExpectedEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ExpectedEntry, D::Error> {
        struct EntryVisitor;

        impl<'de> Visitor<'de> for EntryVisitor {
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
                Ok(ExpectedEntry::Steps(Named(entries)))
            }
        }
        deserializer.deserialize_any(EntryVisitor)
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

/// A table for exact key joins.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TableEntry {
    /// A .csv or .tsv file with a header, relative to this file.
    pub file: At<String>,
    /// What stands between cells. Default: tab for .tsv, otherwise comma.
    pub delimiter: Option<At<Delimiter>>,
    /// The column with the distinct keys.
    pub key: At<String>,
    /// The columns that steps may take, with their types.
    pub columns: Named<Type>,
}

/// A preset, with parameters that replace the preset's.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReaderEntry {
    /// A named set of values with their sources.
    pub preset: Option<At<Preset>>,
    /// The probability of reading a value wrong from the right passage.
    pub misread: Option<At<f64>>,
    /// With gold in context: the probability of following a distractor that ranks above it.
    pub distracted_above: Option<At<f64>>,
    /// With gold in context: the probability of following a distractor that ranks below it.
    pub distracted_below: Option<At<f64>>,
    /// Without gold: the probability of following the best distractor.
    pub follow: Option<At<f64>>,
    /// Without gold, distractor not followed: the probability of making a wrong value up.
    pub fabricate: Option<At<f64>>,
    /// Without any passage that states the field: the probability of making a wrong value up.
    pub fabricate_empty: Option<At<f64>>,
    /// Without gold: the probability of the right value all the same. The three above are those of the other reads.
    pub lucky: Option<At<f64>>,
    /// With gold in context: the probability of overlooking it, for each passage between it and the
    /// nearer end. What is overlooked is read as if it were not there.
    pub overlooked: Option<At<f64>>,
}

/// The name of a reader preset.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) enum Preset {
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

impl Preset {
    /// Its name, one of [`super::PRESETS`].
    pub fn name(self) -> &'static str {
        super::PRESETS[self as usize]
    }
}

/// A named set of changed settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ArmEntry {
    /// The name in the reports.
    pub id: At<String>,
    /// The embedder of every retrieve step, whatever the step itself says.
    pub embedder: Option<At<String>>,
    /// Corpora to swap: the declared one, then what is searched in its place.
    #[serde(default)]
    pub corpora: Named<At<String>>,
    /// Replaces the reader: a preset replaces it whole, parameters alone only themselves.
    #[serde(default)]
    pub reader: ReaderEntry,
    /// How many passages every reader gets.
    pub top_k: Option<At<u32>>,
    /// Whether steps with an `entity` search only its passages.
    pub entity_filter: Option<At<bool>>,
    /// Whether guards are on.
    pub guarded: Option<At<bool>>,
    /// Settings of single steps, by step id; they win over those above.
    #[serde(default)]
    pub steps: Named<ArmStepEntry>,
}

/// The settings of one step in one arm.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ArmStepEntry {
    /// For retrieve: the embedder of this step.
    pub embedder: Option<At<String>>,
    /// For retrieve: how many passages the reader gets.
    pub top_k: Option<At<u32>>,
    /// For retrieve: whether the step's `entity` narrows the search.
    pub entity_filter: Option<At<bool>>,
    /// Whether the step's guards are on.
    pub guarded: Option<At<bool>>,
}

/// How the answer is computed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SimulationEntry {
    /// Exact inference, sampling, or exact where the states fit under max_states. Default: auto.
    pub method: Option<Method>,
    /// All random numbers follow from it. Default: 1.
    pub seed: Option<u64>,
    /// Samples a task and arm where sampling is used. Default: 10000.
    pub trials: Option<At<u32>>,
    /// The state count past which auto samples. Default: 20000.
    pub max_states: Option<At<u64>>,
}

/// Exact inference or sampling.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum Method {
    Auto,
    Exact,
    MonteCarlo,
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;

    use super::Preset;

    #[test]
    fn a_preset_is_called_what_is_written() {
        for name in crate::scenario::PRESETS {
            let deserializer: serde::de::value::StrDeserializer<Error> = name.into_deserializer();
            assert_eq!(Preset::deserialize(deserializer).unwrap().name(), name);
        }
    }
}
