//! Steps, outputs and retries in the words of a trace.

use crate::scenario::{GuardRetry, PipelineStep, PipelineStepKind, RetrieveStep, Scenario};
use crate::step::StepOutput;
use crate::world::Corpus;

/// The labels of act steps, joined by `+`: `none` if no rule chose one, and `stopped` last if the run ended before all
/// of them.
pub fn action(scenario: &Scenario, outputs: &[Option<&StepOutput>]) -> String {
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

/// A further attempt, described in words.
pub fn retry_text(scenario: &Scenario, retry: &GuardRetry) -> String {
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

/// The kind of a step, as in scenario files.
pub fn kind_name(step: &PipelineStep) -> &'static str {
    match step.kind {
        PipelineStepKind::Retrieve(_) => "retrieve",
        PipelineStepKind::Read { .. } => "read",
        PipelineStepKind::Lookup { .. } => "lookup",
        PipelineStepKind::Compute(_) => "compute",
        PipelineStepKind::Act { .. } => "act",
    }
}

/// An output as text; passages are given by their ids.
pub fn output_text<'c>(
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
            // Only retrieve steps output passages.
            let PipelineStepKind::Retrieve(retrieve) = &step.kind else {
                return String::new();
            };
            let passages = passages.iter().map(|&p| &corpus(retrieve).passages[p as usize]);
            passages.map(|passage| passage.id.as_str()).collect::<Vec<_>>().join(", ")
        }
    }
}
