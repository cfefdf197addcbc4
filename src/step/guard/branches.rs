//! The branches of a guarded step, and which of them are the same.

use super::counts::average_counts;
use super::{GuardResolution, GuardTrace};
use crate::step::StepBranch;

/// A branch with the guards applied.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardedBranch {
    pub branching: StepBranch,
    /// `None` if no guard looked.
    pub trace: Option<GuardTrace>,
}

impl GuardedBranch {
    /// A branch that no guard looked at.
    pub fn unguarded(branching: StepBranch) -> GuardedBranch {
        GuardedBranch { branching, trace: None }
    }

    /// Whether both are the same branch: equal in output, event and final attempt. The branches of one row are distinct
    /// in this sense, whatever their probabilities and the order in which they were found.
    pub fn is_same_branch(&self, other: &GuardedBranch) -> bool {
        let (x, y) = (&self.branching, &other.branching);
        let same =
            (&x.output, x.event, x.fault, x.guarded) == (&y.output, y.event, y.fault, y.guarded);
        same && self.final_attempt() == other.final_attempt()
    }

    /// How its alarms ended, at which attempt and phrasing, and the guard that raised the last alarm.
    fn final_attempt(&self) -> Option<FinalAttempt> {
        let trace = self.trace.as_ref()?;
        let last = trace.alarms.last().map(|alarm| alarm.guard);
        Some((trace.end, trace.attempt, trace.phrasing, last))
    }
}

/// See [`GuardedBranch::final_attempt`].
type FinalAttempt = (GuardResolution, Option<(usize, usize)>, Option<usize>, Option<usize>);

/// Merges equal branches. The alarms and the source passage are those of the first one; the guards' counts are
/// averaged.
pub(super) fn merge_branches(handled: Vec<GuardedBranch>) -> Vec<GuardedBranch> {
    let mut merged: Vec<GuardedBranch> = Vec::new();
    for one in handled.into_iter().filter(|h| h.branching.p > 0.0) {
        match merged.iter_mut().find(|m| m.is_same_branch(&one)) {
            Some(same) => {
                if let (Some(trail), Some(other)) = (&mut same.trace, &one.trace) {
                    average_counts(
                        &mut trail.counts,
                        same.branching.p,
                        &other.counts,
                        one.branching.p,
                    );
                }
                same.branching.p += one.branching.p;
            }
            None => merged.push(one),
        }
    }
    merged
}
