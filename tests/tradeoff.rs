//! The smallest form of the experiment of docs/src/tradeoff.md: a linear map after MiniLM, tuned in seconds. Checks
//! signs only.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::support::program;

fn knockon(dir: &Path, args: &[&str]) {
    let done = program::run_in(dir, args);
    assert!(done.status.success(), "{args:?}: {}", program::stderr(&done));
}

fn lines<'a>(of: impl Iterator<Item = &'a str>) -> String {
    of.map(|line| format!("{line}\n")).collect()
}

#[test]
fn near_misses_are_separated_better_and_retrieval_gets_worse() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data =
        std::env::var_os("KNOCKON_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let (pairs, xquad) = (data.join("rehearsal/qa_pairs.jsonl"), data.join("beir/xquad_en"));
    if !pairs.exists() || !xquad.exists() {
        println!("skipped: no {} or {}", pairs.display(), xquad.display());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
    let pairs = std::fs::read_to_string(pairs).unwrap();
    write("pairs.jsonl", lines(pairs.lines().take(400)));
    // Every other passage for tuning, the others for measuring.
    let desk = root.join("scenarios/renewal_desk/passages.jsonl");
    let passages = std::fs::read_to_string(desk).unwrap();
    write("seen.jsonl", lines(passages.lines().step_by(2)));
    write("held_out.jsonl", lines(passages.lines().skip(1).step_by(2)));

    let run = |args: &str| knockon(dir.path(), &args.split(' ').collect::<Vec<_>>());
    run("perturb seen.jsonl --per-kind 80 --seed 1 --out seen.csv");
    run("perturb held_out.jsonl --positive paraphrase --per-kind 40 --seed 2 --out held_out.csv");
    run(
        "tune --base all-MiniLM-L6-v2 --method adapter --structural seen.csv --rehearsal pairs.jsonl \
         --steps 60 --out tuned",
    );
    let xquad = std::fs::canonicalize(xquad).unwrap();
    let embedders = "all-MiniLM-L6-v2,tuned/control,tuned/structural";
    let beir = xquad.to_str().unwrap();
    knockon(
        dir.path(),
        &[
            "probe",
            "--embedders",
            embedders,
            "--triplets",
            "held_out.csv",
            "--beir",
            beir,
            "--out",
            "out",
        ],
    );

    let mut found: HashMap<(String, String), f64> = HashMap::new();
    for row in csv::Reader::from_path(dir.path().join("out/scorecard.csv")).unwrap().records() {
        let row = row.unwrap();
        found.insert((row[0].to_owned(), row[3].to_owned()), row[4].parse().unwrap());
    }
    let of = |measure: &str| {
        let names = embedders.split(',');
        let value = |name: &str| found[&(name.to_owned(), measure.to_owned())];
        names.map(value).collect::<Vec<f64>>()
    };
    let [near, negation, ndcg] = ["accuracy all", "accuracy negation", "nDCG@10"].map(of);
    assert!(near[2] > near[0] && near[2] > near[1], "near-misses told apart: {near:?}");
    assert!(negation[2] > negation[0] && negation[2] > negation[1], "negation: {negation:?}");
    assert!(ndcg[2] < ndcg[0], "nDCG@10: {ndcg:?}");
}
