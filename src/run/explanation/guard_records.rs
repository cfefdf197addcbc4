//! Summarizes guards over the tasks of an arm: what they did, cost and saved.

use super::{TaskExplanation, records};
use crate::cascade::guard_results::{GuardCounts, StepGuardResults};
use crate::compile::GuardVariant;
use crate::kernel::{OUTCOMES, failure_probability};
use crate::run::SolvedTask;
use crate::run::record::{GuardCurvePoint, GuardRecord};
use crate::scenario::{Scenario, SourcedEffort, StepGuard};
use crate::stats;
use crate::step::RunOutcome;
use crate::step::guard::GuardSetting;

/// The records of the guards of one arm, in the order of the steps. `weights` are by task and sum to one.
pub fn records(
    scenario: &Scenario,
    arm: usize,
    solved: &[SolvedTask],
    whys: &[TaskExplanation],
    weights: &[f64],
) -> anyhow::Result<Vec<GuardRecord>> {
    let Some(first) = solved.first() else {
        return Ok(Vec::new());
    };
    let clusters = scenario.clusters();
    let mut records = Vec::new();
    for (step, of) in scenario.steps.iter().enumerate() {
        let variants = &first.compiled.variants[step];
        let names = of.guard_names();
        for (place, guard) in of.guards.iter().enumerate() {
            let off = GuardVariant { guard: place, setting: GuardSetting::Off };
            // Only guards that are on under this arm have a variant without them.
            let Some(off) = variants.iter().position(|v| *v == off) else {
                continue;
            };
            let over = GuardedStepSums { step, whys, weights };
            let counts = over.counts(|at| at.counts[place]);
            let (cost, seconds) = effort(guard, &counts);
            let saved = |of: fn(&[f64; OUTCOMES]) -> f64| {
                let pairs = solved.iter().zip(whys).zip(weights).zip(&clusters);
                let pairs: Vec<stats::PairedCase> = pairs
                    .map(|(((solved, why), &weight), &cluster)| stats::PairedCase {
                        baseline: of(&solved.masses.outcomes),
                        arm: of(&why.guards[step].variants[off].outcomes),
                        weight,
                        cluster,
                    })
                    .collect();
                let seed = scenario.simulation.seed;
                let saved = stats::PairedTest::new(&pairs, seed)?.interval(stats::LEVEL)?;
                Ok::<stats::ConfidenceInterval, anyhow::Error>(saved.clipped(-1.0, 1.0))
            };
            let curve = variants.iter().enumerate().filter_map(|(at, variant)| {
                let GuardSetting::Threshold { least: threshold, .. } = variant.setting else {
                    return None;
                };
                (variant.guard == place).then(|| {
                    let counts = over.counts(|of| of.variants[at].counts);
                    let (cost, _) = effort(guard, &counts);
                    GuardCurvePoint { threshold, counts, cost, outcomes: over.outcomes(at) }
                })
            });
            records.push(GuardRecord {
                step: of.id.clone(),
                guard: names[place].clone(),
                threshold: threshold(scenario, arm, step, guard),
                parameters: guard.parameters(),
                counts,
                cost,
                seconds,
                outcomes_if_off: over.outcomes(off),
                saved: saved(failure_probability)?,
                saved_unstopped: saved(unstopped)?,
                curve: curve.collect(),
            });
        }
    }
    Ok(records)
}

fn unstopped(outcomes: &[f64; OUTCOMES]) -> f64 {
    failure_probability(outcomes) - outcomes[RunOutcome::Stopped as usize]
}

/// One step over all tasks.
struct GuardedStepSums<'a> {
    step: usize,
    whys: &'a [TaskExplanation],
    weights: &'a [f64],
}

impl GuardedStepSums<'_> {
    fn counts(&self, of: impl Fn(&StepGuardResults) -> GuardCounts) -> GuardCounts {
        let mut sum = GuardCounts::default();
        for (why, &weight) in self.whys.iter().zip(self.weights) {
            sum.add(&of(&why.guards[self.step]), weight);
        }
        sum
    }

    fn outcomes(&self, variant: usize) -> [f64; OUTCOMES] {
        let outcomes =
            self.whys.iter().map(|why| &why.guards[self.step].variants[variant].outcomes);
        records::mean(self.weights, outcomes)
    }
}

/// Cost and seconds per run.
fn effort(guard: &StepGuard, counts: &GuardCounts) -> (f64, f64) {
    let (cost, seconds) = total_effort(guard.check.effort(), counts.looks);
    let person = guard.escalate.as_ref().map(|person| &person.effort);
    let (more, longer) = total_effort(person, counts.escalations);
    (cost + more, seconds + longer)
}

/// Cost and seconds of a number of uses.
fn total_effort(effort: Option<&SourcedEffort>, uses: f64) -> (f64, f64) {
    effort.map_or((0.0, 0.0), |effort| (uses * effort.cost.value, uses * effort.seconds.value))
}

fn threshold(scenario: &Scenario, arm: usize, step: usize, guard: &StepGuard) -> Option<f64> {
    let searched = scenario.arms[arm].retrieval[step].map(|retrieval| retrieval.embedder);
    guard.threshold()?.least.for_embedder(searched)
}
