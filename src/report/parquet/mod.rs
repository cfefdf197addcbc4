//! Writes the tables of a run as Parquet: the same rows and columns as the CSV files, from the typed cells and not from
//! their text. The writer is only in builds with the feature `parquet`.

use anyhow::{Context, ensure};

use crate::report::table::TypedTable;

#[cfg(feature = "parquet")]
mod write;

/// The Parquet file of each table, with its name.
///
/// # Errors
/// A build without the feature, and whatever the Parquet writer reports.
pub fn files(tables: &[TypedTable]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    tables
        .iter()
        .map(|table| {
            let name = format!("{}.parquet", table.file.trim_end_matches(".csv"));
            let bytes = parquet_bytes(table).with_context(|| name.clone())?;
            Ok((name, bytes))
        })
        .collect()
}

/// Checks that this build can write Parquet; call it before a long run.
///
/// # Errors
/// A build without the feature; the message says how to build one with it.
pub fn ensure_supported() -> anyhow::Result<()> {
    let able = cfg!(feature = "parquet");
    ensure!(able, "this build cannot write Parquet; build knockon with --features parquet");
    Ok(())
}

#[cfg(not(feature = "parquet"))]
fn parquet_bytes(_: &TypedTable) -> anyhow::Result<Vec<u8>> {
    ensure_supported().map(|()| Vec::new())
}

#[cfg(feature = "parquet")]
use write::parquet_bytes;
