//! Fields read from texts: what is extracted is stated, for the oracle, the reader and the traces alike.

use knockon::cascade::runs::{Runs, depth};
use knockon::cascade::sample::Pick;
use knockon::cascade::trace::Trace;
use knockon::compile::search::Searches;
use knockon::expr::CorpusIndex;
use knockon::run::record::ArmRecord;
use knockon::run::{self, Models, Quiet};
use knockon::scenario::Scenario;

use crate::one_arm;

/// Each passage has a word of its own, so that BM25 finds it and no other. What the facts state, the texts
/// state as well, not always as the first number.
const LABELLED: &str = r#"
{"id":"right","text":"Alpha, lot 7 here. The fee is ten (10) units.","entity":"a","attribute":"key","facts":{"fee":{"number":10}}}
{"id":"other","text":"Beta, lot 8 here. Seven days. The fee is 20 units.","entity":"b","attribute":"key","facts":{"fee":{"number":20}}}
{"id":"third","text":"Gamma. A fee of thirty units.","entity":"c","attribute":"key","facts":{"fee":{"number":30}}}
{"id":"nothing","text":"Delta has 40 units.","entity":"d","attribute":"key"}
"#;

const READER: &str =
    "{preset: perfect, misread: 0.1, follow: 0.6, fabricate: 0.2, fabricate_empty: 0.5}";

fn scenario(passages: &str, extract: &str) -> Scenario {
    let steps = format!(
        "
  - id: find
    retrieve:
      corpus: c
      queries: [{{text: alpha, weight: 2}}, {{text: beta, weight: 1}}, {{text: delta, weight: 1}}]
      gold: passage.id == \"right\"
      top_k: 1
  - {{id: fee, read: {{from: find, field: fee{extract}}}}}
  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: refuse}}]}}"
    );
    one_arm::scenario(passages, "id,name\nt1,x\n", READER, &steps, "{trials: 200}")
}

/// The passages without their facts.
fn unlabelled() -> String {
    let lines = LABELLED.lines().map(|line| match line.split_once(",\"facts\"") {
        Some((head, _)) => format!("{head}}}\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

const EXTRACT: &str = ", extract: {type: number, near: [fee]}";

fn arm(scenario: &Scenario) -> ArmRecord {
    let models = Models::new(scenario, &Quiet, None);
    let record = run::run(scenario, &[0], &|e, c| models.open(e, c), &Quiet).unwrap();
    record.arms.into_iter().next().unwrap()
}

fn told(scenario: &Scenario) -> Trace {
    let models = Models::new(scenario, &Quiet, None);
    let indices: Vec<CorpusIndex> = scenario.corpora.iter().map(CorpusIndex::new).collect();
    let open = |embedder, corpus| models.open(embedder, corpus);
    let mut searches = Searches::new(&open, &Quiet, depth(scenario));
    let mut runs = Runs::new(scenario, 0, &indices, &mut searches, &Quiet).unwrap();
    runs.tell(&Pick { task: 0, trial: 0 }).unwrap()
}

#[test]
fn texts_say_what_labels_say() {
    let labelled = arm(&scenario(LABELLED, ""));
    let read = arm(&scenario(&unlabelled(), EXTRACT));
    assert!(labelled.tasks[0].outcomes[0] < 0.9);
    assert_eq!(labelled.tasks[0].outcomes, read.tasks[0].outcomes);
    let causes = |arm: &ArmRecord| format!("{:?}", arm.causes);
    assert_eq!(causes(&labelled), causes(&read));
}

#[test]
fn a_fact_goes_before_the_text() {
    let passages = LABELLED.replace("ten (10)", "eleven (11)");
    let scenario = scenario(&passages, EXTRACT);
    let corpus = &scenario.corpora[0];
    let stated: Vec<String> =
        corpus.passages.iter().filter_map(|p| Some(p.facts.get("fee")?.to_string())).collect();
    assert_eq!(stated, ["10", "20", "30"]);
    assert!((0..4).all(|passage| corpus.extracted_at("fee", passage).is_none()));
}

#[test]
fn the_story_quotes_the_sentence_that_was_read() {
    // The number stands in both sentences; the extractor goes by its cue.
    let passages = unlabelled().replace("lot 7", "lot 10");
    let trace = told(&scenario(&passages, EXTRACT));
    let reading = trace.steps[1].reading.as_ref().unwrap();
    let gold = reading.gold.as_ref().unwrap();
    assert_eq!((gold.value.as_str(), gold.sentence.as_str()), ("10", "The fee is ten (10) units."));
}
