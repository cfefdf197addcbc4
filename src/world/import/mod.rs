//! Importers convert public data sets in their authors' layout, and users' own tables, to passages and tasks or to
//! triplets and pairs of texts. An importer must not guess labels: whatever cannot be read is counted and reported.

use std::path::Path;

use crate::output::{OutputManifest, OutputWriter};

pub mod condaqa;
pub mod csv;
pub mod cuad;
pub mod paws;
mod report_csv;
pub mod tatqa;

/// The file that lists what an import wrote to a folder.
pub const MANIFEST: &str = "import.manifest.json";

/// Writes the files of an import together with their [`MANIFEST`].
fn write_with_manifest<B: AsRef<[u8]>>(
    output: &OutputWriter,
    dir: &Path,
    files: &[(&str, B)],
) -> anyhow::Result<()> {
    let manifest = OutputManifest::bytes(files)?;
    output.write_listed(dir, files, (MANIFEST, &manifest)).map(drop)
}
