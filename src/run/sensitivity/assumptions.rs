//! What the answers rest on, and how far each figure may lie off: the one place where ranges come from.
//!
//! What varies from case to case is not what is varied here. A loss between 15,000 and 300,000 is drawn anew for every
//! case, and no study makes that go away; what one does not know is where its mean lies, and that is varied. So
//! with the volume of a year.

use crate::compile::Odds;
use crate::impact::Variable;
use crate::scenario::{
    Backed, NamedVariable, PARAMETERS, RATES, Range, Scenario, Sensitivity, VOLUME, reader_name,
    variable_name,
};
use crate::step::guard;
use crate::step::reader::{Parameter, Reader, Tag};

use super::record::AssumptionRecord;

/// By how much the odds of a chance, or an amount, are divided and multiplied at the ends of a range that nobody gave.
pub const WIDTHS: [(&str, f64); 4] =
    [("cited", 1.25), ("indicative", 1.5), ("assumed", 2.0), ("scenario", 2.0)];

/// Up to which following a wrong passage may go where the reader knows nothing of its own: the presets' figures
/// come from questions on which it does.
pub const MOST_FOLLOWED: f64 = 0.95;

/// A figure that is varied.
#[derive(Clone, Debug)]
pub struct Assumption {
    pub what: What,
    pub told: AssumptionRecord,
}

/// What a figure is.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A parameter of the reader of these arms, by their indices in the scenario.
    Reader { parameter: &'static str, arms: Vec<usize> },
    /// A rate of a guard: one of [`RATES`].
    Rate { step: usize, guard: usize, rate: usize },
    /// The mean of a variable.
    Mean(usize),
    /// The mean number of cases a year.
    Volume,
}

impl What {
    /// Whether it changes the odds of an arm.
    pub fn turns(&self, scenario: &Scenario, arm: usize) -> bool {
        match self {
            What::Reader { arms, .. } => arms.contains(&arm),
            What::Rate { step, .. } => scenario.arms[arm].guarded[*step],
            What::Mean(_) | What::Volume => false,
        }
    }
}

/// What is varied, where there is a range to vary it in: readers first, then guards, then money.
pub fn assumptions(
    scenario: &Scenario,
    arms: &[usize],
    asked: &Sensitivity,
) -> anyhow::Result<Vec<Assumption>> {
    let mut found = Vec::new();
    let mut push = |name: String, shown: String, what: What, value: f64, by: Backed, default| {
        let range = match &asked.assumptions {
            None => default,
            Some(named) => match named.iter().find(|(known, _)| *known == name) {
                None => return,
                Some((_, Some(range))) => Some(range.clone()),
                Some((_, None)) => default,
            },
        };
        if let Some(Range { low, high, backing }) = range {
            let told =
                AssumptionRecord { name: shown, value, low, high, backing: by, range: backing };
            found.push(Assumption { what, told });
        }
    };
    for parameter in PARAMETERS {
        let groups = readers(scenario, arms, parameter)?;
        for (of, arms) in &groups {
            let name = reader_name(parameter);
            let shown = match groups.len() {
                1 => name.clone(),
                _ => {
                    let ids: Vec<&str> =
                        arms.iter().map(|&a| scenario.arms[a].id.as_str()).collect();
                    format!("{name} ({})", ids.join(", "))
                }
            };
            let range = match parameter {
                "follow" if of.tag != Tag::Scenario && of.value > 0.0 => Some(followed(of.value)),
                _ => chance(of),
            };
            let what = What::Reader { parameter, arms: arms.clone() };
            push(name, shown, what, of.value, backed(of), range);
        }
    }
    for (at, step) in scenario.steps.iter().enumerate() {
        if !arms.iter().any(|&arm| scenario.arms[arm].guarded[at]) {
            continue;
        }
        for (place, rate, name) in step.rates() {
            let parameters = guard::parameters(&step.guards[place]);
            let Some(of) = parameters.iter().find(|p| p.name == RATES[rate]) else {
                continue;
            };
            let what = What::Rate { step: at, guard: place, rate };
            push(name.clone(), name, what, of.value, backed(of), chance(of));
        }
    }
    if let Some(impact) = &scenario.impact {
        for (at, variable) in impact.variables.iter().enumerate() {
            let name = variable_name(&variable.name);
            let (mean, backing) = (variable.variable.mean(), variable.backing.clone());
            push(name.clone(), name, What::Mean(at), mean, backing, off(variable));
        }
        let (mean, by) = (impact.volume.mean(), impact.volume_backing.clone());
        let times = width(by.tag);
        let range = range(mean / times, mean * times, &by, "the mean");
        push(VOLUME.to_owned(), VOLUME.to_owned(), What::Volume, mean, by, range);
    }
    Ok(found)
}

/// The distinct values of a parameter, each with the arms whose readers have it.
fn readers(
    scenario: &Scenario,
    arms: &[usize],
    name: &str,
) -> anyhow::Result<Vec<(Parameter, Vec<usize>)>> {
    let mut groups: Vec<(Parameter, Vec<usize>)> = Vec::new();
    for &arm in arms {
        let settings = &scenario.arms[arm].reader;
        let reader = Reader::new(&settings.preset, &settings.overrides)?;
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

fn backed(of: &Parameter) -> Backed {
    Backed { tag: of.tag.name(), source: of.source.clone() }
}

fn width(tag: &str) -> f64 {
    WIDTHS.iter().find(|(known, _)| *known == tag).map_or(2.0, |(_, width)| *width)
}

/// A range of ours; `None` where its ends are one.
fn range(low: f64, high: f64, by: &Backed, of: &str) -> Option<Range> {
    let source = format!(
        "ours: {of} divided and multiplied by {}, for a figure that is {}",
        width(by.tag),
        by.tag
    );
    (low < high).then_some(Range { low, high, backing: Backed { tag: "assumed", source } })
}

/// What is impossible or certain stays so, unless the file gives a range.
fn chance(of: &Parameter) -> Option<Range> {
    let by = backed(of);
    let (low, high) = odds(of.value, 0.0, 1.0, width(by.tag))?;
    range(low, high, &by, "the odds")
}

/// Where a value within bounds goes when its odds are divided and multiplied by `times`.
fn odds(value: f64, from: f64, to: f64, times: f64) -> Option<(f64, f64)> {
    let ratio = (value - from) / (to - value);
    let back = |ratio: f64| from + (to - from) * ratio / (1.0 + ratio);
    (ratio > 0.0 && ratio.is_finite()).then(|| (back(ratio / times), back(ratio * times)))
}

fn followed(value: f64) -> Range {
    let source = "ours: the figure is a lower bound for private contracts, of which the reader knows nothing";
    let backing = Backed { tag: "assumed", source: source.to_owned() };
    Range { low: value, high: MOST_FOLLOWED.max(value), backing }
}

/// Where the mean of a variable may lie: within its bounds where it has two, by a factor where it is above zero.
fn off(of: &NamedVariable) -> Option<Range> {
    let (mean, times) = (of.variable.mean(), width(of.backing.tag));
    match of.variable.bounds() {
        Some((from, to)) => {
            let (low, high) = odds(mean, from, to, times)?;
            range(low, high, &of.backing, "the odds of the mean between the variable's ends")
        }
        None if mean > 0.0 => range(mean / times, mean * times, &of.backing, "the mean"),
        None => None,
    }
}

/// The odds of an arm with these values of all assumptions.
pub fn turned(
    scenario: &Scenario,
    arm: usize,
    base: &Odds,
    assumptions: &[Assumption],
    values: &[f64],
) -> Odds {
    let mut odds = base.clone();
    for (assumption, &value) in assumptions.iter().zip(values) {
        match &assumption.what {
            what if !what.turns(scenario, arm) => {}
            What::Reader { parameter, .. } => odds.reader.set(parameter, value),
            What::Rate { step, guard, rate } => {
                if let Some(own) = odds.guards[*step][*guard].rate(RATES[*rate]) {
                    *own = value;
                }
            }
            What::Mean(_) | What::Volume => {}
        }
    }
    // Together they leave no room to abstain: what is followed comes first.
    let left = 1.0 - odds.reader.get("follow");
    if odds.reader.get("fabricate") > left {
        odds.reader.set("fabricate", left);
    }
    odds
}

/// The means of all variables with these values.
pub fn means(variables: &[Variable], assumptions: &[Assumption], values: &[f64]) -> Vec<f64> {
    let mut means: Vec<f64> = variables.iter().map(|variable| variable.mean()).collect();
    for (assumption, &value) in assumptions.iter().zip(values) {
        if let What::Mean(at) = assumption.what {
            means[at] = value;
        }
    }
    means
}
