//! Manifests: the files of a folder that knockon wrote, with their checksums, under the key [`OUTPUTS`] of a JSON
//! file beside them.
//!
//! While files are being replaced, a second list announces their new checksums, so that a killed process leaves no
//! file that the next one would not recognise.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::is_inside;
use crate::atomic_file;

/// The key of a manifest that lists files: `[{"path", "blake3"}, ...]`.
pub const OUTPUTS: &str = "outputs";

/// The key that distinguishes our manifests from other files of the same name.
const PROGRAM: &str = "knockon";

/// The files that were written into a folder.
#[derive(Clone, Debug, Default)]
pub struct OutputManifest {
    name: String,
    /// Whether the manifest itself was written by knockon.
    ours: bool,
    /// Name of a file -> the checksums that it may have.
    files: BTreeMap<String, Vec<String>>,
}

impl OutputManifest {
    /// The manifest `name` of `dir`; empty if there is none, or one of another program.
    pub fn read(dir: &Path, name: &str) -> OutputManifest {
        let mut manifest = OutputManifest { name: name.to_owned(), ..OutputManifest::default() };
        manifest.ours = manifest.add(&dir.join(name));
        manifest.add(&dir.join(pending_name(name)));
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
        let mut bytes = serde_json::to_vec_pretty(&manifest)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Writes the list of files about to be written beside the manifest. Returns its path; the caller removes it at
    /// the end.
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

    pub(super) fn lists(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Whether the file at `path` has one of the checksums listed for `name`. The manifest itself has no checksum: it
    /// is recognised by its content.
    pub(super) fn is_as_listed(&self, name: &str, path: &Path) -> bool {
        if name == self.name {
            return self.ours;
        }
        let Some(known) = self.files.get(name) else { return false };
        path.symlink_metadata().is_ok_and(|there| there.is_file())
            && !passes_link(name, path)
            && checksum(path).is_ok_and(|found| known.contains(&found))
    }

    /// Adds the files that the manifest at `path` lists; returns whether it is one of ours.
    fn add(&mut self, path: &Path) -> bool {
        let plain = path.symlink_metadata().is_ok_and(|there| there.is_file());
        let Some(Json::Object(manifest)) = plain
            .then(|| std::fs::read(path).ok())
            .flatten()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        else {
            return false;
        };
        let (Some(Json::String(_)), Some(Json::Array(outputs))) =
            (manifest.get(PROGRAM), manifest.get(OUTPUTS))
        else {
            return false;
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
        true
    }
}

fn pending_name(manifest: &str) -> String {
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
