//! The forward question: an otherwise clean run with one error at one step. Where does it go, what absorbs
//! it, what stops it, and what is done in the end?
//!
//! - A miss is injected into a retrieve step: it hands on the best passage of that kind first, and behind
//!   it what the right query finds but gold. A reading error is injected into a read step: of the ways in
//!   which the reader errs so on what it is given, as likely as they are. Where a reader never errs so and
//!   in no other way, it takes another value of the field.
//! - All other own errors are mended. What follows from the injected one comes as it would: later queries
//!   are wrong and miss, and a reader without its evidence follows, makes up or abstains.
//! - Where an error cannot happen, the answer says why ([`Why`]); nothing is taken for harmless that could
//!   not be tried.
//! - A run that stops reaches no later step: what these would have put out counts neither as wrong nor as
//!   missing.

mod ask;
mod fallout;
mod record;

use rayon::prelude::*;
use serde::Serialize;

use super::Source;
use crate::compile::search::{Open, Searches};
use crate::compile::{Compiled, Question, compile, lanes, mark};
use crate::expr::CorpusIndex;
use crate::kernel::exact::Flow;
use crate::kernel::{BREAK, Do, carry, monte_carlo, rng};
use crate::run::{QUALITY_DEPTH, Watch};
use crate::scenario::{Method, Scenario, StepKind};
use crate::step::Output;

pub use ask::{AskError, ask, errors};
pub use record::{
    ActionRecord, EdgeRecord, Effect, InjectionRecord, Most, NotRecord, Record, Spread, StepRecord,
    flags,
};

use fallout::{Fallout, Memory, Sight, Watcher};

/// Why an error could not be injected into a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The oracle stops before the step.
    NotReached,
    /// The oracle skips the step.
    Skipped,
    /// Nothing is gold for the step: there is nothing to miss.
    NoGold,
    /// The right query cannot be written.
    NoQuery,
    /// Among the passages that may be searched and that the search brings none makes a miss of this kind.
    NoPassage,
    /// The reader cannot err so on what it is given.
    ReaderCannot,
    /// Past the cap, and no trial could be replayed.
    NotSolved,
}

impl Why {
    pub const ALL: [Why; 7] = [
        Why::NotReached,
        Why::Skipped,
        Why::NoGold,
        Why::NoQuery,
        Why::NoPassage,
        Why::ReaderCannot,
        Why::NotSolved,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Why::NotReached => "not_reached",
            Why::Skipped => "skipped",
            Why::NoGold => "no_gold",
            Why::NoQuery => "no_query",
            Why::NoPassage => "no_passage",
            Why::ReaderCannot => "reader_cannot",
            Why::NotSolved => "not_solved",
        }
    }
}

/// Injects each of `sources` into every task under one arm.
///
/// Exact where a task's states are within the cap; else, and with `method: monte_carlo`, from replays of
/// its first [`lanes::INJECTED_TRIALS`] trials.
///
/// # Errors
/// As [`crate::run::run`].
pub fn inject(
    scenario: &Scenario,
    arm: usize,
    sources: &[Source],
    open: &Open,
    watch: &dyn Watch,
) -> anyhow::Result<Record> {
    let arm = &scenario.arms[arm];
    let indices: Vec<CorpusIndex> = scenario.corpora.iter().map(CorpusIndex::new).collect();
    let deepest = arm.retrieval.iter().flatten().map(|r| r.top_k).max().unwrap_or(0);
    // Twice what is handed on: in a miss others take the place of gold.
    let mut searches = Searches::new(open, watch, (2 * deepest).max(QUALITY_DEPTH));
    let mut misses: Vec<usize> = Vec::new();
    for source in sources.iter().filter(|s| s.event.miss().is_some()) {
        if !misses.contains(&source.step) {
            misses.push(source.step);
        }
    }
    watch.arm(&arm.id, scenario.steps.len());
    let question = Question::Misses(misses);
    let compiled =
        compile(scenario, arm, &indices, &mut searches, &question, &|| watch.step_compiled())?;
    let tasks: Vec<Task> = scenario
        .tasks
        .tasks
        .par_iter()
        .zip(&compiled)
        .map(|(task, compiled)| Task::new(scenario, compiled, &task.id, task.weight))
        .collect();
    watch.solving(sources.len());
    let mut injections = Vec::new();
    for &source in sources {
        let tried: Vec<Tried> = tasks.par_iter().map(|task| task.inject(source)).collect();
        injections.push(summary(scenario, source, &tasks, &tried));
        watch.task_solved();
    }
    Ok(Record {
        scenario: scenario.name.clone(),
        arm: arm.id.clone(),
        tasks: tasks.len(),
        injections,
    })
}

/// One error in one task.
struct Tried {
    /// Nothing in it where the error took no effect.
    fallout: Fallout,
    /// Why it did not, in the runs in which it did not.
    why: Why,
    sampled: bool,
}

/// One task, compiled.
struct Task<'a> {
    scenario: &'a Scenario,
    compiled: &'a Compiled,
    sight: Sight<'a>,
    weight: f64,
    /// By step: the key of its draws.
    keys: Vec<u64>,
}

impl<'a> Task<'a> {
    fn new(scenario: &'a Scenario, compiled: &'a Compiled, id: &str, weight: f64) -> Task<'a> {
        let seed = scenario.simulation.seed;
        Task {
            scenario,
            compiled,
            sight: Sight::new(scenario, compiled),
            weight,
            keys: scenario.steps.iter().map(|step| rng::key(seed, id, &step.id)).collect(),
        }
    }

    fn inject(&self, source: Source) -> Tried {
        let nothing = |why| Tried { fallout: Fallout::new(self.scenario), why, sampled: false };
        if let Some(why) = self.out_of_question(source.step) {
            return nothing(why);
        }
        let (why, ways) = match source.event.miss() {
            Some(kind) => (Why::NoPassage, vec![Do::Detour(mark(kind))]),
            None => (Why::ReaderCannot, vec![Do::Only(source.event.code()), Do::Detour(BREAK)]),
        };
        for way in ways {
            let what = lanes::clean_but(self.keys.len(), source.step, way);
            let Some((fallout, sampled)) = self.play(source, &what) else {
                return nothing(Why::NotSolved);
            };
            if fallout.p > 0.0 {
                return Tried { fallout, why, sampled };
            }
        }
        nothing(why)
    }

    /// Why no error at all can be injected there.
    fn out_of_question(&self, step: usize) -> Option<Why> {
        match self.compiled.oracle.outputs[step] {
            None => return Some(Why::NotReached),
            Some(Output::Skipped) => return Some(Why::Skipped),
            _ => {}
        }
        let retrieves = matches!(self.scenario.steps[step].kind, StepKind::Retrieve(_));
        if retrieves && self.compiled.oracle.gold[step].is_empty() {
            Some(Why::NoGold)
        } else if retrieves && self.compiled.quality[step].is_empty() {
            Some(Why::NoQuery)
        } else {
            None
        }
    }

    /// The runs under these interventions, watched for an error; and whether they were sampled. `None`
    /// where none can be played.
    fn play(&self, source: Source, what: &[Do]) -> Option<(Fallout, bool)> {
        let model = &self.compiled.model;
        let mut watcher = Watcher::new(&self.sight, source);
        let start = Memory::new(self.keys.len());
        let exactly = self.scenario.simulation.method != Method::MonteCarlo;
        if let Some(flow) = exactly.then(|| Flow::under(model, what)).flatten() {
            let next = |at, memory: &Memory, taken, p| watcher.next(at, memory, taken, p);
            for (memory, outcome, p) in carry(&flow, start, next) {
                watcher.end(&memory, outcome, p);
            }
            return Some((watcher.fallout, false));
        }
        let trials = self.scenario.simulation.trials.min(lanes::INJECTED_TRIALS);
        let replay = |trial| monte_carlo::replay(model, &self.keys, trial, what);
        let runs: Vec<monte_carlo::Run> = (0..trials).filter_map(replay).collect();
        let p = 1.0 / runs.len().max(1) as f64;
        for run in &runs {
            let mut taken = run.taken.iter().enumerate().map_while(|(at, t)| Some((at, (*t)?)));
            let end = taken.try_fold(start.clone(), |memory, (at, branch)| {
                watcher.next(at, &memory, branch, p)
            });
            if let Some(memory) = end {
                watcher.end(&memory, run.outcome, p);
            }
        }
        (!runs.is_empty()).then_some((watcher.fallout, true))
    }
}

/// One error over all tasks.
fn summary(
    scenario: &Scenario,
    source: Source,
    tasks: &[Task],
    tried: &[Tried],
) -> InjectionRecord {
    let total: f64 = tasks.iter().map(|t| t.weight).sum();
    let mut sum = Fallout::new(scenario);
    let mut not = Why::ALL.map(|why| NotRecord { why, tasks: 0, share: 0.0 });
    let (mut affected, mut sampled) = (0, 0);
    for (task, tried) in tasks.iter().zip(tried) {
        let weight = task.weight / total;
        sum.add(&tried.fallout, weight);
        let not = &mut not[tried.why as usize];
        // Reading errors may be possible on some of the contexts that the reader gets, and not on others.
        let rest = 1.0 - tried.fallout.p;
        not.share += if rest > ROUNDING { weight * rest } else { 0.0 };
        if tried.fallout.p > 0.0 {
            affected += 1;
            sampled += usize::from(tried.sampled);
        } else {
            not.tasks += 1;
        }
    }
    InjectionRecord {
        step: scenario.steps[source.step].id.clone(),
        kind: source.event.name(),
        tasks: affected,
        sampled,
        share: sum.p,
        not: not.into_iter().filter(|n| n.tasks > 0 || n.share > 0.0).collect(),
        effect: record::effect(scenario, source, &sum),
    }
}

/// What sums of probabilities may be off.
const ROUNDING: f64 = 1e-9;
