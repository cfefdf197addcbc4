//! Samples the loss of a year if the assumptions are uncertain too: first they are drawn from their ranges, then the
//! year.
//!
//! The volume and the means of variables are drawn anew for each year. Readers and guards are drawn [`DRAWS`] times,
//! since each draw takes a sweep over all tasks; the years are divided among these draws.

use std::collections::HashMap;

use rand::RngExt;
use rayon::prelude::*;

use super::assumptions::{AssumptionTarget, VariedAssumption, adjusted_odds};
use super::reweighted_arm::ReweightedArm;
use crate::compile::ArmOdds;
use crate::impact::{
    LossIncident, LossTerm, RandomVariable, SimulatedYears, VariableSampler, YearLossSampler,
    YearParameters, year_rng,
};
use crate::kernel::batched_sweep::LANE_WIDTH;
use crate::progress::ProgressListener;
use crate::run::money::{YearLossRecord, year_record};
use crate::scenario::{ImpactSettings, Scenario};
use crate::sensitivity::sobol_points;

/// Number of draws of readers and guards. Sobol points are most even for a power of 2.
pub const ODDS_DRAWS: usize = 1024;

/// Losses of a task that is too wide to be swept: as it was sampled, whatever the odds.
pub struct SampledTaskLosses {
    pub task: usize,
    pub incidents: Vec<LossIncident>,
}

/// The assumptions to draw, and the scenario that they belong to.
pub struct DrawnYears<'a> {
    pub scenario: &'a Scenario,
    pub impact: &'a ImpactSettings,
    pub assumptions: &'a [VariedAssumption],
    pub seed: u64,
}

impl DrawnYears<'_> {
    /// The years of one arm, by its index in the scenario; `None` if nothing that it depends on is varied.
    ///
    /// # Errors
    /// Invalid odds, and parameters that a distribution cannot have.
    pub fn record(
        &self,
        at: usize,
        arm: &ReweightedArm,
        sampled: &[SampledTaskLosses],
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<Option<YearLossRecord>> {
        let (scenario, impact) = (self.scenario, self.impact);
        let varies_money = self
            .assumptions
            .iter()
            .any(|a| matches!(a.target, AssumptionTarget::Mean(_) | AssumptionTarget::Volume));
        let turning = self.assumptions.iter().filter(|a| a.target.affects(scenario, at)).count();
        if turning == 0 && !varies_money {
            return Ok(None);
        }
        let tasks = &scenario.tasks.tasks;
        let total: f64 = tasks.iter().map(|task| task.weight).sum();
        let weights: Vec<f64> = tasks.iter().map(|task| task.weight / total).collect();
        // Tasks past the cap contribute the losses that they were sampled with, under any odds.
        let fixed = sampled.iter().filter(|losses| !arm.is_swept(losses.task)).flat_map(|losses| {
            losses.incidents.iter().map(|i| (i.p * weights[losses.task], i.parts.as_slice()))
        });
        let fixed: Vec<(f64, &[LossTerm])> = fixed.collect();
        let variables: Vec<RandomVariable> = impact.variables.iter().map(|v| v.variable).collect();
        let draws = variables
            .iter()
            .map(|v| v.sampler())
            .collect::<anyhow::Result<Vec<VariableSampler>>>()?;
        let (odds, of_point) = self.distinct_odds(at)?;
        let title = format!("{}: sampling years of drawn assumptions", scenario.arms[at].id);
        let work = progress.start(&title, odds.len());
        let numbers: Vec<u32> = (0..odds.len() as u32).collect();
        let lanes = odds.par_chunks(LANE_WIDTH).zip(numbers.par_chunks(LANE_WIDTH));
        let losses = lanes.map(|(some, numbers)| -> anyhow::Result<Vec<(f64, u32)>> {
            let mut losses = Vec::new();
            let swept = arm.incident_probabilities(some, &weights)?;
            for (of_odds, &number) in swept.iter().zip(numbers) {
                let parts = arm.incidents.iter().map(Vec::as_slice);
                let ends = of_odds.iter().copied().zip(parts).chain(fixed.iter().copied());
                let sampler = YearLossSampler::new(ends, &draws)?;
                for year in self.years_under(&of_point, number) {
                    let mut rng = year_rng(self.seed, year);
                    let figures = self.draw_figures(&variables, &mut rng);
                    // Years under the same odds are correlated; if all share the same odds, each year is independent.
                    let group = if odds.len() == 1 { year } else { number };
                    losses.push((sampler.sample_loss(&figures, &mut rng)?, group));
                }
                work.advance(1);
            }
            Ok(losses)
        });
        let losses = losses.collect::<anyhow::Result<Vec<_>>>()?;
        let years = SimulatedYears::new(losses.into_iter().flatten().collect());
        let draws = (odds.len() > 1).then_some(odds.len() as u32);
        year_record(&years, draws).map(Some)
    }

    /// The years that are sampled under the odds with this number; the draws take turns, year by year.
    fn years_under<'a>(&self, of_point: &'a [u32], number: u32) -> impl Iterator<Item = u32> + 'a {
        let points = of_point.len() as u32;
        let of_odds = (0..points).filter(move |&point| of_point[point as usize] == number);
        let years = self.impact.years;
        of_odds.flat_map(move |point| (point..years).step_by(points as usize))
    }

    /// The distinct odds of an arm over all draws; and by draw, the index of its odds.
    fn distinct_odds(&self, arm: usize) -> anyhow::Result<(Vec<ArmOdds>, Vec<u32>)> {
        let base = ArmOdds::of_arm(self.scenario, &self.scenario.arms[arm])?;
        let count = ODDS_DRAWS.min(self.impact.years as usize);
        let turns: Vec<bool> =
            self.assumptions.iter().map(|a| a.target.affects(self.scenario, arm)).collect();
        let mut known: HashMap<Vec<u64>, u32> = HashMap::new();
        let (mut odds, mut of_point) = (Vec::new(), Vec::with_capacity(count));
        for point in sobol_points(count, self.assumptions.len(), self.seed)? {
            let values: Vec<f64> =
                self.assumptions.iter().zip(&point).map(|(a, &u)| a.quantile(u)).collect();
            let own = values.iter().zip(&turns).filter(|(_, turns)| **turns);
            let key = own.map(|(value, _)| value.to_bits()).collect();
            of_point.push(*known.entry(key).or_insert_with(|| {
                odds.push(adjusted_odds(self.scenario, arm, &base, self.assumptions, &values));
                odds.len() as u32 - 1
            }));
        }
        Ok((odds, of_point))
    }

    /// Draws the volume and the variables of one year.
    fn draw_figures(
        &self,
        variables: &[RandomVariable],
        rng: &mut rand_chacha::ChaCha8Rng,
    ) -> YearParameters {
        let mut figures = YearParameters::unshifted(self.impact.volume, variables.len());
        for assumption in self.assumptions {
            match assumption.target {
                AssumptionTarget::Mean(variable) => {
                    figures.shifts[variable] =
                        variables[variable].shift_to_mean(assumption.quantile(rng.random()));
                }
                AssumptionTarget::Volume => {
                    figures.volume =
                        self.impact.volume.with_mean(assumption.quantile(rng.random()));
                }
                AssumptionTarget::Reader { .. } | AssumptionTarget::Rate { .. } => {}
            }
        }
        figures
    }
}
