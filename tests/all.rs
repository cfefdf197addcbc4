//! All tests in one program, so that they are compiled and linked once and run in parallel.

mod currencies;
mod cut_texts;
mod damaged_models;
mod docs;
mod effort;
mod embed;
mod engine;
mod extract;
mod extract_clauses;
mod extract_cuad;
mod first_hour;
mod formats;
mod fuzz;
mod gate;
mod gold;
mod guards;
mod http;
mod http_scenarios;
mod http_search;
mod identity;
mod import_csv;
mod import_cuad;
mod import_tatqa;
mod impossible;
mod inject;
mod interrupted;
mod kernel;
mod layouts;
mod library;
mod limits;
mod money;
mod on_paper;
mod one_difference;
mod oracles;
mod own_files;
mod page;
mod pairs;
mod perturb;
#[cfg(feature = "pgvector")]
mod pgvector;
mod plan;
mod preflight;
mod probe;
mod pull;
mod read;
mod reader;
mod readers;
mod retrieval_table;
mod retrieve;
mod right;
mod run_file;
mod scenario_errors;
mod semantics;
mod sensitivity;
mod significance;
mod stats;
mod support;
mod synth;
mod synth_ledger;
mod trace;
mod traces;
mod tradeoff;
mod tune;
mod what_if;
mod wrong_use;

use support::one_arm;

#[test]
fn every_test_file_is_included() {
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "all") {
            assert!(
                include_str!("all.rs").contains(&format!("mod {module};")),
                "{name} is not run"
            );
        }
    }
}
