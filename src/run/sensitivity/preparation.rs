//! Prepares the arms to be evaluated under other odds.
//!
//! Most arms are classified while they are compiled for the run. Arms with guards, arms with a task past the cap, and
//! arms whose own odds rule out what others allow are compiled once more.

use super::assumptions::{self, AssumptionTarget, VariedAssumption};
use super::reweighted_arm::{ArmPrices, ReweightedArm};
use crate::compile::reweight::{CompiledArm, ReweightableArm};
use crate::compile::search_cache::SearchCache;
use crate::compile::{ArmOdds, StepCostFn};
use crate::expr::CorpusIndex;
use crate::kernel::rng;
use crate::progress::ProgressListener;
use crate::scenario::{ReaderParameter, Scenario, SensitivitySettings};
use crate::solve::SolvedTask;
use crate::step::guard::GuardTrace;

/// The assumptions to vary, and the arms that are prepared so far.
pub struct SensitivityPreparation<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) settings: &'a SensitivitySettings,
    pub(super) assumptions: Vec<VariedAssumption>,
    /// The arms of the run, by their indices in the scenario.
    arms: &'a [usize],
    /// By position among them.
    prepared: Vec<Option<ReweightedArm<'a>>>,
}

impl<'a> SensitivityPreparation<'a> {
    /// # Errors
    /// A reader whose parameters are inconsistent.
    pub fn new(
        scenario: &'a Scenario,
        settings: &'a SensitivitySettings,
        arms: &'a [usize],
    ) -> anyhow::Result<SensitivityPreparation<'a>> {
        let assumptions = assumptions::assumptions(scenario, arms, settings)?;
        Ok(SensitivityPreparation {
            scenario,
            settings,
            assumptions,
            arms,
            prepared: arms.iter().map(|_| None).collect(),
        })
    }

    /// What is needed to classify the rows of an arm while it is compiled for the run: odds at three points, and the
    /// cost of each branch. `None` if the arm must be compiled separately.
    ///
    /// # Errors
    /// A reader whose parameters are inconsistent.
    pub fn classification_inputs(
        &self,
        place: usize,
    ) -> anyhow::Result<Option<([ArmOdds; 3], Box<StepCostFn<'static>>)>> {
        let arm = &self.scenario.arms[self.arms[place]];
        let [most, second, third] = self.interior_odds(place)?;
        let own = ArmOdds::of_arm(self.scenario, arm)?;
        let guarded = self.scenario.steps.iter().zip(&arm.guarded);
        let guarded = guarded.into_iter().any(|(step, on)| *on && !step.guards.is_empty());
        // Rows are classified by their own odds, which must allow all that other odds allow.
        let able = !guarded && own.reader.contains_support_of(&most.reader);
        Ok(able.then(|| ([own, second, third], self.cost_fn(place))))
    }

    /// Prepares an arm that was classified while it was compiled for the run.
    ///
    /// # Errors
    /// A loss without a value.
    pub fn add_classified(
        &mut self,
        place: usize,
        scales: ReweightableArm<'a>,
        solved: &[SolvedTask],
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<()> {
        // With a task past the cap, the arm is compiled separately later.
        if solved.iter().all(|task| task.compiled.model.trellis.is_some()) {
            self.prepared[place] = Some(self.prepare_arm(place, scales, solved, progress)?);
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
        searches: &'a mut SearchCache,
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<Vec<(usize, ReweightedArm<'a>)>> {
        let scenario = self.scenario;
        let left: Vec<usize> =
            (0..self.arms.len()).filter(|&p| self.prepared[p].is_none()).collect();
        let mut compiled = Vec::new();
        for &place in &left {
            let arm = &scenario.arms[self.arms[place]];
            let title = format!("{}: compiling for other odds", arm.id);
            let work = progress.start(&title, scenario.steps.len() * scenario.tasks.tasks.len());
            let odds = self.interior_odds(place)?;
            compiled.push(CompiledArm::new(scenario, arm, indices, searches, odds, &|| {
                work.advance(1)
            })?);
        }
        let searches: &SearchCache = searches;
        for (place, arm) in left.into_iter().zip(compiled) {
            let scales = ReweightableArm::new(arm, searches, self.cost_fn(place))?;
            self.prepared[place] = Some(self.prepare_arm(place, scales, &[], progress)?);
        }
        let ready = std::mem::take(&mut self.prepared).into_iter().flatten();
        Ok(self.arms.iter().copied().zip(ready).collect())
    }

    fn prepare_arm(
        &self,
        place: usize,
        scales: ReweightableArm<'a>,
        solved: &[SolvedTask],
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<ReweightedArm<'a>> {
        let title = format!("{}: grouping ends by loss", self.scenario.arms[self.arms[place]].id);
        let work = progress.start(&title, self.scenario.tasks.tasks.len());
        ReweightedArm::new(self.scenario, scales, solved, &|n| work.advance(n))
    }

    /// The odds of an arm at three points inside all ranges.
    fn interior_odds(&self, place: usize) -> anyhow::Result<[ArmOdds; 3]> {
        let (scenario, arm) = (self.scenario, self.arms[place]);
        let own = ArmOdds::of_arm(scenario, &scenario.arms[arm])?;
        Ok(interior_points(&self.assumptions).map(|values| {
            assumptions::adjusted_odds(scenario, arm, &own, &self.assumptions, &values)
        }))
    }

    fn cost_fn(&self, place: usize) -> Box<StepCostFn<'static>> {
        let prices = ArmPrices::for_arm(self.scenario, self.arms[place]);
        Box::new(move |step, event, trail: Option<&GuardTrace>| {
            prices.branch_cost(step, event, trail)
        })
    }
}

/// Three points inside all ranges. At the first, everything that is possible anywhere has a positive probability:
/// `follow` and `fabricate` are near their lower ends, so that the reader may abstain. The others are drawn.
fn interior_points(assumptions: &[VariedAssumption]) -> [Vec<f64>; 3] {
    [0, 1, 2]
        .map(|draw| assumptions.iter().map(|assumption| interior_value(assumption, draw)).collect())
}

fn interior_value(assumption: &VariedAssumption, draw: u32) -> f64 {
    let range = &assumption.record;
    let low = match &assumption.target {
        AssumptionTarget::Reader { parameter, .. } => {
            matches!(parameter, ReaderParameter::Follow | ReaderParameter::Fabricate)
        }
        _ => false,
    };
    let share = match draw {
        0 if low => 1.0 / 64.0,
        0 => 0.5,
        // Any two unrelated points will do. The name is part of the key because two figures may have equal
        // ranges and must still differ here.
        _ => {
            let key = rng::key(u64::from(draw), "inside", &range.name);
            (rng::draw(key, 0) >> 11) as f64 / (1u64 << 53) as f64 / 2.0 + 0.25
        }
    };
    range.low + share * (range.high - range.low)
}
