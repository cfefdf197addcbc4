//! Writing the output files of a command: the rules on what may be overwritten, the same for all commands.
//!
//! Invariant: a file that the command reads is never replaced, and any other existing file only if it is recognised
//! as ours or with `--force`.
//!
//! 1. A file that the command reads is never replaced and never removed.
//! 2. An existing file is replaced only if it is as knockon left it: if it holds the very bytes that would be written,
//!    if the manifest beside it lists it with its checksum ([`OutputManifest`]), if it is a manifest that holds its own
//!    ([`own_checksum`]), or if it begins with a mark that only our files have ([`OwnershipProof::Marked`]).
//! 3. `--force` replaces other files too.
//! 4. No folder is ever removed, and files only if an earlier manifest lists them and they are unchanged since.
//! 5. Nothing is written through a link within the folder that the user names, since a link may lead anywhere.
//! 6. `-` and `/dev/stdout` are stdout, whatever it was redirected to; pipes and devices are written to, not replaced.
//!
//! A refusal comes before the work if the names are known by then ([`OutputWriter::check_file`], [`OutputWriter::check_folder`]).
//! The rules are checked again when the files are written, since files may change during a long run.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, ensure};

use crate::atomic_file;

mod destination;
mod manifest;
mod own_checksum;
mod refusal;

use destination::FileIdentity;
pub use destination::{OutputDestination, is_same_destination};
pub use manifest::{OUTPUTS, OutputManifest};
pub use own_checksum::with_own_checksum;
use refusal::WriteObstacle;
pub use refusal::WriteRefused;

/// The number of bytes at the beginning of a file in which its mark is searched.
const MARK_SEARCH_BYTES: u64 = 512;

/// The inputs of a command, and whether it may replace unknown files.
#[derive(Clone, Debug)]
pub struct OutputWriter {
    inputs: Vec<FileIdentity>,
    force: bool,
    print: fn(&[u8]) -> io::Result<()>,
}

impl Default for OutputWriter {
    fn default() -> OutputWriter {
        let print = |bytes: &[u8]| io::stdout().write_all(bytes);
        OutputWriter { inputs: Vec::new(), force: false, print }
    }
}

/// A file to be written.
struct OutputCandidate<'a> {
    path: PathBuf,
    /// The part of the path that the user did not choose.
    name: &'a str,
    proof: OwnershipProof<'a>,
    /// `None` if they are not known yet.
    bytes: Option<&'a [u8]>,
}

/// How an existing file is recognised as ours, apart from already holding the bytes to be written.
#[derive(Clone, Copy, Debug)]
pub enum OwnershipProof<'a> {
    /// Never: any program could have written it.
    Never,
    /// Decided only when the bytes to be written are known: for commands whose work takes seconds.
    SameBytes,
    /// By this text near its beginning, which files of other programs do not contain.
    Marked(&'static str),
    /// By the checksum in a manifest, under this name.
    Listed(&'a OutputManifest, &'a str),
}

impl OutputWriter {
    /// `force`: whether files that are not recognised as ours are replaced.
    pub fn new(force: bool) -> OutputWriter {
        OutputWriter { force, ..OutputWriter::default() }
    }

    /// Sets how bytes are written to stdout.
    pub fn with_stdout(self, print: fn(&[u8]) -> io::Result<()>) -> OutputWriter {
        OutputWriter { print, ..self }
    }

    /// Adds files that the command reads: they are never replaced and never removed.
    pub fn with_inputs<P: AsRef<Path>>(
        mut self,
        inputs: impl IntoIterator<Item = P>,
    ) -> OutputWriter {
        for path in inputs {
            atomic_file::protect_input(path.as_ref());
            self.inputs.extend(FileIdentity::of(path.as_ref()));
        }
        self
    }

    /// Checks, before the work, that `path` could be written.
    ///
    /// # Errors
    /// [`WriteRefused`], or a folder that cannot be written into.
    pub fn check_file(&self, path: &Path, known: OwnershipProof) -> anyhow::Result<()> {
        if self.writes_file(path)? {
            self.check_allowed(
                path,
                [OutputCandidate { path: path.to_owned(), name: "", proof: known, bytes: None }],
            )?;
            atomic_file::check_writable(atomic_file::parent_folder(path))?;
        }
        Ok(())
    }

    /// Whether a file is written at `path`; false for an existing stream.
    fn writes_file(&self, path: &Path) -> Result<bool, WriteRefused> {
        if path.as_os_str().is_empty() {
            return Err(WriteRefused::invalid_path(
                "the name of the file to write is empty; `-` stands for stdout",
            ));
        }
        if !OutputDestination::of(path).is_file() {
            let stream = if path.as_os_str() == "-" { Path::new("/dev/stdout") } else { path };
            return match self.is_input(stream) {
                true => Err(WriteRefused::new(path, &[(path.to_owned(), WriteObstacle::Input)])),
                false => Ok(false),
            };
        }
        if ends_as_folder(path) {
            let why = format!("{} names a folder; name the file to write", path.display());
            return Err(WriteRefused::invalid_path(why));
        }
        match path.file_name() {
            Some(_) => Ok(true),
            None => {
                Err(WriteRefused::invalid_path(format!("{} does not name a file", path.display())))
            }
        }
    }

    /// Checks, before the work, that files of these names could be written into `dir`. `names`: those that are
    /// certain by then; `manifest`: the name of the manifest that lists them, if there is one.
    ///
    /// # Errors
    /// [`WriteRefused`], or a folder that cannot be written into.
    pub fn check_folder(
        &self,
        dir: &Path,
        names: &[&str],
        manifest: Option<&str>,
    ) -> anyhow::Result<()> {
        check_folder_name(dir)?;
        let before = manifest.map(|name| OutputManifest::read(dir, name)).unwrap_or_default();
        let pending = manifest.map(manifest::pending_name);
        let names = names.iter().copied().chain(manifest).chain(pending.as_deref());
        self.check_allowed(
            dir,
            names.map(|name| OutputCandidate {
                path: dir.join(name),
                name,
                proof: OwnershipProof::Listed(&before, name),
                bytes: None,
            }),
        )?;
        atomic_file::check_writable(dir)
    }

    /// Writes one file. An existing pipe or device is written to, not replaced.
    ///
    /// # Errors
    /// [`WriteRefused`], or a file that cannot be written.
    pub fn write_file(
        &self,
        path: &Path,
        bytes: &[u8],
        known: OwnershipProof,
    ) -> anyhow::Result<()> {
        if self.writes_file(path)? {
            let name = "";
            self.check_allowed(
                path,
                [OutputCandidate { path: path.to_owned(), name, proof: known, bytes: Some(bytes) }],
            )?;
            return atomic_file::write(path, bytes);
        }
        let written = match OutputDestination::of(path) {
            OutputDestination::Stdout => (self.print)(bytes),
            OutputDestination::Stderr => io::stderr().write_all(bytes),
            _ => File::options().write(true).open(path).and_then(|mut f| f.write_all(bytes)),
        };
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Writes files (name, content) into `dir`, all or none. A name may contain folders.
    ///
    /// # Errors
    /// [`WriteRefused`], a name that leads out of `dir`, or a file that cannot be written.
    pub fn write_folder<B: AsRef<[u8]>>(
        &self,
        dir: &Path,
        files: &[(&str, B)],
    ) -> anyhow::Result<()> {
        check_folder_name(dir)?;
        for (name, _) in files {
            ensure!(is_inside(name), "{name} is outside the folder {}", dir.display());
        }
        // Held until the end, so that processes that write the same folder do not interleave.
        let _turn = atomic_file::lock_folder(dir)?;
        let named = files.iter().map(|(name, bytes)| OutputCandidate {
            path: dir.join(name),
            name,
            proof: OwnershipProof::Never,
            bytes: Some(bytes.as_ref()),
        });
        self.check_allowed(dir, named)?;
        atomic_file::write_all(dir, files)
    }

    /// As [`Output::write_folder`], with one more file: the manifest (name, content) that lists the others, see
    /// [`OutputManifest::new`]. Files that the previous manifest lists and that are not written now are removed if
    /// unchanged. Returns the names of those that were changed and are therefore left in place.
    ///
    /// # Errors
    /// As [`Output::write_folder`].
    pub fn write_listed<B: AsRef<[u8]>>(
        &self,
        dir: &Path,
        files: &[(&str, B)],
        manifest: (&str, &[u8]),
    ) -> anyhow::Result<Vec<String>> {
        check_folder_name(dir)?;
        for (name, _) in files {
            ensure!(is_inside(name), "{name} is outside the folder {}", dir.display());
        }
        let _turn = atomic_file::lock_folder(dir)?;
        let before = OutputManifest::read(dir, manifest.0);
        let all = files.iter().map(|(name, bytes)| (*name, Some(bytes.as_ref())));
        let pending = manifest::pending_name(manifest.0);
        let lists = [(manifest.0, Some(manifest.1)), (pending.as_str(), None)];
        self.check_allowed(
            dir,
            all.chain(lists).map(|(name, bytes)| OutputCandidate {
                path: dir.join(name),
                name,
                proof: OwnershipProof::Listed(&before, name),
                bytes,
            }),
        )?;
        let staged = atomic_file::stage(dir, files)?;
        // If the process is killed between the renames, files of the previous run and of this one remain: both are
        // recognised.
        let announced = before.announce(dir, files)?;
        staged.commit()?;
        let mut changed = Vec::new();
        for name in before.names().filter(|name| files.iter().all(|(written, _)| written != name)) {
            let path = dir.join(name);
            match path.symlink_metadata() {
                Err(_) => {}
                Ok(_) if self.is_input(&path) => {}
                Ok(_) if before.is_as_listed(name, &path) => std::fs::remove_file(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?,
                Ok(_) => changed.push(name.to_owned()),
            }
        }
        atomic_file::write(&dir.join(manifest.0), manifest.1)?;
        std::fs::remove_file(&announced)
            .with_context(|| format!("cannot remove {}", announced.display()))?;
        Ok(changed)
    }

    /// Fails if any of these files must not be written.
    fn check_allowed<'a>(
        &self,
        at: &Path,
        files: impl IntoIterator<Item = OutputCandidate<'a>>,
    ) -> Result<(), WriteRefused> {
        let mut found = Vec::new();
        for file in files {
            if let Some(obstacle) = self.obstacle(&file)
                && !(self.force && obstacle.yields_to_force())
            {
                found.push((file.path, obstacle));
            }
        }
        if found.is_empty() { Ok(()) } else { Err(WriteRefused::new(at, &found)) }
    }

    /// Whether the command reads this file, under this name or another.
    fn is_input(&self, path: &Path) -> bool {
        FileIdentity::of(path)
            .is_some_and(|file| self.inputs.iter().any(|input| input.is_same(&file)))
    }

    fn obstacle(
        &self,
        OutputCandidate { path, name, proof: known, bytes }: &OutputCandidate,
    ) -> Option<WriteObstacle> {
        if manifest::passes_link(name, path) {
            return Some(WriteObstacle::Linked);
        }
        let there = path.symlink_metadata().ok()?;
        if self.is_input(path) {
            return Some(WriteObstacle::Input);
        }
        if path.is_dir() {
            return Some(WriteObstacle::Folder);
        }
        if !there.is_file() {
            return Some(WriteObstacle::NotRegularFile);
        }
        if bytes.is_some_and(|bytes| has_bytes(path, bytes)) {
            return None;
        }
        if there.permissions().readonly() {
            return Some(WriteObstacle::ReadOnly);
        }
        match known {
            OwnershipProof::SameBytes if bytes.is_none() => None,
            // CI systems create an empty file beforehand, for a summary to be written into.
            OwnershipProof::Marked(mark) if there.len() == 0 || is_marked(path, mark) => None,
            OwnershipProof::Listed(manifest, name) if manifest.is_as_listed(name, path) => None,
            OwnershipProof::Listed(manifest, name) if manifest.lists(name) => {
                Some(WriteObstacle::Changed)
            }
            _ => Some(WriteObstacle::Unknown),
        }
    }
}

/// The path of the file `name` within a cache folder; the name may contain folders.
///
/// # Errors
/// A link in place of the file or of one of the folders that the name adds: it may lead to a file of the user's. The
/// cache folder itself may be a link.
pub fn cache_file(cache: &Path, name: impl AsRef<Path>) -> anyhow::Result<PathBuf> {
    let path = cache.join(&name);
    let added = name.as_ref().components().count();
    for part in path.ancestors().take(added) {
        let is_link = part.symlink_metadata().is_ok_and(|there| there.is_symlink());
        ensure!(
            !is_link,
            "{} is a link, and nothing is written through links in the cache: remove it",
            part.display()
        );
    }
    Ok(path)
}

/// Whether a path is written as that of a folder: `a/` or `a/.`. [`Path::file_name`] ignores these endings.
fn ends_as_folder(path: &Path) -> bool {
    let written = path.as_os_str().to_string_lossy();
    let parts = written.strip_suffix('.').unwrap_or(&written);
    parts.ends_with(std::path::is_separator)
}

/// Rejects names that do not name a folder. An empty name, as from an unset variable, would otherwise mean the
/// current folder.
fn check_folder_name(dir: &Path) -> Result<(), WriteRefused> {
    if dir.as_os_str().is_empty() {
        return Err(WriteRefused::invalid_path(
            "the name of the folder to write into is empty; `.` is the one that you are in",
        ));
    }
    if dir.as_os_str() == "-" {
        return Err(WriteRefused::invalid_path(
            "`-` stands for stdout, and several files are written: name a folder, or write ./- for one of that name",
        ));
    }
    Ok(())
}

/// Whether `name` stays within the folder that it is joined to.
fn is_inside(name: &str) -> bool {
    let mut parts = Path::new(name).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

fn has_bytes(path: &Path, bytes: &[u8]) -> bool {
    path.metadata().is_ok_and(|there| there.is_file() && there.len() == bytes.len() as u64)
        && std::fs::read(path).is_ok_and(|found| found == bytes)
}

fn is_marked(path: &Path, mark: &str) -> bool {
    let mut start = Vec::new();
    // Opening a pipe would block until a process writes to it.
    let plain = path.metadata().is_ok_and(|there| there.is_file());
    let mut read = || File::open(path)?.take(MARK_SEARCH_BYTES).read_to_end(&mut start);
    plain && read().is_ok() && start.windows(mark.len()).any(|window| window == mark.as_bytes())
}

#[cfg(test)]
mod tests;
