//! A content-addressed cache of vectors on disk, so that a second run embeds nothing.
//!
//! There is one file per model fingerprint, `<fingerprint>.vectors`, keyed by the blake3 hash of fingerprint, role and
//! text; see [`super::store`]. Texts are embedded in parts, and an interruption loses only the current part. A vector
//! that is damaged on disk is computed again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, bail};

use super::same_vectors::SameVectors;
use super::store::{Key, Store};
use super::{Embedder, Role, Similarity, Vectors};

/// Environment variable that sets the directory of cached vectors and scores.
pub const CACHE_VARIABLE: &str = "KNOCKON_CACHE";

/// An embedder with a cache on disk.
pub struct CachedEmbedder {
    inner: Box<dyn Embedder>,
    store: Store,
    same: Mutex<SameVectors>,
}

/// A model that gives the same vector to this many different texts, and no other vector, is rejected.
const TOLD_APART: usize = 8;

/// The cache directory: `$KNOCKON_CACHE`, else `knockon` in the user's cache directory. It need not exist yet. The
/// shared temporary directory is never used, because other users could have put files there.
///
/// # Errors
/// A user without a home directory.
pub fn default_dir() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || std::env::home_dir().filter(|home| home.is_absolute());
    set(CACHE_VARIABLE)
        // The XDG Base Directory Specification requires relative paths to be ignored.
        .or_else(|| set("XDG_CACHE_HOME").filter(|d| d.is_absolute()).map(|d| d.join("knockon")))
        .or_else(|| set("LOCALAPPDATA").filter(|_| cfg!(windows)).map(|d| d.join("knockon")))
        .or_else(|| home().map(|d| d.join(".cache/knockon")))
        .with_context(|| {
            format!("no place for the cache is known: there is no home directory; set {CACHE_VARIABLE} to a directory")
        })
}

impl CachedEmbedder {
    /// Opens the cache of `inner` in `dir`, by default [`default_dir`], and creates it if needed.
    ///
    /// # Errors
    /// A directory that cannot be created or a file that cannot be opened for writing.
    pub fn new(inner: Box<dyn Embedder>, dir: Option<&Path>) -> anyhow::Result<Self> {
        let store = Store::open(dir, &format!("{}.vectors", inner.fingerprint()), inner.dim())?;
        Ok(Self { inner, store, same: Mutex::new(SameVectors::new(TOLD_APART)) })
    }

    /// The file that holds the vectors.
    pub fn path(&self) -> &Path {
        self.store.path()
    }

    fn key(&self, role: Role, text: &str) -> Key {
        let mut hash = blake3::Hasher::new();
        hash.update(self.inner.fingerprint().as_bytes());
        hash.update(match role {
            Role::Query => b"\0q\0",
            Role::Passage => b"\0p\0",
        });
        hash.update(text.as_bytes());
        *hash.finalize().as_bytes()
    }
}

impl Embedder for CachedEmbedder {
    fn fingerprint(&self) -> &str {
        self.inner.fingerprint()
    }

    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn similarity(&self) -> Similarity {
        self.inner.similarity()
    }

    fn token_limit(&self) -> Option<usize> {
        self.inner.token_limit()
    }

    fn are_cut(&self, role: Role, texts: &[&str]) -> anyhow::Result<Vec<bool>> {
        self.inner.are_cut(role, texts)
    }

    fn embed(
        &self,
        role: Role,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vectors> {
        let dim = self.dim();
        let keys: Vec<Key> = texts.iter().map(|t| self.key(role, t)).collect();
        let mut data = vec![0.0; texts.len() * dim];
        let missing = self.store.recall(&keys, &mut data)?;
        done(texts.len() - missing.len());

        // Equal texts are embedded once, and the vector is copied afterwards.
        let mut first: HashMap<Key, usize> = HashMap::new();
        let (mut fresh, mut repeats) = (Vec::new(), Vec::new());
        for i in missing {
            match first.get(&keys[i]) {
                Some(&original) => repeats.push((i, original)),
                None => {
                    first.insert(keys[i], i);
                    fresh.push(i);
                }
            }
        }
        let fresh_texts: Vec<&str> = fresh.iter().map(|&i| texts[i]).collect();
        self.inner.embed_in_parts(role, &fresh_texts, done, &mut |start, vectors| {
            let part = &fresh[start..start + vectors.len()];
            for (row, &i) in part.iter().enumerate() {
                data[i * dim..(i + 1) * dim].copy_from_slice(vectors.row(row));
            }
            let part_keys: Vec<Key> = part.iter().map(|&i| keys[i]).collect();
            self.store.append(&part_keys, &vectors.data)
        })?;
        for &(i, original) in &repeats {
            data.copy_within(original * dim..(original + 1) * dim, i * dim);
        }
        done(repeats.len());
        let mut same = self.same.lock().unwrap_or_else(|e| e.into_inner());
        texts.iter().zip(data.chunks_exact(dim)).for_each(|(text, row)| same.see(text, row));
        if let Some(count) = same.verdict() {
            bail!(
                "the same vector came for {count} different texts, and for all others so far: the model does not tell \
                 texts apart (its vectors are kept in {})",
                self.path().display()
            );
        }
        Ok(Vectors { dim, data })
    }
}
