//! The `run_file` retriever: rankings of another system, from a file.

use std::path::Path;
use std::sync::Arc;

use knockon::Session;
use knockon::retrieve::{
    PassageHit, Retriever, RunFileAnswers, RunFileQueries, RunFileRetriever, SearchRequest, TrecRun,
};
use knockon::run;
use knockon::scenario::{self, Scenario};
use knockon::session::right_queries::right_queries;

use crate::support::program::{run_in, stderr, stdout};

fn mistakes(text: &str) -> Vec<String> {
    TrecRun::parse(text).unwrap_err()
}

#[test]
fn a_run_file_is_ordered_by_rank_and_mistakes_are_reported_with_their_line() {
    let run = "t1.find Q0 b 2 0.5 x\n\nt1.find Q0 a 1 0.5 x\r\na task\tQ0\tp 1\t0\t-3e1\tx\n";
    let run = TrecRun::parse(run).unwrap();
    let passages =
        |qid: &str| run.queries[qid].iter().map(|e| e.passage.as_str()).collect::<Vec<_>>();
    assert_eq!((passages("t1.find"), passages("a task")), (vec!["a", "b"], vec!["p 1"]));
    assert_eq!(run.unknown(|passage| passage == "a"), [(1, "b"), (4, "p 1")]);

    let found = mistakes(
        "q Q0 a 1 0.5\nq Q0 a 1 0.5 x\nq Q0 a 2 0.5 x\nq Q0 b 2 0.4 x\nq Q0 c 3 0.9 x\nq Q0 d 1st 1 x\nq Q0 d 4 NaN x\n",
    );
    assert_eq!(
        found,
        [
            "line 1: 5 columns, not 6: qid Q0 passage rank score tag",
            "line 3: query 'q' already has the passage 'a' (line 2)",
            "line 4: query 'q' already has rank 2 on line 3; the ranks of a query must be all different, or all the same, in which case the scores decide",
            "line 5: query 'q': the score rises from 0.4 at rank 2 to 0.9 at rank 3; higher must be better",
            "line 6: the rank '1st' is not a whole number",
            "line 7: the score 'NaN' is not a number",
        ]
    );
    assert_eq!(mistakes(" \n"), ["the file is empty"]);
    assert_eq!(mistakes(&"x\n".repeat(99)).last().unwrap(), "and 89 more mistakes");
}

#[test]
fn queries_missing_in_the_run_file_use_the_fallback() {
    let hits = |passages: &[u32]| {
        passages.iter().map(|&passage| PassageHit { passage, score: 1.0 }).collect()
    };
    let answers =
        |text: &str, passages: &[u32]| RunFileAnswers::from([(text.to_owned(), hits(passages))]);
    let used = Arc::<RunFileQueries>::default();
    let other = RunFileRetriever::new(answers("late", &[1, 0]), 3, None, Arc::default());
    let search = |fallback: Option<Arc<dyn Retriever>>| {
        let run = RunFileRetriever::new(answers("right", &[2, 0, 1]), 3, fallback, used.clone());
        let request = |query, candidates| SearchRequest { query, candidates };
        let requests = [
            request("late", None),
            request("right", Some(&[0, 1][..])),
            request("right", None),
            request("never", None),
        ];
        let found = run.search(&requests, 2, &|_| {}).unwrap();
        found
            .into_iter()
            .map(|r| r.iter().map(|hit| hit.passage).collect())
            .collect::<Vec<Vec<u32>>>()
    };
    assert_eq!(search(None), [vec![], vec![0, 1], vec![2, 0], vec![]]);
    assert_eq!(search(Some(Arc::new(other))), [vec![1, 0], vec![0, 1], vec![2, 0], vec![]]);
    let used: Vec<(String, bool)> = used.lock().unwrap().clone().into_iter().collect();
    let expected = [("late", false), ("never", false), ("right", true)];
    assert_eq!(used, expected.map(|(query, held)| (query.to_owned(), held)));
}

/// A scenario on the test desk that searches with a run file.
fn written(folder: &Path, run: &str, settings: &str) -> anyhow::Result<Scenario> {
    let data = Path::new("tests/data/desk").canonicalize()?;
    std::fs::write(folder.join("run.trec"), run)?;
    let yaml = format!(
        r#"
version: 1
name: told
corpora: {{contracts: {{passages: {data}/passages.jsonl}}}}
tasks:
  file: {data}/tasks.csv
  fields: {{contract: text, title: text, today: date}}
embedders:
  bm25: {{kind: bm25}}
  production: {{kind: run_file, file: run.trec{settings}}}
embedder: production
steps:
  - id: find
    retrieve:
      corpus: contracts
      queries: [{{text: "when does {{{{ task.title }}}} expire?"}}, {{text: "{{{{ task.title }}}} term"}}]
      gold: passage.entity == task.contract && passage.attribute == "expiry"
  - {{id: expiry, read: {{from: find, field: expiration_date}}}}
  - id: action
    act: [{{if: 'expiry == date("2024-06-30")', do: late}}, {{do: nothing}}]
    hold: [nothing]
arms: [{{id: told}}, {{id: bm25, embedder: bm25}}]
"#,
        data = data.display()
    );
    let file = folder.join("told.yaml");
    std::fs::write(&file, yaml)?;
    scenario::load(&file).map_err(|mistakes| anyhow::anyhow!("{mistakes}"))
}

/// The results of three of its queries.
fn desk(
    folder: &Path,
    run: &str,
    settings: &str,
) -> anyhow::Result<(Vec<Vec<String>>, Vec<String>)> {
    let scenario = written(folder, run, settings)?;
    let session = Session::over(&scenario).with_cache(folder);
    let retriever = session.retriever(1, 0)?;
    let title = scenario.tasks.tasks[0].fields["title"].to_string();
    let queries =
        [format!("when does {title} expire?"), format!("{title} term"), "other".to_owned()];
    let requests: Vec<SearchRequest> =
        queries.iter().map(|query| SearchRequest { query, candidates: None }).collect();
    let found = retriever.search(&requests, 9, &|_| {})?;
    let id = |hit: &PassageHit| scenario.corpora[0].passages[hit.passage as usize].id.clone();
    Ok((found.iter().map(|r| r.iter().map(id).collect()).collect(), session.notes()))
}

#[test]
fn qids_identify_the_queries_of_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let run =
        "t1.find Q0 a2 1 2 x\nt1.find.2 Q0 a1 1 2 x\nt1.find.2 Q0 a2 2 1 x\nt9.find Q0 a1 1 1 x\n";
    let (found, notes) = desk(folder.path(), run, "").unwrap();
    // The second phrasing has its own answer; the other uses the step's.
    assert_eq!(found, [vec!["a2"], vec!["a1", "a2"], vec![]]);
    let [unanswered, idle] = notes.as_slice() else { panic!("{notes:?}") };
    assert_eq!(
        unanswered,
        "production: 1 of 3 distinct queries are not in run.trec, 0 of them asked when nothing has gone \
         wrong, 1 changed by an upstream error: they found nothing (`empty`); a `fallback` would answer them. \
         One of them: \"other\""
    );
    assert_eq!(idle, "production: 1 of 3 qids in run.trec match no query of a task here");

    let (found, notes) =
        desk(folder.path(), "t1 Q0 a2 1 2 x", ", qid: task, fallback: bm25").unwrap();
    assert_eq!(found[..2], [["a2"], ["a2"]]);
    assert!(notes[0].contains("they went to bm25"), "{notes:?}");

    std::fs::write(folder.path().join("q.tsv"), "7\tother\n8\tnobody asks this\n").unwrap();
    let (found, _) = desk(folder.path(), "7 Q0 a2 1 2 x", ", queries: q.tsv").unwrap();
    assert_eq!(found, [vec![], vec![], vec!["a2"]]);
}

#[test]
fn implausible_run_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (run, settings, expected) in [
        (
            "1 Q0 a1 1 2 x",
            "",
            "none of the 1 qids (such as '1') identifies a query to the corpus contracts; they should look like 't1.find'",
        ),
        ("t1 Q0 a11 1 2 x", ", qid: task", "line 1: `a11`; did you mean `a1`?"),
        (
            "t1 Q0 a1 1 2 x\nt1 Q0 a1 2 1 x",
            "",
            "line 2: query 't1' already has the passage 'a1' (line 1)",
        ),
        ("t1 Q0 a1 1 2 x", ", qid: task, queries: run.trec", "both define the qids"),
        ("t1 Q0 a1 1 2 x", ", queries: run.trec", "line 1: no tab"),
        (
            "t1 Q0 a1 1 2 x",
            ", fallback: production",
            "embedders are built from themselves: production -> production",
        ),
    ] {
        let error = format!("{:#}", desk(folder.path(), run, settings).unwrap_err());
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn conflicting_answers_to_one_query_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("q.tsv"), "7\tother\n8\tother\n").unwrap();
    let same = "7 Q0 a2 1 2 x\n8 Q0 a2 1 2 x\n";
    assert_eq!(desk(folder.path(), same, ", queries: q.tsv").unwrap().0[2], ["a2"]);
    let differ = "7 Q0 a2 1 2 x\n8 Q0 a1 1 2 x\n";
    let error = format!("{:#}", desk(folder.path(), differ, ", queries: q.tsv").unwrap_err());
    assert!(error.contains("'7' and '8' identify the same query, \"other\""), "{error}");
}

#[test]
fn a_run_file_of_the_same_rankings_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = written(folder.path(), "t1.find Q0 a1 1 1 x", "").unwrap();
    let session = Session::over(&scenario).with_cache(folder.path());
    let queries = right_queries(&scenario, session.indices(), &scenario.arms[0]).unwrap();
    let bm25 = session.retriever(0, 0).unwrap();
    let mut exported = String::new();
    for query in &queries {
        let request = SearchRequest { query: &query.text, candidates: None };
        for (rank, hit) in (1..).zip(&bm25.search(&[request], 100, &|_| {}).unwrap()[0]) {
            let passage = &scenario.corpora[0].passages[hit.passage as usize].id;
            let (qid, score) = (query.phrasing_id(&scenario), hit.score);
            exported += &format!("{qid} Q0 {passage} {rank} {score} bm25\n");
        }
    }
    let scenario = written(folder.path(), &exported, ", fallback: bm25").unwrap();
    let session = Session::over(&scenario).with_cache(folder.path());
    let record = run::run(&session, &[0, 1]).unwrap();
    let [from_file, bm25] = record.arms.as_slice() else { panic!() };
    assert!(from_file.summary.failure.estimate > 0.0);
    assert_eq!(from_file.summary.outcomes, bm25.summary.outcomes);
    let quality = |arm: &run::record::ArmRecord| arm.summary.quality;
    assert!(quality(from_file).is_some() && quality(from_file) == quality(bm25));
    assert_eq!(session.notes(), [] as [String; 0]);
}

/// The run is made from the queries, so these come first.
#[test]
fn queries_are_exported_before_the_run_file_exists() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), "t1.find Q0 a1 1 1 x", "").unwrap();
    let with_run = run_in(folder.path(), &["queries", "told.yaml"]);
    assert!(with_run.status.success(), "{}", stderr(&with_run));
    std::fs::remove_file(folder.path().join("run.trec")).unwrap();
    for arm in ["told", "bm25"] {
        let without = run_in(folder.path(), &["queries", "told.yaml", "--arm", arm]);
        assert!(without.status.success(), "{}", stderr(&without));
        assert_eq!(stdout(&without), stdout(&with_run), "{arm}");
    }
    // Whatever searches needs the run.
    for command in ["check", "run"] {
        let refused = run_in(folder.path(), &[command, "told.yaml"]);
        assert_eq!(refused.status.code(), Some(1), "{command}");
        assert!(stderr(&refused).contains("missing-file"), "{command}: {}", stderr(&refused));
    }
    // A run that is there is read, and never replaced by the queries.
    std::fs::write(folder.path().join("run.trec"), "broken").unwrap();
    let broken = run_in(folder.path(), &["queries", "told.yaml"]);
    assert!(stderr(&broken).contains("bad-data"), "{}", stderr(&broken));
}
