//! The monetary part of the record. Amounts are in the scenario's currency.

use crate::stats::{ConfidenceInterval, PairedDifference};
use crate::step::{RunOutcome, StepEvent};

/// The costs of one arm. A case is one task, drawn by its weight.
#[derive(Clone, Debug)]
pub struct MoneyRecord {
    /// Expected loss of a case. The upper end is infinite if no task loses anything: what another case could lose is
    /// unknown.
    pub loss: ConfidenceInterval,
    /// Running costs of a case: searches, readers and guards.
    pub running: f64,
    /// Seconds that these take, one after another.
    pub seconds: f64,
    /// Loss and running costs of a case minus those of the baseline on the same tasks; `None` for the baseline itself.
    /// Negative is cheaper. Running costs are those of an average case: they shift the difference but do not widen it.
    pub difference: Option<PairedDifference>,
    /// Expected number of cases a year.
    pub cases: f64,
    /// Loss of a year, with every assumption at its value.
    pub stated_year: YearLossRecord,
    /// Loss of a year with the assumptions drawn from their ranges as well, anew for each year, so that it includes the
    /// uncertainty about them. `None` if nothing is varied.
    pub drawn_year: Option<YearLossRecord>,
    /// The expected loss of a case, split up in several ways; each split adds up to all of it.
    pub splits: Vec<LossSplit>,
    /// Losses by size, ascending.
    pub bands: Vec<LossBand>,
    /// The smallest number of tasks that account for half of the expected loss.
    pub tasks_for_half_loss: usize,
    /// By step that can err.
    pub avoidable: Vec<AvoidableLoss>,
    /// By task: its expected loss.
    pub tasks: Vec<f64>,
}

impl MoneyRecord {
    /// Loss and running costs of a case.
    pub fn total(&self) -> f64 {
        self.loss.estimate + self.running
    }

    /// Loss of a year, with the assumptions drawn as well if they were.
    pub fn year(&self) -> &YearLossRecord {
        self.drawn_year.as_ref().unwrap_or(&self.stated_year)
    }

    /// The amount a year for an amount a case.
    pub fn per_year(&self, a_case: f64) -> f64 {
        self.cases * a_case
    }

    /// The own error with the largest part of the loss, and that part; of equal ones the last.
    pub fn main_error(&self) -> Option<(&str, StepEvent, &LossSplit)> {
        let errors = self.splits.iter().filter_map(|split| match &split.attributed_to {
            LossAttribution::Error(Some((step, event))) => Some((step.as_str(), *event, split)),
            _ => None,
        });
        let most = errors.max_by(|a, b| a.2.loss.total_cmp(&b.2.loss));
        most.filter(|(.., split)| split.loss > 0.0)
    }
}

/// How much less a case would lose if a step were always right.
#[derive(Clone, Debug, PartialEq)]
pub struct AvoidableLoss {
    /// Id of the step.
    pub step: String,
    /// Avoided loss of a case.
    pub loss: f64,
    /// As a share of the expected loss; `None` if nothing is lost.
    pub share: Option<f64>,
}

/// Distribution of the loss of a year, from sampled years; without running costs.
#[derive(Clone, Debug, PartialEq)]
pub struct YearLossRecord {
    /// Number of sampled years.
    pub years: u32,
    /// Number of draws of readers and guards that the years share; `None` if these are at their values or have no
    /// effect.
    pub draws: Option<u32>,
    /// Mean loss.
    pub mean: f64,
    /// Standard deviation of the loss.
    pub sd: f64,
    /// Value at risk, by level.
    pub tail: Vec<LossTail>,
    /// Exceedance curve: (P(a year loses more), loss), the likeliest first.
    pub curve: Vec<(f64, f64)>,
}

/// Value at risk and conditional value at risk at one level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossTail {
    /// The level, such as 0.95.
    pub level: f64,
    /// Value at risk: the loss that this share of the years does not exceed.
    pub var: f64,
    /// Monte Carlo error of `var`: the range that holds it in 95% of repetitions with as many other years. The upper
    /// end is infinite if the years are too few.
    pub var_error: (f64, f64),
    /// Conditional value at risk: the mean loss of the other, worse years.
    pub cvar: f64,
}

/// A part of the expected loss.
#[derive(Clone, Debug)]
pub struct LossSplit {
    /// What the part is attributed to.
    pub attributed_to: LossAttribution,
    /// Loss of a case.
    pub loss: f64,
    /// As a share of the expected loss.
    pub share: f64,
}

/// What a part of the loss is attributed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LossAttribution {
    /// The outcome of the run.
    Outcome(RunOutcome),
    /// A loss rule of the scenario, by its name.
    Rule(String),
    /// An own error, by its Shapley share; `None`: what would be lost without any.
    Error(Option<(String, StepEvent)>),
}

/// Incidents whose expected loss has the same order of magnitude.
#[derive(Clone, Debug)]
pub struct LossBand {
    /// Lower end; the upper end is ten times it and not included.
    pub from: f64,
    /// Expected number of such incidents a year.
    pub incidents: f64,
    /// Expected loss from them a year.
    pub loss: f64,
    /// As a share of all losses.
    pub share: f64,
    /// Number of tasks in which one can happen.
    pub tasks: usize,
    /// Number of sampling units in which one can happen.
    pub units: usize,
}
