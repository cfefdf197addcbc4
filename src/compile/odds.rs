//! The probabilities that govern a run.

use crate::scenario::{GuardRates, Scenario, ScenarioArm, StepGuard};
use crate::step::reader::ArmReaderModel;

/// The probabilities that govern readers and guards: all chances in a run except the choice of phrasing.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmOdds {
    pub reader: ArmReaderModel,
    /// By step, then by guard.
    pub guards: Vec<Vec<GuardRates>>,
}

impl ArmOdds {
    /// The scenario's own odds.
    pub fn of_arm(scenario: &Scenario, arm: &ScenarioArm) -> anyhow::Result<ArmOdds> {
        Ok(ArmOdds {
            reader: ArmReaderModel::of_arm(arm)?,
            guards: scenario
                .steps
                .iter()
                .map(|step| step.guards.iter().map(StepGuard::rates).collect())
                .collect(),
        })
    }
}
