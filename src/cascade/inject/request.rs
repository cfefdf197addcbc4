//! Resolves the errors to inject from the names of steps and kinds.

use super::OwnError;
use crate::compile::intervention_runs::READING_ERRORS;
use crate::expr::suggest;
use crate::scenario::{PipelineStep, PipelineStepKind, Scenario};
use crate::step::{MissKind, StepEvent};

/// A request that names an unknown step or kind.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InjectionRequestError {
    #[error("no step '{found}'; steps that can err: {allowed}{hint}")]
    NoStep { found: String, allowed: String, hint: String },
    #[error("step '{found}' cannot err by itself: only retrieve and read steps can ({allowed})")]
    CannotErr { found: String, allowed: String },
    #[error("no error '{found}' can happen at {at}; allowed there: {allowed}{hint}")]
    NoKind { found: String, at: String, allowed: String, hint: String },
    #[error("no step can err: the scenario neither retrieves nor reads")]
    NothingErrs,
}

/// The own errors that a step can make.
pub fn possible_errors(step: &PipelineStep) -> Vec<StepEvent> {
    match step.kind {
        PipelineStepKind::Retrieve(_) => MissKind::ALL.map(StepEvent::OwnMiss).into(),
        PipelineStepKind::Read { .. } => READING_ERRORS.into(),
        _ => Vec::new(),
    }
}

/// The requested errors, in the order of the steps: at these steps (at all that can err, if none is named) and of these
/// kinds (all that a step can make, if none is named).
///
/// # Errors
/// An unknown step or one that cannot err, and a kind that none of the steps can make.
pub fn requested_errors(
    scenario: &Scenario,
    steps: &[String],
    kinds: &[String],
) -> Result<Vec<OwnError>, InjectionRequestError> {
    let can_err: Vec<&str> = scenario
        .steps
        .iter()
        .filter(|s| !possible_errors(s).is_empty())
        .map(|s| s.id.as_str())
        .collect();
    if can_err.is_empty() {
        return Err(InjectionRequestError::NothingErrs);
    }
    for found in steps {
        let Some(step) = scenario.steps.iter().find(|s| s.id == *found) else {
            return Err(InjectionRequestError::NoStep {
                found: found.clone(),
                allowed: can_err.join(", "),
                hint: hint(found, &can_err),
            });
        };
        if possible_errors(step).is_empty() {
            return Err(InjectionRequestError::CannotErr {
                found: found.clone(),
                allowed: can_err.join(", "),
            });
        }
    }
    let all: Vec<(usize, &PipelineStep)> = scenario.steps.iter().enumerate().collect();
    let all: Vec<OwnError> = all
        .iter()
        .filter(|(_, step)| steps.is_empty() || steps.contains(&step.id))
        .flat_map(|(at, step)| {
            possible_errors(step).into_iter().map(|event| OwnError { step: *at, event })
        })
        .collect();
    let mut known: Vec<&str> = Vec::new();
    for source in &all {
        if !known.contains(&source.event.name()) {
            known.push(source.event.name());
        }
    }
    if let Some(found) = kinds.iter().find(|kind| !known.contains(&kind.as_str())) {
        let at = if steps.is_empty() { "any step".to_owned() } else { steps.join(", ") };
        return Err(InjectionRequestError::NoKind {
            found: found.clone(),
            at,
            allowed: known.join(", "),
            hint: hint(found, &known),
        });
    }
    Ok(all
        .into_iter()
        .filter(|source| kinds.is_empty() || kinds.iter().any(|k| k == source.event.name()))
        .collect())
}

fn hint(found: &str, known: &[&str]) -> String {
    suggest(found, known.iter().copied()).map_or_else(String::new, |hint| format!("; {hint}"))
}
