//! Resolves the errors to inject from the names of steps and kinds.

use super::Source;
use crate::compile::lanes::READING_ERRORS;
use crate::expr::suggest;
use crate::scenario::{Scenario, Step, StepKind};
use crate::step::{Event, MissKind};

/// A request that names an unknown step or kind.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
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
pub fn errors(step: &Step) -> Vec<Event> {
    match step.kind {
        StepKind::Retrieve(_) => MissKind::ALL.map(Event::OwnMiss).into(),
        StepKind::Read { .. } => READING_ERRORS.into(),
        _ => Vec::new(),
    }
}

/// The requested errors, in the order of the steps: at these steps (at all that can err, if none is named) and of these
/// kinds (all that a step can make, if none is named).
///
/// # Errors
/// An unknown step or one that cannot err, and a kind that none of the steps can make.
pub fn ask(
    scenario: &Scenario,
    steps: &[String],
    kinds: &[String],
) -> Result<Vec<Source>, AskError> {
    let can_err: Vec<&str> =
        scenario.steps.iter().filter(|s| !errors(s).is_empty()).map(|s| s.id.as_str()).collect();
    if can_err.is_empty() {
        return Err(AskError::NothingErrs);
    }
    for found in steps {
        let Some(step) = scenario.steps.iter().find(|s| s.id == *found) else {
            return Err(AskError::NoStep {
                found: found.clone(),
                allowed: can_err.join(", "),
                hint: hint(found, &can_err),
            });
        };
        if errors(step).is_empty() {
            return Err(AskError::CannotErr { found: found.clone(), allowed: can_err.join(", ") });
        }
    }
    let wanted = |step: &&(usize, &Step)| steps.is_empty() || steps.contains(&step.1.id);
    let all: Vec<(usize, &Step)> = scenario.steps.iter().enumerate().collect();
    let all: Vec<Source> = all
        .iter()
        .filter(wanted)
        .flat_map(|(step, of)| errors(of).into_iter().map(|event| Source { step: *step, event }))
        .collect();
    let mut known: Vec<&str> = Vec::new();
    for source in &all {
        if !known.contains(&source.event.name()) {
            known.push(source.event.name());
        }
    }
    if let Some(found) = kinds.iter().find(|kind| !known.contains(&kind.as_str())) {
        let at = if steps.is_empty() { "any step".to_owned() } else { steps.join(", ") };
        return Err(AskError::NoKind {
            found: found.clone(),
            at,
            allowed: known.join(", "),
            hint: hint(found, &known),
        });
    }
    let named =
        |source: &Source| kinds.is_empty() || kinds.iter().any(|k| k == source.event.name());
    Ok(all.into_iter().filter(named).collect())
}

fn hint(found: &str, known: &[&str]) -> String {
    suggest(found, known.iter().copied()).map_or_else(String::new, |hint| format!("; {hint}"))
}
