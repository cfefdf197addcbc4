//! Builds the spans of one step and of its guards.

use serde_json::{Value as Json, json};

use super::encode::{OtlpAttributes, six_decimals, unix_nanos};
use super::{OtlpTraceIds, SPAN_INTERNAL, STATUS_ERROR};
use crate::cascade::trace::{DocumentTrace, ReadingTrace, RetrievalTrace, RunTrace, StepTrace};
use crate::kernel::BranchFault;
use crate::report::prose;
use crate::step::{MissKind, OutputState, StepEvent};

/// `SPAN_KIND_CLIENT`, which the conventions require for calls to a model or an index.
const SPAN_CLIENT: u8 = 3;

/// The span of the step with index `at`; `None` if the run stopped before it.
pub fn span(
    trace: &RunTrace,
    at: usize,
    ids: &OtlpTraceIds,
    reader: &str,
    begin: u64,
) -> Option<Json> {
    let step = &trace.steps[at];
    let done = step.done.as_ref()?;
    let mut attributes = OtlpAttributes::default();
    let idle = matches!(done.event, StepEvent::Skipped | StepEvent::Stopped);
    let operation = match (step.kind, &step.retrieval, &step.reading) {
        ("retrieve", Some(retrieval), _) if !idle => {
            retrieve(&mut attributes, retrieval);
            Some("retrieval")
        }
        ("read", _, Some(reading)) if !idle => {
            read(&mut attributes, trace, step, reading, reader);
            Some("chat")
        }
        ("lookup" | "compute" | "act", ..) if !idle => {
            tool(&mut attributes, trace, step);
            Some("execute_tool")
        }
        // The step was reached but called nothing: it was skipped, or the run stopped at it.
        _ => {
            attributes.text("openinference.span.kind", "CHAIN");
            None
        }
    };
    attributes.text_if("gen_ai.operation.name", operation);
    attributes.text_if("output.value", done.output.as_deref());
    attributes.boolean("knockon.simulated", true);
    attributes.text("knockon.step", &step.step);
    attributes.text("knockon.step.kind", step.kind);
    attributes.text("knockon.event", done.event.name());
    attributes.text("knockon.fault", fault(done.fault));
    attributes.text("knockon.state", state(done.state));
    attributes.text_if("knockon.guard", done.alarm);
    attributes.text_if("knockon.right_output", step.right.as_deref());
    if trace.root_cause() == Some(at) {
        attributes.boolean("knockon.root_cause", true);
    }
    let status = match prose::describe_error(step) {
        Some(told) => {
            attributes.text("error.type", done.event.name());
            json!({"message": told, "code": STATUS_ERROR})
        }
        None => json!({}),
    };
    Some(json!({
        "traceId": ids.trace,
        "spanId": ids.steps[at],
        "parentSpanId": ids.root,
        "name": operation.map_or(step.step.clone(), |operation| format!("{operation} {}", step.step)),
        "kind": if matches!(operation, Some("retrieval" | "chat")) { SPAN_CLIENT } else { SPAN_INTERNAL },
        "startTimeUnixNano": unix_nanos(begin + at as u64),
        "endTimeUnixNano": unix_nanos(begin + at as u64 + 1),
        "attributes": attributes.finish(),
        "links": links(trace, step, ids),
        "status": status,
    }))
}

/// The span of the guards that raised an alarm at the step with index `at`; `None` if none did.
pub fn guard_span(trace: &RunTrace, at: usize, ids: &OtlpTraceIds, begin: u64) -> Option<Json> {
    let step = &trace.steps[at];
    let done = step.done.as_ref()?;
    let last = done.alarms.last()?;
    let mut attributes = OtlpAttributes::default();
    attributes.text("openinference.span.kind", "GUARDRAIL");
    attributes.text("input.value", &last.held);
    attributes.text("output.value", &last.then);
    attributes.boolean("knockon.simulated", true);
    attributes.text("knockon.step", &step.step);
    attributes.text_if("knockon.guard", done.alarm);
    let alarms = done.alarms.iter().map(|alarm| json!(alarm));
    attributes.json("knockon.guard.alarms", &alarms.collect());
    let end = unix_nanos(begin + at as u64 + 1);
    Some(json!({
        "traceId": ids.trace,
        "spanId": ids.guards[at],
        "parentSpanId": ids.steps[at],
        "name": format!("guard {}", step.step),
        "kind": SPAN_INTERNAL,
        // The simulated clock gives checks no duration.
        "startTimeUnixNano": end,
        "endTimeUnixNano": end,
        "attributes": attributes.finish(),
        "status": {},
    }))
}

/// Links to the spans of the steps that this step reads from: a step may have several parents, but a span has one.
fn links(trace: &RunTrace, step: &StepTrace, ids: &OtlpTraceIds) -> Vec<Json> {
    let links = parents(trace, step).map(|(at, parent)| {
        let mut attributes = OtlpAttributes::default();
        attributes.text("knockon.step", &parent.step);
        json!({"traceId": ids.trace, "spanId": ids.steps[at], "attributes": attributes.finish()})
    });
    links.collect()
}

fn parents<'a>(
    trace: &'a RunTrace,
    step: &'a StepTrace,
) -> impl Iterator<Item = (usize, &'a StepTrace)> {
    step.parents.iter().filter_map(|&at| Some((at, trace.steps.get(at)?)))
}

fn retrieve(attributes: &mut OtlpAttributes, retrieval: &RetrievalTrace) {
    attributes.text("openinference.span.kind", "RETRIEVER");
    attributes.text("gen_ai.data_source.id", &retrieval.corpus);
    attributes.text("gen_ai.request.model", &retrieval.embedder);
    // The conventions define this as a double.
    attributes.number("gen_ai.request.top_k", retrieval.top_k as f64);
    attributes.text("gen_ai.retrieval.query.text", &retrieval.query);
    let scored = retrieval.documents.iter().filter_map(|d| Some((&d.id, score(d)?)));
    let scored = scored.map(|(id, score)| json!({"id": id, "score": score}));
    attributes.json("gen_ai.retrieval.documents", &scored.collect());
    attributes.text("input.value", &retrieval.query);
    attributes.text("input.mime_type", "text/plain");
    for (place, document) in retrieval.documents.iter().enumerate() {
        attributes.text(&document_key(place, "id"), &document.id);
        attributes.text(&document_key(place, "content"), &document.text);
        if let Some(score) = score(document) {
            attributes.number(&document_key(place, "score"), score);
        }
        attributes.json(&document_key(place, "metadata"), &metadata(document));
    }
    attributes.text_if("knockon.retrieval.entity", retrieval.entity.as_deref());
    attributes.text_if("knockon.retrieval.right_query", retrieval.right_query.as_deref());
    if !retrieval.missed.is_empty() {
        let missed = retrieval.missed.iter().map(|d| {
            let mut told = metadata(d);
            told["id"] = json!(d.id);
            told["score"] = json!(score(d));
            told
        });
        attributes.json("knockon.retrieval.missed", &missed.collect());
    }
}

fn document_key(place: usize, name: &str) -> String {
    format!("retrieval.documents.{place}.document.{name}")
}

fn score(document: &DocumentTrace) -> Option<f64> {
    let score = f64::from(document.score?);
    score.is_finite().then(|| six_decimals(score))
}

fn metadata(document: &DocumentTrace) -> Json {
    json!({
        "rank": document.rank,
        "gold": document.gold,
        "entity": document.entity,
        "attribute": document.attribute,
        "variant": document.variant.map(|v| MissKind::from(v).name()),
    })
}

fn read(
    attributes: &mut OtlpAttributes,
    trace: &RunTrace,
    step: &StepTrace,
    reading: &ReadingTrace,
    reader: &str,
) {
    attributes.text("openinference.span.kind", "LLM");
    attributes.text("gen_ai.provider.name", "knockon");
    attributes.text("knockon.reader", reader);
    let documents = parents(trace, step).filter_map(|(_, parent)| parent.retrieval.as_ref());
    let passages: Vec<&str> = documents.flat_map(|r| &r.documents).map(|d| d.id.as_str()).collect();
    attributes.json("input.value", &json!({"field": reading.field, "passages": passages}));
    attributes.text("input.mime_type", "application/json");
    attributes.text("knockon.reading.field", &reading.field);
    for (which, evidence) in [("from", &reading.from), ("gold", &reading.gold)] {
        if let Some(evidence) = evidence {
            attributes.text(&reading_key(which, "passage"), &evidence.passage);
            attributes.text_if(&reading_key(which, "entity"), evidence.entity.as_deref());
            attributes.text(&reading_key(which, "value"), &evidence.value);
            attributes.text(&reading_key(which, "sentence"), &evidence.sentence);
        }
    }
}

fn reading_key(which: &str, name: &str) -> String {
    format!("knockon.reading.{which}.{name}")
}

fn tool(attributes: &mut OtlpAttributes, trace: &RunTrace, step: &StepTrace) {
    attributes.text("openinference.span.kind", "TOOL");
    attributes.text("gen_ai.tool.name", &step.step);
    attributes.text("tool.name", &step.step);
    // The conventions have three types of tools: data queries, actions on the world, and other functions.
    let kind = match step.kind {
        "lookup" => "datastore",
        "act" => "extension",
        _ => "function",
    };
    attributes.text("gen_ai.tool.type", kind);
    let outputs = parents(trace, step).map(|(_, parent)| {
        let output = parent.done.as_ref().and_then(|done| done.output.clone());
        (parent.step.clone(), json!(output))
    });
    attributes.json("input.value", &Json::Object(outputs.collect()));
    attributes.text("input.mime_type", "application/json");
}

fn fault(fault: BranchFault) -> &'static str {
    match fault {
        BranchFault::None => "none",
        BranchFault::Own => "own",
        BranchFault::Induced => "induced",
    }
}

fn state(state: OutputState) -> &'static str {
    match state {
        OutputState::Correct => "correct",
        OutputState::Wrong => "wrong",
        OutputState::Missing => "missing",
    }
}
