//! Stops and silent failures have separate limits.

use knockon::gate::{
    self, AllowedIncrease, GateBaseline, GateCheck, GateCriterion, GateFinding, GateMeasure,
    GateSettings, GateVerdict,
};
use knockon::scenario::Scenario;

use super::{ASKED, limit, of, run, written};
use crate::one_arm;

/// Twelve tasks. For `unfound` of them, no search finds the passage: among the passages of the entity nothing is found,
/// and the run stops; among all passages (`reckless`) one of another entity is found, and followed with .99.
fn desk(unfound: usize, reckless: bool) -> Scenario {
    let mut passages = String::new();
    let mut passage = |id: String, text: String, entity: String, flag: bool| {
        passages += &format!(
            "{{\"id\":\"{id}\",\"text\":\"{text}\",\"entity\":\"{entity}\",\"facts\":{{\"flag\":{{\"yes_no\":{flag}}}}}}}\n"
        );
    };
    for task in 0..12 {
        let found = task >= unfound;
        let text = if found { format!("entity{task}") } else { "holding".to_owned() };
        passage(format!("g{task}"), text, format!("e{task}"), true);
        if !found {
            passage(format!("w{task}"), format!("entity{task}"), format!("x{task}"), false);
        }
    }
    let rows: String = (0..12).map(|task| format!("t{task},{task}\n")).collect();
    let steps = format!(
        r#"
  - id: find
    retrieve:
      corpus: c
      query: "entity{{{{ task.name }}}}"
      gold: passage.entity == "e" + task.name
      entity: '"e" + task.name'
      entity_filter: {}
      top_k: 1
  - {{id: flag, read: {{from: find, field: flag}}}}
  - {{id: act, act: [{{if: flag, do: pay}}, {{do: refund}}]}}"#,
        !reckless
    );
    let reader = "{preset: perfect, follow: 0.99}";
    one_arm::scenario(&passages, &format!("id,name\n{rows}"), reader, &steps, "{}")
}

fn check_ends(
    question: &GateSettings,
    before: (usize, bool),
    now: (usize, bool),
) -> Vec<GateCheck> {
    let (before, now) = (desk(before.0, before.1), desk(now.0, now.1));
    let dir = tempfile::tempdir().unwrap();
    written(&before, dir.path());
    let baseline = GateBaseline::read(dir.path()).unwrap();
    let arms = [("only".to_owned(), "only".to_owned())];
    gate::assess(&now, &run(&now), &baseline, &arms, question).unwrap()
}

#[test]
fn a_stop_that_becomes_a_silent_error_is_worse() {
    let question =
        GateSettings { allowed: AllowedIncrease { loss: None, ..ASKED.allowed }, ..ASKED };
    let finding = |checks: &[GateCheck], measure| limit(of(checks, measure)).unwrap().finding;
    let value = |checks: &[GateCheck], measure| match of(checks, measure).verdict {
        GateVerdict::Assessed { before, now, .. } => [before, now].map(|v| (v * 1e6).round() / 1e6),
        GateVerdict::NotAssessed(_) => panic!(),
    };
    let checks = check_ends(&question, (12, false), (12, true));
    assert_eq!(value(&checks, GateMeasure::Stopped), [1.0, 0.01]);
    assert_eq!(value(&checks, GateMeasure::WrongOrMissed), [0.0, 0.99]);
    assert_eq!(value(&checks, GateMeasure::Failure), [1.0, 1.0]);
    let same = GateFinding::Identical { units: 12, needed: Some(368) };
    assert_eq!(finding(&checks, GateMeasure::Failure), same);
    assert_eq!(finding(&checks, GateMeasure::WrongOrMissed), GateFinding::Worse);
    // Six changed units suffice for significance, among six unchanged ones.
    let checks = check_ends(&question, (6, false), (6, true));
    assert_eq!(finding(&checks, GateMeasure::WrongOrMissed), GateFinding::Worse);
    // The other way round, silent errors become stops: the gate passes, however stops are weighted.
    let checks = check_ends(&question, (12, true), (12, false));
    assert!(checks.iter().all(|check| check.passes(GateCriterion::NotAbove)), "{checks:#?}");
    // Nothing is found any more, so all runs stop: these are failures if a stop counts as one, and otherwise not.
    for (stop_weight, worse) in [(1.0, true), (0.5, true), (0.0, false)] {
        let checks = check_ends(&GateSettings { stop_weight, ..question }, (0, false), (12, false));
        assert_eq!(
            finding(&checks, GateMeasure::Failure) == GateFinding::Worse,
            worse,
            "{stop_weight}"
        );
        assert_eq!(value(&checks, GateMeasure::Failure), [0.0, stop_weight]);
        assert_eq!(finding(&checks, GateMeasure::WrongOrMissed), same);
        assert_eq!(limit(of(&checks, GateMeasure::Stopped)), None);
    }
    let allowed = AllowedIncrease { stopped: Some(0.05), ..question.allowed };
    let checks = check_ends(&GateSettings { allowed, ..question }, (0, false), (12, false));
    assert_eq!(finding(&checks, GateMeasure::Stopped), GateFinding::Worse);
}
