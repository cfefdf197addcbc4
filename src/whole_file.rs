//! Files that are written whole or not at all.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::Context;

/// Writes `bytes` to `path`; see [`write_all`].
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let dir = folder(path);
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("{} names no file", path.display()))?;
    write_all(dir, &[(name, bytes)])
}

/// Writes all of `files` (name, content) into `dir`, which is made where needed: every one under a
/// temporary name first, and only when all are on disk are they renamed. An interruption leaves what
/// was there before.
pub fn write_all<B: AsRef<[u8]>>(dir: &Path, files: &[(&str, B)]) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let mut ready = Vec::new();
    for (name, content) in files {
        let path = dir.join(name);
        let write = || -> anyhow::Result<_> {
            let mut file = temporary(dir)?;
            file.write_all(content.as_ref())?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        let file = write().with_context(|| format!("cannot write {}", path.display()))?;
        ready.push((file, path));
    }
    for (file, path) in ready {
        file.persist(&path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Writes a file that is too large for memory: `fill` writes what follows the first `header` bytes, and
/// returns these, which may depend on all of it.
pub fn fill<H: AsRef<[u8]>>(
    path: &Path,
    header: usize,
    fill: impl FnOnce(&mut File) -> anyhow::Result<H>,
) -> anyhow::Result<()> {
    let dir = folder(path);
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let cannot = || format!("cannot write {}", path.display());
    let mut temporary = temporary(dir).with_context(cannot)?;
    let file = temporary.as_file_mut();
    file.seek(SeekFrom::Start(header as u64)).with_context(cannot)?;
    let start = fill(file)?;
    let mut finish = || {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(start.as_ref())?;
        file.sync_all()
    };
    finish().with_context(cannot)?;
    temporary.persist(path).with_context(cannot)?;
    Ok(())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn temporary(dir: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // Temporary files are private by default; these are ordinary outputs, for the umask to cut.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(dir)
}
