//! Variants of guard settings: off, and with other thresholds. Each variant is a counterfactual row of the rows that it
//! changes, so that a curve over thresholds needs only one compilation.

use super::search_cache::CorpusRankings;
use super::search_plan::StepPlan;
use super::{CompileContext, CompileQuestion};
use crate::kernel::FIRST_COMPILER_INTERVENTION;
use crate::scenario::PipelineStep;
use crate::step::MissKind;
use crate::step::guard::GuardSetting;

/// One guard of a step with another setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardVariant {
    /// Index of the guard among the step's guards.
    pub guard: usize,
    pub setting: GuardSetting,
}

/// Maximum number of thresholds on a curve, in addition to the declared one.
pub const CURVE_POINTS: usize = 16;

/// The id of the counterfactual row for the variant with this index.
pub fn variant_intervention_id(at: usize) -> u8 {
    // The cast cannot overflow: `most` limits the number of variants.
    FIRST_COMPILER_INTERVENTION + MissKind::ALL.len() as u8 + at as u8
}

/// The number of ids available for variants of one step.
const VARIANT_IDS: usize = 255 - FIRST_COMPILER_INTERVENTION as usize - MissKind::ALL.len();

/// The maximum number of variants of a step, whatever its searches find.
pub fn max_variants(step: &PipelineStep) -> usize {
    let guards = step.guards.iter();
    let variants = guards.map(|guard| guard.threshold().map_or(1, |_| CURVE_POINTS + 2));
    variants.sum::<usize>().min(VARIANT_IDS)
}

impl CompileContext<'_> {
    /// The variants of a step: each guard off, and guards with a threshold at even quantiles of the values that the
    /// first attempt gives on the oracle's queries, with the declared threshold among them, ascending.
    pub(super) fn variants(
        &self,
        step: usize,
        plans: &[StepPlan],
        answers: &CorpusRankings,
    ) -> Vec<GuardVariant> {
        if !self.guarded(step) || *self.question == CompileQuestion::Plain {
            return Vec::new();
        }
        let guards = &self.scenario.steps[step].guards;
        let mut variants: Vec<GuardVariant> = (0..guards.len())
            .map(|guard| GuardVariant { guard, setting: GuardSetting::Off })
            .collect();
        for (place, guard) in guards.iter().enumerate() {
            let (Some(threshold), Some(search)) = (guard.threshold(), self.search(step)) else {
                continue;
            };
            let embedder = search.settings.embedder;
            let Some(declared) = threshold.least.for_embedder(Some(embedder)) else {
                continue; // it does not guard this embedder
            };
            let mut seen = Vec::new();
            for plan in plans {
                for ask in &plan.oracle_queries {
                    let found = crate::step::StepOutput::Context(search.top_passages(answers, ask));
                    let look = self.observe_search(step, &search, answers, ask, Some(&found));
                    let measured = (threshold.measure)(&look.scores_for(place));
                    seen.extend(measured.filter(|score| score.is_finite()));
                }
            }
            let thresholds = threshold_curve(seen, declared);
            variants.extend(thresholds.into_iter().map(|least| GuardVariant {
                guard: place,
                setting: GuardSetting::Threshold { embedder, least },
            }));
        }
        variants.truncate(VARIANT_IDS);
        variants
    }

    /// The steps with active guards, with the ids of their variants' counterfactual rows.
    pub(super) fn guard_swaps(&self) -> Vec<(usize, u8)> {
        let steps = self.scenario.steps.iter().enumerate().filter(|(step, _)| self.guarded(*step));
        steps
            .flat_map(|(step, settings)| {
                (0..max_variants(settings)).map(move |at| (step, variant_intervention_id(at)))
            })
            .collect()
    }
}

/// At most [`CURVE_POINTS`] even steps of the distinct values, one above all of them, and the declared threshold.
/// Values are rounded to the six decimals of reports, so that a threshold can be declared as reported.
fn threshold_curve(mut seen: Vec<f64>, declared: f64) -> Vec<f64> {
    let decimals = 1e6;
    seen.sort_by(f64::total_cmp);
    seen.dedup();
    let steps = CURVE_POINTS.min(seen.len());
    let mut thresholds: Vec<f64> = (0..steps)
        .map(|i| (seen[i * seen.len() / steps] * decimals).floor() / decimals)
        .chain([declared])
        .collect();
    // Above the highest value, every output raises an alarm.
    thresholds.extend(seen.last().map(|last| ((last * decimals).floor() + 1.0) / decimals));
    thresholds.sort_by(f64::total_cmp);
    thresholds.dedup();
    thresholds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_runs_from_no_alarm_to_nothing_but_alarms() {
        let seen: Vec<f64> = (0..100).map(|i| f64::from(i % 50)).collect();
        let curve = threshold_curve(seen, 12.5);
        assert_eq!(curve.first(), Some(&0.0));
        assert!(curve.last().unwrap() > &49.0 && curve.contains(&12.5));
        assert!(curve.len() <= CURVE_POINTS + 2 && curve.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(threshold_curve(Vec::new(), 0.5), [0.5]);
    }
}
