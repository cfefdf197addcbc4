//! Builds the trace of one run: the branches that a trial takes, and what they mean.

use super::causes;
use super::trace::{AlarmTrace, RunTrace, StepResultTrace, StepTrace};
use super::trace_words::{action, kind_name, output_text, retry_text};
pub use super::traced_run::TraceCase;
use super::traced_run::TracedRun;
use crate::compile::search_cache::SearchCache;
use crate::kernel::monte_carlo::replay;
use crate::kernel::{Intervention, STOP, rng};
use crate::scenario::{PipelineStepKind, RetrieveStep, Scenario};
use crate::step::guard::GuardResolution;
use crate::step::{OutputState, RunOutcome, StepEvent};
use crate::world::Task;

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
    let traced = TracedRun::new(*case, &run);
    let mut steps = Vec::with_capacity(scenario.steps.len());
    for at in 0..scenario.steps.len() {
        steps.push(traced.step(searches, at)?);
    }
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
        action: action(scenario, &traced.outputs()),
        right_action: action(scenario, &traced.oracle_outputs()),
        steps,
        causes: causes::but_for(model, &keys, trial),
    })
}

impl TracedRun<'_> {
    /// What happened at a step, beside what would have been right.
    fn step(&self, searches: &mut SearchCache, at: usize) -> anyhow::Result<StepTrace> {
        let TraceCase { scenario, compiled, .. } = self.case;
        let step = &scenario.steps[at];
        let oracle = &compiled.oracle;
        let right = oracle.outputs[at].as_ref();
        let corpus = |retrieve: &RetrieveStep| self.corpus(retrieve);
        let done = self.branches[at].zip(self.event(at)).map(|((_, branch), event)| {
            let output = self.output_or_held(at);
            // A false alarm is the event itself: guards caught no error and recovered none.
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

    /// What the guards of a step held back, and what was done about it.
    fn alarms(&self, at: usize) -> Vec<AlarmTrace> {
        let Some(trace) = self.guard_trace(at) else {
            return Vec::new();
        };
        let TraceCase { scenario, .. } = self.case;
        let step = &scenario.steps[at];
        let names = step.guard_names();
        // Each guard uses its retries in order, so its n-th alarm led to its n-th retry.
        let mut retries = vec![0; step.guards.len()];
        let alarms = trace.alarms.iter().map(|alarm| {
            let retry = retries[alarm.guard];
            retries[alarm.guard] += 1;
            let then = match (step.guards[alarm.guard].retries.get(retry), trace.end) {
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
        alarms.collect()
    }
}
