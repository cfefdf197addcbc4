//! Small scenarios of one arm over BM25, from texts.

use knockon::scenario::Scenario;

use super::scenarios::load_text;

/// `passages` as JSON Lines, `tasks` as CSV with the field `name`; the rest in YAML.
pub fn scenario(
    passages: &str,
    tasks: &str,
    reader: &str,
    steps: &str,
    simulation: &str,
) -> Scenario {
    load(passages, tasks, reader, steps, simulation).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The same, or its rendered mistakes.
pub fn load(
    passages: &str,
    tasks: &str,
    reader: &str,
    steps: &str,
    simulation: &str,
) -> Result<Scenario, String> {
    let yaml = format!(
        "version: 1
name: small
corpora: {{c: {{passages: passages.jsonl}}}}
tasks: {{file: tasks.csv, fields: {{name: text}}}}
embedders: {{bm25: {{kind: bm25}}, other: {{kind: bm25, k1: 2}}}}
embedder: bm25
reader: {reader}
steps:
{steps}
arms: [{{id: only}}]
baseline: only
simulation: {simulation}
"
    );
    load_text(&yaml, &[("passages.jsonl", passages), ("tasks.csv", tasks)])
}
