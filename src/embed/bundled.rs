//! The models bundled with the program, so that it works without any download.
//!
//! The files of `models/` are included uncompressed: int8 weights hardly compress (by a tenth in total), and
//! uncompressed ones need not be unpacked into memory at each start. Models are read from files: the first use writes
//! them to the user's cache, later uses find them there. A build without the feature `bundled-models` has none.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::adapter;
use crate::environment::Environment;
use crate::{atomic_file, input_file, output};

/// The names and contents of the files of one folder.
pub type BundledFiles = [(&'static str, &'static [u8])];

#[cfg(feature = "bundled-models")]
mod models {
    use super::BundledFiles;

    macro_rules! model {
        ($name:literal: $($file:literal),+) => {
            ($name, &[$(($file, include_bytes!(concat!("../../models/", $name, "/", $file)))),+])
        };
    }

    /// All models, each with its weights last, because a folder counts as a model once it has weights.
    pub static MODELS: &[(&str, &BundledFiles)] = &[
        model!("potion-base-8M": "README.md", "config.json", "tokenizer.json", "model.safetensors"),
        model!("all-MiniLM-L6-v2": "README.md", "config.json", "tokenizer.json", "sentence_bert_config.json",
            "config_sentence_transformers.json", "1_Pooling/config.json", "model.safetensors"),
        model!("all-MiniLM-L6-v2-control": "README.md", "adapter_config.json", "adapter_model.safetensors"),
        model!("all-MiniLM-L6-v2-structural": "README.md", "adapter_config.json", "adapter_model.safetensors"),
    ];
}

#[cfg(not(feature = "bundled-models"))]
mod models {
    pub static MODELS: &[(&str, &super::BundledFiles)] = &[];
}

fn files(name: &str) -> Option<&'static BundledFiles> {
    models::MODELS.iter().find(|(model, _)| *model == name).map(|(_, files)| *files)
}

/// Whether this model or adapter is bundled.
pub fn is_bundled(name: &str) -> bool {
    files(name).is_some()
}

/// Whether this is a bundled adapter.
pub fn is_adapter(name: &str) -> bool {
    files(name).is_some_and(|files| files.iter().any(|(file, _)| *file == adapter::CONFIG))
}

/// The folder of a bundled model or adapter, unpacked into the cache; `None` if none has that name.
///
/// # Errors
/// A cache that cannot be written.
pub fn folder(name: &str, environment: &Environment) -> anyhow::Result<Option<PathBuf>> {
    files(name).map(|files| unpack(name, files, environment)).transpose()
}

/// The folder in the user's cache with these files. Missing or differing files are written.
///
/// # Errors
/// A cache that cannot be written.
pub fn unpack(
    name: &str,
    files: &BundledFiles,
    environment: &Environment,
) -> anyhow::Result<PathBuf> {
    unpack_into(environment.cache_folder()?, name, files)
}

fn unpack_into(cache: &Path, name: &str, files: &BundledFiles) -> anyhow::Result<PathBuf> {
    let mut hash = blake3::Hasher::new();
    for (file, bytes) in files {
        hash.update(file.as_bytes()).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }
    // Several versions of the program may share a cache, so the folder's name depends on the contents.
    let folder = Path::new("bundled").join(format!("{name}-{}", &hash.finalize().to_hex()[..16]));
    for (file, bytes) in files {
        let path = output::cache_file(cache, folder.join(file))?;
        // Compare the contents, not just the existence, so that damaged files are repaired.
        if !input_file::read(&path).is_ok_and(|found| found == *bytes) {
            atomic_file::write(&path, bytes)
                .with_context(|| format!("cannot unpack the bundled {name}"))?;
        }
    }
    Ok(cache.join(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &BundledFiles = &[("a/config.json", b"{}"), ("weights", b"1234")];

    #[test]
    fn damaged_files_are_written_again() {
        let cache = tempfile::tempdir().unwrap();
        let dir = unpack_into(cache.path(), "tiny", FILES).unwrap();
        let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
        assert_eq!((read("a/config.json"), read("weights")), (b"{}".to_vec(), b"1234".to_vec()));
        std::fs::write(dir.join("weights"), "12").unwrap();
        std::fs::remove_file(dir.join("a/config.json")).unwrap();
        assert_eq!(unpack_into(cache.path(), "tiny", FILES).unwrap(), dir);
        assert_eq!((read("a/config.json"), read("weights")), (b"{}".to_vec(), b"1234".to_vec()));
        // Another version gets its own folder.
        let other = unpack_into(cache.path(), "tiny", &[("weights", b"5678")]).unwrap();
        assert_ne!(other, dir);
        assert_eq!(read("weights"), b"1234");
    }

    #[cfg(feature = "bundled-models")]
    #[test]
    fn every_file_of_models_is_bundled() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        for (name, files) in models::MODELS {
            let mut pending = vec![root.join(name)];
            let mut found = 0;
            while let Some(dir) = pending.pop() {
                for entry in std::fs::read_dir(dir).unwrap() {
                    let path = entry.unwrap().path();
                    match path.is_dir() {
                        true => pending.push(path),
                        false => found += 1,
                    }
                }
            }
            assert_eq!(files.len(), found, "{name}");
            let weights = files.last().unwrap().0;
            assert!(weights.ends_with("model.safetensors"), "{name}: the weights come last");
        }
    }
}
