//! Shapley shares of sampled tasks, compared with the exact shares of the same tasks.

use knockon::Session;
use knockon::run;
use knockon::run::record::ArmRecord;
use knockon::scenario;
use rayon::prelude::*;

const PASSAGES: &str = r#"
{"id":"right","text":"alpha","entity":"a","attribute":"key","facts":{"fee":{"number":10}}}
{"id":"other","text":"beta","entity":"b","attribute":"key","facts":{"fee":{"number":20}}}
{"id":"topic","text":"gamma","entity":"a","attribute":"lock","facts":{"fee":{"number":30}}}
"#;

/// Two searches that miss in 30% and 40% of runs, with a reader that also errs.
fn yaml(simulation: &str) -> String {
    format!(
        r#"
version: 1
name: shares
corpora: {{c: {{passages: passages.jsonl}}}}
tasks: {{file: tasks.csv, fields: {{name: text}}}}
embedders: {{bm25: {{kind: bm25}}}}
embedder: bm25
reader: {{preset: perfect, follow: 0.7, misread: 0.1}}
steps:
  - id: one
    retrieve:
      corpus: c
      queries: [{{text: alpha, weight: 7}}, {{text: beta, weight: 2}}, {{text: gamma, weight: 1}}]
      gold: passage.id == "right"
      top_k: 1
  - id: two
    retrieve:
      corpus: c
      queries: [{{text: alpha, weight: 6}}, {{text: beta, weight: 4}}]
      gold: passage.id == "right"
      top_k: 1
  - {{id: first, read: {{from: one, field: fee}}}}
  - {{id: second, read: {{from: two, field: fee}}}}
  - {{id: act, act: [{{if: first == 10 && second == 10, do: pay}}, {{if: first == 10, do: refuse}}, {{do: ask}}], hold: [ask]}}
arms: [{{id: only}}]
baseline: only
simulation: {simulation}
"#
    )
}

fn run(simulation: &str) -> anyhow::Result<ArmRecord> {
    let dir = std::env::temp_dir().join(format!(
        "knockon-coverage-{}-{}",
        std::process::id(),
        blake3::hash(simulation.as_bytes()).to_hex()
    ));
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("passages.jsonl"), PASSAGES)?;
    std::fs::write(dir.join("tasks.csv"), "id,name\nt1,x\nt2,y\nt3,z\n")?;
    let path = dir.join("scenario.yaml");
    std::fs::write(&path, yaml(simulation))?;
    let loaded = scenario::load(&path).map_err(|found| anyhow::anyhow!(found.render(false)));
    std::fs::remove_dir_all(&dir)?;
    let loaded = loaded?;
    let session = Session::over(&loaded);
    let record = run::run(&session, &[0])?;
    record.arms.into_iter().next().ok_or_else(|| anyhow::anyhow!("no arm was run"))
}

/// Prints how many of 100 intervals of sampled shares contain the exact one.
pub fn table() -> anyhow::Result<()> {
    println!(
        "\n### Shapley shares of sampled tasks: how many of 100 intervals cover the true value\n"
    );
    let exact = run("{method: exact}")?;
    let trials = [250, 1_000, 4_000];
    super::header("share of the failures", trials.map(|trials| format!("{trials} trials a task")));
    let seeds = 200;
    let mut held = vec![[0.0; 3]; exact.causes.len()];
    for (at, trials) in trials.into_iter().enumerate() {
        let of_seed = |seed: u64| -> anyhow::Result<Vec<bool>> {
            let sampled = run(&format!("{{method: monte_carlo, trials: {trials}, seed: {seed}}}"))?;
            let inside = exact.causes.iter().map(|truth| {
                let same = |c: &&knockon::run::record::CauseShareRecord| {
                    (&c.step, c.event) == (&truth.step, truth.event)
                };
                sampled.causes.iter().find(same).is_some_and(|found| {
                    let truth = truth.failure.estimate;
                    found.failure.low <= truth && truth <= found.failure.high
                })
            });
            Ok(inside.collect())
        };
        let all: Vec<Vec<bool>> =
            (1..=seeds).into_par_iter().map(of_seed).collect::<anyhow::Result<_>>()?;
        for (cause, held) in held.iter_mut().enumerate() {
            held[at] = all.iter().filter(|found| found[cause]).count() as f64 / seeds as f64;
        }
    }
    for (cause, cells) in exact.causes.iter().zip(held) {
        super::row(&format!("{} at {}", cause.event.name(), cause.step), cells.map(Some));
    }
    Ok(())
}
