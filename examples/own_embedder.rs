//! A scenario in memory with an embedder of its own: `cargo run --example own_embedder`.
//!
//! Nothing is read from the disk or from the environment, and nothing is cached: the scenario, its passages and its
//! tasks are texts of the program, and the embedder counts the letter trigrams of a text. For each arm: how often it
//! fails; then one failing run, step by step.

use std::error::Error;

use knockon::{
    Embedder, EmbeddingVectors, Environment, InMemoryFiles, RunTrace, Session, TextRole,
};

/// The declaration of `trigrams` stands for our own embedder: its model is never opened.
const SCENARIO: &str = r#"
version: 1
name: fees
corpora: {contracts: {passages: passages.jsonl}}
tasks: {file: tasks.csv, fields: {supplier: text, name: text}}
embedders:
  bm25: {kind: bm25}
  trigrams: {kind: static, model: potion-base-8M}
embedder: bm25
steps:
  - id: find
    retrieve:
      corpus: contracts
      query: "What does {{ task.name }} charge a year?"
      gold: passage.entity == task.supplier
      top_k: 1
  - id: fee
    read: {from: find, field: fee}
  - id: answer
    act: [{if: fee <= 150, do: pay}, {do: ask}]
arms: [{id: words}, {id: trigrams, embedder: trigrams}]
baseline: words
"#;

const PASSAGES: &str = r#"
{"id":"p1","entity":"north","text":"Northwind Ltd: the annual fee is 100 euros.","facts":{"fee":{"number":100}}}
{"id":"p2","entity":"wood","text":"Northwood Ltd: the annual fee is 250 euros.","facts":{"fee":{"number":250}}}
{"id":"p3","entity":"south","text":"A year with Southgate costs 90 euros, whatever it does.","facts":{"fee":{"number":90}}}
"#;

const TASKS: &str = "id,supplier,name
t1,north,Northwind
t2,wood,the Northwood company
t3,south,South Gate
";

/// Vectors that count letter trigrams.
struct TrigramEmbedder;

const BUCKETS: usize = 256;

impl Embedder for TrigramEmbedder {
    /// Changes with every change of what follows, since caches and manifests go by it.
    fn fingerprint(&self) -> &str {
        "trigrams-1"
    }

    fn dim(&self) -> usize {
        BUCKETS
    }

    fn embed(
        &self,
        _role: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<EmbeddingVectors> {
        let mut data = Vec::with_capacity(texts.len() * BUCKETS);
        for text in texts {
            data.extend(trigram_counts(text));
            done(1);
        }
        Ok(EmbeddingVectors { dim: BUCKETS, data })
    }
}

/// The counts of a text's trigrams as a vector of length 1, or of zeros if it has none.
fn trigram_counts(text: &str) -> Vec<f32> {
    let text = text.to_lowercase();
    let mut counts = vec![0.0; BUCKETS];
    for trigram in text.as_bytes().windows(3) {
        let hash = trigram.iter().fold(7_usize, |hash, &byte| hash * 31 + usize::from(byte));
        counts[hash % BUCKETS] += 1.0;
    }
    let length = counts.iter().map(|count| count * count).sum::<f32>().sqrt();
    if length > 0.0 {
        counts.iter_mut().for_each(|count| *count /= length);
    }
    counts
}

fn main() -> Result<(), Box<dyn Error>> {
    let files = InMemoryFiles::new()
        .with("fees.yaml", SCENARIO)
        .with("passages.jsonl", PASSAGES)
        .with("tasks.csv", TASKS);
    let session = Session::from_files("fees.yaml", &files)?
        .with_environment(Environment::new())
        .with_embedders(|declared| {
            let own = (declared.name == "trigrams").then(|| Box::new(TrigramEmbedder));
            Ok(own.map(|own| own as Box<dyn Embedder>))
        });
    let record = session.run(&session.all_arms())?;
    for arm in &record.arms {
        println!("{} fails {:.1}%", arm.id, 100.0 * arm.summary.failure.estimate);
    }
    // The task that fails most under our own embedder.
    let at = session.arm("trigrams")?;
    let tasks = record.arms[at].tasks.iter();
    let worst = tasks.max_by(|a, b| a.failure().total_cmp(&b.failure()));
    if let Some(worst) = worst
        && let Some(trace) = session.trace(at, session.task(&worst.id)?)?
    {
        print_trace(&trace);
    }
    Ok(())
}

fn print_trace(trace: &RunTrace) {
    println!("\n{}: {} instead of {}", trace.task, trace.action, trace.right_action);
    for (at, step) in trace.steps.iter().enumerate() {
        let Some(done) = &step.done else { continue };
        let output = done.output.as_deref().unwrap_or("nothing");
        let root = if trace.root_cause() == Some(at) { ", the root cause" } else { "" };
        println!("  {}: {}{root}: {output}", step.step, done.event.name());
    }
}
