//! Builds the trace of one run: the branches that a trial takes, and what they mean.

use std::collections::BTreeSet;

use super::causes;
use super::sentence;
use super::trace::{
    AlarmTrace, Document, Done, Evidence, ReadingTrace, RetrievalTrace, StepTrace, Trace,
};
use crate::compile::search::{Among, Ask, Searches};
use crate::compile::{Compiled, Search};
use crate::expr::CorpusIndex;
use crate::kernel::monte_carlo::{Run, replay};
use crate::kernel::{Branch, Do, STOP, rng};
use crate::retrieve::Hit;
use crate::scenario::{Arm, Retrieve, Retry, Scenario, Step, StepKind};
use crate::step::guard::{End, Trail};
use crate::step::settle::{self, Gate};
use crate::step::{Event, Outcome, Output, State};
use crate::world::{Corpus, Task};

/// One task compiled under one arm. Its kernels need the rows that the trial visits under repairs: kernels with a
/// trellis have all of them, and past the cap those compiled with [`Question::Trial`](crate::compile::Question::Trial)
/// do.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub scenario: &'a Scenario,
    /// `indices[c]` belongs to `scenario.corpora[c]`.
    pub indices: &'a [CorpusIndex],
    pub arm: &'a Arm,
    pub task: &'a Task,
    pub compiled: &'a Compiled,
    /// P(failure) of the task under the arm.
    pub p_failure: f64,
}

/// The keys of a task's random draws, by step.
pub fn keys(scenario: &Scenario, task: &Task) -> Vec<u64> {
    let key = |step: &Step| rng::key(scenario.simulation.seed, &task.id, &step.id);
    scenario.steps.iter().map(key).collect()
}

/// Traces a trial. Searches that were made to compile the case are not repeated.
///
/// # Errors
/// A trial that the kernels have no rows for, and errors of the retriever.
pub fn tell(case: &Case, searches: &mut Searches, trial: u32) -> anyhow::Result<Trace> {
    let Case { scenario, arm, task, compiled, .. } = *case;
    let model = &compiled.model;
    let keys = keys(scenario, task);
    let nothing = vec![Do::Nothing; scenario.steps.len()];
    let Some(run) = replay(model, &keys, trial, &nothing) else {
        anyhow::bail!(
            "task '{}', arm '{}': nothing was compiled for trial {trial}",
            task.id,
            arm.id
        );
    };
    let told = Told { case: *case, branches: branches(compiled, &run) };
    let mut steps = Vec::with_capacity(scenario.steps.len());
    for at in 0..scenario.steps.len() {
        steps.push(told.step(searches, at)?);
    }
    let right: Vec<Option<&Output>> = compiled.oracle.outputs.iter().map(Option::as_ref).collect();
    let fields = task.fields.iter().map(|(name, value)| (name.clone(), value.to_string()));
    Ok(Trace {
        scenario: scenario.name.clone(),
        arm: arm.id.clone(),
        task: task.id.clone(),
        unit: scenario.unit_of(task),
        fields: fields.collect(),
        trial,
        outcome: Outcome::ALL[usize::from(run.outcome)],
        p_failure: case.p_failure,
        action: action(scenario, &told.outputs()),
        right_action: action(scenario, &right),
        steps,
        causes: causes::but_for(model, &keys, trial),
    })
}

/// The branches that a run takes, with their indices; `None` after a stop.
fn branches<'a>(compiled: &'a Compiled, run: &Run) -> Vec<Option<(usize, &'a Branch)>> {
    let taken = run.taken.iter().zip(&compiled.model.kernels);
    taken.map(|(taken, kernel)| Some(((*taken)?, &kernel.branches()[(*taken)?]))).collect()
}

/// The labels of act steps, joined by `+`: `none` if no rule chose one, and `stopped` last if the run ended before all
/// of them.
fn action(scenario: &Scenario, outputs: &[Option<&Output>]) -> String {
    let steps = scenario.steps.iter().zip(outputs);
    let acts = steps.filter(|(step, _)| matches!(step.kind, StepKind::Act { .. }));
    let acts: Vec<Option<&Output>> = acts.map(|(_, output)| *output).collect();
    let label = |output: &&Output| match output {
        Output::Action(label) => label.clone(),
        _ => "none".to_owned(),
    };
    let labels = acts.iter().flatten().map(label);
    let stopped = acts.iter().any(Option::is_none).then(|| "stopped".to_owned());
    labels.chain(stopped).collect::<Vec<_>>().join("+")
}

/// A run with its case.
struct Told<'a> {
    case: Case<'a>,
    branches: Vec<Option<(usize, &'a Branch)>>,
}

impl<'a> Told<'a> {
    /// The output of a step; `None` if the run stopped at it or before.
    fn output(&self, at: usize) -> Option<&'a Output> {
        // The token of a stop is past all others, so it has no output.
        self.case.compiled.outputs[at].get(self.branches[at]?.1.token as usize)
    }

    /// The output of a step, or the one that a guard held back.
    fn made(&self, at: usize) -> Option<&'a Output> {
        let held = || Some(&self.trail(at)?.alarms.last()?.held);
        self.output(at).or_else(held)
    }

    /// What guards did on the way to a step's output.
    fn trail(&self, at: usize) -> Option<&'a Trail> {
        let (place, _) = self.branches[at]?;
        let trails = &self.case.compiled.trails[at];
        let found = trails.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(&trails[found].1)
    }

    /// The search that found what a step has in hand: its own, or that of its last attempt, with the phrasing if it is
    /// known; `None` for a step that does not search itself.
    fn search(&self, at: usize) -> Option<(Search<'a>, Option<usize>)> {
        let Case { scenario, arm, .. } = self.case;
        let trail = self.trail(at);
        let Some((guard, turn)) = trail.and_then(|trail| trail.attempt) else {
            return Some((Search::of(scenario, arm, at)?, trail.and_then(|trail| trail.phrasing)));
        };
        let step = &scenario.steps[at];
        let from = match step.kind {
            StepKind::Read { from, .. } => from,
            _ => at,
        };
        let retry = &step.guards[guard].retries[turn];
        let search = Search::of(scenario, arm, from).filter(|_| from == at || retry.searches())?;
        Some((search.changed(retry), trail.and_then(|trail| trail.phrasing)))
    }

    fn outputs(&self) -> Vec<Option<&'a Output>> {
        (0..self.branches.len()).map(|at| self.output(at)).collect()
    }

    fn event(&self, at: usize) -> Option<Event> {
        Some(Event::of_code(self.branches[at]?.1.event))
    }

    fn step(&self, searches: &mut Searches, at: usize) -> anyhow::Result<StepTrace> {
        let Case { scenario, compiled, .. } = self.case;
        let step = &scenario.steps[at];
        let oracle = &compiled.oracle;
        let right = oracle.outputs[at].as_ref();
        let corpus = |retrieve: &Retrieve| self.corpus(retrieve);
        let done = self.branches[at].zip(self.event(at)).map(|((_, branch), event)| {
            let output = self.made(at);
            let false_alarm = (event == Event::FalseAlarm).then_some(event);
            Done {
                alarm: Event::of_guards(branch.guarded).or(false_alarm).map(Event::name),
                alarms: self.alarms(at),
                event,
                fault: branch.fault,
                output: output.map(|output| text(output, step, &corpus)),
                stopped: branch.token == STOP,
                state: State::of(output, right, &oracle.gold[at]),
            }
        });
        let (mut retrieval, mut reading) = (None, None);
        match &step.kind {
            StepKind::Retrieve(retrieve) => retrieval = self.retrieval(searches, at, retrieve)?,
            StepKind::Read { from, field } => {
                reading = self.reading(searches, at, *from, field)?;
            }
            _ => {}
        }
        Ok(StepTrace {
            step: step.id.clone(),
            kind: kind(step),
            parents: step.parents.clone(),
            done,
            right: right.map(|output| text(output, step, &corpus)),
            retrieval,
            reading,
        })
    }

    fn corpus(&self, retrieve: &Retrieve) -> &'a Corpus {
        &self.case.scenario.corpora[self.case.arm.corpora[retrieve.corpus]]
    }

    /// What the guards of a step held back, and what was done about it.
    fn alarms(&self, at: usize) -> Vec<AlarmTrace> {
        let Some(trail) = self.trail(at) else {
            return Vec::new();
        };
        let Case { scenario, .. } = self.case;
        let step = &scenario.steps[at];
        let names = step.guard_names();
        // Each guard uses its retries in order, so its n-th alarm led to its n-th retry.
        let mut turns = vec![0; step.guards.len()];
        let told = trail.alarms.iter().map(|alarm| {
            let turn = turns[alarm.guard];
            turns[alarm.guard] += 1;
            let then = match (step.guards[alarm.guard].retries.get(turn), trail.end) {
                (Some(retry), _) => again(scenario, retry),
                (None, End::Settled) => "a person settled it".to_owned(),
                (None, _) => "the run stopped".to_owned(),
            };
            AlarmTrace {
                guard: names[alarm.guard].clone(),
                held: text(&alarm.held, step, &|retrieve: &Retrieve| self.corpus(retrieve)),
                right: alarm.right,
                then,
            }
        });
        told.collect()
    }

    /// The query and the results of a retrieve step at its last attempt; `None` if it passed nothing on.
    fn retrieval(
        &self,
        searches: &mut Searches,
        at: usize,
        retrieve: &Retrieve,
    ) -> anyhow::Result<Option<RetrievalTrace>> {
        let Case { scenario, indices, arm, compiled, .. } = self.case;
        let (Some(Output::Context(context)), Some((search, words))) =
            (self.made(at), self.search(at))
        else {
            return Ok(None);
        };
        let asked = self.asks(at, &search, &self.outputs());
        if asked.is_empty() {
            return Ok(None);
        }
        let corpus = arm.corpora[retrieve.corpus];
        let found = searches.find(scenario, indices, search.with.embedder, corpus, asked.iter())?;
        // Phrasings that find the same are one branch: the likeliest one represents them.
        let brings = |i: usize| {
            let hits = found.get(&asked[i]).into_iter().flatten().take(search.with.top_k);
            hits.map(|hit| hit.passage).eq(context.iter().copied())
        };
        let weight = |i: usize| search.queries[i].weight;
        let first_heaviest = |best: Option<usize>, i: usize| match best {
            Some(best) if weight(best) >= weight(i) => Some(best),
            _ => Some(i),
        };
        let chosen = (0..asked.len()).filter(|&i| brings(i)).fold(None, first_heaviest);
        let chosen = words.or(chosen).unwrap_or_default();
        let ask = &asked[chosen];
        let ranking = found.get(ask).map_or(&[][..], Vec::as_slice);
        let right = self.asks(at, &search, &self.rights());
        let right = right.get(chosen).filter(|right| right.query != ask.query);
        let gold = &compiled.oracle.gold[at];
        let document = |&passage: &u32| self.document(retrieve, gold, ranking, passage);
        Ok(Some(RetrievalTrace {
            embedder: scenario.embedders[search.with.embedder].name.clone(),
            corpus: scenario.corpora[corpus].name.clone(),
            top_k: search.with.top_k,
            entity: match &ask.among {
                Among::Entity(entity) => Some(entity.clone()),
                _ => None,
            },
            query: ask.query.clone(),
            right_query: right.map(|right| right.query.clone()),
            documents: context.iter().map(document).collect(),
            missed: gold.iter().filter(|p| !context.contains(p)).map(document).collect(),
        }))
    }

    fn rights(&self) -> Vec<Option<&'a Output>> {
        self.case.compiled.oracle.outputs.iter().map(Option::as_ref).collect()
    }

    /// The query of each phrasing, from what the step sees of `outputs`; empty if one has no value.
    fn asks(&self, at: usize, search: &Search, outputs: &[Option<&Output>]) -> Vec<Ask> {
        let Case { scenario, task, .. } = self.case;
        let step = &scenario.steps[at];
        let mut seen = vec![None; outputs.len()];
        for &parent in &step.parents {
            seen[parent] = outputs[parent];
        }
        if settle::gate(step, task, &seen) != Gate::Run {
            return Vec::new();
        }
        search.asks(task, &seen).unwrap_or_default()
    }

    fn document(
        &self,
        retrieve: &Retrieve,
        gold: &BTreeSet<u32>,
        ranking: &[Hit],
        passage: u32,
    ) -> Document {
        let rank = ranking.iter().position(|hit| hit.passage == passage);
        let of = &self.corpus(retrieve).passages[passage as usize];
        Document {
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
        searches: &mut Searches,
        at: usize,
        from: usize,
        field: &str,
    ) -> anyhow::Result<Option<ReadingTrace>> {
        let (StepKind::Retrieve(retrieve), Some(event)) =
            (&self.case.scenario.steps[from].kind, self.event(at))
        else {
            return Ok(None);
        };
        let gold = &self.case.compiled.oracle.gold[from];
        let corpus = self.corpus(retrieve);
        let stated = |p: u32| corpus.passages[p as usize].facts.get(field);
        let context = self.in_hand(searches, at, from)?;
        let read = self.made(at).and_then(Output::value);
        let mut stating = context.iter().copied().filter(|&p| stated(p).is_some());
        let read_right = stating.clone().find(|p| gold.contains(p));
        let followed = match event {
            Event::Clean => read_right,
            Event::Distracted => stating.find(|&p| !gold.contains(&p) && stated(p) == read),
            // Any passage in hand may have been misread; gold is by far the likeliest.
            Event::Misread => read_right.or_else(|| stating.find(|&p| stated(p) != read)),
            _ => None,
        };
        let right = gold.iter().copied().find(|&p| stated(p).is_some());
        let search = Search::of(self.case.scenario, self.case.arm, from);
        let queries = search.map(|search| self.asks(from, &search, &self.rights()));
        let query = queries.and_then(|asks| asks.into_iter().next());
        let query = query.map_or_else(String::new, |ask| ask.query);
        let evidence = |p: u32| {
            let passage = &corpus.passages[p as usize];
            let value = passage.facts.get(field)?;
            let hint = format!("{} {}", field.replace('_', " "), query);
            let sentence = match corpus.extracted_at(field, p as usize) {
                Some(range) => sentence::holding(&passage.text, range.start),
                None => sentence::stating(&passage.text, value, &hint),
            };
            Some(Evidence {
                passage: passage.id.clone(),
                entity: passage.entity.clone(),
                value: value.to_string(),
                sentence: sentence.to_owned(),
            })
        };
        Ok(Some(ReadingTrace {
            field: field.to_owned(),
            from: followed.and_then(evidence),
            gold: right.and_then(evidence),
        }))
    }

    /// The passages that a read step had in hand at its last attempt.
    fn in_hand(&self, searches: &mut Searches, at: usize, from: usize) -> anyhow::Result<Vec<u32>> {
        let Case { scenario, indices, arm, .. } = self.case;
        if let Some((search, Some(words))) = self.search(at)
            && let Some(ask) = self.asks(at, &search, &self.outputs()).get(words)
        {
            let corpus = arm.corpora[search.retrieve.corpus];
            let with = search.with;
            let found =
                searches.find(scenario, indices, with.embedder, corpus, std::iter::once(ask))?;
            let hits = found.get(ask).into_iter().flatten().take(with.top_k);
            return Ok(hits.map(|hit| hit.passage).collect());
        }
        Ok(match self.output(from) {
            Some(Output::Context(context)) => context.clone(),
            _ => Vec::new(),
        })
    }
}

/// A further attempt, described in words.
fn again(scenario: &Scenario, retry: &Retry) -> String {
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

fn kind(step: &Step) -> &'static str {
    match step.kind {
        StepKind::Retrieve(_) => "retrieve",
        StepKind::Read { .. } => "read",
        StepKind::Lookup { .. } => "lookup",
        StepKind::Compute(_) => "compute",
        StepKind::Act { .. } => "act",
    }
}

/// An output as text; passages are given by their ids.
fn text<'c>(output: &Output, step: &Step, corpus: &dyn Fn(&Retrieve) -> &'c Corpus) -> String {
    match output {
        Output::Missing => "missing".to_owned(),
        Output::Skipped => "skipped".to_owned(),
        Output::Value(value) => value.to_string(),
        Output::Action(label) => label.clone(),
        Output::Context(passages) => {
            let StepKind::Retrieve(retrieve) = &step.kind else {
                return String::new();
            };
            let passages = passages.iter().map(|&p| &corpus(retrieve).passages[p as usize]);
            passages.map(|passage| passage.id.as_str()).collect::<Vec<_>>().join(", ")
        }
    }
}
