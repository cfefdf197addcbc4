//! Tells one run: the branches that a trial takes, with what they stand for.

use std::collections::BTreeSet;

use super::causes;
use super::sentence;
use super::trace::{Document, Done, Evidence, ReadingTrace, RetrievalTrace, StepTrace, Trace};
use crate::compile::Compiled;
use crate::compile::search::{Among, Ask, Searches};
use crate::expr::{CorpusIndex, Env};
use crate::kernel::monte_carlo::{Run, replay};
use crate::kernel::{Branch, Do, rng};
use crate::retrieve::Hit;
use crate::scenario::{Arm, Retrieve, Scenario, Step, StepKind};
use crate::step::settle::{self, Gate};
use crate::step::{Event, Outcome, Output, State};
use crate::world::{Corpus, Task};

/// One task compiled under one arm. Its kernels need the rows that the trial visits under repairs:
/// any with a trellis have them, and past the cap those compiled with
/// [`Question::Trial`](crate::compile::Question::Trial).
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

/// The keys of a task's draws, one a step.
pub fn keys(scenario: &Scenario, task: &Task) -> Vec<u64> {
    let key = |step: &Step| rng::key(scenario.simulation.seed, &task.id, &step.id);
    scenario.steps.iter().map(key).collect()
}

/// Tells a trial. Searches that were made to compile the case are not made again.
///
/// # Errors
/// A trial that the kernels hold no rows for, and what the retriever reports.
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
    let unit = scenario.unit.as_ref().and_then(|unit| task.fields.get(unit));
    Ok(Trace {
        scenario: scenario.name.clone(),
        arm: arm.id.clone(),
        task: task.id.clone(),
        unit: unit.map_or_else(|| task.id.clone(), ToString::to_string),
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

/// The branches that a run takes, with their places; `None` after a stop.
fn branches<'a>(compiled: &'a Compiled, run: &Run) -> Vec<Option<(usize, &'a Branch)>> {
    let taken = run.taken.iter().zip(&compiled.model.kernels);
    taken.map(|(taken, kernel)| Some(((*taken)?, &kernel.branches()[(*taken)?]))).collect()
}

/// The labels of all act steps; `none` where no rule chose one, `stopped` where the run ended before.
fn action(scenario: &Scenario, outputs: &[Option<&Output>]) -> String {
    let acts = scenario.steps.iter().zip(outputs);
    let acts = acts.filter(|(step, _)| matches!(step.kind, StepKind::Act { .. }));
    let label = |output: &Output| match output {
        Output::Action(label) => label.clone(),
        _ => "none".to_owned(),
    };
    let labels: Option<Vec<String>> = acts.map(|(_, output)| output.map(label)).collect();
    labels.map_or_else(|| "stopped".to_owned(), |labels| labels.join("+"))
}

/// A run with its case.
struct Told<'a> {
    case: Case<'a>,
    branches: Vec<Option<(usize, &'a Branch)>>,
}

impl<'a> Told<'a> {
    /// What a step put out; `None` where the run stopped at it or before.
    fn output(&self, at: usize) -> Option<&'a Output> {
        // A stop has a token past all others.
        self.case.compiled.outputs[at].get(self.branches[at]?.1.token as usize)
    }

    /// What a step put out or a guard held back.
    fn made(&self, at: usize) -> Option<&'a Output> {
        let held = || {
            let (place, _) = self.branches[at]?;
            let withheld = self.case.compiled.withheld[at].iter();
            withheld.into_iter().find(|(held, _)| *held == place).map(|(_, output)| output)
        };
        self.output(at).or_else(held)
    }

    fn outputs(&self) -> Vec<Option<&'a Output>> {
        (0..self.branches.len()).map(|at| self.output(at)).collect()
    }

    fn event(&self, at: usize) -> Option<Event> {
        Event::all().get(usize::from(self.branches[at]?.1.event)).copied()
    }

    fn step(&self, searches: &mut Searches, at: usize) -> anyhow::Result<StepTrace> {
        let Case { scenario, compiled, .. } = self.case;
        let step = &scenario.steps[at];
        let oracle = &compiled.oracle;
        let right = oracle.outputs[at].as_ref();
        let corpus = |retrieve: &Retrieve| self.corpus(retrieve);
        let done = self.branches[at].zip(self.event(at)).map(|((_, branch), event)| {
            let output = self.made(at);
            let alarm = [(branch.caught, Event::Caught), (event == Event::FalseAlarm, event)];
            Done {
                alarm: alarm.iter().find(|(is, _)| *is).map(|(_, event)| event.name()),
                event,
                fault: branch.fault,
                output: output.map(|output| text(output, step, &corpus)),
                state: State::of(output, right, &oracle.gold[at]),
            }
        });
        let (mut retrieval, mut reading) = (None, None);
        match &step.kind {
            StepKind::Retrieve(retrieve) => retrieval = self.retrieval(searches, at, retrieve)?,
            StepKind::Read { from, field } => reading = self.reading(at, *from, field),
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

    /// What a retrieve step that handed passages on had asked.
    fn retrieval(
        &self,
        searches: &mut Searches,
        at: usize,
        retrieve: &Retrieve,
    ) -> anyhow::Result<Option<RetrievalTrace>> {
        let Case { scenario, indices, arm, compiled, .. } = self.case;
        let (Some(Output::Context(context)), Some(settings)) = (self.output(at), arm.retrieval[at])
        else {
            return Ok(None);
        };
        let asked = self.asks(at, retrieve, &self.outputs());
        if asked.is_empty() {
            return Ok(None);
        }
        let corpus = arm.corpora[retrieve.corpus];
        let found = searches.find(scenario, indices, settings.embedder, corpus, asked.iter())?;
        // Phrasings that find the same are one branch: the likeliest one speaks for them.
        let brings = |i: usize| {
            let hits = found.get(&asked[i]).into_iter().flatten().take(settings.top_k);
            hits.map(|hit| hit.passage).eq(context.iter().copied())
        };
        let weight = |i: usize| retrieve.queries[i].weight;
        let first_heaviest = |best: Option<usize>, i: usize| match best {
            Some(best) if weight(best) >= weight(i) => Some(best),
            _ => Some(i),
        };
        let chosen = (0..asked.len()).filter(|&i| brings(i)).fold(None, first_heaviest);
        let chosen = chosen.unwrap_or_default();
        let ask = &asked[chosen];
        let ranking = found.get(ask).map_or(&[][..], Vec::as_slice);
        let right = self.asks(at, retrieve, &self.rights());
        let right = right.get(chosen).filter(|right| right.query != ask.query);
        let gold = &compiled.oracle.gold[at];
        let document = |&passage: &u32| self.document(retrieve, gold, ranking, passage);
        Ok(Some(RetrievalTrace {
            embedder: scenario.embedders[settings.embedder].name.clone(),
            corpus: scenario.corpora[corpus].name.clone(),
            top_k: settings.top_k,
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

    /// The query of each phrasing on what the step sees of `outputs`; none where one has no value.
    fn asks(&self, at: usize, retrieve: &Retrieve, outputs: &[Option<&Output>]) -> Vec<Ask> {
        let Case { scenario, arm, task, .. } = self.case;
        let step = &scenario.steps[at];
        let mut seen = vec![None; outputs.len()];
        for &parent in &step.parents {
            seen[parent] = outputs[parent];
        }
        if settle::gate(step, task, &seen) != Gate::Run {
            return Vec::new();
        }
        let values = settle::values(&seen);
        let env = Env { task: Some(task), passage: None, steps: &values };
        let filtered = arm.retrieval[at].is_some_and(|retrieval| retrieval.entity_filter);
        let among = match retrieve.entity.as_ref().filter(|_| filtered) {
            None => Among::All,
            Some(entity) => match entity.eval(&env) {
                Ok(Some(entity)) => Among::Entity(entity.to_string()),
                _ => return Vec::new(),
            },
        };
        let rendered = retrieve.queries.iter().map(|query| query.template.render(&env));
        let ask = |query| Ask { query, among: among.clone() };
        rendered.map(|query| query.map(ask)).collect::<Result<_, _>>().unwrap_or_default()
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

    /// Where a read step's value comes from, and where the right one stands.
    fn reading(&self, at: usize, from: usize, field: &str) -> Option<ReadingTrace> {
        let StepKind::Retrieve(retrieve) = &self.case.scenario.steps[from].kind else {
            return None;
        };
        let event = self.event(at)?;
        let gold = &self.case.compiled.oracle.gold[from];
        let corpus = self.corpus(retrieve);
        let stated = |p: u32| corpus.passages[p as usize].facts.get(field);
        let context = match self.output(from) {
            Some(Output::Context(context)) => context.as_slice(),
            _ => &[],
        };
        let read = self.made(at).and_then(Output::value);
        let mut stating = context.iter().copied().filter(|&p| stated(p).is_some());
        let read_right = stating.clone().find(|p| gold.contains(p));
        let followed = match event {
            Event::Clean => read_right,
            Event::Distracted => stating.find(|&p| !gold.contains(&p) && stated(p) == read),
            // Any of those in hand may have been read so; gold is by far the likeliest.
            Event::Misread => read_right.or_else(|| stating.find(|&p| stated(p) != read)),
            _ => None,
        };
        let right = gold.iter().copied().find(|&p| stated(p).is_some());
        let query = self.asks(from, retrieve, &self.rights()).into_iter().next();
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
        Some(ReadingTrace {
            field: field.to_owned(),
            from: followed.and_then(evidence),
            gold: right.and_then(evidence),
        })
    }
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

/// An output in words; passages go by their ids.
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
