//! Runs in which some errors are forced and all others are mended.
//!
//! Such runs come by few states: rows are weighed as they are met, and sets of errors that begin alike share the
//! sweep up to where they part.

use super::trellis::Trellis;
use super::{Do, Model, OUTCOMES};

/// A forward sweep with some errors forced.
pub struct Forced<'a> {
    model: &'a Model,
    trellis: &'a Trellis,
    /// The first step behind those whose errors are forced.
    next: usize,
    /// The probability of each state before step `next` and before all behind it; and after the last.
    states: Vec<Vec<f64>>,
}

impl<'a> Forced<'a> {
    /// With no error at all; `None` without a trellis.
    pub fn none(model: &'a Model) -> Option<Forced<'a>> {
        let trellis = model.trellis.as_ref()?;
        let mut forced = Forced { model, trellis, next: 0, states: vec![vec![1.0]] };
        forced.mend_the_rest();
        Some(forced)
    }

    /// With one more: `step` makes its own error with this event where it can, and none where it cannot.
    ///
    /// # Panics
    /// Where `step` comes before one whose error is forced already, or is it.
    pub fn and(&self, step: usize, event: u8) -> Forced<'a> {
        assert!(step >= self.next, "errors are forced in the order of the steps");
        let before = &self.states[step - self.next];
        let mut forced =
            Forced { next: step + 1, states: Vec::new(), model: self.model, trellis: self.trellis };
        forced.states.push(self.advance(step, Do::Only(event), before));
        forced.mend_the_rest();
        forced
    }

    /// P(outcome).
    pub fn outcomes(&self) -> [f64; OUTCOMES] {
        let mut outcomes = [0.0; OUTCOMES];
        let ends = self.states.last().into_iter().flatten();
        for (p, &outcome) in ends.zip(&self.trellis.outcomes) {
            outcomes[usize::from(outcome)] += p;
        }
        outcomes
    }

    fn mend_the_rest(&mut self) {
        for step in self.next..self.model.kernels.len() {
            let after = self.advance(step, Do::Repair, &self.states[step - self.next]);
            self.states.push(after);
        }
    }

    /// The probability of each state after a step, from those before it.
    fn advance(&self, step: usize, what: Do, before: &[f64]) -> Vec<f64> {
        let (rows, layer) = (&self.model.kernels[step].rows, &self.trellis.layers[step]);
        let mut after = vec![0.0; layer.states];
        let mut shares = Vec::new();
        for (state, &p) in before.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            let targets = layer.targets(state);
            let Some(row) = layer.rows[state] else {
                after[targets[0] as usize] += p;
                continue;
            };
            shares.resize(rows.whole(row).len(), 0.0);
            rows.weigh(row, what, &mut shares);
            for (share, &to) in shares.iter().zip(targets) {
                after[to as usize] += p * share;
            }
        }
        after
    }
}
