//! Rows of guarded steps: the branches of the first attempt, followed through alarms and further attempts, and the
//! counterfactual rows for other settings of each guard.

use super::attempts::Search;
use super::rows::{Site, phrasing};
use super::search::Ask;
use super::variants::{Variant, variant_mark};
use super::{Draft, Question, Room};
use crate::kernel::Fault;
use crate::scenario::StepKind;
use crate::step::guard::{Guarding, Handled, Setting, Tried};
use crate::step::{Branching, Event, Output, Row, State, settle};

impl Room<'_> {
    /// Compiles the row of an input with guards, and a counterfactual row for each variant that changes it.
    pub(super) fn push_guarded(&self, draft: &mut Draft, site: &Site, variants: &[Variant]) {
        let step = site.step;
        let given = vec![Setting::AsGiven; self.scenario.steps[step].guards.len()];
        let first = self.first(draft, site);
        let branches = self.handle(draft, site, &given, &first.branches);
        let wrong = self.handle(draft, site, &given, &first.wrong);
        let mut others = Vec::new();
        if site.input.straight && *self.question == Question::Run {
            for (at, variant) in variants.iter().enumerate() {
                let mut settings = given.clone();
                settings[variant.guard] = variant.setting;
                let other = self.handle(draft, site, &settings, &first.branches);
                if other != branches {
                    others.push((variant_mark(at), other));
                }
            }
        }
        // A false alarm is repaired by letting the right output pass.
        let right = |branching: &&Branching| {
            let state = State::of(
                branching.output.as_ref(),
                draft.oracle.outputs[step].as_ref(),
                &draft.oracle.gold[step],
            );
            branching.fault == Fault::None && state == State::Correct
        };
        let passed = first.branches.iter().map(|tried| &tried.branching).find(right);
        let passed = passed.map(|branching| Branching { p: 1.0, ..branching.clone() });
        let mut all = branches.iter().chain(others.iter().flat_map(|(_, other)| other));
        let alarmed = all.any(|handled| handled.branching.event == Event::FalseAlarm);
        let repair = first.repair.or(passed.filter(|_| alarmed));
        self.push(draft, step, site.input, branches, repair, wrong);
        for (mark, other) in others {
            self.push_detour(draft, step, mark, other);
        }
    }

    /// Follows branches through the alarms of the step's guards. Equal results are merged.
    pub(super) fn handle<'b>(
        &'b self,
        draft: &'b Draft,
        site: &Site,
        settings: &[Setting],
        ways: &[Tried<'b>],
    ) -> Vec<Handled> {
        let seen = draft.seen(site.step, &site.input.tokens);
        let right = draft.oracle.outputs[site.step].as_ref();
        let gold = &draft.oracle.gold[site.step];
        let state = |output: &Output| State::of(Some(output), right, gold);
        let retry = |guard: usize, turn: usize, words: Option<usize>| {
            let again = site.plan.again.iter();
            let at = again.take_while(|a| (a.guard, a.turn) != (guard, turn)).count();
            self.retry(draft, site, at, words)
        };
        let guarding = Guarding {
            guards: &self.scenario.steps[site.step].guards,
            odds: &self.odds.guards[site.step],
            settings,
            values: settle::values(&seen),
            task: draft.task,
            at: site.step,
            right,
            state: &state,
            retry: &retry,
        };
        guarding.handle(ways)
    }

    /// The results of the further attempt with index `at`. If the retry has no phrasings of its own and the phrasing of
    /// the first attempt is known, it keeps that phrasing.
    fn retry<'b>(
        &'b self,
        draft: &'b Draft,
        site: &Site,
        at: usize,
        words: Option<usize>,
    ) -> Vec<Tried<'b>> {
        let again = &site.plan.again[at];
        let step = site.step;
        let Some(search) = &again.search else {
            // The same passages are read again.
            return self.first(draft, site).branches;
        };
        let field = match &self.scenario.steps[step].kind {
            StepKind::Read { field, .. } => Some(field.as_str()),
            _ => None,
        };
        let Some(asks) = &site.input.again[at] else {
            let row = match field {
                Some(_) => Branching::certain(Output::Missing, Event::Failed).into(),
                None => self.unaskable(draft, step, search, &site.plan.right_again[at]),
            };
            return row.branches.into_iter().map(|b| self.tried(step, b)).collect();
        };
        let retry = &self.scenario.steps[step].guards[again.guard].retries[again.turn];
        let words = words.filter(|_| retry.queries.is_empty());
        let mut tried = Vec::new();
        for (i, ask) in asks.iter().enumerate().filter(|(i, _)| words.is_none_or(|w| w == *i)) {
            let share = if words.is_some() { 1.0 } else { search.queries[i].weight };
            let row = match field {
                Some(field) => {
                    self.read(draft, search.from, step, field, &search.cut(site.answers, ask))
                }
                None => self.searched(draft, site, search, &site.plan.right_again[at], (i, ask)),
            };
            let whole: f64 = row.branches.iter().map(|b| b.p).sum();
            for mut branching in row.branches {
                branching.p *= share / whole;
                let looked = match field {
                    Some(_) => self.tried(step, branching),
                    None => self.tried_search(site, search, ask, branching),
                };
                tried.push(Tried { phrasing: Some(i), ..looked });
            }
        }
        tried
    }

    /// The row of one phrasing of a search.
    pub(super) fn searched(
        &self,
        draft: &Draft,
        site: &Site,
        search: &Search,
        right: &[Ask],
        (at, ask): (usize, &Ask),
    ) -> Row {
        let right = right.get(at).map(|ask| search.cut(site.answers, ask));
        let target = self.target(draft, site.step, search.retrieve);
        let phrasing = phrasing(search, site.answers, target, (at, ask), right.as_deref());
        crate::step::retrieve::row(target, &[phrasing])
    }
}
