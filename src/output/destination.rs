//! Output destinations: what kind of destination a path denotes, and whether two paths denote the same file.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use crate::atomic_file;

/// Number of links that are followed, as on Linux.
const MAX_LINKS: usize = 40;

/// The kind of destination of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputDestination {
    /// `-`, or a name of the descriptor of stdout, such as `/dev/stdout`, even if stdout was redirected to a file.
    Stdout,
    Stderr,
    /// A pipe or a device: written to, not replaced.
    Stream,
    /// A file, existing or not, or a folder.
    File,
}

impl OutputDestination {
    pub fn of(path: &Path) -> OutputDestination {
        if path.as_os_str() == "-" {
            return OutputDestination::Stdout;
        }
        match descriptor(path) {
            Some(1) => return OutputDestination::Stdout,
            Some(2) => return OutputDestination::Stderr,
            _ => {}
        }
        let streams = |there: Metadata| !there.is_file() && !there.is_dir();
        if path.metadata().is_ok_and(streams) {
            OutputDestination::Stream
        } else {
            OutputDestination::File
        }
    }

    pub fn is_file(self) -> bool {
        self == OutputDestination::File
    }
}

/// The file descriptor of this process that a path leads to. Links are followed one at a time, because resolving the
/// last one would give the file that the descriptor is connected to.
fn descriptor(path: &Path) -> Option<u32> {
    let folders = ["/dev/fd", "/proc/self/fd"].map(|folder| Path::new(folder).canonicalize().ok());
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let folder = atomic_file::parent_folder(&path).canonicalize().ok()?;
        if folders.iter().flatten().any(|descriptors| *descriptors == folder) {
            return path.file_name()?.to_str()?.parse().ok();
        }
        path = folder.join(path.read_link().ok()?);
    }
    None
}

/// The identity of a file, independent of its name: symbolic and hard links to it are the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    path: PathBuf,
    /// Device and inode number.
    node: Option<(u64, u64)>,
}

impl FileIdentity {
    /// `None` if the path does not exist.
    pub fn of(path: &Path) -> Option<FileIdentity> {
        let node = node(&path.metadata().ok()?);
        Some(FileIdentity { path: path.canonicalize().ok()?, node })
    }

    pub fn is_same(&self, other: &FileIdentity) -> bool {
        self.path == other.path || (self.node.is_some() && self.node == other.node)
    }
}

#[cfg(unix)]
fn node(there: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((there.dev(), there.ino()))
}

#[cfg(not(unix))]
fn node(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Whether writing to both paths would replace or mix their contents.
pub fn is_same_destination(a: &Path, b: &Path) -> bool {
    match (OutputDestination::of(a), OutputDestination::of(b)) {
        (OutputDestination::File, OutputDestination::File) => {
            let same =
                FileIdentity::of(a).zip(FileIdentity::of(b)).is_some_and(|(a, b)| a.is_same(&b));
            // Files that do not exist yet have no identity and are compared by path.
            same || resolved(a) == resolved(b)
        }
        // Devices may be given twice: /dev/null.
        (OutputDestination::Stream, OutputDestination::Stream) => false,
        (a, b) => a == b,
    }
}

/// The absolute path without links and dots; its last components need not exist yet.
fn resolved(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut there = path;
    loop {
        if let Ok(folder) =
            if there.as_os_str().is_empty() { Path::new(".") } else { there }.canonicalize()
        {
            return missing.into_iter().rev().fold(folder, |path, name| path.join(name));
        }
        let (Some(name), Some(folder)) = (there.file_name(), there.parent()) else {
            return path.to_owned();
        };
        missing.push(name.to_owned());
        there = folder;
    }
}
