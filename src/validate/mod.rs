//! Compares simulated runs with real ones: the same arms, read by a language model and by a reader that is simulated with
//! rates fitted to that model's answers. No arm is predicted from its own answers, and no unit from its own.
//!
//! The units are split into two halves. The reader is fitted to the answers of the fitting arm in one half, and predicts
//! all other arms in the other half; then the halves change places, so that each task is predicted once.

mod alternatives;
mod interval;
mod render;
mod validation_csv;

use std::collections::BTreeSet;

use anyhow::{Context, ensure};

use crate::calibrate::{FitSettings, ObservationTable, RatesDraw, ReaderFit, fit};
use crate::cascade::loss_pricing::TaskLosses;
use crate::compile::search_cache::SearchCache;
use crate::kernel::{OUTCOMES, rng};
use crate::progress::ProgressListener;
use crate::run::money;
use crate::run::observed_readings::ObservedReadings;
use crate::scenario::{ArmReader, ReaderSettings, Scenario, ScenarioArm};
use crate::session::{ReaderUsage, Session};
use crate::solve::{SolvedTask, search_depth, solve_plain};
use crate::step::reader::{ReaderModel, ReaderRates};
use crate::step::{RunOutcome, StepEvent};

pub use alternatives::{ArmIndicators, IndicatorOrder};
pub use interval::PredictedRate;
pub use render::text;
pub use validation_csv::{indicator_table, validation_table};

/// The number of posterior draws of the rates at which an arm is solved for its interval.
const DRAWS: usize = 24;

/// What is validated, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidationSettings {
    /// The reader of the scenario that is asked, by index.
    pub reader: usize,
    /// The arm to whose answers the simulated reader is fitted, by index.
    pub fit_arm: usize,
    /// The arms that are predicted, by index; the fitting arm is left out.
    pub arms: Vec<usize>,
}

/// What was predicted and what really happened.
#[derive(Clone, Debug)]
pub struct ValidationRecord {
    pub scenario: String,
    /// The name of the reader in the scenario.
    pub reader: String,
    pub usage: ReaderUsage,
    pub fit_arm: String,
    /// The number of readings in each of the two fits.
    pub fitted_reads: [usize; 2],
    pub units: usize,
    pub tasks: usize,
    pub arms: Vec<ArmValidation>,
    /// How well each indicator orders the arms, the simulation first.
    pub orders: Vec<IndicatorOrder>,
}

/// One arm, predicted and real.
#[derive(Clone, Debug)]
pub struct ArmValidation {
    pub arm: String,
    /// Failures as a whole.
    pub failure: RateValidation,
    /// By outcome, in the order of [`RunOutcome::ALL`]; without `correct`.
    pub outcomes: Vec<(RunOutcome, RateValidation)>,
    /// The expected number of misses a run that an upstream error caused.
    pub induced_misses: MeanValidation,
    /// The expected loss of a case, if the scenario prices failures.
    pub loss: Option<MeanValidation>,
    pub indicators: ArmIndicators,
}

/// A mean over the tasks, predicted and real.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanValidation {
    pub real: f64,
    pub predicted: f64,
}

/// A rate, predicted and real.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateValidation {
    pub real: f64,
    pub predicted: PredictedRate,
}

impl RateValidation {
    /// Predicted minus real.
    pub fn error(&self) -> f64 {
        self.predicted.estimate - self.real
    }

    /// Whether the real rate is in the interval of the predicted one.
    pub fn is_held(&self) -> bool {
        let PredictedRate { low, high, .. } = self.predicted;
        // Both are sums of the same weights in another order.
        (low - 1e-9..=high + 1e-9).contains(&self.real)
    }
}

impl ValidationRecord {
    /// The median of the absolute errors of the failure rates; `None` without an arm.
    pub fn median_error(&self) -> Option<f64> {
        let mut errors: Vec<f64> = self.arms.iter().map(|arm| arm.failure.error().abs()).collect();
        errors.sort_by(f64::total_cmp);
        let middle = errors.len() / 2;
        match errors.len() {
            0 => None,
            n if n % 2 == 1 => Some(errors[middle]),
            _ => Some((errors[middle - 1] + errors[middle]) / 2.0),
        }
    }

    /// The greatest absolute error of a failure rate.
    pub fn greatest_error(&self) -> Option<f64> {
        self.arms.iter().map(|arm| arm.failure.error().abs()).max_by(f64::total_cmp)
    }

    /// How many intervals of failure rates hold the real one.
    pub fn held(&self) -> usize {
        self.arms.iter().filter(|arm| arm.failure.is_held()).count()
    }
}

/// One task, solved.
#[derive(Clone, Copy, Debug)]
struct TaskResult {
    /// Probabilities.
    outcomes: [f64; OUTCOMES],
    induced_misses: f64,
    /// Expected; 0 if the scenario does not price failures.
    loss: f64,
}

/// The arms with their real and their simulated runs.
struct ValidationRun<'s, 'a> {
    session: &'s Session<'a>,
    scenario: &'s Scenario,
    searches: SearchCache<'s>,
    progress: &'s dyn ProgressListener,
    /// By task: its unit, and whether that is in the second half.
    units: Vec<usize>,
    second_half: Vec<bool>,
}

/// Checks that there is something to predict and something to predict it from, before anything is asked.
///
/// # Errors
/// No arm besides the one that is fitted, fewer than two units.
pub fn check(scenario: &Scenario, settings: &ValidationSettings) -> anyhow::Result<()> {
    let fit_arm = &scenario.arms[settings.fit_arm].id;
    ensure!(
        settings.arms.iter().any(|arm| *arm != settings.fit_arm),
        "there is no arm to predict besides '{fit_arm}', to whose answers the reader is fitted; name another arm"
    );
    let units: BTreeSet<usize> = scenario.clusters().into_iter().collect();
    ensure!(
        units.len() >= 2,
        "the tasks are one unit, and two are needed: the reader is fitted to one half and predicts the other"
    );
    Ok(())
}

/// Validates the simulation of some arms.
///
/// # Errors
/// Answers that are neither recorded nor can be asked, too few answers to fit a reader to, and those of a run.
pub fn validate(
    session: &Session,
    settings: &ValidationSettings,
) -> anyhow::Result<ValidationRecord> {
    let scenario = session.scenario();
    check(scenario, settings)?;
    let units = scenario.clusters();
    let second_half = halves(scenario, &units);
    let mut run = ValidationRun {
        session,
        scenario,
        searches: session.searches(search_depth(&scenario.steps, &scenario.arms)),
        progress: session.progress(),
        units,
        second_half,
    };
    let (fits, fitted_reads) = run.fits(settings)?;
    let mut arms = Vec::new();
    for &arm in settings.arms.iter().filter(|arm| **arm != settings.fit_arm) {
        arms.push(run.validate_arm(arm, settings.reader, &fits)?);
    }
    let units: BTreeSet<usize> = run.units.iter().copied().collect();
    Ok(ValidationRecord {
        scenario: scenario.name.clone(),
        reader: scenario.readers[settings.reader].name.clone(),
        usage: session.reader_usage(settings.reader),
        fit_arm: scenario.arms[settings.fit_arm].id.clone(),
        fitted_reads,
        units: units.len(),
        tasks: scenario.tasks.tasks.len(),
        orders: alternatives::orders(&arms),
        arms,
    })
}

/// By task: whether its unit is in the second half. Units are drawn by a hash of the seed and their names, so that the
/// halves do not depend on the order of the tasks; their sizes differ by at most one.
fn halves(scenario: &Scenario, units: &[usize]) -> Vec<bool> {
    let mut drawn: Vec<(u64, usize)> = Vec::new();
    for (task, &unit) in scenario.tasks.tasks.iter().zip(units) {
        if !drawn.iter().any(|(_, known)| *known == unit) {
            let name = scenario.unit_of(task);
            // Step ids are identifiers, so no step uses this name and its random numbers.
            drawn.push((rng::draw(rng::key(scenario.simulation.seed, &name, "(half)"), 1), unit));
        }
    }
    drawn.sort_unstable();
    let second: BTreeSet<usize> = drawn[drawn.len() / 2..].iter().map(|(_, unit)| *unit).collect();
    units.iter().map(|unit| second.contains(unit)).collect()
}

impl ValidationRun<'_, '_> {
    /// The reader fitted to the answers in each half, and the number of readings fitted.
    fn fits(
        &mut self,
        settings: &ValidationSettings,
    ) -> anyhow::Result<([ReaderFit; 2], [usize; 2])> {
        let mut observed = ObservedReadings::default();
        let solved = self.real_run(settings.fit_arm, settings.reader)?;
        let readings = self.searches.readings();
        let by_task = readings.take_by_task();
        observed.add_arm(self.scenario, &solved, (&by_task, &readings.all()), &self.units);
        let reference = reference_rates(&self.scenario.arms[settings.fit_arm])?;
        let fit_arm = &self.scenario.arms[settings.fit_arm].id;
        let fit_half = |second: bool| {
            let in_half = |unit: usize| {
                let task = self.units.iter().position(|known| *known == unit);
                task.is_some_and(|task| self.second_half[task] == second)
            };
            let observations = observed.observations(self.scenario, in_half);
            let table = ObservationTable::new(&observations);
            let settings = FitSettings { draws: DRAWS, ..FitSettings::default() };
            let fitted = fit(&table, &reference, &settings).with_context(|| {
                format!(
                    "the reader cannot be fitted to one half of the units of '{}', with {} readings",
                    fit_arm,
                    observations.len()
                )
            })?;
            anyhow::Ok((fitted, observations.len()))
        };
        let ((first, n_first), (second, n_second)) = (fit_half(false)?, fit_half(true)?);
        Ok(([first, second], [n_first, n_second]))
    }

    /// An arm, read by the language model.
    fn real_run(&mut self, arm: usize, reader: usize) -> anyhow::Result<Vec<SolvedTask>> {
        let arm =
            ScenarioArm { reader: ArmReader::Asked(reader), ..self.scenario.arms[arm].clone() };
        self.solve(&arm)
    }

    fn solve(&mut self, arm: &ScenarioArm) -> anyhow::Result<Vec<SolvedTask>> {
        let (scenario, indices) = (self.scenario, self.session.indices());
        solve_plain(scenario, arm, indices, &mut self.searches, self.progress)
    }

    /// By task: the results of an arm that is read by a simulated reader.
    fn simulated(&mut self, arm: usize, reader: ReaderSettings) -> anyhow::Result<Vec<TaskResult>> {
        let arm =
            ScenarioArm { reader: ArmReader::Simulated(reader), ..self.scenario.arms[arm].clone() };
        let solved = self.solve(&arm)?;
        self.results(&solved)
    }

    fn results(&self, solved: &[SolvedTask]) -> anyhow::Result<Vec<TaskResult>> {
        let losses = match &self.scenario.impact {
            Some(impact) => money::losses(self.scenario, impact, solved, &|_| {})?
                .iter()
                .map(TaskLosses::expected)
                .collect(),
            None => vec![0.0; solved.len()],
        };
        let results = solved.iter().zip(losses).map(|(task, loss)| TaskResult {
            outcomes: task.masses.outcomes,
            induced_misses: induced_misses(task),
            loss,
        });
        Ok(results.collect())
    }

    fn validate_arm(
        &mut self,
        arm: usize,
        reader: usize,
        fits: &[ReaderFit; 2],
    ) -> anyhow::Result<ArmValidation> {
        let real = self.real_run(arm, reader)?;
        let real_results = self.results(&real)?;
        // By draw, then by task: each task by the fit of the other half.
        let mut draws = Vec::with_capacity(DRAWS);
        for draw in 0..DRAWS {
            let of_first = self.simulated(arm, settings_of(&fits[0].draws[draw]))?;
            let of_second = self.simulated(arm, settings_of(&fits[1].draws[draw]))?;
            let by_task = of_first.into_iter().zip(of_second).zip(&self.second_half);
            draws.push(
                by_task
                    .map(|((first, second), is_second)| if *is_second { first } else { second })
                    .collect::<Vec<TaskResult>>(),
            );
        }
        let weights: Vec<f64> = self.scenario.tasks.tasks.iter().map(|task| task.weight).collect();
        let outcome_draws: Vec<Vec<[f64; OUTCOMES]>> =
            draws.iter().map(|draw| outcomes_of(draw)).collect();
        let simulated = interval::SimulatedOutcomes {
            draws: &outcome_draws,
            weights: &weights,
            units: &self.units,
            seed: self.scenario.simulation.seed,
        };
        let predicted = simulated.rates();
        let real_rates = interval::rates(&outcomes_of(&real_results), &weights);
        let rate = |outcome: RunOutcome| RateValidation {
            real: real_rates[outcome as usize],
            predicted: predicted[outcome as usize],
        };
        // The complement of `correct`.
        let correct = rate(RunOutcome::Correct);
        let failure = RateValidation {
            real: 1.0 - correct.real,
            predicted: PredictedRate {
                estimate: 1.0 - correct.predicted.estimate,
                low: 1.0 - correct.predicted.high,
                high: 1.0 - correct.predicted.low,
            },
        };
        let preset = self.simulated(arm, preset_of(&self.scenario.arms[arm]))?;
        let preset = interval::rates(&outcomes_of(&preset), &weights);
        let preset = 1.0 - preset[RunOutcome::Correct as usize];
        let mean = |value: fn(&TaskResult) -> f64| MeanValidation {
            real: weighted_mean(&real_results, &weights, value),
            predicted: draws.iter().map(|draw| weighted_mean(draw, &weights, value)).sum::<f64>()
                / draws.len() as f64,
        };
        let indicators =
            ArmIndicators::new(self.scenario, arm, &real, [&fits[0].mean, &fits[1].mean], preset);
        Ok(ArmValidation {
            arm: self.scenario.arms[arm].id.clone(),
            failure,
            outcomes: RunOutcome::ALL[1..]
                .iter()
                .map(|&outcome| (outcome, rate(outcome)))
                .collect(),
            induced_misses: mean(|task| task.induced_misses),
            loss: self.scenario.impact.is_some().then(|| mean(|task| task.loss)),
            indicators,
        })
    }
}

fn outcomes_of(results: &[TaskResult]) -> Vec<[f64; OUTCOMES]> {
    results.iter().map(|task| task.outcomes).collect()
}

/// The expected number of misses of a run that an upstream error caused.
fn induced_misses(task: &SolvedTask) -> f64 {
    let kernels = task.compiled.model.kernels.iter().zip(&task.masses.steps);
    let of_step = kernels.map(|(kernel, masses)| {
        let branches = kernel.branches().iter().zip(masses);
        let induced = branches.filter(|(branch, _)| {
            matches!(StepEvent::from_code(branch.event), StepEvent::InducedMiss(_))
        });
        induced.map(|(_, mass)| mass.iter().sum::<f64>()).sum::<f64>()
    });
    of_step.sum()
}

fn weighted_mean(
    results: &[TaskResult],
    weights: &[f64],
    value: impl Fn(&TaskResult) -> f64,
) -> f64 {
    let sum: f64 = results.iter().zip(weights).map(|(task, weight)| value(task) * weight).sum();
    sum / weights.iter().sum::<f64>()
}

/// A simulated reader with these rates.
fn settings_of(draw: &RatesDraw) -> ReaderSettings {
    ReaderSettings {
        overrides: draw.pooled.map(|rate| Some(*rate)),
        by_field: draw.by_field.clone(),
        ..ReaderSettings::default()
    }
}

/// The simulated reader of an arm as the scenario has it; the default preset if it names a language model.
fn preset_of(arm: &ScenarioArm) -> ReaderSettings {
    match &arm.reader {
        ArmReader::Simulated(settings) => settings.clone(),
        ArmReader::Asked(_) => ReaderSettings::default(),
    }
}

/// The rates that stand where answers say nothing.
fn reference_rates(arm: &ScenarioArm) -> anyhow::Result<ReaderRates> {
    Ok(ReaderModel::of_settings(&preset_of(arm))?.rates(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    #[test]
    fn halves_are_equal_whatever_the_order_of_the_tasks() {
        let path = std::path::Path::new("scenarios/renewal_desk.yaml");
        let mut scenario = scenario::load(path).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let split = |scenario: &Scenario| {
            let second = halves(scenario, &scenario.clusters());
            let tasks = scenario.tasks.tasks.iter().zip(second);
            tasks.map(|(task, second)| (scenario.unit_of(task), second)).collect::<BTreeSet<_>>()
        };
        let before = split(&scenario);
        assert_eq!(before.len(), 40, "no unit is in both halves");
        assert_eq!(before.iter().filter(|(_, second)| *second).count(), 20);
        scenario.tasks.tasks.reverse();
        assert_eq!(split(&scenario), before);
    }
}
