//! Reweighting of a compiled arm's rows under other odds, without compiling again.
//!
//! Other odds of readers and guards change only the probabilities of a row's branches: inputs, queries, searches,
//! outputs and states stay the same. Moreover, most rows are alike: whatever the contract, gold in first place with two
//! distractors below it is read correctly with the same probability. Therefore
//!
//! 1. the arm is compiled at odds under which everything possible has positive probability, usually its own;
//! 2. the rows that depend on odds are also weighted at two further points, and rows that agree to the last bit at all
//!    three points form a class. Probabilities are polynomials in the odds, and distinct polynomials agree at random
//!    points with probability zero (Schwartz 1980);
//! 3. for any other odds, one row of each class is weighted, by the same code that compiled it. A class whose three
//!    results are equal does not depend on the odds and stays fixed.

use std::sync::Arc;

use anyhow::Context;

use super::classes::{Classes, Ground, How, IMPOSSIBLE, Toll};
use super::plan::Plan;
use super::search::{Answers, Searches};
use super::{Compiled, Draft, Odds, Question, Room, Variants};
use crate::expr::CorpusIndex;
use crate::scenario::{Arm, Scenario};
use crate::step::reader::Chances;

/// The weights of an arm's rows as a function of the odds; see the module documentation.
pub struct Scales<'a> {
    classes: Classes,
    /// What is needed to compile rows again; `None` if no class requires it.
    laid: Option<(Laid<'a>, Vec<Answers<'a>>, Box<Toll<'a>>)>,
}

/// A compiled arm whose rows are not classified yet.
pub struct Laid<'a> {
    room: Room<'a>,
    others: [Room<'a>; 2],
    drafts: Vec<Draft<'a>>,
    /// By step, then by task.
    plans: Vec<Vec<Plan<'a>>>,
}

impl<'a> Laid<'a> {
    /// Compiles an arm for plain runs at the first of the odds. The other two serve to classify rows; see the module
    /// documentation.
    ///
    /// # Errors
    /// Those of [`super::compile()`].
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

    /// Compiles the rows in the first of the contexts.
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

    /// The search results of each step's corpus, by step.
    fn answers<'s>(&self, searches: &'s Searches) -> Vec<Answers<'s>> {
        let of_step = |step: usize| match self.room.corpus(step) {
            Some(corpus) => searches.answers(corpus),
            None => Answers::default(),
        };
        (0..self.plans.len()).map(of_step).collect()
    }
}

/// Compiles an arm for a run, as [`super::compile()`] does, and classifies its rows. The first of the odds must be the
/// arm's own. Guards must be off, and nothing may be possible under other odds that is impossible under its own.
///
/// # Errors
/// Those of [`super::compile()`].
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
    /// Classifies the rows of a compiled arm; `searches` must be those that it was compiled with.
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

    /// The number of weights that [`Scales::weigh`] returns.
    pub fn width(&self) -> usize {
        self.classes.list.last().map_or(0, |class| class.start + class.width)
    }

    /// The position of a row's weights: see [`crate::kernel::many::Many::new`].
    pub fn start(&self, task: usize, step: usize, row: u32) -> u32 {
        let class = self.classes.of[task][step][row as usize];
        self.classes.list[class as usize].start as u32
    }

    /// The weights of all rows under other odds.
    ///
    /// # Errors
    /// If something is possible under these odds that was impossible when the arm was compiled.
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

    /// A task as compiled by [`Laid::new`]; `None` if the arm was compiled by [`compile_and_tell`].
    pub fn compiled(&self, task: usize) -> Option<Compiled> {
        let (laid, ..) = self.laid.as_ref()?;
        Some(laid.drafts[task].clone().finish(Arc::default()))
    }
}
