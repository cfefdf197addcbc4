//! Embeds files of texts on request: the counterpart of `benches/compare_embed.py`.
//!
//! `embed_texts MODEL f32|int8` loads the model and prints `ready`. For each line `TEXTS VECTORS` on stdin it reads the
//! JSON list of texts in the file TEXTS, embeds it, prints `done`, and writes the vectors as JSON to the file VECTORS
//! unless that is `-`. `RAYON_NUM_THREADS` sets the threads.

use std::io::{BufRead, Write};

use anyhow::{Context, bail};
use knockon::Environment;
use knockon::embed::{ModelKind, ModelPrecision, ModelSpec, TextRole, open};

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, precision] = args.as_slice() else { bail!("usage: embed_texts MODEL f32|int8") };
    let precision = match precision.as_str() {
        "f32" => ModelPrecision::F32,
        "int8" => ModelPrecision::Int8,
        other => bail!("precision {other}: f32 or int8"),
    };
    let spec = ModelSpec::new(ModelKind::Transformer, model).with_precision(precision);
    let embedder = open(&spec, &Environment::from_process())?;
    say("ready")?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (texts, vectors) = line.split_once(' ').context("TEXTS VECTORS expected")?;
        let texts: Vec<String> = serde_json::from_slice(&std::fs::read(texts)?)?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let found = embedder.embed(TextRole::Passage, &texts, &|_| {})?;
        say("done")?;
        if vectors != "-" {
            let rows: Vec<&[f32]> = found.data.chunks_exact(found.dim).collect();
            std::fs::write(vectors, serde_json::to_vec(&rows)?)?;
            say("written")?;
        }
    }
    Ok(())
}

fn say(word: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{word}")?;
    out.flush()
}
