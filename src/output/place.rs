//! What a path stands for as a place to write to, and whether two paths are one file.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use crate::atomic_file;

/// Links that are followed, as by Linux.
const MOST_LINKS: usize = 40;

/// Where bytes for a path go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `-`, or a name of what stdout is connected to, such as `/dev/stdout`: a file it was redirected to is still stdout.
    Stdout,
    Stderr,
    /// A pipe, a device: something to write to, not to replace.
    Stream,
    /// A file, there or not, or a folder.
    File,
}

impl Place {
    pub fn of(path: &Path) -> Place {
        if path.as_os_str() == "-" {
            return Place::Stdout;
        }
        match descriptor(path) {
            Some(1) => return Place::Stdout,
            Some(2) => return Place::Stderr,
            _ => {}
        }
        let streams = |there: Metadata| !there.is_file() && !there.is_dir();
        if path.metadata().is_ok_and(streams) { Place::Stream } else { Place::File }
    }

    pub fn is_file(self) -> bool {
        self == Place::File
    }
}

/// The file descriptor of this process that a path leads to. The last link is not followed: what a descriptor is connected
/// to looks like a link to a file.
fn descriptor(path: &Path) -> Option<u32> {
    let folders = ["/dev/fd", "/proc/self/fd"].map(|folder| Path::new(folder).canonicalize().ok());
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let folder = atomic_file::folder(&path).canonicalize().ok()?;
        if folders.iter().flatten().any(|descriptors| *descriptors == folder) {
            return path.file_name()?.to_str()?.parse().ok();
        }
        path = folder.join(path.read_link().ok()?);
    }
    None
}

/// A file under whatever name: links lead to it, and hard links are it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    path: PathBuf,
    /// Device and number.
    node: Option<(u64, u64)>,
}

impl Identity {
    /// `None` where nothing is there.
    pub fn of(path: &Path) -> Option<Identity> {
        let node = node(&path.metadata().ok()?);
        Some(Identity { path: path.canonicalize().ok()?, node })
    }

    pub fn is(&self, other: &Identity) -> bool {
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

/// Whether what is written to the one path would replace, or be mixed with, what is written to the other.
pub fn are_one(a: &Path, b: &Path) -> bool {
    match (Place::of(a), Place::of(b)) {
        (Place::File, Place::File) => {
            let same = Identity::of(a).zip(Identity::of(b)).is_some_and(|(a, b)| a.is(&b));
            same || resolved(a) == resolved(b)
        }
        // Several devices of one name take what they are given: /dev/null.
        (Place::Stream, Place::Stream) => false,
        (a, b) => a == b,
    }
}

/// A path of which the end need not be there yet, without links and dots in what is there.
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
