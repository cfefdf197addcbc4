//! Runs in which some errors are forced and all others are repaired.
//!
//! Such runs reach few states, so rows are weighted only when they are reached, and sets of errors with a common
//! prefix share the sweep up to the step where they differ.

use rustc_hash::FxHashMap;

use super::trellis::Trellis;
use super::{Intervention, KernelModel, OUTCOMES};

/// A forward sweep with some errors forced.
pub struct ForcedErrorSweep<'a> {
    model: &'a KernelModel,
    trellis: &'a Trellis,
    /// The first step after those whose errors are forced.
    next: usize,
    /// The reachable states with their probabilities: before step `next` and each later step, and after the last
    /// step.
    reached: Vec<Vec<(u32, f64)>>,
}

impl<'a> ForcedErrorSweep<'a> {
    /// A sweep without errors; `None` without a trellis.
    pub fn clean(model: &'a KernelModel) -> Option<ForcedErrorSweep<'a>> {
        let trellis = model.trellis.as_ref()?;
        let mut forced =
            ForcedErrorSweep { model, trellis, next: 0, reached: vec![vec![(0, 1.0)]] };
        forced.repair_remaining();
        Some(forced)
    }

    /// Adds one forced error: `step` makes its own error with this event where it can, and none where it cannot.
    ///
    /// # Panics
    /// If `step` is not after every step whose error is already forced.
    pub fn with_error(&self, step: usize, event: u8) -> ForcedErrorSweep<'a> {
        assert!(step >= self.next, "errors are forced in the order of the steps");
        let after =
            self.advance(step, Intervention::ForceError(event), &self.reached[step - self.next]);
        let (model, trellis) = (self.model, self.trellis);
        let mut forced = ForcedErrorSweep { model, trellis, next: step + 1, reached: vec![after] };
        forced.repair_remaining();
        forced
    }

    /// P(outcome).
    pub fn outcomes(&self) -> [f64; OUTCOMES] {
        let mut outcomes = [0.0; OUTCOMES];
        for &(state, p) in self.reached.last().into_iter().flatten() {
            outcomes[usize::from(self.trellis.outcomes[state as usize])] += p;
        }
        outcomes
    }

    fn repair_remaining(&mut self) {
        for step in self.next..self.model.kernels.len() {
            let after = self.advance(step, Intervention::Repair, &self.reached[step - self.next]);
            self.reached.push(after);
        }
    }

    /// The states after a step with their probabilities, from those before it, in order of first appearance.
    fn advance(&self, step: usize, what: Intervention, before: &[(u32, f64)]) -> Vec<(u32, f64)> {
        let (rows, layer) = (&self.model.kernels[step].rows, &self.trellis.layers[step]);
        let mut after: Vec<(u32, f64)> = Vec::new();
        let mut places: FxHashMap<u32, usize> = FxHashMap::default();
        let mut go = |to: u32, p: f64| {
            let place = *places.entry(to).or_insert_with(|| {
                after.push((to, 0.0));
                after.len() - 1
            });
            after[place].1 += p;
        };
        let mut shares = Vec::new();
        for &(state, p) in before {
            let targets = layer.targets(state as usize);
            let Some(row) = layer.rows[state as usize] else {
                go(targets[0], p);
                continue;
            };
            shares.resize(rows.span_with_counterfactuals(row).len(), 0.0);
            rows.weigh(row, what, &mut shares);
            for (share, &to) in shares.iter().zip(targets).filter(|(share, _)| **share > 0.0) {
                go(to, p * share);
            }
        }
        after
    }
}
