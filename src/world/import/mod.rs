//! Importers: public data sets, in the layout of their authors, and users' own tables, to passages and
//! tasks, or to triplets and pairs of texts.
//!
//! An importer reads labels and never guesses them: what cannot be read is counted and named.

use std::path::Path;

use crate::output::{Manifest, Output};

pub mod condaqa;
pub mod csv;
pub mod cuad;
pub mod paws;
mod sheet;
pub mod tatqa;

/// The name of the file that lists what an import wrote into a folder.
pub const MANIFEST: &str = "import.manifest.json";

/// Writes the files of an import with their [`MANIFEST`].
fn write_listed<B: AsRef<[u8]>>(
    output: &Output,
    dir: &Path,
    files: &[(&str, B)],
) -> anyhow::Result<()> {
    let manifest = Manifest::plain(files)?;
    output.write_listed(dir, files, (MANIFEST, &manifest)).map(drop)
}
