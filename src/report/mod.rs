//! Reports: one [`Record`](crate::run::Record) to files and to the terminal.
//!
//! Nothing here computes a statistic. Files are written whole or not at all.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

pub mod csv;
pub mod manifest;
pub mod terminal;

/// Writes all of `files` (name, content) into `dir`: every one to a temporary name first, and only
/// when all are on disk are they renamed, so that an interrupted run leaves the last one's files.
pub fn write_all(dir: &Path, files: &[(&str, Vec<u8>)]) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let mut ready = Vec::new();
    for (name, content) in files {
        let mut file = tempfile::NamedTempFile::new_in(dir)
            .with_context(|| format!("cannot write into {}", dir.display()))?;
        file.write_all(content)
            .and_then(|()| file.as_file().sync_all())
            .with_context(|| format!("cannot write {}", dir.join(name).display()))?;
        ready.push((file, dir.join(name)));
    }
    for (file, path) in ready {
        // A temporary file is private to its owner; a report is for everybody who may read the folder.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        }
        file.persist(&path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
