//! An arm compiled for what happens, and nothing else, whose rows can be weighed anew under other odds.
//!
//! Other odds of readers and guards change how probable the branches of a row are, and nothing besides: the inputs,
//! queries, searches, outputs and states stay. What is more, most rows are alike: whatever the contract, gold in first
//! place with two distractors below is read right with one and the same probability. So
//!
//! 1. the arm is compiled once, at odds at which all that can happen has a chance;
//! 2. its rows are laid down at two further odds, and rows that agree to the last bit under all three make a
//!    class. Probabilities are polynomials of the odds, and distinct polynomials agree at points drawn at random
//!    with probability zero (Schwartz 1980);
//! 3. under any odds, one row of each class is weighed again, by the code that laid it down at first; a class
//!    that came out the same three times rests on no odds, and stays.

use anyhow::Context;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::plan::{Plan, Wish};
use super::rows::Site;
use super::search::{Answers, Searches};
use super::{Compiled, Draft, Odds, Question, Room};
use crate::expr::CorpusIndex;
use crate::scenario::{Arm, Scenario, StepKind};
use crate::step::guard::Handled;
use crate::step::reader::{Chances, Said, says};
use crate::step::{Branching, Output};

static PLAIN: Question = Question::Plain;

/// What a run pays that comes out of a step so.
pub type Toll<'a> = dyn Fn(usize, &Handled) -> f64 + Sync + 'a;

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
    classes: Vec<Class<'a>>,
    /// By task, step and row: the class.
    of: Vec<Vec<Vec<u32>>>,
}

/// Rows that are alike under any odds.
struct Class<'a> {
    /// One of them: its task, step and place among the inputs.
    task: usize,
    step: usize,
    input: usize,
    /// How it comes out at the odds it was compiled at.
    ways: Vec<Handled>,
    /// Where it stands among all weights.
    start: usize,
    how: How<'a>,
}

/// How the weights of a class come about.
enum How<'a> {
    /// No odds change them.
    Fixed(Vec<f64>),
    /// A reader says them, and no guard looks at it.
    Reads { from: usize, field: &'a str, context: Vec<u32> },
    /// It is laid down again.
    Laid,
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
        let mut scales =
            Scales { room, drafts, plans, answers, toll, classes: Vec::new(), of: Vec::new() };
        scales.classify(&others)?;
        Ok(scales)
    }

    fn classify(&mut self, others: &[Room<'a>; 2]) -> anyhow::Result<()> {
        let rooms = [&self.room, &others[0], &others[1]];
        let weights = |task: usize, step: usize, input: usize| -> anyhow::Result<Vec<Vec<f64>>> {
            let first = self.ways(rooms[0], task, step, input);
            // What neither reads nor is looked at rests on no odds.
            let rests = matches!(self.room.scenario.steps[step].kind, StepKind::Read { .. })
                || self.room.guarded(step);
            if !rests {
                return Ok(vec![self.row(&first, &first, step)?; rooms.len()]);
            }
            let weigh =
                |room: &&Room<'a>| self.row(&first, &self.ways(room, task, step, input), step);
            rooms.iter().map(weigh).collect()
        };
        // By task, step and row: the weights under the three odds.
        let of_task = |task: usize| {
            let steps = self.plans.iter().enumerate().map(|(step, plans)| {
                (0..plans[task].inputs.len()).map(|input| weights(task, step, input)).collect()
            });
            steps.collect::<anyhow::Result<Vec<Vec<Vec<Vec<f64>>>>>>()
        };
        let mut known: FxHashMap<Vec<u64>, u32> = FxHashMap::default();
        let (mut classes, mut of) = (Vec::new(), Vec::new());
        let mut width = 0;
        // Some tasks at a time: three lists a row are much to hold for all.
        let tasks: Vec<usize> = (0..self.drafts.len()).collect();
        for some in tasks.chunks(64) {
            let laid =
                some.par_iter().map(|&task| of_task(task)).collect::<anyhow::Result<Vec<_>>>()?;
            for (&task, steps) in some.iter().zip(laid) {
                let steps = steps.into_iter().enumerate().map(|(step, rows)| {
                    let rows = rows.into_iter().enumerate().map(|(input, weights)| {
                        let bits =
                            weights.iter().flatten().map(|weight| weight.to_bits()).collect();
                        *known.entry(bits).or_insert_with(|| {
                            let fixed = weights.windows(2).all(|pair| pair[0] == pair[1]);
                            classes.push(Class {
                                task,
                                step,
                                input,
                                ways: self.ways(&self.room, task, step, input),
                                start: width,
                                how: match fixed {
                                    true => How::Fixed(weights[0].clone()),
                                    false => self.how(task, step, input),
                                },
                            });
                            width += weights[0].len();
                            (classes.len() - 1) as u32
                        })
                    });
                    rows.collect()
                });
                of.push(steps.collect());
            }
        }
        (self.classes, self.of) = (classes, of);
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

    /// What a run pays that takes a row, and the share of each way it had at first, which are `like`.
    fn row(&self, like: &[Handled], ways: &[Handled], step: usize) -> anyhow::Result<Vec<f64>> {
        let mut weights = Vec::with_capacity(1 + like.len());
        let p = |way: &Handled| way.branching.p;
        let toll = |_: &Handled, way: &Handled| (self.toll)(step, way);
        line_up(like, ways, p, alike, toll, &mut weights)?;
        Ok(weights)
    }

    /// How many numbers [`Scales::weigh`] gives.
    pub fn width(&self) -> usize {
        self.classes.last().map_or(0, |class| class.start + 1 + class.ways.len())
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
        for class in &self.classes {
            match &class.how {
                How::Fixed(fixed) => weights.extend(fixed),
                How::Reads { from, field, context } => {
                    let draft = &self.drafts[class.task];
                    let reading = self.room.reading(draft, *from, class.step, field, context);
                    says(&chances, &reading.context("nothing to read from")?, &mut said);
                    self.read(class, &said, &mut weights)?;
                }
                How::Laid => {
                    let ways = self.ways(&room, class.task, class.step, class.input);
                    weights.extend(self.row(&class.ways, &ways, class.step)?);
                }
            }
        }
        Ok(weights)
    }

    fn how(&self, task: usize, step: usize, input: usize) -> How<'a> {
        let StepKind::Read { from, field } = &self.room.scenario.steps[step].kind else {
            return How::Laid;
        };
        let input = &self.plans[step][task].inputs[input];
        let context = self.drafts[task].seen(step, &input.tokens)[*from];
        match (&input.wish, context) {
            (Wish::NoSearch, Some(Output::Context(context))) if !self.room.guarded(step) => {
                How::Reads { from: *from, field, context: context.clone() }
            }
            _ => How::Laid,
        }
    }

    /// As [`Scales::row`], from what a reader says.
    fn read(&self, class: &Class, said: &[Said], weights: &mut Vec<f64>) -> anyhow::Result<()> {
        let says = |way: &Handled, said: &Said| {
            let Branching { output, event, source, .. } = &way.branching;
            let value = match output {
                Some(Output::Value(value)) => Some(value),
                _ => None,
            };
            (value, *event, *source) == (said.value, said.event, said.source)
        };
        let toll = |way: &Handled, _: &Said| (self.toll)(class.step, way);
        line_up(&class.ways, said, |said| said.p, says, toll, weights)
    }

    /// A task as it was compiled.
    pub fn compiled(&self, task: usize) -> Compiled {
        self.drafts[task].clone().finish(Default::default())
    }
}

/// Adds the weights of a row: the toll of `some` of its ways on average, and the share of each of the ways in `like`,
/// of which `some` are the same, in the same order.
fn line_up<T>(
    like: &[Handled],
    some: &[T],
    p: impl Fn(&T) -> f64,
    same: impl Fn(&Handled, &T) -> bool,
    toll: impl Fn(&Handled, &T) -> f64,
    weights: &mut Vec<f64>,
) -> anyhow::Result<()> {
    let total: f64 = some.iter().map(&p).sum();
    let start = weights.len();
    weights.resize(start + 1 + like.len(), 0.0);
    let mut rest = like.iter().enumerate();
    for one in some {
        let found = rest.find(|(_, way)| same(way, one));
        let (at, way) = found.context("other odds make something happen that was impossible")?;
        let share = p(one) / total;
        weights[start + 1 + at] = share;
        weights[start] += share * toll(way, one);
    }
    Ok(())
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
