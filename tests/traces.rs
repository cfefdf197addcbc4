//! Runs exported as OTLP and in the layout of Who&When.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value as Json;

use knockon::Session;
use knockon::cascade::arm_runs;
use knockon::cascade::run_selection::{self, SelectedRun};
use knockon::cascade::trace::{
    DocumentTrace, EvidenceTrace, ReadingTrace, RetrievalTrace, RunTrace, StepResultTrace,
    StepTrace,
};
use knockon::compile::CompileQuestion;
use knockon::kernel::BranchFault;
use knockon::progress::NoProgress;
use knockon::report::{otlp, who_and_when};
use knockon::run;
use knockon::scenario::Scenario;
use knockon::step::{MissKind, OutputState, RunOutcome, StepEvent};
use knockon::world::PassageVariant;

use crate::support::scenarios::load_text;

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

fn one(trace: RunTrace) -> (String, Json) {
    let (name, bytes) = who_and_when::files(&[trace]).unwrap().remove(0);
    (name, serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn a_log_names_the_agent_and_the_step_at_fault() {
    let (_, log) = one(run());
    let keys: Vec<&str> = log.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "is_correct",
        "question",
        "question_ID",
        "level",
        "ground_truth",
        "history",
        "mistake_agent",
        "mistake_step",
        "mistake_reason",
        "system_prompt",
        "knockon",
    ];
    assert_eq!(keys, expected);
    assert_eq!(log["is_correct"], false);
    assert_eq!(log["ground_truth"], "cancel");
    let history = log["history"].as_array().unwrap();
    for entry in history {
        for key in ["content", "name", "role"] {
            assert!(entry[key].as_str().is_some_and(|text| !text.is_empty()), "{entry}");
        }
    }
    // The place is text, as in the data set, and counts from 0, the question.
    let at: usize = log["mistake_step"].as_str().unwrap().parse().unwrap();
    assert_eq!(at, 1);
    assert_eq!(history[at]["name"], log["mistake_agent"]);
    assert_eq!(history[0]["role"], "user");
    assert_eq!(history.len(), 6);
    let reason = log["mistake_reason"].as_str().unwrap();
    for part in ["missed (binding)", "g-1 of globex", "Had find_notice not erred"] {
        assert!(reason.contains(part), "{reason}");
    }
    for step in ["find_notice", "notice", "expiry", "fee", "action"] {
        assert!(log["system_prompt"][step].is_string());
    }
}

#[test]
fn a_log_does_not_reveal_the_answer() {
    for trace in [run(), stopped()] {
        let (_, log) = one(trace);
        let history = log["history"].to_string();
        for word in ["gold", "right one", "binding", "60 days", "cancel", "miss(", "a-1"] {
            assert!(!history.contains(word), "'{word}' in {history}");
        }
    }
}

#[test]
fn shared_blame_is_marked() {
    let mut trace = run();
    trace.steps[2].done =
        done(StepEvent::Clean, BranchFault::None, Some("2024-06-30"), OutputState::Wrong);
    trace.causes = vec![vec![0, 2]];
    let (_, log) = one(trace);
    assert_eq!(log["mistake_agent"], "find_notice");
    assert_eq!(log["level"], "2");
    let reason = log["mistake_reason"].as_str().unwrap();
    assert!(
        reason.contains("find_notice and expiry would have to be repaired together"),
        "{reason}"
    );
}

#[test]
fn file_names_are_safe_and_distinct() {
    let mut traces = Vec::new();
    for task in ["t1", "T1", "t/1", "t_1", "../t1", "t:1", "t 1", &"x".repeat(400)] {
        traces.push(RunTrace { task: task.to_owned(), ..run() });
    }
    let files = who_and_when::files(&traces).unwrap();
    let names: BTreeSet<String> = files.iter().map(|(name, _)| name.to_lowercase()).collect();
    assert_eq!(names.len(), traces.len());
    assert_eq!(files[0].0, "minilm.t1.7.json");
    for (name, _) in &files {
        assert!(name.len() < 200 && name.ends_with(".json"));
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{name}");
    }
}

/// Each passage has its own word, so that BM25 finds exactly that passage.
const PASSAGES: &str = r#"
{"id":"k1","text":"alpha","entity":"a","facts":{"fee":{"number":10}}}
{"id":"k2","text":"beta","entity":"b","facts":{"fee":{"number":20}}}
{"id":"k3","text":"gamma","entity":"c","facts":{"fee":{"number":30}}}
"#;

/// The query is right for `a` in three of four runs, for `b` in one of four, and for `c` never.
const SCENARIO: &str = "version: 1
name: small
corpora: {c: {passages: passages.jsonl}}
tasks: {file: tasks.csv, fields: {entity: text}}
embedders: {bm25: {kind: bm25}}
embedder: bm25
reader: {preset: perfect, follow: 1}
steps:
  - id: find
    retrieve:
      corpus: c
      queries: [{text: alpha, weight: 3}, {text: beta, weight: 1}]
      gold: passage.entity == task.entity
      top_k: 1
  - {id: fee, read: {from: find, field: fee}}
  - {id: act, act: [{if: fee == 10, do: pay}, {if: fee == 20, do: wait}, {do: ask}]}
arms: [{id: only}]
baseline: only
";

fn small(simulation: &str) -> Scenario {
    let yaml = format!("{SCENARIO}simulation: {simulation}\n");
    let tasks = "id,entity\nt1,a\nt2,b\nt3,c\n";
    load_text(&yaml, &[("passages.jsonl", PASSAGES), ("tasks.csv", tasks)])
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn runs_are_sampled_in_proportion_to_their_failures() {
    let scenario = small("{}");
    let session = Session::over(&scenario);
    let indices = session.indices();
    let mut searches = session.searches(10);
    let solved =
        run::solve(&scenario, 0, indices, &mut searches, &CompileQuestion::Run, &NoProgress)
            .unwrap();
    let tasks: Vec<_> = solved.iter().map(|s| &s.compiled).enumerate().collect();
    let many = run_selection::failing_runs(&scenario, &tasks, 2000);
    assert_eq!(many.len(), 2000);
    assert!(many.is_sorted_by(|a, b| a < b), "no run twice");
    let share = |task| many.iter().filter(|p| p.task == task).count() as f64 / 2000.0;
    // Per round, a quarter of a failing run comes from the first task, three quarters from the second and one from the
    // third. Standard error .011 at most.
    for (task, rate) in [(0, 0.25), (1, 0.75), (2, 1.0)] {
        assert!((share(task) - rate / 2.0).abs() < 0.04, "task {task}: {}", share(task));
    }
    // A smaller sample is a subset of a larger one.
    let few = run_selection::failing_runs(&scenario, &tasks, 7);
    assert_eq!(few.len(), 7);
    assert!(few.iter().all(|pick| many.contains(pick)));
    assert!(many.contains(&SelectedRun { task: 2, trial: 0 }));
}

fn traces_of(simulation: &str, limit: usize) -> Vec<RunTrace> {
    let scenario = small(simulation);
    let session = Session::over(&scenario);
    arm_runs::trace_failures(&session, &[0], limit).unwrap()
}

#[test]
fn every_failing_run_of_a_scenario_has_a_root_cause() {
    let traces = traces_of("{trials: 40}", 1000);
    assert!(traces.len() > 40, "{}", traces.len());
    for trace in &traces {
        assert_ne!(trace.outcome, RunOutcome::Correct);
        let root = &trace.steps[trace.root_cause().unwrap()];
        assert_eq!(root.step, "find");
        assert_eq!(root.done.as_ref().unwrap().fault, BranchFault::Own);
    }
    let files = who_and_when::files(&traces).unwrap();
    assert_eq!(files.len(), traces.len());
    for spans in spans(&otlp(&traces)) {
        assert_eq!(text(&spans[0].attributes, "knockon.root_cause.step"), "find");
        assert_eq!(get(&spans[1].attributes, "knockon.root_cause"), Some(&Any::BoolValue(true)));
    }
}

#[test]
fn traces_past_the_state_cap_equal_exact_ones() {
    let exact = traces_of("{trials: 40}", 25);
    let mut sampled = traces_of("{trials: 40, max_states: 1}", 25);
    assert_eq!(sampled.len(), 25);
    for (trace, exact) in sampled.iter_mut().zip(&exact) {
        // One is a share of trials, the other a probability.
        trace.p_failure = exact.p_failure;
    }
    assert_eq!(sampled, exact);
}
