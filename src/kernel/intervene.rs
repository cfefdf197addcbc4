//! Interventions: replacing the distribution of one step's rows.

use super::rows::{Rows, cut};
use super::{BREAK, Branch, Fault, REPAIR, RIGHT};

/// An intervention on one step, applied whatever the step's input. A row to which it does not apply is left
/// unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Do {
    #[default]
    Nothing,
    /// Its own errors are repaired; induced ones stay.
    Repair,
    /// Its output is set to the correct one through the [`RIGHT`] counterfactual row, whatever its input. Branches
    /// that are already correct are unchanged.
    Right,
    /// The step errs: conditioned on its error branches if there are any, else on branches that are not correct if
    /// there are any, else through its [`BREAK`] counterfactual row.
    Wrong,
    /// Of its own errors the step makes the one with this event; if it cannot, it makes none.
    Only(u8),
    /// The counterfactual row with this id is used; a row without it has its own errors repaired.
    Detour(u8),
    /// The counterfactual row with this id is used; a row without it is unchanged.
    Swap(u8),
}

impl Rows {
    /// Writes to `out` the share of each branch of a row and its counterfactual rows under an intervention. `out` has
    /// one element per branch of [`Rows::whole`]; the shares sum to one.
    pub fn weigh(&self, row: u32, what: Do, out: &mut [f64]) {
        match what {
            Do::Nothing => self.as_it_is(row, out),
            Do::Repair => self.mix(row, 0.0, out),
            Do::Right => self.replace(row, |b| f64::from(b.right), RIGHT, out),
            Do::Wrong => {
                let branches = &self.branches[self.span(row)];
                let errs = |b: &Branch| b.fault != Fault::None;
                let wrong = |b: &Branch| !b.right;
                if branches.iter().any(errs) {
                    self.condition(row, errs, out);
                } else if branches.iter().any(wrong) {
                    self.condition(row, wrong, out);
                } else if !self.take(row, BREAK, out) {
                    self.as_it_is(row, out);
                }
            }
            Do::Only(event) => {
                let errs = |b: &Branch| b.fault == Fault::Own && b.event == event;
                if self.branches[self.span(row)].iter().any(errs) {
                    self.condition(row, errs, out);
                } else {
                    self.mix(row, 0.0, out);
                }
            }
            Do::Detour(mark) => {
                if !self.take(row, mark, out) {
                    self.mix(row, 0.0, out);
                }
            }
            Do::Swap(mark) => {
                if !self.take(row, mark, out) {
                    self.as_it_is(row, out);
                }
            }
        }
    }

    /// Each own error stays with probability `broken` and is repaired otherwise.
    pub fn mix(&self, row: u32, broken: f64, out: &mut [f64]) {
        let stays = |b: &Branch| if b.fault == Fault::Own { broken } else { 1.0 };
        self.replace(row, stays, REPAIR, out);
    }

    fn as_it_is(&self, row: u32, out: &mut [f64]) {
        let start = self.whole(row).start;
        out.fill(0.0);
        for at in self.span(row) {
            out[at - start] = self.branches[at].p;
        }
    }

    /// Each branch keeps the fraction `stays` of its probability; the remainder goes to the counterfactual row with
    /// this id. A row without one is unchanged.
    fn replace(&self, row: u32, stays: impl Fn(&Branch) -> f64, mark: u8, out: &mut [f64]) {
        self.as_it_is(row, out);
        let Some(detour) = self.detour(row, mark) else {
            return;
        };
        let start = self.whole(row).start;
        let mut lost = 0.0;
        for at in self.span(row) {
            let branch = &self.branches[at];
            let kept = branch.p * stays(branch);
            out[at - start] = kept;
            lost += branch.p - kept;
        }
        for at in detour {
            out[at - start] = lost * self.branches[at].p;
        }
    }

    /// Conditions the row on the branches that `counts` accepts, at least one of which must exist.
    fn condition(&self, row: u32, counts: impl Fn(&Branch) -> bool, out: &mut [f64]) {
        let whole = self.whole(row);
        out.fill(0.0);
        let counted = || self.span(row).filter(|&at| counts(&self.branches[at]));
        let total: f64 = counted().map(|at| self.branches[at].p).sum();
        for at in counted() {
            out[at - whole.start] = self.branches[at].p / total;
        }
    }

    /// Puts all weight on the counterfactual row with this id; returns false if there is none.
    fn take(&self, row: u32, mark: u8, out: &mut [f64]) -> bool {
        let Some(span) = self.detour(row, mark) else {
            return false;
        };
        let start = self.whole(row).start;
        out.fill(0.0);
        for at in span {
            out[at - start] = self.branches[at].p;
        }
        true
    }

    /// The branch that a draw selects under an intervention.
    ///
    /// A repair first selects the branch of the plain row and replaces it only if it is an error, so that every other
    /// draw gives the same result as without the intervention.
    pub fn choose(&self, row: u32, what: Do, draw: u64) -> usize {
        if matches!(what, Do::Nothing | Do::Repair | Do::Right) {
            let taken = self.first_past(self.span(row), |at| self.branches[at].p, draw);
            let branch = &self.branches[taken];
            let instead = match what {
                Do::Repair if branch.fault == Fault::Own => Some(REPAIR),
                Do::Right if !branch.right => Some(RIGHT),
                _ => None,
            };
            // The correct or repaired output is deterministic, so its first branch is the only one.
            let instead = instead.and_then(|mark| self.detour(row, mark));
            return instead.map_or(taken, |detour| detour.start);
        }
        // Other interventions change the whole distribution, so the draw is applied to the new shares.
        let whole = self.whole(row);
        let mut shares = vec![0.0; whole.len()];
        self.weigh(row, what, &mut shares);
        let start = whole.start;
        self.first_past(whole, |at| shares[at - start], draw)
    }

    /// The first branch with a positive share whose cumulative share exceeds the draw.
    fn first_past(
        &self,
        span: std::ops::Range<usize>,
        share: impl Fn(usize) -> f64,
        draw: u64,
    ) -> usize {
        let mut sum = 0.0;
        // If rounding keeps the sum below the draw, the last branch with a share is selected.
        let mut last = span.start;
        for at in span.filter(|&at| share(at) > 0.0) {
            sum += share(at);
            last = at;
            if draw < cut(sum) {
                break;
            }
        }
        last
    }
}
