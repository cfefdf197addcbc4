//! Atomic file writes: a file is written completely or not at all.
//!
//! A file is written under a temporary name in the target folder and renamed. The temporary file is locked while its
//! process lives, which distinguishes a file that a killed process left from one that another process is writing. The
//! next process that writes into the folder removes abandoned files, but none that the command reads.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use anyhow::Context;
use tempfile::NamedTempFile;

use crate::wrong_use::WrongUse;

/// Prefix and suffix of the names of our temporary files; random letters are between them.
const PREFIX: &str = ".knockon-";
const SUFFIX: &str = ".tmp";
/// The number of random letters that `tempfile` puts between them.
const RANDOM_LETTERS: usize = 6;

/// See [`protect_input`].
static PROTECTED_INPUTS: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// Declares a file or folder as one that the command reads: nothing of it is taken for an abandoned temporary file,
/// whatever it is called.
pub fn protect_input(path: &Path) {
    if let (Ok(path), Ok(mut inputs)) = (path.canonicalize(), PROTECTED_INPUTS.lock()) {
        inputs.insert(path);
    }
}

/// Writes `bytes` to `path`; see [`write_all`].
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let dir = parent_folder(path);
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("{} names no file", path.display()))?;
    write_all(dir, &[(name, bytes)])
}

/// Writes all of `files` (name, content) into `dir`, which is created if needed. Each is first written under a
/// temporary name; only when all are on disk are they renamed. If interrupted before that, the existing files are
/// unchanged.
pub fn write_all<B: AsRef<[u8]>>(dir: &Path, files: &[(&str, B)]) -> anyhow::Result<()> {
    stage(dir, files)?.commit()
}

/// Files that are on disk under temporary names, ready to be renamed.
pub struct StagedFiles(Vec<(NamedTempFile, PathBuf)>);

/// The first half of [`write_all`]. A name may contain folders, which are created if needed.
pub fn stage<B: AsRef<[u8]>>(dir: &Path, files: &[(&str, B)]) -> anyhow::Result<StagedFiles> {
    let mut staged = Vec::new();
    for (name, content) in files {
        let path = dir.join(name);
        let folder = parent_folder(&path);
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        remove_abandoned(folder);
        let write = || -> anyhow::Result<_> {
            let mut file = locked_temporary(folder)?;
            file.write_all(content.as_ref())?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        let file = write().with_context(|| format!("cannot write {}", path.display()))?;
        staged.push((file, path));
    }
    Ok(StagedFiles(staged))
}

impl StagedFiles {
    /// Renames the files to their final names, in order.
    pub fn commit(self) -> anyhow::Result<()> {
        for (file, path) in self.0 {
            rename(file, &path)?;
        }
        Ok(())
    }
}

/// Writes a file that is too large for memory: `fill` writes everything after the first `header` bytes and returns
/// the header, which may depend on the rest.
pub fn write_with_header<H: AsRef<[u8]>>(
    path: &Path,
    header: usize,
    fill: impl FnOnce(&mut File) -> anyhow::Result<H>,
) -> anyhow::Result<()> {
    let dir = parent_folder(path);
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let cannot = || format!("cannot write {}", path.display());
    remove_abandoned(dir);
    let mut temporary = locked_temporary(dir).with_context(cannot)?;
    let file = temporary.as_file_mut();
    file.seek(SeekFrom::Start(header as u64)).with_context(cannot)?;
    let start = fill(file)?;
    let mut finish = || {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(start.as_ref())?;
        file.sync_all()
    };
    finish().with_context(cannot)?;
    rename(temporary, path)
}

/// Gives a temporary file its final name.
fn rename(file: NamedTempFile, path: &Path) -> anyhow::Result<()> {
    // The error of `persist` repeats its cause.
    let renamed = file.persist(path).map_err(|failed| failed.error);
    renamed.with_context(|| format!("cannot write {}", path.display())).map(drop)
}

/// Fails if writing a file into `dir` would fail, and leaves nothing there. `dir` itself need not exist yet; a file in
/// its place is [`WrongUse`].
pub fn check_writable(dir: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot write into {}", dir.display());
    let existing = dir.ancestors().map(or_current).find(|dir| dir.symlink_metadata().is_ok());
    let existing = existing.unwrap_or(Path::new("."));
    if existing.metadata().is_ok_and(|metadata| !metadata.is_dir()) {
        let why = format!("{}: {} is a file", cannot(), existing.display());
        return Err(WrongUse::new(why).into());
    }
    locked_temporary(existing).with_context(cannot).map(drop)
}

/// Waits until no other knockon process writes into `dir`, and blocks others until the returned handle is dropped.
/// The folder is created if needed; on file systems where folders cannot be locked there is no waiting.
pub fn lock_folder(dir: &Path) -> anyhow::Result<Option<File>> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(File::open(dir).ok().filter(|dir| dir.lock().is_ok()))
}

/// The folder that contains a file.
pub fn parent_folder(path: &Path) -> &Path {
    path.parent().map_or(Path::new("."), or_current)
}

fn or_current(dir: &Path) -> &Path {
    if dir.as_os_str().is_empty() { Path::new(".") } else { dir }
}

/// A new locked temporary file in `dir`.
fn locked_temporary(dir: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    {
        // Temporary files are private by default, but these become ordinary outputs, whose permissions the umask
        // restricts.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    loop {
        let file = builder.tempfile_in(dir)?;
        // Without locks, `remove_abandoned` removes nothing either.
        let locked = file.as_file().lock().is_ok();
        // Another process may have removed it as abandoned before it was locked.
        if !locked || file.path().exists() {
            return Ok(file);
        }
    }
}

/// Removes our temporary files whose process has ended from a folder that is written into, once per folder and process.
fn remove_abandoned(dir: &Path) {
    static CLEANED_FOLDERS: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);
    if !CLEANED_FOLDERS.lock().is_ok_and(|mut seen| seen.insert(dir.to_owned())) {
        return;
    }
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(is_temporary_name)
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && !is_protected_input(&entry.path())
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // Removed while locked: a process that is just creating it notices that it is gone and retries.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether the name is exactly of the form that [`locked_temporary`] gives.
fn is_temporary_name(name: &str) -> bool {
    let random = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
    random.is_some_and(|random| {
        random.len() == RANDOM_LETTERS && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Whether the command reads this file. One that cannot be resolved counts as read, so that it stays.
fn is_protected_input(path: &Path) -> bool {
    let (Ok(path), Ok(inputs)) = (path.canonicalize(), PROTECTED_INPUTS.lock()) else {
        return true;
    };
    path.ancestors().any(|path| inputs.contains(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn only_files_of_killed_processes_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let mine = [
            ".knockon-.tmp",
            ".knockon-Ab-2xY.tmp",
            ".knockon-Ab12x.tmp",
            ".knockon-Ab12xY.tmp.bak",
            ".knockon-Ab12xYz.tmp",
            ".knockon-input1.tmp",
            ".knockon-my notes.tmp",
            ".knockon-notes",
            ".knockon-\u{e4}12xY.tmp",
            ".tmpQ7dE2s",
            "knockon.tmp",
        ];
        for name in mine.iter().chain(&[".knockon-Ab12xY.tmp", ".knockon-000000.tmp"]) {
            std::fs::write(at(name), "half").unwrap();
        }
        protect_input(&at("./.knockon-input1.tmp"));
        std::fs::create_dir(at(".knockon-folder.tmp")).unwrap();
        // Belongs to a living process.
        let mut builder = tempfile::Builder::new();
        let living = builder.prefix(PREFIX).suffix(SUFFIX).tempfile_in(dir.path()).unwrap();
        living.as_file().lock().unwrap();
        write(&at("out.csv"), b"whole").unwrap();
        let mut left: Vec<String> = mine.map(str::to_owned).to_vec();
        left.extend([
            ".knockon-folder.tmp".to_owned(),
            "out.csv".to_owned(),
            living.path().file_name().unwrap().to_str().unwrap().to_owned(),
        ]);
        left.sort();
        assert_eq!(names(dir.path()), left);
    }

    /// A check looks at a folder above the one that will be written into, and leaves everything there.
    #[test]
    fn nothing_is_removed_where_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".knockon-Ab12xY.tmp"), "mine").unwrap();
        check_writable(dir.path()).unwrap();
        check_writable(&dir.path().join("new/deep")).unwrap();
        write(&dir.path().join("new/deep/out.csv"), b"whole").unwrap();
        assert_eq!(names(dir.path()), [".knockon-Ab12xY.tmp", "new"]);
        assert_eq!(names(&dir.path().join("new/deep")), ["out.csv"]);
    }

    #[test]
    fn checking_a_folder_leaves_no_files() {
        let dir = tempfile::tempdir().unwrap();
        check_writable(&dir.path().join("a/b/c")).unwrap();
        assert_eq!(names(dir.path()), Vec::<String>::new());
        std::fs::write(dir.path().join("file"), "").unwrap();
        let error = check_writable(&dir.path().join("file/b")).unwrap_err().to_string();
        assert!(error.contains("file is a file"), "{error}");
    }
}
