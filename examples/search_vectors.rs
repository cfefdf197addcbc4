//! Searches for the nearest vectors on request: the counterpart of `benches/compare_search.py`.
//!
//! `search_vectors DIM PASSAGES QUERIES DEPTH` reads two files of little-endian f32, rows of DIM numbers, and prints
//! `ready`. For each line on stdin it searches for the best DEPTH passages of every query and prints `done`; if the
//! line names a file, it writes them there as JSON, a list of indices per query. `RAYON_NUM_THREADS` sets the threads.

use std::io::{BufRead, Write};

use anyhow::bail;
use knockon::embed::EmbeddingVectors;
use knockon::retrieve::DenseIndex;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dim, passages, queries, depth] = args.as_slice() else {
        bail!("usage: search_vectors DIM PASSAGES QUERIES DEPTH")
    };
    let (dim, depth) = (dim.parse()?, depth.parse()?);
    let index = DenseIndex::new(read(passages, dim)?)?;
    let queries = read(queries, dim)?;
    say("ready")?;
    for line in std::io::stdin().lock().lines() {
        let out = line?;
        let found = index.search(&queries, depth, &|_| {})?;
        say("done")?;
        if !out.is_empty() {
            let rows: Vec<Vec<u32>> = found
                .iter()
                .map(|ranking| ranking.iter().map(|hit| hit.passage).collect())
                .collect();
            std::fs::write(out, serde_json::to_vec(&rows)?)?;
            say("written")?;
        }
    }
    Ok(())
}

fn read(path: &str, dim: usize) -> anyhow::Result<EmbeddingVectors> {
    let bytes = std::fs::read(path)?;
    let (numbers, _) = bytes.as_chunks::<4>();
    Ok(EmbeddingVectors {
        dim,
        data: numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
    })
}

fn say(word: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{word}")?;
    out.flush()
}
