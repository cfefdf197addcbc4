//! A number is preserved exactly, from a cell to a fact and back; what cannot be a number is text, or a mistake.

use std::path::Path;

use knockon::output::OutputWriter;
use knockon::value::{TypedValue, ValueType};
use knockon::world::import::csv::{self, CsvImport, CsvImportOptions};
use knockon::world::{Corpus, TaskSet};

fn import(dir: &Path, table: &str) -> CsvImport {
    let path = dir.join("t.csv");
    std::fs::write(&path, table).unwrap();
    csv::read(&path, &CsvImportOptions { key: vec!["k".to_owned()], ..CsvImportOptions::default() })
        .unwrap()
}

/// The values of the column `v` after a round trip through passages.jsonl.
fn there_and_back(cells: &[&str]) -> (Vec<TypedValue>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let rows: String = cells.iter().enumerate().map(|(i, c)| format!("r{i},{c}\n")).collect();
    let import = import(dir.path(), &format!("k,v\n{rows}"));
    import.write(&OutputWriter::default(), dir.path(), None).unwrap();
    let corpus = Corpus::read("c", &dir.path().join("passages.jsonl")).unwrap();
    let values = corpus.passages.iter().map(|passage| passage.facts["v"].clone());
    (values.collect(), import.notes)
}

#[test]
fn numbers_round_trip_as_written() {
    let cells = [
        "901.6103396217235",
        "117.63331139400017",
        "933.3663924504775",
        "12.5",
        "0.1",
        "1234567.8912345",
    ];
    let (values, notes) = there_and_back(&cells);
    let numbers: Vec<TypedValue> =
        cells.map(|cell| TypedValue::parse(ValueType::Number, cell).unwrap()).into();
    assert_eq!((values, notes), (numbers, vec![]));
}

#[test]
fn codes_stay_text_with_a_note() {
    for cells in [
        ["12345678901234567890", "12345678901234567891"],
        ["9007199254740993", "9007199254740992"],
        ["007", "7"],
        ["1.10", "1.9"],
        ["+41791234567", "41791234567"],
        ["0.12345678901234567890", "0.12345678901234567891"],
        ["00", "0"],
    ] {
        let (values, notes) = there_and_back(&cells);
        assert_eq!(values, cells.map(|cell| TypedValue::Text(cell.to_owned())), "{cells:?}");
        assert_eq!(notes.len(), 1, "{cells:?}: {notes:?}");
        assert!(notes[0].contains("is read as text"), "{notes:?}");
    }
    // All prices have the same number of decimals.
    let (values, notes) = there_and_back(&["1.10", "2.50"]);
    assert_eq!((values, notes), (vec![TypedValue::Number(1.1), TypedValue::Number(2.5)], vec![]));
}

fn tasks(name: &str, text: &str, ty: ValueType) -> anyhow::Result<TaskSet> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    TaskSet::read(&path, &[("v".to_owned(), ty)].into())
}

#[test]
fn tasks_keep_numbers_exactly_or_refuse_them() {
    for cell in ["12345678901234567890", "9007199254740993", "99999999999999999999"] {
        for (name, text) in [
            ("t.csv", format!("id,v\nt1,{cell}\n")),
            ("t.jsonl", format!("{{\"id\": \"t1\", \"v\": {cell}}}\n")),
        ] {
            let error = format!("{:#}", tasks(name, &text, ValueType::Number).unwrap_err());
            assert!(error.contains(cell) && error.contains("digits"), "{name}: {error}");
            let text = tasks(name, &text, ValueType::Text).unwrap();
            assert_eq!(text.tasks[0].fields["v"], TypedValue::Text(cell.to_owned()), "{name}");
        }
    }
    let error = format!("{:#}", tasks("t.csv", "id,v\nt1,007\n", ValueType::Number).unwrap_err());
    assert!(error.contains("'007'") && error.contains("text"), "{error}");
    let line = "{\"id\": \"t1\", \"v\": 117.63331139400017}\n";
    let read = tasks("t.jsonl", line, ValueType::Number).unwrap();
    assert_eq!(
        read.tasks[0].fields["v"],
        TypedValue::Number("117.63331139400017".parse().unwrap())
    );
}

#[test]
fn facts_keep_numbers_exactly_or_refuse_them() {
    let read = |fact: &str| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.jsonl");
        let line = format!("{{\"id\": \"p\", \"text\": \"x\", \"facts\": {{\"v\": {fact}}}}}\n");
        std::fs::write(&path, line).unwrap();
        Corpus::read("c", &path).map(|corpus| corpus.passages[0].facts["v"].clone())
    };
    for digits in ["901.6103396217235", "117.63331139400017", "1e21", "9007199254740992"] {
        let value = read(&format!("{{\"number\": {digits}}}")).unwrap();
        assert_eq!(value, TypedValue::Number(digits.parse().unwrap()), "{digits}");
    }
    for digits in ["12345678901234567890", "99999999999999999999", "9007199254740993"] {
        let error = format!("{:#}", read(&format!("{{\"number\": {digits}}}")).unwrap_err());
        assert!(error.contains(digits) && error.contains("is text"), "{error}");
        let error = format!("{:#}", read(&format!("{{\"text\": {digits}}}")).unwrap_err());
        assert!(error.contains("is not a text"), "{error}");
        let text = read(&format!("{{\"text\": \"{digits}\"}}")).unwrap();
        assert_eq!(text, TypedValue::Text(digits.to_owned()));
    }
}
