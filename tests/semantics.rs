//! Small scenarios whose answers can be computed by hand, from the file to the record.

use std::sync::{Arc, Mutex};

use knockon::Session;
use knockon::retrieve::{PassageRanking, Retriever, SearchRequest};
use knockon::run;
use knockon::run::record::{ArmRecord, RunStepRecord};
use knockon::step::RunOutcome;

use crate::one_arm;
use crate::support::near;
use crate::support::runs::run_first;

/// Each passage has its own word, so that BM25 finds exactly that passage.
const PASSAGES: &str = r#"
{"id":"k1","text":"alpha","entity":"a","attribute":"key","facts":{"key":{"text":"delta"},"fee":{"number":10}}}
{"id":"k2","text":"beta","entity":"b","attribute":"key","facts":{"key":{"text":"epsilon"},"fee":{"number":20}}}
{"id":"k3","text":"gamma","entity":"c","attribute":"key","facts":{"fee":{"number":30}}}
{"id":"p1","text":"delta","entity":"a","attribute":"price","facts":{"price":{"number":1}}}
{"id":"p2","text":"epsilon","entity":"b","attribute":"price","facts":{"price":{"number":2}}}
"#;

/// Runs one arm over one task: `reader` and `steps` in YAML.
fn run(reader: &str, steps: &str) -> ArmRecord {
    // The spare task is not replayed: some rules find gold for it alone.
    let tasks = "id,name\nt1,x\nt0,spare\n";
    let mut scenario = one_arm::scenario(PASSAGES, tasks, reader, steps, "{method: exact}");
    scenario.tasks.tasks.truncate(1);
    run_first(&scenario)
}

fn outcomes(arm: &ArmRecord, expected: [(RunOutcome, f64); 5]) {
    for (outcome, p) in expected {
        near(arm.summary.outcomes[outcome as usize], p);
    }
}

fn step<'a>(arm: &'a ArmRecord, id: &str) -> &'a RunStepRecord {
    arm.steps.iter().find(|s| s.step == id).unwrap()
}

const FIND: &str = r#"
  - id: find
    retrieve:
      corpus: c
      queries: [{text: alpha, weight: 3}, {text: beta, weight: 1}]
      gold: passage.id == "k1"
      top_k: 1
"#;

#[test]
fn a_three_step_scenario_matches_hand_computed_values() {
    let arm = run(
        "{preset: perfect, misread: 0.1, lucky: 0.2, follow: 0.6, fabricate: 0.2}",
        &format!(
            "{FIND}
  - {{id: fee, read: {{from: find, field: fee}}}}
  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: wait}}], hold: [wait]}}"
        ),
    );
    // A hit (3/4) is read right (.9). A miss is 10 by luck (.2); otherwise it follows 20 (.6), misreads it or makes up
    // another wrong fee (.2), or abstains (.2), which stops the run.
    let luck = 0.2;
    let (correct, stopped) = (0.75 * 0.9 + 0.25 * luck, 0.25 * 0.8 * 0.2);
    use RunOutcome::*;
    outcomes(
        &arm,
        [
            (Correct, correct),
            (Stopped, stopped),
            (Omission, 1.0 - correct - stopped),
            (Commission, 0.0),
            (WrongAction, 0.0),
        ],
    );
    near(arm.summary.silent, 1.0 - correct - stopped);
    near(step(&arm, "find").p_own_miss, 0.25);
    near(step(&arm, "fee").p_lucky, 0.25 * luck);
    near(step(&arm, "find").p_fail_given_miss.unwrap(), 1.0 - luck);
    assert_eq!(arm.misses.len(), 1);
    assert_eq!((arm.misses[0].kind.name(), arm.misses[0].induced), ("binding", false));
}

#[test]
fn a_wrong_key_induces_a_miss_and_a_skipped_step_stops_no_run() {
    let arm = run(
        "{preset: perfect, follow: 1}",
        &format!(
            "{FIND}
  - {{id: key, read: {{from: find, field: key}}}}
  - id: find_price
    retrieve: {{corpus: c, query: '{{{{ key }}}}', gold: passage.id == \"p1\", top_k: 1}}
  - {{id: price, read: {{from: find_price, field: price}}}}
  - {{id: never, compute: price + 1, when: price > 5}}
  - {{id: act, act: [{{if: never == null && price == 1, do: one}}, {{do: two}}]}}"
        ),
    );
    near(step(&arm, "find_price").p_induced_miss, 0.25);
    near(step(&arm, "find_price").p_own_miss, 0.0);
    near(step(&arm, "never").p_skipped, 1.0);
    near(arm.summary.outcomes[RunOutcome::WrongAction as usize], 0.25);
}

#[test]
fn stopping_is_right_where_the_oracle_stops() {
    let find = FIND.replace(r#""k1""#, r#""k1" && task.name == "spare""#);
    let steps = format!(
        "{find}
  - {{id: fee, read: {{from: find, field: fee}}}}
  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: wait}}], hold: [wait]}}"
    );
    let abstains = run("{preset: perfect}", &steps);
    near(abstains.summary.failure.estimate, 0.0);
    near(step(&abstains, "find").p_no_gold, 1.0);
    // If the reader follows instead, it pays on 10, where no payment is due, and holds on 20, which is harmless.
    let follows = run("{preset: perfect, follow: 1}", &steps);
    near(follows.summary.outcomes[RunOutcome::Commission as usize], 0.75);
    near(follows.summary.outcomes[RunOutcome::Correct as usize], 0.25);
}

#[test]
fn null_conditions_skip_their_rules_and_labels_of_two_steps_do_not_add_up() {
    let arm = run(
        "{preset: perfect}",
        &format!(
            "{FIND}
  - {{id: fee, read: {{from: find, field: fee}}}}
  - {{id: one, act: [{{if: fee > 5, do: pay}}, {{do: refuse}}], on_missing: continue}}
  - {{id: two, act: [{{if: fee > 5, do: pay}}, {{do: refuse}}], on_missing: continue}}"
        ),
    );
    near(step(&arm, "one").p_failed, 0.25);
    near(arm.summary.outcomes[RunOutcome::WrongAction as usize], 0.25);
    let (label, p) = arm.tasks[0].wrong_action.clone().unwrap();
    assert_eq!(label, "refuse");
    near(p, 0.25);
}

/// Records the number of requests at each depth.
struct DepthRecorder {
    inner: Box<dyn Retriever>,
    depths: Arc<Mutex<Vec<(usize, usize)>>>,
}

impl Retriever for DepthRecorder {
    fn search(
        &self,
        requests: &[SearchRequest],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        self.depths.lock().unwrap().push((requests.len(), depth));
        self.inner.search(requests, depth, done)
    }
}

/// Gold is in 60 passages, all ranked before the first wrong one: without them, the wrong ones would have been handed
/// on, and followed. Only the task with that much gold is searched so deep.
#[test]
fn a_miss_hands_on_the_passages_after_all_gold() {
    let passage = |id: String, text: &str, entity: &str, fee: u32| {
        format!(
            r#"{{"id":"{id}","text":"{text}","entity":"{entity}","facts":{{"fee":{{"number":{fee}}}}}}}"#
        )
    };
    let mut passages: Vec<String> =
        (0..60).map(|i| passage(format!("gold{i}"), "alpha alpha alpha", "alpha", 10)).collect();
    passages.extend((0..9).map(|i| passage(format!("wrong{i}"), "alpha and others", "c", 20)));
    passages.push(passage("beta".to_owned(), "beta", "beta", 10));
    let steps = "
  - {id: find, retrieve: {corpus: c, query: \"{{ task.name }}\", gold: passage.entity == task.name, top_k: 5}}
  - {id: fee, read: {from: find, field: fee}, on_missing: continue}
  - {id: act, act: [{if: fee == 20, do: pay}, {do: wait}], hold: [wait], on_missing: continue}";
    let scenario = one_arm::scenario(
        &passages.join("\n"),
        "id,name\nmuch,alpha\nlittle,beta\n",
        "{preset: perfect, follow: 1}",
        steps,
        "{method: exact}",
    );
    let inner = Session::over(&scenario);
    let depths = Arc::<Mutex<Vec<(usize, usize)>>>::default();
    let session = Session::over(&scenario).with_retrievers(|_, _| {
        let inner = inner.retriever(0, 0)?;
        Ok(Some(Box::new(DepthRecorder { inner, depths: depths.clone() })))
    });
    let record = run::run(&session, &[0]).unwrap();
    let find = step(&record.arms[0], "find");
    near(record.arms[0].summary.failure.estimate, 0.0);
    // One of the two tasks can be misled: no other passage has the word beta.
    near(find.importance.unwrap().p_fail_if_wrong, 0.5);
    assert_eq!(*depths.lock().unwrap(), [(1, 45), (1, 128)]);
}
