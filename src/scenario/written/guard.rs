//! Guards: what they look at, and what is done about an alarm.

use schemars::JsonSchema;
use serde::Deserialize;

use super::step::QueryEntry;
use crate::scenario::de::{At, Named};

/// A check on a step's output (exactly one of them), and what is done where it fails.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct GuardEntry {
    /// CEL over the task, earlier steps and this step's own value. It fails where this is false.
    pub check: Option<At<String>>,
    /// An earlier step that should put out the same. It fails where both have values and these differ.
    pub agrees_with: Option<At<String>>,
    /// It fails where the step ran and its output is missing, or the search found nothing.
    pub present: Option<At<bool>>,
    /// For retrieve: the least score of the best passage, by embedder, since their scales differ.
    pub score: Option<At<Named<At<f64>>>>,
    /// For retrieve: the least lead of the best passage over the next one, by embedder.
    pub margin: Option<At<Named<At<f64>>>>,
    /// For retrieve and read: CEL that gives a text. It fails where the best passage, or the one that was
    /// read, is of another entity.
    pub same_entity: Option<At<String>>,
    /// A second model that looks at every output.
    pub verifier: Option<At<VerifierEntry>>,
    /// A person who looks at every output.
    pub reviewer: Option<At<ReviewerEntry>>,
    /// What is tried when the check fails, one attempt after another: for retrieve steps another search,
    /// for read steps another search and reading, or (with no setting) only another reading.
    pub retry: Option<At<Vec<At<RetryEntry>>>>,
    /// Who settles it when no retry is left. Without it the run stops.
    pub escalate: Option<At<EscalateEntry>>,
}

/// A second model: by what it scores, or by its rates alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct VerifierEntry {
    /// For retrieve steps: what scores the query and the best passage.
    pub embedder: Option<At<String>>,
    /// With `embedder`: the least score that passes.
    pub score: Option<At<f64>>,
    /// Without `embedder`: P(alarm) on a wrong output. Default: .894 (CHARM, arXiv 2606.04435).
    pub catch_rate: Option<At<f64>>,
    /// Without `embedder`: P(alarm) on a right output. Default: .053 (CHARM).
    pub false_alarm_rate: Option<At<f64>>,
    /// US dollars a look. Default: 0.
    pub cost: Option<At<f64>>,
    /// Seconds a look. Default: .215 (CHARM).
    pub seconds: Option<At<f64>>,
}

/// A person who looks at every output.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct ReviewerEntry {
    /// P(alarm) on a wrong output. Default: .9 (NUREG/CR-1278, table 20-22).
    pub catch_rate: Option<At<f64>>,
    /// P(alarm) on a right output. Default: .05 (assumed).
    pub false_alarm_rate: Option<At<f64>>,
    /// US dollars a look. Default: 74 (arXiv 2401.16212).
    pub cost: Option<At<f64>>,
    /// Minutes a look. Default: 200 (arXiv 2401.16212).
    pub minutes: Option<At<f64>>,
}

/// A person who settles what a guard has flagged.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct EscalateEntry {
    /// P(the output is right afterwards); else what was flagged goes on. Default: .95 (assumed).
    pub accuracy: Option<At<f64>>,
    /// US dollars a case. Default: 74 (arXiv 2401.16212).
    pub cost: Option<At<f64>>,
    /// Minutes a case. Default: 200 (arXiv 2401.16212).
    pub minutes: Option<At<f64>>,
}

/// Another attempt: the step with some settings changed, whatever was tried before. What is left out is as
/// the step has it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct RetryEntry {
    /// Searches with this embedder.
    pub embedder: Option<At<String>>,
    /// Hands on this many passages.
    pub top_k: Option<At<u32>>,
    /// Whether the search is narrowed to the step's `entity`.
    pub entity_filter: Option<At<bool>>,
    /// Asks in these words.
    pub query: Option<At<String>>,
    /// Asks in one of these phrasings.
    pub queries: Option<At<Vec<QueryEntry>>>,
}
