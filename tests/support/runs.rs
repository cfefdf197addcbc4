//! Runs of scenarios through the library, without a cache.

use knockon::Session;
use knockon::run::record::ArmRecord;
use knockon::run::{self, RunRecord};
use knockon::scenario::Scenario;

/// The arms with these indices, or why they cannot be run.
pub fn try_arms(scenario: &Scenario, arms: &[usize]) -> anyhow::Result<RunRecord> {
    let session = Session::over(scenario);
    run::run(&session, arms)
}

/// All arms, or why they cannot be run.
pub fn try_all(scenario: &Scenario) -> anyhow::Result<RunRecord> {
    let arms: Vec<usize> = (0..scenario.arms.len()).collect();
    try_arms(scenario, &arms)
}

/// All arms.
pub fn run_all(scenario: &Scenario) -> RunRecord {
    try_all(scenario).unwrap_or_else(|error| panic!("{error:#}"))
}

/// The first arm.
pub fn run_first(scenario: &Scenario) -> ArmRecord {
    let record = try_arms(scenario, &[0]).unwrap_or_else(|error| panic!("{error:#}"));
    record.arms.into_iter().next().unwrap()
}
