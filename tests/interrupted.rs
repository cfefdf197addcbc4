//! A run that is killed while it embeds, and then restarted.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::program;

/// Number of texts: a few of the chunks in which vectors are written.
const TEXTS: usize = 8 * 1024;
/// A header, then records of key, 256 numbers and checksum: see `embed::cache`.
const HEADER: u64 = 16;
const RECORD: u64 = 32 + 4 * 256 + 8;

fn scenario(dir: &Path) -> PathBuf {
    let passage = |i: usize| {
        format!(
            "{{\"id\": \"p{i}\", \"text\": \"order {i} is due\", \"entity\": \"o{i}\", \"facts\": {{\"n\": {{\"number\": {i}}}}}}}\n"
        )
    };
    let passages: String = (0..TEXTS).map(passage).collect();
    std::fs::write(dir.join("passages.jsonl"), passages).unwrap();
    std::fs::write(dir.join("tasks.csv"), "id,order\nt1,o7\nt2,o8\n").unwrap();
    let path = dir.join("scenario.yaml");
    let yaml = r#"
version: 1
name: killed
corpora: {orders: {passages: passages.jsonl}}
tasks: {file: tasks.csv, fields: {order: text}}
embedders: {potion: {kind: static, model: potion-base-8M}}
embedder: potion
steps:
  - id: find
    retrieve: {corpus: orders, query: "when is {{ task.order }} due", gold: passage.entity == task.order}
  - {id: n, read: {from: find, field: n}}
  - {id: action, act: [{if: n > 7, do: pay}, {do: wait}]}
arms: [{id: potion}]
"#;
    std::fs::write(&path, yaml).unwrap();
    path
}

fn knockon(scenario: &Path, cache: &Path, out: &Path) -> Command {
    let mut command = program::command();
    command.arg("run").arg(scenario).arg("--out").arg(out).env("KNOCKON_CACHE", cache);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn vectors(cache: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(cache).ok()?;
    files.flatten().map(|f| f.path()).find(|p| p.extension().is_some_and(|e| e == "vectors"))
}

#[test]
fn a_killed_run_resumes() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = scenario(dir.path());
    let (cache, out) = (dir.path().join("cache"), dir.path().join("out"));
    let mut child = knockon(&scenario, &cache, &out).spawn().unwrap();
    let written = || {
        vectors(&cache).and_then(|path| path.metadata().ok()).map_or(0, |metadata| metadata.len())
    };
    while written() < HEADER + 1024 * RECORD {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it had written anything");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it was faster than the kill");
    assert!(!out.exists(), "a report was written of a run that was not finished");

    let path = vectors(&cache).unwrap();
    let before = std::fs::read(&path).unwrap();
    let whole = (before.len() as u64 - HEADER) / RECORD;
    assert!((1024..TEXTS as u64).contains(&whole), "{whole} vectors were written");
    assert!(knockon(&scenario, &cache, &out).status().unwrap().success());
    let after = std::fs::read(&path).unwrap();
    let kept = (HEADER + whole * RECORD) as usize;
    assert!(after[..kept] == before[..kept], "what was written stays");
    // Every passage and both queries exactly once: nothing that was cached was embedded again.
    assert_eq!((after.len() as u64 - HEADER) / RECORD, TEXTS as u64 + 2);

    let (cache, straight) = (dir.path().join("other"), dir.path().join("straight"));
    assert!(knockon(&scenario, &cache, &straight).status().unwrap().success());
    for file in ["summary.csv", "steps.csv", "tasks.csv", "manifest.json"] {
        let read = |out: &Path| std::fs::read(out.join(file)).unwrap();
        assert!(read(&out) == read(&straight), "{file} differs");
    }
}
