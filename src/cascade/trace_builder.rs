//! Builds the trace of one run: the branches that a trial takes, and what they mean.

use std::collections::BTreeSet;

use super::causes;
use super::evidence_sentence;
use super::trace::{
    AlarmTrace, DocumentTrace, EvidenceTrace, ReadingTrace, RetrievalTrace, RunTrace,
    StepResultTrace, StepTrace,
};
use crate::compile::search_cache::{SearchCache, SearchQuery, SearchScope};
use crate::compile::{CompiledTask, StepSearch};
use crate::expr::CorpusIndex;
use crate::kernel::monte_carlo::{ReplayedRun, replay};
use crate::kernel::{Intervention, KernelBranch, STOP, rng};
use crate::retrieve::PassageHit;
use crate::scenario::{
    GuardRetry, PipelineStep, PipelineStepKind, RetrieveStep, Scenario, ScenarioArm,
};
use crate::step::deterministic_steps::{self, StepGate};
use crate::step::guard::{GuardResolution, GuardTrace};
use crate::step::{OutputState, RunOutcome, StepEvent, StepOutput};
use crate::world::{Corpus, Task};

/// One task compiled under one arm. Its kernels need the rows that the trial visits under repairs: kernels with a
/// trellis have all of them, and past the cap those compiled with [`CompileQuestion::Trial`](crate::compile::CompileQuestion::Trial)
/// do.
#[derive(Clone, Copy)]
pub struct TraceCase<'a> {
    pub scenario: &'a Scenario,
    /// `indices[c]` belongs to `scenario.corpora[c]`.
    pub indices: &'a [CorpusIndex],
    pub arm: &'a ScenarioArm,
    pub task: &'a Task,
    pub compiled: &'a CompiledTask,
    /// P(failure) of the task under the arm.
    pub p_failure: f64,
}

/// The keys of a task's random draws, by step.
pub fn draw_keys(scenario: &Scenario, task: &Task) -> Vec<u64> {
    scenario
        .steps
        .iter()
        .map(|step| rng::key(scenario.simulation.seed, &task.id, &step.id))
        .collect()
}

/// Traces a trial. Searches that were made to compile the case are not repeated.
///
/// # Errors
/// A trial that the kernels have no rows for, and errors of the retriever.
pub fn build_trace(
    case: &TraceCase,
    searches: &mut SearchCache,
    trial: u32,
) -> anyhow::Result<RunTrace> {
    let TraceCase { scenario, arm, task, compiled, .. } = *case;
    let model = &compiled.model;
    let keys = draw_keys(scenario, task);
    let nothing = vec![Intervention::Nothing; scenario.steps.len()];
    let Some(run) = replay(model, &keys, trial, &nothing) else {
        anyhow::bail!(
            "task '{}', arm '{}': nothing was compiled for trial {trial}",
            task.id,
            arm.id
        );
    };
    let told = TraceBuilder { case: *case, branches: branches(compiled, &run) };
    let mut steps = Vec::with_capacity(scenario.steps.len());
    for at in 0..scenario.steps.len() {
        steps.push(told.step(searches, at)?);
    }
    let right: Vec<Option<&StepOutput>> =
        compiled.oracle.outputs.iter().map(Option::as_ref).collect();
    let fields = task.fields.iter().map(|(name, value)| (name.clone(), value.to_string()));
    Ok(RunTrace {
        scenario: scenario.name.clone(),
        arm: arm.id.clone(),
        task: task.id.clone(),
        unit: scenario.unit_of(task),
        fields: fields.collect(),
        trial,
        outcome: RunOutcome::ALL[usize::from(run.outcome)],
        p_failure: case.p_failure,
        action: action(scenario, &told.outputs()),
        right_action: action(scenario, &right),
        steps,
        causes: causes::but_for(model, &keys, trial),
    })
}

/// The branches that a run takes, with their indices; `None` after a stop.
fn branches<'a>(
    compiled: &'a CompiledTask,
    run: &ReplayedRun,
) -> Vec<Option<(usize, &'a KernelBranch)>> {
    let taken = run.taken.iter().zip(&compiled.model.kernels);
    taken.map(|(taken, kernel)| Some(((*taken)?, &kernel.branches()[(*taken)?]))).collect()
}

/// The labels of act steps, joined by `+`: `none` if no rule chose one, and `stopped` last if the run ended before all
/// of them.
fn action(scenario: &Scenario, outputs: &[Option<&StepOutput>]) -> String {
    let steps = scenario.steps.iter().zip(outputs);
    let acts = steps.filter(|(step, _)| matches!(step.kind, PipelineStepKind::Act { .. }));
    let acts: Vec<Option<&StepOutput>> = acts.map(|(_, output)| *output).collect();
    let labels = acts.iter().flatten().map(|output| match output {
        StepOutput::Action(label) => label.clone(),
        _ => "none".to_owned(),
    });
    let stopped = acts.iter().any(Option::is_none).then(|| "stopped".to_owned());
    labels.chain(stopped).collect::<Vec<_>>().join("+")
}

/// A run with its case.
struct TraceBuilder<'a> {
    case: TraceCase<'a>,
    branches: Vec<Option<(usize, &'a KernelBranch)>>,
}

impl<'a> TraceBuilder<'a> {
    /// The output of a step; `None` if the run stopped at it or before.
    fn output(&self, at: usize) -> Option<&'a StepOutput> {
        // The token of a stop is past all others, so it has no output.
        self.case.compiled.outputs[at].get(self.branches[at]?.1.token as usize)
    }

    /// The output of a step, or the one that a guard held back.
    fn output_or_held(&self, at: usize) -> Option<&'a StepOutput> {
        self.output(at).or_else(|| Some(&self.trail(at)?.alarms.last()?.rejected))
    }

    /// What guards did on the way to a step's output.
    fn trail(&self, at: usize) -> Option<&'a GuardTrace> {
        let (place, _) = self.branches[at]?;
        let trails = &self.case.compiled.traces[at];
        let found = trails.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(&trails[found].1)
    }

    /// The search that found what a step has in hand: its own, or that of its last attempt, with the phrasing if it is
    /// known; `None` for a step that does not search itself.
    fn search(&self, at: usize) -> Option<(StepSearch<'a>, Option<usize>)> {
        let TraceCase { scenario, arm, .. } = self.case;
        let trail = self.trail(at);
        let Some((guard, turn)) = trail.and_then(|trail| trail.attempt) else {
            return Some((
                StepSearch::of(scenario, arm, at)?,
                trail.and_then(|trail| trail.phrasing),
            ));
        };
        let step = &scenario.steps[at];
        let from = match step.kind {
            PipelineStepKind::Read { from, .. } => from,
            _ => at,
        };
        let retry = &step.guards[guard].retries[turn];
        let search =
            StepSearch::of(scenario, arm, from).filter(|_| from == at || retry.searches())?;
        Some((search.with_retry(retry), trail.and_then(|trail| trail.phrasing)))
    }

    fn outputs(&self) -> Vec<Option<&'a StepOutput>> {
        (0..self.branches.len()).map(|at| self.output(at)).collect()
    }

    fn event(&self, at: usize) -> Option<StepEvent> {
        Some(StepEvent::from_code(self.branches[at]?.1.event))
    }

    fn step(&self, searches: &mut SearchCache, at: usize) -> anyhow::Result<StepTrace> {
        let TraceCase { scenario, compiled, .. } = self.case;
        let step = &scenario.steps[at];
        let oracle = &compiled.oracle;
        let right = oracle.outputs[at].as_ref();
        let corpus = |retrieve: &RetrieveStep| self.corpus(retrieve);
        let done = self.branches[at].zip(self.event(at)).map(|((_, branch), event)| {
            let output = self.output_or_held(at);
            let false_alarm = (event == StepEvent::FalseAlarm).then_some(event);
            StepResultTrace {
                alarm: StepEvent::from_guards(branch.guarded).or(false_alarm).map(StepEvent::name),
                alarms: self.alarms(at),
                event,
                fault: branch.fault,
                output: output.map(|output| output_text(output, step, &corpus)),
                stopped: branch.token == STOP,
                state: OutputState::of(output, right, &oracle.gold[at]),
            }
        });
        let (mut retrieval, mut reading) = (None, None);
        match &step.kind {
            PipelineStepKind::Retrieve(retrieve) => {
                retrieval = self.retrieval(searches, at, retrieve)?
            }
            PipelineStepKind::Read { from, field } => {
                reading = self.reading(searches, at, *from, field)?;
            }
            _ => {}
        }
        Ok(StepTrace {
            step: step.id.clone(),
            kind: kind_name(step),
            parents: step.parents.clone(),
            done,
            right: right.map(|output| output_text(output, step, &corpus)),
            retrieval,
            reading,
        })
    }

    fn corpus(&self, retrieve: &RetrieveStep) -> &'a Corpus {
        &self.case.scenario.corpora[self.case.arm.corpora[retrieve.corpus]]
    }

    /// What the guards of a step held back, and what was done about it.
    fn alarms(&self, at: usize) -> Vec<AlarmTrace> {
        let Some(trail) = self.trail(at) else {
            return Vec::new();
        };
        let TraceCase { scenario, .. } = self.case;
        let step = &scenario.steps[at];
        let names = step.guard_names();
        // Each guard uses its retries in order, so its n-th alarm led to its n-th retry.
        let mut turns = vec![0; step.guards.len()];
        let told = trail.alarms.iter().map(|alarm| {
            let turn = turns[alarm.guard];
            turns[alarm.guard] += 1;
            let then = match (step.guards[alarm.guard].retries.get(turn), trail.end) {
                (Some(retry), _) => retry_text(scenario, retry),
                (None, GuardResolution::Escalated) => "a person settled it".to_owned(),
                (None, _) => "the run stopped".to_owned(),
            };
            AlarmTrace {
                guard: names[alarm.guard].clone(),
                held: output_text(&alarm.rejected, step, &|retrieve: &RetrieveStep| {
                    self.corpus(retrieve)
                }),
                right: alarm.right,
                then,
            }
        });
        told.collect()
    }

    /// The query and the results of a retrieve step at its last attempt; `None` if it passed nothing on.
    fn retrieval(
        &self,
        searches: &mut SearchCache,
        at: usize,
        retrieve: &RetrieveStep,
    ) -> anyhow::Result<Option<RetrievalTrace>> {
        let TraceCase { scenario, indices, arm, compiled, .. } = self.case;
        let (Some(StepOutput::Context(context)), Some((search, words))) =
            (self.output_or_held(at), self.search(at))
        else {
            return Ok(None);
        };
        let asked = self.queries(at, &search, &self.outputs());
        if asked.is_empty() {
            return Ok(None);
        }
        let corpus = arm.corpora[retrieve.corpus];
        let found =
            searches.search(scenario, indices, search.settings.embedder, corpus, asked.iter())?;
        // Phrasings that find the same are one branch: the likeliest one represents them.
        let mut chosen: Option<usize> = None;
        for (i, ask) in asked.iter().enumerate() {
            let hits = found.get(ask).into_iter().flatten().take(search.settings.top_k);
            let brings = hits.map(|hit| hit.passage).eq(context.iter().copied());
            let (queries, weight) = (&search.queries, search.queries[i].weight);
            if brings && chosen.is_none_or(|best| queries[best].weight < weight) {
                chosen = Some(i);
            }
        }
        let chosen = words.or(chosen).unwrap_or_default();
        let ask = &asked[chosen];
        let ranking = found.get(ask).map_or(&[][..], Vec::as_slice);
        let right = self.queries(at, &search, &self.oracle_outputs());
        let right = right.get(chosen).filter(|right| right.query != ask.query);
        let gold = &compiled.oracle.gold[at];
        Ok(Some(RetrievalTrace {
            embedder: scenario.embedders[search.settings.embedder].name.clone(),
            corpus: scenario.corpora[corpus].name.clone(),
            top_k: search.settings.top_k,
            entity: match &ask.scope {
                SearchScope::Entity(entity) => Some(entity.clone()),
                _ => None,
            },
            query: ask.query.clone(),
            right_query: right.map(|right| right.query.clone()),
            documents: context
                .iter()
                .map(|&passage| self.document(retrieve, gold, ranking, passage))
                .collect(),
            missed: gold
                .iter()
                .filter(|p| !context.contains(p))
                .map(|&passage| self.document(retrieve, gold, ranking, passage))
                .collect(),
        }))
    }

    fn oracle_outputs(&self) -> Vec<Option<&'a StepOutput>> {
        self.case.compiled.oracle.outputs.iter().map(Option::as_ref).collect()
    }

    /// The query of each phrasing, from what the step sees of `outputs`; empty if one has no value.
    fn queries(
        &self,
        at: usize,
        search: &StepSearch,
        outputs: &[Option<&StepOutput>],
    ) -> Vec<SearchQuery> {
        let TraceCase { scenario, task, .. } = self.case;
        let step = &scenario.steps[at];
        let mut seen = vec![None; outputs.len()];
        for &parent in &step.parents {
            seen[parent] = outputs[parent];
        }
        if deterministic_steps::gate(step, task, &seen) != StepGate::Run {
            return Vec::new();
        }
        search.render_queries(task, &seen).unwrap_or_default()
    }

    fn document(
        &self,
        retrieve: &RetrieveStep,
        gold: &BTreeSet<u32>,
        ranking: &[PassageHit],
        passage: u32,
    ) -> DocumentTrace {
        let rank = ranking.iter().position(|hit| hit.passage == passage);
        let of = &self.corpus(retrieve).passages[passage as usize];
        DocumentTrace {
            id: of.id.clone(),
            rank: rank.map(|rank| rank + 1),
            score: rank.map(|rank| ranking[rank].score),
            gold: gold.contains(&passage),
            entity: of.entity.clone(),
            attribute: of.attribute.clone(),
            variant: of.variant,
            text: of.text.clone(),
        }
    }

    /// Where a read step's value comes from, and where the right one is stated.
    fn reading(
        &self,
        searches: &mut SearchCache,
        at: usize,
        from: usize,
        field: &str,
    ) -> anyhow::Result<Option<ReadingTrace>> {
        let (PipelineStepKind::Retrieve(retrieve), Some(event)) =
            (&self.case.scenario.steps[from].kind, self.event(at))
        else {
            return Ok(None);
        };
        let gold = &self.case.compiled.oracle.gold[from];
        let corpus = self.corpus(retrieve);
        let stated = |p: u32| corpus.passages[p as usize].facts.get(field);
        let context = self.passages_in_hand(searches, at, from)?;
        let read = self.output_or_held(at).and_then(StepOutput::value);
        let mut stating = context.iter().copied().filter(|&p| stated(p).is_some());
        let read_right = stating.clone().find(|p| gold.contains(p));
        let followed = match event {
            StepEvent::Clean => read_right,
            StepEvent::Distracted => stating.find(|&p| !gold.contains(&p) && stated(p) == read),
            // Any passage in hand may have been misread; gold is by far the likeliest.
            StepEvent::Misread => read_right.or_else(|| stating.find(|&p| stated(p) != read)),
            _ => None,
        };
        let right = gold.iter().copied().find(|&p| stated(p).is_some());
        let search = StepSearch::of(self.case.scenario, self.case.arm, from);
        let queries = search.map(|search| self.queries(from, &search, &self.oracle_outputs()));
        let query = queries.and_then(|asks| asks.into_iter().next());
        let query = query.map_or_else(String::new, |ask| ask.query);
        let [followed, right] = [followed, right].map(|p| {
            let p = p? as usize;
            let passage = &corpus.passages[p];
            let value = passage.facts.get(field)?;
            let hint = format!("{} {}", field.replace('_', " "), query);
            let sentence = match corpus.extracted_at(field, p) {
                Some(range) => evidence_sentence::sentence_at(&passage.text, range.start),
                None => evidence_sentence::sentence_stating(&passage.text, value, &hint),
            };
            Some(EvidenceTrace {
                passage: passage.id.clone(),
                entity: passage.entity.clone(),
                value: value.to_string(),
                sentence: sentence.to_owned(),
            })
        });
        Ok(Some(ReadingTrace { field: field.to_owned(), from: followed, gold: right }))
    }

    /// The passages that a read step had in hand at its last attempt.
    fn passages_in_hand(
        &self,
        searches: &mut SearchCache,
        at: usize,
        from: usize,
    ) -> anyhow::Result<Vec<u32>> {
        let TraceCase { scenario, indices, arm, .. } = self.case;
        if let Some((search, Some(words))) = self.search(at)
            && let Some(ask) = self.queries(at, &search, &self.outputs()).get(words)
        {
            let corpus = arm.corpora[search.retrieve.corpus];
            let with = search.settings;
            let found =
                searches.search(scenario, indices, with.embedder, corpus, std::iter::once(ask))?;
            let hits = found.get(ask).into_iter().flatten().take(with.top_k);
            return Ok(hits.map(|hit| hit.passage).collect());
        }
        Ok(match self.output(from) {
            Some(StepOutput::Context(context)) => context.clone(),
            _ => Vec::new(),
        })
    }
}

/// A further attempt, described in words.
fn retry_text(scenario: &Scenario, retry: &GuardRetry) -> String {
    let mut changed = Vec::new();
    changed.extend(retry.embedder.map(|e| format!("with {}", scenario.embedders[e].name)));
    changed.extend(retry.top_k.map(|k| format!("for {k} passages")));
    changed.extend(
        retry
            .entity_filter
            .map(|on| (if on { "within the entity" } else { "in the whole corpus" }).to_owned()),
    );
    if !retry.queries.is_empty() {
        changed.push("in other words".to_owned());
    }
    if changed.is_empty() {
        return "it was read again".to_owned();
    }
    format!("it was searched again {}", changed.join(", "))
}

fn kind_name(step: &PipelineStep) -> &'static str {
    match step.kind {
        PipelineStepKind::Retrieve(_) => "retrieve",
        PipelineStepKind::Read { .. } => "read",
        PipelineStepKind::Lookup { .. } => "lookup",
        PipelineStepKind::Compute(_) => "compute",
        PipelineStepKind::Act { .. } => "act",
    }
}

/// An output as text; passages are given by their ids.
fn output_text<'c>(
    output: &StepOutput,
    step: &PipelineStep,
    corpus: &dyn Fn(&RetrieveStep) -> &'c Corpus,
) -> String {
    match output {
        StepOutput::Missing => "missing".to_owned(),
        StepOutput::Skipped => "skipped".to_owned(),
        StepOutput::Value(value) => value.to_string(),
        StepOutput::Action(label) => label.clone(),
        StepOutput::Context(passages) => {
            let PipelineStepKind::Retrieve(retrieve) = &step.kind else {
                return String::new();
            };
            let passages = passages.iter().map(|&p| &corpus(retrieve).passages[p as usize]);
            passages.map(|passage| passage.id.as_str()).collect::<Vec<_>>().join(", ")
        }
    }
}
