//! Traces as OpenTelemetry's own types read them.

use std::collections::BTreeSet;

use knockon::cascade::trace::RunTrace;
use knockon::report::who_and_when;
use knockon::step::RunOutcome;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value as Json;

use super::{get, otlp, run, spans, stopped, text};

#[test]
fn opentelemetry_types_keep_everything_written() {
    for line in otlp(&[run(), stopped()]).lines() {
        let written: Json = serde_json::from_str(line).unwrap();
        let read: ExportTraceServiceRequest = serde_json::from_str(line).unwrap();
        let again = serde_json::to_value(&read).unwrap();
        assert!(holds(&again, &written), "{again:#}\nlacks some of\n{written:#}");
    }
}

#[test]
fn a_run_is_one_tree_with_links_along_the_pipeline() {
    let all = spans(&otlp(&[run(), stopped()]));
    let mut traces = BTreeSet::new();
    for spans in &all {
        let (root, steps) = spans.split_first().unwrap();
        assert!(root.parent_span_id.is_empty());
        assert!(traces.insert(root.trace_id.clone()), "two runs are two traces");
        let ids: BTreeSet<&[u8]> = spans.iter().map(|s| s.span_id.as_slice()).collect();
        assert_eq!(ids.len(), spans.len());
        for span in spans {
            assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
            assert!(span.trace_id.iter().any(|&b| b != 0) && span.span_id.iter().any(|&b| b != 0));
            assert_eq!(span.trace_id, root.trace_id);
            assert!(root.start_time_unix_nano <= span.start_time_unix_nano);
            assert!(span.start_time_unix_nano < span.end_time_unix_nano);
            assert!(span.end_time_unix_nano <= root.end_time_unix_nano);
        }
        for step in steps {
            assert_eq!(step.parent_span_id, root.span_id);
            for link in &step.links {
                let parent = spans.iter().find(|s| s.span_id == link.span_id).unwrap();
                assert!(parent.end_time_unix_nano <= step.start_time_unix_nano);
            }
        }
    }
    // 2000-01-01 00:00 UTC, and a second later.
    assert_eq!(all[0][0].start_time_unix_nano, 946_684_800_000_000_000);
    assert_eq!(all[1][0].start_time_unix_nano, 946_684_801_000_000_000);
    let names: Vec<&str> = all[0].iter().map(|s| s.name.as_str()).collect();
    let expected = [
        "invoke_agent desk",
        "retrieval find_notice",
        "chat notice",
        "execute_tool expiry",
        "fee",
        "execute_tool action",
    ];
    assert_eq!(names, expected);
    assert_eq!(all[0][5].links.len(), 2);
    assert_eq!(all[1].len(), 3, "nothing comes after a stop");
}

#[test]
fn spans_record_what_was_retrieved_and_what_went_wrong() {
    let all = spans(&otlp(&[run()]));
    let [root, find, read, expiry, fee, act] = &all[0][..] else {
        panic!("{} spans", all[0].len())
    };
    let kinds: Vec<String> =
        all[0].iter().map(|s| text(&s.attributes, "openinference.span.kind")).collect();
    assert_eq!(kinds, ["AGENT", "RETRIEVER", "LLM", "TOOL", "CHAIN", "TOOL"]);
    let code = |span: &Span| span.status.as_ref().map_or(0, |s| s.code);
    assert_eq!([root, find, read, expiry, fee, act].map(code), [2, 2, 2, 0, 0, 2]);

    assert_eq!(text(&root.attributes, "knockon.root_cause.step"), "find_notice");
    assert_eq!(text(&root.attributes, "knockon.root_cause.event"), "binding");
    assert_eq!(get(&root.attributes, "knockon.trial"), Some(&Any::IntValue(7)));
    assert_eq!(get(&root.attributes, "knockon.p_failure"), Some(&Any::DoubleValue(0.25)));
    assert!(root.status.as_ref().unwrap().message.contains("renegotiate"));

    assert_eq!(text(&find.attributes, "retrieval.documents.0.document.id"), "g-1");
    assert_eq!(
        get(&find.attributes, "retrieval.documents.0.document.score"),
        Some(&Any::DoubleValue(1.5))
    );
    let metadata = text(&find.attributes, "retrieval.documents.0.document.metadata");
    let metadata: Json = serde_json::from_str(&metadata).unwrap();
    assert_eq!(metadata["gold"], false);
    assert_eq!(metadata["variant"], "binding");
    assert_eq!(get(&find.attributes, "knockon.root_cause"), Some(&Any::BoolValue(true)));
    assert!(find.status.as_ref().unwrap().message.contains("a-1 of acme was at rank 2"));

    assert_eq!(
        text(&read.attributes, "input.value"),
        r#"{"field":"notice_period","passages":["g-1"]}"#
    );
    assert_eq!(text(&read.attributes, "output.value"), "30 days");
    assert_eq!(text(&read.attributes, "knockon.reader"), "gpt-4o");
    // A simulated reader is not a model, and counts no tokens.
    for key in ["gen_ai.request.model", "llm.model_name", "gen_ai.usage.input_tokens"] {
        assert_eq!(get(&read.attributes, key), None);
    }
    assert_eq!(
        text(&act.attributes, "input.value"),
        r#"{"notice":"30 days","expiry":"2025-06-30"}"#
    );
}

#[test]
fn a_correct_run_has_no_error_and_no_cause() {
    let mut trace = run();
    trace.outcome = RunOutcome::Correct;
    trace.causes.clear();
    let all = spans(&otlp(std::slice::from_ref(&trace)));
    let root = &all[0][0];
    assert_eq!(root.status.as_ref().map_or(0, |s| s.code), 0);
    assert_eq!(get(&root.attributes, "knockon.root_cause.step"), None);
    assert!(who_and_when::files(&[trace]).unwrap().is_empty());
}

#[test]
fn ids_depend_on_the_run_alone() {
    let again = |traces: &[RunTrace]| -> Vec<Vec<u8>> {
        spans(&otlp(traces)).iter().map(|s| s[0].trace_id.clone()).collect()
    };
    let (a, b) = (run(), stopped());
    let forth = again(&[a.clone(), b.clone()]);
    let back = again(&[b.clone(), a.clone()]);
    assert_eq!([&forth[0], &forth[1]], [&back[1], &back[0]]);
    assert_eq!(otlp(&[a.clone(), b.clone()]), otlp(&[a, b]));
}

/// Whether `whole` contains all of `part`. Integers may be numbers where OTLP's JSON has strings.
fn holds(whole: &Json, part: &Json) -> bool {
    match (whole, part) {
        (Json::Object(whole), Json::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| holds(whole, part)))
        }
        (Json::Array(whole), Json::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(w, p)| holds(w, p))
        }
        (Json::Number(whole), Json::String(part)) => whole.to_string() == *part,
        _ => whole == part,
    }
}
