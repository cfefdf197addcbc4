//! The names of errors in cells.

use crate::run::record::FailurePathEvent;
use crate::step::StepEvent;

/// The name of an event; induced misses have the prefix `induced_`, own misses none.
pub(super) fn event_name(event: StepEvent) -> String {
    match event {
        StepEvent::InducedMiss(kind) => format!("induced_{}", kind.name()),
        other => other.name().to_owned(),
    }
}

/// Events as step:error, joined by `between`.
pub(super) fn joined_events<'a>(
    events: impl Iterator<Item = &'a FailurePathEvent>,
    between: &str,
) -> String {
    let events: Vec<String> =
        events.map(|event| format!("{}:{}", event.step, event_name(event.event))).collect();
    events.join(between)
}
