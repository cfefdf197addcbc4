//! An arm compiled for what happens, and nothing else, whose rows can be weighed anew under other odds.
//!
//! Other odds of readers and guards change how probable the branches of a row are, and nothing besides: the inputs,
//! queries, searches, outputs and states stay. What is more, most rows are alike: whatever the contract, gold in first
//! place with two distractors below is read right with one and the same probability. So
//!
//! 1. the arm is compiled once, at odds at which all that can happen has a chance;
//! 2. those of its rows that rest on odds are weighed at two further ones, and rows that agree to the last bit under
//!    all three make a class. Probabilities are polynomials of the odds, and distinct polynomials agree at points drawn at random
//!    with probability zero (Schwartz 1980);
//! 3. under any odds, one row of each class is weighed again, by the code that laid it down at first; a class
//!    that came out the same three times rests on no odds, and stays.

use anyhow::{Context, ensure};
use indexmap::IndexMap;
use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::plan::{Input, Plan, Wish};
use super::rows::Site;
use super::search::{Answers, Searches};
use super::{Compiled, Draft, Odds, Question, Room};
use crate::expr::CorpusIndex;
use crate::kernel::Branch;
use crate::scenario::{Arm, Scenario, StepKind};
use crate::step::guard::{Handled, Trail};
use crate::step::reader::{Chances, Script, script};
use crate::step::{Event, Output};

/// Other odds are within those at which an arm is compiled, so this is a fault of the caller.
const IMPOSSIBLE: &str = "other odds make something happen that was impossible";

static PLAIN: Question = Question::Plain;

/// What a run pays that comes out of a step so, by the step.
pub type Toll<'a> = dyn Fn(usize, Event, Option<&Trail>) -> f64 + Sync + 'a;

/// An arm that is compiled, and not yet told apart.
pub struct Laid<'a> {
    room: Room<'a>,
    others: [Room<'a>; 2],
    drafts: Vec<Draft<'a>>,
    /// By step, then task.
    plans: Vec<Vec<Plan<'a>>>,
}

/// See the module.
pub struct Scales<'a> {
    room: Room<'a>,
    drafts: Vec<Draft<'a>>,
    plans: Vec<Vec<Plan<'a>>>,
    /// By step.
    answers: Vec<Answers<'a>>,
    toll: &'a Toll<'a>,
    /// By code.
    events: Vec<Event>,
    classes: Vec<Class>,
    /// By task, step and row: the class.
    of: Vec<Vec<Vec<u32>>>,
}

/// Rows that are alike under any odds.
struct Class {
    /// One of them: its task, step and place among the inputs.
    task: usize,
    step: usize,
    input: usize,
    /// Where it stands among all weights, and how many it has.
    start: usize,
    width: usize,
    how: How,
}

/// How the weights of a row come about.
enum How {
    /// No odds change them.
    Fixed(Vec<f64>),
    /// A reader says them, and no guard looks at it. By what it can say: whether it has a chance at the odds it was
    /// compiled at, and what that costs.
    Reads { script: Script, can: Vec<bool>, tolls: Vec<f64> },
    /// It is laid down again; this is how it comes out at the odds it was compiled at.
    Laid(Vec<Handled>),
}

/// The rows of one task, told apart.
struct Told {
    /// By step and row: the place among those that are distinct.
    of: Vec<Vec<u32>>,
    /// The weights under the three odds, bit by bit, with the step and place of the first row that has them.
    distinct: IndexMap<Vec<u64>, (usize, usize), FxBuildHasher>,
}

impl<'a> Laid<'a> {
    /// Compiles an arm at the first of the odds; see the module for the others.
    ///
    /// # Errors
    /// As [`super::compile()`].
    pub fn new(
        scenario: &'a Scenario,
        arm: &'a Arm,
        indices: &'a [CorpusIndex],
        searches: &mut Searches,
        odds: [Odds; 3],
        step_done: &(dyn Fn() + Sync),
    ) -> anyhow::Result<Laid<'a>> {
        let [room, second, third] = odds.map(|o| Room::new(scenario, arm, indices, o, &PLAIN));
        let mut plans = Vec::with_capacity(scenario.steps.len());
        let (drafts, _) = room.lay(searches, step_done, &mut |of_step| plans.push(of_step))?;
        Ok(Laid { room, others: [second, third], drafts, plans })
    }
}

impl<'a> Scales<'a> {
    /// `searches` are those that the arm was compiled with.
    ///
    /// # Errors
    /// See [`Scales::weigh`].
    pub fn new(
        laid: Laid<'a>,
        searches: &'a Searches,
        toll: &'a Toll<'a>,
    ) -> anyhow::Result<Scales<'a>> {
        let Laid { room, others, drafts, plans } = laid;
        let answers = (0..plans.len()).map(|step| {
            room.corpus(step).map_or_else(Answers::default, |corpus| searches.answers(corpus))
        });
        let answers = answers.collect();
        let events = Event::all();
        let (classes, of) = (Vec::new(), Vec::new());
        let mut scales = Scales { room, drafts, plans, answers, toll, events, classes, of };
        scales.classify(&others)?;
        Ok(scales)
    }

    fn classify(&mut self, others: &[Room<'a>; 2]) -> anyhow::Result<()> {
        let rooms = [&self.room, &others[0], &others[1]];
        let tasks = (0..self.drafts.len()).into_par_iter();
        let told = tasks.map(|task| self.told(&rooms, task));
        let told = told.collect::<anyhow::Result<Vec<Told>>>()?;
        let mut known: FxHashMap<Vec<u64>, u32> = FxHashMap::default();
        let mut classes: Vec<Class> = Vec::new();
        let mut of = Vec::with_capacity(told.len());
        let (mut start, chances) = (0, Chances::of(&self.room.odds.reader));
        for (task, told) in told.into_iter().enumerate() {
            let mut class = |(bits, (step, input)): (Vec<u64>, (usize, usize))| {
                if let Some(&class) = known.get(&bits) {
                    return Ok(class);
                }
                let width = bits.len() / rooms.len();
                let fixed = bits.chunks_exact(width).all(|weights| *weights == bits[..width]);
                let how = match fixed {
                    true => How::Fixed(bits[..width].iter().map(|&b| f64::from_bits(b)).collect()),
                    false => self.how(task, step, input, &chances)?,
                };
                let number = classes.len() as u32;
                classes.push(Class { task, step, input, start, width, how });
                start += width;
                known.insert(bits, number);
                Ok(number)
            };
            let numbers = told.distinct.into_iter().map(&mut class);
            let numbers = numbers.collect::<anyhow::Result<Vec<u32>>>()?;
            let row = |place: u32| numbers[place as usize];
            of.push(told.of.into_iter().map(|rows| rows.into_iter().map(row).collect()).collect());
        }
        (self.classes, self.of) = (classes, of);
        Ok(())
    }

    fn told(&self, rooms: &[&Room<'a>; 3], task: usize) -> anyhow::Result<Told> {
        let chances = rooms.map(|room| Chances::of(&room.odds.reader));
        let mut told = Told { of: Vec::new(), distinct: IndexMap::default() };
        let (mut said, mut weights) = (Vec::new(), Vec::new());
        for (step, plans) in self.plans.iter().enumerate() {
            let mut rows = Vec::with_capacity(plans[task].inputs.len());
            for input in 0..plans[task].inputs.len() {
                let how = self.how(task, step, input, &chances[0])?;
                weights.clear();
                for (room, chances) in rooms.iter().zip(&chances) {
                    let place = (task, step, input);
                    self.row(place, &how, room, chances, &mut said, &mut weights)?;
                }
                let bits = weights.iter().map(|weight: &f64| weight.to_bits()).collect();
                let entry = told.distinct.entry(bits);
                rows.push(entry.index() as u32);
                entry.or_insert((step, input));
            }
            told.of.push(rows);
        }
        Ok(told)
    }

    /// How the weights of a row come about, and what it was compiled with: at those `chances` of a reader.
    fn how(
        &self,
        task: usize,
        step: usize,
        input: usize,
        chances: &Chances,
    ) -> anyhow::Result<How> {
        let Input { tokens, wish, .. } = &self.plans[step][task].inputs[input];
        let draft = &self.drafts[task];
        if self.room.guarded(step) && !matches!(wish, Wish::Held(_)) {
            return Ok(How::Laid(self.ways(&self.room, task, step, input)));
        }
        if let StepKind::Read { from, field } = &self.room.scenario.steps[step].kind
            && let Wish::NoSearch = wish
            && let Some(Output::Context(context)) = draft.seen(step, tokens)[*from]
        {
            let reading = self.room.reading(draft, *from, step, field, context);
            let (said, script) = script(&reading.context("nothing to read from")?);
            let mut p = Vec::with_capacity(said.len());
            script.weigh(chances, &mut p);
            return Ok(How::Reads {
                script,
                can: p.iter().map(|p| *p > 0.0).collect(),
                tolls: said.iter().map(|said| (self.toll)(step, said.event, None)).collect(),
            });
        }
        let row = draft.kernels[step].row(tokens).context("an input without a row")?;
        let branches = draft.kernels[step].branches(row);
        let toll =
            |branch: &Branch| (self.toll)(step, self.events[usize::from(branch.event)], None);
        let paid = branches.iter().map(|branch| branch.p * toll(branch)).sum();
        Ok(How::Fixed(std::iter::once(paid).chain(branches.iter().map(|b| b.p)).collect()))
    }

    /// Adds the weights of a row under some odds: what a run pays that takes it, and the share of each way it has.
    fn row(
        &self,
        (task, step, input): (usize, usize, usize),
        how: &How,
        room: &Room<'a>,
        chances: &Chances,
        said: &mut Vec<f64>,
        weights: &mut Vec<f64>,
    ) -> anyhow::Result<()> {
        match how {
            How::Fixed(fixed) => weights.extend(fixed),
            How::Reads { script, can, tolls } => {
                script.weigh(chances, said);
                let total: f64 = said.iter().sum();
                let paid = weights.len();
                weights.push(0.0);
                for ((p, can), toll) in said.iter().zip(can).zip(tolls) {
                    let share = p / total;
                    if *can {
                        weights[paid] += share * toll;
                        weights.push(share);
                    }
                    ensure!(*can || *p == 0.0, IMPOSSIBLE);
                }
            }
            How::Laid(like) => {
                self.lay(step, like, &self.ways(room, task, step, input), weights)?
            }
        }
        Ok(())
    }

    /// As [`Scales::row`], from the ways that it has at first and those of them, in the same order, that it has under
    /// other odds.
    fn lay(
        &self,
        step: usize,
        like: &[Handled],
        ways: &[Handled],
        weights: &mut Vec<f64>,
    ) -> anyhow::Result<()> {
        let total: f64 = ways.iter().map(|way| way.branching.p).sum();
        let paid = weights.len();
        weights.resize(paid + 1 + like.len(), 0.0);
        let mut rest = like.iter().enumerate();
        for way in ways {
            let (at, _) = rest.find(|(_, like)| alike(like, way)).context(IMPOSSIBLE)?;
            let share = way.branching.p / total;
            weights[paid + 1 + at] = share;
            weights[paid] += share * (self.toll)(step, way.branching.event, way.trail.as_ref());
        }
        Ok(())
    }

    /// How a row comes out, what never happens left out as in its kernel.
    fn ways(&self, room: &Room<'a>, task: usize, step: usize, input: usize) -> Vec<Handled> {
        let plan = &self.plans[step][task];
        let site = Site { step, input: &plan.inputs[input], plan, answers: &self.answers[step] };
        let mut ways = room.ways(&self.drafts[task], &site);
        ways.retain(|way| way.branching.p > 0.0);
        ways
    }

    /// How many numbers [`Scales::weigh`] gives.
    pub fn width(&self) -> usize {
        self.classes.last().map_or(0, |class| class.start + class.width)
    }

    /// Where the weights of a row stand: see [`crate::kernel::many::Many::new`].
    pub fn start(&self, task: usize, step: usize, row: u32) -> u32 {
        self.classes[self.of[task][step][row as usize] as usize].start as u32
    }

    /// The weights of all rows under other odds.
    ///
    /// # Errors
    /// Odds under which something happens that had no chance when the arm was compiled.
    pub fn weigh(&self, odds: &Odds) -> anyhow::Result<Vec<f64>> {
        let room = Room { odds: odds.clone(), ..self.room.clone() };
        let chances = Chances::of(&odds.reader);
        let mut weights = Vec::with_capacity(self.width());
        let mut said = Vec::new();
        for Class { task, step, input, how, .. } in &self.classes {
            let place = (*task, *step, *input);
            self.row(place, how, &room, &chances, &mut said, &mut weights)?;
        }
        Ok(weights)
    }

    /// A task as it was compiled.
    pub fn compiled(&self, task: usize) -> Compiled {
        self.drafts[task].clone().finish(Default::default())
    }
}

/// Whether two ways are the same but for their probability.
fn alike(a: &Handled, b: &Handled) -> bool {
    let of = |handled: &Handled| {
        let trail = handled.trail.as_ref();
        trail.map(|t| (t.end, t.attempt, t.phrasing, t.alarms.last().map(|alarm| alarm.guard)))
    };
    let (x, y) = (&a.branching, &b.branching);
    let same = (&x.output, x.event, x.fault, x.guarded) == (&y.output, y.event, y.fault, y.guarded);
    same && x.source == y.source && of(a) == of(b)
}
