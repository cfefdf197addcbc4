//! The import of TAT-QA on the original files, and on a small file of the same layout.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use knockon::output::OutputWriter;
use knockon::value::TypedValue;
use knockon::world::Corpus;
use knockon::world::import::tatqa::{self, TatqaImport, report};

use crate::support::scenarios::load;

/// One of the original files, if this machine has it.
fn data(name: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("KNOCKON_DATA") {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    let file = root.join("tatqa").join(name);
    if file.exists() {
        return Some(file);
    }
    eprintln!("skipped: no {}", file.display());
    None
}

/// Recomputes every answer from the passages on disk.
fn follow_from_passages(import: &TatqaImport, passages: &Path) -> usize {
    let corpus = Corpus::read("c", passages).unwrap();
    let facts: BTreeMap<&str, _> =
        corpus.passages.iter().map(|p| (p.id.as_str(), (&p.entity, &p.facts))).collect();
    let follows = |a: &&tatqa::questions::ArithmeticQuestion| {
        let values = a.operands.iter().map(|o| {
            let (entity, facts) = facts[o.passage.as_str()];
            assert_eq!(entity.as_deref(), Some(a.entity.as_str()));
            let TypedValue::Number(stated) = facts[&o.field] else { panic!("{o:?}") };
            stated * o.factor
        });
        let result = a.derivation.eval(&values.collect::<Vec<f64>>()).unwrap();
        (result - a.answer).abs() <= a.tolerance * 1.000_01
    };
    import.arithmetic.iter().filter(follows).count()
}

#[test]
fn answers_can_be_computed_from_the_gold_passages() {
    let Some(file) = data("tatqa_dataset_test_gold.json") else { return };
    let import = tatqa::read(&file).unwrap();
    let out = tempfile::tempdir().unwrap();
    import.write(&OutputWriter::default(), out.path()).unwrap();
    let follow = follow_from_passages(&import, &out.path().join("passages.jsonl"));
    println!(
        "{follow} of {} mapped questions; {} tasks",
        import.mapped_questions,
        import.tasks().count()
    );
    assert!(import.mapped_questions > 400);
    assert!(
        follow as f64 >= 0.95 * import.mapped_questions as f64,
        "{follow} of {}",
        import.mapped_questions
    );
    assert!(import.tasks().count() as f64 >= 0.8 * import.mapped_questions as f64);
    // Every arithmetic question is either a task or a finding.
    let questions = import.questions["arithmetic"];
    assert_eq!(import.tasks().count() + import.findings.len(), questions);
}

#[test]
fn the_oracle_of_the_scenario_computes_every_answer() {
    let Some(file) = data("tatqa_dataset_test_gold.json") else { return };
    let import = tatqa::read(&file).unwrap();
    let dir = tempfile::tempdir().unwrap();
    import.write(&OutputWriter::default(), &dir.path().join("tatqa")).unwrap();
    let yaml = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/tatqa.yaml");
    let path = dir.path().join("tatqa.yaml");
    std::fs::copy(yaml, &path).unwrap();
    let scenario = load(&path);
    let indices: Vec<_> = scenario.corpora.iter().map(knockon::expr::CorpusIndex::new).collect();
    let mut wrong = Vec::new();
    for task in &scenario.tasks.tasks {
        let oracle =
            knockon::step::oracle::run(&scenario, &scenario.arms[0], &indices, task).unwrap();
        let action = format!("{:?}", oracle.outputs.last().unwrap());
        if !action.contains("state_answer") {
            wrong.push((task.id.clone(), action));
        }
    }
    assert!(wrong.is_empty(), "{} of {}: {wrong:?}", wrong.len(), scenario.tasks.tasks.len());
}

#[test]
fn a_file_without_mappings_gives_passages_and_findings() {
    let Some(file) = data("tatqa_dataset_dev.json") else { return };
    let import = tatqa::read(&file).unwrap();
    assert_eq!((import.mapped_questions, import.arithmetic.len()), (0, 0));
    assert_eq!(import.findings.len(), import.questions["arithmetic"]);
    assert!(import.findings.iter().all(|f| f.kind == report::TatqaFindingKind::NoMapping));
    let out = tempfile::tempdir().unwrap();
    import.write(&OutputWriter::default(), out.path()).unwrap();
    assert!(!out.path().join("tasks.csv").exists());
}

const SMALL: &str = r#"[{
  "table": {"uid": "0123456789", "table": [
    ["", "2019", "2018"], ["Costs:", "", ""], ["Net loss", "$(20)", "$ (10)"], ["Rate", "12.5%", "—"]]},
  "paragraphs": [{"order": 1, "text": "Rent was $1,200 and then 1,500."}],
  "questions": [
    {"uid": "q1", "question": "Change?", "answer": 100, "answer_type": "arithmetic", "scale": "percent",
     "tree_derivation": ["*", "/", "-", "20", "10", "10", "100"], "facts": ["10", "20"],
     "mappings": [{"table": [2, 2]}, {"table": [2, 1]}]},
    {"uid": "q2", "question": "Rent?", "answer": 300, "answer_type": "arithmetic", "scale": "",
     "tree_derivation": ["-", "1500", "1200"], "facts": ["1200", "1500"],
     "mappings": [{"paragraph_1": [10, 13]}, {"paragraph_1": [25, 30]}]},
    {"uid": "q3", "question": "Wrong sum?", "answer": 31, "answer_type": "arithmetic", "scale": "",
     "tree_derivation": ["+", "-20", "-10"], "facts": ["-20", "-10"],
     "mappings": [{"table": [2, 1]}, {"table": [2, 2]}]},
    {"uid": "q4", "question": "Other cell?", "answer": 10, "answer_type": "arithmetic", "scale": "",
     "tree_derivation": ["-", "20", "10"], "facts": ["20", "10"],
     "mappings": [{"table": [3, 1]}, {"table": [3, 2]}]},
    {"uid": "q5", "question": "Dash?", "answer": 10, "answer_type": "arithmetic", "scale": "",
     "tree_derivation": ["-", "12.5", "0"], "facts": ["0", "12.5"],
     "mappings": [{"table": [3, 2]}, {"table": [99, 1]}]},
    {"uid": "q6", "question": "Who?", "answer": ["x"], "answer_type": "span", "scale": ""}]}]"#;

#[test]
fn a_small_file_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.json");
    std::fs::write(&file, SMALL).unwrap();
    let import = tatqa::read(&file).unwrap();
    let texts: Vec<&str> = import.passages.iter().map(|p| p.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "Costs, Net loss, 2019: $(20)",
            "Costs, Net loss, 2018: $ (10)",
            "Costs, Rate, 2019: 12.5%",
            "Costs, Rate, 2018: —",
            "Rent was $1,200 and then 1,500.",
        ]
    );
    let ids: Vec<&str> = import.tasks().map(|t| t.id.as_str()).collect();
    assert_eq!(ids, ["q1"], "a paragraph with two figures is no task yet");
    assert_eq!(import.arithmetic.len(), 2);
    let q1 = &import.arithmetic[0];
    assert_eq!(q1.operands[0].passage, "report-01234567.r2c1");
    assert_eq!((q1.operands[0].stated, q1.operands[0].factor), (-20.0, -1.0));
    let kinds: Vec<(&str, report::TatqaFindingKind)> =
        import.findings.iter().map(|f| (f.id.as_str(), f.kind)).collect();
    assert_eq!(
        kinds,
        [
            ("q2", report::TatqaFindingKind::NotInScenario),
            ("q3", report::TatqaFindingKind::AnswerDiffers),
            ("q4", report::TatqaFindingKind::FigureDiffers),
            ("q5", report::TatqaFindingKind::FigureNotLocated),
        ]
    );
    let first = tempfile::tempdir().unwrap();
    import.write(&OutputWriter::default(), first.path()).unwrap();
    assert_eq!(follow_from_passages(&import, &first.path().join("passages.jsonl")), 2);
}

#[test]
fn wrong_usage_has_a_clear_message() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.json");
    let error = |text: &str| {
        std::fs::write(&file, text).unwrap();
        format!("{:#}", tatqa::read(&file).unwrap_err())
    };
    assert!(error("[]").contains("no context"));
    assert!(error("[{\"table\": 3}]").contains("does not have the layout of TAT-QA"));
    assert!(error("no").contains("line 1"));
}
