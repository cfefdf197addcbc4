//! Writes `traces.jsonl`: runs as OpenTelemetry traces, for any viewer that accepts OTLP. No value is invented: spans
//! have no token counts and no name of a reader model, which the simulator does not know.
//!
//! Each line is one run as an `ExportTraceServiceRequest` in OTLP's JSON: the format of OpenTelemetry's file exporter,
//! and the body of a POST to `/v1/traces`. A run is one trace: a root span of kind AGENT with one child span per step,
//! linked to the spans of the steps that it reads from.
//!
//! Attribute names are those of OpenTelemetry's GenAI conventions as of [`SCHEMA`], the last version before they
//! moved to their own repository, and of OpenInference; names that exist in neither begin with `knockon.`
//! (`knockon.reader` is the reader's preset). The simulator has no clock: the n-th run of a file begins n seconds after
//! 2000-01-01 (counted from 0), and a step takes one millisecond.

mod encode;
mod step;

use serde_json::{Value as Json, json};

use self::encode::{OtlpAttributes, hashed_id, unix_nanos};
use super::prose;
use crate::cascade::trace::RunTrace;
use crate::step::RunOutcome;

/// The version of OpenTelemetry's conventions that attribute names follow.
pub const SCHEMA: &str = "https://opentelemetry.io/schemas/1.41.0";

/// The attribute that explains the artificial times to people who see only the trace.
const CLOCK: &str = "none: runs begin a second apart from 2000-01-01, a step takes a millisecond";

/// `SPAN_KIND_INTERNAL`.
const SPAN_INTERNAL: u8 = 1;
/// `STATUS_CODE_ERROR`.
const STATUS_ERROR: u8 = 2;

/// The bytes of the file. `reader` returns the reader preset of an arm.
pub fn lines<'a>(traces: &[RunTrace], reader: impl Fn(&str) -> &'a str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, trace) in traces.iter().enumerate() {
        let begin = number as u64 * 1000;
        bytes.extend(request(trace, reader(&trace.arm), begin).to_string().bytes());
        bytes.push(b'\n');
    }
    bytes
}

/// One run as an `ExportTraceServiceRequest`; `begin` is in milliseconds since 2000-01-01.
fn request(trace: &RunTrace, reader: &str, begin: u64) -> Json {
    let ids = OtlpTraceIds::new(trace);
    let mut spans = vec![root(trace, &ids, begin)];
    for at in 0..trace.steps.len() {
        spans.extend(step::span(trace, at, &ids, reader, begin));
        spans.extend(step::guard_span(trace, at, &ids, begin));
    }
    let mut resource = OtlpAttributes::default();
    resource.text("service.name", "knockon");
    resource.text("service.version", env!("CARGO_PKG_VERSION"));
    // Viewers with projects group the traces of a scenario.
    resource.text("openinference.project.name", &trace.scenario);
    json!({"resourceSpans": [{
        "resource": {"attributes": resource.finish()},
        "scopeSpans": [{
            "scope": {"name": "knockon", "version": env!("CARGO_PKG_VERSION")},
            "spans": spans,
            "schemaUrl": SCHEMA,
        }],
        "schemaUrl": SCHEMA,
    }]})
}

/// The identifiers of a trace and its spans, hashed from scenario, arm, task, trial and step.
struct OtlpTraceIds {
    trace: String,
    root: String,
    steps: Vec<String>,
    /// Span identifiers of the guards, by step.
    guards: Vec<String>,
}

impl OtlpTraceIds {
    fn new(trace: &RunTrace) -> OtlpTraceIds {
        let trial = trace.trial.to_string();
        let run = [trace.scenario.as_str(), &trace.arm, &trace.task, &trial];
        OtlpTraceIds {
            trace: hashed_id::<16>(&run),
            // Step ids cannot contain parentheses, so no step collides with this.
            root: span_id(&run, "(run)"),
            steps: trace.steps.iter().map(|s| span_id(&run, &s.step)).collect(),
            guards: trace
                .steps
                .iter()
                .map(|s| span_id(&run, &format!("{} (guard)", s.step)))
                .collect(),
        }
    }
}

fn span_id(run: &[&str; 4], step: &str) -> String {
    hashed_id::<8>(&[run[0], run[1], run[2], run[3], step])
}

/// The root span of a run.
fn root(trace: &RunTrace, ids: &OtlpTraceIds, begin: u64) -> Json {
    let mut attributes = OtlpAttributes::default();
    attributes.text("openinference.span.kind", "AGENT");
    attributes.text("gen_ai.operation.name", "invoke_agent");
    attributes.text("gen_ai.provider.name", "knockon");
    attributes.text("gen_ai.agent.name", &trace.scenario);
    let fields = trace.fields.iter().map(|(name, value)| (name.clone(), json!(value)));
    attributes.json("input.value", &Json::Object(fields.collect()));
    attributes.text("input.mime_type", "application/json");
    attributes.text("output.value", &trace.action);
    attributes.text("output.mime_type", "text/plain");
    attributes.boolean("knockon.simulated", true);
    attributes.text("knockon.clock", CLOCK);
    attributes.text("knockon.scenario", &trace.scenario);
    attributes.text("knockon.arm", &trace.arm);
    attributes.text("knockon.task", &trace.task);
    attributes.text("knockon.unit", &trace.unit);
    attributes.integer("knockon.trial", trace.trial.into());
    attributes.text("knockon.outcome", trace.outcome.name());
    attributes.text("knockon.action", &trace.action);
    attributes.text("knockon.right_action", &trace.right_action);
    attributes.number("knockon.p_failure", trace.p_failure);
    if let Some(cause) = trace.root_cause().and_then(|at| trace.steps.get(at)) {
        attributes.text("knockon.root_cause.step", &cause.step);
        attributes.text_if("knockon.root_cause.event", cause.done.as_ref().map(|d| d.event.name()));
    }
    if !trace.causes.is_empty() {
        attributes.texts("knockon.causes", &causes(trace));
    }
    let status = if trace.outcome == RunOutcome::Correct {
        json!({})
    } else {
        attributes.text("error.type", trace.outcome.name());
        json!({"message": message(trace), "code": STATUS_ERROR})
    };
    json!({
        "traceId": ids.trace,
        "spanId": ids.root,
        "name": format!("invoke_agent {}", trace.scenario),
        "kind": SPAN_INTERNAL,
        "startTimeUnixNano": unix_nanos(begin),
        "endTimeUnixNano": unix_nanos(begin + trace.steps.len() as u64),
        "attributes": attributes.finish(),
        "status": status,
    })
}

/// The minimal sets of steps that explain the failure, steps joined by `+`.
fn causes(trace: &RunTrace) -> Vec<String> {
    let mut causes = Vec::new();
    for set in &trace.causes {
        let names = set.iter().map(|&at| trace.steps.get(at).map_or("?", |s| s.step.as_str()));
        causes.push(names.collect::<Vec<_>>().join("+"));
    }
    causes
}

/// The status message of a failed run: how it ended, and its root cause.
fn message(trace: &RunTrace) -> String {
    let end = prose::describe_end(trace);
    let cause = trace.root_cause().and_then(|at| trace.steps.get(at));
    match cause.and_then(|step| Some((step, prose::describe_error(step)?))) {
        Some((step, told)) => format!("{end} Root cause {}: {told}", step.step),
        None => end,
    }
}
