//! Fields read from texts: extracted values count as stated for the oracle, the reader and the traces.

use knockon::Session;
use knockon::cascade::arm_runs::{ArmRuns, search_depth};
use knockon::cascade::run_selection::SelectedRun;
use knockon::cascade::trace::RunTrace;
use knockon::run::record::ArmRecord;

use knockon::scenario::Scenario;

use crate::one_arm;
use crate::support::runs::run_first;

/// Each passage has its own word, so that BM25 finds exactly that passage. The texts state the facts too, not always as
/// the first number.
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

fn trace_of(scenario: &Scenario) -> RunTrace {
    let session = Session::over(scenario);
    let mut searches = session.searches(search_depth(scenario));
    let mut runs = ArmRuns::new(&session, 0, &mut searches).unwrap();
    runs.trace(&SelectedRun { task: 0, trial: 0 }).unwrap()
}

#[test]
fn extracted_values_equal_labelled_facts() {
    let labelled = run_first(&scenario(LABELLED, ""));
    let read = run_first(&scenario(&unlabelled(), EXTRACT));
    assert!(labelled.tasks[0].outcomes[0] < 0.9);
    assert_eq!(labelled.tasks[0].outcomes, read.tasks[0].outcomes);
    let causes = |arm: &ArmRecord| format!("{:?}", arm.causes);
    assert_eq!(causes(&labelled), causes(&read));
}

#[test]
fn a_fact_takes_precedence_over_the_text() {
    let passages = LABELLED.replace("ten (10)", "eleven (11)");
    let scenario = scenario(&passages, EXTRACT);
    let corpus = &scenario.corpora[0];
    let extracted: Vec<String> =
        corpus.passages.iter().filter_map(|p| Some(p.facts.get("fee")?.to_string())).collect();
    assert_eq!(extracted, ["10", "20", "30"]);
    assert!((0..4).all(|passage| corpus.extracted_at("fee", passage).is_none()));
}

#[test]
fn the_trace_quotes_the_sentence_that_was_read() {
    // The number is in both sentences; the extractor uses its cue.
    let passages = unlabelled().replace("lot 7", "lot 10");
    let trace = trace_of(&scenario(&passages, EXTRACT));
    let reading = trace.steps[1].reading.as_ref().unwrap();
    let gold = reading.gold.as_ref().unwrap();
    assert_eq!((gold.value.as_str(), gold.sentence.as_str()), ("10", "The fee is ten (10) units."));
}

/// The values that an extractor with these settings reads from texts; without settings, by the name of the field alone.
fn extracted(field: &str, extract: &str, texts: &[&str]) -> Vec<Option<String>> {
    let seed = match extract.contains("date") {
        true => "1 May 1999",
        false if extract.contains("duration") => "1 day",
        false if extract.contains("money") => "USD 1",
        _ => "1%",
    };
    let seed = format!("The notice, fee, charge, term expires {seed}.");
    let passages: Vec<String> = texts
        .iter()
        .copied()
        .chain([seed.as_str()])
        .enumerate()
        .map(|(i, text)| {
            serde_json::json!({"id": format!("p{i}"), "text": text, "entity": format!("e{i}")})
                .to_string()
        })
        .collect();
    let steps = format!(
        "
  - id: find
    retrieve: {{corpus: c, query: '{{{{ task.name }}}}', gold: passage.entity == task.name, top_k: 1}}
  - {{id: v, read: {{from: find, field: {field}, extract: {extract}}}}}
  - {{id: act, act: [{{do: go}}]}}"
    );
    let scenario = one_arm::scenario(
        &passages.join("\n"),
        "id,name\nt1,e0\n",
        READER,
        &steps,
        "{trials: 200}",
    );
    let passages = scenario.corpora[0].passages.iter().take(texts.len());
    passages.map(|passage| passage.facts.get(field).map(ToString::to_string)).collect()
}

#[test]
fn the_nearest_value_is_read() {
    for (extract, texts) in [
        (
            "{type: date, near: [expires]}",
            [
                ("This Agreement expires five (5) years after May 1, 2024.", "2029-05-01"),
                ("This Agreement expires on the second anniversary of May 1, 2024.", "2026-05-01"),
                ("This Agreement expires on February 30, 2026, as amended June 1, 2025.", ""),
                ("The lease expires on 03/04/2026, as amended June 1, 2025.", ""),
                ("The lease expires 12/31/26, renewed January 5, 2024.", ""),
            ],
        ),
        (
            "{type: duration, near: [notice]}",
            [
                (
                    "Notice of 14 (fourteen) calendar days is required, and the fee is due within 30 days.",
                    "14 days",
                ),
                (
                    "Notice of termination: 60 (sixty) days. Invoices fall due in 14 days.",
                    "60 days",
                ),
                ("A 30\u{2011}day notice period applies; renewal terms last 12 months.", "30 days"),
                ("Notice of \u{ff13}\u{ff10} days, the fee is fixed for 2 years.", "30 days"),
                (
                    "Either party may terminate on 30 to 60 days notice; deposits are returned within 14 days.",
                    "",
                ),
            ],
        ),
        (
            "{type: money, near: [fee]}",
            [
                ("The fee is CHF 1'250.00 per year.", "CHF 1250.00"),
                ("The fee is CHF 1'250'000.00 per year.", "CHF 1250000.00"),
                ("The fee is CHF 1\u{2019}250.00 per year.", "CHF 1250.00"),
                ("The fee is EUR 2,5 Mio. in all.", "EUR 2500000.00"),
                ("The fee is USD 5 to USD 10, and USD 3 is paid at once.", ""),
            ],
        ),
        (
            "{type: percent, near: [charge]}",
            [
                ("The late charge is .5% per month.", "0.5%"),
                ("The late charge is one-half of one percent (.5%) per month.", "0.5%"),
                ("The late charge is 1\u{bd}% per month.", "1.5%"),
                ("The late charge is five percent (6%), and 2% is waived.", ""),
                ("The late charge is ___%, and 2% is waived.", ""),
            ],
        ),
    ] {
        let (texts, values): (Vec<&str>, Vec<&str>) = texts.into_iter().unzip();
        let found = extracted("v", extract, &texts);
        let found: Vec<&str> = found.iter().map(|value| value.as_deref().unwrap_or("")).collect();
        assert_eq!(found, values, "{extract}");
    }
}

#[test]
fn a_known_field_needs_no_cues() {
    let found = extracted(
        "notice_period",
        "{type: duration}",
        &["It renews for one (1) year terms unless 60 days' notice is given.", "It lasts 5 years."],
    );
    assert_eq!(found, [Some("60 days".to_owned()), None]);
    let found = extracted(
        "expiration_date",
        "{type: date}",
        &["It begins on May 1, 2024 and concludes on April 30, 2026.", "Signed May 1, 2024."],
    );
    assert_eq!(found, [Some("2026-04-30".to_owned()), None]);
}
