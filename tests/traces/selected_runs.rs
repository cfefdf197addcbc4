//! Runs of a scenario, selected by their failures.

use knockon::cascade::arm_runs;
use knockon::cascade::run_selection::{self, SelectedRun};
use knockon::cascade::trace::RunTrace;
use knockon::compile::CompileQuestion;
use knockon::kernel::BranchFault;
use knockon::progress::NoProgress;
use knockon::report::who_and_when;
use knockon::scenario::Scenario;
use knockon::step::RunOutcome;
use knockon::{Session, run};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;

use super::{get, otlp, spans, text};
use crate::support::scenarios::load_text;

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
