//! The renewal desk over generated contracts, searched with BM25 alone, and read by a model with planted error rates.

use std::path::{Path, PathBuf};

use knockon::output::OutputWriter;
use knockon::step::reader::ReaderRates;
use knockon::world::synth;

use super::small_desk::chat;
use super::stand_in::{Requests, simulated_reader};
use crate::support::program;
use crate::support::scenarios::in_repository;

pub struct SyntheticDesk {
    pub folder: tempfile::TempDir,
    pub requests: Requests,
}

pub const ARMS: &str = "
  - {id: one}
  - {id: flat, embedder: flat}
  - {id: two, top_k: 2}
  - {id: eight, top_k: 8}
  - {id: filtered, entity_filter: true}
";

/// Errors of every kind, each often enough to be fitted.
pub fn planted() -> ReaderRates {
    ReaderRates {
        misread: 0.08,
        distracted_above: 0.25,
        distracted_below: 0.1,
        follow: 0.5,
        fabricate: 0.1,
        fabricate_empty: 0.1,
        declined: 0.05,
        ..ReaderRates::default()
    }
}

impl SyntheticDesk {
    pub fn new(contracts: usize, rates: ReaderRates) -> SyntheticDesk {
        let folder = tempfile::tempdir().unwrap();
        let portfolio = synth::generate_contracts(contracts, 1, "0.3".parse().unwrap()).unwrap();
        portfolio.write(&OutputWriter::new(false), folder.path()).unwrap();
        let dir = folder.path().to_owned();
        let write = move |address: &str| {
            write(
                &dir,
                "desk.yaml",
                ARMS,
                &format!("  stand_in: {}", chat(address, "concurrency: 8, ")),
                "",
            )
        };
        let (_, requests) = simulated_reader(rates, write);
        SyntheticDesk { folder, requests }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The readers of the scenario as written.
    pub fn readers(&self) -> String {
        let text = std::fs::read_to_string(self.path().join("desk.yaml")).unwrap();
        let (_, rest) = text.split_once("readers:\n").unwrap();
        rest.split_once("\nreader: ").unwrap().0.to_owned()
    }

    pub fn write(&self, name: &str, arms: &str, readers: &str, further: &str) -> PathBuf {
        write(self.path(), name, arms, readers, further)
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
}

/// The scenario of the repository with other data, embedders, readers and arms.
fn write(folder: &Path, name: &str, arms: &str, readers: &str, further: &str) -> PathBuf {
    let text =
        std::fs::read_to_string(in_repository("scenarios/validation/renewal_desk.yaml")).unwrap();
    let (_, steps) = text.split_once("\nsteps:\n").unwrap();
    let (steps, _) = steps.split_once("\nbaseline:").unwrap();
    let yaml = format!(
        "version: 1
name: synthetic_desk
corpora: {{contracts: {{passages: passages.jsonl}}}}
tasks:
  file: renewal_tasks.csv
  unit: contract
  fields: {{contract: text, party: text, title: text, today: date, wanted: yes_no}}
embedders: {{bm25: {{kind: bm25}}, flat: {{kind: bm25, k1: 0.1, b: 0}}}}
embedder: bm25
readers:
{readers}
reader: {{preset: gpt-4o}}
steps:
{steps}
arms:{arms}
baseline: one
simulation: {{method: auto, seed: 1, trials: 2000}}
{further}"
    );
    let path = folder.join(name);
    std::fs::write(&path, yaml).unwrap();
    path
}
