//! Traces of runs: fixing their causes fixes the run, and the text matches what happened.

use knockon::Session;
use knockon::cascade::arm_runs::{ArmRuns, search_depth};
use knockon::cascade::causes::{but_for, repaired_run};
use knockon::cascade::run_selection::SelectedRun;
use knockon::cascade::trace::RunTrace;
use knockon::cascade::trace_builder::draw_keys;
use knockon::compile::{CompileQuestion, CompiledTask, compile};
use knockon::kernel::BranchFault;
use knockon::report::story;

use knockon::scenario::Scenario;
use knockon::step::{MissKind, RunOutcome, StepEvent};

use crate::one_arm;
use crate::support::scenarios::{in_repository, load};

const TRIALS: u32 = 20;

/// Each passage has its own word, so that BM25 finds exactly that passage.
const PASSAGES: &str = r#"
{"id":"k1","text":"Alpha. The fee is ten: 10 dollars.","entity":"a","attribute":"key","facts":{"fee":{"number":10}}}
{"id":"k2","text":"Beta. It was made in 2020. The fee is 20 dollars.","entity":"b","attribute":"key","facts":{"fee":{"number":20}}}
{"id":"p1","text":"delta","entity":"a","attribute":"price","facts":{"price":{"number":1}}}
{"id":"p2","text":"epsilon","entity":"b","attribute":"price","facts":{"price":{"number":2}}}
"#;

/// One task, one arm; `reader` and `steps` in YAML.
fn small(reader: &str, steps: &str) -> Scenario {
    one_arm::scenario(PASSAGES, "id,name\nt1,x\n", reader, steps, "{method: auto, trials: 200}")
}

fn desk() -> Scenario {
    load(&in_repository("scenarios/renewal_desk.yaml"))
}

/// Runs `look` on the baseline compiled for a question.
fn compiled(scenario: &Scenario, question: &CompileQuestion) -> Vec<CompiledTask> {
    let session = Session::over(scenario);
    let indices = session.indices();
    let mut searches = session.searches(search_depth(scenario));
    let arm = &scenario.arms[scenario.baseline];
    compile(scenario, arm, indices, &mut searches, question, &|| {}).unwrap()
}

fn traces_of(scenario: &Scenario, picks: &[SelectedRun]) -> Vec<RunTrace> {
    let session = Session::over(scenario);
    let mut searches = session.searches(search_depth(scenario));
    let mut runs = ArmRuns::new(&session, scenario.baseline, &mut searches).unwrap();
    picks.iter().map(|pick| runs.trace(pick).unwrap()).collect()
}

fn first_failing(scenario: &Scenario) -> SelectedRun {
    let all = compiled(scenario, &CompileQuestion::Run);
    let keys = draw_keys(scenario, &scenario.tasks.tasks[0]);
    let fails = |&trial: &u32| repaired_run(&all[0].model, &keys, trial, &[]).unwrap().outcome != 0;
    SelectedRun { task: 0, trial: (0..200).find(fails).unwrap() }
}

/// All proper subsets of a set.
fn proper_subsets(set: &[usize]) -> Vec<Vec<usize>> {
    let of = |mask: u32| {
        let kept = set.iter().enumerate().filter(|(place, _)| mask >> place & 1 == 1);
        kept.map(|(_, step)| *step).collect()
    };
    (0..(1 << set.len()) - 1).map(of).collect()
}

#[test]
fn fixing_the_causes_fixes_every_run_and_no_subset_does() {
    let scenario = desk();
    let all = compiled(&scenario, &CompileQuestion::Run);
    assert!(all.len() >= 120);
    let everything: Vec<usize> = (0..scenario.steps.len()).collect();
    let (mut failing, mut several) = (0, 0);
    for (task, compiled) in scenario.tasks.tasks.iter().zip(&all) {
        let keys = draw_keys(&scenario, task);
        let outcome_without = |trial, set: &[usize]| {
            repaired_run(&compiled.model, &keys, trial, set).unwrap().outcome
        };
        for trial in 0..TRIALS {
            let causes = but_for(&compiled.model, &keys, trial);
            assert_eq!(outcome_without(trial, &everything), 0);
            if outcome_without(trial, &[]) == 0 {
                assert!(causes.is_empty());
                continue;
            }
            failing += 1;
            assert!(!causes.is_empty(), "{} {trial}", task.id);
            assert!(causes.is_sorted_by_key(|cause| (cause.len(), cause.clone())));
            for cause in &causes {
                several += usize::from(cause.len() > 1);
                assert_eq!(outcome_without(trial, cause), 0, "{} {trial} {cause:?}", task.id);
                for subset in proper_subsets(cause) {
                    assert_ne!(outcome_without(trial, &subset), 0, "{} {trial} {cause:?}", task.id);
                }
            }
        }
    }
    assert!(failing > 200 && several > 0, "{failing} failing, {several} larger");
}

#[test]
fn every_minimal_set_is_found() {
    // All sets of up to three steps, by brute force.
    let scenario = desk();
    let all = compiled(&scenario, &CompileQuestion::Run);
    let errs: Vec<usize> = (0..scenario.steps.len()).collect();
    let mut sets: Vec<Vec<usize>> = Vec::new();
    for size in 1..=3usize {
        let of_size = (0u32..1 << errs.len()).filter(|mask| mask.count_ones() as usize == size);
        let mut of_size: Vec<Vec<usize>> = of_size
            .map(|mask| errs.iter().copied().filter(|step| mask >> step & 1 == 1).collect())
            .collect();
        of_size.sort();
        sets.extend(of_size);
    }
    for (task, compiled) in scenario.tasks.tasks.iter().zip(&all).step_by(6) {
        let keys = draw_keys(&scenario, task);
        for trial in 0..4 {
            let outcome_without =
                |set: &[usize]| repaired_run(&compiled.model, &keys, trial, set).unwrap().outcome;
            if outcome_without(&[]) == 0 {
                continue;
            }
            let mut minimal: Vec<Vec<usize>> = Vec::new();
            for set in &sets {
                let covered = minimal.iter().any(|m| m.iter().all(|step| set.contains(step)));
                if !covered && outcome_without(set) == 0 {
                    minimal.push(set.clone());
                }
            }
            let mut causes = but_for(&compiled.model, &keys, trial);
            causes.retain(|cause| cause.len() <= 3);
            assert_eq!(causes, minimal, "{} {trial}", task.id);
        }
    }
}

#[test]
fn causes_past_the_cap_equal_exact_ones() {
    let mut scenario = desk();
    scenario.tasks.tasks.truncate(12);
    let exact = compiled(&scenario, &CompileQuestion::Run);
    scenario.simulation.max_states = 2;
    for (at, (task, exact)) in scenario.tasks.tasks.iter().zip(&exact).enumerate() {
        for trial in 0..TRIALS {
            let sampled = compiled(&scenario, &CompileQuestion::Trial { task: at, trial });
            assert_eq!(sampled.len(), 1);
            let sampled = &sampled[0].model;
            assert!(exact.model.trellis.is_some() && sampled.trellis.is_none());
            let keys = draw_keys(&scenario, task);
            let causes = but_for(&exact.model, &keys, trial);
            assert_eq!(but_for(sampled, &keys, trial), causes, "{} {trial}", task.id);
        }
    }
}

#[test]
fn a_trace_past_the_cap_equals_the_exact_one() {
    let mut scenario = desk();
    scenario.tasks.tasks.truncate(2);
    scenario.simulation.trials = 50;
    let picks: Vec<SelectedRun> =
        (0..8).map(|trial| SelectedRun { task: (trial % 2) as usize, trial }).collect();
    let mut exact = traces_of(&scenario, &picks);
    scenario.simulation.max_states = 2;
    let sampled = traces_of(&scenario, &picks);
    for (exact, sampled) in exact.iter_mut().zip(&sampled) {
        // One is a probability, the other a share of the trials.
        exact.p_failure = sampled.p_failure;
    }
    assert_eq!(exact, sampled);
}

const FIND: &str = r#"
  - id: find
    retrieve: {corpus: c, query: beta, gold: passage.id == "k1", top_k: 1}
  - {id: fee, read: {from: find, field: fee}}
"#;

#[test]
fn a_certain_miss_is_traced_from_the_query_to_the_action() {
    let steps = format!("{FIND}  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: refuse}}]}}");
    let scenario = small("{preset: perfect, follow: 1}", &steps);
    let trace = traces_of(&scenario, &[SelectedRun { task: 0, trial: 0 }]).remove(0);
    assert_eq!((trace.outcome, trace.p_failure), (RunOutcome::WrongAction, 1.0));
    assert_eq!((trace.action.as_str(), trace.right_action.as_str()), ("refuse", "pay"));
    assert_eq!((trace.causes.clone(), trace.root_cause()), (vec![vec![0]], Some(0)));
    let find = &trace.steps[0];
    let done = find.done.as_ref().unwrap();
    assert_eq!((done.event, done.fault), (StepEvent::OwnMiss(MissKind::Binding), BranchFault::Own));
    let retrieval = find.retrieval.as_ref().unwrap();
    assert_eq!((retrieval.query.as_str(), &retrieval.right_query), ("beta", &None));
    assert_eq!((retrieval.documents[0].id.as_str(), retrieval.documents[0].rank), ("k2", Some(1)));
    assert_eq!((retrieval.missed[0].id.as_str(), retrieval.missed[0].gold), ("k1", true));
    let reading = trace.steps[1].reading.as_ref().unwrap();
    let (from, gold) = (reading.from.as_ref().unwrap(), reading.gold.as_ref().unwrap());
    assert_eq!((from.passage.as_str(), from.value.as_str()), ("k2", "20"));
    assert_eq!(from.sentence, "The fee is 20 dollars.");
    assert_eq!(gold.sentence, "The fee is ten: 10 dollars.");
    let text = story::text(&trace, false, Some(80));
    assert!(text.contains("MISS binding (own)"), "{text}");
    assert!(text.contains("Without the miss at find, the run would have been correct."), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn two_misses_that_each_suffice_are_one_joint_cause() {
    // Each of two readings of 20 alone makes the action wrong: both have to be fixed.
    let steps = format!(
        "{FIND}
  - id: again
    retrieve: {{corpus: c, query: epsilon, gold: passage.id == \"p1\", top_k: 1}}
  - {{id: price, read: {{from: again, field: price}}}}
  - {{id: act, act: [{{if: fee == 10 && price == 1, do: pay}}, {{do: refuse}}]}}"
    );
    let scenario = small("{preset: perfect, follow: 1}", &steps);
    let trace = traces_of(&scenario, &[SelectedRun { task: 0, trial: 3 }]).remove(0);
    assert_eq!(trace.causes, [vec![0, 2]]);
    let text = story::text(&trace, false, None);
    let both =
        "Without both the miss at find and the miss at again, the run would have been correct";
    assert!(text.contains(both), "{text}");
}

#[test]
fn each_of_two_jointly_needed_errors_is_a_cause() {
    let steps = format!(
        "{FIND}
  - id: again
    retrieve: {{corpus: c, query: epsilon, gold: passage.id == \"p1\", top_k: 1}}
  - {{id: price, read: {{from: again, field: price}}}}
  - {{id: act, act: [{{if: fee == 10 || price == 1, do: pay}}, {{do: refuse}}]}}"
    );
    let scenario = small("{preset: perfect, follow: 1}", &steps);
    let trace = traces_of(&scenario, &[SelectedRun { task: 0, trial: 0 }]).remove(0);
    assert_eq!(trace.causes, [vec![0], vec![2]]);
}

#[test]
fn an_error_masked_by_the_first_is_part_of_the_cause() {
    // After the miss the reader abstains on the upper half of the draws; with gold retrieved it misreads on the upper
    // nine tenths. So wherever it abstained, both have to be fixed.
    let steps = format!("{FIND}  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: refuse}}]}}");
    let scenario = small("{preset: perfect, follow: 0.5, misread: 0.9}", &steps);
    let all = compiled(&scenario, &CompileQuestion::Run);
    let keys = draw_keys(&scenario, &scenario.tasks.tasks[0]);
    let causes: Vec<_> = (0..200).map(|trial| but_for(&all[0].model, &keys, trial)).collect();
    assert!(causes.contains(&vec![vec![0, 1]]));
    let SelectedRun { task, .. } = first_failing(&scenario);
    let trial = causes.iter().position(|c| *c == [vec![0, 1]]).unwrap() as u32;
    let trace = traces_of(&scenario, &[SelectedRun { task, trial }]).remove(0);
    let text = story::text(&trace, false, None);
    assert!(text.contains("the error that would follow at fee"), "{text}");
}

#[test]
fn a_correct_run_has_no_causes() {
    let steps = format!("{FIND}  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: refuse}}]}}");
    let scenario = small("{preset: perfect, follow: 1}", &steps.replace("beta", "alpha"));
    let trace = traces_of(&scenario, &[SelectedRun { task: 0, trial: 0 }]).remove(0);
    assert_eq!((trace.outcome, trace.causes.len()), (RunOutcome::Correct, 0));
    assert!(story::text(&trace, false, None).contains("The run ends correctly."));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let mut scenario = desk();
    scenario.tasks.tasks.truncate(3);
    let picks = [first_failing(&scenario), SelectedRun { task: 2, trial: 5 }];
    let bytes = || {
        let traces = traces_of(&scenario, &picks);
        let texts: String = traces.iter().map(|t| story::text(t, true, Some(90))).collect();
        texts + &story::json(&traces, true).unwrap()
    };
    let once = bytes();
    assert_eq!(once, bytes());
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(once, alone.install(bytes));
}
