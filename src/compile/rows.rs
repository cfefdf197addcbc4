//! The rows of one step: what each input asks of a search, and what the step makes of the answer.

use std::sync::Arc;

use super::search::{Among, Ask, Found};
use super::{Draft, Quality, Question, Room, Support};
use crate::expr::Env;
use crate::kernel::{BREAK, Branch, FIRST_MARK, Fault, REPAIR, STOP};
use crate::retrieve::Hit;
use crate::scenario::{Query, Retrieve, Step, StepKind};
use crate::step::retrieve::{Phrasing, Target, of_kind};
use crate::step::settle::{self, Gate};
use crate::step::{Branching, Event, MissKind, Output, Row, State, reader};
use crate::world::Task;

/// What a step needs to be searched before its rows can be laid down.
pub(super) struct Plan {
    inputs: Vec<Input>,
    /// The queries on the oracle's inputs, a phrasing each.
    right: Vec<Ask>,
    /// The best passage of a kind, a phrasing each.
    misses: Vec<(MissKind, Vec<Ask>)>,
}

struct Input {
    tokens: Box<[u32]>,
    /// Brought by a run that has taken no detour but repairs.
    straight: bool,
    wish: Wish,
}

enum Wish {
    Held(Gate),
    /// One a phrasing.
    Search(Vec<Ask>),
    /// A template or the entity has no value on this input.
    Unaskable,
    NoSearch,
}

impl Plan {
    pub fn asks(&self) -> impl Iterator<Item = &Ask> {
        let wished = self.inputs.iter().flat_map(|input| match &input.wish {
            Wish::Search(asks) => asks.as_slice(),
            _ => &[],
        });
        let misses = self.misses.iter().flat_map(|(_, asks)| asks);
        self.right.iter().chain(wished).chain(misses)
    }
}

/// What was found, best first; nothing for what was not asked.
fn ranking<'a>(found: Option<&'a Found>, ask: &Ask) -> &'a [Hit] {
    found.and_then(|found| found.get(ask)).map_or(&[], Vec::as_slice)
}

/// The mark of the detour in which a step misses so.
pub fn mark(kind: MissKind) -> u8 {
    FIRST_MARK + kind as u8
}

impl Room<'_> {
    pub(super) fn plan(&self, draft: &Draft, step: usize) -> Plan {
        let of = &self.scenario.steps[step];
        let inputs = match &draft.support {
            Support::Joint(frontier) => frontier.inputs(&self.shape),
            Support::Walk(walk) => {
                walk.inputs(step, &of.parents).into_iter().map(|inputs| (inputs, true)).collect()
            }
        };
        let input = |(tokens, straight): (Box<[u32]>, bool)| {
            let seen = draft.seen(step, &tokens);
            let wish = match settle::gate(of, draft.task, &seen) {
                Gate::Run => self.asks(of, step, draft.task, &seen),
                held => Wish::Held(held),
            };
            Input { tokens, straight, wish }
        };
        let seen: Vec<Option<&Output>> = draft.oracle.outputs.iter().map(Option::as_ref).collect();
        let right = match (&draft.oracle.outputs[step], self.asks(of, step, draft.task, &seen)) {
            (Some(Output::Context(_)), Wish::Search(asks)) => asks,
            _ => Vec::new(),
        };
        let misses = self.misses(draft, step, &right);
        Plan { inputs: inputs.into_iter().map(input).collect(), right, misses }
    }

    /// What the phrasings of a retrieve step ask on what it sees.
    fn asks(&self, of: &Step, step: usize, task: &Task, seen: &settle::Seen) -> Wish {
        let (StepKind::Retrieve(retrieve), Some(retrieval)) = (&of.kind, self.arm.retrieval[step])
        else {
            return Wish::NoSearch;
        };
        if *self.question == Question::Gold {
            return Wish::NoSearch;
        }
        let values = settle::values(seen);
        let env = Env { task: Some(task), passage: None, steps: &values };
        let among = match retrieve.entity.as_ref().filter(|_| retrieval.entity_filter) {
            None => Among::All,
            Some(expr) => match expr.eval(&env) {
                Ok(Some(entity)) => Among::Entity(entity.to_string()),
                _ => return Wish::Unaskable,
            },
        };
        let ask = |query: &Query| {
            Some(Ask { query: query.template.render(&env).ok()?, among: among.clone() })
        };
        retrieve
            .queries
            .iter()
            .map(ask)
            .collect::<Option<Vec<Ask>>>()
            .map_or(Wish::Unaskable, Wish::Search)
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

    /// Lays down the rows of all inputs of `step`; `found` has the answers to the plan's questions.
    pub(super) fn rows(&self, draft: &mut Draft, step: usize, plan: Plan, found: Option<&Found>) {
        let of = &self.scenario.steps[step];
        let ranking = |ask: &Ask| ranking(found, ask);
        if let StepKind::Retrieve(retrieve) = &of.kind
            && !draft.oracle.gold[step].is_empty()
        {
            let asked = plan.right.iter().zip(&retrieve.queries);
            draft.quality[step] = asked
                .map(|(ask, query)| Quality {
                    weight: query.weight,
                    ranking: ranking(ask).to_vec(),
                })
                .collect();
        }
        let top_k = self.arm.retrieval[step].map_or(0, |r| r.top_k);
        let cut = |ask: &Ask| -> Vec<u32> {
            ranking(ask).iter().take(top_k).map(|hit| hit.passage).collect()
        };
        let right: Vec<Vec<u32>> = plan.right.iter().map(cut).collect();
        for input in &plan.inputs {
            let row = match &input.wish {
                Wish::Held(gate) => settle::held(*gate).unwrap_or_default().into(),
                Wish::NoSearch => self.settle(draft, step, &input.tokens),
                Wish::Unaskable | Wish::Search(_) => {
                    let StepKind::Retrieve(retrieve) = &of.kind else {
                        unreachable!("only retrieve steps search")
                    };
                    let target = self.target(draft, step, retrieve);
                    let Wish::Search(asks) = &input.wish else {
                        // A miss where the oracle never asks is induced, and so is this.
                        let asks = matches!(draft.oracle.outputs[step], Some(Output::Context(_)));
                        let row = target.unaskable(asks && plan.right.is_empty());
                        self.push(draft, step, &input.tokens, row, input.straight);
                        continue;
                    };
                    let phrasing = |(i, (ask, query)): (usize, (&Ask, &Query))| {
                        let passages = ranking(ask).iter().map(|hit| hit.passage);
                        let without = passages.filter(|p| !target.gold.contains(p));
                        Phrasing {
                            weight: query.weight,
                            ranking: cut(ask),
                            without_gold: without.take(top_k).collect(),
                            right: right.get(i).map(Vec::as_slice),
                        }
                    };
                    let asked = asks.iter().zip(&retrieve.queries).enumerate();
                    let phrasings: Vec<Phrasing> = asked.map(phrasing).collect();
                    crate::step::retrieve::row(target, &phrasings)
                }
            };
            self.push(draft, step, &input.tokens, row, input.straight);
            if input.straight && self.is_oracles(draft, step, &input.tokens) {
                self.push_misses(draft, step, &plan, found);
            }
        }
    }

    fn target<'b>(&'b self, draft: &'b Draft, step: usize, retrieve: &Retrieve) -> Target<'b> {
        Target {
            corpus: &self.scenario.corpora[self.arm.corpora[retrieve.corpus]],
            gold: &draft.oracle.gold[step],
            fields: &self.fields[step],
        }
    }

    /// Whether the inputs of a step are the oracle's.
    fn is_oracles(&self, draft: &Draft, step: usize, inputs: &[u32]) -> bool {
        let seen = draft.seen(step, inputs);
        let parents = &self.scenario.steps[step].parents;
        parents.iter().all(|&p| seen[p] == draft.oracle.outputs[p].as_ref())
    }

    /// Adds the detours in which the step misses: the best passage of each kind first, and behind it
    /// what the right query finds but gold.
    fn push_misses(&self, draft: &mut Draft, step: usize, plan: &Plan, found: Option<&Found>) {
        let (StepKind::Retrieve(retrieve), Some(retrieval)) =
            (&self.scenario.steps[step].kind, self.arm.retrieval[step])
        else {
            return;
        };
        for (kind, asks) in &plan.misses {
            let branches = asks.iter().zip(&plan.right).zip(&retrieve.queries);
            let branches: Vec<Branching> = branches
                .filter_map(|((best, rest), query)| {
                    let best = ranking(found, best).first().map(|hit| hit.passage);
                    // BM25 brings nothing that has no word of the query: then there is no such miss.
                    if best.is_none() && *kind != MissKind::Empty {
                        return None;
                    }
                    let gold = &draft.oracle.gold[step];
                    let others = ranking(found, rest).iter().map(|hit| hit.passage);
                    let others = others.filter(|&p| !gold.contains(&p) && Some(p) != best);
                    let context = match kind {
                        MissKind::Empty => Vec::new(),
                        _ => best.into_iter().chain(others).take(retrieval.top_k).collect(),
                    };
                    let output = Some(Output::Context(context));
                    Some(Branching::new(output, Event::OwnMiss(*kind), query.weight))
                })
                .collect();
            if branches.is_empty() {
                continue;
            }
            let branches = self.branches(draft, step, branches);
            draft.kernels[step].push_detour(mark(*kind), branches);
        }
    }

    fn push(&self, draft: &mut Draft, step: usize, inputs: &[u32], row: Row, straight: bool) {
        let (row, withheld) = self.guard(draft, step, inputs, row);
        let branches = self.branches(draft, step, row.branches);
        let pushed = draft.kernels[step].push(inputs, branches);
        let places = draft.kernels[step].span(pushed);
        draft.withheld[step]
            .extend(places.zip(withheld).filter_map(|(place, output)| Some((place, output?))));
        if let Some(repair) = row.repair {
            let branches = self.branches(draft, step, vec![repair]);
            draft.kernels[step].push_detour(REPAIR, branches);
        }
        // Behind a detour no further one is taken: see `kernel::trellis`.
        if straight && !row.wrong.is_empty() {
            let branches = self.branches(draft, step, row.wrong);
            draft.kernels[step].push_detour(BREAK, branches);
        }
    }

    /// The row as the step's guards let it pass, and what they held back, a branch each: what they see
    /// stops the run. An alarm on a right output is an error of the step's own, mended by letting it pass.
    fn guard(
        &self,
        draft: &Draft,
        step: usize,
        inputs: &[u32],
        mut row: Row,
    ) -> (Row, Vec<Option<Output>>) {
        let guards = &self.scenario.steps[step].guards;
        if guards.is_empty() {
            return (row, Vec::new());
        }
        // As the kernel does: places count the branches that it keeps.
        row.branches.retain(|branching| branching.p > 0.0);
        let mut withheld = Vec::new();
        let seen = draft.seen(step, inputs);
        let oracle = &draft.oracle;
        let mut passed = None;
        for branching in row.branches.iter_mut().chain(&mut row.wrong) {
            withheld.push(None);
            let Some(Output::Value(value)) = &branching.output else {
                continue;
            };
            if !settle::alarmed(guards, step, draft.task, &seen, value) {
                continue;
            }
            let output = branching.output.take();
            if let Some(last) = withheld.last_mut() {
                last.clone_from(&output);
            }
            match State::of(output.as_ref(), oracle.outputs[step].as_ref(), &oracle.gold[step]) {
                State::Correct => {
                    passed.get_or_insert(Branching::new(output, branching.event, 1.0));
                    (branching.event, branching.fault) = (Event::FalseAlarm, Fault::Own);
                }
                State::Wrong | State::Missing => branching.caught = true,
            }
        }
        row.repair = row.repair.or(passed);
        (row, withheld)
    }

    /// Gives out tokens.
    fn branches(&self, draft: &mut Draft, step: usize, row: Vec<Branching>) -> Vec<Branch> {
        let of = &self.scenario.steps[step];
        let mut branches = Vec::with_capacity(row.len());
        for Branching { output, event, fault, caught, p } in row {
            let outcome = settle::outcome(step, of, &draft.oracle.outputs, output.as_ref()) as u8;
            let token = output.map_or(STOP, |output| draft.tokens[step].number(output));
            branches.push(Branch { token, outcome, event: event.code(), fault, caught, p });
        }
        branches
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
            StepKind::Read { from, field } => self.read(draft, *from, step, field, seen[*from]),
            StepKind::Lookup { table, key, column } => {
                settle::lookup(&self.scenario.tables[*table], key, column, &env).into()
            }
            StepKind::Compute(expr) => settle::compute(expr, &env).into(),
            StepKind::Act { rules, .. } => settle::act(rules, &env).into(),
        }
    }

    fn read(
        &self,
        draft: &Draft,
        from: usize,
        step: usize,
        field: &str,
        context: Option<&Output>,
    ) -> Row {
        let (StepKind::Retrieve(retrieve), Some(Output::Context(context)), Some(pool)) =
            (&self.scenario.steps[from].kind, context, &self.pools[step])
        else {
            return Branching::certain(Output::Missing, Event::Failed).into();
        };
        let corpus = &self.scenario.corpora[self.arm.corpora[retrieve.corpus]];
        reader::row(&self.reader, corpus, &draft.oracle.gold[from], field, pool, context)
    }
}
