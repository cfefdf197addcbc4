//! The error that explains why nothing was written.

use std::path::{Path, PathBuf};

/// Number of files that a message names.
const NAMED: usize = 8;

/// A refusal before anything was written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

/// Why a file must not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The command reads it: not even `--force` replaces it.
    Input,
    /// A folder: not even `--force` replaces it.
    Folder,
    /// It would be written through a link, which may lead anywhere: not even with `--force`.
    Linked,
    /// A link, or anything else that is not a regular file.
    NoFile,
    /// The file is read-only.
    Protected,
    /// A manifest lists it with another checksum.
    Changed,
    Unknown,
}

impl Obstacle {
    pub fn yields_to_force(self) -> bool {
        !matches!(self, Obstacle::Input | Obstacle::Folder | Obstacle::Linked)
    }

    fn describe(self) -> &'static str {
        match self {
            Obstacle::Input => "is read by this command",
            Obstacle::Folder => "is a folder",
            Obstacle::Linked => "would be written through a link, or over a file in its way",
            Obstacle::NoFile => "is a link or a special file",
            Obstacle::Protected => "is write-protected",
            Obstacle::Changed => "was changed after knockon wrote it",
            Obstacle::Unknown => "is there already, and not known as written by knockon",
        }
    }
}

impl Refused {
    /// `at`: the file or folder that was to be written.
    pub(super) fn new(at: &Path, files: &[(PathBuf, Obstacle)]) -> Refused {
        let shown = files.iter().take(NAMED);
        let mut parts: Vec<String> = shown
            .map(|(path, obstacle)| format!("{} {}", path.display(), obstacle.describe()))
            .collect();
        if files.len() > NAMED {
            parts.push(format!("and {} more", files.len() - NAMED));
        }
        let place = if files.iter().any(|(path, _)| path == at) { "file" } else { "folder" };
        let forced = files.iter().all(|(_, obstacle)| obstacle.yields_to_force());
        let or_force = if forced { ", or give --force to replace it" } else { "" };
        Refused(format!(
            "{}. Nothing was written; name another {place}{or_force}",
            parts.join("; ")
        ))
    }

    /// For a path that does not name a valid destination, or names the same one as another.
    pub fn misnamed(why: impl Into<String>) -> Refused {
        Refused(why.into())
    }
}
