//! What is varied to see what the answers hang on: the section `sensitivity`.

use super::de::At;
use super::diagnostics::Diagnostic;
use super::impact::{Backed, Impact, MOST_CASES, NamedVariable, backed};
use super::resolve::Resolver;
use super::steps::Draft;
use super::written::{RangeEntry, SensitivityEntry};
use super::{Check, PARAMETERS, Step};
use crate::expr::suggest;
use crate::impact::MOST;
use crate::sensitivity::MOST_SAMPLES;

/// Base samples unless said otherwise.
pub const BASE_SAMPLES: u32 = 64;

/// How the answers are varied.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensitivity {
    pub base_samples: usize,
    pub seed: u64,
    /// What is varied, by names that there are; `None`: all that the arms use.
    pub assumptions: Option<Vec<(String, Option<Range>)>>,
    /// Whether the file asks what the answers hang on. Where it does not, and money is counted, the assumptions are drawn
    /// for the losses of a year all the same.
    pub indices: bool,
}

/// Between which values a figure lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    pub low: f64,
    pub high: f64,
    pub backing: Backed,
}

/// What the rates of guards are called in assumptions.
pub const RATES: [&str; 3] = ["catch_rate", "false_alarm_rate", "escalation_accuracy"];

impl Step {
    /// The rates that the guards of a step are known by: the guard's place, the place in [`RATES`], and the full
    /// name.
    pub fn rates(&self) -> Vec<(usize, usize, String)> {
        let names = self.guard_names();
        let of = |(at, guard): (usize, &super::Guard)| {
            let known = matches!(guard.check, Check::Verifier { .. } | Check::Reviewer { .. });
            let rates = [known, known, guard.escalate.is_some()].into_iter().enumerate();
            let name = |rate: usize| format!("{}.{}.{}", self.id, names[at], RATES[rate]);
            let has = rates.filter(|(_, has)| *has);
            has.map(|(rate, _)| (at, rate, name(rate))).collect::<Vec<_>>()
        };
        self.guards.iter().enumerate().flat_map(of).collect()
    }
}

/// The name of a parameter of the reader, of a variable's mean, and of the mean volume, among assumptions.
pub fn reader_name(parameter: &str) -> String {
    format!("reader.{parameter}")
}

pub fn variable_name(variable: &str) -> String {
    format!("variable.{variable}")
}

pub const VOLUME: &str = "volume";

impl Resolver<'_> {
    /// The section, where nothing is wrong with it; and what money needs of it where there is none.
    pub fn sensitivity(
        &mut self,
        entry: Option<&At<SensitivityEntry>>,
        steps: &[Draft],
        impact: Option<&Impact>,
        seed: u64,
    ) -> Option<Sensitivity> {
        let Some(At { value: entry, .. }) = entry else {
            return impact.map(|_| Sensitivity {
                base_samples: BASE_SAMPLES as usize,
                seed,
                assumptions: None,
                indices: false,
            });
        };
        let before = self.found.len();
        if let Some(samples) = &entry.base_samples {
            let count = At { value: f64::from(samples.value), span: samples.span.clone() };
            self.within("base_samples", &count, 2.0, MOST_SAMPLES as f64);
        }
        let mut known: Vec<String> = PARAMETERS.iter().map(|name| reader_name(name)).collect();
        let resolved = steps.iter().filter_map(|draft| draft.resolved.as_ref());
        known.extend(resolved.flat_map(Step::rates).map(|(.., name)| name));
        let chances = known.len();
        // By variable, and for the volume: between which values a mean can lie at all.
        let mut amounts = Vec::new();
        if let Some(impact) = impact {
            known.extend(impact.variables.iter().map(|v| variable_name(&v.name)));
            let bounds = |v: &NamedVariable| v.variable.bounds().unwrap_or((0.0, MOST));
            amounts.extend(impact.variables.iter().map(bounds));
            known.push(VOLUME.to_owned());
            amounts.push((0.0, MOST_CASES));
        }
        // Where a step or the money is not understood, nobody knows what there is.
        let complete = before == 0;
        let assumptions = entry.assumptions.as_ref().map(|named| {
            self.distinct("assumption", named.0.iter().map(|(name, _)| name));
            let of = |(name, range): &(At<String>, At<RangeEntry>)| {
                let at = known.iter().position(|known| *known == name.value);
                if at.is_none() && complete {
                    self.found.push(unknown(name, &known));
                }
                let bounds = match at {
                    Some(at) if at < chances => (0.0, 1.0),
                    Some(at) => amounts[at - chances],
                    None => (0.0, f64::INFINITY),
                };
                (name.value.clone(), self.range(range, bounds))
            };
            let all: Vec<(String, Option<Range>)> = named.0.iter().map(of).collect();
            all
        });
        (self.found.len() == before).then_some(Sensitivity {
            base_samples: entry.base_samples.as_ref().map_or(BASE_SAMPLES, |n| n.value) as usize,
            seed: entry.seed.unwrap_or(seed),
            assumptions,
            indices: true,
        })
    }

    fn range(
        &mut self,
        At { value: entry, span }: &At<RangeEntry>,
        (least, most): (f64, f64),
    ) -> Option<Range> {
        let (low, high) = match (&entry.low, &entry.high) {
            (Some(low), Some(high)) => (low, high),
            (None, None) => return None,
            _ => {
                let mistake =
                    Diagnostic::new("missing-key", span.clone(), "a range needs both of its ends");
                self.found.push(mistake.label("write low and high, or neither"));
                return None;
            }
        };
        for (what, number) in [("low", low), ("high", high)] {
            self.within(what, number, least, most);
        }
        if low.value >= high.value {
            let message = format!("`high` cannot be {}", high.value);
            let above = format!("allowed: more than `low`, {}", low.value);
            self.found
                .push(Diagnostic::new("out-of-range", high.span.clone(), message).label(above));
        }
        let backing = backed(entry.tag, &entry.source);
        Some(Range { low: low.value, high: high.value, backing })
    }
}

fn unknown(name: &At<String>, known: &[String]) -> Diagnostic {
    let message = format!("there is no assumption `{}`", name.value);
    Diagnostic::new("unknown-assumption", name.span.clone(), message)
        .label(format!("there are {}", known.join(", ")))
        .help(suggest(&name.value, known.iter().map(String::as_str)))
}
