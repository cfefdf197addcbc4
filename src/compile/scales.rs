//! A compiled arm whose rows can be weighed anew under other odds.
//!
//! Other odds of readers and guards change how probable the branches of a row are, and nothing besides: the inputs,
//! queries, searches, outputs and states stay. What is more, most rows are alike: whatever the contract, gold in first
//! place with two distractors below is read right with one and the same probability. So
//!
//! 1. the arm is compiled at odds at which all that can happen has a chance: mostly its own, for the run;
//! 2. those of its rows that rest on odds are weighed at two further ones, and rows that agree to the last bit under
//!    all three make a class. Probabilities are polynomials of the odds, and distinct polynomials agree at points
//!    drawn at random with probability zero (Schwartz 1980);
//! 3. under any odds, one row of each class is weighed again, by the code that laid it down at first; a class
//!    that came out the same three times rests on no odds, and stays.

use std::sync::Arc;

use anyhow::Context;

use super::classes::{Classes, Ground, How, IMPOSSIBLE, Toll};
use super::plan::Plan;
use super::search::{Answers, Searches};
use super::{Compiled, Draft, Odds, Question, Room, Variants};
use crate::expr::CorpusIndex;
use crate::scenario::{Arm, Scenario};
use crate::step::reader::Chances;

/// An arm whose rows can be weighed; see the module.
pub struct Scales<'a> {
    classes: Classes,
    /// What rows are laid down again with.
    laid: Option<(Laid<'a>, Vec<Answers<'a>>, Box<Toll<'a>>)>,
}

/// An arm that is compiled, and not yet told apart.
pub struct Laid<'a> {
    room: Room<'a>,
    others: [Room<'a>; 2],
    drafts: Vec<Draft<'a>>,
    /// By step, then task.
    plans: Vec<Vec<Plan<'a>>>,
}

impl<'a> Laid<'a> {
    /// Compiles an arm, plainly, at the first of the odds; see the module for the others.
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
        let rooms = odds.map(|odds| Room::new(scenario, arm, indices, odds, &Question::Plain));
        Ok(Laid::lay(rooms, searches, step_done)?.0)
    }

    /// Lays down the rows in the first of the rooms.
    fn lay(
        [room, second, third]: [Room<'a>; 3],
        searches: &mut Searches,
        step_done: &(dyn Fn() + Sync),
    ) -> anyhow::Result<(Laid<'a>, Variants)> {
        let mut plans = Vec::with_capacity(room.scenario.steps.len());
        let (drafts, variants) =
            room.lay(searches, step_done, &mut |of_step| plans.push(of_step))?;
        Ok((Laid { room, others: [second, third], drafts, plans }, variants))
    }

    fn classes(&self, answers: &[Answers], toll: &Toll) -> anyhow::Result<Classes> {
        self.ground(answers, toll).classes([&self.room, &self.others[0], &self.others[1]])
    }

    fn ground<'g>(&'g self, answers: &'g [Answers<'g>], toll: &'g Toll<'g>) -> Ground<'g, 'a> {
        Ground { drafts: &self.drafts, plans: &self.plans, answers, toll }
    }

    /// By step.
    fn answers<'s>(&self, searches: &'s Searches) -> Vec<Answers<'s>> {
        let of_step = |step: usize| match self.room.corpus(step) {
            Some(corpus) => searches.answers(corpus),
            None => Answers::default(),
        };
        (0..self.plans.len()).map(of_step).collect()
    }
}

/// Compiles an arm for a run, as [`super::compile()`], and tells its rows apart. The first of the odds are its own; no
/// guard may be on, and nothing may have a chance under other odds that has none under its own.
///
/// # Errors
/// As [`super::compile()`].
pub fn compile_and_tell<'a>(
    scenario: &'a Scenario,
    arm: &'a Arm,
    indices: &'a [CorpusIndex],
    searches: &mut Searches,
    odds: [Odds; 3],
    toll: &Toll,
    step_done: &(dyn Fn() + Sync),
) -> anyhow::Result<(Vec<Compiled>, Scales<'a>)> {
    let rooms = odds.map(|odds| Room::new(scenario, arm, indices, odds, &Question::Run));
    let (laid, variants) = Laid::lay(rooms, searches, step_done)?;
    let classes = laid.classes(&laid.answers(searches), toll)?;
    let compiled = Draft::finish_all(laid.drafts, &variants);
    Ok((compiled, Scales { classes, laid: None }))
}

impl<'a> Scales<'a> {
    /// `searches` are those that the arm was compiled with.
    ///
    /// # Errors
    /// See [`Scales::weigh`].
    pub fn new(
        laid: Laid<'a>,
        searches: &'a Searches,
        toll: Box<Toll<'a>>,
    ) -> anyhow::Result<Scales<'a>> {
        let answers = laid.answers(searches);
        let classes = laid.classes(&answers, &toll)?;
        Ok(Scales { classes, laid: Some((laid, answers, toll)) })
    }

    /// How many numbers [`Scales::weigh`] gives.
    pub fn width(&self) -> usize {
        self.classes.list.last().map_or(0, |class| class.start + class.width)
    }

    /// Where the weights of a row stand: see [`crate::kernel::many::Many::new`].
    pub fn start(&self, task: usize, step: usize, row: u32) -> u32 {
        let class = self.classes.of[task][step][row as usize];
        self.classes.list[class as usize].start as u32
    }

    /// The weights of all rows under other odds.
    ///
    /// # Errors
    /// Odds under which something happens that had no chance when the arm was compiled.
    pub fn weigh(&self, odds: &Odds) -> anyhow::Result<Vec<f64>> {
        let chances = Chances::of(&odds.reader);
        let mut weights = Vec::with_capacity(self.width());
        let mut said = Vec::new();
        let mut room = None;
        for class in &self.classes.list {
            let How::Laid(like) = &class.how else {
                class.how.weigh(&chances, &mut said, &mut weights)?;
                continue;
            };
            let (laid, answers, toll) = self.laid.as_ref().context(IMPOSSIBLE)?;
            let room = room.get_or_insert_with(|| Room { odds: odds.clone(), ..laid.room.clone() });
            laid.ground(answers, toll).lay(room, class.place, like, &mut weights)?;
        }
        Ok(weights)
    }

    /// A task as [`Laid::new`] compiled it; `None` where that was [`compile_and_tell`].
    pub fn compiled(&self, task: usize) -> Option<Compiled> {
        let (laid, ..) = self.laid.as_ref()?;
        Some(laid.drafts[task].clone().finish(Arc::default()))
    }
}
