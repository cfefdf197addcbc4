//! Interventions: what is put in place of the rows of one step.

use super::rows::{Rows, cut};
use super::{BREAK, Branch, Fault, REPAIR, RIGHT};

/// What is done to one step, whatever its input. A row that it cannot take hold of stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Do {
    #[default]
    Nothing,
    /// Its own errors are mended; induced ones stay.
    Repair,
    /// Its output is set to the right one, by its [`RIGHT`] detour, whatever its input; what is right stays.
    Right,
    /// It errs: as it can where it can; else what it puts out is not right, if that can be; else by its [`BREAK`]
    /// detour.
    Wrong,
    /// Of its own errors it makes the one with this event; where it cannot, it makes none.
    Only(u8),
    /// It takes the detour with this mark; where there is none, its own errors are mended.
    Detour(u8),
    /// It takes the detour with this mark; where there is none, all stays as it is.
    Swap(u8),
}

impl Rows {
    /// The share of each branch of a row and its detours under an intervention, written to `out` (one
    /// a branch of [`Rows::whole`]); shares sum to one.
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

    /// Each own error stays with probability `broken`, and is mended otherwise.
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

    /// Each branch keeps a share; what is lost goes to the detour with this mark. A row without it stays as it is.
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

    /// Only branches that `counts` accepts, scaled to one; some branch must.
    fn condition(&self, row: u32, counts: impl Fn(&Branch) -> bool, out: &mut [f64]) {
        let whole = self.whole(row);
        out.fill(0.0);
        let counted = || self.span(row).filter(|&at| counts(&self.branches[at]));
        let total: f64 = counted().map(|at| self.branches[at].p).sum();
        for at in counted() {
            out[at - whole.start] = self.branches[at].p / total;
        }
    }

    /// Only the detour with this mark; false where there is none.
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

    /// The branch that a draw takes under an intervention.
    ///
    /// Mending takes the branch of the plain row first, and only an error leaves it: whatever else the
    /// draw would have done stays the same.
    pub fn choose(&self, row: u32, what: Do, draw: u64) -> usize {
        if matches!(what, Do::Nothing | Do::Repair | Do::Right) {
            let taken = self.first_past(self.span(row), |at| self.branches[at].p, draw);
            let branch = &self.branches[taken];
            let instead = match what {
                Do::Repair if branch.fault == Fault::Own => Some(REPAIR),
                Do::Right if !branch.right => Some(RIGHT),
                _ => None,
            };
            // What a step puts out when it does not err is one thing, and so is what is right.
            let instead = instead.and_then(|mark| self.detour(row, mark));
            return instead.map_or(taken, |detour| detour.start);
        }
        let whole = self.whole(row);
        let mut shares = vec![0.0; whole.len()];
        self.weigh(row, what, &mut shares);
        let start = whole.start;
        self.first_past(whole, |at| shares[at - start], draw)
    }

    /// The first branch whose cumulative share exceeds the draw; of those with a share.
    fn first_past(
        &self,
        span: std::ops::Range<usize>,
        share: impl Fn(usize) -> f64,
        draw: u64,
    ) -> usize {
        let mut sum = 0.0;
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
