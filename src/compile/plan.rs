//! Plans the searches of one step: those of every input, and the further ones that its rows need.

use std::sync::Arc;

use super::attempts::{Again, Search, verify};
use super::held::Held;
use super::search::{Among, Answers, Ask};
use super::{Draft, Question, Room, Support};
use crate::scenario::StepKind;
use crate::step::retrieve::of_kind;
use crate::step::room::query_bytes;
use crate::step::settle::{self, Gate};
use crate::step::{MissKind, Output};

/// The searches to run before the rows of a step can be compiled.
pub(super) struct Plan<'a> {
    pub inputs: Vec<Input>,
    pub search: Option<Search<'a>>,
    pub again: Vec<Again<'a>>,
    /// The queries on the oracle's inputs, one per phrasing: for the step's own search, and for each further attempt.
    pub right: Vec<Ask>,
    pub right_again: Vec<Vec<Ask>>,
    /// The searches for the best passage of each kind of miss, one per phrasing.
    pub misses: Vec<(MissKind, Vec<Ask>)>,
    /// The number of gold passages.
    pub gold: usize,
    /// Bytes of its long queries.
    pub text_bytes: usize,
}

pub(super) struct Input {
    pub tokens: Box<[u32]>,
    /// Whether it is reachable with no intervention other than repairs.
    pub straight: bool,
    pub wish: Wish,
    /// By further attempt: its queries; `None` if no query can be rendered.
    pub again: Vec<Option<Vec<Ask>>>,
}

pub(super) enum Wish {
    Held(Gate),
    /// One query per phrasing.
    Search(Vec<Ask>),
    /// A template or the entity has no value on this input.
    Unaskable,
    NoSearch,
}

impl Plan<'_> {
    /// All queries, each with its embedder and minimum depth: after removing all gold passages from the ranking, enough
    /// passages must remain for the step to hand on.
    pub fn asks(&self) -> impl Iterator<Item = (usize, &Ask, usize)> {
        let own = self.search.map(|search| search.with.embedder);
        let without_gold = self.search.map_or(0, |search| search.with.top_k + self.gold);
        let wished = self.inputs.iter().flat_map(|input| match &input.wish {
            Wish::Search(asks) => asks.as_slice(),
            _ => &[],
        });
        let misses = self.misses.iter().flat_map(|(_, asks)| asks);
        let searched = self.right.iter().chain(wished).map(move |ask| (ask, without_gold));
        let first = searched.chain(misses.map(|ask| (ask, 0)));
        let first = first.filter_map(move |(ask, depth)| Some((own?, ask, depth)));
        let again = self.again.iter().enumerate().flat_map(move |(at, again)| {
            let embedder = again.search.map(|search| search.with.embedder);
            let right = self.right_again[at].iter();
            let asks =
                right.chain(self.inputs.iter().flat_map(move |i| i.again[at].iter().flatten()));
            asks.filter_map(move |ask| Some((embedder?, ask, 0)))
        });
        first.chain(again)
    }

    /// The pairs that a verifier must score: each query with the passage ranked first, and with the first passage that
    /// is not gold.
    pub fn to_verify(&self, draft: &Draft, answers: &Answers) -> Vec<Ask> {
        let mut asks = Vec::new();
        for (embedder, ask, _) in self.asks() {
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

impl<'a> Room<'a> {
    /// Plans `step` for one task.
    ///
    /// # Errors
    /// If the queries exceed the text limit.
    pub(super) fn plan(&self, draft: &Draft, step: usize, held: &Held) -> anyhow::Result<Plan<'a>> {
        let of = &self.scenario.steps[step];
        let inputs = match &draft.support {
            Support::Joint(frontier) => frontier.inputs(&self.shape),
            Support::Walk(walk) => {
                let parents = draft.kernels[step].parents();
                walk.inputs(parents).into_iter().map(|inputs| (inputs, true)).collect()
            }
        };
        let search = self.search(step).filter(|_| *self.question != Question::Gold);
        let again = self.again(step);
        let mut text_bytes = 0;
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
            let again: Vec<_> = match gate {
                Gate::Run => again.iter().map(searched).collect(),
                _ => again.iter().map(|_| None).collect(),
            };
            let first = if let Wish::Search(asks) = &wish { asks.as_slice() } else { &[] };
            let all = first.iter().chain(again.iter().flatten().flatten());
            let added = all.map(|ask| query_bytes(&ask.query)).sum();
            text_bytes += added;
            self.hold(held, (draft, step), (draft.text_bytes + text_bytes, added))?;
            Ok(Input { tokens, straight, wish, again })
        };
        let inputs = inputs.into_iter().map(input).collect::<anyhow::Result<_>>()?;
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
        let gold = draft.oracle.gold[step].len();
        Ok(Plan { inputs, search, again, right, right_again, misses, gold, text_bytes })
    }

    /// For each kind of miss, the searches for the passage that the step is most likely to confuse with gold.
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
}
