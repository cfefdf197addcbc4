//! The searches of a step: its own, and those of its guards' retries.

use std::sync::Arc;

use super::search::{Among, Answers, Ask};
use super::{Question, Room};
use crate::expr::Env;
use crate::retrieve::Hit;
use crate::scenario::{Arm, Check, Query, Retrieval, Retrieve, Retry, Scenario, StepKind};
use crate::step::settle;
use crate::world::Task;

/// One search of a step, with the settings of the arm.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// The retrieve step; a read step that searches again refers to its source step.
    pub from: usize,
    pub retrieve: &'a Retrieve,
    pub queries: &'a [Query],
    pub with: Retrieval,
}

/// A further attempt: the guard that makes it, the number of its retry, and its search; `None` if a read step only
/// reads again.
pub(super) struct Again<'a> {
    pub guard: usize,
    pub turn: usize,
    pub search: Option<Search<'a>>,
}

impl<'a> Room<'a> {
    /// The search of a retrieve step; `None` for other steps.
    pub(super) fn search(&self, step: usize) -> Option<Search<'a>> {
        Search::of(self.scenario, self.arm, step)
    }

    /// Whether the guards of a step are active.
    pub(super) fn guarded(&self, step: usize) -> bool {
        self.arm.guarded[step] && *self.question != Question::Gold
    }

    /// All further attempts that the guards of a step can make, in guard order.
    pub(super) fn again(&self, step: usize) -> Vec<Again<'a>> {
        if !self.guarded(step) {
            return Vec::new();
        }
        let of = &self.scenario.steps[step];
        let from = match of.kind {
            StepKind::Read { from, .. } => from,
            _ => step,
        };
        let base = self.search(from);
        let again = |(guard, turn, retry): (usize, usize, &'a Retry)| {
            let searches = from == step || retry.searches();
            Again { guard, turn, search: base.filter(|_| searches).map(|s| s.changed(retry)) }
        };
        let guards = of.guards.iter().enumerate();
        let retries = guards.flat_map(|(guard, of)| {
            of.retries.iter().enumerate().map(move |(turn, retry)| (guard, turn, retry))
        });
        retries.map(again).collect()
    }

    /// The embedders whose models verify what the step finds.
    pub(super) fn verifiers(&self, step: usize) -> Vec<usize> {
        let guards = self.scenario.steps[step].guards.iter().filter(|_| self.guarded(step));
        let models = guards.filter_map(|guard| match guard.check {
            Check::Verified { embedder, .. } => Some(embedder),
            _ => None,
        });
        models.collect()
    }
}

impl<'a> Search<'a> {
    /// The search of a retrieve step under an arm; `None` for other steps.
    pub fn of(scenario: &'a Scenario, arm: &Arm, step: usize) -> Option<Search<'a>> {
        match (&scenario.steps[step].kind, arm.retrieval[step]) {
            (StepKind::Retrieve(retrieve), Some(with)) => {
                Some(Search { from: step, retrieve, queries: &retrieve.queries, with })
            }
            _ => None,
        }
    }

    /// The queries on these outputs, one per phrasing; `None` if a template or the entity has no value.
    pub fn asks(&self, task: &Task, seen: &settle::Seen) -> Option<Vec<Ask>> {
        let values = settle::values(seen);
        let env = Env { task: Some(task), passage: None, steps: &values };
        let among = match self.retrieve.entity.as_ref().filter(|_| self.with.entity_filter) {
            None => Among::All,
            Some(expr) => match expr.eval(&env) {
                Ok(Some(entity)) => Among::Entity(entity.to_string()),
                _ => return None,
            },
        };
        let ask = |query: &Query| {
            Some(Ask { query: query.template.render(&env).ok()?, among: among.clone() })
        };
        self.queries.iter().map(ask).collect()
    }

    /// The same search with the settings of a retry.
    pub fn changed(self, retry: &'a Retry) -> Search<'a> {
        let with = Retrieval {
            embedder: retry.embedder.unwrap_or(self.with.embedder),
            top_k: retry.top_k.unwrap_or(self.with.top_k),
            entity_filter: retry.entity_filter.unwrap_or(self.with.entity_filter),
        };
        let queries = if retry.queries.is_empty() { self.queries } else { &retry.queries };
        Search { queries, with, ..self }
    }

    /// The ranking for a query, best first, to the depth searched.
    pub fn ranking<'b>(&self, answers: &Answers<'b>, ask: &Ask) -> &'b [Hit] {
        answers.of(self.with.embedder, ask)
    }

    /// The passages that the step hands on.
    pub fn cut(&self, answers: &Answers, ask: &Ask) -> Vec<u32> {
        let hits = self.ranking(answers, ask).iter();
        hits.take(self.with.top_k).map(|hit| hit.passage).collect()
    }
}

/// The query by which a verifier scores a single passage.
pub(super) fn verify(query: &str, passage: u32) -> Ask {
    Ask { query: query.to_owned(), among: Among::These(Arc::new([passage])) }
}
