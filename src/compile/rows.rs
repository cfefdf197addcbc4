//! Compiles the rows of one step from the results of its searches.

use super::attempts::StepSearch;
use super::guard_variants::GuardVariant;
use super::memory_limits::CompileMemory;
use super::reading_answers::{self, KnownReading, ReadingKey};
use super::search_cache::{CorpusRankings, SearchQuery};
use super::search_plan::{SearchNeed, StepInput, StepPlan};
use super::{CompileContext, RetrievalQuality, TaskBuilder};
use crate::expr::EvalEnvironment;
use crate::kernel::FIRST_COMPILER_INTERVENTION;
use crate::scenario::{PipelineStepKind, RetrieveStep};
use crate::step::deterministic_steps;
use crate::step::guard::{AttemptResult, GuardSetting, GuardedBranch};
use crate::step::reader::{self, ArmReaderModel, FieldReading};
use crate::step::retrieve::{PhrasingResult, RetrievalTarget};
use crate::step::{MissKind, StepBranch, StepEvent, StepOutput, StepRow};

/// One input of one step of a task, with its search results.
#[derive(Clone, Copy)]
pub(super) struct RowContext<'s> {
    pub step: usize,
    pub input: &'s StepInput,
    pub plan: &'s StepPlan<'s>,
    pub answers: &'s CorpusRankings<'s>,
}

/// The results of a first attempt before any guard. The fields correspond to [`Row`].
pub(super) struct FirstAttempt<'a> {
    pub branches: Vec<AttemptResult<'a>>,
    pub wrong: Vec<AttemptResult<'a>>,
    pub repair: Option<StepBranch>,
}

/// The id of the counterfactual row in which a step has a miss of this kind.
pub fn miss_intervention_id(kind: MissKind) -> u8 {
    FIRST_COMPILER_INTERVENTION + kind as u8
}

impl<'a> CompileContext<'a> {
    /// Compiles the rows of all inputs of `step`; `answers` holds the results of the plan's searches.
    ///
    /// # Errors
    /// If the outputs exceed the text limit.
    pub(super) fn rows(
        &self,
        draft: &mut TaskBuilder,
        step: usize,
        plan: &StepPlan,
        (answers, held): (&CorpusRankings, &CompileMemory),
        variants: &[GuardVariant],
    ) -> anyhow::Result<()> {
        if let Some(search) = plan.search
            && !draft.oracle.gold[step].is_empty()
        {
            let phrasings = plan.oracle_queries.iter().zip(search.queries);
            draft.quality[step] = phrasings
                .map(|(ask, query)| RetrievalQuality {
                    weight: query.weight,
                    ranking: search.ranking(answers, ask).to_vec(),
                })
                .collect();
        }
        for input in &plan.inputs {
            let site = RowContext { step, input, plan, answers };
            let before = draft.text_bytes;
            // A step that does not run has no output for guards to look at.
            match input.need {
                SearchNeed::NotRun(_) => {
                    let row = self.row(draft, &site);
                    self.push_plain(draft, &site, row);
                    self.reserve_text(
                        held,
                        (draft, step),
                        (draft.text_bytes, draft.text_bytes - before),
                    )?;
                    continue;
                }
                _ if self.guarded(step) => self.push_guarded(draft, &site, variants),
                _ => {
                    let row = self.row(draft, &site);
                    self.push_plain(draft, &site, row);
                }
            }
            if input.reachable_by_repairs && self.has_oracle_inputs(draft, step, &input.tokens) {
                self.push_misses(draft, &site);
            }
            self.reserve_text(held, (draft, step), (draft.text_bytes, draft.text_bytes - before))?;
        }
        Ok(())
    }

    /// The branches that [`CompileContext::rows`] gives a row, without its counterfactual rows.
    pub(super) fn row_branches(
        &self,
        draft: &TaskBuilder,
        site: &RowContext,
    ) -> Vec<GuardedBranch> {
        let held = matches!(site.input.need, SearchNeed::NotRun(_));
        if held || !self.guarded(site.step) {
            let row = self.row(draft, site);
            return row.branches.into_iter().map(GuardedBranch::unguarded).collect();
        }
        let given = vec![GuardSetting::AsDeclared; self.scenario.steps[site.step].guards.len()];
        self.follow_alarms(draft, site, &given, &self.first_attempt(draft, site).branches)
    }

    /// The row of an input, without guards.
    fn row(&self, draft: &TaskBuilder, site: &RowContext) -> StepRow {
        let RowContext { step, input, plan, answers } = *site;
        let (asks, search) = match (&input.need, &plan.search) {
            (SearchNeed::Search(asks), Some(search)) => (asks, search),
            (SearchNeed::NotRun(gate), _) => {
                return StepRow::from(deterministic_steps::gated_row(*gate).unwrap_or_default());
            }
            (SearchNeed::Unrenderable, Some(search)) => {
                return self.unrenderable_row(draft, step, search, &plan.oracle_queries);
            }
            _ => return self.deterministic_row(draft, step, &input.tokens),
        };
        let target = self.target(draft, step, search.retrieve);
        let right: Vec<Vec<u32>> =
            plan.oracle_queries.iter().map(|ask| search.top_passages(answers, ask)).collect();
        let phrasings: Vec<PhrasingResult> = asks
            .iter()
            .enumerate()
            .map(|ask| {
                phrasing_result(search, answers, target, ask, right.get(ask.0).map(Vec::as_slice))
            })
            .collect();
        crate::step::retrieve::retrieval_row(target, &phrasings)
    }

    /// The row of an input on which no query can be rendered.
    pub(super) fn unrenderable_row(
        &self,
        draft: &TaskBuilder,
        step: usize,
        search: &StepSearch,
        right: &[SearchQuery],
    ) -> StepRow {
        // If the oracle never queries, a miss counts as induced, and so does this failure.
        let asks = matches!(draft.oracle.outputs[step], Some(StepOutput::Context(_)));
        self.target(draft, step, search.retrieve).unrenderable_row(asks && right.is_empty())
    }

    /// The possible results of the first attempt, with what guards can observe of each.
    pub(super) fn first_attempt<'b>(
        &'b self,
        draft: &TaskBuilder,
        site: &RowContext,
    ) -> FirstAttempt<'b> {
        let (SearchNeed::Search(asks), Some(search)) = (&site.input.need, &site.plan.search) else {
            let row = self.row(draft, site);
            return FirstAttempt {
                branches: row
                    .branches
                    .into_iter()
                    .map(|branching| self.observe_result(site.step, branching))
                    .collect(),
                wrong: row
                    .error_branches
                    .into_iter()
                    .map(|branching| self.observe_result(site.step, branching))
                    .collect(),
                repair: row.repair,
            };
        };
        let mut first = FirstAttempt { branches: Vec::new(), wrong: Vec::new(), repair: None };
        // Phrasings are not merged, because scores differ between them even for equal passages.
        for (i, ask) in asks.iter().enumerate() {
            let row = self.phrasing_row(draft, site, search, &site.plan.oracle_queries, (i, ask));
            first.repair = first.repair.or(row.repair);
            let tried = |branching: StepBranch| AttemptResult {
                phrasing: Some(i),
                ..self.observe_search_result(site, search, ask, branching)
            };
            first.branches.extend(row.branches.into_iter().map(tried));
            first.wrong.extend(row.error_branches.into_iter().map(tried));
        }
        if first.repair.is_some() {
            first.wrong.clear(); // it errs as it is
        }
        first
    }

    pub(super) fn target<'b>(
        &'b self,
        draft: &'b TaskBuilder,
        step: usize,
        retrieve: &RetrieveStep,
    ) -> RetrievalTarget<'b> {
        RetrievalTarget {
            corpus: &self.scenario.corpora[self.arm.corpora[retrieve.corpus]],
            gold: &draft.oracle.gold[step],
            fields: &self.fields[step],
        }
    }

    /// Whether the inputs of a step equal the oracle's.
    fn has_oracle_inputs(&self, draft: &TaskBuilder, step: usize, inputs: &[u32]) -> bool {
        let seen = draft.visible_outputs(step, inputs);
        let parents = draft.kernels[step].parents();
        parents.iter().all(|&p| seen[p] == draft.oracle.outputs[p].as_ref())
    }

    /// Adds the counterfactual rows in which the step misses. Their contexts start with the best passage of each kind,
    /// followed by the passages other than gold that the oracle's query finds.
    fn push_misses(&self, draft: &mut TaskBuilder, site: &RowContext) {
        let RowContext { step, plan, answers, .. } = *site;
        let Some(search) = &plan.search else {
            return;
        };
        for (kind, asks) in &plan.misses {
            let phrasings = asks.iter().zip(&plan.oracle_queries).zip(search.queries).enumerate();
            let attempts = phrasings.filter_map(|(i, ((best, rest), query))| {
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
                    _ => first.into_iter().chain(others).take(search.settings.top_k).collect(),
                };
                let empty = context.is_empty();
                let output = Some(StepOutput::Context(context));
                let branching = StepBranch::new(output, StepEvent::OwnMiss(*kind), query.weight);
                let mut tried = self.observe_search_result(site, search, rest, branching);
                tried.phrasing = Some(i);
                // If the oracle's query does not rank this passage, its score comes from the search restricted to its
                // kind.
                let known = search.ranking(answers, rest).iter().map(|hit| hit.passage);
                if let (Some(hit), false) =
                    (best, empty || known.into_iter().any(|p| Some(p) == first))
                {
                    tried.observation.scores.insert(0, hit.score);
                }
                Some(tried)
            });
            let attempts: Vec<AttemptResult> = attempts.collect();
            if attempts.is_empty() {
                continue;
            }
            let handled = if self.guarded(step) {
                let given = vec![GuardSetting::AsDeclared; self.scenario.steps[step].guards.len()];
                self.follow_alarms(draft, site, &given, &attempts)
            } else {
                attempts
                    .into_iter()
                    .map(|tried| GuardedBranch::unguarded(tried.branching))
                    .collect()
            };
            self.push_detour(draft, step, miss_intervention_id(*kind), handled);
        }
    }

    /// The row of a step that needs no search.
    fn deterministic_row(&self, draft: &TaskBuilder, step: usize, inputs: &[u32]) -> StepRow {
        let seen = draft.visible_outputs(step, inputs);
        let values = deterministic_steps::values(&seen);
        let env = EvalEnvironment { task: Some(draft.task), passage: None, steps: &values };
        match &self.scenario.steps[step].kind {
            PipelineStepKind::Retrieve(_) => {
                let gold = &draft.oracle.gold[step];
                let event = if gold.is_empty() { StepEvent::NoGold } else { StepEvent::Hit };
                let context = StepOutput::Context(gold.iter().copied().collect());
                StepBranch::certain(context, event).into()
            }
            PipelineStepKind::Read { from, field } => match seen[*from] {
                Some(StepOutput::Context(context)) => self.read(draft, *from, step, field, context),
                _ => StepBranch::certain(StepOutput::Missing, StepEvent::Failed).into(),
            },
            PipelineStepKind::Lookup { table, key, column } => {
                deterministic_steps::lookup(&self.scenario.tables[*table], key, column, &env).into()
            }
            PipelineStepKind::Compute(expr) => deterministic_steps::compute(expr, &env).into(),
            PipelineStepKind::Act { rules, .. } => deterministic_steps::act(rules, &env).into(),
        }
    }

    /// The row for reading a field from passages.
    pub(super) fn read(
        &self,
        draft: &TaskBuilder,
        from: usize,
        step: usize,
        field: &str,
        context: &[u32],
    ) -> StepRow {
        match self.reading(draft, from, step, field, context) {
            Some(reading) => self.reading_row(draft, step, &reading),
            None => StepBranch::certain(StepOutput::Missing, StepEvent::Failed).into(),
        }
    }

    /// The row of a reading: simulated, or as a language model answered it.
    fn reading_row(&self, draft: &TaskBuilder, step: usize, reading: &FieldReading) -> StepRow {
        let reader = match &self.odds.reader {
            ArmReaderModel::Simulated(model) => return reader::reading_row(model, reading),
            ArmReaderModel::Asked(reader) => *reader,
        };
        let Some(corpus) = self.corpus(step) else { return StepRow::default() };
        let question = reading_answers::question(self.scenario, step, draft.task);
        let context = reading.context.into();
        let key = ReadingKey { reader, step, corpus, question, context };
        match self.readings.get(draft.task, key) {
            Some(KnownReading::Answered(replies)) => reader::answered_row(reading, &replies),
            Some(KnownReading::AssumedRight) => reader::errorless_row(reading),
            // It is asked for before the next pass over these rows.
            None => StepBranch::certain(StepOutput::Missing, StepEvent::Abstained).into(),
        }
    }

    /// The reading at a step; `None` if it does not read from a retrieve step.
    pub(super) fn reading<'r>(
        &'r self,
        draft: &'r TaskBuilder,
        from: usize,
        step: usize,
        field: &'r str,
        context: &'r [u32],
    ) -> Option<FieldReading<'r>> {
        let PipelineStepKind::Retrieve(retrieve) = &self.scenario.steps[from].kind else {
            return None;
        };
        let corpus = &self.scenario.corpora[self.arm.corpora[retrieve.corpus]];
        let gold = &draft.oracle.gold[from];
        Some(FieldReading { corpus, gold, field, pool: self.pools[step].as_ref()?, context })
    }
}

/// The result of one phrasing on the actual input; `right` is its truncated ranking on the oracle's input.
pub(super) fn phrasing_result<'r>(
    search: &StepSearch,
    answers: &CorpusRankings,
    target: RetrievalTarget,
    (at, ask): (usize, &SearchQuery),
    right: Option<&'r [u32]>,
) -> PhrasingResult<'r> {
    let passages = search.ranking(answers, ask).iter().map(|hit| hit.passage);
    let without = passages.filter(|p| !target.gold.contains(p));
    PhrasingResult {
        weight: search.queries[at].weight,
        ranking: search.top_passages(answers, ask),
        without_gold: without.take(search.settings.top_k).collect(),
        oracle_ranking: right,
    }
}
