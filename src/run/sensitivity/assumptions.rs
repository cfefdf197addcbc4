//! Lists the assumptions of a scenario with the ranges in which they are varied.
//!
//! Variation from case to case is not varied here. A loss between 15,000 and 300,000 is drawn anew for every case, and
//! no study removes that; what is unknown is its mean, so the mean is varied. The same holds for the volume of a year.

use crate::compile::ArmOdds;
use crate::impact::RandomVariable;
use crate::scenario::{
    AssumedGuardRate, AssumptionRange, FigureSource, GuardRate, ImpactSettings,
    ParameterProvenance, ReaderParameter, Scenario, SensitivitySettings, SourcedValue,
    VOLUME_ASSUMPTION, reader_assumption, variable_assumption,
};
use crate::step::reader::ArmReaderModel;

use super::assumption_spread::AssumptionSpread;
use super::default_ranges::{
    DefaultAssumptionRange, backing_of, chance_range, default_range, follow_range, mean_range,
    range_factor,
};
use super::record::AssumptionRecord;

/// A figure that is varied.
#[derive(Clone, Debug)]
pub struct VariedAssumption {
    pub target: AssumptionTarget,
    pub record: AssumptionRecord,
    pub spread: AssumptionSpread,
}

impl VariedAssumption {
    /// The value at the quantile `u`.
    pub fn quantile(&self, u: f64) -> f64 {
        self.spread.quantile(self.record.value, self.record.low, self.record.high, u)
    }
}

/// What a figure describes.
#[derive(Clone, Debug, PartialEq)]
pub enum AssumptionTarget {
    /// A parameter of the reader of these arms, by their indices in the scenario.
    Reader { parameter: ReaderParameter, arms: Vec<usize> },
    /// A rate of a guard.
    Rate { step: usize, guard: usize, rate: GuardRate },
    /// The mean of a variable.
    Mean(usize),
    /// The mean number of cases a year.
    Volume,
}

impl AssumptionTarget {
    /// Whether it changes the odds of an arm.
    pub fn affects(&self, scenario: &Scenario, arm: usize) -> bool {
        match self {
            AssumptionTarget::Reader { arms, .. } => arms.contains(&arm),
            AssumptionTarget::Rate { step, .. } => scenario.arms[arm].guarded[*step],
            AssumptionTarget::Mean(_) | AssumptionTarget::Volume => false,
        }
    }
}

/// A figure that may be varied.
struct AssumptionCandidate {
    /// The name in the scenario file.
    name: String,
    /// The name in reports, which tells arms apart.
    shown: String,
    target: AssumptionTarget,
    value: f64,
    backing: FigureSource,
    default: DefaultAssumptionRange,
}

impl AssumptionCandidate {
    /// The figure with its range; `None` if the settings leave it out, or it has no range.
    fn varied(self, settings: &SensitivitySettings) -> Option<VariedAssumption> {
        let (range, spread) = match &settings.assumptions {
            None => self.default?,
            Some(named) => match named.iter().find(|(known, _)| *known == self.name)? {
                (_, Some(range)) => (range.clone(), AssumptionSpread::Even),
                (_, None) => self.default?,
            },
        };
        let AssumptionRange { low, high, backing: range } = range;
        let record = AssumptionRecord {
            name: self.shown,
            value: self.value,
            low,
            high,
            backing: self.backing,
            range,
        };
        Some(VariedAssumption { target: self.target, record, spread })
    }
}

/// All figures that have a range to be varied in: readers first, then guards, then money.
pub fn assumptions(
    scenario: &Scenario,
    arms: &[usize],
    settings: &SensitivitySettings,
) -> anyhow::Result<Vec<VariedAssumption>> {
    let mut candidates = Vec::new();
    for &parameter in ReaderParameter::ALL {
        candidates.extend(reader_candidates(scenario, arms, parameter)?);
    }
    candidates.extend(guard_candidates(scenario, arms));
    candidates.extend(scenario.impact.iter().flat_map(impact_candidates));
    Ok(candidates.into_iter().filter_map(|candidate| candidate.varied(settings)).collect())
}

fn reader_candidates(
    scenario: &Scenario,
    arms: &[usize],
    parameter: ReaderParameter,
) -> anyhow::Result<Vec<AssumptionCandidate>> {
    let groups = reader_values(scenario, arms, parameter)?;
    let mut candidates = Vec::new();
    for (rate, arms) in &groups {
        let name = reader_assumption(parameter);
        let shown = match groups.len() {
            1 => name.clone(),
            _ => {
                let ids: Vec<&str> = arms.iter().map(|&a| scenario.arms[a].id.as_str()).collect();
                format!("{name} ({})", ids.join(", "))
            }
        };
        let default = match parameter {
            // Only the figures of presets are too low for it: see `MAX_FOLLOW`.
            ReaderParameter::Follow
                if rate.tag != ParameterProvenance::Scenario && rate.range.is_none() =>
            {
                follow_range(rate)
            }
            _ => chance_range(rate),
        };
        candidates.push(AssumptionCandidate {
            name,
            shown,
            target: AssumptionTarget::Reader { parameter, arms: arms.clone() },
            value: rate.value,
            backing: backing_of(rate),
            default,
        });
    }
    Ok(candidates)
}

/// The rates of guards that are on under some arm.
fn guard_candidates(scenario: &Scenario, arms: &[usize]) -> Vec<AssumptionCandidate> {
    let mut candidates = Vec::new();
    for (at, step) in scenario.steps.iter().enumerate() {
        if !arms.iter().any(|&arm| scenario.arms[arm].guarded[at]) {
            continue;
        }
        for AssumedGuardRate { guard, rate, name, value: figure } in step.assumed_rates() {
            candidates.push(AssumptionCandidate {
                shown: name.clone(),
                name,
                target: AssumptionTarget::Rate { step: at, guard, rate },
                value: figure.value,
                backing: backing_of(&figure),
                default: chance_range(&figure),
            });
        }
    }
    candidates
}

/// The means of the variables and of the yearly volume.
fn impact_candidates(impact: &ImpactSettings) -> Vec<AssumptionCandidate> {
    let mut candidates = Vec::new();
    for (at, variable) in impact.variables.iter().enumerate() {
        let name = variable_assumption(&variable.name);
        candidates.push(AssumptionCandidate {
            shown: name.clone(),
            name,
            target: AssumptionTarget::Mean(at),
            value: variable.variable.mean(),
            backing: variable.backing.clone(),
            default: mean_range(variable),
        });
    }
    let (mean, backing) = (impact.volume.mean(), impact.volume_backing.clone());
    let times = range_factor(backing.tag);
    let range = default_range(mean / times, mean * times, &backing, "the mean");
    candidates.push(AssumptionCandidate {
        name: VOLUME_ASSUMPTION.to_owned(),
        shown: VOLUME_ASSUMPTION.to_owned(),
        target: AssumptionTarget::Volume,
        value: mean,
        backing,
        default: range.map(|range| (range, AssumptionSpread::Factor)),
    });
    candidates
}

/// The distinct values of a reader parameter, each with the arms whose readers have it.
fn reader_values(
    scenario: &Scenario,
    arms: &[usize],
    parameter: ReaderParameter,
) -> anyhow::Result<Vec<(SourcedValue, Vec<usize>)>> {
    let mut groups: Vec<(SourcedValue, Vec<usize>)> = Vec::new();
    for &arm in arms {
        // The answers of a language model are no assumption.
        let ArmReaderModel::Simulated(reader) = ArmReaderModel::of_arm(&scenario.arms[arm])? else {
            continue;
        };
        let own = reader.parameters.get(parameter);
        match groups.iter_mut().find(|(known, _)| known == own) {
            Some((_, arms)) => arms.push(arm),
            None => groups.push((own.clone(), vec![arm])),
        }
    }
    Ok(groups)
}

/// The odds of an arm with these values of all assumptions. An assumption about the reader is its rate for fields that
/// have none of their own; the rates of single fields move along: see [`ReaderModel::shift`].
pub fn adjusted_odds(
    scenario: &Scenario,
    arm: usize,
    base: &ArmOdds,
    assumptions: &[VariedAssumption],
    values: &[f64],
) -> ArmOdds {
    let mut odds = base.clone();
    for (assumption, &value) in assumptions.iter().zip(values) {
        match &assumption.target {
            target if !target.affects(scenario, arm) => {}
            AssumptionTarget::Reader { parameter, .. } => {
                if let ArmReaderModel::Simulated(reader) = &mut odds.reader {
                    reader.shift(*parameter, value);
                }
            }
            AssumptionTarget::Rate { step, guard, rate } => {
                *odds.guards[*step][*guard].get_mut(*rate) = value;
            }
            AssumptionTarget::Mean(_) | AssumptionTarget::Volume => {}
        }
    }
    // The two chances must not sum to more than one: `fabricate` takes what `follow` leaves.
    if let ArmReaderModel::Simulated(reader) = &mut odds.reader {
        let left = 1.0 - reader.parameters.follow.value;
        let fabricate = &mut reader.parameters.fabricate.value;
        *fabricate = fabricate.min(left);
    }
    odds
}

/// The means of all variables with these values of the assumptions.
pub fn variable_means(
    variables: &[RandomVariable],
    assumptions: &[VariedAssumption],
    values: &[f64],
) -> Vec<f64> {
    let mut means: Vec<f64> = variables.iter().map(|variable| variable.mean()).collect();
    for (assumption, &value) in assumptions.iter().zip(values) {
        if let AssumptionTarget::Mean(at) = assumption.target {
            means[at] = value;
        }
    }
    means
}
