//! The rows of one step: what each input asks of a search, and what the step makes of the answer.

use std::sync::Arc;

use super::attempts::{Again, Search, verify};
use super::search::{Among, Answers, Ask};
use super::variants::Variant;
use super::{Draft, Quality, Question, Room, Support};
use crate::expr::Env;
use crate::kernel::{BREAK, Branch, FIRST_MARK, REPAIR, STOP};
use crate::scenario::{Check, Guard, Retrieve, StepKind};
use crate::step::guard::{Handled, Look, Setting, Trail, Tried};
use crate::step::reader::{self, Reading};
use crate::step::retrieve::{Phrasing, Target, of_kind};
use crate::step::settle::{self, Gate};
use crate::step::{Branching, Event, MissKind, Output, Row};

/// What a step needs to be searched before its rows can be laid down.
pub(super) struct Plan<'a> {
    pub inputs: Vec<Input>,
    pub search: Option<Search<'a>>,
    pub again: Vec<Again<'a>>,
    /// The queries on the oracle's inputs, a phrasing each; of the step's search, and of further ones.
    pub right: Vec<Ask>,
    pub right_again: Vec<Vec<Ask>>,
    /// The best passage of a kind, a phrasing each.
    misses: Vec<(MissKind, Vec<Ask>)>,
}

pub(super) struct Input {
    pub tokens: Box<[u32]>,
    /// Brought by a run that has taken no detour but repairs.
    pub straight: bool,
    pub wish: Wish,
    /// By further attempt: what it asks; `None` where it has no query.
    pub again: Vec<Option<Vec<Ask>>>,
}

pub(super) enum Wish {
    Held(Gate),
    /// One a phrasing.
    Search(Vec<Ask>),
    /// A template or the entity has no value on this input.
    Unaskable,
    NoSearch,
}

/// One input of one step of a task, with all that was asked for it.
#[derive(Clone, Copy)]
pub(super) struct Site<'s> {
    pub step: usize,
    pub input: &'s Input,
    pub plan: &'s Plan<'s>,
    pub answers: &'s Answers<'s>,
}

/// The ways in which a first attempt comes out, before any guard; and as in [`Row`].
pub(super) struct First<'a> {
    pub branches: Vec<Tried<'a>>,
    pub wrong: Vec<Tried<'a>>,
    pub repair: Option<Branching>,
}

impl Plan<'_> {
    /// All questions, each with the embedder that it is for.
    pub fn asks(&self) -> impl Iterator<Item = (usize, &Ask)> {
        let own = self.search.map(|search| search.with.embedder);
        let wished = self.inputs.iter().flat_map(|input| match &input.wish {
            Wish::Search(asks) => asks.as_slice(),
            _ => &[],
        });
        let misses = self.misses.iter().flat_map(|(_, asks)| asks);
        let first = self.right.iter().chain(wished).chain(misses);
        let first = first.filter_map(move |ask| Some((own?, ask)));
        let again = self.again.iter().enumerate().flat_map(move |(at, again)| {
            let embedder = again.search.map(|search| search.with.embedder);
            let right = self.right_again[at].iter();
            let asks =
                right.chain(self.inputs.iter().flat_map(move |i| i.again[at].iter().flatten()));
            asks.filter_map(move |ask| Some((embedder?, ask)))
        });
        first.chain(again)
    }

    /// What a verifier has to score: each query with the passage that it brings first, and with the first
    /// one that is not gold.
    pub fn to_verify(&self, draft: &Draft, answers: &Answers) -> Vec<Ask> {
        let mut asks = Vec::new();
        for (embedder, ask) in self.asks() {
            let hits = answers.of(embedder, ask);
            let from = self.search.or(self.again.iter().find_map(|again| again.search));
            let gold = from.map(|search| &draft.oracle.gold[search.from]);
            let wrong = hits.iter().find(|hit| gold.is_some_and(|g| !g.contains(&hit.passage)));
            asks.extend(
                hits.first().into_iter().chain(wrong).map(|h| verify(&ask.query, h.passage)),
            );
        }
        asks
    }
}

/// The mark of the detour in which a step misses so.
pub fn mark(kind: MissKind) -> u8 {
    FIRST_MARK + kind as u8
}

impl<'a> Room<'a> {
    pub(super) fn plan(&self, draft: &Draft, step: usize) -> Plan<'a> {
        let of = &self.scenario.steps[step];
        let inputs = match &draft.support {
            Support::Joint(frontier) => frontier.inputs(&self.shape),
            Support::Walk(walk) => {
                let parents = draft.kernels[step].parents();
                walk.inputs(step, parents).into_iter().map(|inputs| (inputs, true)).collect()
            }
        };
        let search = self.search(step).filter(|_| *self.question != Question::Gold);
        let again = self.again(step);
        let input = |(tokens, straight): (Box<[u32]>, bool)| {
            let seen = draft.seen(step, &tokens);
            let gate = settle::gate(of, draft.task, &seen);
            let wish = match (gate, &search) {
                (Gate::Run, None) => Wish::NoSearch,
                (Gate::Run, Some(search)) => {
                    search.asks(draft.task, &seen).map_or(Wish::Unaskable, Wish::Search)
                }
                (held, _) => Wish::Held(held),
            };
            let searched = |again: &Again| again.search.as_ref()?.asks(draft.task, &seen);
            let again = match gate {
                Gate::Run => again.iter().map(searched).collect(),
                _ => again.iter().map(|_| None).collect(),
            };
            Input { tokens, straight, wish, again }
        };
        let inputs = inputs.into_iter().map(input).collect();
        let seen: Vec<Option<&Output>> = draft.oracle.outputs.iter().map(Option::as_ref).collect();
        let right = |search: Option<&Search>| match (search, &draft.oracle.outputs[step]) {
            (Some(search), Some(Output::Context(_))) => {
                search.asks(draft.task, &seen).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let right_again = again.iter().map(|again| right(again.search.as_ref())).collect();
        let right = right(search.as_ref());
        let misses = self.misses(draft, step, &right);
        Plan { inputs, search, again, right, right_again, misses }
    }

    /// The searches for the passage of each kind that the step would take for gold first.
    fn misses(&self, draft: &Draft, step: usize, right: &[Ask]) -> Vec<(MissKind, Vec<Ask>)> {
        let (StepKind::Retrieve(retrieve), Question::Misses(steps)) =
            (&self.scenario.steps[step].kind, self.question)
        else {
            return Vec::new();
        };
        let gold = &draft.oracle.gold[step];
        if !steps.contains(&step) || right.is_empty() || gold.is_empty() {
            return Vec::new();
        }
        let at = self.arm.corpora[retrieve.corpus];
        let kinds = of_kind(self.target(draft, step, retrieve));
        let asks = |(kind, passages): (MissKind, Vec<u32>)| {
            let restrict = |ask: &Ask| {
                let these: Arc<[u32]> = match &ask.among {
                    Among::Entity(entity) => {
                        let own = self.indices[at].entity(entity);
                        passages.iter().copied().filter(|p| own.binary_search(p).is_ok()).collect()
                    }
                    _ => passages.as_slice().into(),
                };
                (!these.is_empty())
                    .then(|| Ask { query: ask.query.clone(), among: Among::These(these) })
            };
            Some((kind, right.iter().map(restrict).collect::<Option<Vec<Ask>>>()?))
        };
        let nothing = (MissKind::Empty, right.to_vec());
        kinds.into_iter().filter_map(asks).chain([nothing]).collect()
    }

    /// Lays down the rows of all inputs of `step`; `answers` has the answers to the plan's questions.
    pub(super) fn rows(
        &self,
        draft: &mut Draft,
        step: usize,
        plan: &Plan,
        answers: &Answers,
        variants: &[Variant],
    ) {
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
            match input.wish {
                Wish::Held(_) => {
                    let row = self.row(draft, &site);
                    self.push_plain(draft, &site, row);
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
        }
    }

    /// How the row of an input comes out: what [`Room::rows`] lays down, without any detour.
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

    /// The row where no query can be written.
    pub(super) fn unaskable(
        &self,
        draft: &Draft,
        step: usize,
        search: &Search,
        right: &[Ask],
    ) -> Row {
        // A miss where the oracle never asks is induced, and so is this.
        let asks = matches!(draft.oracle.outputs[step], Some(Output::Context(_)));
        self.target(draft, step, search.retrieve).unaskable(asks && right.is_empty())
    }

    /// What the first attempt comes to, way by way, with what guards can see of it.
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
        // Scores differ from phrasing to phrasing, even where the passages are the same.
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

    /// A way in which a search comes out, with what guards see of it.
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

    /// What guards see of what a search handed on.
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
        // A lead is one over the next passage found, handed on or not.
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

    /// A way in which a step that does not search comes out, with what guards see of it.
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

    /// Whether the inputs of a step are the oracle's.
    fn is_oracles(&self, draft: &Draft, step: usize, inputs: &[u32]) -> bool {
        let seen = draft.seen(step, inputs);
        let parents = draft.kernels[step].parents();
        parents.iter().all(|&p| seen[p] == draft.oracle.outputs[p].as_ref())
    }

    /// Adds the detours in which the step misses: the best passage of each kind first, and behind it
    /// what the right query finds but gold.
    fn push_misses(&self, draft: &mut Draft, site: &Site) {
        let Site { step, plan, answers, .. } = *site;
        let Some(search) = &plan.search else {
            return;
        };
        for (kind, asks) in &plan.misses {
            let asked = asks.iter().zip(&plan.right).zip(search.queries).enumerate();
            let ways = asked.filter_map(|(i, ((best, rest), query))| {
                let best = search.ranking(answers, best).first().copied();
                // BM25 brings nothing that has no word of the query: then there is no such miss.
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
                // Where the right query does not reach down to it, its own search knows its score.
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

    /// Lays down a row: its branches, what it puts out when it does not err, and how it would err.
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
        draft.kernels[step].push(&input.tokens, branches);
        if *self.question == Question::Plain {
            return;
        }
        if let Some(repair) = repair {
            self.push_detour(draft, step, REPAIR, vec![Handled::plain(repair)]);
        }
        // Behind a detour no further one is taken: see `kernel::trellis`.
        if input.straight && !wrong.is_empty() {
            self.push_detour(draft, step, BREAK, wrong);
        }
    }

    /// Adds a detour to the row that was laid down last.
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

    /// Gives out tokens. As the kernel does, it drops what never happens.
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
            let token = output.map_or(STOP, |output| draft.tokens[step].number(output));
            branches.push(Branch { token, outcome, event: event.code(), fault, guarded, p });
            trails.push(trail);
        }
        (branches, trails)
    }

    /// The row of a step that asks nothing of a search.
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

    /// The row of reading a field from passages.
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

/// One phrasing of a search, on the actual input; `right` is what it hands on for the oracle's.
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
