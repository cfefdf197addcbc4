//! Servers that stand in for a language model, and what they saw.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use knockon::step::reader::ReaderRates;
use serde_json::json;

use super::simulated_model::SimulatedModel;
use crate::support::endpoint::{Answer, Seen, serve};

/// The requests that a server saw.
#[derive(Clone)]
pub struct Requests(Arc<Mutex<Vec<Seen>>>);

impl Requests {
    /// The prompts in the order in which they were asked.
    pub fn prompts(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(prompt).collect()
    }

    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// How often each prompt was asked.
    pub fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for prompt in self.prompts() {
            *times.entry(prompt).or_insert(0) += 1;
        }
        times
    }

    pub fn heads(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|seen| seen.head.clone()).collect()
    }
}

/// The text of the last message of a request.
pub fn prompt(seen: &Seen) -> String {
    let messages = seen.body["messages"].as_array().unwrap();
    messages.last().unwrap()["content"].as_str().unwrap().to_owned()
}

/// A completion with one text.
pub fn completion(text: &str) -> Answer {
    let choice =
        json!({"message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
    let usage = json!({"prompt_tokens": 30, "completion_tokens": 4});
    let body = json!({"choices": [choice], "usage": usage, "model": "some-model"});
    Answer::Reply("200 OK", body.to_string())
}

/// A server that answers request `n`, counted from 0.
pub fn server(
    answer: impl Fn(usize, &Seen) -> Answer + Send + Sync + 'static,
) -> (String, Requests) {
    let (address, seen) = serve(answer);
    (address, Requests(seen))
}

/// A server that reads as a simulated reader with these rates would. `write` writes the scenario, given the address, and
/// returns its path; `change` may replace an answer.
pub fn simulated(
    rates: ReaderRates,
    write: impl FnOnce(&str) -> std::path::PathBuf,
    change: impl Fn(usize, String) -> Answer + Send + Sync + 'static,
) -> (std::path::PathBuf, Requests) {
    let model: Arc<OnceLock<SimulatedModel>> = Arc::default();
    let answering = model.clone();
    let (address, requests) = server(move |n, seen| {
        change(n, answering.get().expect("nothing is asked before").answer(&prompt(seen)))
    });
    let path = write(&address);
    assert!(model.set(SimulatedModel::new(&path, rates)).is_ok());
    (path, requests)
}

/// As [`simulated`], with every answer as the simulated reader gives it.
pub fn simulated_reader(
    rates: ReaderRates,
    write: impl FnOnce(&str) -> std::path::PathBuf,
) -> (std::path::PathBuf, Requests) {
    simulated(rates, write, |_, text| completion(&text))
}

/// Whether two folders of reports have the same tables.
pub fn assert_same_tables(one: &Path, other: &Path) {
    let names = |dir: &Path| {
        let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().file_name());
        let mut names: Vec<String> = files
            .map(|name| name.into_string().unwrap())
            .filter(|name| name.ends_with(".csv"))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(one), names(other));
    assert!(names(one).len() > 10, "{:?}", names(one));
    for name in names(one) {
        let read = |dir: &Path| std::fs::read_to_string(dir.join(&name)).unwrap();
        let (one, other) = (read(one), read(other));
        if let Some((a, b)) = one.lines().zip(other.lines()).find(|(a, b)| a != b) {
            panic!("{name}:\n{a}\n{b}");
        }
        assert_eq!(one.lines().count(), other.lines().count(), "{name}");
    }
}

/// The rows of a table as maps from columns to cells.
pub fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut table = csv::Reader::from_path(path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    table.deserialize().map(Result::unwrap).collect()
}
