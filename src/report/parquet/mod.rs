//! Converts the CSV files to Parquet: the same rows and columns, with types, and no value that the CSV lacks. The
//! writer is only in builds with the feature `parquet`.

use anyhow::{Context, ensure};

#[cfg(feature = "parquet")]
mod write;

/// The Parquet version of each CSV file among `files`, with its name; other files are passed over.
///
/// # Errors
/// A build without the feature, or a cell that does not parse as its column's type.
pub fn files(files: &[(&str, Vec<u8>)]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let csvs = files.iter().filter_map(|(name, bytes)| Some((name.strip_suffix(".csv")?, bytes)));
    csvs.map(|(stem, bytes)| {
        let table = table(bytes).with_context(|| format!("{stem}.parquet"))?;
        Ok((format!("{stem}.parquet"), table))
    })
    .collect()
}

/// Checks that this build can write Parquet; call it before a long run.
///
/// # Errors
/// A build without the feature; the message says how to build one with it.
pub fn ensure_supported() -> anyhow::Result<()> {
    let able = cfg!(feature = "parquet");
    ensure!(able, "this build cannot write Parquet; one that can is built with --features parquet");
    Ok(())
}

#[cfg(not(feature = "parquet"))]
fn table(_: &[u8]) -> anyhow::Result<Vec<u8>> {
    ensure_supported().map(|()| Vec::new())
}

#[cfg(feature = "parquet")]
use write::table;
