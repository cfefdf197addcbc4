//! Why nothing was written, as a message.

use std::path::{Path, PathBuf};

/// As many files as a message names.
const NAMED: usize = 8;

/// Files that are in the way; nothing was written.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.message())]
pub struct Refused {
    /// The file or folder that was to be written.
    at: PathBuf,
    files: Vec<(PathBuf, Obstacle)>,
}

/// What keeps a file from being replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The command reads it: not even `--force` replaces it.
    Input,
    /// Nor this.
    Folder,
    /// A link, or something else that is no plain file.
    NoFile,
    /// A manifest lists it with another checksum.
    Changed,
    Unknown,
}

impl Obstacle {
    pub fn yields_to_force(self) -> bool {
        !matches!(self, Obstacle::Input | Obstacle::Folder)
    }

    fn describe(self) -> &'static str {
        match self {
            Obstacle::Input => "is read by this command",
            Obstacle::Folder => "is a folder",
            Obstacle::NoFile => "is a link or a special file",
            Obstacle::Changed => "was changed after knockon wrote it",
            Obstacle::Unknown => "is there already, and not known as written by knockon",
        }
    }
}

impl Refused {
    pub(super) fn new(at: &Path, files: Vec<(PathBuf, Obstacle)>) -> Refused {
        Refused { at: at.to_owned(), files }
    }

    fn message(&self) -> String {
        let shown = self.files.iter().take(NAMED);
        let mut parts: Vec<String> = shown
            .map(|(path, obstacle)| format!("{} {}", path.display(), obstacle.describe()))
            .collect();
        if self.files.len() > NAMED {
            parts.push(format!("and {} more", self.files.len() - NAMED));
        }
        let place =
            if self.files.iter().any(|(path, _)| *path == self.at) { "file" } else { "folder" };
        let forced = self.files.iter().all(|(_, obstacle)| obstacle.yields_to_force());
        let or_force = if forced { ", or give --force to replace it" } else { "" };
        format!("{}. Nothing was written; name another {place}{or_force}", parts.join("; "))
    }
}
