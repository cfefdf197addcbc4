//! Which files of a folder knockon wrote, with the checksums that they had: the key [`OUTPUTS`] of a JSON file beside them.
//!
//! While files are being replaced, a second list says what they are about to become, so that a process that is killed
//! meanwhile leaves no file that the next one would not know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::is_inside;
use crate::atomic_file;

/// The key of a manifest under which it lists files: `[{"path", "blake3"}, ...]`.
pub const OUTPUTS: &str = "outputs";

/// The key that tells our manifests from other files of the same name.
const PROGRAM: &str = "knockon";

/// What was written into a folder.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    name: String,
    /// Whether the manifest itself is ours.
    ours: bool,
    /// Name of a file -> the checksums that it may have.
    files: BTreeMap<String, Vec<String>>,
}

impl Manifest {
    /// The manifest `name` of `dir`; an empty one where none is there, or one of somebody else.
    pub fn read(dir: &Path, name: &str) -> Manifest {
        let mut manifest = Manifest { name: name.to_owned(), ..Manifest::default() };
        manifest.ours = manifest.add(&dir.join(name));
        manifest.add(&dir.join(announcement(name)));
        manifest
    }

    /// The entry of a manifest for these files.
    pub fn of<B: AsRef<[u8]>>(files: &[(&str, B)]) -> Json {
        let entry = |(name, bytes): &(&str, B)| json!({"path": name, "blake3": blake3::hash(bytes.as_ref()).to_hex().as_str()});
        files.iter().map(entry).collect()
    }

    /// A manifest that says nothing but which files there are.
    ///
    /// # Errors
    /// None that names and contents can cause.
    pub fn plain<B: AsRef<[u8]>>(files: &[(&str, B)]) -> serde_json::Result<Vec<u8>> {
        let manifest = json!({PROGRAM: env!("CARGO_PKG_VERSION"), OUTPUTS: Manifest::of(files)});
        let mut bytes = serde_json::to_vec_pretty(&manifest)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Writes down what is about to be written, beside the manifest; gives the path, which is removed in the end.
    pub(super) fn announce<B: AsRef<[u8]>>(
        &self,
        dir: &Path,
        files: &[(&str, B)],
    ) -> anyhow::Result<PathBuf> {
        let path = dir.join(announcement(&self.name));
        atomic_file::write(&path, &Manifest::plain(files)?)?;
        Ok(path)
    }

    /// The files that it lists.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    pub(super) fn lists(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Whether the file at `path` has one of the checksums listed for `name`. Of the manifest itself there is none.
    pub(super) fn is_as_listed(&self, name: &str, path: &Path) -> bool {
        if name == self.name {
            return self.ours;
        }
        let Some(known) = self.files.get(name) else { return false };
        path.symlink_metadata().is_ok_and(|there| there.is_file())
            && !passes_a_link(name, path)
            && checksum(path).is_ok_and(|found| known.contains(&found))
    }

    /// Adds what a file lists; says whether it is a manifest of ours.
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
            // A name that leads elsewhere is not ours: nothing there is touched.
            if let (Some(name), Some(hash)) = (output["path"].as_str(), output["blake3"].as_str())
                && is_inside(name)
            {
                self.files.entry(name.to_owned()).or_default().push(hash.to_owned());
            }
        }
        true
    }
}

fn announcement(manifest: &str) -> String {
    format!(".{manifest}.pending")
}

/// Whether a folder that `name` adds to `path` is there and is a link, or something else that is no folder: that leads out
/// of the folder of the manifest.
pub(super) fn passes_a_link(name: &str, path: &Path) -> bool {
    let depth = Path::new(name).components().count().max(1);
    let mut folders = path.ancestors().take(depth).skip(1);
    folders.any(|folder| folder.symlink_metadata().is_ok_and(|there| !there.is_dir()))
}

fn checksum(path: &Path) -> std::io::Result<String> {
    let mut hash = blake3::Hasher::new();
    hash.update_reader(std::fs::File::open(path)?)?;
    Ok(hash.finalize().to_hex().to_string())
}
