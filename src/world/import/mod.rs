//! Importers convert public data sets in their authors' layout, and users' own tables, to passages and tasks or to
//! triplets and pairs of texts. An importer must not guess labels: whatever cannot be read is counted and reported.

use std::path::Path;

use crate::output::{Manifest, Output};

pub mod condaqa;
pub mod csv;
pub mod cuad;
pub mod paws;
mod sheet;
pub mod tatqa;

/// The file that lists what an import wrote to a folder.
pub const MANIFEST: &str = "import.manifest.json";

/// Writes the files of an import together with their [`MANIFEST`].
fn write_listed<B: AsRef<[u8]>>(
    output: &Output,
    dir: &Path,
    files: &[(&str, B)],
) -> anyhow::Result<()> {
    let manifest = Manifest::plain(files)?;
    output.write_listed(dir, files, (MANIFEST, &manifest)).map(drop)
}
