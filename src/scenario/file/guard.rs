//! Guards as written in the file: the checks, and what follows an alarm.

use schemars::JsonSchema;
use serde::Deserialize;

use super::step::QueryEntry;
use crate::scenario::spanned_de::{NamedEntries, Spanned};

/// A check on a step's output (exactly one), and what happens when it fails.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct GuardEntry {
    /// CEL over the task, earlier steps and this step's own value. The check fails if it is false.
    pub check: Option<Spanned<String>>,
    /// An earlier step that should have the same output. The check fails if both have values that differ.
    pub agrees_with: Option<Spanned<String>>,
    /// The check fails if the step ran without an output, or if the search found nothing.
    pub present: Option<Spanned<bool>>,
    /// For retrieve: the minimum score of the best passage, by embedder, since embedders differ in scale.
    pub score: Option<Spanned<NamedEntries<Spanned<f64>>>>,
    /// For retrieve: the minimum lead of the best passage over the next one, by embedder.
    pub margin: Option<Spanned<NamedEntries<Spanned<f64>>>>,
    /// For retrieve and read: CEL that gives a text. The check fails if the best passage, or the one that was read,
    /// belongs to another entity.
    pub same_entity: Option<Spanned<String>>,
    /// A second model that checks every output.
    pub verifier: Option<Spanned<VerifierEntry>>,
    /// A person who checks every output.
    pub reviewer: Option<Spanned<ReviewerEntry>>,
    /// The attempts that follow an alarm, in order: for retrieve steps another search; for read steps another search
    /// and reading, or (without settings) only another reading.
    pub retry: Option<Spanned<Vec<Spanned<RetryEntry>>>>,
    /// The person who decides when no retry is left. Without one the run stops.
    pub escalate: Option<Spanned<EscalateEntry>>,
}

/// A second model, given by its scores or by its rates alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct VerifierEntry {
    /// For retrieve steps: the embedder that scores the query and the best passage.
    pub embedder: Option<Spanned<String>>,
    /// With `embedder`: the minimum score that passes.
    pub score: Option<Spanned<f64>>,
    /// Without `embedder`: P(alarm) on a wrong output. Default: .894 (CHARM, arXiv 2606.04435).
    pub catch_rate: Option<Spanned<f64>>,
    /// Without `embedder`: P(alarm) on a right output. Default: .053 (CHARM).
    pub false_alarm_rate: Option<Spanned<f64>>,
    /// US dollars per check. Default: 0.
    pub cost: Option<Spanned<f64>>,
    /// Seconds per check. Default: .215 (CHARM).
    pub seconds: Option<Spanned<f64>>,
}

/// A person who checks every output.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct ReviewerEntry {
    /// P(alarm) on a wrong output. Default: .9 (NUREG/CR-1278, table 20-22).
    pub catch_rate: Option<Spanned<f64>>,
    /// P(alarm) on a right output. Default: .05 (assumed).
    pub false_alarm_rate: Option<Spanned<f64>>,
    /// US dollars per check. Default: 74 (arXiv 2401.16212).
    pub cost: Option<Spanned<f64>>,
    /// Minutes per check. Default: 200 (arXiv 2401.16212).
    pub minutes: Option<Spanned<f64>>,
}

/// A person who decides on outputs that a guard has flagged.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct EscalateEntry {
    /// P(the output is right afterwards); otherwise the flagged output is used. Default: .95 (assumed).
    pub accuracy: Option<Spanned<f64>>,
    /// US dollars per case. Default: 74 (arXiv 2401.16212).
    pub cost: Option<Spanned<f64>>,
    /// Minutes per case. Default: 200 (arXiv 2401.16212).
    pub minutes: Option<Spanned<f64>>,
}

/// One further attempt: the step with these settings changed. Settings that are left out are the step's own, not those
/// of an earlier attempt.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct RetryEntry {
    /// The embedder to search with.
    pub embedder: Option<Spanned<String>>,
    /// The number of passages handed on.
    pub top_k: Option<Spanned<u32>>,
    /// Whether only passages of the step's `entity` are searched.
    pub entity_filter: Option<Spanned<bool>>,
    /// Another query.
    pub query: Option<Spanned<String>>,
    /// Several other phrasings of the query.
    pub queries: Option<Spanned<Vec<QueryEntry>>>,
}
