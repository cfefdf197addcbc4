//! Files from other tools are read as the reference tool of each format reads them; unreadable ones get a clear
//! message.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use knockon::Session;
use knockon::probe::contender::{ContenderKind, ProbeContender};
use knockon::probe::retrieval;
use knockon::probe::score::ScoreSample;
use knockon::progress::NoProgress;
use knockon::retrieve::{Analyzer, Bm25Params, PassageHit, SearchRequest, TrecRun};
use knockon::scenario::{self, Scenario};
use knockon::world::beir;
use serde::Deserialize;

mod json_lines;
mod words;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

#[test]
fn retrieval_scores_match_beir() {
    #[derive(Deserialize)]
    struct Expected {
        queries: usize,
        #[serde(flatten)]
        measures: BTreeMap<String, f64>,
    }
    let expected = std::fs::read(data("beir/expected.json")).unwrap();
    let expected: BTreeMap<String, Expected> = serde_json::from_slice(&expected).unwrap();
    assert_eq!(expected.len(), 8);
    let words = Bm25Params { analyzer: Analyzer::PLAIN, ..Bm25Params::default() };
    let words =
        ProbeContender { name: "words".to_owned(), kind: ContenderKind::Words(Arc::new(words)) };
    for (name, Expected { queries, measures }) in expected {
        let set = beir::read(&data("beir").join(&name), &NoProgress).unwrap();
        assert_eq!(set.queries.len(), queries, "{name}");
        let found = retrieval::score_retrieval(&words, &set, &NoProgress).unwrap();
        for (measure, expected) in measures {
            let score = found.scores.iter().find(|score| score.measure == measure).unwrap();
            let ScoreSample::Rate(values) = &score.sample else { panic!("{measure}") };
            let mean = values.iter().map(|(value, _)| value).sum::<f64>() / values.len() as f64;
            // BEIR rounds to five decimals.
            assert!((mean - expected).abs() < 6e-6, "{name}, {measure}: {mean}, not {expected}");
        }
    }
}

#[test]
fn a_run_file_without_ranks_is_ordered_as_in_trec_eval() {
    #[derive(Deserialize)]
    struct Case {
        scores: BTreeMap<String, f64>,
        order: Vec<String>,
    }
    let cases = std::fs::read(data("retrieve/trec_order.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_slice(&cases).unwrap();
    for (rank, Case { scores, order }) in cases.into_iter().enumerate() {
        let line =
            |(passage, score): (&String, &f64)| format!("q\tQ0\t{passage}\t{rank}\t{score}\tx\n");
        let run: String = scores.iter().map(line).collect();
        let run = TrecRun::parse(&run).unwrap();
        let found: Vec<&str> = run.queries["q"].iter().map(|e| e.passage.as_str()).collect();
        assert_eq!(found, order, "{scores:?}");
    }
}

const PASSAGES: &str = r#"{"id": "p1", "text": "acme ends on sixty days notice", "entity": "acme", "facts": {"notice": {"duration": "60 days"}}}
{"id": "p2", "text": "borealis ends on thirty days notice", "entity": "borealis", "facts": {"notice": {"duration": "30 days"}}}
{"id": "p3", "text": "the supplier pays within ninety days", "entity": "acme"}
"#;

const TASKS: &str = "id,contract,end\nt1,acme,2025-06-30\nt2,borealis,2025-06-30\n";

/// A small scenario in its own folder.
struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let desk = Desk { dir: tempfile::tempdir().unwrap() };
        desk.put("passages.jsonl", PASSAGES);
        desk.put("tasks.csv", TASKS);
        desk
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.dir.path().join(name), content).unwrap();
    }

    /// Loads the scenario with these settings of its corpus, its tasks and an embedder `other`.
    fn load(&self, corpus: &str, tasks: &str, other: &str) -> Result<Scenario, String> {
        let yaml = format!(
            r#"
version: 1
name: desk
corpora: {{c: {{{corpus}}}}}
tasks: {{{tasks}, fields: {{contract: text, end: date}}}}
embedders: {{bm25: {{kind: bm25}}, other: {{{other}}}}}
embedder: bm25
steps:
  - id: find
    retrieve: {{corpus: c, query: "notice of {{{{ task.contract }}}}", gold: passage.entity == task.contract, top_k: 2}}
  - {{id: notice, read: {{from: find, field: notice}}}}
  - id: action
    act: [{{if: 'task.end.minus(notice) > date("2025-05-15")', do: wait}}, {{do: cancel}}]
arms: [{{id: words}}, {{id: other, embedder: other}}]
"#
        );
        self.put("s.yaml", yaml);
        scenario::load(&self.dir.path().join("s.yaml")).map_err(|mistakes| mistakes.to_string())
    }

    fn load_with_tasks(&self, tasks: &str) -> Result<Scenario, String> {
        self.load("passages: passages.jsonl", tasks, "kind: bm25")
    }

    fn load_with_run(&self, run: impl AsRef<[u8]>) -> Result<Scenario, String> {
        self.put("run.trec", run);
        self.load("passages: passages.jsonl", "file: tasks.csv", "kind: run_file, file: run.trec")
    }

    /// What the run finds for the first task.
    fn found(&self, run: impl AsRef<[u8]>) -> Vec<String> {
        let scenario = self.load_with_run(run).unwrap();
        let session = Session::over(&scenario).with_cache(self.dir.path());
        let request = SearchRequest { query: "notice of acme", candidates: None };
        let retriever = session.retriever(1, 0).unwrap();
        let ranking = retriever.search(&[request], 9, &|_| {}).unwrap().remove(0);
        let id = |hit: &PassageHit| &scenario.corpora[0].passages[hit.passage as usize].id;
        ranking.iter().map(|hit| id(hit).clone()).collect()
    }
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(unit).collect()
}

/// A text in the encodings in which programs save it.
fn encodings(text: &str) -> [Vec<u8>; 6] {
    [
        text.as_bytes().to_vec(),
        format!("\u{feff}{text}").into_bytes(),
        text.replace('\n', "\r\n").into_bytes(),
        text.replace('\n', "\r").into_bytes(),
        utf16(text, u16::to_le_bytes),
        utf16(&text.replace('\n', "\r\n"), u16::to_be_bytes),
    ]
}

#[test]
fn scenario_files_may_have_any_common_encoding() {
    let desk = Desk::new();
    for bytes in encodings(TASKS) {
        desk.put("tasks.csv", &bytes);
        assert_eq!(desk.load_with_tasks("file: tasks.csv").unwrap().tasks.tasks.len(), 2);
    }
    for bytes in encodings("{\"id\": \"t1\", \"contract\": \"acme\", \"end\": \"2025-06-30\"}\n") {
        desk.put("tasks.jsonl", &bytes);
        assert_eq!(desk.load_with_tasks("file: tasks.jsonl").unwrap().tasks.tasks.len(), 1);
    }
    for bytes in encodings(PASSAGES) {
        desk.put("passages.jsonl", &bytes);
        let scenario = desk.load_with_tasks("file: tasks.csv").unwrap();
        assert_eq!(scenario.corpora[0].passages.len(), 3);
    }
    let run = "t1.find Q0 p1 1 0.9 s\nt1.find Q0 p3 2 0.5 s\nt2.find Q0 p2 1 0.9 s\n";
    for bytes in encodings(run) {
        assert_eq!(desk.found(&bytes), ["p1", "p3"]);
    }
    let yaml = std::fs::read_to_string(desk.dir.path().join("s.yaml")).unwrap();
    for bytes in encodings(&yaml) {
        desk.put("s.yaml", &bytes);
        assert!(scenario::load(&desk.dir.path().join("s.yaml")).is_ok());
    }
}

#[test]
fn scores_order_a_run_file_whose_ranks_are_all_equal() {
    let desk = Desk::new();
    for (run, expected) in [
        ("t1.find Q0 p3 0 0.5 beir\nt1.find Q0 p1 0 0.9 beir\n", &["p1", "p3"][..]),
        ("t1.find Q0 p1 0 0.5 beir\nt1.find Q0 p3 0 0.9 beir\n", &["p3", "p1"]),
        // Equal scores are ordered by id, descending.
        ("t1.find Q0 p1 0 0.5 beir\nt1.find Q0 p3 0 0.5 beir\n", &["p3", "p1"]),
        ("t1.find Q0 p3 1 -2 x\nt1.find Q0 p1 1 -1 x\nt1.find Q0 p2 1 -3 x\n", &["p1", "p3", "p2"]),
        ("t1.find Q0 p1 0 0.5 beir\n", &["p1"]),
        // Ranks are missing for one query only; the ranks of the other decide its order.
        (
            "t2.find Q0 p2 1 9 x\nt1.find Q0 p3 0 1 x\nt2.find Q0 p1 2 9 x\nt1.find Q0 p1 0 2 x\n",
            &["p1", "p3"],
        ),
    ] {
        assert_eq!(desk.found(run), expected, "{run}");
    }
    let error =
        desk.load_with_run("t1.find Q0 p1 1 9 x\nt1.find Q0 p2 1 8 x\nt1.find Q0 p3 2 7 x\n");
    let error = error.unwrap_err();
    assert!(error.contains("line 2: query 't1.find' already has rank 1 on line 1"), "{error}");
    assert!(error.contains("all the same, in which case the scores decide"), "{error}");
}

#[test]
fn a_table_may_have_another_delimiter() {
    let desk = Desk::new();
    for (name, delimiter, settings) in [
        ("tasks.csv", ";", ", delimiter: semicolon"),
        ("tasks.csv", ";", ", delimiter: ';'"),
        ("tasks.csv", "\t", ", delimiter: tab"),
        ("tasks.csv", "|", ", delimiter: pipe"),
        ("tasks.tsv", "\t", ""),
        ("TASKS.CSV", ",", ", delimiter: comma"),
    ] {
        desk.put(name, TASKS.replace(',', delimiter));
        let tasks = format!("file: {name}{settings}");
        let scenario = desk.load_with_tasks(&tasks).unwrap_or_else(|e| panic!("{tasks}: {e}"));
        assert_eq!(scenario.tasks.tasks[1].id, "t2");
        desk.put(name, format!("sep={delimiter}\r\n{}", TASKS.replace(',', delimiter)));
        assert_eq!(desk.load_with_tasks(&tasks).unwrap().tasks.tasks[1].line, 4);
    }
    // The message suggests the fix.
    for (delimiter, name) in [(";", "semicolon"), ("\t", "tab"), ("|", "pipe")] {
        desk.put("tasks.csv", TASKS.replace(',', delimiter));
        let error = desk.load_with_tasks("file: tasks.csv").unwrap_err();
        let advice = format!("write `delimiter: {name}` beside the file's name in the scenario");
        assert!(error.contains(&advice) && !error.contains("--delimiter"), "{error}");
        assert!(desk.load_with_tasks(&format!("file: tasks.csv, delimiter: {name}")).is_ok());
    }
    desk.put("tasks.csv", TASKS);
    for (settings, expected) in [
        ("file: tasks.csv, delimiter: semi", "semicolon"),
        ("file: tasks.csv, delimiter: semicolon", "write `delimiter: comma`"),
        ("file: tasks.jsonl, delimiter: comma", "a file of JSON lines has no `delimiter`"),
    ] {
        desk.put(
            "tasks.jsonl",
            "{\"id\": \"t1\", \"contract\": \"acme\", \"end\": \"2025-06-30\"}\n",
        );
        let error = desk.load_with_tasks(settings).unwrap_err();
        assert!(error.contains(expected), "{settings}: {error}");
    }
    desk.put("tasks.csv", format!("sep=;\n{}", TASKS.replace(',', ";")));
    let error = desk.load_with_tasks("file: tasks.csv, delimiter: tab").unwrap_err();
    assert!(error.contains("line 1 says that cells are separated by semicolon (sep=;)"), "{error}");
    desk.put("tasks.csv", format!("sep=#\n{TASKS}"));
    let error = desk.load_with_tasks("file: tasks.csv").unwrap_err();
    assert!(error.contains("line 1: 'sep=#' is not a known delimiter"), "{error}");
}

#[test]
fn passages_may_be_a_table() {
    let desk = Desk::new();
    let table = "id,text,entity,variant,of\np1,acme ends on 60 days notice,acme,,\np2,\"borealis, 30 days notice\",borealis,,\np3,acme ends on 30 days notice,acme,number,p1\n";
    let load = |corpus: &str| desk.load(corpus, "file: tasks.csv", "kind: bm25");
    for (name, delimiter, settings) in
        [("p.csv", ",", ""), ("p.csv", ";", ", delimiter: semicolon"), ("p.TSV", "\t", "")]
    {
        desk.put(
            name,
            table
                .replace("\"borealis, 30", "\"borealis~ 30")
                .replace(',', delimiter)
                .replace('~', ","),
        );
        // No passage states a fact, and no step reads one; everything else is valid.
        let error = load(&format!("passages: {name}{settings}")).unwrap_err();
        assert!(error.contains("notice") && !error.contains("cannot be used"), "{error}");
    }
    for (table, expected) in [
        ("id;text\np1;a\n", "write `delimiter: semicolon`"),
        ("id,text,price\np1,a,1\n", "line 1, column 'price': passages have no such column"),
        ("id,text,entty\np1,a,x\n", "did you mean `entity`?"),
        ("id,text\np1,a\np1,b\n", "line 3, column 'id': the id 'p1' is already used on line 2"),
        (
            "id,text,of,variant\np1,a,p2,negated\n",
            "line 2, column 'variant': 'negated' is not a variant",
        ),
        ("id,text,of\np1,a,p2\n", "line 2: 'of' and 'variant' go together"),
        ("id,text\n,a\n", "line 2, column 'id': the id is empty"),
        ("id,txt\np1,a\n", "there is no column 'text'"),
    ] {
        desk.put("p.csv", table);
        let error = load("passages: p.csv").unwrap_err();
        assert!(error.contains(expected), "{table}: {error}");
    }
}

#[test]
fn text_in_another_encoding_is_named_by_line_and_column() {
    for (file, bytes, expected) in [
        // A no-break space before the invalid byte.
        (
            "tasks.csv",
            &b"id,contract,end\nt1,a\xC2\xA0\xFF,2025-06-30\n"[..],
            "line 2, column 'contract': '\u{fffd}' is not UTF-8 at character 3 (byte 0xFF)",
        ),
        (
            "tasks.csv",
            b"id,contr\xC2\xA0\xE9,end\nt1,a,2025-06-30\n",
            "line 1: cell 2: '\u{fffd}' is not UTF-8 at character 7 (byte 0xE9)",
        ),
        (
            "tasks.csv",
            b"id,contract,end\rt1,\xE3\x80\x80\xFFx,2025-06-30\r",
            "line 2, column 'contract'",
        ),
        (
            "passages.jsonl",
            b"{\"id\": \"p1\", \"text\": \"\xE2\x80\x89\xE9t\xE9\"}\n",
            "line 1: '\u{fffd}t\u{fffd}\"}' is not UTF-8 at column 24 (byte 0xE9)",
        ),
        (
            "run.trec",
            b"t1.find Q0 p1 1 0.9 s\nt1.find\xC2\x85\xFF Q0\n",
            "line 2: '\u{fffd}' is not UTF-8 at column 9 (byte 0xFF)",
        ),
        (
            "passages.jsonl",
            b"\xFF\xFE{\0\"\0\0\xD8",
            "line 1: the file is UTF-16, and half of a character is missing at column 3",
        ),
    ] {
        let desk = Desk::new();
        desk.put("run.trec", "t1.find Q0 p1 1 0.9 s\n");
        desk.put(file, bytes);
        let error = desk
            .load("passages: passages.jsonl", "file: tasks.csv", "kind: run_file, file: run.trec")
            .unwrap_err();
        assert!(error.contains(expected), "{file}: {error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn pipes_and_devices_are_refused_at_once() {
    let desk = Desk::new();
    desk.put("run.trec", "t1.find Q0 p1 1 0.9 s\n");
    let pipe = desk.dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (kind, expected) in
        [("pipe", "it is a pipe, not a file"), ("/dev/zero", "it is a device, not a file")]
    {
        for (corpus, tasks, other) in [
            (format!("passages: {kind}"), "file: tasks.csv".to_owned(), "kind: bm25".to_owned()),
            (
                "passages: passages.jsonl".to_owned(),
                format!("file: {kind}"),
                "kind: bm25".to_owned(),
            ),
            (
                "passages: passages.jsonl".to_owned(),
                "file: tasks.csv".to_owned(),
                format!("kind: run_file, file: {kind}"),
            ),
            (
                "passages: passages.jsonl".to_owned(),
                "file: tasks.csv".to_owned(),
                format!("kind: run_file, file: run.trec, queries: {kind}"),
            ),
        ] {
            let error = desk.load(&corpus, &tasks, &other).unwrap_err();
            assert!(error.contains(expected), "{corpus} {tasks} {other}: {error}");
        }
        let path = if kind == "pipe" { pipe.clone() } else { PathBuf::from(kind) };
        let error = scenario::load(&path).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// Bytes that often break readers, concatenated at random.
const PIECES: [&[u8]; 36] = [
    b"\"",
    b"\"\"",
    b",",
    b";",
    b"\t",
    b"|",
    b"\n",
    b"\r",
    b"\r\n",
    b" ",
    b"\0",
    b"\xEF\xBB\xBF",
    b"\xFF\xFE",
    b"\xFE\xFF",
    b"\xFF",
    b"\xC2\xA0",
    b"\xC2",
    b"\xE2\x80\xA8",
    b"\xF0\x9F\x98\x80",
    b"\xED\xA0\x80",
    b"sep=",
    b"id",
    b"text",
    b"{\"id\":\"a\",\"text\":\"b\"}",
    b"{",
    b"}",
    b"[",
    b":",
    b"null",
    b"1",
    b"-1e999",
    b"NaN",
    b"Q0",
    b"query-id\tcorpus-id\tscore",
    b"\\ud800",
    b"a",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_make_a_reader_panic(
        pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..30)
    ) {
        use knockon::world::import::{condaqa, csv, paws};
        use knockon::world::{Corpus, LookupTable, TaskSet, labelled_pair, pair, text_list, triplet};

        let bytes = pieces.concat();
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("qrels")).unwrap();
        let put = |name: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            path
        };
        for name in ["t.csv", "t.tsv", "t.jsonl", "t.txt"] {
            let path = put(name);
            let options = csv::CsvImportOptions { key: vec!["id".to_owned()], ..Default::default() };
            let _ = csv::read(&path, &options);
            let _ = Corpus::read("c", &path);
            let _ = TaskSet::read(&path, &BTreeMap::new());
            let _ = LookupTable::read("t", &path, "id", &BTreeMap::new());
            let _ = text_list::read(&path, "text", &NoProgress);
            let _ = text_list::read_each_line(&path, &NoProgress);
            let _ = triplet::read(&path, &NoProgress);
            let _ = pair::read(&path, &NoProgress);
            let _ = labelled_pair::read(&path, &NoProgress);
            let _ = paws::read(&path, &NoProgress);
            let _ = condaqa::read(&path, &NoProgress);
            let _ = knockon::input_file::read_text(&path).map(|text| TrecRun::parse(&text));
        }
        for name in ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"] {
            put(name);
        }
        let _ = beir::read(dir.path(), &NoProgress);
    }

    #[test]
    fn the_table_reader_neither_loses_nor_invents_text(
        cells in proptest::collection::vec(proptest::collection::vec("[a-c\",;\n\r\t é]{0,6}", 2), 1..6),
        end in proptest::sample::select(&["\n", "\r", "\r\n"][..])
    ) {
        use knockon::world::import::csv;

        // Every row of a table written as in RFC 4180 is read back; the line number is that of its start.
        let mut text = format!("id,a,b{end}");
        let mut expected = Vec::new();
        let line_ends = |text: &str| text.replace("\r\n", "\n").matches(['\n', '\r']).count();
        for (id, row) in cells.iter().enumerate() {
            expected.push((line_ends(&text) + 1, row.iter().map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()));
            let quoted = row.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")));
            text += &format!("k{id},{}{end}", quoted.collect::<Vec<_>>().join(","));
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        std::fs::write(&path, &text).unwrap();
        let options = csv::CsvImportOptions {
            key: vec!["id".to_owned()],
            text: Some("{a}\u{1}{b}".to_owned()),
            types: vec![("a".to_owned(), knockon::value::ValueType::Text), ("b".to_owned(), knockon::value::ValueType::Text)],
            ..Default::default()
        };
        let import = csv::read(&path, &options).unwrap();
        let found: Vec<Vec<String>> =
            import.passages.iter().map(|p| p.text.split('\u{1}').map(str::to_owned).collect()).collect();
        let rows: Vec<Vec<String>> = expected.iter().map(|(_, row)| row.clone()).collect();
        proptest::prop_assert_eq!(found, rows);
    }
}
