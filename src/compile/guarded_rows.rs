//! Rows of guarded steps: the branches of the first attempt, followed through alarms and further attempts, and the
//! counterfactual rows for other settings of each guard.

use super::attempts::StepSearch;
use super::guard_variants::{GuardVariant, variant_intervention_id};
use super::rows::{RowContext, phrasing_result};
use super::search_cache::SearchQuery;
use super::{CompileContext, CompileQuestion, TaskBuilder};
use crate::kernel::BranchFault;
use crate::scenario::PipelineStepKind;
use crate::step::guard::{AttemptResult, GuardContext, GuardSetting, GuardedBranch};
use crate::step::{OutputState, StepBranch, StepEvent, StepOutput, StepRow, deterministic_steps};

impl CompileContext<'_> {
    /// Compiles the row of an input with guards, and a counterfactual row for each variant that changes it.
    pub(super) fn push_guarded(
        &self,
        draft: &mut TaskBuilder,
        site: &RowContext,
        variants: &[GuardVariant],
    ) {
        let step = site.step;
        let given = vec![GuardSetting::AsDeclared; self.scenario.steps[step].guards.len()];
        let first = self.first_attempt(draft, site);
        let branches = self.follow_alarms(draft, site, &given, &first.branches);
        let wrong = self.follow_alarms(draft, site, &given, &first.wrong);
        let mut others = Vec::new();
        if site.input.reachable_by_repairs && *self.question == CompileQuestion::Run {
            for (at, variant) in variants.iter().enumerate() {
                let mut settings = given.clone();
                settings[variant.guard] = variant.setting;
                let other = self.follow_alarms(draft, site, &settings, &first.branches);
                // Without a row of its own, a setting leaves the row as it is.
                if other != branches {
                    others.push((variant_intervention_id(at), other));
                }
            }
        }
        // A false alarm is repaired by letting the right output pass.
        let passed = first.branches.iter().map(|tried| &tried.branching).find(|branching| {
            let state = OutputState::of(
                branching.output.as_ref(),
                draft.oracle.outputs[step].as_ref(),
                &draft.oracle.gold[step],
            );
            branching.fault == BranchFault::None && state == OutputState::Correct
        });
        let passed = passed.map(|branching| StepBranch { p: 1.0, ..branching.clone() });
        let mut all = branches.iter().chain(others.iter().flat_map(|(_, other)| other));
        let alarmed = all.any(|handled| handled.branching.event == StepEvent::FalseAlarm);
        let repair = first.repair.or(passed.filter(|_| alarmed));
        self.push_row(draft, step, site.input, branches, repair, wrong);
        for (mark, other) in others {
            self.push_detour(draft, step, mark, other);
        }
    }

    /// Follows branches through the alarms of the step's guards. Equal results are merged.
    pub(super) fn follow_alarms<'b>(
        &'b self,
        draft: &'b TaskBuilder,
        site: &RowContext,
        settings: &[GuardSetting],
        attempts: &[AttemptResult<'b>],
    ) -> Vec<GuardedBranch> {
        let seen = draft.visible_outputs(site.step, &site.input.tokens);
        let right = draft.oracle.outputs[site.step].as_ref();
        let gold = &draft.oracle.gold[site.step];
        let state = |output: &StepOutput| OutputState::of(Some(output), right, gold);
        let retry = |guard: usize, turn: usize, words: Option<usize>| {
            let again = site.plan.retries.iter();
            let at = again.take_while(|a| (a.guard, a.turn) != (guard, turn)).count();
            self.retry(draft, site, at, words)
        };
        let guarding = GuardContext {
            guards: &self.scenario.steps[site.step].guards,
            rates: &self.odds.guards[site.step],
            settings,
            values: deterministic_steps::values(&seen),
            task: draft.task,
            step: site.step,
            right,
            state: &state,
            retry: &retry,
        };
        guarding.follow_alarms(attempts)
    }

    /// The results of the further attempt with index `at`. If the retry has no phrasings of its own and the phrasing of
    /// the first attempt is known, it keeps that phrasing.
    fn retry<'b>(
        &'b self,
        draft: &'b TaskBuilder,
        site: &RowContext,
        at: usize,
        words: Option<usize>,
    ) -> Vec<AttemptResult<'b>> {
        let again = &site.plan.retries[at];
        let step = site.step;
        let Some(search) = &again.search else {
            // The same passages are read again.
            return self.first_attempt(draft, site).branches;
        };
        let field = match &self.scenario.steps[step].kind {
            PipelineStepKind::Read { field, .. } => Some(field.as_str()),
            _ => None,
        };
        let Some(asks) = &site.input.retry_queries[at] else {
            let row = match field {
                Some(_) => StepBranch::certain(StepOutput::Missing, StepEvent::Failed).into(),
                None => {
                    self.unrenderable_row(draft, step, search, &site.plan.oracle_retry_queries[at])
                }
            };
            return row.branches.into_iter().map(|b| self.observe_result(step, b)).collect();
        };
        let retry = &self.scenario.steps[step].guards[again.guard].retries[again.turn];
        let words = words.filter(|_| retry.queries.is_empty());
        let mut tried = Vec::new();
        for (i, ask) in asks.iter().enumerate().filter(|(i, _)| words.is_none_or(|w| w == *i)) {
            let share = if words.is_some() { 1.0 } else { search.queries[i].weight };
            let row = match field {
                Some(field) => self.read(
                    draft,
                    search.from,
                    step,
                    field,
                    &search.top_passages(site.answers, ask),
                ),
                None => self.phrasing_row(
                    draft,
                    site,
                    search,
                    &site.plan.oracle_retry_queries[at],
                    (i, ask),
                ),
            };
            // The row of a search carries the weight of its phrasing, that of a reading does not.
            let whole: f64 = row.branches.iter().map(|b| b.p).sum();
            for mut branching in row.branches {
                branching.p *= share / whole;
                let looked = match field {
                    Some(_) => self.observe_result(step, branching),
                    None => self.observe_search_result(site, search, ask, branching),
                };
                tried.push(AttemptResult { phrasing: Some(i), ..looked });
            }
        }
        tried
    }

    /// The row of one phrasing of a search.
    pub(super) fn phrasing_row(
        &self,
        draft: &TaskBuilder,
        site: &RowContext,
        search: &StepSearch,
        right: &[SearchQuery],
        (at, ask): (usize, &SearchQuery),
    ) -> StepRow {
        let right = right.get(at).map(|ask| search.top_passages(site.answers, ask));
        let target = self.target(draft, site.step, search.retrieve);
        let phrasing = phrasing_result(search, site.answers, target, (at, ask), right.as_deref());
        crate::step::retrieve::retrieval_row(target, &[phrasing])
    }
}
