//! The table of retrieval results of the known embedders in docs/src/embedders.md: rows of models that are here without
//! the network are measured again and compared. With KNOCKON_FIGURES=renew all rows are measured, which takes minutes,
//! and updated.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

const PAGE: &str = "docs/src/embedders.md";
const HEADER: &str = "| embedder | SciFact | XQuAD |";
const SETS: [&str; 2] = ["scifact", "xquad_en"];

#[test]
fn the_rows_of_models_that_are_here_are_measured_anew() {
    let data = std::env::var_os("KNOCKON_DATA").map_or("../shared/data".into(), PathBuf::from);
    let all = std::env::var("KNOCKON_FIGURES").is_ok_and(|value| value == "renew");
    let sets: Vec<(usize, &str)> =
        SETS.into_iter().enumerate().filter(|(_, set)| all || *set != "scifact").collect();
    let folders: Vec<PathBuf> = sets.iter().map(|(_, set)| data.join("beir").join(set)).collect();
    if let Some(missing) = folders.iter().find(|folder| !folder.join("corpus.jsonl").exists()) {
        println!("skipped: no set in {}", missing.display());
        return;
    }
    let renews = std::env::var("KNOCKON_FIGURES").is_ok_and(|value| value == "renew");
    let embedders = match all {
        true => "bm25,potion-base-8M,all-MiniLM-L6-v2",
        false => "bm25,potion-base-8M",
    };
    let out = tempfile::tempdir().unwrap();
    let mut probe = Command::new(env!("CARGO_BIN_EXE_knockon"));
    probe.args(["probe", "--embedders", embedders, "--out"]).arg(out.path());
    folders.iter().for_each(|folder| _ = probe.arg("--beir").arg(folder));
    let output = probe.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut found: BTreeMap<(String, String), f64> = BTreeMap::new();
    let mut card = csv::Reader::from_path(out.path().join("scorecard.csv")).unwrap();
    for row in card.records().map(Result::unwrap) {
        if &row[3] == "nDCG@10" {
            found.insert((row[0].to_owned(), row[2].to_owned()), row[4].parse().unwrap());
        }
    }
    let page = std::fs::read_to_string(PAGE).unwrap();
    let mut lines: Vec<String> = page.lines().map(str::to_owned).collect();
    let header = lines.iter().position(|line| line.starts_with(HEADER)).expect("the table");
    let mut stale = Vec::new();
    for embedder in embedders.split(',') {
        let start = format!("| `{embedder}` |");
        let row = lines[header..].iter().position(|line| line.starts_with(&start));
        let line = &mut lines[header + row.unwrap_or_else(|| panic!("no row of {embedder}"))];
        let mut cells: Vec<String> = line.split(" | ").map(str::to_owned).collect();
        for (place, set) in &sets {
            let cell = &mut cells[1 + place];
            let value = found[&(embedder.to_owned(), (*set).to_owned())];
            let new = format!("{value:.3}").trim_start_matches('0').to_owned();
            let shown: f64 = format!("0{cell}").parse().unwrap();
            // The last bits of a transformer depend on the processor.
            let near = if embedder == "all-MiniLM-L6-v2" { 0.002 } else { 0.0 };
            if *cell != new && (shown - value).abs() > near + 1e-9 {
                stale.push(format!("{embedder} on {set}: the page has {cell}, measured is {new}"));
                *cell = new;
            }
        }
        *line = cells.join(" | ");
    }
    if renews && !stale.is_empty() {
        std::fs::write(PAGE, lines.join("\n") + "\n").unwrap();
        println!("renewed: {PAGE}");
    } else {
        assert!(stale.is_empty(), "{}\nRenew the figures with: just figures", stale.join("\n"));
    }
}
