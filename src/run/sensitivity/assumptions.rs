//! Lists the assumptions of a scenario with the ranges in which they are varied. All default ranges come from here.
//!
//! Variation from case to case is not varied here. A loss between 15,000 and 300,000 is drawn anew for every case, and
//! no study removes that; what is unknown is its mean, so the mean is varied. The same holds for the volume of a year.

use crate::compile::ArmOdds;
use crate::impact::RandomVariable;
use crate::scenario::{
    AssumptionRange, FigureSource, GUARD_RATES, ImpactVariable, READER_PARAMETERS, Scenario,
    SensitivitySettings, VOLUME_ASSUMPTION, reader_assumption, variable_assumption,
};
use crate::step::guard;
use crate::step::reader::{ParameterProvenance, ReaderModel, SourcedParameter};

use super::record::AssumptionRecord;

/// The factor by which the odds of a chance, or an amount, are divided and multiplied at the ends of a default range,
/// by the kind of source: the weaker the source, the wider the range.
pub const RANGE_FACTORS: [(&str, f64); 4] =
    [("cited", 1.25), ("indicative", 1.5), ("assumed", 2.0), ("scenario", 2.0)];

/// Upper end of the default range for following a wrong passage. The presets' figures come from questions that the
/// reader can often answer from its own knowledge; without any, it follows more often.
pub const MAX_FOLLOW: f64 = 0.95;

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
    /// As [`Spread::Factor`], for the odds of the figure between these ends.
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

/// A default range, and how figures are drawn from it.
type DefaultAssumptionRange = Option<(AssumptionRange, AssumptionSpread)>;

/// What a figure describes.
#[derive(Clone, Debug, PartialEq)]
pub enum AssumptionTarget {
    /// A parameter of the reader of these arms, by their indices in the scenario.
    Reader { parameter: &'static str, arms: Vec<usize> },
    /// A rate of a guard, as an index into [`RATES`].
    Rate { step: usize, guard: usize, rate: usize },
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

/// All figures that have a range to be varied in: readers first, then guards, then money.
pub fn assumptions(
    scenario: &Scenario,
    arms: &[usize],
    asked: &SensitivitySettings,
) -> anyhow::Result<Vec<VariedAssumption>> {
    let mut found = Vec::new();
    let mut push = |name: String,
                    shown: String,
                    what: AssumptionTarget,
                    value: f64,
                    by: FigureSource,
                    default: DefaultAssumptionRange| {
        let range = match &asked.assumptions {
            None => default,
            Some(named) => match named.iter().find(|(known, _)| *known == name) {
                None => return,
                Some((_, Some(range))) => Some((range.clone(), AssumptionSpread::Even)),
                Some((_, None)) => default,
            },
        };
        if let Some((AssumptionRange { low, high, backing }, spread)) = range {
            let told =
                AssumptionRecord { name: shown, value, low, high, backing: by, range: backing };
            found.push(VariedAssumption { target: what, record: told, spread });
        }
    };
    for parameter in READER_PARAMETERS {
        let groups = reader_values(scenario, arms, parameter)?;
        for (of, arms) in &groups {
            let name = reader_assumption(parameter);
            let shown = match groups.len() {
                1 => name.clone(),
                _ => {
                    let ids: Vec<&str> =
                        arms.iter().map(|&a| scenario.arms[a].id.as_str()).collect();
                    format!("{name} ({})", ids.join(", "))
                }
            };
            let range = match parameter {
                "follow" if of.tag != ParameterProvenance::Scenario => follow_range(of),
                _ => chance_range(of),
            };
            let what = AssumptionTarget::Reader { parameter, arms: arms.clone() };
            push(name, shown, what, of.value, backing_of(of), range);
        }
    }
    for (at, step) in scenario.steps.iter().enumerate() {
        if !arms.iter().any(|&arm| scenario.arms[arm].guarded[at]) {
            continue;
        }
        for (place, rate, name) in step.assumed_rates() {
            let parameters = guard::parameters(&step.guards[place]);
            let Some(of) = parameters.iter().find(|p| p.name == GUARD_RATES[rate]) else {
                continue;
            };
            let what = AssumptionTarget::Rate { step: at, guard: place, rate };
            push(name.clone(), name, what, of.value, backing_of(of), chance_range(of));
        }
    }
    if let Some(impact) = &scenario.impact {
        for (at, variable) in impact.variables.iter().enumerate() {
            let name = variable_assumption(&variable.name);
            let (mean, backing) = (variable.variable.mean(), variable.backing.clone());
            push(
                name.clone(),
                name,
                AssumptionTarget::Mean(at),
                mean,
                backing,
                mean_range(variable),
            );
        }
        let (mean, by) = (impact.volume.mean(), impact.volume_backing.clone());
        let times = range_factor(by.tag);
        let range = default_range(mean / times, mean * times, &by, "the mean");
        let range = range.map(|range| (range, AssumptionSpread::Factor));
        push(
            VOLUME_ASSUMPTION.to_owned(),
            VOLUME_ASSUMPTION.to_owned(),
            AssumptionTarget::Volume,
            mean,
            by,
            range,
        );
    }
    Ok(found)
}

/// The distinct values of a reader parameter, each with the arms whose readers have it.
fn reader_values(
    scenario: &Scenario,
    arms: &[usize],
    name: &str,
) -> anyhow::Result<Vec<(SourcedParameter, Vec<usize>)>> {
    let mut groups: Vec<(SourcedParameter, Vec<usize>)> = Vec::new();
    for &arm in arms {
        let settings = &scenario.arms[arm].reader;
        let reader = ReaderModel::new(&settings.preset, &settings.overrides)?;
        let Some(own) = reader.parameters.into_iter().find(|p| p.name == name) else {
            continue;
        };
        match groups.iter_mut().find(|(known, _)| *known == own) {
            Some((_, arms)) => arms.push(arm),
            None => groups.push((own, vec![arm])),
        }
    }
    Ok(groups)
}

fn backing_of(of: &SourcedParameter) -> FigureSource {
    FigureSource { tag: of.tag.name(), source: of.source.clone() }
}

fn range_factor(tag: &str) -> f64 {
    RANGE_FACTORS.iter().find(|(known, _)| *known == tag).map_or(2.0, |(_, width)| *width)
}

/// A default range; `None` if its ends are equal.
fn default_range(low: f64, high: f64, by: &FigureSource, of: &str) -> Option<AssumptionRange> {
    let source = format!(
        "ours: {of} divided and multiplied by {}, for a figure that is {}",
        range_factor(by.tag),
        by.tag
    );
    (low < high).then_some(AssumptionRange {
        low,
        high,
        backing: FigureSource { tag: "assumed", source },
    })
}

/// The default range of a chance. What is impossible or certain has none.
fn chance_range(of: &SourcedParameter) -> DefaultAssumptionRange {
    let by = backing_of(of);
    let (low, high) = odds_range(of.value, 0.0, 1.0, range_factor(by.tag))?;
    Some((default_range(low, high, &by, "the odds")?, AssumptionSpread::Odds(0.0, 1.0)))
}

/// The ends of a range around `value`, whose odds between `from` and `to` are divided and multiplied by `times`.
fn odds_range(value: f64, from: f64, to: f64, times: f64) -> Option<(f64, f64)> {
    let ratio = (value - from) / (to - value);
    let [low, high] =
        [ratio / times, ratio * times].map(|ratio| from + (to - from) * ratio / (1.0 + ratio));
    (ratio > 0.0 && ratio.is_finite()).then_some((low, high))
}

/// The default range of `follow`: down as for any chance, and up to [`MOST_FOLLOWED`].
fn follow_range(of: &SourcedParameter) -> DefaultAssumptionRange {
    let (mut range, spread) = chance_range(of)?;
    range.high = MAX_FOLLOW.max(range.high);
    range.backing.source = format!(
        "ours: the odds divided by {}, for a figure that is {}; up to {MAX_FOLLOW}, since it comes from questions on which \
         the reader knows something of its own",
        range_factor(of.tag.name()),
        of.tag.name()
    );
    Some((range, spread))
}

/// The default range of a variable's mean: by odds if the variable has two bounds, by a factor if the mean is positive.
fn mean_range(of: &ImpactVariable) -> DefaultAssumptionRange {
    let (mean, times) = (of.variable.mean(), range_factor(of.backing.tag));
    match of.variable.bounds() {
        Some((from, to)) => {
            let (low, high) = odds_range(mean, from, to, times)?;
            let of_what = "the odds of the mean between the variable's ends";
            Some((
                default_range(low, high, &of.backing, of_what)?,
                AssumptionSpread::Odds(from, to),
            ))
        }
        None if mean > 0.0 => Some((
            default_range(mean / times, mean * times, &of.backing, "the mean")?,
            AssumptionSpread::Factor,
        )),
        None => None,
    }
}

/// The odds of an arm with these values of all assumptions.
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
            AssumptionTarget::Reader { parameter, .. } => odds.reader.set(parameter, value),
            AssumptionTarget::Rate { step, guard, rate } => {
                if let Some(own) = odds.guards[*step][*guard].rate(GUARD_RATES[*rate]) {
                    *own = value;
                }
            }
            AssumptionTarget::Mean(_) | AssumptionTarget::Volume => {}
        }
    }
    // The two chances must not sum to more than one: `fabricate` takes what `follow` leaves.
    let left = 1.0 - odds.reader.get("follow");
    if odds.reader.get("fabricate") > left {
        odds.reader.set("fabricate", left);
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
        let backing = FigureSource { tag: "assumed", source: String::new() };
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
