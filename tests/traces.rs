//! Runs exported as OTLP and in the layout of Who&When.

mod opentelemetry;
mod selected_runs;
mod who_and_when;

use knockon::cascade::trace::{
    DocumentTrace, EvidenceTrace, ReadingTrace, RetrievalTrace, RunTrace, StepResultTrace,
    StepTrace,
};
use knockon::kernel::BranchFault;
use knockon::report::otlp;
use knockon::step::{MissKind, OutputState, RunOutcome, StepEvent};
use knockon::world::PassageVariant;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;

fn document(id: &str, rank: usize, gold: bool, entity: &str, text: &str) -> DocumentTrace {
    DocumentTrace {
        id: id.to_owned(),
        rank: Some(rank),
        score: Some(1.5 / rank as f32),
        gold,
        entity: Some(entity.to_owned()),
        attribute: Some("notice".to_owned()),
        variant: (!gold).then_some(PassageVariant::Binding),
        text: text.to_owned(),
    }
}

fn evidence(passage: &str, entity: &str, value: &str) -> EvidenceTrace {
    EvidenceTrace {
        passage: passage.to_owned(),
        entity: Some(entity.to_owned()),
        value: value.to_owned(),
        sentence: format!("Either party may end this agreement on {value}' notice."),
    }
}

fn done(
    event: StepEvent,
    fault: BranchFault,
    output: Option<&str>,
    state: OutputState,
) -> Option<StepResultTrace> {
    let output = output.map(str::to_owned);
    Some(StepResultTrace {
        event,
        fault,
        alarm: None,
        alarms: Vec::new(),
        output,
        stopped: false,
        state,
    })
}

fn plain(step: &str, kind: &'static str, parents: &[usize]) -> StepTrace {
    StepTrace {
        step: step.to_owned(),
        kind,
        parents: parents.to_vec(),
        done: None,
        right: None,
        retrieval: None,
        reading: None,
    }
}

/// A binding miss that ends in the wrong action: five steps, of which `act` has two inputs.
fn run() -> RunTrace {
    let retrieval = RetrievalTrace {
        embedder: "minilm".to_owned(),
        corpus: "contracts".to_owned(),
        top_k: 1,
        entity: None,
        query: "notice period of \"acme\"".to_owned(),
        right_query: None,
        documents: vec![document("g-1", 1, false, "globex", "Globex may end on 30 days' notice.")],
        missed: vec![document("a-1", 2, true, "acme", "Acme may end on 60 days' notice.")],
    };
    let reading = ReadingTrace {
        field: "notice_period".to_owned(),
        from: Some(evidence("g-1", "globex", "30 days")),
        gold: Some(evidence("a-1", "acme", "60 days")),
    };
    let own_miss = StepEvent::OwnMiss(MissKind::Binding);
    RunTrace {
        scenario: "desk".to_owned(),
        arm: "minilm".to_owned(),
        task: "t/1 \u{e9}".to_owned(),
        unit: "acme".to_owned(),
        fields: vec![
            ("contract".to_owned(), "acme".to_owned()),
            ("today".to_owned(), "2025-01-10".to_owned()),
        ],
        trial: 7,
        outcome: RunOutcome::WrongAction,
        p_failure: 0.25,
        action: "renegotiate".to_owned(),
        right_action: "cancel".to_owned(),
        steps: vec![
            StepTrace {
                done: done(own_miss, BranchFault::Own, Some("g-1"), OutputState::Wrong),
                right: Some("a-1".to_owned()),
                retrieval: Some(retrieval),
                ..plain("find_notice", "retrieve", &[])
            },
            StepTrace {
                done: done(
                    StepEvent::Distracted,
                    BranchFault::None,
                    Some("30 days"),
                    OutputState::Wrong,
                ),
                right: Some("60 days".to_owned()),
                reading: Some(reading),
                ..plain("notice", "read", &[0])
            },
            StepTrace {
                done: done(
                    StepEvent::Clean,
                    BranchFault::None,
                    Some("2025-06-30"),
                    OutputState::Correct,
                ),
                right: Some("2025-06-30".to_owned()),
                ..plain("expiry", "lookup", &[])
            },
            StepTrace {
                done: done(
                    StepEvent::Skipped,
                    BranchFault::None,
                    Some("skipped"),
                    OutputState::Correct,
                ),
                right: Some("skipped".to_owned()),
                ..plain("fee", "compute", &[2])
            },
            StepTrace {
                done: done(
                    StepEvent::Clean,
                    BranchFault::None,
                    Some("renegotiate"),
                    OutputState::Wrong,
                ),
                right: Some("cancel".to_owned()),
                ..plain("action", "act", &[1, 2])
            },
        ],
        causes: vec![vec![0]],
    }
}

/// The same task, stopped at its second step because nothing was found.
fn stopped() -> RunTrace {
    let mut trace = run();
    trace.trial = 8;
    trace.outcome = RunOutcome::Stopped;
    trace.action = "stopped".to_owned();
    trace.steps[0].done = done(
        StepEvent::OwnMiss(MissKind::Empty),
        BranchFault::Own,
        Some("no passages"),
        OutputState::Wrong,
    );
    if let Some(retrieval) = &mut trace.steps[0].retrieval {
        retrieval.documents.clear();
        retrieval.missed[0].rank = None;
        retrieval.missed[0].score = None;
    }
    trace.steps[1].done = done(StepEvent::Stopped, BranchFault::None, None, OutputState::Missing);
    trace.steps[1].reading = None;
    for step in &mut trace.steps[2..] {
        step.done = None;
    }
    trace
}

fn preset(_: &str) -> &'static str {
    "gpt-4o"
}

fn otlp(traces: &[RunTrace]) -> String {
    String::from_utf8(otlp::lines(traces, preset)).unwrap()
}

/// The spans of each line, as read by OpenTelemetry's own types.
fn spans(text: &str) -> Vec<Vec<Span>> {
    let spans = |line: &str| {
        let request: ExportTraceServiceRequest = serde_json::from_str(line).unwrap();
        let scopes = request.resource_spans.into_iter().flat_map(|r| r.scope_spans);
        scopes.flat_map(|s| s.spans).collect()
    };
    text.lines().map(spans).collect()
}

fn get<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Any> {
    attributes.iter().find(|a| a.key == key)?.value.as_ref()?.value.as_ref()
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    match get(attributes, key) {
        Some(Any::StringValue(text)) => text.clone(),
        other => panic!("{key}: {other:?}"),
    }
}
