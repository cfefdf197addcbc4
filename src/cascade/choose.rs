//! Which run is worth telling: the likeliest way to fail, and a trial that goes it.

use std::collections::HashMap;

use rayon::prelude::*;

use super::tell::keys;
use crate::compile::Compiled;
use crate::kernel::exact::Flow;
use crate::kernel::monte_carlo::{Run, replay};
use crate::kernel::{Branch, Do, Fault, STOP, paths};
use crate::run::Solved;
use crate::scenario::{Scenario, StepKind};
use crate::step::Output;
use crate::world::Task;

/// Ways of less probability than this are not told apart.
const LEAST: f64 = 1e-4;

/// What is noted of a run: the errors, by step and event, and the labels that its act steps chose.
pub type Notes = Vec<(usize, Note)>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Note {
    /// An event, as its code, that is an error or follows from one.
    Event(u8),
    /// What an act step puts out.
    Label(String),
    Stop,
}

/// One way in which a task fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    pub notes: Notes,
    pub outcome: u8,
    /// P(a run of the task goes it); for tasks past the state cap, a share of their trials.
    pub p: f64,
}

/// A run to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick {
    /// Index into the scenario's tasks.
    pub task: usize,
    pub trial: u32,
}

/// One of the likeliest ways to fail over all tasks of an arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    pub pick: Pick,
    /// P(a run goes this way), over all tasks by weight.
    pub p: f64,
    /// Tasks that can go it.
    pub tasks: usize,
}

/// The ways in which a task fails, likeliest first.
fn ways(scenario: &Scenario, task: &Task, compiled: &Compiled) -> Vec<Way> {
    let note = |step: usize, branch: &Branch| note(scenario, compiled, step, branch);
    let mut ways: Vec<Way> = match Flow::plain(&compiled.model) {
        Some(flow) => {
            let found = paths::failures(&flow, LEAST, note);
            let way = |path: paths::Path<Note>| Way {
                notes: path.notes,
                outcome: path.outcome,
                p: path.p,
            };
            found.into_iter().map(way).collect()
        }
        None => {
            let keys = keys(scenario, task);
            let trials = scenario.simulation.trials;
            let mut places: HashMap<(Notes, u8), usize> = HashMap::new();
            let mut counts: Vec<u32> = Vec::new();
            for trial in 0..trials {
                let Some(run) = plain(compiled, &keys, trial).filter(|run| run.outcome != 0) else {
                    continue;
                };
                let way = (noted(scenario, compiled, &run), run.outcome);
                let place = *places.entry(way).or_insert(counts.len());
                counts.resize(counts.len().max(place + 1), 0);
                counts[place] += 1;
            }
            let mut ways: Vec<(usize, Way)> = places
                .into_iter()
                .map(|((notes, outcome), place)| {
                    let p = f64::from(counts[place]) / f64::from(trials.max(1));
                    (place, Way { notes, outcome, p })
                })
                .collect();
            ways.sort_by_key(|(place, _)| *place);
            ways.into_iter().map(|(_, way)| way).collect()
        }
    };
    ways.sort_by(|a, b| b.p.total_cmp(&a.p));
    ways
}

/// The first trial that goes the likeliest way to fail; where none does, the first that fails.
/// `None` where none of the scenario's trials fails.
pub fn typical(scenario: &Scenario, task: &Task, compiled: &Compiled) -> Option<u32> {
    let likeliest = ways(scenario, task, compiled).into_iter().next();
    trial_of(scenario, task, compiled, likeliest.as_ref())
}

fn trial_of(
    scenario: &Scenario,
    task: &Task,
    compiled: &Compiled,
    way: Option<&Way>,
) -> Option<u32> {
    let keys = keys(scenario, task);
    let mut first = None;
    for trial in 0..scenario.simulation.trials {
        let Some(run) = plain(compiled, &keys, trial).filter(|run| run.outcome != 0) else {
            continue;
        };
        let goes =
            |way: &Way| way.outcome == run.outcome && way.notes == noted(scenario, compiled, &run);
        if way.is_none_or(goes) {
            return Some(trial);
        }
        first = first.or(Some(trial));
    }
    first
}

/// The `top` likeliest ways to fail over all tasks, by weight, each with a run of the task that goes it
/// most often; `solved` is by task.
pub fn common(scenario: &Scenario, solved: &[Solved], top: usize) -> Vec<Common> {
    struct Sum {
        way: Way,
        p: f64,
        tasks: usize,
        /// The task that goes it most often, with that share.
        most: (usize, f64),
    }
    let tasks = &scenario.tasks.tasks;
    let total: f64 = tasks.iter().map(|task| task.weight).sum();
    let mut sums: Vec<Sum> = Vec::new();
    let mut places: HashMap<(Notes, u8), usize> = HashMap::new();
    let pairs = tasks.par_iter().zip(solved);
    let all: Vec<Vec<Way>> =
        pairs.map(|(task, solved)| ways(scenario, task, &solved.compiled)).collect();
    for (at, (task, ways)) in tasks.iter().zip(all).enumerate() {
        for way in ways {
            let share = way.p * task.weight / total;
            let place = *places.entry((way.notes.clone(), way.outcome)).or_insert_with(|| {
                sums.push(Sum { way: way.clone(), p: 0.0, tasks: 0, most: (at, 0.0) });
                sums.len() - 1
            });
            let sum = &mut sums[place];
            sum.p += share;
            sum.tasks += 1;
            if share > sum.most.1 {
                sum.most = (at, share);
            }
        }
    }
    // Stable, so that ways of one probability keep the order of the tasks.
    sums.sort_by(|a, b| b.p.total_cmp(&a.p));
    let run = |sum: Sum| {
        let task = sum.most.0;
        let compiled = &solved[task].compiled;
        let trial = trial_of(scenario, &tasks[task], compiled, Some(&sum.way))?;
        Some(Common { pick: Pick { task, trial }, p: sum.p, tasks: sum.tasks })
    };
    sums.into_iter().take(top).filter_map(run).collect()
}

fn plain(compiled: &Compiled, keys: &[u64], trial: u32) -> Option<Run> {
    replay(&compiled.model, keys, trial, &vec![Do::Nothing; keys.len()])
}

fn noted(scenario: &Scenario, compiled: &Compiled, run: &Run) -> Notes {
    let taken = run.taken.iter().zip(&compiled.model.kernels).enumerate();
    let note = |(step, (taken, kernel)): (usize, (&Option<usize>, &crate::kernel::Kernel))| {
        Some((step, note(scenario, compiled, step, &kernel.branches()[(*taken)?])?))
    };
    taken.filter_map(note).collect()
}

/// What of a branch tells one way to fail from another.
fn note(scenario: &Scenario, compiled: &Compiled, step: usize, branch: &Branch) -> Option<Note> {
    if branch.token == STOP {
        return Some(Note::Stop);
    }
    match (&scenario.steps[step].kind, compiled.outputs[step].get(branch.token as usize)) {
        (StepKind::Act { .. }, Some(Output::Action(label))) => Some(Note::Label(label.clone())),
        (StepKind::Retrieve(_), _) if branch.fault != Fault::None => {
            Some(Note::Event(branch.event))
        }
        (StepKind::Read { .. }, output) if output != compiled.oracle.outputs[step].as_ref() => {
            Some(Note::Event(branch.event))
        }
        _ => None,
    }
}
