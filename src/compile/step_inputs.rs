//! Which outputs the steps of an arm take as input, and which readings are live at the same time.

use crate::kernel::trellis::TrellisShape;
use crate::scenario::{PipelineStep, PipelineStepKind, Scenario, ScenarioArm};

/// By step: the steps whose outputs it takes as input. Parents that only its guards use are included if guards are on.
pub(super) fn inputs(scenario: &Scenario, arm: &ScenarioArm) -> Vec<Vec<usize>> {
    let steps = scenario.steps.iter().zip(&arm.guarded);
    steps
        .map(|(step, on)| if *on { step.parents.clone() } else { step.required_parents.clone() })
        .collect()
}

/// A set of read steps whose outputs are live at the same time.
pub struct LiveReadings {
    /// The step after which the set is largest, and the first later step that uses one of the outputs.
    pub after: usize,
    pub next: usize,
    /// In step order.
    pub readings: Vec<usize>,
}

/// The largest set of read steps of an arm whose outputs are live together. Their results vary independently, so this
/// set determines the size of the state space.
pub fn live_readings(scenario: &Scenario, arm: &ScenarioArm) -> LiveReadings {
    let shape = TrellisShape::new(inputs(scenario, arm));
    let counts = shape.count_live(|step| is_read(&scenario.steps[step]));
    let most = counts.iter().copied().max().unwrap_or(0);
    let after = counts.iter().position(|count| *count == most).unwrap_or(0);
    let readings: Vec<usize> = (0..=after)
        .filter(|&step| is_read(&scenario.steps[step]) && shape.last_use(step) > after)
        .collect();
    let next = (after + 1..scenario.steps.len())
        .find(|step| shape.parents[*step].iter().any(|parent| readings.contains(parent)))
        .unwrap_or(after);
    LiveReadings { after, next, readings }
}

pub(super) fn is_read(step: &PipelineStep) -> bool {
    matches!(step.kind, PipelineStepKind::Read { .. })
}
