//! A desk of eight agreements: an agent looks for the reference of one, and with that for its notice. Half of the first
//! searches find the former agreement, which states the reference of another one, so that the second query is wrong.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use knockon::step::reader::ReaderRates;

use super::simulated_model::PROMPT;
use super::stand_in;
use crate::support::program;

const NAMES: [&str; 8] =
    ["Aldgate", "Bramley", "Corwen", "Dunmore", "Elstow", "Farley", "Garston", "Harlow"];

/// Rates of a reader that makes no error of its own, but follows what it finds.
pub fn follows() -> ReaderRates {
    ReaderRates { follow: 1.0, ..ReaderRates::default() }
}

/// The same as the setting `reader`.
pub const FOLLOWS: &str = "{preset: perfect, follow: 1}";

/// The settings of a reader at an address, with further ones.
pub fn chat(address: &str, further: &str) -> String {
    format!(
        "{{kind: chat, url: \"{address}\", model: some-model, timeout: 5, retries: 0, {further}{PROMPT}}}"
    )
}

/// A desk in a folder.
pub struct SmallDesk {
    pub folder: tempfile::TempDir,
}

impl SmallDesk {
    pub fn new() -> SmallDesk {
        let folder = tempfile::tempdir().unwrap();
        let (mut passages, mut tasks) = (String::new(), "id,party\n".to_owned());
        let mut passage = |id: String,
                           text: String,
                           entity: &str,
                           attribute: &str,
                           fact: String| {
            let line = serde_json::json!({"id": id, "text": text, "entity": entity, "attribute": attribute,
                "facts": serde_json::from_str::<serde_json::Value>(&fact).unwrap()});
            writeln!(passages, "{line}").unwrap();
        };
        for (i, name) in NAMES.iter().enumerate() {
            let (number, other) = (i + 1, (i + 4) % 8 + 1);
            passage(
                format!("r{number}"),
                format!("The supply agreement with {name} has the reference REF-0{number}."),
                name,
                "parties",
                format!("{{\"reference\": {{\"text\": \"REF-0{number}\"}}}}"),
            );
            let days = 20 + 10 * i;
            passage(
                format!("n{number}"),
                format!("Notice under REF-0{number} is {days} days before the end of the term."),
                name,
                "notice",
                format!("{{\"days\": {{\"number\": {days}}}}}"),
            );
            passage(
                format!("o{number}"),
                format!(
                    "The former supply agreement with {name}, now ended, had the reference REF-0{other}."
                ),
                name,
                "former",
                format!("{{\"reference\": {{\"text\": \"REF-0{other}\"}}}}"),
            );
            writeln!(tasks, "t{number},{name}").unwrap();
        }
        let minutes = "Minutes of a meeting with Harlow on its supply agreement.";
        passage("m".to_owned(), minutes.to_owned(), "Harlow", "minutes", "{}".to_owned());
        std::fs::write(folder.path().join("passages.jsonl"), passages).unwrap();
        std::fs::write(folder.path().join("tasks.csv"), tasks).unwrap();
        SmallDesk { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a scenario with these settings of the section `readers` and of `reader`.
    pub fn write(&self, name: &str, readers: &str, reader: &str) -> PathBuf {
        self.write_with(name, readers, reader, "[{id: one}, {id: deep, top_k: 3}]", "")
    }

    pub fn write_with(
        &self,
        name: &str,
        readers: &str,
        reader: &str,
        arms: &str,
        further: &str,
    ) -> PathBuf {
        let yaml = format!(
            r#"version: 1
name: small_desk
corpora: {{agreements: {{passages: passages.jsonl}}}}
tasks: {{file: tasks.csv, fields: {{party: text}}}}
embedders: {{bm25: {{kind: bm25}}}}
embedder: bm25
readers:
{readers}
reader: {reader}
steps:
  - id: find_agreement
    retrieve:
      corpus: agreements
      queries:
        - {{text: "reference of the supply agreement with {{{{ task.party }}}}", weight: 0.6}}
        - {{text: "former agreement {{{{ task.party }}}} ended reference", weight: 0.4}}
      gold: passage.entity == task.party && passage.attribute == "parties"
      top_k: 1
  - id: reference
    read: {{from: find_agreement, field: reference, question: "What is the reference of the agreement with {{{{ task.party }}}}?"}}
    guard:
      - {{present: true, retry: [{{query: "supply agreement {{{{ task.party }}}} reference", top_k: 3}}]}}
      - {{check: 'reference != "REF-04"', retry: [{{top_k: 2}}, {{top_k: 3}}]}}
  - id: find_notice
    retrieve:
      corpus: agreements
      query: "notice under {{{{ reference }}}} before the end of the term"
      gold: passage.entity == task.party && passage.attribute == "notice"
      top_k: 2
  - id: days
    read: {{from: find_notice, field: days, question: "How many days is the notice to {{{{ task.party }}}}?"}}
  - id: action
    act: [{{if: days > 50, do: early}}, {{do: late}}]
arms: {arms}
simulation: {{method: auto, seed: 1, trials: 2000}}
{further}"#
        );
        let path = self.path().join(name);
        std::fs::write(&path, yaml).unwrap();
        path
    }

    /// Writes a scenario that is read by a model at this address, with further settings of the reader.
    pub fn asked(&self, name: &str, address: &str, further: &str) -> PathBuf {
        self.write(name, &format!("  stand_in: {}", chat(address, further)), "stand_in")
    }

    /// The same read by a simulated reader.
    pub fn simulated(&self, name: &str, reader: &str) -> PathBuf {
        self.write(name, "  {}", reader)
    }

    /// A server that reads as a simulated reader does, and the scenario `asked.yaml` that it reads.
    pub fn serve(&self, rates: ReaderRates, further: &str) -> stand_in::Requests {
        let write = |address: &str| self.asked("asked.yaml", address, further);
        stand_in::simulated_reader(rates, write).1
    }

    /// Runs the program here; its exit code must be `code`. Returns stdout and stderr.
    #[track_caller]
    pub fn runs(&self, arguments: &[&str], code: i32) -> (String, String) {
        let output = program::run_in(self.path(), arguments);
        let (stdout, stderr) = (program::stdout(&output), program::stderr(&output));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        (stdout, stderr)
    }

    /// The lines of the recording.
    pub fn recorded(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.path().join("recordings/stand_in.jsonl"));
        let text = text.unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
