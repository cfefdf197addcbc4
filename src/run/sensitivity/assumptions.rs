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

/// How a figure is drawn from its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AssumptionSpread {
    /// Uniform, for ranges that the file gives.
    Even,
    /// Half of the draws lie below the figure and half above, so that the figure is the median. Within each half the
    /// logarithm is uniform, since a factor says how far the figure may be off.
    Factor,
    /// As [`AssumptionSpread::Factor`], for the odds of the figure between these ends.
    Odds(f64, f64),
}

impl VariedAssumption {
    /// The value at the quantile `u`.
    pub fn quantile(&self, u: f64) -> f64 {
        let AssumptionRecord { value, low, high, .. } = self.record;
        let (up, down): (&dyn Fn(f64) -> f64, &dyn Fn(f64) -> f64) = match self.spread {
            AssumptionSpread::Even => return between(low, high, u),
            AssumptionSpread::Factor => (&f64::ln, &f64::exp),
            AssumptionSpread::Odds(from, to) => {
                (&move |x| ((x - from) / (to - x)).ln(), &move |y: f64| {
                    from + (to - from) / (1.0 + (-y).exp())
                })
            }
        };
        let value = match u < 0.5 {
            true => down(between(up(low), up(value), 2.0 * u)),
            false => down(between(up(value), up(high), 2.0 * u - 1.0)),
        };
        value.clamp(low, high) // rounding may leave the range
    }
}

fn between(from: f64, to: f64, u: f64) -> f64 {
    from + u * (to - from)
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
    /// The figure with its range; `None` if it is not asked for, or has no range.
    fn varied(self, asked: &SensitivitySettings) -> Option<VariedAssumption> {
        let (range, spread) = match &asked.assumptions {
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
    asked: &SensitivitySettings,
) -> anyhow::Result<Vec<VariedAssumption>> {
    let mut candidates = Vec::new();
    for &parameter in ReaderParameter::ALL {
        candidates.extend(reader_candidates(scenario, arms, parameter)?);
    }
    candidates.extend(guard_candidates(scenario, arms));
    candidates.extend(scenario.impact.iter().flat_map(impact_candidates));
    Ok(candidates.into_iter().filter_map(|candidate| candidate.varied(asked)).collect())
}

fn reader_candidates(
    scenario: &Scenario,
    arms: &[usize],
    parameter: ReaderParameter,
) -> anyhow::Result<Vec<AssumptionCandidate>> {
    let groups = reader_values(scenario, arms, parameter)?;
    let mut candidates = Vec::new();
    for (of, arms) in &groups {
        let name = reader_assumption(parameter);
        let shown = match groups.len() {
            1 => name.clone(),
            _ => {
                let ids: Vec<&str> = arms.iter().map(|&a| scenario.arms[a].id.as_str()).collect();
                format!("{name} ({})", ids.join(", "))
            }
        };
        let default = match parameter {
            ReaderParameter::Follow
                if of.tag != ParameterProvenance::Scenario && of.range.is_none() =>
            {
                follow_range(of)
            }
            _ => chance_range(of),
        };
        candidates.push(AssumptionCandidate {
            name,
            shown,
            target: AssumptionTarget::Reader { parameter, arms: arms.clone() },
            value: of.value,
            backing: backing_of(of),
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
        for AssumedGuardRate { guard, rate, name, value: of } in step.assumed_rates() {
            candidates.push(AssumptionCandidate {
                shown: name.clone(),
                name,
                target: AssumptionTarget::Rate { step: at, guard, rate },
                value: of.value,
                backing: backing_of(&of),
                default: chance_range(&of),
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
            what if !what.affects(scenario, arm) => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    fn assumption(value: f64, low: f64, high: f64, spread: AssumptionSpread) -> VariedAssumption {
        let backing = FigureSource { tag: ParameterProvenance::Assumed, source: String::new() };
        let range = backing.clone();
        let told = AssumptionRecord { name: String::new(), value, low, high, backing, range };
        VariedAssumption { target: AssumptionTarget::Volume, record: told, spread }
    }

    #[test]
    fn the_figure_is_in_the_middle_of_its_own_range() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12 * b.abs(), "{a} {b}");
        for (value, low, high, spread) in [
            (100.0, 50.0, 200.0, AssumptionSpread::Factor),
            (0.608, 0.554, 0.95, AssumptionSpread::Odds(0.0, 1.0)),
            (0.05, 0.0256, 0.0952, AssumptionSpread::Odds(0.0, 1.0)),
            (2.5, 1.5, 7.0, AssumptionSpread::Odds(1.0, 9.0)),
        ] {
            let of = assumption(value, low, high, spread);
            for (u, x) in [(0.0, low), (0.5, value), (1.0, high)] {
                near(of.quantile(u), x);
            }
            let draws: Vec<f64> = (0..=100).map(|u| of.quantile(f64::from(u) / 100.0)).collect();
            assert!(draws.windows(2).all(|pair| pair[0] < pair[1]));
        }
        // A quarter of the draws are below the geometric mean of the lower end and the figure.
        near(
            assumption(100.0, 50.0, 200.0, AssumptionSpread::Factor).quantile(0.25),
            5000f64.sqrt(),
        );
        near(assumption(0.0, 0.1, 0.3, AssumptionSpread::Even).quantile(0.25), 0.15);
    }
}
