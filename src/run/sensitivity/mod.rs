//! Sensitivity of the results to the assumptions: failure rate and yearly total of each arm, and the order of the arms,
//! as functions of everything that is assumed. No point may embed or search anything.
//!
//! An arm is compiled, usually as part of the run ([`preparation`]), and its rows are reweighted at each point
//! ([`crate::compile::reweight`]), so every answer is exact at its point. Means of variables and the volume only multiply
//! the results of an arm, which needs no new sweep.

mod assumption_spread;
mod assumptions;
mod default_ranges;
mod preparation;
mod record;
mod reweighted_arm;
mod years;

use std::collections::HashMap;

use anyhow::ensure;

use assumptions::{AssumptionTarget, VariedAssumption};
pub use default_ranges::{MAX_FOLLOW, range_factor};
pub use preparation::SensitivityPreparation;
pub use record::{
    ArmOrderRecord, AssumptionEffect, AssumptionRecord, SensitivityAnswerRecord, SensitivityRecord,
};
use reweighted_arm::{ArmAnswer, ReweightedArm};
use years::DrawnYears;
pub use years::{ODDS_DRAWS, SampledTaskLosses};

use super::compare::ComparisonMeasure;
use super::money::YearLossRecord;
use crate::compile::ArmOdds;
use crate::compile::search_cache::SearchCache;
use crate::expr::CorpusIndex;
use crate::impact::RandomVariable;
use crate::progress::ProgressListener;
use crate::scenario::{Scenario, SensitivitySettings};
use crate::sensitivity::{MAX_INPUTS, SaltelliDesign, SobolIndex, sobol_indices};
use crate::stats;

/// Quantiles of the sampled answers that are reported: nine in ten lie between the outer two.
const QUANTILES: [f64; 3] = [0.05, 0.5, 0.95];
/// Answers whose relative difference is below this are equal.
const ROUNDING: f64 = 1e-12;

/// Results of varying the assumptions.
pub struct SensitivityResult {
    /// `None` if not requested, or if there is nothing to vary.
    pub sensitivity: Option<SensitivityRecord>,
    /// By arm of the run: the loss of a year with the assumptions drawn; `None` if failures are not priced or nothing
    /// is varied.
    pub years: Vec<Option<YearLossRecord>>,
    /// The assumptions that were drawn for the years.
    pub drawn: Vec<AssumptionRecord>,
}

/// Varies the assumptions. `baseline` is the position of the baseline among the arms; `sampled` holds, by arm, the
/// losses of the tasks that were sampled.
///
/// # Errors
/// Errors of compiling the arms; more assumptions than a design can have.
pub fn vary_assumptions<'a>(
    mut inquiry: SensitivityPreparation<'a>,
    baseline: Option<usize>,
    sampled: &[Vec<SampledTaskLosses>],
    indices: &'a [CorpusIndex],
    searches: &'a mut SearchCache,
    progress: &dyn ProgressListener,
) -> anyhow::Result<SensitivityResult> {
    let arms = inquiry.arms(indices, searches, progress)?;
    let SensitivityPreparation { scenario, settings, assumptions, .. } = inquiry;
    let (mut years, mut drawn) = (vec![None; arms.len()], Vec::new());
    if let Some(impact) = &scenario.impact {
        let (assumptions, seed) = (&assumptions, scenario.simulation.seed);
        drawn = assumptions.iter().map(|assumption| assumption.record.clone()).collect();
        let drawn_years = DrawnYears { scenario, impact, assumptions, seed };
        for ((year, (at, arm)), sampled) in years.iter_mut().zip(&arms).zip(sampled) {
            *year = drawn_years.record(*at, arm, sampled, progress)?;
        }
    }
    let sensitivity = match settings.computes_indices {
        true => sensitivity(scenario, settings, assumptions, arms, baseline, progress)?,
        false => None,
    };
    Ok(SensitivityResult { sensitivity, years, drawn })
}

/// How the answers depend on the assumptions; `None` if there is nothing to vary.
fn sensitivity(
    scenario: &Scenario,
    settings: &SensitivitySettings,
    mut assumptions: Vec<VariedAssumption>,
    arms: Vec<(usize, ReweightedArm)>,
    baseline: Option<usize>,
    progress: &dyn ProgressListener,
) -> anyhow::Result<Option<SensitivityRecord>> {
    let tasks = &scenario.tasks.tasks;
    let mut weights = vec![0.0; tasks.len()];
    for (task, weight) in weights.iter_mut().enumerate() {
        // Arms are compared on the same tasks, so a task counts only if all of them sweep it.
        if arms.iter().all(|(_, arm)| arm.is_swept(task)) {
            *weight = tasks[task].weight;
        }
    }
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return Ok(None); // every task is past the cap
    }
    let field = PreparedArms {
        scenario,
        weights: weights.iter().map(|weight| weight / total).collect(),
        arms,
        baseline,
        progress,
    };
    let ends = field.answers(&assumptions, &one_at_a_time(&assumptions))?;
    // The design grows with the number of assumptions, so those whose ends change no answer are left out of it.
    let used: Vec<usize> = (0..assumptions.len())
        .filter(|at| (1..3).any(|end| ends.iter().any(|values| values[2 * at + end] != values[0])))
        .collect();
    assumptions = used.iter().map(|&at| assumptions[at].clone()).collect();
    if assumptions.is_empty() {
        return Ok(None);
    }
    ensure!(
        assumptions.len() <= MAX_INPUTS,
        "at most {} assumptions can be varied, not {}: name those that matter under sensitivity.assumptions",
        MAX_INPUTS,
        assumptions.len()
    );
    let design = SaltelliDesign::new(settings.base_samples, assumptions.len(), settings.seed)?;
    let points: Vec<Vec<f64>> = design
        .points()
        .iter()
        .map(|point| {
            point.iter().zip(&assumptions).map(|(&u, assumption)| assumption.quantile(u)).collect()
        })
        .collect();
    let sampled = field.answers(&assumptions, &points)?;
    let mut answers = Vec::new();
    for (place, (kind, at_ends)) in field.kinds().into_iter().zip(&ends).enumerate() {
        let at_points = &sampled[place];
        let found = answer_indices(at_points, settings)?;
        // Later points reuse columns of earlier ones, so they are not independent draws.
        let mut independent = at_points[..design.independent_points()].to_vec();
        independent.sort_by(f64::total_cmp);
        answers.push(SensitivityAnswerRecord {
            measure: kind.measure,
            arm: kind.arm,
            against: kind.against,
            value: at_ends[0],
            quantiles: QUANTILES.map(|q| quantile(&independent, q)),
            effects: used
                .iter()
                .enumerate()
                .map(|(at, &was)| AssumptionEffect {
                    at_low: at_ends[2 * was + 1],
                    at_high: at_ends[2 * was + 2],
                    index: found.as_ref().map(|found| found[at]),
                })
                .collect(),
        });
    }
    let taken = field.weights.iter().filter(|weight| **weight > 0.0).count();
    let weighty = tasks.iter().filter(|task| task.weight > 0.0).count();
    Ok(Some(SensitivityRecord {
        base_samples: design.samples(),
        seed: settings.seed,
        points: points.len() + 1 + 2 * assumptions.len(),
        tasks: taken,
        left_out: weighty - taken,
        orders: field.orders(&ends, &sampled, design.independent_points()),
        assumptions: assumptions.into_iter().map(|assumption| assumption.record).collect(),
        answers,
    }))
}

fn answer_indices(
    answers: &[f64],
    settings: &SensitivitySettings,
) -> anyhow::Result<Option<Vec<SobolIndex>>> {
    sobol_indices(answers, settings.base_samples, stats::LEVEL, settings.seed)
}

/// The points with all assumptions at their values, then with each one at its lower end and at its upper end.
fn one_at_a_time(assumptions: &[VariedAssumption]) -> Vec<Vec<f64>> {
    let values: Vec<f64> = assumptions.iter().map(|a| a.record.value).collect();
    let mut points = vec![values.clone()];
    for (at, assumption) in assumptions.iter().enumerate() {
        for end in [assumption.record.low, assumption.record.high] {
            let mut point = values.clone();
            point[at] = end;
            points.push(point);
        }
    }
    points
}

/// Quantile of sorted values, interpolated linearly (Hyndman and Fan 1996, type 7).
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + part * (sorted[above] - sorted[below])
}

/// What an answer measures.
#[derive(Clone, Copy)]
struct SensitivityAnswerKind {
    measure: ComparisonMeasure,
    /// Positions among the arms of the run.
    arm: usize,
    against: Option<usize>,
}

/// All arms, ready to be evaluated.
struct PreparedArms<'a> {
    scenario: &'a Scenario,
    /// By task; 0 for tasks that are left out.
    weights: Vec<f64>,
    /// With their indices in the scenario.
    arms: Vec<(usize, ReweightedArm<'a>)>,
    baseline: Option<usize>,
    progress: &'a dyn ProgressListener,
}

impl PreparedArms<'_> {
    fn measures(&self) -> &'static [ComparisonMeasure] {
        match self.scenario.impact {
            Some(_) => &[ComparisonMeasure::Failure, ComparisonMeasure::Money],
            None => &[ComparisonMeasure::Failure],
        }
    }

    /// The kinds of answers: by measure, those of all arms, then their differences from the baseline.
    fn kinds(&self) -> Vec<SensitivityAnswerKind> {
        let mut kinds = Vec::new();
        for &measure in self.measures() {
            let arms = 0..self.arms.len();
            kinds.extend(arms.clone().map(|arm| SensitivityAnswerKind {
                measure,
                arm,
                against: None,
            }));
            let others = arms.filter(|arm| Some(*arm) != self.baseline);
            kinds.extend(
                others
                    .map(|arm| SensitivityAnswerKind { measure, arm, against: self.baseline })
                    .filter(|kind| kind.against.is_some()),
            );
        }
        kinds
    }

    /// The answers, by kind, then point.
    fn answers(
        &self,
        assumptions: &[VariedAssumption],
        points: &[Vec<f64>],
    ) -> anyhow::Result<Vec<Vec<f64>>> {
        let mut of_arms: Vec<Vec<ArmAnswer>> = Vec::new();
        for (arm, ready) in &self.arms {
            of_arms.push(self.arm_answers(*arm, ready, assumptions, points)?);
        }
        let impact = self.scenario.impact.as_ref();
        let variables: Vec<RandomVariable> =
            impact.iter().flat_map(|impact| &impact.variables).map(|v| v.variable).collect();
        let value = |measure: ComparisonMeasure, arm: usize, at: usize| {
            let answer = &of_arms[arm][at];
            match (measure, impact) {
                (ComparisonMeasure::Money, Some(impact)) => {
                    let volume =
                        assumptions.iter().position(|a| a.target == AssumptionTarget::Volume);
                    let cases =
                        volume.map_or(impact.volume.mean(), |assumption| points[at][assumption]);
                    let means = assumptions::variable_means(&variables, assumptions, &points[at]);
                    cases * answer.total(&self.arms[arm].1.sets, &means)
                }
                _ => answer.failure,
            }
        };
        Ok(self
            .kinds()
            .into_iter()
            .map(|kind| {
                (0..points.len())
                    .map(|at| {
                        let base = kind.against.map_or(0.0, |base| value(kind.measure, base, at));
                        value(kind.measure, kind.arm, at) - base
                    })
                    .collect()
            })
            .collect())
    }

    /// The answers of one arm; points with the same odds are solved once.
    fn arm_answers(
        &self,
        arm: usize,
        ready: &ReweightedArm,
        assumptions: &[VariedAssumption],
        points: &[Vec<f64>],
    ) -> anyhow::Result<Vec<ArmAnswer>> {
        let base = ArmOdds::of_arm(self.scenario, &self.scenario.arms[arm])?;
        let turning: Vec<usize> = (0..assumptions.len())
            .filter(|&at| assumptions[at].target.affects(self.scenario, arm))
            .collect();
        let mut known: HashMap<Vec<u64>, usize> = HashMap::new();
        let mut odds = Vec::new();
        let mut of_point = Vec::with_capacity(points.len());
        for point in points {
            // By bits, since floating-point numbers cannot be hashed.
            let key = turning.iter().map(|&at| point[at].to_bits()).collect();
            of_point.push(*known.entry(key).or_insert_with(|| {
                odds.push(assumptions::adjusted_odds(
                    self.scenario,
                    arm,
                    &base,
                    assumptions,
                    point,
                ));
                odds.len() - 1
            }));
        }
        let title = format!("{}: varying assumptions", self.scenario.arms[arm].id);
        let work = self.progress.start(&title, odds.len());
        let answers = ready.answers(&odds, &self.weights, &|n| work.advance(n))?;
        Ok(of_point.into_iter().map(|at| answers[at].clone()).collect())
    }

    /// The order of the arms by each measure: with all assumptions at their values, and over the first `independent`
    /// points.
    fn orders(
        &self,
        ends: &[Vec<f64>],
        sampled: &[Vec<f64>],
        independent: usize,
    ) -> Vec<ArmOrderRecord> {
        let kinds = self.kinds();
        let mut orders = Vec::new();
        for &measure in self.measures() {
            let places: Vec<usize> = (0..kinds.len())
                .filter(|&at| kinds[at].measure == measure && kinds[at].against.is_none())
                .collect();
            let mut order: Vec<usize> = (0..places.len()).collect();
            order.sort_by(|&a, &b| ends[places[a]][0].total_cmp(&ends[places[b]][0]));
            let (mut holds, mut best) = (0, vec![0.0; places.len()]);
            let points = (0..independent)
                .map(|at| -> Vec<f64> { places.iter().map(|&place| sampled[place][at]).collect() });
            for values in points {
                let held = order.windows(2).all(|pair| at_most(values[pair[0]], values[pair[1]]));
                holds += usize::from(held);
                let bests: Vec<usize> = (0..values.len())
                    .filter(|&arm| values.iter().all(|&other| at_most(values[arm], other)))
                    .collect();
                for &arm in &bests {
                    best[arm] += 1.0 / (bests.len() * independent) as f64;
                }
            }
            orders.push(ArmOrderRecord {
                measure,
                order,
                points: independent,
                share_unchanged: holds as f64 / independent as f64,
                share_best: best,
            });
        }
        orders
    }
}

/// Whether a value is not above another, up to rounding.
fn at_most(value: f64, other: f64) -> bool {
    value <= other + ROUNDING * other.abs()
}
