//! Sensitivity of the results to the assumptions: failure rate and yearly total of each arm, and the order of the arms,
//! as functions of everything that is assumed. No point may embed or search anything.
//!
//! An arm is compiled, usually as part of the run ([`inquiry`]), and its rows are reweighted at each point
//! ([`crate::compile::scales`]), so every answer is exact at its point. Means of variables and the volume only multiply
//! the results of an arm, which needs no new sweep.

mod arm;
mod assumptions;
mod inquiry;
mod record;
mod years;

use std::collections::HashMap;

use anyhow::ensure;

use arm::{Answer, Arm};
use assumptions::{Assumption, What};
pub use assumptions::{MOST_FOLLOWED, WIDTHS};
pub use inquiry::Inquiry;
pub use record::{AnswerRecord, AssumptionRecord, Effect, OrderRecord, SensitivityRecord};
use years::DrawnYears;
pub use years::{DRAWS, SampledLosses};

use super::compare::Measure;
use super::money::YearRecord;
use crate::compile::Odds;
use crate::compile::search::Searches;
use crate::expr::CorpusIndex;
use crate::impact::Variable;
use crate::progress::ProgressListener;
use crate::scenario::{Scenario, Sensitivity};
use crate::sensitivity::{Design, Index, MOST_INPUTS, indices};
use crate::stats;

/// Quantiles of the sampled answers that are reported: nine in ten lie between the outer two.
const QUANTILES: [f64; 3] = [0.05, 0.5, 0.95];
/// Answers whose relative difference is below this are equal.
const ROUNDING: f64 = 1e-12;

/// Results of varying the assumptions.
pub struct Varied {
    /// `None` if not requested, or if there is nothing to vary.
    pub sensitivity: Option<SensitivityRecord>,
    /// By arm of the run: the loss of a year with the assumptions drawn; `None` if failures are not priced or nothing
    /// is varied.
    pub years: Vec<Option<YearRecord>>,
    /// The assumptions that were drawn for the years.
    pub drawn: Vec<AssumptionRecord>,
}

/// Varies the assumptions. `baseline` is the position of the baseline among the arms; `sampled` holds, by arm, the
/// losses of the tasks that were sampled.
///
/// # Errors
/// Errors of compiling the arms; more assumptions than a design can have.
pub fn vary<'a>(
    mut inquiry: Inquiry<'a>,
    baseline: Option<usize>,
    sampled: &[Vec<SampledLosses>],
    indices: &'a [CorpusIndex],
    searches: &'a mut Searches,
    progress: &dyn ProgressListener,
) -> anyhow::Result<Varied> {
    let arms = inquiry.arms(indices, searches, progress)?;
    let Inquiry { scenario, asked, assumptions, .. } = inquiry;
    let (mut years, mut drawn) = (vec![None; arms.len()], Vec::new());
    if let Some(impact) = &scenario.impact {
        let (assumptions, seed) = (&assumptions, scenario.simulation.seed);
        drawn = assumptions.iter().map(|assumption| assumption.told.clone()).collect();
        let of = DrawnYears { scenario, impact, assumptions, seed };
        for ((year, (at, arm)), sampled) in years.iter_mut().zip(&arms).zip(sampled) {
            *year = of.record(*at, arm, sampled, progress)?;
        }
    }
    let sensitivity = match asked.indices {
        true => sensitivity(scenario, asked, assumptions, arms, baseline, progress)?,
        false => None,
    };
    Ok(Varied { sensitivity, years, drawn })
}

/// How the answers depend on the assumptions; `None` if there is nothing to vary.
fn sensitivity(
    scenario: &Scenario,
    asked: &Sensitivity,
    mut assumptions: Vec<Assumption>,
    arms: Vec<(usize, Arm)>,
    baseline: Option<usize>,
    progress: &dyn ProgressListener,
) -> anyhow::Result<Option<SensitivityRecord>> {
    let tasks = &scenario.tasks.tasks;
    let swept = |task: usize| arms.iter().all(|(_, arm)| arm.has(task));
    let weight = |task: usize| if swept(task) { tasks[task].weight } else { 0.0 };
    let total: f64 = (0..tasks.len()).map(weight).sum();
    if total <= 0.0 {
        return Ok(None); // every task is past the cap
    }
    let field = Field {
        scenario,
        weights: (0..tasks.len()).map(|task| weight(task) / total).collect(),
        arms,
        baseline,
        progress,
    };
    let ends = field.answers(&assumptions, &one_at_a_time(&assumptions))?;
    // The design grows with the number of assumptions, so those whose ends change no answer are left out of it.
    let rests = |at: &usize| (1..3).any(|end| ends.iter().any(|of| of[2 * at + end] != of[0]));
    let used: Vec<usize> = (0..assumptions.len()).filter(rests).collect();
    assumptions = used.iter().map(|&at| assumptions[at].clone()).collect();
    if assumptions.is_empty() {
        return Ok(None);
    }
    ensure!(
        assumptions.len() <= MOST_INPUTS,
        "at most {} assumptions can be varied, not {}: name those that matter under sensitivity.assumptions",
        MOST_INPUTS,
        assumptions.len()
    );
    let design = Design::new(asked.base_samples, assumptions.len(), asked.seed)?;
    let scaled = |point: &Vec<f64>| {
        point.iter().zip(&assumptions).map(|(&u, assumption)| assumption.at(u)).collect()
    };
    let points: Vec<Vec<f64>> = design.points().iter().map(scaled).collect();
    let sampled = field.answers(&assumptions, &points)?;
    let mut answers = Vec::new();
    for (place, (kind, at_ends)) in field.kinds().into_iter().zip(&ends).enumerate() {
        let at_points = &sampled[place];
        let found = indices_of(at_points, asked)?;
        let effect = |(at, &was): (usize, &usize)| Effect {
            at_low: at_ends[2 * was + 1],
            at_high: at_ends[2 * was + 2],
            index: found.as_ref().map(|found| found[at]),
        };
        // Later points reuse columns of earlier ones, so they are not independent draws.
        let mut independent = at_points[..design.independent()].to_vec();
        independent.sort_by(f64::total_cmp);
        answers.push(AnswerRecord {
            measure: kind.measure,
            arm: kind.arm,
            against: kind.against,
            value: at_ends[0],
            quantiles: QUANTILES.map(|q| quantile(&independent, q)),
            effects: used.iter().enumerate().map(effect).collect(),
        });
    }
    let taken = field.weights.iter().filter(|weight| **weight > 0.0).count();
    let weighty = tasks.iter().filter(|task| task.weight > 0.0).count();
    Ok(Some(SensitivityRecord {
        base_samples: design.samples(),
        seed: asked.seed,
        points: points.len() + 1 + 2 * assumptions.len(),
        tasks: taken,
        left_out: weighty - taken,
        orders: field.orders(&ends, &sampled, design.independent()),
        assumptions: assumptions.into_iter().map(|assumption| assumption.told).collect(),
        answers,
    }))
}

fn indices_of(answers: &[f64], asked: &Sensitivity) -> anyhow::Result<Option<Vec<Index>>> {
    indices(answers, asked.base_samples, stats::LEVEL, asked.seed)
}

/// The points with all assumptions at their values, then with each one at its lower end and at its upper end.
fn one_at_a_time(assumptions: &[Assumption]) -> Vec<Vec<f64>> {
    let values: Vec<f64> = assumptions.iter().map(|a| a.told.value).collect();
    let mut points = vec![values.clone()];
    for (at, assumption) in assumptions.iter().enumerate() {
        for end in [assumption.told.low, assumption.told.high] {
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
struct Kind {
    measure: Measure,
    /// Positions among the arms of the run.
    arm: usize,
    against: Option<usize>,
}

/// All arms, ready to be evaluated.
struct Field<'a> {
    scenario: &'a Scenario,
    /// By task; 0 for tasks that are left out.
    weights: Vec<f64>,
    /// With their indices in the scenario.
    arms: Vec<(usize, Arm<'a>)>,
    baseline: Option<usize>,
    progress: &'a dyn ProgressListener,
}

impl Field<'_> {
    fn measures(&self) -> &'static [Measure] {
        match self.scenario.impact {
            Some(_) => &[Measure::Failure, Measure::Money],
            None => &[Measure::Failure],
        }
    }

    /// The kinds of answers: by measure, those of all arms, then their differences from the baseline.
    fn kinds(&self) -> Vec<Kind> {
        let mut kinds = Vec::new();
        for &measure in self.measures() {
            let arms = 0..self.arms.len();
            kinds.extend(arms.clone().map(|arm| Kind { measure, arm, against: None }));
            let others = arms.filter(|arm| Some(*arm) != self.baseline);
            let against = |arm| Kind { measure, arm, against: self.baseline };
            kinds.extend(others.map(against).filter(|kind| kind.against.is_some()));
        }
        kinds
    }

    /// The answers, by kind, then point.
    fn answers(
        &self,
        assumptions: &[Assumption],
        points: &[Vec<f64>],
    ) -> anyhow::Result<Vec<Vec<f64>>> {
        let mut of_arms: Vec<Vec<Answer>> = Vec::new();
        for (arm, ready) in &self.arms {
            of_arms.push(self.of_arm(*arm, ready, assumptions, points)?);
        }
        let impact = self.scenario.impact.as_ref();
        let variables: Vec<Variable> =
            impact.iter().flat_map(|impact| &impact.variables).map(|v| v.variable).collect();
        let value = |measure: Measure, arm: usize, at: usize| {
            let answer = &of_arms[arm][at];
            match (measure, impact) {
                (Measure::Money, Some(impact)) => {
                    let volume = assumptions.iter().position(|a| a.what == What::Volume);
                    let cases = volume.map_or(impact.volume.mean(), |of| points[at][of]);
                    let means = assumptions::means(&variables, assumptions, &points[at]);
                    cases * answer.total(&self.arms[arm].1.sets, &means)
                }
                _ => answer.failure,
            }
        };
        let of_kind = |kind: Kind| {
            let at = |at: usize| {
                let base = kind.against.map_or(0.0, |base| value(kind.measure, base, at));
                value(kind.measure, kind.arm, at) - base
            };
            (0..points.len()).map(at).collect()
        };
        Ok(self.kinds().into_iter().map(of_kind).collect())
    }

    /// The answers of one arm; points with the same odds are solved once.
    fn of_arm(
        &self,
        arm: usize,
        ready: &Arm,
        assumptions: &[Assumption],
        points: &[Vec<f64>],
    ) -> anyhow::Result<Vec<Answer>> {
        let base = Odds::of(self.scenario, &self.scenario.arms[arm])?;
        let turning: Vec<usize> = (0..assumptions.len())
            .filter(|&at| assumptions[at].what.turns(self.scenario, arm))
            .collect();
        let mut known: HashMap<Vec<u64>, usize> = HashMap::new();
        let mut odds = Vec::new();
        let mut of_point = Vec::with_capacity(points.len());
        for point in points {
            // By bits, since floating-point numbers cannot be hashed.
            let key = turning.iter().map(|&at| point[at].to_bits()).collect();
            of_point.push(*known.entry(key).or_insert_with(|| {
                odds.push(assumptions::turned(self.scenario, arm, &base, assumptions, point));
                odds.len() - 1
            }));
        }
        let told = format!("{}: varying assumptions", self.scenario.arms[arm].id);
        let work = self.progress.start(&told, odds.len());
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
    ) -> Vec<OrderRecord> {
        let kinds = self.kinds();
        let order = |&measure: &Measure| {
            let own = |kind: &Kind| kind.measure == measure && kind.against.is_none();
            let places: Vec<usize> = (0..kinds.len()).filter(|&at| own(&kinds[at])).collect();
            let mut order: Vec<usize> = (0..places.len()).collect();
            order.sort_by(|&a, &b| ends[places[a]][0].total_cmp(&ends[places[b]][0]));
            // Whether the order holds at a point, and which arms are best there.
            let at_point = |at: usize| {
                let value = |arm: usize| sampled[places[arm]][at];
                // Not above, up to rounding.
                let first = |a: usize, b: usize| value(a) <= value(b) + ROUNDING * value(b).abs();
                let holds = order.windows(2).all(|pair| first(pair[0], pair[1]));
                let least = |arm: &usize| (0..places.len()).all(|other| first(*arm, other));
                (holds, (0..places.len()).filter(least).collect::<Vec<usize>>())
            };
            let (mut holds, mut best) = (0, vec![0.0; places.len()]);
            for (held, bests) in (0..independent).map(at_point) {
                holds += usize::from(held);
                for &arm in &bests {
                    best[arm] += 1.0 / (bests.len() * independent) as f64;
                }
            }
            OrderRecord {
                measure,
                order,
                points: independent,
                holds: holds as f64 / independent as f64,
                best,
            }
        };
        self.measures().iter().map(order).collect()
    }
}
