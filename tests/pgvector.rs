//! Search in PostgreSQL, on a real server that the test starts: the same rankings as our own search, existing tables of
//! the user, and error messages.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use knockon::embed::{CorpusVectors, Embedder, ModelKind, ModelSpec, TextRole};
use knockon::retrieve::pgvector::{
    PgDistance, PgIndexMethod, PgRetriever, PgSearchSettings, PgVectorCorpus, PgVectorTable,
};
use knockon::retrieve::{
    DenseRetriever, PassageRanking, RemoteCorpus, Retriever, SearchRequest, ShortAnswerCount,
};
use postgres::{Client, NoTls};

use crate::support::models;
use crate::support::program;

/// A server that stops when this value is dropped.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// `None`, with a printed note, if the Python package `pgserver` is missing.
fn server() -> Option<Server> {
    let python = std::env::var("KNOCKON_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there =
        Command::new(&python).args(["-c", "import pgserver"]).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        eprintln!(
            "skipped: {python} has no package pgserver (name one that has in KNOCKON_PYTHON)"
        );
        return None;
    }
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pg_server.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    Some(Server { child, address: address.trim().to_owned() })
}

fn model() -> Arc<dyn Embedder> {
    models::open(&ModelSpec::new(ModelKind::Static, "potion-base-8M")).unwrap().into()
}

const TEXTS: usize = 400;

/// Clauses that differ in a name or a number; one is blank.
fn texts() -> Vec<String> {
    let clause = |n: usize| {
        let month = ["March", "June", "October"][n % 3];
        format!(
            "Either party may end agreement {n} with {} days' notice before {month}.",
            30 + n % 7
        )
    };
    (0..TEXTS).map(|n| if n == 17 { String::new() } else { clause(n) }).collect()
}

fn catalogue() -> RemoteCorpus {
    // Characters that must be escaped when written to a table.
    let id = |n: usize| if n == 3 { "p\t3\\".to_owned() } else { format!("p{n}") };
    RemoteCorpus::new("clauses", (0..TEXTS).map(|n| (id(n), Some(format!("e{}", n / 10)))))
}

fn index(table: PgVectorTable) -> PgSearchSettings {
    PgSearchSettings {
        table,
        distance: PgDistance::Cosine,
        ef_search: None,
        probes: None,
        depth: 50,
        concurrency: 3,
        timeout: Duration::from_secs(20),
    }
}

fn open(
    address: &str,
    index: PgSearchSettings,
) -> anyhow::Result<(PgRetriever, Arc<ShortAnswerCount>)> {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = || CorpusVectors::new(&*model(), &texts, None, &|_| {});
    let corpus = PgVectorCorpus { catalogue: catalogue(), texts: &texts, vectors };
    let count = Arc::<ShortAnswerCount>::default();
    let kept = tempfile::tempdir().unwrap().keep();
    Ok((PgRetriever::open(address, index, model(), corpus, kept, count.clone())?, count))
}

/// Queries over everything, over an entity, over nothing, and one without a known word.
fn requests() -> Vec<SearchRequest<'static>> {
    const ONE_ENTITY: &[u32] = &[10, 11, 12, 13, 14, 15, 16, 17, 18, 19];
    let all = ["when can agreement 250 be ended?", "notice before October", " "];
    let mut requests: Vec<SearchRequest> =
        all.into_iter().map(|query| SearchRequest { query, candidates: None }).collect();
    requests.push(SearchRequest { query: all[0], candidates: Some(ONE_ENTITY) });
    requests.push(SearchRequest { query: all[1], candidates: Some(&[]) });
    requests
}

/// The same passages with the same scores; passages whose scores differ only by rounding may be in any order.
fn assert_same_ranking(got: &PassageRanking, want: &PassageRanking) {
    assert_eq!(got.len(), want.len());
    for (place, (got_hit, want_hit)) in got.iter().zip(want).enumerate() {
        assert!(
            (got_hit.score - want_hit.score).abs() < 1e-5,
            "place {place}: {got_hit:?} {want_hit:?}"
        );
        let among = want.iter().find(|hit| hit.passage == got_hit.passage);
        let cut = want.last().is_some_and(|last| (last.score - got_hit.score).abs() < 1e-5);
        assert!(
            cut || among.is_some_and(|hit| (hit.score - got_hit.score).abs() < 1e-5),
            "place {place}: {got_hit:?} is not in our ranking"
        );
    }
}

fn ours() -> Vec<PassageRanking> {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = model().embed(TextRole::Passage, &texts, &|_| {}).unwrap();
    let dense = DenseRetriever::new(model(), vectors).unwrap();
    dense.search(&requests(), 50, &|_| {}).unwrap()
}

#[test]
fn rankings_match_a_real_server() {
    let Some(server) = server() else { return };
    own_tables(&server.address);
    a_table_of_the_users(&server.address);
    a_whole_run(&server.address);
}

/// The rankings found, and the note about them.
fn found(address: &str, index: PgSearchSettings) -> (Vec<PassageRanking>, Option<String>) {
    let (retriever, count) = open(address, index).unwrap();
    let found = retriever.search(&requests(), 50, &|_| {}).unwrap();
    // A shallow ranking is a prefix of a deeper one, and cached answers equal the original ones.
    let shallow = retriever.search(&requests(), 5, &|_| {}).unwrap();
    for (shallow, deep) in shallow.iter().zip(&found) {
        assert_eq!(shallow[..], deep[..deep.len().min(5)]);
    }
    (found, count.note("pg"))
}

fn own_tables(address: &str) {
    let want = ours();
    let found = |index: PgSearchSettings| found(address, index);

    // The table is filled on the first pass and reused on the second.
    for _ in 0..2 {
        let (exact, note) = found(index(PgVectorTable::Own(PgIndexMethod::Exact)));
        assert_eq!(note, None);
        for (got, want) in exact.iter().zip(&want) {
            assert_same_ranking(got, want);
        }
        assert_eq!(exact[2], want[2], "ties in the order of the corpus");
    }
    for distance in [PgDistance::InnerProduct, PgDistance::L2] {
        let (other, _) =
            found(PgSearchSettings { distance, ..index(PgVectorTable::Own(PgIndexMethod::Exact)) });
        let passages = |ranking: &PassageRanking| {
            ranking.iter().map(|hit| hit.passage).take(3).collect::<Vec<_>>()
        };
        assert_eq!(passages(&other[0]), passages(&want[0]), "unit vectors: the same order");
    }

    // A thorough index finds everything; a fast one finds less, which is reported.
    let thorough = PgSearchSettings {
        ef_search: Some(1000),
        ..index(PgVectorTable::Own(PgIndexMethod::Hnsw))
    };
    assert_same_ranking(&found(thorough.clone()).0[0], &want[0]);
    let (_, note) = found(PgSearchSettings { ef_search: Some(5), ..thorough });
    assert!(note.unwrap().starts_with("pg: "), "five are fewer than fifty");
    let lists =
        PgSearchSettings { probes: Some(1), ..index(PgVectorTable::Own(PgIndexMethod::Ivfflat)) };
    assert_same_ranking(&found(lists).0[0], &want[0]);
}

/// With other names than ours.
fn a_table_of_the_users(address: &str) {
    let mut client = Client::connect(address, NoTls).unwrap();
    client
        .batch_execute(
            "CREATE EXTENSION IF NOT EXISTS vector; CREATE SCHEMA app;
             CREATE TABLE app.\"Clauses\" (\"key\" text, emb vector(256));",
        )
        .unwrap();
    let mut rows = client.copy_in("COPY app.\"Clauses\" FROM STDIN").unwrap();
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = model().embed(TextRole::Passage, &texts, &|_| {}).unwrap();
    for (n, id) in catalogue().ids.iter().enumerate() {
        use std::io::Write;
        let id = id.replace('\\', "\\\\").replace('\t', "\\t");
        writeln!(rows, "{id}\t{:?}", vectors.row(n)).unwrap();
    }
    rows.finish().unwrap();
    let theirs = |table: &str, exact| {
        let (id, vector) = ("key".to_owned(), "emb".to_owned());
        index(PgVectorTable::Theirs { table: table.to_owned(), id, vector, exact })
    };
    for exact in [false, true] {
        for (got, want) in found(address, theirs("app.Clauses", exact)).0.iter().zip(&ours()) {
            assert_same_ranking(got, want);
        }
    }

    // Errors.
    let error = |index: PgSearchSettings| {
        let (retriever, _) = open(address, index).unwrap();
        format!("{:#}", retriever.search(&requests(), 50, &|_| {}).unwrap_err())
    };
    let message = error(theirs("app.clauses", false));
    assert!(message.contains("relation \"app.clauses\" does not exist"), "{message}");
    client.batch_execute("UPDATE app.\"Clauses\" SET key = 'x' || key").unwrap();
    let message = error(theirs("app.Clauses", false));
    assert!(
        message.contains("is not a passage of the corpus clauses, whose ids are like 'p0'"),
        "{message}"
    );
    assert!(message.contains("PostgreSQL at "), "{message}");
}

/// The arm that uses the server fails as often as the one that does not.
fn a_whole_run(address: &str) {
    let dir = tempfile::tempdir().unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let scenario = std::fs::read_to_string(format!("{root}/scenarios/renewal_desk.yaml")).unwrap();
    let scenario = scenario
        .replace("embedders:\n", "embedders:\n  pg: {kind: pgvector, embedder: potion}\n")
        .replace("arms:\n", "arms:\n  - {id: pg, embedder: pg}\n")
        .replace(": renewal_desk/", &format!(": {root}/scenarios/renewal_desk/"));
    let file = dir.path().join("desk.yaml");
    std::fs::write(&file, scenario).unwrap();
    let run = |address: &str| {
        program::command()
            .args(["run", file.to_str().unwrap(), "--arms", "potion,pg", "--out"])
            .arg(dir.path().join("out"))
            .env("DATABASE_URL", address)
            .env("KNOCKON_CACHE", dir.path())
            .output()
            .unwrap()
    };
    let ran = run(address);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let tasks = std::fs::read_to_string(dir.path().join("out/tasks.csv")).unwrap();
    let rows = |arm: &str| {
        let of = tasks.lines().filter_map(|line| line.strip_prefix(&format!("{arm},")));
        of.map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(rows("pg").len() > 100, "{tasks}");
    assert_eq!(rows("pg"), rows("potion"));

    // Nothing listens at this address; the password is not shown.
    let ran = run("postgresql://me:s3cret@127.0.0.1:9/shop");
    let message = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(
        message.contains("PostgreSQL at 127.0.0.1:9/shop") && !message.contains("s3cret"),
        "{message}"
    );
    let ran = run("");
    let message = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(message.contains("DATABASE_URL (url_env) contains no address"), "{message}");
}
