//! Failure paths of a task: which events happen at which steps, and which action they end in.

use std::collections::BTreeMap;

use super::OwnError;
use super::replays::TrialReplays;
use crate::compile::CompiledTask;
use crate::kernel::exact::ForwardBackward;
use crate::kernel::monte_carlo::ReplayedRun;
use crate::kernel::{self, BranchFault, GuardEffect, KernelBranch};
use crate::step::{OutputState, RunOutcome, StepEvent, StepOutput};

/// Paths that a task takes less often than this are not listed: they are many, and rare even together.
pub const MIN_PROBABILITY: f64 = 1e-5;

/// One failure path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FailureSignature {
    /// What went wrong, in the order of the steps: own errors and their consequences.
    pub events: Vec<OwnError>,
    /// The indices of the own errors among them.
    pub own_errors: Vec<usize>,
    /// Labels of terminal steps that are not the oracle's, by step.
    pub actions: Vec<(usize, String)>,
    pub outcome: RunOutcome,
}

impl FailureSignature {
    /// The wrong labels, joined by `+`; empty if there are none.
    pub fn action(&self) -> String {
        joined_labels(&self.actions)
    }
}

/// Labels, joined by `+`.
pub fn joined_labels(actions: &[(usize, String)]) -> String {
    let labels: Vec<&str> = actions.iter().map(|(_, label)| label.as_str()).collect();
    labels.join("+")
}

/// A path, and how often one task takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct FailurePath {
    pub signature: FailureSignature,
    pub p: f64,
}

/// The steps of a run with something to note.
type StepDeviations = Vec<(usize, StepDeviation)>;

/// What distinguishes a branch from others on a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct StepDeviation {
    /// The code of an event, and whether it is an own error.
    event: Option<(u8, bool)>,
    /// Whether a guard caught it.
    caught: bool,
    /// The token of a label that is not the oracle's.
    action: Option<u32>,
}

/// Lists the paths of one task; the state of each token is computed once.
pub struct FailurePathFinder<'a> {
    compiled: &'a CompiledTask,
    states: Vec<Vec<OutputState>>,
}

impl<'a> FailurePathFinder<'a> {
    pub fn new(compiled: &'a CompiledTask) -> FailurePathFinder<'a> {
        let states = compiled
            .outputs
            .iter()
            .enumerate()
            .map(|(step, outputs)| {
                outputs.iter().map(|output| compiled.state(step, Some(output))).collect()
            })
            .collect();
        FailurePathFinder { compiled, states }
    }

    /// All paths of probability [`MIN_PROBABILITY`] or more, each with its exact probability.
    pub fn exact(&self, flow: &ForwardBackward) -> Vec<FailurePath> {
        let found = kernel::paths::failures(flow, MIN_PROBABILITY, |step, branch| {
            self.deviation(step, branch)
        });
        found.iter().map(|path| self.path(&path.labels, path.outcome, path.p)).collect()
    }

    /// The paths that replayed trials take, each with its share of the trials.
    pub fn sampled(&self, replays: &TrialReplays) -> Vec<FailurePath> {
        let mut counts: BTreeMap<(StepDeviations, u8), u32> = BTreeMap::new();
        let mut played = 0u32;
        for run in (0..replays.plain_trials).filter_map(|trial| replays.plain(trial)) {
            played += 1;
            if run.outcome > 0 {
                *counts.entry((self.deviations(&run), run.outcome)).or_default() += 1;
            }
        }
        let paths = counts.iter().map(|((noted, outcome), count)| {
            self.path(noted, *outcome, f64::from(*count) / f64::from(played.max(1)))
        });
        paths.collect()
    }

    /// The path of one run.
    pub fn signature_of(&self, run: &ReplayedRun) -> FailureSignature {
        self.path(&self.deviations(run), run.outcome, 1.0).signature
    }

    fn deviations(&self, run: &ReplayedRun) -> StepDeviations {
        let noted = run.taken.iter().enumerate().filter_map(|(step, taken)| {
            let branch = &self.compiled.model.kernels[step].branches()[(*taken)?];
            Some((step, self.deviation(step, branch)?))
        });
        noted.collect()
    }

    fn deviation(&self, step: usize, branch: &KernelBranch) -> Option<StepDeviation> {
        let state = match self.states[step].get(branch.token as usize) {
            Some(&state) => state,
            None => self.compiled.state(step, None),
        };
        let own = branch.fault == BranchFault::Own;
        // What a guard corrected at once does not contribute to a failure.
        let recovered = branch.guarded == GuardEffect::Recovered;
        let quiet = match StepEvent::from_code(branch.event) {
            StepEvent::Clean | StepEvent::Hit | StepEvent::NoGold | StepEvent::Skipped => true,
            _ => recovered || (state == OutputState::Correct && branch.fault == BranchFault::None),
        };
        let own = own && !recovered;
        let action = match self.compiled.outputs[step].get(branch.token as usize) {
            Some(StepOutput::Action(_)) if state == OutputState::Wrong => Some(branch.token),
            _ => None,
        };
        let event = (!quiet || own).then_some((branch.event, own));
        let caught = branch.guarded == GuardEffect::Caught;
        (event.is_some() || action.is_some() || caught).then_some(StepDeviation {
            event,
            caught,
            action,
        })
    }

    fn path(&self, notes: &[(usize, StepDeviation)], outcome: u8, p: f64) -> FailurePath {
        let mut signature = FailureSignature {
            events: Vec::new(),
            own_errors: Vec::new(),
            actions: Vec::new(),
            outcome: RunOutcome::ALL[usize::from(outcome)],
        };
        for (step, note) in notes {
            if let Some((event, own)) = note.event {
                if own {
                    signature.own_errors.push(signature.events.len());
                }
                signature.events.push(OwnError { step: *step, event: StepEvent::from_code(event) });
            }
            if note.caught {
                signature.events.push(OwnError { step: *step, event: StepEvent::Caught });
            }
            if let Some(token) = note.action
                && let StepOutput::Action(label) = &self.compiled.outputs[*step][token as usize]
            {
                signature.actions.push((*step, label.clone()));
            }
        }
        FailurePath { signature, p }
    }
}
