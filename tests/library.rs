//! What a program that embeds the library may rely on: files in memory, its own models, an environment of its own, typed
//! errors and reports.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use knockon::progress::{ProgressEvent, ProgressListener};
use knockon::{
    Embedder, EmbeddingVectors, Environment, Error, InMemoryFiles, PassageHit, PassageRanking,
    Retriever, RunReport, SearchRequest, Session, TextRole, csv_files,
};

const SCENARIO: &str = r#"version: 1
name: fees
corpora: {contracts: {passages: data/p.jsonl}}
tasks: {file: data/t.csv, fields: {name: text}}
tables: {prices: {file: prices.csv, key: name, columns: {price: number}}}
embedders:
  words: {kind: bm25}
  own: {kind: static, model: potion-base-8M}
  both: {kind: fusion, of: [words, own]}
embedder: words
steps:
  - {id: find, retrieve: {corpus: contracts, query: "{{ task.name }}", gold: passage.id == "right", top_k: 1}}
  - {id: fee, read: {from: find, field: fee}}
  - {id: act, act: [{if: fee == 10, do: pay}, {do: refuse}]}
arms: [{id: words}, {id: own, embedder: own}, {id: both, embedder: both}]
baseline: words
"#;

const FILES: [(&str, &str); 4] = [
    ("s.yaml", SCENARIO),
    (
        "data/p.jsonl",
        r#"{"id":"right","text":"alpha","facts":{"fee":{"number":10}}}
{"id":"other","text":"beta","facts":{"fee":{"number":20}}}
"#,
    ),
    ("data/t.csv", "id,name\na,alpha\nb,gamma\nc,alpha beta\n"),
    ("prices.csv", "name,price\nalpha,1\n"),
];

fn in_memory(replaced: &[(&str, &str)]) -> InMemoryFiles {
    FILES
        .iter()
        .chain(replaced)
        .fold(InMemoryFiles::new(), |files, (name, text)| files.with(name, text))
}

/// Vectors of a text's length; counts the texts that it embeds.
struct LengthEmbedder {
    fingerprint: &'static str,
    embedded: Arc<AtomicUsize>,
}

impl Embedder for LengthEmbedder {
    fn fingerprint(&self) -> &str {
        self.fingerprint
    }

    fn dim(&self) -> usize {
        2
    }

    fn embed(
        &self,
        _: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<EmbeddingVectors> {
        self.embedded.fetch_add(texts.len(), Ordering::Relaxed);
        done(texts.len());
        let angle = |text: &&str| (text.len() as f32).sin_cos();
        let data = texts.iter().map(angle).flat_map(|(sin, cos)| [sin, cos]).collect();
        Ok(EmbeddingVectors { dim: 2, data })
    }
}

fn with_own(
    session: Session<'static>,
    fingerprint: &'static str,
    embedded: &Arc<AtomicUsize>,
) -> Session<'static> {
    let embedded = embedded.clone();
    session.with_embedders(move |declared| {
        let own = || LengthEmbedder { fingerprint, embedded: embedded.clone() };
        Ok((declared.name == "own").then(|| Box::new(own()) as Box<dyn Embedder>))
    })
}

fn own_session(fingerprint: &'static str) -> Session<'static> {
    let session = Session::from_files("s.yaml", &in_memory(&[])).unwrap_or_else(|e| panic!("{e}"));
    with_own(session.with_environment(Environment::new()), fingerprint, &Arc::default())
}

#[test]
fn a_scenario_in_memory_runs_as_from_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    for (name, text) in FILES {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let results = [
        Session::open(dir.path().join("s.yaml")).unwrap(),
        Session::from_files("s.yaml", &in_memory(&[])).unwrap(),
    ]
    .map(|session| {
        let session =
            with_own(session.with_environment(Environment::new()), "lengths-1", &Arc::default());
        let record = session.run(&session.all_arms()).unwrap();
        let manifest = RunReport::new(&session, &record).manifest(&[]).unwrap();
        (csv_files(&record).unwrap(), String::from_utf8(manifest).unwrap())
    });
    assert_eq!(results[0], results[1]);
    assert!(results[1].1.contains("lengths-1"), "{}", results[1].1);
}

#[test]
fn mistakes_of_files_in_memory_name_file_and_line() {
    let broken = r#"{"id":"right","text":"alpha"}
{"id":
"#;
    let message = |replaced: &[(&str, &str)]| {
        Session::from_files("s.yaml", &in_memory(replaced)).err().unwrap().to_string()
    };
    let found = message(&[("data/p.jsonl", broken)]);
    assert!(found.contains("p.jsonl") && found.contains("line 2"), "{found}");
    assert!(found.contains("s.yaml:3"), "{found}");
    // Cargo.toml is on the disk only; data/t.csv is suggested from memory.
    for (name, near) in [("Cargo.toml", ""), ("data/tt.csv", "t.csv")] {
        let found = message(&[("s.yaml", &SCENARIO.replace("data/t.csv", name))]);
        assert!(found.contains(&format!("there is no file `{name}`")), "{found}");
        assert!(found.contains(near), "{found}");
    }
    let folder = message(&[("s.yaml", &SCENARIO.replace("data/t.csv", "data"))]);
    assert!(folder.contains("`data` is a folder") && folder.contains("p.jsonl, t.csv"), "{folder}");
    let nothing = Session::from_files("x.yaml", &in_memory(&[])).err().unwrap();
    assert!(nothing.to_string().contains("cannot read x.yaml"), "{nothing}");
}

#[test]
fn vectors_of_own_embedders_are_cached_by_their_fingerprints() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Arc::<AtomicUsize>::default();
    let mut counts = Vec::new();
    for fingerprint in ["lengths-1", "lengths-1", "lengths-2"] {
        let session = Session::from_files("s.yaml", &in_memory(&[])).unwrap();
        let environment = Environment::new().with_cache_folder(dir.path());
        let session = with_own(session.with_environment(environment), fingerprint, &embedded);
        session.run(&session.all_arms()).unwrap();
        let at = session.embedder("own").unwrap();
        assert_eq!(session.fingerprints()[at].as_deref(), Some(fingerprint));
        counts.push(embedded.load(Ordering::Relaxed));
    }
    assert!(counts[0] > 0 && counts[1] == counts[0] && counts[2] == 2 * counts[0], "{counts:?}");
    assert!(dir.path().join("lengths-1.vectors").is_file());
    let session = own_session("../outside");
    let error = session.run(&session.all_arms()).unwrap_err();
    assert!(error.to_string().contains("allowed: 1 to 128 of letters"), "{error}");
}

/// Ranks the passages in the order of the file.
struct InFileOrder;

impl Retriever for InFileOrder {
    fn fingerprint(&self) -> Option<&str> {
        Some("in-file-order")
    }

    fn search(
        &self,
        requests: &[SearchRequest],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        done(requests.len());
        let ranking = |request: &SearchRequest| -> PassageRanking {
            let may_be_found =
                |passage: &u32| request.candidates.is_none_or(|of| of.contains(passage));
            let found = (0..2_u32).filter(may_be_found).take(depth);
            found.map(|passage| PassageHit { passage, score: -(passage as f32) }).collect()
        };
        Ok(requests.iter().map(ranking).collect())
    }
}

#[test]
fn own_retrievers_take_the_place_of_parts_and_state_their_fingerprints() {
    let session = Session::from_files("s.yaml", &in_memory(&[])).unwrap();
    let session = session.with_environment(Environment::new()).with_retrievers(|declared, _| {
        Ok((declared.name == "own").then(|| Box::new(InFileOrder) as Box<dyn Retriever>))
    });
    // The fusion would have to open the model otherwise, for which the environment has no folder.
    session.run(&[session.arm("both").unwrap()]).unwrap();
    let [own, both] = ["own", "both"].map(|name| session.embedder(name).unwrap());
    assert_eq!(session.fingerprints()[own].as_deref(), Some("in-file-order"));
    assert!(session.fingerprints()[both].is_some());
}

struct CancelAtOnce;

impl ProgressListener for CancelAtOnce {
    fn on_event(&self, _: &ProgressEvent<'_>) {}

    fn is_cancelled(&self) -> bool {
        true
    }
}

#[test]
fn errors_tell_what_can_be_put_right() {
    let none: &[&str] = &[];
    let session = own_session("lengths-1");
    let name = session.inject(0, &["nowhere"], none).unwrap_err();
    assert!(matches!(&name, Error::Request(_)), "{name:?}");
    assert!(name.to_string().contains("no step 'nowhere'"), "{name}");
    let task = own_session("lengths-1").keep_tasks(&["nobody"]).err().unwrap();
    assert!(matches!(&task, Error::UnknownName(_)), "{task:?}");
    assert!(task.to_string().starts_with("no task 'nobody'"), "{task}");
    let cancelled = session.with_progress(&CancelAtOnce).run(&[0]).unwrap_err();
    assert!(matches!(&cancelled, Error::Cancelled(_)), "{cancelled:?}");
    let session = Session::from_files("s.yaml", &in_memory(&[])).unwrap();
    let broken = session.with_retrievers(|_, _| anyhow::bail!("the service is down"));
    let broken = broken.run(&[0]).unwrap_err();
    assert!(matches!(&broken, Error::Retrieval(_)), "{broken:?}");
    assert!(format!("{broken:#}").ends_with("the service is down"), "{broken:#}");
    let exact = SCENARIO
        .replace("baseline: words", "baseline: words\nsimulation: {method: exact, max_states: 1}");
    let session = Session::from_files("s.yaml", &in_memory(&[("s.yaml", &exact)])).unwrap();
    let exact = session.run(&[0]).unwrap_err();
    assert!(matches!(&exact, Error::Unsolvable(_)), "{exact:?}");
}

#[test]
fn secrets_come_from_the_environment_of_the_session() {
    let asks = SCENARIO.replace(
        "{kind: static, model: potion-base-8M}",
        "{kind: http_search, url: \"http://127.0.0.1:9/\", api_key_env: KNOCKON_TEST_DESK_KEY}",
    );
    let preflight = |environment| {
        let session = Session::from_files("s.yaml", &in_memory(&[("s.yaml", &asks)])).unwrap();
        session.with_environment(environment).preflight(&[1]).map(drop)
    };
    let missing = preflight(Environment::new()).unwrap_err().to_string();
    assert!(missing.contains("KNOCKON_TEST_DESK_KEY"), "{missing}");
    let known = Environment::new().with_secrets([("KNOCKON_TEST_DESK_KEY", "sk-desk")]);
    assert!(!format!("{known:?}").contains("sk-desk"));
    preflight(known).unwrap();
}

#[test]
fn reports_replace_only_what_is_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let session = own_session("lengths-1");
    let record = session.run_for_report(&session.all_arms()).unwrap();
    let report = RunReport::new(&session, &record);
    assert!(report.page().starts_with("<!DOCTYPE html>"));
    let out = dir.path().join("report");
    for _ in 0..2 {
        assert!(report.write(&out, false).unwrap().is_empty());
    }
    for (name, bytes) in report.files().unwrap() {
        assert_eq!(std::fs::read(out.join(&name)).unwrap(), bytes, "{name}");
    }
    let foreign = dir.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("summary.csv"), "mine").unwrap();
    let refused = report.write(&foreign, false).unwrap_err();
    assert!(matches!(&refused, Error::Write(_)), "{refused:?}");
    assert_eq!(std::fs::read_dir(&foreign).unwrap().count(), 1);
    report.write(&foreign, true).unwrap();
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn only_the_environment_and_the_command_line_read_the_process() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e == "rs")) {
        let name = path.strip_prefix(&root).unwrap();
        if name == Path::new("environment.rs") || name.starts_with("cli") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        for reading in ["env::var", "env::vars", "env::home_dir", "env::args", "is_terminal"] {
            assert!(!text.contains(reading), "{}: {reading}", name.display());
        }
    }
}
