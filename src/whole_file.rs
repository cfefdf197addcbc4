//! Files that are written whole or not at all.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

/// Writes `bytes` to `path`; see [`write_all`].
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("{} names no file", path.display()))?;
    write_all(dir, &[(name, bytes)])
}

/// Writes all of `files` (name, content) into `dir`, which is made where needed: every one under a
/// temporary name first, and only when all are on disk are they renamed. An interruption leaves what
/// was there before.
pub fn write_all<B: AsRef<[u8]>>(dir: &Path, files: &[(&str, B)]) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // Temporary files are private by default; these are ordinary outputs, for the umask to cut.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut ready = Vec::new();
    for (name, content) in files {
        let path = dir.join(name);
        let write = || -> anyhow::Result<_> {
            let mut file = builder.tempfile_in(dir)?;
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
