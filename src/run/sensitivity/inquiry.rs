//! Prepares the arms to be evaluated under other odds.
//!
//! Most arms are classified while they are compiled for the run. Arms with guards, arms with a task past the cap, and
//! arms whose own odds rule out what others allow are compiled once more.

use super::arm::{Arm, Prices};
use super::assumptions::{self, Assumption, What};
use crate::compile::scales::{Laid, Scales};
use crate::compile::search::Searches;
use crate::compile::{Odds, Toll};
use crate::expr::CorpusIndex;
use crate::kernel::rng;
use crate::progress::ProgressListener;
use crate::scenario::{Scenario, Sensitivity};
use crate::solve::Solved;
use crate::step::guard::Trail;
use crate::step::reader::Chances;

/// The assumptions to vary, and the arms that are prepared so far.
pub struct Inquiry<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) asked: &'a Sensitivity,
    pub(super) assumptions: Vec<Assumption>,
    /// The arms of the run, by their indices in the scenario.
    arms: &'a [usize],
    /// By position among them.
    ready: Vec<Option<Arm<'a>>>,
}

impl<'a> Inquiry<'a> {
    /// # Errors
    /// A reader whose parameters are inconsistent.
    pub fn new(
        scenario: &'a Scenario,
        asked: &'a Sensitivity,
        arms: &'a [usize],
    ) -> anyhow::Result<Inquiry<'a>> {
        let assumptions = assumptions::assumptions(scenario, arms, asked)?;
        Ok(Inquiry {
            scenario,
            asked,
            assumptions,
            arms,
            ready: arms.iter().map(|_| None).collect(),
        })
    }

    /// What is needed to classify the rows of an arm while it is compiled for the run: odds at three points, and the
    /// cost of each branch. `None` if the arm must be compiled separately.
    ///
    /// # Errors
    /// A reader whose parameters are inconsistent.
    pub fn as_it_runs(
        &self,
        place: usize,
    ) -> anyhow::Result<Option<([Odds; 3], Box<Toll<'static>>)>> {
        let arm = &self.scenario.arms[self.arms[place]];
        let [most, second, third] = self.odds(place)?;
        let own = Odds::of(self.scenario, arm)?;
        let guarded = self.scenario.steps.iter().zip(&arm.guarded);
        let guarded = guarded.into_iter().any(|(step, on)| *on && !step.guards.is_empty());
        // Rows are classified by their own odds, which must allow all that other odds allow.
        let able = !guarded && Chances::of(&own.reader).allow(&Chances::of(&most.reader));
        Ok(able.then(|| ([own, second, third], self.toll(place))))
    }

    /// Prepares an arm that was classified while it was compiled for the run.
    ///
    /// # Errors
    /// A loss without a value.
    pub fn add(
        &mut self,
        place: usize,
        scales: Scales<'a>,
        solved: &[Solved],
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<()> {
        // With a task past the cap, the arm is compiled separately later.
        if solved.iter().all(|task| task.compiled.model.trellis.is_some()) {
            self.ready[place] = Some(self.arm(place, scales, solved, progress)?);
        }
        Ok(())
    }

    /// All arms, with their indices in the scenario; compiles those that are not prepared yet.
    ///
    /// # Errors
    /// As [`crate::compile::compile()`].
    pub(super) fn arms(
        &mut self,
        indices: &'a [CorpusIndex],
        searches: &'a mut Searches,
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<Vec<(usize, Arm<'a>)>> {
        let scenario = self.scenario;
        let left: Vec<usize> = (0..self.arms.len()).filter(|&p| self.ready[p].is_none()).collect();
        let mut laid = Vec::new();
        for &place in &left {
            let arm = &scenario.arms[self.arms[place]];
            let told = format!("{}: compiling for other odds", arm.id);
            let work = progress.start(&told, scenario.steps.len() * scenario.tasks.tasks.len());
            let odds = self.odds(place)?;
            laid.push(Laid::new(scenario, arm, indices, searches, odds, &|| work.advance(1))?);
        }
        let searches: &Searches = searches;
        for (place, laid) in left.into_iter().zip(laid) {
            let scales = Scales::new(laid, searches, self.toll(place))?;
            self.ready[place] = Some(self.arm(place, scales, &[], progress)?);
        }
        let ready = std::mem::take(&mut self.ready).into_iter().flatten();
        Ok(self.arms.iter().copied().zip(ready).collect())
    }

    fn arm(
        &self,
        place: usize,
        scales: Scales<'a>,
        solved: &[Solved],
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<Arm<'a>> {
        let told = format!("{}: telling ends apart", self.scenario.arms[self.arms[place]].id);
        let work = progress.start(&told, self.scenario.tasks.tasks.len());
        Arm::new(self.scenario, scales, solved, &|n| work.advance(n))
    }

    /// The odds of an arm at three points inside all ranges.
    fn odds(&self, place: usize) -> anyhow::Result<[Odds; 3]> {
        let (scenario, arm) = (self.scenario, self.arms[place]);
        let own = Odds::of(scenario, &scenario.arms[arm])?;
        let turned =
            |values: Vec<f64>| assumptions::turned(scenario, arm, &own, &self.assumptions, &values);
        Ok(inside(&self.assumptions).map(turned))
    }

    fn toll(&self, place: usize) -> Box<Toll<'static>> {
        let prices = Prices::of(self.scenario, self.arms[place]);
        Box::new(move |step, event, trail: Option<&Trail>| prices.toll(step, event, trail))
    }
}

/// Three points inside all ranges. At the first, everything that is possible anywhere has a positive probability:
/// `follow` and `fabricate` are near their lower ends, so that the reader may abstain. The others are drawn.
fn inside(assumptions: &[Assumption]) -> [Vec<f64>; 3] {
    let at = |draw: u32| {
        let value = |assumption: &Assumption| {
            let told = &assumption.told;
            let low = match &assumption.what {
                What::Reader { parameter, .. } => ["follow", "fabricate"].contains(parameter),
                _ => false,
            };
            let share = match draw {
                0 if low => 1.0 / 64.0,
                0 => 0.5,
                // Any two unrelated points will do. The name is part of the key because two figures may have equal
                // ranges and must still differ here.
                _ => {
                    let key = rng::key(u64::from(draw), "inside", &told.name);
                    (rng::draw(key, 0) >> 11) as f64 / (1u64 << 53) as f64 / 2.0 + 0.25
                }
            };
            told.low + share * (told.high - told.low)
        };
        assumptions.iter().map(value).collect()
    };
    [at(0), at(1), at(2)]
}
