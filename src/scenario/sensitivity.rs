//! Resolves the section `sensitivity`: which assumptions are varied, and in which ranges.

use super::diagnostics::Diagnostic;
use super::file::{RangeEntry, SensitivityEntry};
use super::impact::{
    FigureSource, ImpactSettings, ImpactVariable, MAX_CASES_PER_YEAR, figure_source,
};
use super::resolve::ScenarioResolver;
use super::spanned_de::Spanned;
use super::steps::StepDraft;
use super::{GuardRate, PipelineStep, ReaderParameter, SourcedValue};
use crate::expr::suggest;
use crate::impact::MAX_AMOUNT;
use crate::sensitivity::MAX_SAMPLES;

/// The default number of base samples.
pub const DEFAULT_BASE_SAMPLES: u32 = 64;

/// How assumptions are varied.
#[derive(Clone, Debug, PartialEq)]
pub struct SensitivitySettings {
    pub base_samples: usize,
    pub seed: u64,
    /// The names of the varied assumptions, with their ranges if given; `None`: all that the arms use.
    pub assumptions: Option<Vec<(String, Option<AssumptionRange>)>>,
    /// Whether to compute sensitivity indices. False if the file has an `impact` but no section `sensitivity`: then
    /// assumptions are drawn only for the losses of a year.
    pub computes_indices: bool,
}

/// The range of an assumption.
#[derive(Clone, Debug, PartialEq)]
pub struct AssumptionRange {
    pub low: f64,
    pub high: f64,
    pub backing: FigureSource,
}

/// A rate of a guard among the assumptions.
#[derive(Clone, Debug, PartialEq)]
pub struct AssumedGuardRate {
    /// The index of the guard among those of its step.
    pub guard: usize,
    pub rate: GuardRate,
    /// The name of the assumption.
    pub name: String,
    pub value: SourcedValue,
}

impl PipelineStep {
    /// The rates that are assumed for the step's guards.
    pub fn assumed_rates(&self) -> Vec<AssumedGuardRate> {
        let mut assumed = Vec::new();
        for (at, (guard, name)) in self.guards.iter().zip(self.guard_names()).enumerate() {
            let rates = guard.sourced_rates();
            for &rate in GuardRate::ALL {
                assumed.extend(rates.get(rate).map(|value| AssumedGuardRate {
                    guard: at,
                    rate,
                    name: format!("{}.{name}.{}", self.id, rate.name()),
                    value: value.clone(),
                }));
            }
        }
        assumed
    }
}

/// The assumption for a parameter of the reader.
pub fn reader_assumption(parameter: ReaderParameter) -> String {
    format!("reader.{}", parameter.name())
}

/// The assumption for the mean of a variable.
pub fn variable_assumption(variable: &str) -> String {
    format!("variable.{variable}")
}

/// The assumption for the mean yearly volume.
pub const VOLUME_ASSUMPTION: &str = "volume";

impl ScenarioResolver<'_> {
    /// Resolves the section. Without one, but with an `impact`, returns the defaults that the losses of a year need.
    pub fn sensitivity(
        &mut self,
        entry: Option<&Spanned<SensitivityEntry>>,
        steps: &[StepDraft],
        impact: Option<&ImpactSettings>,
        seed: u64,
    ) -> Option<SensitivitySettings> {
        let Some(Spanned { value: entry, .. }) = entry else {
            return impact.map(|_| SensitivitySettings {
                base_samples: DEFAULT_BASE_SAMPLES as usize,
                seed,
                assumptions: None,
                computes_indices: false,
            });
        };
        let before = self.mistakes.len();
        if let Some(samples) = &entry.base_samples {
            let count = Spanned { value: f64::from(samples.value), span: samples.span.clone() };
            self.check_range("base_samples", &count, 2.0, MAX_SAMPLES as f64);
        }
        let mut known: Vec<String> =
            ReaderParameter::ALL.iter().map(|&parameter| reader_assumption(parameter)).collect();
        let resolved = steps.iter().filter_map(|draft| draft.resolved.as_ref());
        known.extend(resolved.flat_map(PipelineStep::assumed_rates).map(|rate| rate.name));
        let chances = known.len();
        // The bounds of each mean: of the variables in order, then of the volume.
        let mut amounts = Vec::new();
        if let Some(impact) = impact {
            known.extend(impact.variables.iter().map(|v| variable_assumption(&v.name)));
            let bounds = |v: &ImpactVariable| v.variable.bounds().unwrap_or((0.0, MAX_AMOUNT));
            amounts.extend(impact.variables.iter().map(bounds));
            known.push(VOLUME_ASSUMPTION.to_owned());
            amounts.push((0.0, MAX_CASES_PER_YEAR));
        }
        // If a step or the impact has a mistake, the list of known assumptions is incomplete.
        let complete = before == 0;
        let assumptions = entry.assumptions.as_ref().map(|named| {
            self.check_distinct("assumption", named.0.iter().map(|(name, _)| name));
            let of = |(name, range): &(Spanned<String>, Spanned<RangeEntry>)| {
                let at = known.iter().position(|known| *known == name.value);
                if at.is_none() && complete {
                    self.mistakes.push(unknown_assumption(name, &known));
                }
                let bounds = match at {
                    Some(at) if at < chances => (0.0, 1.0),
                    Some(at) => amounts[at - chances],
                    None => (0.0, f64::INFINITY),
                };
                (name.value.clone(), self.range(range, bounds))
            };
            let all: Vec<(String, Option<AssumptionRange>)> = named.0.iter().map(of).collect();
            all
        });
        (self.mistakes.len() == before).then_some(SensitivitySettings {
            base_samples: entry.base_samples.as_ref().map_or(DEFAULT_BASE_SAMPLES, |n| n.value)
                as usize,
            seed: entry.seed.unwrap_or(seed),
            assumptions,
            computes_indices: true,
        })
    }

    /// Checks a range; `None` if it has no ends, which means the default range.
    fn range(
        &mut self,
        Spanned { value: entry, span }: &Spanned<RangeEntry>,
        (least, most): (f64, f64),
    ) -> Option<AssumptionRange> {
        let (low, high) = match (&entry.low, &entry.high) {
            (Some(low), Some(high)) => (low, high),
            (None, None) => return None,
            _ => {
                let mistake =
                    Diagnostic::new("missing-key", span.clone(), "a range needs both of its ends");
                self.mistakes.push(mistake.label("write low and high, or neither"));
                return None;
            }
        };
        for (what, number) in [("low", low), ("high", high)] {
            self.check_range(what, number, least, most);
        }
        if low.value >= high.value {
            let message = format!("`high` cannot be {}", high.value);
            let above = format!("allowed: more than `low`, {}", low.value);
            self.mistakes
                .push(Diagnostic::new("out-of-range", high.span.clone(), message).label(above));
        }
        let backing = figure_source(entry.tag, &entry.source);
        Some(AssumptionRange { low: low.value, high: high.value, backing })
    }
}

/// The mistake for an unknown assumption.
fn unknown_assumption(name: &Spanned<String>, known: &[String]) -> Diagnostic {
    let message = format!("there is no assumption `{}`", name.value);
    Diagnostic::new("unknown-assumption", name.span.clone(), message)
        .label(format!("there are {}", known.join(", ")))
        .help(suggest(&name.value, known.iter().map(String::as_str)))
}
