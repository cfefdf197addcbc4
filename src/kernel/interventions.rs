//! Interventions: replacing the distribution of one step's rows.

use super::rows::{KernelRows, cumulative_threshold};
use super::{BREAK, BranchFault, KernelBranch, REPAIR, RIGHT};

/// An intervention on one step, applied whatever the step's input. A row to which it does not apply is left
/// unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Intervention {
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
    ForceError(u8),
    /// The counterfactual row with this id is used; a row without it has its own errors repaired.
    CounterfactualOrRepair(u8),
    /// The counterfactual row with this id is used; a row without it is unchanged.
    CounterfactualOrNothing(u8),
}

impl KernelRows {
    /// Writes to `out` the share of each branch of a row and its counterfactual rows under an intervention. `out` has
    /// one element per branch of [`KernelRows::span_with_counterfactuals`]; the shares sum to one.
    pub fn weigh(&self, row: u32, what: Intervention, out: &mut [f64]) {
        match what {
            Intervention::Nothing => self.write_plain(row, out),
            Intervention::Repair => self.mix(row, 0.0, out),
            Intervention::Right => self.reassign(row, |b| f64::from(b.right), RIGHT, out),
            Intervention::Wrong => {
                let branches = &self.branches[self.span(row)];
                if branches.iter().any(|b| b.fault != BranchFault::None) {
                    self.condition(row, |b| b.fault != BranchFault::None, out);
                } else if branches.iter().any(|b| !b.right) {
                    self.condition(row, |b| !b.right, out);
                } else if !self.use_counterfactual(row, BREAK, out) {
                    self.write_plain(row, out);
                }
            }
            Intervention::ForceError(event) => {
                let errs = |b: &KernelBranch| b.fault == BranchFault::Own && b.event == event;
                if self.branches[self.span(row)].iter().any(errs) {
                    self.condition(row, errs, out);
                } else {
                    self.mix(row, 0.0, out);
                }
            }
            Intervention::CounterfactualOrRepair(mark) => {
                if !self.use_counterfactual(row, mark, out) {
                    self.mix(row, 0.0, out);
                }
            }
            Intervention::CounterfactualOrNothing(mark) => {
                if !self.use_counterfactual(row, mark, out) {
                    self.write_plain(row, out);
                }
            }
        }
    }

    /// Each own error stays with probability `broken` and is repaired otherwise.
    pub fn mix(&self, row: u32, broken: f64, out: &mut [f64]) {
        self.reassign(row, |b| if b.fault == BranchFault::Own { broken } else { 1.0 }, REPAIR, out);
    }

    fn write_plain(&self, row: u32, out: &mut [f64]) {
        let start = self.span_with_counterfactuals(row).start;
        out.fill(0.0);
        for at in self.span(row) {
            out[at - start] = self.branches[at].p;
        }
    }

    /// Each branch keeps the fraction `stays` of its probability; the remainder goes to the counterfactual row with
    /// this id. A row without one is unchanged.
    fn reassign(&self, row: u32, stays: impl Fn(&KernelBranch) -> f64, mark: u8, out: &mut [f64]) {
        self.write_plain(row, out);
        let Some(detour) = self.counterfactual(row, mark) else {
            return;
        };
        let start = self.span_with_counterfactuals(row).start;
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
    fn condition(&self, row: u32, counts: impl Fn(&KernelBranch) -> bool, out: &mut [f64]) {
        let whole = self.span_with_counterfactuals(row);
        out.fill(0.0);
        let counted = self.span(row).filter(|&at| counts(&self.branches[at]));
        let total: f64 = counted.clone().map(|at| self.branches[at].p).sum();
        for at in counted {
            out[at - whole.start] = self.branches[at].p / total;
        }
    }

    /// Puts all weight on the counterfactual row with this id; returns false if there is none.
    fn use_counterfactual(&self, row: u32, mark: u8, out: &mut [f64]) -> bool {
        let Some(span) = self.counterfactual(row, mark) else {
            return false;
        };
        let start = self.span_with_counterfactuals(row).start;
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
    pub fn choose(&self, row: u32, what: Intervention, draw: u64) -> usize {
        if matches!(what, Intervention::Nothing | Intervention::Repair | Intervention::Right) {
            let taken = self.first_past(self.span(row), |at| self.branches[at].p, draw);
            let branch = &self.branches[taken];
            let instead = match what {
                Intervention::Repair if branch.fault == BranchFault::Own => Some(REPAIR),
                Intervention::Right if !branch.right => Some(RIGHT),
                _ => None,
            };
            // The correct or repaired output is deterministic, so its first branch is the only one.
            let instead = instead.and_then(|mark| self.counterfactual(row, mark));
            return instead.map_or(taken, |detour| detour.start);
        }
        // Other interventions change the whole distribution, so the draw is applied to the new shares.
        let whole = self.span_with_counterfactuals(row);
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
            if draw < cumulative_threshold(sum) {
                break;
            }
        }
        last
    }
}
