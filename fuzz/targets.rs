//! One function for each format that knockon reads. It accepts any bytes and must return. `tests/fuzz.rs` mutates the
//! seeds briefly on every test run; `cargo fuzz run NAME` searches guided by coverage until it is stopped.

use std::path::{Path, PathBuf};

use knockon::embed::{ModelKind, ModelPrecision, ModelSpec, TextRole};
use knockon::extract::ExtractorKind;
use knockon::gate::GateBaseline;
use knockon::progress::NoProgress;
use knockon::scenario;
use knockon::world;

/// A format, with valid inputs as seeds.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
}

pub const TARGETS: &[Target] = &[
    Target { name: "scenario", run: scenario_file, seeds: scenario_seeds },
    Target { name: "expression", run: expression, seeds: expression_seeds },
    Target { name: "template", run: template, seeds: template_seeds },
    Target {
        name: "passages",
        run: passages,
        seeds: || seeds(&["desk/passages.jsonl", "malformed/passages.jsonl"]),
    },
    Target {
        name: "tasks",
        run: tasks,
        seeds: || seeds(&["desk/tasks.csv", "malformed/tasks.csv"]),
    },
    Target {
        name: "table",
        run: table,
        seeds: || seeds(&["desk/vendors.csv", "malformed/vendors.csv"]),
    },
    Target { name: "trec_run", run: trec_run, seeds: trec_seeds },
    Target { name: "beir_corpus", run: beir_corpus, seeds: || vec![BEIR[0].1.to_vec()] },
    Target { name: "beir_queries", run: beir_queries, seeds: || vec![BEIR[1].1.to_vec()] },
    Target { name: "beir_qrels", run: beir_qrels, seeds: || vec![BEIR[2].1.to_vec()] },
    Target { name: "csv_import", run: csv_import, seeds: csv_seeds },
    Target { name: "cuad", run: cuad, seeds: cuad_seeds },
    Target { name: "tatqa", run: tatqa, seeds: tatqa_seeds },
    Target {
        name: "paws",
        run: paws,
        seeds: || vec![b"id\tsentence1\tsentence2\tlabel\n1\tA sold B .\tB sold A .\t0\n".to_vec()],
    },
    Target { name: "condaqa", run: condaqa, seeds: condaqa_seeds },
    Target {
        name: "triplets",
        run: triplets,
        seeds: || vec![b"anchor,positive,negative,category\na,b,c,negation\n".to_vec()],
    },
    Target {
        name: "pairs",
        run: pairs,
        seeds: || vec![b"{\"query\":\"q\",\"passage\":\"p\"}\n".to_vec()],
    },
    Target { name: "texts", run: texts, seeds: || vec![b"one\ntwo\n\nthree".to_vec()] },
    Target { name: "extract", run: extract_values, seeds: extract_seeds },
    Target {
        name: "model_config",
        run: model_config,
        seeds: || seeds(&["embed/tiny/bert/config.json"]),
    },
    Target {
        name: "model_tokenizer",
        run: model_tokenizer,
        seeds: || seeds(&["embed/tiny/bert/tokenizer.json"]),
    },
    Target {
        name: "model_weights",
        run: model_weights,
        seeds: || seeds(&["embed/tiny/bert/model.safetensors"]),
    },
    Target {
        name: "adapter",
        run: adapter,
        seeds: || seeds(&["embed/tiny/bert-lora/adapter_model.safetensors"]),
    },
    Target { name: "onnx", run: onnx, seeds: onnx_seeds },
    Target { name: "baseline_manifest", run: baseline_manifest, seeds: || vec![MANIFEST.to_vec()] },
    Target { name: "baseline_tasks", run: baseline_tasks, seeds: || vec![BASELINE_TASKS.to_vec()] },
];

/// The root of this repository: the seeds, and the unchanged files beside a mutated one, are read from it.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if here.ends_with("fuzz") { here.parent().unwrap().to_owned() } else { here.to_owned() }
}

fn seeds(files: &[&str]) -> Vec<Vec<u8>> {
    let data = root().join("tests/data");
    files.iter().map(|file| std::fs::read(data.join(file)).unwrap()).collect()
}

/// A folder with these files, in memory if the system supports it.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let dir = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    let dir = dir.unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    dir
}

const YAML: &str = r#"version: 1
name: small
corpora: {c: {passages: passages.jsonl}}
tables: {vendors: {file: vendors.csv, key: vendor}}
tasks: {file: tasks.csv, fields: {name: text, amount: money, due: date}}
embedders: {bm25: {kind: bm25}, earlier: {kind: run_file, path: run.trec}}
embedder: bm25
reader: {preset: gpt-4o, misread: 0.1}
steps:
  - {id: find, retrieve: {corpus: c, query: "fee of {{ task.name }}", gold: passage.entity == task.name, top_k: 2}}
  - {id: fee, read: {from: find, field: fee, extract: {type: number, near: [fee]}}, guard: [{check: fee > 0}]}
  - {id: action, act: [{if: fee == 10, do: pay}, {do: refuse}], hold: [refuse]}
arms: [{id: base}, {id: other, embedder: earlier}]
baseline: base
"#;

const PASSAGES: &[u8] = br#"{"id":"p1","text":"The fee is ten (10) units.","entity":"x","attribute":"fee","facts":{"fee":{"number":10}}}
{"id":"p2","text":"The fee is 20 units.","entity":"y","attribute":"fee","facts":{"fee":{"number":20}}}
"#;
const TASKS: &[u8] = b"id,name,amount,due\nt1,x,USD 10,2025-01-31\nt2,y,USD 2.50,2024-02-29\n";
const VENDORS: &[u8] = b"vendor,account\nx,17\ny,18\n";
const RUN: &[u8] = b"t1 Q0 p1 1 2.5 system\nt1 Q0 p2 2 1.5 system\nt2 Q0 p2 1 0.5 system\n";

/// Loads the small scenario with one of its files replaced, and renders the mistakes.
fn load_with(name: &str, bytes: &[u8]) {
    let mut files = vec![
        ("small.yaml", YAML.as_bytes()),
        ("passages.jsonl", PASSAGES),
        ("tasks.csv", TASKS),
        ("vendors.csv", VENDORS),
        ("run.trec", RUN),
    ];
    for file in &mut files {
        if file.0 == name {
            file.1 = bytes;
        }
    }
    let dir = folder(&files);
    if let Err(mistakes) = scenario::load(&dir.path().join("small.yaml")) {
        let text = mistakes.render(false);
        assert!(!text.trim().is_empty(), "a scenario was refused without a word");
    }
}

fn scenario_file(bytes: &[u8]) {
    load_with("small.yaml", bytes);
}

fn scenario_seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![YAML.as_bytes().to_vec()];
    let broken = root().join("tests/data/broken");
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(broken).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    seeds.extend(names.iter().map(|path| std::fs::read(path).unwrap()));
    seeds
}

/// Loads a scenario in which the text of one key is replaced, with the necessary quoting.
fn load_with_text(of: &str, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let quoted = serde_json::to_string(text).unwrap();
    assert!(YAML.contains(of));
    load_with("small.yaml", YAML.replace(of, &quoted).as_bytes());
}

fn expression(bytes: &[u8]) {
    load_with_text("passage.entity == task.name", bytes);
}

fn expression_seeds() -> Vec<Vec<u8>> {
    [
        "passage.entity == task.name && passage.attribute in ['fee', \"x\"]",
        "task.due.minus(duration('60 days')) <= date('2025-01-31') ? true : passage.text.matches('a|b')",
        "days_between(task.due, date('2024-02-29')) > 3 || size(passage.text) % 2 == 0",
        "[1, 2.5, {'a': null}].exists(x, x == 1) && !(task.amount > money('USD 3'))",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

fn template(bytes: &[u8]) {
    load_with_text("\"fee of {{ task.name }}\"", bytes);
}

fn template_seeds() -> Vec<Vec<u8>> {
    ["{{ task.name }} and {{ task.due }}", "{{ {'a': '}}'}['a'] }}", "{ {{task.amount}} }}"]
        .map(|text| text.as_bytes().to_vec())
        .into()
}

fn passages(bytes: &[u8]) {
    load_with("passages.jsonl", bytes);
}

fn tasks(bytes: &[u8]) {
    load_with("tasks.csv", bytes);
}

fn table(bytes: &[u8]) {
    load_with("vendors.csv", bytes);
}

fn trec_run(bytes: &[u8]) {
    load_with("run.trec", bytes);
}

fn trec_seeds() -> Vec<Vec<u8>> {
    vec![RUN.to_vec(), b"{\"qid\":\"t1\",\"docid\":\"p1\",\"score\":1.5}\n".to_vec()]
}

const BEIR: [(&str, &[u8]); 3] = [
    ("corpus.jsonl", b"{\"_id\":\"d1\",\"title\":\"T\",\"text\":\"one\"}\n{\"_id\":2,\"title\":null,\"text\":\"two\"}\n"),
    ("queries.jsonl", b"{\"_id\":\"q1\",\"text\":\"one\"}\n{\"_id\":\"q2\",\"text\":\"two\"}\n"),
    ("qrels/test.tsv", b"query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\t2\t1\nq2\td1\t0\n"),
];

fn beir_with(name: &str, bytes: &[u8]) {
    let files = BEIR.map(|(file, content)| (file, if file == name { bytes } else { content }));
    let dir = folder(&files);
    let _ = world::beir::read(dir.path(), &NoProgress);
}

fn beir_corpus(bytes: &[u8]) {
    beir_with("corpus.jsonl", bytes);
}

fn beir_queries(bytes: &[u8]) {
    beir_with("queries.jsonl", bytes);
}

fn beir_qrels(bytes: &[u8]) {
    beir_with("qrels/test.tsv", bytes);
}

/// Runs a reader of one file on a file of these bytes.
fn with_file<T>(name: &str, bytes: &[u8], read: impl Fn(&Path) -> T) {
    let dir = folder(&[(name, bytes)]);
    read(&dir.path().join(name));
}

fn csv_import(bytes: &[u8]) {
    let options = world::import::csv::CsvImportOptions {
        key: vec!["key".to_owned()],
        ..world::import::csv::CsvImportOptions::default()
    };
    with_file("t.csv", bytes, |path| world::import::csv::read(path, &options));
}

fn csv_seeds() -> Vec<Vec<u8>> {
    [
        "key,price,due,rate\na,\"1,234.50\",2024-01-31,5%\nb,12,2024-02-29,.5%\n",
        "key;price\na;12,5\n\"b \"\"x\"\"\";7\n",
        "key\tnote\r\n007\t\"two\nlines\"\r\n12345678901234567890\tx\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

fn cuad(bytes: &[u8]) {
    let contract: &[u8] = b"This Agreement expires on May 1, 2020. It renews for one year.";
    let dir = folder(&[("full_contract_txt/A.txt", contract), ("master_clauses.csv", bytes)]);
    let _ = world::import::cuad::read(dir.path(), 400);
}

fn cuad_seeds() -> Vec<Vec<u8>> {
    vec![
        b"Filename,Expiration Date,Expiration Date-Answer\nA.pdf,\"['This Agreement expires on May 1, 2020.']\",5/1/20\n"
            .to_vec(),
        b"Filename,Notice Period To Terminate Renewal,Notice Period To Terminate Renewal- Answer\nA.pdf,\"['it\\'s', \"\"x\"\"]\",30 days\n"
            .to_vec(),
    ]
}

fn tatqa(bytes: &[u8]) {
    with_file("t.json", bytes, world::import::tatqa::read);
}

fn tatqa_seeds() -> Vec<Vec<u8>> {
    vec![br#"[{"table":{"uid":"t","table":[["","2019","2018"],["Sales","$1,234","(5)"]]},"paragraphs":[{"uid":"p","order":1,"text":"Sales were $1,234."}],"questions":[{"uid":"q","order":1,"question":"What were sales in 2019?","answer":["$1,234"],"derivation":"","answer_type":"span","answer_from":"table","rel_paragraphs":[],"req_comparison":false,"scale":"thousand","mapping":{"table":[[1,1]]}}]}]"#.to_vec()]
}

fn paws(bytes: &[u8]) {
    with_file("p.tsv", bytes, |path| world::import::paws::read(path, &NoProgress));
}

fn condaqa(bytes: &[u8]) {
    with_file("c.jsonl", bytes, |path| world::import::condaqa::read(path, &NoProgress));
}

fn condaqa_seeds() -> Vec<Vec<u8>> {
    vec![br#"{"QuestionID":"q1","PassageID":1,"PassageEditID":0,"sentence1":"He did not go.","sentence2":"Did he go?","label":"NO","original passage":"He did not go.","original sentence":"He did not go.","original cue":"not"}"#.to_vec()]
}

fn triplets(bytes: &[u8]) {
    with_file("t.csv", bytes, |path| world::triplet::read(path, &NoProgress));
    with_file("t.csv", bytes, |path| world::labelled_pair::read(path, &NoProgress));
}

fn pairs(bytes: &[u8]) {
    with_file("p.jsonl", bytes, |path| world::pair::read(path, &NoProgress));
}

fn texts(bytes: &[u8]) {
    with_file("t.txt", bytes, |path| world::text_list::read(path, "text", &NoProgress));
    with_file("t.jsonl", bytes, |path| world::text_list::read(path, "text", &NoProgress));
    with_file("t.csv", bytes, |path| world::text_list::read(path, "text", &NoProgress));
}

fn extract_values(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let kinds = [
        ExtractorKind::Date(None),
        ExtractorKind::Duration,
        ExtractorKind::Money { decimal: None, currency: None },
        ExtractorKind::Percent(None),
        ExtractorKind::Number(None),
        ExtractorKind::Party,
        ExtractorKind::Text,
    ];
    for kind in kinds {
        for found in kind.candidates(text) {
            assert!(text.get(found.range.clone()).is_some(), "{:?} cuts a character", found.range);
        }
    }
}

fn extract_seeds() -> Vec<Vec<u8>> {
    [
        "either party may end it on sixty (60) days' notice prior to May 1, 2024",
        "CHF 1'250.00, 2,5 Mio. EUR, (.5%), 3 bn, US$5 million or 14 (fourteen) days",
        "It shall renew for successive one-year terms, unless it does not; in no event shall it renew.",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// Opens the small transformer with one of its files replaced, and embeds a text.
fn model_with(name: &str, bytes: &[u8]) {
    let tiny = root().join("tests/data/embed/tiny/bert");
    let read = |file: &str| std::fs::read(tiny.join(file)).unwrap();
    let names = ["config.json", "tokenizer.json", "model.safetensors"];
    let contents = names.map(read);
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .zip(&contents)
        .map(|(file, content)| (*file, if *file == name { bytes } else { content.as_slice() }))
        .collect();
    let dir = folder(&files);
    let spec = ModelSpec::new(ModelKind::Transformer, dir.path().to_str().unwrap());
    for precision in [ModelPrecision::Int8, ModelPrecision::F32] {
        if let Ok(model) = knockon::embed::open(
            &spec.clone().with_precision(precision),
            &knockon::Environment::new(),
        ) {
            let _ = model.embed(TextRole::Query, &["a short text"], &|_| {});
        }
    }
}

fn model_config(bytes: &[u8]) {
    model_with("config.json", bytes);
}

fn model_tokenizer(bytes: &[u8]) {
    model_with("tokenizer.json", bytes);
}

fn model_weights(bytes: &[u8]) {
    model_with("model.safetensors", bytes);
}

fn adapter(bytes: &[u8]) {
    let tiny = root().join("tests/data/embed/tiny");
    let config = std::fs::read(tiny.join("bert-lora/adapter_config.json")).unwrap();
    let dir = folder(&[("adapter_config.json", &config), ("adapter_model.safetensors", bytes)]);
    let mut spec = ModelSpec::new(ModelKind::Transformer, tiny.join("bert").to_str().unwrap());
    spec.adapter = Some(dir.path().to_str().unwrap().to_owned());
    if let Ok(model) = knockon::embed::open(&spec, &knockon::Environment::new()) {
        let _ = model.embed(TextRole::Passage, &["a short text"], &|_| {});
    }
}

fn onnx(bytes: &[u8]) {
    let _ = knockon::embed::onnx::to_safetensors(bytes.to_vec());
}

/// Field numbers of ONNX: a graph (7) with one initializer (5) of two floats.
fn onnx_seeds() -> Vec<Vec<u8>> {
    let tensor = [0x08, 2, 0x10, 1, 0x42, 1, b'w', 0x4a, 8, 0, 0, 128, 63, 0, 0, 0, 64];
    let mut graph = vec![0x2a, tensor.len() as u8];
    graph.extend(tensor);
    let mut model = vec![0x08, 8, 0x3a, graph.len() as u8];
    model.extend(graph);
    vec![model]
}

const MANIFEST: &[u8] = br#"{"knockon":"0.1.0","scenario":"small","inputs":[{"path":"tasks.csv","blake3":"00"}],"arms":[{"id":"base"}],"assumptions":[]}"#;
const BASELINE_TASKS: &[u8] = b"arm,task,unit,right_action,p_failure,p_correct,p_stopped,p_omission,p_commission,p_wrong_action,expected_loss\nbase,t1,x,pay,0.25,0.75,0.25,0,0,0,\nbase,t2,y,refuse,0.5,0.5,0,0,0.5,0,\n";

fn baseline_with(manifest: &[u8], tasks: &[u8]) {
    let dir = folder(&[("manifest.json", manifest), ("tasks.csv", tasks)]);
    let _ = GateBaseline::read(dir.path());
}

fn baseline_manifest(bytes: &[u8]) {
    baseline_with(bytes, BASELINE_TASKS);
}

fn baseline_tasks(bytes: &[u8]) {
    baseline_with(MANIFEST, bytes);
}
