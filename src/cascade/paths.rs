//! Failure paths of a task: which events happen at which steps, and which action they end in.

use std::collections::BTreeMap;

use super::Source;
use super::replays::Replays;
use crate::compile::Compiled;
use crate::kernel::exact::Flow;
use crate::kernel::monte_carlo::Run;
use crate::kernel::{self, Branch, Fault, Guarded};
use crate::step::{Event, Outcome, Output, State};

/// Paths that a task takes less often than this are not listed: they are many, and rare even together.
pub const LEAST: f64 = 1e-5;

/// One failure path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Way {
    /// What went wrong, in the order of the steps: own errors and their consequences.
    pub events: Vec<Source>,
    /// The indices of the own errors among them.
    pub own: Vec<usize>,
    /// Labels of terminal steps that are not the oracle's, by step.
    pub actions: Vec<(usize, String)>,
    pub outcome: Outcome,
}

impl Way {
    /// The wrong labels, joined by `+`; empty if there are none.
    pub fn action(&self) -> String {
        action(&self.actions)
    }
}

/// Labels, joined by `+`.
pub fn action(of: &[(usize, String)]) -> String {
    let labels: Vec<&str> = of.iter().map(|(_, label)| label.as_str()).collect();
    labels.join("+")
}

/// A path, and how often one task takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    pub way: Way,
    pub p: f64,
}

/// The steps of a run with something to note.
type Noted = Vec<(usize, Note)>;

/// What distinguishes a branch from others on a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Note {
    /// The code of an event, and whether it is an own error.
    event: Option<(u8, bool)>,
    /// Whether a guard caught it.
    caught: bool,
    /// The token of a label that is not the oracle's.
    action: Option<u32>,
}

/// Lists the paths of one task; the state of each token is computed once.
pub struct Paths<'a> {
    compiled: &'a Compiled,
    states: Vec<Vec<State>>,
}

impl<'a> Paths<'a> {
    pub fn new(compiled: &'a Compiled) -> Paths<'a> {
        let states = |(step, outputs): (usize, &Vec<Output>)| {
            outputs.iter().map(|output| compiled.state(step, Some(output))).collect()
        };
        let states = compiled.outputs.iter().enumerate().map(states).collect();
        Paths { compiled, states }
    }

    /// All paths of probability [`LEAST`] or more, each with its exact probability.
    pub fn exact(&self, flow: &Flow) -> Vec<Path> {
        let found = kernel::paths::failures(flow, LEAST, |step, branch| self.note(step, branch));
        found.iter().map(|path| self.path(&path.notes, path.outcome, path.p)).collect()
    }

    /// The paths that replayed trials take, each with its share of the trials.
    pub fn sampled(&self, replays: &Replays) -> Vec<Path> {
        let mut counts: BTreeMap<(Noted, u8), u32> = BTreeMap::new();
        let mut played = 0u32;
        for run in (0..replays.all).filter_map(|trial| replays.plain(trial)) {
            played += 1;
            if run.outcome > 0 {
                *counts.entry((self.noted(&run), run.outcome)).or_default() += 1;
            }
        }
        let paths = counts.iter().map(|((noted, outcome), count)| {
            self.path(noted, *outcome, f64::from(*count) / f64::from(played.max(1)))
        });
        paths.collect()
    }

    /// The path of one run.
    pub fn way(&self, run: &Run) -> Way {
        self.path(&self.noted(run), run.outcome, 1.0).way
    }

    fn noted(&self, run: &Run) -> Noted {
        let noted = run.taken.iter().enumerate().filter_map(|(step, taken)| {
            let branch = &self.compiled.model.kernels[step].branches()[(*taken)?];
            Some((step, self.note(step, branch)?))
        });
        noted.collect()
    }

    fn note(&self, step: usize, branch: &Branch) -> Option<Note> {
        let state = match self.states[step].get(branch.token as usize) {
            Some(&state) => state,
            None => self.compiled.state(step, None),
        };
        let own = branch.fault == Fault::Own;
        // What a guard corrected at once does not contribute to a failure.
        let recovered = branch.guarded == Guarded::Recovered;
        let quiet = match Event::of_code(branch.event) {
            Event::Clean | Event::Hit | Event::NoGold | Event::Skipped => true,
            _ => recovered || (state == State::Correct && branch.fault == Fault::None),
        };
        let own = own && !recovered;
        let action = match self.compiled.outputs[step].get(branch.token as usize) {
            Some(Output::Action(_)) if state == State::Wrong => Some(branch.token),
            _ => None,
        };
        let event = (!quiet || own).then_some((branch.event, own));
        let caught = branch.guarded == Guarded::Caught;
        (event.is_some() || action.is_some() || caught).then_some(Note { event, caught, action })
    }

    fn path(&self, notes: &[(usize, Note)], outcome: u8, p: f64) -> Path {
        let mut way = Way {
            events: Vec::new(),
            own: Vec::new(),
            actions: Vec::new(),
            outcome: Outcome::ALL[usize::from(outcome)],
        };
        for (step, note) in notes {
            if let Some((event, own)) = note.event {
                if own {
                    way.own.push(way.events.len());
                }
                way.events.push(Source { step: *step, event: Event::of_code(event) });
            }
            if note.caught {
                way.events.push(Source { step: *step, event: Event::Caught });
            }
            if let Some(token) = note.action
                && let Output::Action(label) = &self.compiled.outputs[*step][token as usize]
            {
                way.actions.push((*step, label.clone()));
            }
        }
        Path { way, p }
    }
}
