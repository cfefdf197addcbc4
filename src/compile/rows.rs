//! Compiles the rows of one step from the results of its searches.

use super::attempts::{Search, verify};
use super::held::Held;
use super::plan::{Input, Plan, Wish};
use super::search::{Answers, Ask};
use super::variants::Variant;
use super::{Draft, Quality, Question, Room};
use crate::compile::lanes::can_err;
use crate::expr::Env;
use crate::kernel::{BREAK, Branch, FIRST_MARK, Fault, Guarded, REPAIR, RIGHT, STOP};
use crate::scenario::{Check, Guard, Retrieve, StepKind};
use crate::step::guard::{Handled, Look, Setting, Trail, Tried};
use crate::step::reader::{self, Reading};
use crate::step::retrieve::{Phrasing, Target};
use crate::step::settle;
use crate::step::{Branching, Event, MissKind, Output, Row, State};

/// One input of one step of a task, with its search results.
#[derive(Clone, Copy)]
pub(super) struct Site<'s> {
    pub step: usize,
    pub input: &'s Input,
    pub plan: &'s Plan<'s>,
    pub answers: &'s Answers<'s>,
}

/// The results of a first attempt before any guard. The fields correspond to [`Row`].
pub(super) struct First<'a> {
    pub branches: Vec<Tried<'a>>,
    pub wrong: Vec<Tried<'a>>,
    pub repair: Option<Branching>,
}

/// The id of the counterfactual row in which a step has a miss of this kind.
pub fn mark(kind: MissKind) -> u8 {
    FIRST_MARK + kind as u8
}

impl<'a> Room<'a> {
    /// Compiles the rows of all inputs of `step`; `answers` holds the results of the plan's searches.
    ///
    /// # Errors
    /// If the outputs exceed the text limit.
    pub(super) fn rows(
        &self,
        draft: &mut Draft,
        step: usize,
        plan: &Plan,
        (answers, held): (&Answers, &Held),
        variants: &[Variant],
    ) -> anyhow::Result<()> {
        if let Some(search) = plan.search
            && !draft.oracle.gold[step].is_empty()
        {
            let asked = plan.right.iter().zip(search.queries);
            draft.quality[step] = asked
                .map(|(ask, query)| Quality {
                    weight: query.weight,
                    ranking: search.ranking(answers, ask).to_vec(),
                })
                .collect();
        }
        for input in &plan.inputs {
            let site = Site { step, input, plan, answers };
            let before = draft.text_bytes;
            // A step that does not run has no output for guards to look at.
            match input.wish {
                Wish::Held(_) => {
                    let row = self.row(draft, &site);
                    self.push_plain(draft, &site, row);
                    self.hold(held, (draft, step), (draft.text_bytes, draft.text_bytes - before))?;
                    continue;
                }
                _ if self.guarded(step) => self.push_guarded(draft, &site, variants),
                _ => {
                    let row = self.row(draft, &site);
                    self.push_plain(draft, &site, row);
                }
            }
            if input.straight && self.is_oracles(draft, step, &input.tokens) {
                self.push_misses(draft, &site);
            }
            self.hold(held, (draft, step), (draft.text_bytes, draft.text_bytes - before))?;
        }
        Ok(())
    }

    /// The branches that [`Room::rows`] gives a row, without its counterfactual rows.
    pub(super) fn ways(&self, draft: &Draft, site: &Site) -> Vec<Handled> {
        let held = matches!(site.input.wish, Wish::Held(_));
        if held || !self.guarded(site.step) {
            let row = self.row(draft, site);
            return row.branches.into_iter().map(Handled::plain).collect();
        }
        let given = vec![Setting::AsGiven; self.scenario.steps[site.step].guards.len()];
        self.handle(draft, site, &given, &self.first(draft, site).branches)
    }

    /// The row of an input, without guards.
    fn row(&self, draft: &Draft, site: &Site) -> Row {
        let Site { step, input, plan, answers } = *site;
        let (asks, search) = match (&input.wish, &plan.search) {
            (Wish::Search(asks), Some(search)) => (asks, search),
            (Wish::Held(gate), _) => return Row::from(settle::held(*gate).unwrap_or_default()),
            (Wish::Unaskable, Some(search)) => {
                return self.unaskable(draft, step, search, &plan.right);
            }
            _ => return self.settle(draft, step, &input.tokens),
        };
        let target = self.target(draft, step, search.retrieve);
        let right: Vec<Vec<u32>> = plan.right.iter().map(|ask| search.cut(answers, ask)).collect();
        let asked = asks.iter().enumerate();
        let phrasings: Vec<Phrasing> = asked
            .map(|ask| phrasing(search, answers, target, ask, right.get(ask.0).map(Vec::as_slice)))
            .collect();
        crate::step::retrieve::row(target, &phrasings)
    }

    /// The row of an input on which no query can be rendered.
    pub(super) fn unaskable(
        &self,
        draft: &Draft,
        step: usize,
        search: &Search,
        right: &[Ask],
    ) -> Row {
        // If the oracle never queries, a miss counts as induced, and so does this failure.
        let asks = matches!(draft.oracle.outputs[step], Some(Output::Context(_)));
        self.target(draft, step, search.retrieve).unaskable(asks && right.is_empty())
    }

    /// The possible results of the first attempt, with what guards can observe of each.
    pub(super) fn first<'b>(&'b self, draft: &Draft, site: &Site) -> First<'b> {
        let (Wish::Search(asks), Some(search)) = (&site.input.wish, &site.plan.search) else {
            let row = self.row(draft, site);
            let tried = |branching| self.tried(site.step, branching);
            return First {
                branches: row.branches.into_iter().map(tried).collect(),
                wrong: row.wrong.into_iter().map(tried).collect(),
                repair: row.repair,
            };
        };
        let mut first = First { branches: Vec::new(), wrong: Vec::new(), repair: None };
        // Phrasings are not merged, because scores differ between them even for equal passages.
        for (i, ask) in asks.iter().enumerate() {
            let row = self.searched(draft, site, search, &site.plan.right, (i, ask));
            first.repair = first.repair.or(row.repair);
            let tried = |branching: Branching| Tried {
                phrasing: Some(i),
                ..self.tried_search(site, search, ask, branching)
            };
            first.branches.extend(row.branches.into_iter().map(tried));
            first.wrong.extend(row.wrong.into_iter().map(tried));
        }
        if first.repair.is_some() {
            first.wrong.clear(); // it errs as it is
        }
        first
    }

    /// A result of a search, with what guards observe of it.
    pub(super) fn tried_search(
        &self,
        site: &Site,
        search: &Search,
        ask: &Ask,
        branching: Branching,
    ) -> Tried<'_> {
        let output = branching.output.as_ref();
        let look = self.look(site.step, search, site.answers, ask, output);
        Tried { branching, phrasing: None, look }
    }

    /// What guards observe of the output of a search.
    pub(super) fn look(
        &self,
        step: usize,
        search: &Search,
        answers: &Answers,
        ask: &Ask,
        output: Option<&Output>,
    ) -> Look<'_> {
        let passages = match output {
            Some(Output::Context(passages)) => passages.as_slice(),
            _ => &[],
        };
        let corpus = &self.scenario.corpora[self.arm.corpora[search.retrieve.corpus]];
        let hits = search.ranking(answers, ask);
        let score = |p: &u32| hits.iter().find(|hit| hit.passage == *p).map(|hit| hit.score);
        let best = passages.first().copied();
        // The margin compares with the next passage found, whether or not it is handed on.
        let found = || hits.iter().map(|hit| &hit.passage);
        let scores = match found().take(passages.len()).eq(passages) {
            true if best.is_some() => {
                hits.iter().take(passages.len().max(2)).map(|h| h.score).collect()
            }
            _ => passages.iter().filter_map(score).collect(),
        };
        let verified = |guard: &Guard| match guard.check {
            Check::Verified { embedder, .. } => {
                let hits = answers.of(embedder, &verify(&ask.query, best?));
                hits.first().map(|hit| hit.score)
            }
            _ => None,
        };
        Look {
            scores,
            embedder: Some(search.with.embedder),
            entity: best.and_then(|p| corpus.passages[p as usize].entity.as_deref()),
            verified: self.scenario.steps[step].guards.iter().map(verified).collect(),
        }
    }

    /// A result of a step that does not search, with what guards observe of it.
    pub(super) fn tried(&self, step: usize, branching: Branching) -> Tried<'_> {
        let corpus = match self.scenario.steps[step].kind {
            StepKind::Read { from, .. } => self.search(from).map(|s| s.retrieve.corpus),
            _ => None,
        };
        let corpus = corpus.map(|corpus| &self.scenario.corpora[self.arm.corpora[corpus]]);
        let passage = corpus.zip(branching.source).map(|(c, p)| &c.passages[p as usize]);
        let look = Look { entity: passage.and_then(|p| p.entity.as_deref()), ..Look::default() };
        Tried { branching, phrasing: None, look }
    }

    pub(super) fn target<'b>(
        &'b self,
        draft: &'b Draft,
        step: usize,
        retrieve: &Retrieve,
    ) -> Target<'b> {
        Target {
            corpus: &self.scenario.corpora[self.arm.corpora[retrieve.corpus]],
            gold: &draft.oracle.gold[step],
            fields: &self.fields[step],
        }
    }

    /// Whether the inputs of a step equal the oracle's.
    fn is_oracles(&self, draft: &Draft, step: usize, inputs: &[u32]) -> bool {
        let seen = draft.seen(step, inputs);
        let parents = draft.kernels[step].parents();
        parents.iter().all(|&p| seen[p] == draft.oracle.outputs[p].as_ref())
    }

    /// Adds the counterfactual rows in which the step misses. Their contexts start with the best passage of each kind,
    /// followed by the passages other than gold that the oracle's query finds.
    fn push_misses(&self, draft: &mut Draft, site: &Site) {
        let Site { step, plan, answers, .. } = *site;
        let Some(search) = &plan.search else {
            return;
        };
        for (kind, asks) in &plan.misses {
            let asked = asks.iter().zip(&plan.right).zip(search.queries).enumerate();
            let ways = asked.filter_map(|(i, ((best, rest), query))| {
                let best = search.ranking(answers, best).first().copied();
                // BM25 returns no passage without a word of the query, in which case this kind of miss cannot occur.
                if best.is_none() && *kind != MissKind::Empty {
                    return None;
                }
                let first = best.map(|hit| hit.passage);
                let gold = &draft.oracle.gold[step];
                let others = search.ranking(answers, rest).iter().map(|hit| hit.passage);
                let others = others.filter(|&p| !gold.contains(&p) && Some(p) != first);
                let context: Vec<u32> = match kind {
                    MissKind::Empty => Vec::new(),
                    _ => first.into_iter().chain(others).take(search.with.top_k).collect(),
                };
                let empty = context.is_empty();
                let output = Some(Output::Context(context));
                let branching = Branching::new(output, Event::OwnMiss(*kind), query.weight);
                let mut tried = self.tried_search(site, search, rest, branching);
                tried.phrasing = Some(i);
                // If the oracle's query does not rank this passage, its score comes from the search restricted to its
                // kind.
                let known = search.ranking(answers, rest).iter().map(|hit| hit.passage);
                if let (Some(hit), false) =
                    (best, empty || known.into_iter().any(|p| Some(p) == first))
                {
                    tried.look.scores.insert(0, hit.score);
                }
                Some(tried)
            });
            let ways: Vec<Tried> = ways.collect();
            if ways.is_empty() {
                continue;
            }
            let handled = if self.guarded(step) {
                let given = vec![Setting::AsGiven; self.scenario.steps[step].guards.len()];
                self.handle(draft, site, &given, &ways)
            } else {
                ways.into_iter().map(|tried| Handled::plain(tried.branching)).collect()
            };
            self.push_detour(draft, step, mark(*kind), handled);
        }
    }

    fn push_plain(&self, draft: &mut Draft, site: &Site, row: Row) {
        let plain = |row: Vec<Branching>| row.into_iter().map(Handled::plain).collect();
        self.push(draft, site.step, site.input, plain(row.branches), row.repair, plain(row.wrong));
    }

    /// Adds a row to the kernel, with its counterfactual rows for no error, an error, and the oracle's output.
    pub(super) fn push(
        &self,
        draft: &mut Draft,
        step: usize,
        input: &Input,
        branches: Vec<Handled>,
        repair: Option<Branching>,
        wrong: Vec<Handled>,
    ) {
        let (branches, trails) = self.branches(draft, step, branches);
        draft.note(step, trails);
        let can_be_wrong = branches.iter().any(|branch| !branch.right);
        draft.kernels[step].push(&input.tokens, branches);
        if *self.question == Question::Plain {
            return;
        }
        if let Some(repair) = repair {
            self.push_detour(draft, step, REPAIR, vec![Handled::plain(repair)]);
        }
        // Interventions other than repairs are not combined: see `kernel::trellis`.
        if input.straight && !wrong.is_empty() {
            self.push_detour(draft, step, BREAK, wrong);
        }
        let asked = *self.question == Question::Run && can_err(&self.scenario.steps[step]);
        if asked && input.straight && can_be_wrong {
            let right = self.oracles_branch(draft, step);
            self.push_detour(draft, step, RIGHT, vec![Handled::plain(right)]);
        }
    }

    /// The oracle's branch at a step, whatever the input; a stop if the oracle has stopped.
    fn oracles_branch(&self, draft: &Draft, step: usize) -> Branching {
        let right = draft.oracle.outputs[step].clone();
        let event = match &right {
            None => Event::Stopped,
            Some(Output::Skipped) => Event::Skipped,
            Some(Output::Missing) => match self.scenario.steps[step].kind {
                StepKind::Read { .. } => Event::Abstained,
                _ => Event::Clean,
            },
            Some(Output::Context(gold)) if gold.is_empty() => Event::NoGold,
            Some(Output::Context(_)) => Event::Hit,
            Some(Output::Value(_) | Output::Action(_)) => Event::Clean,
        };
        Branching::new(right, event, 1.0)
    }

    /// Adds a counterfactual row to the row that was pushed last.
    pub(super) fn push_detour(
        &self,
        draft: &mut Draft,
        step: usize,
        mark: u8,
        handled: Vec<Handled>,
    ) {
        let (branches, trails) = self.branches(draft, step, handled);
        draft.note(step, trails);
        draft.kernels[step].push_detour(mark, branches);
    }

    /// Assigns tokens to outputs. Branches of probability zero are dropped, as the kernel does.
    fn branches(
        &self,
        draft: &mut Draft,
        step: usize,
        row: Vec<Handled>,
    ) -> (Vec<Branch>, Vec<Option<Trail>>) {
        let of = &self.scenario.steps[step];
        let mut branches = Vec::with_capacity(row.len());
        let mut trails = Vec::new();
        for Handled { branching, trail } in row.into_iter().filter(|h| h.branching.p > 0.0) {
            let Branching { output, event, fault, guarded, p, .. } = branching;
            let outcome = settle::outcome(step, of, &draft.oracle.outputs, output.as_ref()) as u8;
            let oracles = draft.oracle.outputs[step].as_ref();
            let state = State::of(output.as_ref(), oracles, &draft.oracle.gold[step]);
            // A recovered error no longer makes the output wrong.
            let stands = fault != Fault::None && guarded != Guarded::Recovered;
            let right = state == State::Correct && !stands;
            let token = output.map_or(STOP, |output| draft.token(step, output));
            let event = event.code();
            branches.push(Branch { token, outcome, event, fault, guarded, right, p });
            trails.push(trail);
        }
        (branches, trails)
    }

    /// The row of a step that needs no search.
    fn settle(&self, draft: &Draft, step: usize, inputs: &[u32]) -> Row {
        let seen = draft.seen(step, inputs);
        let values = settle::values(&seen);
        let env = Env { task: Some(draft.task), passage: None, steps: &values };
        match &self.scenario.steps[step].kind {
            StepKind::Retrieve(_) => {
                let gold = &draft.oracle.gold[step];
                let event = if gold.is_empty() { Event::NoGold } else { Event::Hit };
                let context = Output::Context(gold.iter().copied().collect());
                Branching::certain(context, event).into()
            }
            StepKind::Read { from, field } => match seen[*from] {
                Some(Output::Context(context)) => self.read(draft, *from, step, field, context),
                _ => Branching::certain(Output::Missing, Event::Failed).into(),
            },
            StepKind::Lookup { table, key, column } => {
                settle::lookup(&self.scenario.tables[*table], key, column, &env).into()
            }
            StepKind::Compute(expr) => settle::compute(expr, &env).into(),
            StepKind::Act { rules, .. } => settle::act(rules, &env).into(),
        }
    }

    /// The row for reading a field from passages.
    pub(super) fn read(
        &self,
        draft: &Draft,
        from: usize,
        step: usize,
        field: &str,
        context: &[u32],
    ) -> Row {
        match self.reading(draft, from, step, field, context) {
            Some(reading) => reader::row(&self.odds.reader, &reading),
            None => Branching::certain(Output::Missing, Event::Failed).into(),
        }
    }

    /// The reading at a step; `None` if it does not read from a retrieve step.
    pub(super) fn reading<'r>(
        &'r self,
        draft: &'r Draft,
        from: usize,
        step: usize,
        field: &'r str,
        context: &'r [u32],
    ) -> Option<Reading<'r>> {
        let StepKind::Retrieve(retrieve) = &self.scenario.steps[from].kind else {
            return None;
        };
        let corpus = &self.scenario.corpora[self.arm.corpora[retrieve.corpus]];
        let gold = &draft.oracle.gold[from];
        Some(Reading { corpus, gold, field, pool: self.pools[step].as_ref()?, context })
    }
}

/// The result of one phrasing on the actual input; `right` is its truncated ranking on the oracle's input.
pub(super) fn phrasing<'r>(
    search: &Search,
    answers: &Answers,
    target: Target,
    (at, ask): (usize, &Ask),
    right: Option<&'r [u32]>,
) -> Phrasing<'r> {
    let passages = search.ranking(answers, ask).iter().map(|hit| hit.passage);
    let without = passages.filter(|p| !target.gold.contains(p));
    Phrasing {
        weight: search.queries[at].weight,
        ranking: search.cut(answers, ask),
        without_gold: without.take(search.with.top_k).collect(),
        right,
    }
}
