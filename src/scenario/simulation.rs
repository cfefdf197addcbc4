//! The section `simulation`: how a scenario is solved.

use super::diagnostics::Diagnostic;
use super::file::{InferenceMethodEntry, SimulationEntry};
use super::resolve::ScenarioResolver;
use super::spanned_de::Spanned;

/// How a scenario is solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulationSettings {
    pub method: InferenceMethod,
    /// The seed of all random numbers.
    pub seed: u64,
    /// Samples per task and arm when sampling is used.
    pub trials: u32,
    /// The number of states above which `auto` switches to sampling.
    pub max_states: usize,
}

impl Default for SimulationSettings {
    fn default() -> SimulationSettings {
        SimulationSettings {
            method: InferenceMethod::Auto,
            seed: 1,
            trials: 10_000,
            max_states: 20_000,
        }
    }
}

/// The inference method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InferenceMethod {
    /// Exact, or sampling for tasks with more than [`SimulationSettings::max_states`] states.
    Auto,
    Exact,
    MonteCarlo,
}

impl ScenarioResolver<'_> {
    /// Resolves the section `simulation`.
    pub fn simulation(&mut self, entry: &SimulationEntry) -> SimulationSettings {
        if let Some(trials) = &entry.trials {
            let count = Spanned { value: f64::from(trials.value), span: trials.span.clone() };
            self.check_range("trials", &count, 1.0, 1e6);
        }
        if let Some(cap) = entry.max_states.as_ref().filter(|cap| cap.value == 0) {
            let message = "`max_states` cannot be 0";
            self.mistakes.push(
                Diagnostic::new("out-of-range", cap.span.clone(), message)
                    .label("allowed: 1 or more"),
            );
        }
        let default = SimulationSettings::default();
        SimulationSettings {
            method: match entry.method {
                None => default.method,
                Some(InferenceMethodEntry::Auto) => InferenceMethod::Auto,
                Some(InferenceMethodEntry::Exact) => InferenceMethod::Exact,
                Some(InferenceMethodEntry::MonteCarlo) => InferenceMethod::MonteCarlo,
            },
            seed: entry.seed.unwrap_or(default.seed),
            trials: entry.trials.as_ref().map_or(default.trials, |t| t.value),
            max_states: entry
                .max_states
                .as_ref()
                // A limit above what memory can count is no limit.
                .map_or(default.max_states, |m| usize::try_from(m.value).unwrap_or(usize::MAX)),
        }
    }
}
