//! The vectors of all passages of a corpus: in memory if they are small, otherwise in a [`VectorFile`] in the cache.
//!
//! The file name is a hash of the embedder's fingerprint and of the texts in their order. The file is computed window
//! by window through the embedder, whose own cache makes an interrupted run resume where it stopped.

use std::ops::{Deref, Range};
use std::path::Path;

use super::vector_file::{VectorFile, VectorFileKey, VectorFileWindow, windows};
use super::{Embedder, EmbeddingVectors, TextRole};
use crate::output;

/// Vectors of at most this many bytes are kept in memory.
const MAX_BYTES_IN_MEMORY: usize = 128 << 20;

/// The vectors of a corpus, one row per passage.
pub enum CorpusVectors {
    InMemory(EmbeddingVectors),
    OnDisk(VectorFile),
}

/// A range of rows of a [`CorpusVectors`], as a row-major slice.
pub enum CorpusRows<'a> {
    InMemory(&'a [f32]),
    OnDisk(VectorFileWindow),
}

impl Deref for CorpusRows<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            CorpusRows::InMemory(rows) => rows,
            CorpusRows::OnDisk(window) => window,
        }
    }
}

impl From<EmbeddingVectors> for CorpusVectors {
    fn from(vectors: EmbeddingVectors) -> CorpusVectors {
        CorpusVectors::InMemory(vectors)
    }
}

impl CorpusVectors {
    /// Embeds `texts`, or loads their vectors from the folder `cache`. Without one, all vectors stay in memory.
    ///
    /// # Errors
    /// An error of the embedder, or a cache that cannot be written.
    pub fn new(
        embedder: &dyn Embedder,
        texts: &[&str],
        cache: Option<&Path>,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<CorpusVectors> {
        // The file is mapped without conversion and little-endian, so big-endian machines keep everything in memory.
        let small = texts.len() * embedder.dim() * 4 <= MAX_BYTES_IN_MEMORY;
        let Some(dir) = cache.filter(|_| !small && cfg!(target_endian = "little")) else {
            return Ok(CorpusVectors::InMemory(embedder.embed(TextRole::Passage, texts, done)?));
        };
        CorpusVectors::new_on_disk(embedder, texts, dir, done)
    }

    /// Like [`CorpusVectors::new`], but always in a file, however few vectors there are.
    ///
    /// # Errors
    /// As [`CorpusVectors::new`].
    pub fn new_on_disk(
        embedder: &dyn Embedder,
        texts: &[&str],
        dir: &Path,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<CorpusVectors> {
        let key = corpus_key(embedder.fingerprint(), texts);
        let name = format!("{}.corpus", blake3::Hash::from(key).to_hex());
        let path = output::cache_file(dir, name)?;
        let (dim, rows) = (embedder.dim(), texts.len());
        if let Some(file) = VectorFile::open(&path, &key, dim, rows) {
            done(rows);
            return Ok(CorpusVectors::OnDisk(file));
        }
        let file = VectorFile::write(&path, &key, (dim, rows), |window| {
            embedder.embed(TextRole::Passage, &texts[window], done)
        })?;
        Ok(CorpusVectors::OnDisk(file))
    }

    /// The number of dimensions of a vector.
    pub fn dim(&self) -> usize {
        match self {
            CorpusVectors::InMemory(vectors) => vectors.dim,
            CorpusVectors::OnDisk(file) => file.dim,
        }
    }

    pub fn len(&self) -> usize {
        match self {
            CorpusVectors::InMemory(vectors) => vectors.len(),
            CorpusVectors::OnDisk(file) => file.rows,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row ranges in which to iterate over all rows: a single one in memory, or the file's windows.
    pub fn windows(&self) -> Vec<Range<usize>> {
        match self {
            CorpusVectors::InMemory(vectors) => std::iter::once(0..vectors.len()).collect(),
            CorpusVectors::OnDisk(file) => windows(file.rows, file.dim).collect(),
        }
    }

    /// A range of rows, which stay in memory as long as the result lives.
    ///
    /// # Errors
    /// A file that cannot be mapped.
    pub fn rows(&self, rows: Range<usize>) -> anyhow::Result<CorpusRows<'_>> {
        Ok(match self {
            CorpusVectors::InMemory(EmbeddingVectors { dim, data }) => {
                CorpusRows::InMemory(&data[rows.start * dim..rows.end * dim])
            }
            CorpusVectors::OnDisk(file) => CorpusRows::OnDisk(file.window(rows)?),
        })
    }
}

/// Hashes the fingerprint and the texts, each preceded by its length so that shifted boundaries give another key.
fn corpus_key(fingerprint: &str, texts: &[&str]) -> VectorFileKey {
    let mut hash = blake3::Hasher::new();
    for text in std::iter::once(&fingerprint).chain(texts) {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    *hash.finalize().as_bytes()
}
