//! Vectors on disk by content, so that a second run embeds nothing.
//!
//! One file a model fingerprint, `<fingerprint>.vectors`, keyed by blake3 of fingerprint, role and text; see
//! [`super::store`]. Texts are embedded in chunks: an interruption costs the chunk in hand. A vector that is
//! damaged on disk is computed again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::ensure;

use super::store::{Key, Store};
use super::{Embedder, Role, Vectors};

/// Sets the directory of cached vectors and scores.
pub const CACHE_VARIABLE: &str = "KNOCKON_CACHE";

/// Texts embedded between two appends.
const CHUNK: usize = 1024;

/// An embedder that remembers.
pub struct CachedEmbedder {
    inner: Box<dyn Embedder>,
    store: Store,
}

/// `$KNOCKON_CACHE`, else `knockon` in the user's cache directory, else in the temporary one.
pub fn default_dir() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set(CACHE_VARIABLE)
        .or_else(|| set("XDG_CACHE_HOME").map(|d| d.join("knockon")))
        .or_else(|| set("HOME").map(|d| d.join(".cache/knockon")))
        .or_else(|| set("LOCALAPPDATA").map(|d| d.join("knockon")))
        .unwrap_or_else(|| std::env::temp_dir().join("knockon"))
}

impl CachedEmbedder {
    /// Opens the cache of `inner` in `dir`, by default [`default_dir`], and makes it where needed.
    ///
    /// # Errors
    /// A directory that cannot be made or a file that cannot be opened for writing.
    pub fn new(inner: Box<dyn Embedder>, dir: Option<&Path>) -> anyhow::Result<Self> {
        let store = Store::open(dir, &format!("{}.vectors", inner.fingerprint()), inner.dim())?;
        Ok(Self { inner, store })
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

        // Equal texts are embedded once: the first stands for the others.
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
        for chunk in fresh.chunks(CHUNK) {
            let chunk_texts: Vec<&str> = chunk.iter().map(|&i| texts[i]).collect();
            let vectors = self.inner.embed(role, &chunk_texts, done)?;
            ensure!(
                vectors.dim == dim && vectors.len() == chunk.len(),
                "the embedder returned {} vectors of {} numbers for {} texts of {dim}",
                vectors.len(),
                vectors.dim,
                chunk.len()
            );
            for (row, &i) in chunk.iter().enumerate() {
                data[i * dim..(i + 1) * dim].copy_from_slice(vectors.row(row));
            }
            let chunk_keys: Vec<Key> = chunk.iter().map(|&i| keys[i]).collect();
            self.store.append(&chunk_keys, &vectors.data)?;
        }
        for &(i, original) in &repeats {
            data.copy_within(original * dim..(original + 1) * dim, i * dim);
        }
        done(repeats.len());
        Ok(Vectors { dim, data })
    }
}
