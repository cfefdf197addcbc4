//! Retrieval sets in the layout of BEIR: `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv` in one folder.
//!
//! A passage's text is its title and its text with a space between, as BEIR's own evaluation joins them. Queries
//! without a judged passage are left out, as there.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;

use super::json_line;
use super::mistakes::Mistakes;
use super::text::Lines;
use crate::watch::Watch;

/// One set.
#[derive(Clone, Debug)]
pub struct BeirSet {
    /// The folder's name.
    pub name: String,
    pub passages: Vec<String>,
    /// In the order of `queries.jsonl`.
    pub queries: Vec<Judged>,
}

/// A query, and what answers it.
#[derive(Clone, Debug)]
pub struct Judged {
    pub text: String,
    /// Passages by index, with their gains, all above zero.
    pub relevant: Vec<(u32, f64)>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    title: String,
    text: String,
}

/// Reads a set; the error holds every mistake of a file.
pub fn read(dir: &Path, watch: &dyn Watch) -> anyhow::Result<BeirSet> {
    let corpus = entries(&dir.join("corpus.jsonl"), watch)?;
    let queries = entries(&dir.join("queries.jsonl"), watch)?;
    let places: HashMap<&str, u32> = corpus.iter().map(|e| e.id.as_str()).zip(0..).collect();
    let known: HashMap<&str, usize> =
        queries.iter().enumerate().map(|(at, e)| (e.id.as_str(), at)).collect();
    let judged = judgements(&dir.join("qrels/test.tsv"), &known, &places, watch)?;
    let name = dir.canonicalize().ok().and_then(|dir| Some(dir.file_name()?.display().to_string()));
    let query = |(at, relevant): (usize, Vec<(u32, f64)>)| Judged {
        text: queries[at].text.clone(),
        relevant,
    };
    Ok(BeirSet {
        name: name.unwrap_or_else(|| dir.display().to_string()),
        queries: judged.into_iter().map(query).collect(),
        passages: corpus
            .iter()
            .map(|e| format!("{} {}", e.title, e.text).trim().to_owned())
            .collect(),
    })
}

fn entries(path: &Path, watch: &dyn Watch) -> anyhow::Result<Vec<Entry>> {
    let mut mistakes = Mistakes::of_json(path);
    let mut lines = Lines::open(path, watch)?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    while let Some((number, line)) = lines.next(&mut mistakes)? {
        match serde_json::from_str::<Entry>(line) {
            Ok(entry) => {
                if let Some(first) = seen.insert(entry.id.clone(), number) {
                    let what = format!("the id '{}' stands on line {first} already", entry.id);
                    mistakes.add(Some(number), Some("_id"), what);
                }
                entries.push(entry);
            }
            Err(error) => {
                let such_as = r#"{"_id": "d1", "title": "...", "text": "..."}"#;
                let what = json_line::no_object("passage or query", such_as, line, &error);
                mistakes.add(Some(number), None, what);
            }
        }
    }
    mistakes.none()?;
    anyhow::ensure!(!entries.is_empty(), "{}: there is nothing in the file", path.display());
    Ok(entries)
}

/// By query, in their order: the relevant passages.
fn judgements(
    path: &Path,
    queries: &HashMap<&str, usize>,
    passages: &HashMap<&str, u32>,
    watch: &dyn Watch,
) -> anyhow::Result<BTreeMap<usize, Vec<(u32, f64)>>> {
    let mut mistakes = Mistakes::new(path);
    let mut lines = Lines::open(path, watch)?;
    let mut judged: BTreeMap<usize, Vec<(u32, f64)>> = BTreeMap::new();
    while let Some((number, line)) = lines.next(&mut mistakes)? {
        let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
        let [query, passage, score] = cells[..] else {
            let what = format!(
                "{} cells parted by tabs; there are query-id, corpus-id, score",
                cells.len()
            );
            mistakes.add(Some(number), None, what);
            continue;
        };
        let gain: f64 = match score.parse() {
            Ok(gain) => gain,
            Err(_) if number == 1 => continue,
            Err(_) => {
                mistakes.add(Some(number), Some("score"), format!("'{score}' is no number"));
                continue;
            }
        };
        match (queries.get(query), passages.get(passage)) {
            (Some(&query), Some(&passage)) if gain > 0.0 => {
                judged.entry(query).or_default().push((passage, gain));
            }
            (Some(_), Some(_)) => {}
            (None, _) => {
                mistakes.add(Some(number), Some("query-id"), format!("there is no query '{query}'"))
            }
            (_, None) => mistakes.add(
                Some(number),
                Some("corpus-id"),
                format!("there is no passage '{passage}'"),
            ),
        }
    }
    mistakes.none()?;
    anyhow::ensure!(!judged.is_empty(), "{}: no query has a relevant passage", path.display());
    Ok(judged)
}
