//! Reads retrieval test sets in the BEIR layout: `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv` in one folder.
//!
//! Files are interpreted as BEIR's own loader and evaluation do (beir 2.2.0, `GenericDataLoader` and
//! `EvaluateRetrieval.evaluate`):
//! - a passage's text is its title and its text joined by a space; a title may be missing or null;
//! - qrels are tab-separated tables with optional quotes; if a pair is judged twice, the last line counts;
//! - every query in the qrels counts; one without a relevant passage scores 0;
//! - the passage with the same id as the query is excluded from the query's results (`ignore_identical_ids`).
//!
//! Unlike BEIR, numeric ids are accepted and read as text, and a first line of the qrels that is a judgement
//! is read as one instead of being skipped as a header.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value as Json};

use super::csv_table::{CsvLayout, CsvRow, CsvTable};
use super::data_lines::DataLines;
use super::json_line;
use super::json_object;
use super::mistakes::FileMistakes;
use crate::progress::ProgressListener;

/// The columns of the qrels, each with the alternative names that data sets use.
const COLUMNS: [(&str, &[&str]); 3] = [
    ("query-id", &["query", "queryid", "qid", "topic", "topicid"]),
    ("corpus-id", &["corpus", "corpusid", "docid", "docno", "documentid", "passageid", "pid"]),
    ("score", &["score", "relevance", "rel", "label", "judgement", "judgment", "gain"]),
];

/// A retrieval test set.
#[derive(Clone, Debug)]
pub struct BeirDataset {
    /// The folder's name.
    pub name: String,
    pub passages: Vec<String>,
    /// In the order of `queries.jsonl`.
    pub queries: Vec<BeirJudgedQuery>,
}

/// A query with its relevance judgements.
#[derive(Clone, Debug)]
pub struct BeirJudgedQuery {
    pub text: String,
    /// Indices of the relevant passages with their gains, all above zero. Empty if every judgement of the query is 0.
    pub relevant: Vec<(u32, f64)>,
    /// The passage that has the same id as the query. It is excluded from the query's results.
    pub own_passage: Option<u32>,
}

impl BeirDataset {
    /// Number of queries whose own passage is excluded from their results.
    pub fn own_passage_count(&self) -> usize {
        self.queries.iter().filter(|query| query.own_passage.is_some()).count()
    }
}

struct BeirEntry {
    id: String,
    title: String,
    text: String,
}

/// Reads a set. The error lists every mistake of the first file that has any.
pub fn read(dir: &Path, progress: &dyn ProgressListener) -> anyhow::Result<BeirDataset> {
    let corpus = entries(&dir.join("corpus.jsonl"), progress)?;
    let queries = entries(&dir.join("queries.jsonl"), progress)?;
    let places: HashMap<&str, u32> = corpus.iter().map(|e| e.id.as_str()).zip(0..).collect();
    let known: HashMap<&str, usize> =
        queries.iter().enumerate().map(|(at, e)| (e.id.as_str(), at)).collect();
    let judged = judgements(&dir.join("qrels/test.tsv"), &known, &places, progress)?;
    let name = dir.canonicalize().ok().and_then(|dir| Some(dir.file_name()?.display().to_string()));
    let mut set = BeirDataset {
        name: name.unwrap_or_else(|| dir.display().to_string()),
        queries: Vec::new(),
        passages: corpus
            .iter()
            .map(|e| format!("{} {}", e.title, e.text).trim().to_owned())
            .collect(),
    };
    for (query, judged) in queries.iter().zip(judged) {
        let Some(gains) = judged else { continue };
        let mut relevant: Vec<(u32, f64)> = gains.into_iter().filter(|(_, g)| *g > 0.0).collect();
        relevant.sort_unstable_by_key(|(passage, _)| *passage);
        let own = places.get(query.id.as_str()).copied();
        set.queries.push(BeirJudgedQuery { text: query.text.clone(), relevant, own_passage: own });
    }
    Ok(set)
}

fn entries(path: &Path, progress: &dyn ProgressListener) -> anyhow::Result<Vec<BeirEntry>> {
    let mut mistakes = FileMistakes::for_json_lines(path);
    let mut lines = DataLines::open(path, progress)?;
    let mut entries: Vec<BeirEntry> = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    while let Some((number, line)) = lines.next(&mut mistakes)? {
        match json_object::parse(line) {
            Ok(object) => {
                let Some(entry) = entry(number, &object, &mut mistakes) else { continue };
                if let Some(first) = seen.insert(entry.id.clone(), number) {
                    let what = format!("the id '{}' is already used on line {first}", entry.id);
                    mistakes.add(Some(number), Some("_id"), what);
                }
                entries.push(entry);
            }
            Err(error) => {
                let such_as = r#"{"_id": "d1", "title": "...", "text": "..."}"#;
                let what =
                    json_line::invalid_object_message("passage or query", such_as, line, &error);
                mistakes.add(Some(number), None, what);
                if entries.is_empty() && !json_line::looks_like_object(line) {
                    // The file is of another kind: every line would be reported as a mistake.
                    break;
                }
            }
        }
    }
    mistakes.into_result()?;
    anyhow::ensure!(!entries.is_empty(), "{}: the file is empty", path.display());
    Ok(entries)
}

/// Converts an object to a passage or a query; returns `None` after recording a mistake for each invalid field.
fn entry(
    line: usize,
    object: &Map<String, Json>,
    mistakes: &mut FileMistakes,
) -> Option<BeirEntry> {
    let before = mistakes.count();
    let mut text = |field: &str, needed: bool| match object.get(field) {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Number(number)) if field != "text" && !number.is_f64() => number.to_string(),
        None | Some(Json::Null) if !needed => String::new(),
        None => {
            mistakes.add(Some(line), Some(field), "it is required, but missing");
            String::new()
        }
        Some(other) => {
            let what = format!("{} is not a text", json_line::quoted_excerpt(&other.to_string()));
            mistakes.add(Some(line), Some(field), what);
            String::new()
        }
    };
    let entry =
        BeirEntry { id: text("_id", true), title: text("title", false), text: text("text", true) };
    (mistakes.count() == before).then_some(entry)
}

/// The gains of each query by passage; `None` for a query without a judgement.
fn judgements(
    path: &Path,
    queries: &HashMap<&str, usize>,
    passages: &HashMap<&str, u32>,
    progress: &dyn ProgressListener,
) -> anyhow::Result<Vec<Option<HashMap<u32, f64>>>> {
    let mut mistakes = FileMistakes::new(path);
    let header = COLUMNS.map(|(name, _)| name.to_owned());
    let layout = CsvLayout { header: &header, ..CsvLayout::default() };
    let grid = CsvTable::read(path, layout, progress, &mut mistakes)?;
    let mut judged: Vec<Option<HashMap<u32, f64>>> = vec![None; queries.len()];
    for (at, row) in grid.rows.iter().enumerate() {
        if at == 0 && is_header(row) {
            continue;
        }
        let [query, passage, score] = [&row.cells[0], &row.cells[1], &row.cells[2]];
        let line = Some(row.line);
        let gain = match score.parse::<f64>() {
            Ok(gain) if gain.is_finite() => gain,
            _ => {
                let hint = match at {
                    0 => "; a header would read query-id, corpus-id, score",
                    _ => "",
                };
                mistakes.add(line, Some("score"), format!("'{score}' is not a number{hint}"));
                continue;
            }
        };
        match (queries.get(query), passages.get(passage)) {
            (Some(&query), Some(&passage)) => {
                judged[query].get_or_insert_default().insert(passage, gain);
            }
            (None, _) => {
                mistakes.add(line, Some("query-id"), format!("there is no query '{query}'"))
            }
            (_, None) => {
                mistakes.add(line, Some("corpus-id"), format!("there is no passage '{passage}'"));
            }
        }
    }
    mistakes.into_result()?;
    // Without a relevant passage every metric would be zero or undefined.
    let relevant = judged.iter().flatten().any(|gains| gains.values().any(|gain| *gain > 0.0));
    anyhow::ensure!(relevant, "{}: no query has a relevant passage", path.display());
    Ok(judged)
}

/// Whether a row holds the column names, ignoring case and separators between words.
fn is_header(row: &CsvRow) -> bool {
    row.cells.iter().zip(COLUMNS).all(|(cell, (name, others))| {
        bare_name(cell) == bare_name(name) || others.contains(&bare_name(cell).as_str())
    })
}

fn bare_name(text: &str) -> String {
    text.to_lowercase().replace(['-', '_', ' '], "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoProgress;

    /// A set of two passages and two queries, of which one file is replaced.
    fn read_with(file: &str, bytes: &[u8]) -> Result<BeirDataset, String> {
        let dir = tempfile::tempdir().unwrap();
        let passages = "{\"_id\": \"p1\", \"title\": \"T\", \"text\": \"a\"}\n{\"_id\": \"p2\", \"text\": \"b\"}\n";
        let queries = "{\"_id\": \"q1\", \"text\": \"a\"}\n{\"_id\": \"q2\", \"text\": \"b\"}\n";
        let qrels = "query-id\tcorpus-id\tscore\nq1\tp1\t1\n";
        std::fs::create_dir(dir.path().join("qrels")).unwrap();
        for (name, content) in
            [("corpus.jsonl", passages), ("queries.jsonl", queries), ("qrels/test.tsv", qrels)]
        {
            let content = if name == file { bytes } else { content.as_bytes() };
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        read(dir.path(), &NoProgress).map_err(|error| format!("{error:#}"))
    }

    fn relevant(qrels: &str) -> Vec<Vec<(u32, f64)>> {
        let set = read_with("qrels/test.tsv", qrels.as_bytes()).unwrap();
        set.queries.into_iter().map(|query| query.relevant).collect()
    }

    #[test]
    fn qrels_are_read_as_a_table() {
        let one = [vec![(0, 1.0)]];
        for qrels in [
            "query-id\tcorpus-id\tscore\nq1\tp1\t1\n",
            "Query ID\tdoc_id\tRelevance\r\nq1\tp1\t1\r\n",
            "qid\tpid\tlabel\rq1\tp1\t1\r",
            "query-id\tcorpus-id\tscore\n\"q1\"\t\"p1\"\t1\n",
            "\u{feff}query-id\tcorpus-id\tscore\nq1\tp1\t1\n",
            // Without a header.
            "q1\tp1\t1\n",
            // The last judgement of a pair counts.
            "query-id\tcorpus-id\tscore\nq1\tp2\t1\nq1\tp1\t1\nq1\tp2\t0\n",
        ] {
            assert_eq!(relevant(qrels), one, "{qrels:?}");
        }
        // A query that was judged, and has nothing relevant, is one of the set's queries.
        let found = relevant("query-id\tcorpus-id\tscore\nq1\tp1\t2\nq2\tp1\t0\nq2\tp2\t-1\n");
        assert_eq!(found, [vec![(0, 2.0)], vec![]]);
    }

    #[test]
    fn a_first_line_that_is_neither_a_header_nor_a_judgement_is_a_mistake() {
        for (qrels, expected) in [
            ("q1\tp1\tx\nq2\tp2\t1\n", "line 1, column 'score': 'x' is not a number; a header"),
            ("q?\tp?\t1?\nq2\tp2\t1\n", "line 1, column 'score': '1?' is not a number; a header"),
            ("query-id\tcorpus-id\n q1\tp1\t1\n", "line 1: 2 cells, but the header has 3"),
            ("query-id\tcorpus-id\tscore\nq1\tp1\tNaN\n", "line 2, column 'score': 'NaN' is not"),
            ("query-id\tcorpus-id\tscore\nq1\tp1\tinf\n", "line 2, column 'score': 'inf' is not"),
            ("query-id\tcorpus-id\tscore\nq1\tp1\t1e999\n", "line 2, column 'score': '1e999'"),
            ("query-id\tcorpus-id\tscore\nq9\tp1\t1\n", "line 2, column 'query-id': there is no"),
            ("query-id\tcorpus-id\tscore\nq1\tp1\t0\n", "no query has a relevant passage"),
        ] {
            let error = read_with("qrels/test.tsv", qrels.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{qrels:?}: {error}");
        }
    }

    #[test]
    fn ids_and_titles_may_be_numbers_and_a_title_may_be_null() {
        let corpus = "{\"_id\": \"p1\", \"title\": null, \"text\": \"a\"}\n{\"_id\": 7, \"title\": 1984, \"text\": \"b\"}\n";
        let set = read_with("corpus.jsonl", corpus.as_bytes()).unwrap();
        assert_eq!(set.passages, ["a", "1984 b"]);
        for (line, expected) in [
            ("{\"_id\": null, \"text\": \"a\"}", "line 1, field '_id': 'null' is not a text"),
            ("{\"_id\": \"p1\", \"text\": null}", "line 1, field 'text': 'null' is not a text"),
            ("{\"_id\": 1.5, \"text\": \"a\"}", "line 1, field '_id': '1.5' is not a text"),
            ("{\"text\": \"a\"}", "line 1, field '_id': it is required"),
            ("{\"_id\": \"p1\", \"_id\": \"p2\", \"text\": \"a\"}", "the key '_id' occurs twice"),
            ("{\"_id\": [1], \"text\": \"a\"}", "line 1, field '_id': '[1]' is not a text"),
        ] {
            let error = read_with("corpus.jsonl", line.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn a_passage_with_the_id_of_a_query_is_its_own() {
        let queries = "{\"_id\": \"p2\", \"text\": \"b\"}\n{\"_id\": \"q1\", \"text\": \"a\"}\n";
        let set = read_with("queries.jsonl", queries.as_bytes()).unwrap();
        assert_eq!(
            (set.queries.len(), set.queries[0].own_passage, set.own_passage_count()),
            (1, None, 0)
        );
        let qrels = "query-id\tcorpus-id\tscore\np2\tp1\t1\n";
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("qrels")).unwrap();
        let passages = "{\"_id\": \"p1\", \"text\": \"a\"}\n{\"_id\": \"p2\", \"text\": \"b\"}\n";
        std::fs::write(dir.path().join("corpus.jsonl"), passages).unwrap();
        std::fs::write(dir.path().join("queries.jsonl"), queries).unwrap();
        std::fs::write(dir.path().join("qrels/test.tsv"), qrels).unwrap();
        let set = read(dir.path(), &NoProgress).unwrap();
        assert_eq!((set.queries[0].own_passage, set.own_passage_count()), (Some(1), 1));
    }
}
