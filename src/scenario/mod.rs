//! Loads a scenario: one YAML file with its data files, checked and resolved into a [`Scenario`]. Nothing downstream of
//! this module looks at YAML, and nothing in it embeds, searches or draws random numbers (except the hash that picks
//! `tasks.sample`).
//!
//! A file passes through these stages, in this order. All mistakes found in them are reported together (see
//! [`Diagnostics`]):
//!
//! 1. parse: the text becomes a tree of nodes with source spans;
//! 2. schema check: the tree is checked against the JSON Schema generated from the types of the file format;
//! 3. deserialization: what passed the check becomes those types;
//! 4. resolution: names, files, expressions, types and the step graph become the [`Scenario`].

mod arm_settings;
mod arms;
mod combined_amounts;
mod currencies;
mod data_files;
mod diagnostics;
pub mod embedders;
mod expected;
mod explain;
mod expressions;
mod extract;
mod field_extraction;
mod file;
mod file_schema;
mod gold_check;
mod guards;
mod impact;
mod kind_schema;
mod loading;
mod masked_source;
mod name_advice;
mod name_values;
mod named_files;
mod node;
mod node_de;
mod parameters;
mod pipeline;
mod plan;
mod questions;
mod readers;
mod request_additions;
mod resolve;
mod resolved_scenario;
mod schema_check;
mod sections;
mod sensitivity;
mod shared_checks;
mod simulation;
mod source;
mod span_map;
mod spanned_de;
mod step_inputs;
mod step_kinds;
mod steps;
mod task_sample;
mod text_lengths;
mod yaml_extent;

pub use arm_settings::{ArmReader, READER_PRESETS, ReaderSettings, RetrievalSettings, ScenarioArm};
pub use arms::{DEFAULT_PRESET, DEFAULT_TOP_K};
pub use diagnostics::{Diagnostic, Diagnostics};
pub use embedders::{
    EmbedderDeclaration, EmbedderHost, EmbedderKind, NoteSource, NoteTopic, OpenedEmbedders,
    OpeningFailure, RankingLimit, RightQuery, RightQuerySource, TextIndexer, VectorModel,
    default_embedder,
};
pub use expected::ExpectedColumn;
pub use explain::{DiagnosticExplanation, explain, explanations};
pub use file_schema::schema;
pub use guards::{
    AlarmCondition, AlarmRule, CheckErrorRates, CheckedOutput, GuardCheck, GuardEscalation,
    GuardRate, GuardRates, GuardRetry, OutputScores, PassingThreshold, SourcedEffort, StepGuard,
    ThresholdScope, guard_defaults,
};
pub use impact::{
    CallPrice, DEFAULT_YEARS, FigureSource, ImpactSettings, ImpactVariable, LossRule, MISS_KINDS,
    OUTCOMES, RUN_END_NAMES, RunningCosts,
};
pub use loading::{load, load_for_queries, load_from, load_with_progress};
pub use named_files::ScenarioInputFile;
pub use parameters::{
    ParameterProvenance, ReaderParameter, ReaderParameters, SourcedParameter, SourcedValue,
};
pub use pipeline::{
    ActionRule, GoldSource, MissingInputPolicy, PipelineStep, PipelineStepKind, QueryPhrasing,
    RetrieveStep,
};
pub use plan::{DEFAULT_MAX_COMBINATIONS, MitigationCandidate, MitigationPlan};
pub use questions::ReadQuestion;
pub use readers::{
    LanguageModelSource, MEASURED_READER_FORMAT, MeasuredRate, MeasuredReader, MeasuredValidation,
    ReaderDeclaration, ReaderPrompts,
};
pub use resolved_scenario::{Scenario, TaskSampleSize, UnsolvableScenario};
pub use sensitivity::{
    AssumedGuardRate, AssumptionRange, DEFAULT_BASE_SAMPLES, SensitivitySettings,
    VOLUME_ASSUMPTION, reader_assumption, variable_assumption,
};
pub use simulation::{InferenceMethod, SimulationSettings};
pub use source::ScenarioSource;
pub use task_sample::sample_order;
