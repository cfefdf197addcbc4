//! Why nothing was written, as a message.

use std::path::{Path, PathBuf};

/// As many files as a message names.
const NAMED: usize = 8;

/// Why nothing was written, before anything was.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

/// What keeps a file from being replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The command reads it: not even `--force` replaces it.
    Input,
    /// Nor this.
    Folder,
    /// Nor what would be written through a link, which may lead anywhere.
    Linked,
    /// A link, or something else that is no plain file.
    NoFile,
    /// Its user has taken the right to write away.
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

    /// A path that stands for no place to write to, or for the place of something else.
    pub fn misnamed(why: impl Into<String>) -> Refused {
        Refused(why.into())
    }
}
