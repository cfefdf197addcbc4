//! The CSV files once more as Parquet: the same rows and columns, with types. Only builds with the feature `parquet` have
//! the writer.

use anyhow::{Context, ensure};

#[cfg(feature = "parquet")]
mod write;

/// Of each CSV among `files`, the same as Parquet, with its name.
///
/// # Errors
/// A build without the feature, and a cell that is not of its column's type.
pub fn files(files: &[(&str, Vec<u8>)]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let csvs = files.iter().filter_map(|(name, bytes)| Some((name.strip_suffix(".csv")?, bytes)));
    csvs.map(|(stem, bytes)| {
        let table = table(bytes).with_context(|| format!("{stem}.parquet"))?;
        Ok((format!("{stem}.parquet"), table))
    })
    .collect()
}

/// Whether this build can; asked before a long run, not after it.
///
/// # Errors
/// It cannot; with what would help.
pub fn supported() -> anyhow::Result<()> {
    let able = cfg!(feature = "parquet");
    ensure!(able, "this build cannot write Parquet; one that can is built with --features parquet");
    Ok(())
}

#[cfg(not(feature = "parquet"))]
fn table(_: &[u8]) -> anyhow::Result<Vec<u8>> {
    supported().map(|()| Vec::new())
}

#[cfg(feature = "parquet")]
use write::table;
