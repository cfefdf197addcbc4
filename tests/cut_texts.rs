//! Texts that are longer than the limit of a model are counted per model and reported.

use std::path::Path;

use knockon::Session;
use knockon::run;

use crate::right::{knockon, stderr, write};

/// `potion-base-8M` limited to three tokens: longer texts are reported for the embedder that cuts them and for no
/// other.
#[test]
fn texts_longer_than_a_model_reads_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let passages = r#"
{"id":"right","text":"alpha","facts":{"fee":{"number":10}}}
{"id":"three","text":"one two three"}
{"id":"long","text":"this passage goes on and on"}
{"id":"longer","text":"and so does this one, for a while"}
"#;
    std::fs::write(dir.path().join("p.jsonl"), passages).unwrap();
    std::fs::write(dir.path().join("t.csv"), "id,name\na,alpha\nb,one two three four\nc,two\n")
        .unwrap();
    let yaml = r#"version: 1
name: cut
corpora: {clauses: {passages: p.jsonl}}
tasks: {file: t.csv, fields: {name: text}}
embedders: {short: {kind: static, model: potion-base-8M, max_tokens: 3}, whole: {kind: static, model: potion-base-8M}}
embedder: short
steps:
  - {id: find, retrieve: {corpus: clauses, query: "{{ task.name }}", gold: passage.id == "right", top_k: 1}}
  - {id: fee, read: {from: find, field: fee}}
  - {id: act, act: [{if: fee == 10, do: pay}, {do: refuse}]}
arms: [{id: short}, {id: whole, embedder: whole}]
baseline: short
"#;
    let path = dir.path().join("s.yaml");
    std::fs::write(&path, yaml).unwrap();
    let scenario = knockon::scenario::load(&path).unwrap();
    // The second time, the counts come from the cache.
    for _ in 0..2 {
        let session = Session::over(&scenario).with_cache(dir.path());
        run::run(&session, &[0, 1]).unwrap();
        assert_eq!(
            session.notes(),
            [
                "short reads 3 tokens of a text: 1 of 3 queries are longer and are truncated",
                "short reads 3 tokens of a text: 2 of 4 passages of clauses are longer and are truncated",
            ]
        );
    }
}

const PASSAGES: &str = r#"
{"id":"right","text":"alpha","facts":{"fee":{"number":10}}}
{"id":"six","text":"one two three four five six"}
{"id":"long","text":"this passage goes on and on and on and does not end before the tenth word"}
"#;

/// What a run of these embedders and arms reports about cut texts.
fn notes(dir: &Path, embedders: &str, arms: &str, tasks: &str) -> Vec<String> {
    let yaml = format!(
        r#"version: 1
name: cut
corpora: {{clauses: {{passages: p.jsonl}}, others: {{passages: q.jsonl}}}}
tasks: {{file: t.csv, fields: {{name: text}}}}
embedders: {embedders}
embedder: short
steps:
  - {{id: find, retrieve: {{corpus: clauses, query: "{{{{ task.name }}}}", gold: passage.id == "right", top_k: 1}}}}
  - {{id: fee, read: {{from: find, field: fee}}}}
  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: refuse}}]}}
arms: {arms}
"#
    );
    let others = PASSAGES.replace("one two three four five six", "one two");
    write(dir, &[("s.yaml", &yaml), ("p.jsonl", PASSAGES), ("q.jsonl", &others), ("t.csv", tasks)]);
    let scenario = knockon::scenario::load(&dir.join("s.yaml")).unwrap_or_else(|d| panic!("{d}"));
    let session = Session::over(&scenario).with_cache(dir);
    let arms: Vec<usize> = (0..scenario.arms.len()).collect();
    run::run(&session, &arms).unwrap();
    session.notes()
}

/// Special tokens and the prefix of a transformer count: of eight tokens, [CLS] and [SEP] take two, and `query: ` takes
/// two.
#[test]
fn special_tokens_and_prefixes_count_towards_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = "id,name\na,one two three four\nb,one two three four five\nc,one two three four five six seven\n";
    let of = |settings: &str| {
        let embedders = format!(
            "{{short: {{kind: transformer, model: all-MiniLM-L6-v2, max_tokens: 8{settings}}}}}"
        );
        notes(dir.path(), &embedders, "[{id: only}]", tasks)
    };
    let passages =
        "short reads 8 tokens of a text: 1 of 3 passages of clauses are longer and are truncated";
    let queries = |cut: usize| {
        format!("short reads 8 tokens of a text: {cut} of 3 queries are longer and are truncated")
    };
    assert_eq!(of(""), [queries(1).as_str(), passages]);
    assert_eq!(of(", query_prefix: 'query: '"), [queries(2).as_str(), passages]);
}

/// Two arms with two corpora and two models of which one cuts: each count is of its own model and corpus, and given
/// once.
#[test]
fn cut_texts_are_counted_per_model_and_corpus() {
    let dir = tempfile::tempdir().unwrap();
    let embedders = "{short: {kind: static, model: potion-base-8M, max_tokens: 4}, shorter: {kind: static, model: potion-base-8M, max_tokens: 2}, bm25: {kind: bm25}}";
    let arms = "[{id: one}, {id: two, embedder: shorter, corpora: {clauses: others}}, {id: three, corpora: {clauses: others}}, {id: words, embedder: bm25}]";
    let tasks = "id,name\na,alpha\nb,one two three\nc,one two three four five\n";
    assert_eq!(
        notes(dir.path(), embedders, arms, tasks),
        [
            "short reads 4 tokens of a text: 1 of 3 queries are longer and are truncated",
            "short reads 4 tokens of a text: 2 of 3 passages of clauses are longer and are truncated",
            "short reads 4 tokens of a text: 1 of 3 passages of others are longer and are truncated",
            "shorter reads 2 tokens of a text: 2 of 3 queries are longer and are truncated",
            "shorter reads 2 tokens of a text: 1 of 3 passages of others are longer and are truncated",
        ]
    );
}

/// A part of a fusion and the first stage of a reranker count as if used alone; word search has no limit.
#[test]
fn parts_of_fusions_and_rerankers_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let embedders = "{bm25: {kind: bm25}, part: {kind: static, model: potion-base-8M, max_tokens: 4}, short: {kind: fusion, of: [bm25, part]}}";
    let tasks = "id,name\na,alpha\nb,one two three four five\n";
    let found = notes(dir.path(), embedders, "[{id: only}]", tasks);
    assert_eq!(
        found,
        [
            "part reads 4 tokens of a text: 1 of 2 queries are longer and are truncated",
            "part reads 4 tokens of a text: 2 of 3 passages of clauses are longer and are truncated",
        ]
    );
}

/// A reranker that encodes query and passage separately counts the pairs in which either is cut.
#[test]
fn pairs_of_late_interaction_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let embedders = "{words: {kind: bm25}, short: {kind: rerank, first: words, with: max_sim, model: all-MiniLM-L6-v2, max_tokens: 8, depth: 3}}";
    let tasks = "id,name\na,one\nb,one five\nc,goes\nd,six of one and half a dozen\n";
    // Matching words: the passage of six words matches the queries a, b and d, the long one c; stop words do not count.
    assert_eq!(
        notes(dir.path(), embedders, "[{id: only}]", tasks),
        [
            "short reads 8 tokens of a query and 8 of a passage: 2 of 4 pairs are longer and are truncated"
        ]
    );
}

/// Cut texts are reported on the terminal, in the manifest and on the page.
#[test]
fn a_run_reports_cut_texts_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = "id,name\na,alpha\nb,one two three four five\n";
    let embedders = "{short: {kind: static, model: potion-base-8M, max_tokens: 4}}";
    let expected = notes(dir.path(), embedders, "[{id: only}]", tasks);
    assert_eq!(expected.len(), 2);
    let (file, out) = (dir.path().join("s.yaml"), dir.path().join("o"));
    let run = knockon(&["run", file.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert!(run.status.success(), "{}", stderr(&run));
    let manifest = std::fs::read_to_string(out.join("manifest.json")).unwrap();
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    for note in expected {
        for (place, text) in [("terminal", &stderr(&run)), ("manifest", &manifest), ("page", &page)]
        {
            assert!(text.contains(&note), "{place}: {note}: {text}");
        }
    }
}
