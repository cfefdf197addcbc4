//! Sums the losses of single tasks up to the costs of an arm. Loss rules are evaluated in [`crate::cascade::loss_pricing`]
//! alone, never here.

mod record;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

pub use record::{
    AvoidableLoss, LossAttribution, LossBand, LossSplit, LossTail, MoneyRecord, YearLossRecord,
};

use super::record::{GuardRecord, RunRecord};
use super::tally::StepEventTally;
use super::{SolveMethod, SolvedTask};
use crate::cascade::loss_pricing::{LossPricer, TaskLosses};
use crate::cascade::replays::TrialReplays;
use crate::impact::{LossIncident, RandomVariable, SimulatedYears, simulate_years};
use crate::progress::ProgressListener;
use crate::scenario::{CallPrice, GuardRetry, ImpactSettings, PipelineStepKind, Scenario};
use crate::stats::{self, ClusterObservation};
use crate::step::{RunOutcome, StepEvent};

/// Levels of value at risk and conditional value at risk.
const LEVELS: [f64; 2] = [0.95, 0.99];
/// Probabilities of the exceedance curve in addition to the whole percents.
const RARE_PROBABILITIES: [f64; 3] = [0.005, 0.002, 0.001];
/// Differences below this share of an amount are rounding errors.
const ROUNDING: f64 = 1e-12;

/// The losses of each task under one arm; `done` is called with the number of tasks finished.
pub fn losses(
    scenario: &Scenario,
    impact: &ImpactSettings,
    solved: &[SolvedTask],
    done: &(dyn Fn(usize) + Sync),
) -> anyhow::Result<Vec<TaskLosses>> {
    scenario
        .tasks
        .tasks
        .par_iter()
        .zip(solved)
        .map(|(task, solved)| {
            let till = LossPricer::new(scenario, impact, task, &solved.compiled);
            let exactly = match solved.method {
                SolveMethod::Exact { .. } => till.exact()?,
                SolveMethod::Sampled | SolveMethod::SampledPastCap => None,
            };
            let losses = match exactly {
                Some(losses) => losses,
                None => till.sampled(&TrialReplays::new(scenario, &solved.compiled, &task.id))?,
            };
            done(1);
            Ok(losses)
        })
        .collect()
}

/// One arm of a scenario that prices failures.
pub struct ArmLossContext<'a> {
    pub scenario: &'a Scenario,
    pub impact: &'a ImpactSettings,
    /// Index into the scenario's arms.
    pub arm: usize,
    /// By task.
    pub losses: &'a [TaskLosses],
    /// By step.
    pub steps: &'a [StepEventTally],
    pub guards: &'a [GuardRecord],
}

impl ArmLossContext<'_> {
    /// The costs of the arm; `difference`, which needs the baseline, is filled in later.
    pub fn record(&self, progress: &dyn ProgressListener) -> anyhow::Result<MoneyRecord> {
        let tasks = &self.scenario.tasks.tasks;
        let total: f64 = tasks.iter().map(|task| task.weight).sum();
        let clusters = self.scenario.clusters();
        let expected: Vec<f64> = self.losses.iter().map(TaskLosses::expected).collect();
        let observations = expected.iter().zip(tasks).zip(&clusters);
        let observations: Vec<ClusterObservation> = observations
            .map(|((&value, task), &cluster)| ClusterObservation {
                value,
                weight: task.weight,
                cluster,
            })
            .collect();
        let range = (0.0, self.typical_worst());
        let mut loss = stats::mean(&observations, stats::LEVEL, Some(range))?;
        // The interval of the mean may reach below zero, although no loss does.
        loss.low = loss.low.max(0.0);
        let weights: Vec<f64> = tasks.iter().map(|task| task.weight / total).collect();
        let incidents = self.incidents(&weights);
        let variables: Vec<RandomVariable> =
            self.impact.variables.iter().map(|v| v.variable).collect();
        let impact = self.impact;
        let told = format!("{}: sampling years", self.scenario.arms[self.arm].id);
        let sampled = {
            let work = progress.start(&told, impact.years as usize);
            let seed = self.scenario.simulation.seed;
            simulate_years(&incidents, &variables, impact.volume, impact.years, seed, &|n| {
                work.advance(n)
            })?
        };
        let (running, seconds) = self.running();
        Ok(MoneyRecord {
            loss,
            running,
            seconds,
            difference: None,
            cases: impact.volume.mean(),
            stated_year: year_record(&sampled, None)?,
            drawn_year: None,
            splits: self.splits(&weights, loss.estimate),
            bands: self.bands(&weights, &variables, loss.estimate),
            tasks_for_half_loss: tasks_for_half_loss(&expected, &weights),
            avoidable: self.avoidable(&weights, loss.estimate),
            tasks: expected,
        })
    }

    /// The expected loss of a case that ends in its worst way, averaged over the tasks that can lose anything. Infinite
    /// if none can: nothing then bounds what another case could lose.
    fn typical_worst(&self) -> f64 {
        let variables: Vec<RandomVariable> =
            self.impact.variables.iter().map(|v| v.variable).collect();
        let (mut sum, mut weight) = (0.0, 0.0);
        for (losses, task) in self.losses.iter().zip(&self.scenario.tasks.tasks) {
            let ends = losses.ends.iter().filter(|(_, end)| end.p > 0.0);
            let worst = ends
                .map(|(_, end)| end.parts.iter().map(|part| part.mean(&variables)).sum::<f64>())
                .fold(0.0, f64::max);
            if worst > 0.0 {
                sum += task.weight * worst;
                weight += task.weight;
            }
        }
        if weight > 0.0 { sum / weight } else { f64::INFINITY }
    }

    /// What can happen to a case, over all tasks: incidents weighted by `weights`, which sum to one.
    fn incidents(&self, weights: &[f64]) -> Vec<LossIncident> {
        let mut incidents = Vec::new();
        for (losses, weight) in self.losses.iter().zip(weights) {
            for (_, end) in &losses.ends {
                incidents.push(LossIncident { p: end.p * weight, parts: end.parts.clone() });
            }
        }
        incidents
    }

    fn splits(&self, weights: &[f64], loss: f64) -> Vec<LossSplit> {
        let variables: Vec<RandomVariable> =
            self.impact.variables.iter().map(|v| v.variable).collect();
        let mut outcomes = [0.0; RunOutcome::ALL.len()];
        let mut rules = vec![0.0; self.impact.losses.len()];
        let mut errors: BTreeMap<(usize, StepEvent), f64> = BTreeMap::new();
        for (losses, weight) in self.losses.iter().zip(weights) {
            for (sum, part) in outcomes.iter_mut().zip(losses.outcomes) {
                *sum += weight * part;
            }
            for (_, end) in &losses.ends {
                for part in &end.parts {
                    rules[part.rule] += weight * end.p * part.mean(&variables);
                }
            }
            for share in &losses.shares {
                let sum = errors.entry((share.source.step, share.source.event)).or_default();
                *sum += weight * share.outcomes.iter().sum::<f64>();
            }
        }
        let outcomes = RunOutcome::ALL.into_iter().zip(outcomes);
        let mut splits: Vec<LossSplit> =
            outcomes.map(|(o, part)| loss_split(LossAttribution::Outcome(o), part, loss)).collect();
        let names = self.impact.losses.iter().map(|rule| rule.name.clone());
        splits.extend(
            names
                .zip(rules)
                .map(|(name, part)| loss_split(LossAttribution::Rule(name), part, loss)),
        );
        let explained: f64 = errors.values().sum();
        let errors = errors.into_iter().map(|((step, event), part)| {
            loss_split(
                LossAttribution::Error(Some((self.scenario.steps[step].id.clone(), event))),
                part,
                loss,
            )
        });
        splits.extend(errors);
        // Repairing every own error would save `explained`; the rest is lost even without errors.
        let rest = loss - explained;
        let rest = if rest.abs() > ROUNDING * loss { rest } else { 0.0 };
        splits.push(loss_split(LossAttribution::Error(None), rest, loss));
        splits
    }

    fn bands(&self, weights: &[f64], variables: &[RandomVariable], loss: f64) -> Vec<LossBand> {
        #[derive(Default)]
        struct LossBandSum {
            p: f64,
            loss: f64,
            tasks: BTreeSet<usize>,
        }
        let mut bands: BTreeMap<i32, LossBandSum> = BTreeMap::new();
        for (task, (losses, weight)) in self.losses.iter().zip(weights).enumerate() {
            for (_, end) in losses.ends.iter().filter(|_| *weight > 0.0) {
                let amount: f64 = end.parts.iter().map(|part| part.mean(variables)).sum();
                if amount <= 0.0 {
                    continue;
                }
                // The logarithm may be rounded across a whole power of ten, which belongs to the band above it.
                let mut power = amount.log10().floor() as i32;
                power += i32::from(amount >= 10f64.powi(power + 1))
                    - i32::from(amount < 10f64.powi(power));
                let band = bands.entry(power).or_default();
                band.p += weight * end.p;
                band.loss += weight * end.p * amount;
                band.tasks.insert(task);
            }
        }
        let clusters = self.scenario.clusters();
        let cases = self.impact.volume.mean();
        bands
            .into_iter()
            .map(|(power, sum)| LossBand {
                from: 10f64.powi(power),
                incidents: cases * sum.p,
                loss: cases * sum.loss,
                share: if loss > 0.0 { sum.loss / loss } else { 0.0 },
                tasks: sum.tasks.len(),
                units: sum
                    .tasks
                    .iter()
                    .map(|&task| clusters[task])
                    .collect::<BTreeSet<usize>>()
                    .len(),
            })
            .collect()
    }

    /// By step that can err: how much less a case would lose if the step were always right.
    fn avoidable(&self, weights: &[f64], loss: f64) -> Vec<AvoidableLoss> {
        self.scenario
            .steps
            .iter()
            .enumerate()
            .filter_map(|(at, step)| {
                let tasks = self.losses.iter().zip(weights);
                let right: Option<Vec<f64>> =
                    tasks.map(|(losses, weight)| Some(losses.if_right[at]? * weight)).collect();
                let saved = loss - right?.iter().sum::<f64>();
                let share = (loss > 0.0).then(|| saved / loss);
                Some(AvoidableLoss { step: step.id.clone(), loss: saved, share })
            })
            .collect()
    }

    /// Running costs and seconds of a case.
    fn running(&self) -> (f64, f64) {
        let costs = &self.impact.costs;
        let (mut cost, mut seconds) = (0.0, 0.0);
        let mut pay = |price: &CallPrice, times: f64| {
            cost += times * price.cost;
            seconds += times * price.seconds;
        };
        let arm = &self.scenario.arms[self.arm];
        for (at, step) in self.scenario.steps.iter().enumerate() {
            let tried = p_attempted(&self.steps[at]);
            let from = match &step.kind {
                PipelineStepKind::Retrieve(_) => at,
                PipelineStepKind::Read { from, .. } => *from,
                _ => continue,
            };
            let Some(retrieval) = arm.retrieval[from] else {
                continue;
            };
            let reads = from != at;
            match reads {
                true => pay(&costs.read, tried),
                false => pay(&costs.search[retrieval.embedder], tried),
            }
            let names = step.guard_names();
            for (guard, name) in step.guards.iter().zip(&names) {
                let done = self.guards.iter().find(|g| g.step == step.id && g.guard == *name);
                let Some(done) = done.filter(|_| !guard.retries.is_empty()) else {
                    continue;
                };
                // Which of the retries was taken is not recorded: each counts with an equal share.
                let each = done.counts.retries / guard.retries.len() as f64;
                for retry in &guard.retries {
                    if !reads || retry.searches() {
                        let GuardRetry { embedder, .. } = retry;
                        let embedder = embedder.unwrap_or(retrieval.embedder);
                        pay(&costs.search[embedder], each);
                    }
                    if reads {
                        pay(&costs.read, each);
                    }
                }
            }
        }
        for guard in self.guards {
            cost += guard.cost;
            seconds += guard.seconds;
        }
        (cost, seconds)
    }
}

fn loss_split(attributed_to: LossAttribution, part: f64, whole: f64) -> LossSplit {
    let share = if whole > 0.0 { part / whole } else { 0.0 };
    LossSplit { attributed_to, loss: part, share }
}

/// Summarizes sampled years. `draws` is the number of draws of readers and guards behind them.
///
/// # Errors
/// A level that is not between 0 and 1, which none here is.
pub fn year_record(sampled: &SimulatedYears, draws: Option<u32>) -> anyhow::Result<YearLossRecord> {
    let curve = (1..100).rev().map(|percent| f64::from(percent) / 100.0).chain(RARE_PROBABILITIES);
    Ok(YearLossRecord {
        years: sampled.count() as u32,
        draws,
        mean: sampled.mean(),
        sd: sampled.sd(),
        tail: LEVELS
            .into_iter()
            .map(|level| {
                Ok(LossTail {
                    level,
                    var: sampled.var(level),
                    var_error: sampled.var_interval(level, stats::LEVEL)?,
                    cvar: sampled.cvar(level),
                })
            })
            .collect::<anyhow::Result<_>>()?,
        curve: curve.map(|p| (p, sampled.var(1.0 - p))).collect(),
    })
}

/// P(a step searched or read): excludes runs that skipped it, stopped at it, or could not render its query.
fn p_attempted(step: &StepEventTally) -> f64 {
    let idle = [StepEvent::Skipped, StepEvent::Stopped, StepEvent::Failed].map(StepEvent::code);
    let masses = step.events.iter().enumerate();
    let tried = masses.filter(|(code, _)| !idle.contains(&(*code as u8)));
    tried.map(|(_, mass)| mass.iter().sum::<f64>()).sum()
}

/// The smallest number of tasks that account for half of the expected loss.
fn tasks_for_half_loss(losses: &[f64], weights: &[f64]) -> usize {
    let mut parts: Vec<f64> =
        losses.iter().zip(weights).map(|(loss, weight)| loss * weight).collect();
    parts.sort_by(|a, b| b.total_cmp(a));
    let half = parts.iter().sum::<f64>() / 2.0;
    let mut sum = 0.0;
    let enough = parts.iter().take_while(|part| {
        let before = sum;
        sum += **part;
        before < half
    });
    enough.count()
}

/// Notes for the user on loss rules that apply to no run: a label in their condition may be misspelled.
pub fn notes(record: &RunRecord) -> Vec<String> {
    let money: Vec<&MoneyRecord> =
        record.arms.iter().filter_map(|arm| arm.money.as_ref()).collect();
    let Some(first) = money.first() else {
        return Vec::new();
    };
    let rules =
        first.splits.iter().filter(|split| matches!(split.attributed_to, LossAttribution::Rule(_)));
    let idle = rules.filter(|rule| {
        // A rule that applies under one arm is in use.
        let all = money.iter().flat_map(|m| &m.splits);
        all.filter(|split| split.attributed_to == rule.attributed_to).all(|split| split.loss == 0.0)
    });
    idle.map(|split| match &split.attributed_to {
        LossAttribution::Rule(name) => {
            format!("impact: the loss `{name}` applies to no run of any arm")
        }
        _ => String::new(),
    })
    .collect()
}
