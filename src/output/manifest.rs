//! Manifests: the files of a folder that knockon wrote, with their checksums, under the key [`OUTPUTS`] of a JSON
//! file beside them.
//!
//! While files are being replaced, a second list announces their new checksums, so that a killed process leaves no
//! file that the next one would not recognise. Both lists hold their own checksum ([`super::own_checksum`]), so that
//! one which a person has edited is recognised as well.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::is_inside;
use super::own_checksum::{has_own_checksum, with_own_checksum};
use crate::atomic_file;

/// The key of a manifest that lists files: `[{"path", "blake3"}, ...]`.
pub const OUTPUTS: &str = "outputs";

/// The key that distinguishes our manifests from other files of the same name.
const PROGRAM: &str = "knockon";

/// What a list of files on disk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum FileListState {
    /// None, or a file of another program.
    #[default]
    Foreign,
    /// A list of files of knockon that holds another checksum than its own, or none.
    Changed,
    AsWritten,
}

/// The files that were written into a folder.
#[derive(Clone, Debug, Default)]
pub struct OutputManifest {
    name: String,
    state: FileListState,
    /// The state of the announcement of files about to be written.
    pending_state: FileListState,
    /// Name of a file -> the checksums that it may have.
    files: BTreeMap<String, Vec<String>>,
}

impl OutputManifest {
    /// The manifest `name` of `dir`; empty if there is none, or one of another program.
    pub fn read(dir: &Path, name: &str) -> OutputManifest {
        let mut manifest = OutputManifest { name: name.to_owned(), ..OutputManifest::default() };
        manifest.state = manifest.add(&dir.join(name));
        manifest.pending_state = manifest.add(&dir.join(pending_name(name)));
        manifest
    }

    /// The value of [`OUTPUTS`] for these files.
    pub fn entries<B: AsRef<[u8]>>(files: &[(&str, B)]) -> Json {
        let entry = |(name, bytes): &(&str, B)| json!({"path": name, "blake3": blake3::hash(bytes.as_ref()).to_hex().as_str()});
        files.iter().map(entry).collect()
    }

    /// A manifest that contains only the list of files.
    ///
    /// # Errors
    /// Never, for names and contents.
    pub fn bytes<B: AsRef<[u8]>>(files: &[(&str, B)]) -> serde_json::Result<Vec<u8>> {
        let manifest =
            json!({PROGRAM: env!("CARGO_PKG_VERSION"), OUTPUTS: OutputManifest::entries(files)});
        with_own_checksum(&manifest)
    }

    /// Writes the list of files about to be written beside the manifest. Returns its path; the caller has checked that
    /// it may be written, and removes it at the end.
    pub(super) fn announce<B: AsRef<[u8]>>(
        &self,
        dir: &Path,
        files: &[(&str, B)],
    ) -> anyhow::Result<PathBuf> {
        let path = dir.join(pending_name(&self.name));
        atomic_file::write(&path, &OutputManifest::bytes(files)?)?;
        Ok(path)
    }

    /// The names of the listed files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether knockon wrote a file of this name, which may have been changed since.
    pub(super) fn lists(&self, name: &str) -> bool {
        self.files.contains_key(name) || self.own_state(name) == Some(FileListState::Changed)
    }

    /// The state of the manifest or the announcement, if `name` is the name of one of them.
    fn own_state(&self, name: &str) -> Option<FileListState> {
        match name {
            "" => None,
            name if name == self.name => Some(self.state),
            name if name == pending_name(&self.name) => Some(self.pending_state),
            _ => None,
        }
    }

    /// Whether the file at `path` has one of the checksums listed for `name`. The manifest and the announcement are
    /// recognised by their own.
    pub(super) fn is_as_listed(&self, name: &str, path: &Path) -> bool {
        if let Some(state) = self.own_state(name) {
            return state == FileListState::AsWritten;
        }
        let Some(known) = self.files.get(name) else { return false };
        path.symlink_metadata().is_ok_and(|there| there.is_file())
            && !passes_link(name, path)
            && checksum(path).is_ok_and(|found| known.contains(&found))
    }

    /// Adds the files that the list at `path` names; returns what it is.
    fn add(&mut self, path: &Path) -> FileListState {
        let plain = path.symlink_metadata().is_ok_and(|there| there.is_file());
        let Some(bytes) = plain.then(|| std::fs::read(path).ok()).flatten() else {
            return FileListState::Foreign;
        };
        let Ok(Json::Object(manifest)) = serde_json::from_slice(&bytes) else {
            return FileListState::Foreign;
        };
        let (Some(Json::String(_)), Some(Json::Array(outputs))) =
            (manifest.get(PROGRAM), manifest.get(OUTPUTS))
        else {
            return FileListState::Foreign;
        };
        for output in outputs {
            // A name that leads outside the folder is not ours and is ignored.
            if let (Some(name), Some(hash)) = (output["path"].as_str(), output["blake3"].as_str())
                && is_inside(name)
            {
                // The manifest and an announcement may list the same file with different checksums; either is ours.
                self.files.entry(name.to_owned()).or_default().push(hash.to_owned());
            }
        }
        match has_own_checksum(&bytes, &manifest) {
            true => FileListState::AsWritten,
            false => FileListState::Changed,
        }
    }
}

/// The name of the announcement beside a manifest.
pub(super) fn pending_name(manifest: &str) -> String {
    format!(".{manifest}.pending")
}

/// Whether one of the folders that `name` adds exists and is a link, or not a folder: that would lead out of the
/// folder of the manifest.
pub(super) fn passes_link(name: &str, path: &Path) -> bool {
    let depth = Path::new(name).components().count().max(1);
    let mut folders = path.ancestors().take(depth).skip(1);
    folders.any(|folder| folder.symlink_metadata().is_ok_and(|there| !there.is_dir()))
}

fn checksum(path: &Path) -> std::io::Result<String> {
    let mut hash = blake3::Hasher::new();
    hash.update_reader(std::fs::File::open(path)?)?;
    Ok(hash.finalize().to_hex().to_string())
}
