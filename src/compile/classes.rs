//! The rows of an arm told apart: those that are alike under any odds make a class.

use anyhow::{Context, ensure};
use indexmap::IndexMap;
use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::plan::{Input, Plan, Wish};
use super::rows::Site;
use super::search::Answers;
use super::{Draft, Room, Support};
use crate::kernel::Branch;
use crate::scenario::StepKind;
use crate::step::guard::{Handled, Trail};
use crate::step::reader::{AnswerDistribution, Chances, answer_distribution};
use crate::step::{Event, Output};

/// Other odds are within those at which an arm is compiled, so this is a fault of the caller.
pub(super) const IMPOSSIBLE: &str = "other odds make something happen that was impossible";

/// What a run pays that comes out of a step so, by the step.
pub type Toll<'a> = dyn Fn(usize, Event, Option<&Trail>) -> f64 + Sync + 'a;

/// In place of the class of a row that no run comes by.
const NONE: u32 = u32::MAX;

/// Rows that are alike under any odds.
pub(super) struct Class {
    /// One of them: its task, step and place among the inputs.
    pub place: (usize, usize, usize),
    /// Where it stands among all weights, and how many it has.
    pub start: usize,
    pub width: usize,
    pub how: How,
}

/// How the weights of a row come about: what a run pays that takes it, and the share of each way it has at the odds it
/// was compiled at.
pub(super) enum How {
    /// No odds change them.
    Fixed(Vec<f64>),
    /// A reader says them, and no guard looks at it. By what it can say: whether it has a chance at the odds it was
    /// compiled at, and what that costs.
    Reads { answers: AnswerDistribution, can: Vec<bool>, tolls: Vec<f64> },
    /// It is laid down again; this is how it came out.
    Laid(Vec<Handled>),
}

/// The classes, and by task, step and row of a kernel that of the row.
pub(super) struct Classes {
    pub list: Vec<Class>,
    pub of: Vec<Vec<Vec<u32>>>,
}

/// An arm that is compiled.
#[derive(Clone, Copy)]
pub(super) struct Ground<'g, 'a> {
    pub drafts: &'g [Draft<'a>],
    /// By step, then task.
    pub plans: &'g [Vec<Plan<'a>>],
    /// By step.
    pub answers: &'g [Answers<'g>],
    pub toll: &'g Toll<'g>,
}

/// The rows of one task, told apart.
#[derive(Default)]
struct Told {
    /// By step and row: the place among those that are distinct.
    of: Vec<Vec<u32>>,
    /// The weights under the three odds, bit by bit, with the step and place of the first row that has them.
    distinct: IndexMap<Vec<u64>, (usize, usize), FxBuildHasher>,
}

impl<'a> Ground<'_, 'a> {
    /// Tells the rows apart that runs come by without a detour; the arm was compiled in the first of the rooms.
    ///
    /// # Errors
    /// See [`super::scales::Scales::weigh`].
    pub fn classes(&self, rooms: [&Room<'a>; 3]) -> anyhow::Result<Classes> {
        let tasks = (0..self.drafts.len()).into_par_iter();
        let told = tasks.map(|task| self.told(&rooms, task));
        let told = told.collect::<anyhow::Result<Vec<Told>>>()?;
        let mut known: FxHashMap<Vec<u64>, u32> = FxHashMap::default();
        let mut list: Vec<Class> = Vec::new();
        let mut of = Vec::with_capacity(told.len());
        let (mut start, chances) = (0, Chances::of(&rooms[0].odds.reader));
        for (task, told) in told.into_iter().enumerate() {
            let mut class = |(bits, (step, input)): (Vec<u64>, (usize, usize))| {
                if let Some(&class) = known.get(&bits) {
                    return Ok(class);
                }
                let width = bits.len() / rooms.len();
                let fixed = bits.chunks_exact(width).all(|weights| *weights == bits[..width]);
                let place = (task, step, input);
                let how = match fixed {
                    true => How::Fixed(bits[..width].iter().map(|&b| f64::from_bits(b)).collect()),
                    false => self.how(rooms[0], place, &chances)?,
                };
                let number = list.len() as u32;
                list.push(Class { place, start, width, how });
                start += width;
                known.insert(bits, number);
                Ok(number)
            };
            let numbers = told.distinct.into_iter().map(&mut class);
            let numbers = numbers.collect::<anyhow::Result<Vec<u32>>>()?;
            let row = |place: u32| numbers.get(place as usize).copied().unwrap_or(NONE);
            of.push(told.of.into_iter().map(|rows| rows.into_iter().map(row).collect()).collect());
        }
        Ok(Classes { list, of })
    }

    fn told(&self, rooms: &[&Room<'a>; 3], task: usize) -> anyhow::Result<Told> {
        let mut told = Told::default();
        let draft = &self.drafts[task];
        if !matches!(draft.support, Support::Joint(_)) {
            return Ok(told); // past the cap, nothing is swept
        }
        let chances = rooms.map(|room| Chances::of(&room.odds.reader));
        let (mut said, mut weights) = (Vec::new(), Vec::new());
        for (step, plans) in self.plans.iter().enumerate() {
            let mut of_step = vec![NONE; draft.kernels[step].rows()];
            for (place, input) in plans[task].inputs.iter().enumerate().filter(|(_, i)| i.straight)
            {
                let row =
                    draft.kernels[step].row(&input.tokens).context("an input without a row")?;
                let how = self.how(rooms[0], (task, step, place), &chances[0])?;
                weights.clear();
                for (room, chances) in rooms.iter().zip(&chances) {
                    match &how {
                        How::Laid(like) => {
                            self.lay(room, (task, step, place), like, &mut weights)?
                        }
                        how => how.weigh(chances, &mut said, &mut weights)?,
                    }
                }
                let bits = weights.iter().map(|weight: &f64| weight.to_bits()).collect();
                let entry = told.distinct.entry(bits);
                of_step[row as usize] = entry.index() as u32;
                entry.or_insert((step, place));
            }
            told.of.push(of_step);
        }
        Ok(told)
    }

    /// How the weights of a row come about that was compiled in this room, with those `chances` of a reader.
    fn how(
        &self,
        room: &Room<'a>,
        (task, step, place): (usize, usize, usize),
        chances: &Chances,
    ) -> anyhow::Result<How> {
        let Input { tokens, wish, .. } = &self.plans[step][task].inputs[place];
        let draft = &self.drafts[task];
        if room.guarded(step) && !matches!(wish, Wish::Held(_)) {
            return Ok(How::Laid(self.ways(room, (task, step, place))));
        }
        let toll = |event: Event| (self.toll)(step, event, None);
        if let StepKind::Read { from, field } = &room.scenario.steps[step].kind
            && let Wish::NoSearch = wish
            && let Some(Output::Context(context)) = draft.seen(step, tokens)[*from]
        {
            let reading = room.reading(draft, *from, step, field, context);
            let reading = reading.context("nothing to read from")?;
            let (listed, answers) = answer_distribution(&reading);
            let mut p = Vec::with_capacity(listed.len());
            answers.weigh(chances, &mut p);
            return Ok(How::Reads {
                answers,
                can: p.iter().map(|p| *p > 0.0).collect(),
                tolls: listed.iter().map(|answer| toll(answer.event)).collect(),
            });
        }
        let row = draft.kernels[step].row(tokens).context("an input without a row")?;
        let branches = draft.kernels[step].branches(row);
        let paid = |branch: &Branch| branch.p * toll(Event::of_code(branch.event));
        let paid = branches.iter().map(paid).sum();
        Ok(How::Fixed(std::iter::once(paid).chain(branches.iter().map(|b| b.p)).collect()))
    }

    /// How a row comes out, what never happens left out as in its kernel.
    fn ways(&self, room: &Room<'a>, (task, step, place): (usize, usize, usize)) -> Vec<Handled> {
        let plan = &self.plans[step][task];
        let site = Site { step, input: &plan.inputs[place], plan, answers: &self.answers[step] };
        let mut ways = room.ways(&self.drafts[task], &site);
        ways.retain(|way| way.branching.p > 0.0);
        ways
    }

    /// Adds the weights of a row that is laid down in another room: some of the ways that it has at first. They may be
    /// found in another order there: what has no chance is not what two ways meet at first.
    pub fn lay(
        &self,
        room: &Room<'a>,
        place: (usize, usize, usize),
        like: &[Handled],
        weights: &mut Vec<f64>,
    ) -> anyhow::Result<()> {
        let ways = self.ways(room, place);
        let total: f64 = ways.iter().map(|way| way.branching.p).sum();
        let paid = weights.len();
        weights.resize(paid + 1 + like.len(), 0.0);
        let mut next = 0;
        for way in &ways {
            // Mostly the order is the same, and the next one is it.
            let mut places = (next..like.len()).chain(0..next);
            let at = places.find(|&at| like[at].is_same_way(way)).context(IMPOSSIBLE)?;
            next = at + 1;
            let share = way.branching.p / total;
            weights[paid + 1 + at] = share;
            weights[paid] += share * (self.toll)(place.1, way.branching.event, way.trail.as_ref());
        }
        Ok(())
    }
}

impl How {
    /// Adds the weights of a row that is not laid down again.
    pub fn weigh(
        &self,
        chances: &Chances,
        said: &mut Vec<f64>,
        weights: &mut Vec<f64>,
    ) -> anyhow::Result<()> {
        match self {
            How::Fixed(fixed) => weights.extend(fixed),
            How::Reads { answers, can, tolls } => {
                answers.weigh(chances, said);
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
            How::Laid(_) => {}
        }
        Ok(())
    }
}
