//! Plans: each option equals a run of it, and the fronts and the order match hand computation.

use knockon::plan::{self, PlanOption};
use knockon::scenario::Scenario;

use crate::one_arm;
use crate::support::runs::{run_all, try_all};

const PASSAGES: &str = r#"
{"id":"right","text":"alpha","entity":"a","attribute":"key","facts":{"fee":{"number":10}}}
{"id":"other","text":"beta","entity":"b","attribute":"key","facts":{"fee":{"number":20}}}
"#;

/// Misses in 4 of 10 runs, at a loss of 100. `find` catches it and retries; a person at `act` corrects 3 of 4 wrong
/// actions, for 8 per check.
fn scenario(find: bool, act: bool, plan: &str) -> Scenario {
    let steps = format!(
        r#"
  - id: find
    retrieve:
      corpus: c
      queries: [{{text: alpha, weight: 6}}, {{text: beta, weight: 4}}]
      gold: passage.id == "right"
      top_k: 1
    guard: [{{same_entity: '"a"', retry: [{{query: alpha}}]}}]
    guarded: {find}
  - {{id: fee, read: {{from: find, field: fee}}}}
  - id: act
    act: [{{if: fee == 10, do: pay}}, {{do: refuse}}]
    guard: [{{reviewer: {{catch_rate: 0.75, false_alarm_rate: 0, cost: 8}}, escalate: {{accuracy: 1, cost: 0, minutes: 0}}}}]
    guarded: {act}"#
    );
    let impact = format!(
        "{{}}\nimpact:\n  volume: {{mean: 1000}}\n  years: 2000\n  \
         losses: [{{name: refused, if: action == 'refuse', amount: 100}}]\n{plan}"
    );
    one_arm::scenario(
        PASSAGES,
        "id,name\nt1,x\nt2,x\n",
        "{preset: perfect, follow: 1}",
        &steps,
        &impact,
    )
}

const PLAN: &str = "plan:
  candidates:
    - {id: again, steps: {find: {guarded: true}}, cost_per_year: 30000}
    - {id: person, steps: {act: {guarded: true}}, cost_per_case: 1}";

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-6, "{a} against {b}");
}

#[test]
fn options_match_runs_and_hand_computed_figures() {
    let planned = plan::plan(scenario(false, false, PLAN), &mut try_all).unwrap();
    assert!(planned.complete && planned.excluded == 0 && planned.options.len() == 4);
    let of = |chosen: &[usize]| -> &PlanOption {
        planned.options.iter().find(|option| option.chosen == chosen).unwrap()
    };
    // Loss 40,000; a person leaves a quarter of it, for 9,000; retrying leaves nothing, for 30,000.
    for (chosen, cost, loss) in [
        (&[][..], 0.0, 40_000.0),
        (&[0], 30_000.0, 0.0),
        (&[1], 9_000.0, 10_000.0),
        (&[0, 1], 39_000.0, 0.0),
    ] {
        near(of(chosen).cost, cost);
        near(of(chosen).loss, loss);
        if let Some(saved) = of(chosen).saved {
            near(saved.interval.estimate, 40_000.0 - cost - loss);
        }
        let alone = scenario(chosen.contains(&0), chosen.contains(&1), "");
        let record = run_all(&alone);
        let money = record.arms[0].money.as_ref().unwrap();
        near(money.cases * money.loss.estimate, of(chosen).loss);
        near(record.arms[0].summary.failure.estimate, of(chosen).failure);
    }
    // First the person; retrying in addition costs more than it saves.
    let order: Vec<&[usize]> =
        planned.buying_order.iter().map(|&at| planned.options[at].chosen.as_slice()).collect();
    assert_eq!(order, [&[][..], &[1]]);
    assert!(of(&[]).on_front && of(&[1]).on_front && of(&[0]).on_front && !of(&[0, 1]).on_front);
    assert!(plan::table(&planned).starts_with("Buy first: person"));
}
