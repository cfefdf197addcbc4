//! Samples the loss of a year if the assumptions are uncertain too: first they are drawn from their ranges, then the
//! year.
//!
//! The volume and the means of variables are drawn anew for each year. Readers and guards are drawn [`DRAWS`] times,
//! since each draw takes a sweep over all tasks; the years are divided among these draws.

use std::collections::HashMap;

use rand::RngExt;
use rayon::prelude::*;

use super::arm::Arm;
use super::assumptions::{Assumption, What, turned};
use crate::compile::Odds;
use crate::impact::{Draw, Incident, Part, Variable, YearFigures, YearSampler, Years, year_rng};
use crate::kernel::many::LANE;
use crate::progress::ProgressListener;
use crate::run::money::{YearRecord, year_record};
use crate::scenario::{Impact, Scenario};
use crate::sensitivity::points;

/// Number of draws of readers and guards. Sobol points are most even for a power of 2.
pub const DRAWS: usize = 1024;

/// Losses of a task that is too wide to be swept: as it was sampled, whatever the odds.
pub struct SampledLosses {
    pub task: usize,
    pub incidents: Vec<Incident>,
}

/// The assumptions to draw, and the scenario that they belong to.
pub struct DrawnYears<'a> {
    pub scenario: &'a Scenario,
    pub impact: &'a Impact,
    pub assumptions: &'a [Assumption],
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
        arm: &Arm,
        sampled: &[SampledLosses],
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<Option<YearRecord>> {
        let (scenario, impact) = (self.scenario, self.impact);
        let money = |a: &&Assumption| matches!(a.what, What::Mean(_) | What::Volume);
        let turning = self.assumptions.iter().filter(|a| a.what.turns(scenario, at)).count();
        if turning == 0 && self.assumptions.iter().filter(money).count() == 0 {
            return Ok(None);
        }
        let tasks = &scenario.tasks.tasks;
        let total: f64 = tasks.iter().map(|task| task.weight).sum();
        let weights: Vec<f64> = tasks.iter().map(|task| task.weight / total).collect();
        // Tasks past the cap contribute the losses that they were sampled with, under any odds.
        let fixed = sampled.iter().filter(|of| !arm.has(of.task)).flat_map(|of| {
            of.incidents.iter().map(|i| (i.p * weights[of.task], i.parts.as_slice()))
        });
        let fixed: Vec<(f64, &[Part])> = fixed.collect();
        let variables: Vec<Variable> = impact.variables.iter().map(|v| v.variable).collect();
        let draws = variables.iter().map(|v| v.draw()).collect::<anyhow::Result<Vec<Draw>>>()?;
        let (odds, of_point) = self.odds(at)?;
        let told = format!("{}: sampling years of drawn assumptions", scenario.arms[at].id);
        let work = progress.start(&told, odds.len());
        let numbers: Vec<u32> = (0..odds.len() as u32).collect();
        let lanes = odds.par_chunks(LANE).zip(numbers.par_chunks(LANE));
        let lane = |(some, numbers): (&[Odds], &[u32])| -> anyhow::Result<Vec<(f64, u32)>> {
            let mut losses = Vec::new();
            let swept = arm.incident_odds(some, &weights)?;
            for (of_odds, &number) in swept.iter().zip(numbers) {
                let parts = arm.incidents.iter().map(Vec::as_slice);
                let ends = of_odds.iter().copied().zip(parts).chain(fixed.iter().copied());
                let sampler = YearSampler::new(ends, &draws)?;
                for year in self.years_of(&of_point, number) {
                    let mut rng = year_rng(self.seed, year);
                    let figures = self.figures(&variables, &mut rng);
                    // Years under the same odds are correlated; if all share the same odds, each year is independent.
                    let group = if odds.len() == 1 { year } else { number };
                    losses.push((sampler.year(&figures, &mut rng)?, group));
                }
                work.advance(1);
            }
            Ok(losses)
        };
        let losses = lanes.map(lane).collect::<anyhow::Result<Vec<_>>>()?;
        let years = Years::new(losses.into_iter().flatten().collect());
        let draws = (odds.len() > 1).then_some(odds.len() as u32);
        year_record(&years, draws).map(Some)
    }

    /// The years that are sampled under the odds with this number; the draws take turns, year by year.
    fn years_of<'a>(&self, of_point: &'a [u32], number: u32) -> impl Iterator<Item = u32> + 'a {
        let points = of_point.len() as u32;
        let of_odds = (0..points).filter(move |&point| of_point[point as usize] == number);
        let years = self.impact.years;
        of_odds.flat_map(move |point| (point..years).step_by(points as usize))
    }

    /// The distinct odds of an arm over all draws; and by draw, the index of its odds.
    fn odds(&self, arm: usize) -> anyhow::Result<(Vec<Odds>, Vec<u32>)> {
        let base = Odds::of(self.scenario, &self.scenario.arms[arm])?;
        let count = DRAWS.min(self.impact.years as usize);
        let turns: Vec<bool> =
            self.assumptions.iter().map(|a| a.what.turns(self.scenario, arm)).collect();
        let mut known: HashMap<Vec<u64>, u32> = HashMap::new();
        let (mut odds, mut of_point) = (Vec::new(), Vec::with_capacity(count));
        for point in points(count, self.assumptions.len(), self.seed)? {
            let values: Vec<f64> =
                self.assumptions.iter().zip(&point).map(|(a, &u)| a.at(u)).collect();
            let own = values.iter().zip(&turns).filter(|(_, turns)| **turns);
            let key = own.map(|(value, _)| value.to_bits()).collect();
            of_point.push(*known.entry(key).or_insert_with(|| {
                odds.push(turned(self.scenario, arm, &base, self.assumptions, &values));
                odds.len() as u32 - 1
            }));
        }
        Ok((odds, of_point))
    }

    /// Draws the volume and the variables of one year.
    fn figures(&self, variables: &[Variable], rng: &mut rand_chacha::ChaCha8Rng) -> YearFigures {
        let mut figures = YearFigures::stated(self.impact.volume, variables.len());
        for assumption in self.assumptions {
            match assumption.what {
                What::Mean(of) => {
                    figures.shifts[of] = variables[of].shift(assumption.at(rng.random()));
                }
                What::Volume => {
                    figures.volume = self.impact.volume.with_mean(assumption.at(rng.random()));
                }
                What::Reader { .. } | What::Rate { .. } => {}
            }
        }
        figures
    }
}
