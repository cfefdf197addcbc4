//! Writing the output files of a command: the rules on what may be overwritten, the same for all commands.
//!
//! Invariant: a file that the command reads is never replaced, and any other existing file only if it is recognised
//! as ours or with `--force`.
//!
//! 1. A file that the command reads is never replaced and never removed.
//! 2. An existing file is replaced only if it is as knockon left it: if it holds the very bytes that would be written,
//!    if the manifest beside it lists it with its checksum ([`Manifest`]), or if it begins with a mark that only our
//!    files have ([`Known::Marked`]).
//! 3. `--force` replaces other files too.
//! 4. No folder is ever removed, and files only if an earlier manifest lists them and they are unchanged since.
//! 5. Nothing is written through a link within the folder that the user names, since a link may lead anywhere.
//! 6. `-` and `/dev/stdout` are stdout, whatever it was redirected to; pipes and devices are written to, not replaced.
//!
//! A refusal comes before the work if the names are known by then ([`Output::check_file`], [`Output::check_folder`]).
//! The rules are checked again when the files are written, since files may change during a long run.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, ensure};

use crate::atomic_file;

mod manifest;
mod place;
mod refused;

pub use manifest::{Manifest, OUTPUTS};
use place::Identity;
pub use place::{Place, are_one};
use refused::Obstacle;
pub use refused::Refused;

/// The number of bytes at the beginning of a file in which its mark is searched.
const MARK_WITHIN: u64 = 512;

/// The inputs of a command, and whether it may replace unknown files.
#[derive(Clone, Debug)]
pub struct Output {
    inputs: Vec<Identity>,
    force: bool,
    print: fn(&[u8]) -> io::Result<()>,
}

impl Default for Output {
    fn default() -> Output {
        let print = |bytes: &[u8]| io::stdout().write_all(bytes);
        Output { inputs: Vec::new(), force: false, print }
    }
}

/// A file to be written.
struct Candidate<'a> {
    path: PathBuf,
    /// The part of the path that the user did not choose.
    name: &'a str,
    known: Known<'a>,
    /// `None` if they are not known yet.
    bytes: Option<&'a [u8]>,
}

/// How an existing file is recognised as ours, apart from already holding the bytes to be written.
#[derive(Clone, Copy, Debug)]
pub enum Known<'a> {
    /// Never: any program could have written it.
    No,
    /// Decided only when the bytes to be written are known: for commands whose work takes seconds.
    BySameBytes,
    /// By this text near its beginning, which files of other programs do not contain.
    Marked(&'static str),
    /// By the checksum in a manifest, under this name.
    Listed(&'a Manifest, &'a str),
}

impl Output {
    /// `force`: whether files that are not recognised as ours are replaced.
    pub fn new(force: bool) -> Output {
        Output { force, ..Output::default() }
    }

    /// Sets how bytes are written to stdout.
    pub fn printing(self, print: fn(&[u8]) -> io::Result<()>) -> Output {
        Output { print, ..self }
    }

    /// Adds files that the command reads: they are never replaced.
    pub fn reading<P: AsRef<Path>>(mut self, inputs: impl IntoIterator<Item = P>) -> Output {
        self.inputs.extend(inputs.into_iter().filter_map(|path| Identity::of(path.as_ref())));
        self
    }

    /// Checks, before the work, that `path` could be written.
    ///
    /// # Errors
    /// [`Refused`], or a folder that cannot be written into.
    pub fn check_file(&self, path: &Path, known: Known) -> anyhow::Result<()> {
        if self.writes_file(path)? {
            self.allow(path, [Candidate { path: path.to_owned(), name: "", known, bytes: None }])?;
            atomic_file::try_folder(atomic_file::folder(path))?;
        }
        Ok(())
    }

    /// Whether a file is written at `path`; false for an existing stream.
    fn writes_file(&self, path: &Path) -> Result<bool, Refused> {
        if path.as_os_str().is_empty() {
            return Err(Refused::misnamed(
                "the name of the file to write is empty; `-` stands for stdout",
            ));
        }
        if !Place::of(path).is_file() {
            let stream = if path.as_os_str() == "-" { Path::new("/dev/stdout") } else { path };
            return match self.reads(stream) {
                true => Err(Refused::new(path, &[(path.to_owned(), Obstacle::Input)])),
                false => Ok(false),
            };
        }
        match path.file_name() {
            Some(_) => Ok(true),
            None => Err(Refused::misnamed(format!("{} names no file", path.display()))),
        }
    }

    /// Checks, before the work, that files of these names could be written into `dir`. `names`: those that are
    /// certain by then; `manifest`: the name of the manifest that lists them, if there is one.
    ///
    /// # Errors
    /// [`Refused`], or a folder that cannot be written into.
    pub fn check_folder(
        &self,
        dir: &Path,
        names: &[&str],
        manifest: Option<&str>,
    ) -> anyhow::Result<()> {
        names_folder(dir)?;
        let before = manifest.map(|name| Manifest::read(dir, name)).unwrap_or_default();
        let names = names.iter().copied().chain(manifest);
        self.allow(
            dir,
            names.map(|name| Candidate {
                path: dir.join(name),
                name,
                known: Known::Listed(&before, name),
                bytes: None,
            }),
        )?;
        atomic_file::try_folder(dir)
    }

    /// Writes one file. An existing pipe or device is written to, not replaced.
    ///
    /// # Errors
    /// [`Refused`], or a file that cannot be written.
    pub fn write_file(&self, path: &Path, bytes: &[u8], known: Known) -> anyhow::Result<()> {
        if self.writes_file(path)? {
            let name = "";
            self.allow(
                path,
                [Candidate { path: path.to_owned(), name, known, bytes: Some(bytes) }],
            )?;
            return atomic_file::write(path, bytes);
        }
        let written = match Place::of(path) {
            Place::Stdout => (self.print)(bytes),
            Place::Stderr => io::stderr().write_all(bytes),
            _ => File::options().write(true).open(path).and_then(|mut f| f.write_all(bytes)),
        };
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Writes files (name, content) into `dir`, all or none. A name may contain folders.
    ///
    /// # Errors
    /// [`Refused`], a name that leads out of `dir`, or a file that cannot be written.
    pub fn write_folder<B: AsRef<[u8]>>(
        &self,
        dir: &Path,
        files: &[(&str, B)],
    ) -> anyhow::Result<()> {
        names_folder(dir)?;
        for (name, _) in files {
            ensure!(is_inside(name), "{name} leads out of the folder {}", dir.display());
        }
        // Held until the end, so that processes that write the same folder do not interleave.
        let _turn = atomic_file::take_turn(dir)?;
        let named = files.iter().map(|(name, bytes)| Candidate {
            path: dir.join(name),
            name,
            known: Known::No,
            bytes: Some(bytes.as_ref()),
        });
        self.allow(dir, named)?;
        atomic_file::write_all(dir, files)
    }

    /// As [`Output::write_folder`], with one more file: the manifest (name, content) that lists the others, see
    /// [`Manifest::of`]. Files that the previous manifest lists and that are not written now are removed if
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
        names_folder(dir)?;
        for (name, _) in files {
            ensure!(is_inside(name), "{name} leads out of the folder {}", dir.display());
        }
        let _turn = atomic_file::take_turn(dir)?;
        let before = Manifest::read(dir, manifest.0);
        let all = files.iter().map(|(name, bytes)| (*name, bytes.as_ref())).chain([manifest]);
        self.allow(
            dir,
            all.map(|(name, bytes)| Candidate {
                path: dir.join(name),
                name,
                known: Known::Listed(&before, name),
                bytes: Some(bytes),
            }),
        )?;
        let staged = atomic_file::stage(dir, files)?;
        // If the process is killed between the renames, files of the previous run and of this one remain: both are
        // recognised.
        let announced = before.announce(dir, files)?;
        staged.publish()?;
        let mut changed = Vec::new();
        for name in before.names().filter(|name| files.iter().all(|(written, _)| written != name)) {
            let path = dir.join(name);
            match path.symlink_metadata() {
                Err(_) => {}
                Ok(_) if self.reads(&path) => {}
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
    fn allow<'a>(
        &self,
        at: &Path,
        files: impl IntoIterator<Item = Candidate<'a>>,
    ) -> Result<(), Refused> {
        let mut found = Vec::new();
        for file in files {
            if let Some(obstacle) = self.obstacle(&file)
                && !(self.force && obstacle.yields_to_force())
            {
                found.push((file.path, obstacle));
            }
        }
        if found.is_empty() { Ok(()) } else { Err(Refused::new(at, &found)) }
    }

    /// Whether the command reads this file, under this name or another.
    fn reads(&self, path: &Path) -> bool {
        Identity::of(path).is_some_and(|file| self.inputs.iter().any(|input| input.is(&file)))
    }

    fn obstacle(&self, Candidate { path, name, known, bytes }: &Candidate) -> Option<Obstacle> {
        if manifest::passes_a_link(name, path) {
            return Some(Obstacle::Linked);
        }
        let there = path.symlink_metadata().ok()?;
        if self.reads(path) {
            return Some(Obstacle::Input);
        }
        if path.is_dir() {
            return Some(Obstacle::Folder);
        }
        if !there.is_file() {
            return Some(Obstacle::NoFile);
        }
        if bytes.is_some_and(|bytes| holds(path, bytes)) {
            return None;
        }
        if there.permissions().readonly() {
            return Some(Obstacle::Protected);
        }
        match known {
            Known::BySameBytes if bytes.is_none() => None,
            // CI systems create an empty file beforehand, for a summary to be written into.
            Known::Marked(mark) if there.len() == 0 || is_marked(path, mark) => None,
            Known::Listed(manifest, name) if manifest.is_as_listed(name, path) => None,
            Known::Listed(manifest, name) if manifest.lists(name) => Some(Obstacle::Changed),
            _ => Some(Obstacle::Unknown),
        }
    }
}

/// Rejects names that do not name a folder. An empty name, as from an unset variable, would otherwise mean the
/// current folder.
fn names_folder(dir: &Path) -> Result<(), Refused> {
    if dir.as_os_str().is_empty() {
        return Err(Refused::misnamed(
            "the name of the folder to write into is empty; `.` is the one that you are in",
        ));
    }
    if dir.as_os_str() == "-" {
        return Err(Refused::misnamed(
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

fn holds(path: &Path, bytes: &[u8]) -> bool {
    path.metadata().is_ok_and(|there| there.is_file() && there.len() == bytes.len() as u64)
        && std::fs::read(path).is_ok_and(|found| found == bytes)
}

fn is_marked(path: &Path, mark: &str) -> bool {
    let mut start = Vec::new();
    // Opening a pipe would block until a process writes to it.
    let plain = path.metadata().is_ok_and(|there| there.is_file());
    let mut read = || File::open(path)?.take(MARK_WITHIN).read_to_end(&mut start);
    plain && read().is_ok() && start.windows(mark.len()).any(|window| window == mark.as_bytes())
}

#[cfg(test)]
mod tests;
