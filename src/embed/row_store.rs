//! An append-only file of rows of numbers by key, so that nothing expensive is computed twice.
//!
//! A file is a header, then records of equal size: a key (32 bytes), the row, and a checksum over both. Records are
//! only appended, completely and under a file lock, so any number of processes may share a file and an interruption
//! loses only what was not yet appended. A record with a wrong checksum is treated as missing. A torn last record is
//! removed by the next append.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context;

use crate::environment::CACHE_VARIABLE;
use crate::output;

const MAGIC: &[u8; 8] = b"knockon1";
const KEY_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 8;
/// Bytes of the header: magic, numbers per row as u64.
const HEADER_BYTES: u64 = 16;
/// Approximate maximum of bytes per read.
const READ_BYTES: usize = 4 << 20;

/// Identifies a row.
pub type RowKey = [u8; KEY_BYTES];

/// An open file of rows of `dim` numbers.
pub struct RowStore {
    dim: usize,
    path: PathBuf,
    state: Mutex<RowStoreState>,
}

struct RowStoreState {
    file: File,
    /// The offset of each key's record.
    index: HashMap<RowKey, u64>,
}

impl RowStoreState {
    fn open(dir: &Path, path: &Path, dim: usize) -> anyhow::Result<RowStoreState> {
        std::fs::create_dir_all(dir)?;
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let index = read_index(&mut file, dim)?;
        Ok(RowStoreState { file, index })
    }
}

impl RowStore {
    /// Opens the file `name` in `dir`, and creates both if needed.
    ///
    /// # Errors
    /// A directory that cannot be created or a file that cannot be opened for writing.
    pub fn open(dir: &Path, name: &str, dim: usize) -> anyhow::Result<RowStore> {
        let path = output::cache_file(dir, name)?;
        let state = RowStoreState::open(dir, &path, dim).with_context(|| {
            format!(
                "cannot use the cache {}; set {CACHE_VARIABLE} to a directory that can be written",
                path.display()
            )
        })?;
        Ok(RowStore { dim, path, state: Mutex::new(state) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies the rows of `keys` that are on disk and undamaged to `out`; returns the indices of the others, sorted.
    pub fn fetch(&self, keys: &[RowKey], out: &mut [f32]) -> anyhow::Result<Vec<usize>> {
        let dim = self.dim;
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        let RowStoreState { file, index } = &mut *state;
        let mut found: Vec<(u64, usize)> = Vec::new();
        let mut missing = Vec::new();
        for (i, key) in keys.iter().enumerate() {
            match index.get(key) {
                Some(&at) => found.push((at, i)),
                None => missing.push(i),
            }
        }
        // Read in file order, and neighbouring records with one read.
        found.sort_unstable();
        let size = record_size(dim);
        let mut buffer = Vec::new();
        let mut start = 0;
        while start < found.len() {
            let first = found[start].0;
            let mut end = start + 1;
            while end < found.len() && found[end].0 - first < READ_BYTES as u64 {
                let gap = found[end].0 - found[end - 1].0;
                // Reading over a few unneeded records is cheaper than another seek.
                if gap > 4 * size as u64 {
                    break;
                }
                end += 1;
            }
            let bytes = (found[end - 1].0 - first) as usize + size;
            buffer.resize(bytes, 0);
            file.seek(SeekFrom::Start(first))?;
            // If another process has truncated the file, the missing bytes count as damaged records.
            let got = read_up_to(file, &mut buffer)?;
            for &(at, i) in &found[start..end] {
                let from = (at - first) as usize;
                let record = buffer.get(from..from + size).filter(|_| from + size <= got);
                match record.and_then(|r| parse_record(r, &keys[i])) {
                    Some(vector) => {
                        let row = out[i * dim..(i + 1) * dim].iter_mut();
                        for (o, b) in row.zip(vector.chunks_exact(4)) {
                            *o = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                        }
                    }
                    None => {
                        // Forget the damaged record, so that it is appended again.
                        index.remove(&keys[i]);
                        missing.push(i);
                    }
                }
            }
            start = end;
        }
        missing.sort_unstable();
        Ok(missing)
    }

    /// Appends a row for each key; `rows` is row-major.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn append(&self, keys: &[RowKey], rows: &[f32]) -> anyhow::Result<()> {
        self.write(keys, rows)
            .with_context(|| format!("cannot write to the cache {}", self.path.display()))
    }

    fn write(&self, keys: &[RowKey], rows: &[f32]) -> std::io::Result<()> {
        // Prepare all bytes first, so that the lock is held only while they are written.
        let size = record_size(self.dim);
        let mut bytes = Vec::with_capacity(keys.len() * size);
        for (key, row) in keys.iter().zip(rows.chunks_exact(self.dim)) {
            let start = bytes.len();
            bytes.extend_from_slice(key);
            bytes.extend(row.iter().flat_map(|x| x.to_le_bytes()));
            let checksum = checksum(&bytes[start..]);
            bytes.extend_from_slice(&checksum);
        }
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        let RowStoreState { file, index } = &mut *state;
        file.lock()?;
        let written = append_locked(file, &bytes, self.dim);
        file.unlock()?;
        let at = written?;
        for (i, key) in keys.iter().enumerate() {
            index.insert(*key, at + (i * size) as u64);
        }
        Ok(())
    }
}

fn record_size(dim: usize) -> usize {
    KEY_BYTES + 4 * dim + CHECKSUM_BYTES
}

fn header(dim: usize) -> [u8; HEADER_BYTES as usize] {
    let mut bytes = [0; HEADER_BYTES as usize];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..].copy_from_slice(&(dim as u64).to_le_bytes());
    bytes
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = [0; CHECKSUM_BYTES];
    sum.copy_from_slice(&blake3::hash(bytes).as_bytes()[..CHECKSUM_BYTES]);
    sum
}

/// The bytes of the row, if the record belongs to `key` and is undamaged.
fn parse_record<'r>(record: &'r [u8], key: &RowKey) -> Option<&'r [u8]> {
    let (body, sum) = record.split_at(record.len() - CHECKSUM_BYTES);
    (body[..KEY_BYTES] == *key && checksum(body) == sum).then(|| &body[KEY_BYTES..])
}

/// Reads until `buffer` is full or the file ends.
fn read_up_to(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}

/// Whether the file starts with the header for rows of `dim` numbers.
fn has_header(file: &mut File, dim: usize) -> std::io::Result<bool> {
    let mut found = [0; HEADER_BYTES as usize];
    file.seek(SeekFrom::Start(0))?;
    let got = read_up_to(file, &mut found)?;
    Ok(got == found.len() && found == header(dim))
}

/// The offsets of all complete records by key; later records override earlier ones. Checksums are verified on use.
fn read_index(file: &mut File, dim: usize) -> std::io::Result<HashMap<RowKey, u64>> {
    let mut index = HashMap::new();
    if !has_header(file, dim)? {
        return Ok(index);
    }
    let size = record_size(dim);
    let mut buffer = vec![0; (READ_BYTES / size).max(1) * size];
    let mut at = HEADER_BYTES;
    loop {
        let got = read_up_to(file, &mut buffer)?;
        for record in buffer[..got].chunks_exact(size) {
            let mut key = [0; KEY_BYTES];
            key.copy_from_slice(&record[..KEY_BYTES]);
            index.insert(key, at);
            at += size as u64;
        }
        if got < buffer.len() {
            return Ok(index);
        }
    }
}

/// Appends records after the last complete record and returns their offset. The caller must hold the file lock.
fn append_locked(file: &mut File, bytes: &[u8], dim: usize) -> std::io::Result<u64> {
    if !has_header(file, dim)? {
        // The file is new, or its header is damaged so that nothing after it can be trusted.
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header(dim))?;
    }
    let length = file.metadata()?.len();
    let torn = (length - HEADER_BYTES) % record_size(dim) as u64;
    let end = length - torn;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    file.write_all(bytes)?;
    Ok(end)
}
