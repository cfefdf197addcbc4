//! The error that explains why nothing was written.

use std::path::{Path, PathBuf};

/// Number of files that a message names.
const MAX_NAMED_FILES: usize = 8;

/// A refusal before anything was written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WriteRefused(String);

/// Why a file must not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteObstacle {
    /// The command reads it: not even `--force` replaces it.
    Input,
    /// A folder: not even `--force` replaces it.
    Folder,
    /// It would be written through a link, which may lead anywhere: not even with `--force`.
    Linked,
    /// A link, or anything else that is not a regular file.
    NotRegularFile,
    /// The file is read-only.
    ReadOnly,
    /// A manifest lists it with another checksum.
    Changed,
    Unknown,
}

impl WriteObstacle {
    pub fn yields_to_force(self) -> bool {
        !matches!(self, WriteObstacle::Input | WriteObstacle::Folder | WriteObstacle::Linked)
    }

    fn describe(self) -> &'static str {
        match self {
            WriteObstacle::Input => "is read by this command",
            WriteObstacle::Folder => "is a folder",
            WriteObstacle::Linked => "would be written through a link, or over a file in its way",
            WriteObstacle::NotRegularFile => "is a link or a special file",
            WriteObstacle::ReadOnly => "is write-protected",
            WriteObstacle::Changed => "was changed after knockon wrote it",
            WriteObstacle::Unknown => {
                "already exists, and its content is not known to be written by knockon"
            }
        }
    }
}

impl WriteRefused {
    /// `at`: the file or folder that was to be written.
    pub(super) fn new(at: &Path, files: &[(PathBuf, WriteObstacle)]) -> WriteRefused {
        let shown = files.iter().take(MAX_NAMED_FILES);
        let mut parts: Vec<String> = shown
            .map(|(path, obstacle)| format!("{} {}", path.display(), obstacle.describe()))
            .collect();
        if files.len() > MAX_NAMED_FILES {
            parts.push(format!("and {} more", files.len() - MAX_NAMED_FILES));
        }
        let place = if files.iter().any(|(path, _)| path == at) { "file" } else { "folder" };
        let forced = files.iter().all(|(_, obstacle)| obstacle.yields_to_force());
        let or_force = if forced { ", or give --force to replace it" } else { "" };
        WriteRefused(format!(
            "{}. Nothing was written; name another {place}{or_force}",
            parts.join("; ")
        ))
    }

    /// For a path that does not name a valid destination, or names the same one as another.
    pub fn invalid_path(why: impl Into<String>) -> WriteRefused {
        WriteRefused(why.into())
    }
}
