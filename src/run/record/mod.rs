//! The result of a run: every number that a report prints.
//!
//! Probabilities and rates are means over the tasks of the scenario, weighted by task weight, unless a field says
//! otherwise. `None` means undefined, such as a rate over no cases.

mod arm;
mod failures;
mod guard;
mod step;
mod task;

pub(super) use arm::main_cause;
pub use arm::{ArmRecord, ArmSummary};
pub use failures::{
    CauseShareRecord, CutSetRecord, FailureFlowRecord, FailurePathEvent, FailurePathRecord,
    MissKindRecord,
};
pub use guard::{GuardCurvePoint, GuardRecord};
pub use step::{RetrievalQualityRecord, RunEdgeRecord, RunStepRecord, StepImportance};
pub use task::{TaskRecord, WorstTaskRecord};

pub use crate::cascade::guard_results::GuardCounts;
pub use crate::run::compare::{
    ArmComparison, ArmPairFamily, ArmPairRecord, ArmRankRecord, ComparisonMeasure, RankFlips,
};
pub use crate::run::money::{
    AvoidableLoss, LossAttribution, LossBand, LossSplit, LossTail, MoneyRecord, YearLossRecord,
};
pub use crate::run::oracle_check::{
    ExpectedColumnRecord, ExpectedDifference, OracleAction, OracleGapRecord, OracleRecord,
};
pub use crate::run::recall_transfer::{HitRateWorth, TransferRecord};
pub use crate::run::sensitivity::{
    ArmOrderRecord, AssumptionEffect, AssumptionRecord, SensitivityAnswerRecord, SensitivityRecord,
};

/// An estimate with its 95% interval, clustered on the sampling unit.
pub use crate::stats::ConfidenceInterval;
/// A paired difference between two arms on the same tasks, clustered on the sampling unit.
pub use crate::stats::PairedDifference;

/// The result of a run: all arms that were run, and how they compare.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// Name of the scenario.
    pub scenario: String,
    /// Description of the scenario.
    pub description: String,
    /// Field that is the sampling unit; `None` if each task is its own.
    pub unit: Option<String>,
    /// Number of sampling units that the tasks come from.
    pub units: usize,
    /// Comparisons between the arms.
    pub comparison: ArmComparison,
    /// Index of the baseline in `arms`; `None` if it was not run.
    pub baseline: Option<usize>,
    /// Currency of all amounts; `None` if there are none.
    pub currency: Option<String>,
    /// In the order in which they were run.
    pub arms: Vec<ArmRecord>,
    /// What the oracle does, and where it stops or differs from what a person expects.
    pub right: OracleRecord,
    /// How the results depend on the assumptions, if the scenario asks for it.
    pub sensitivity: Option<SensitivityRecord>,
    /// The assumptions that are drawn for the losses of a year ([`MoneyRecord::drawn_year`]), with their ranges.
    pub drawn_assumptions: Vec<AssumptionRecord>,
}

impl RunRecord {
    /// The arm with this id, if it was run.
    pub fn arm(&self, id: &str) -> Option<&ArmRecord> {
        self.arms.iter().find(|arm| arm.id == id)
    }
}
