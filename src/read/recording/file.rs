//! Reads and writes the files of recordings.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, bail, ensure};

use super::{FORMAT, RecordingEntry};
use crate::input_file::encoding::{self, TextEncoding};
use crate::input_file::{self, TextLineReader};
use crate::output::{OutputWriter, OwnershipProof};

/// The maximum size of an unpacked file, in bytes.
const LARGEST_UNPACKED: u64 = 1 << 30;
/// The text by which a file is recognised as a recording.
const FILE_MARK: &str = "\"knockon_recording\":";
/// The compression level: the best, since files are written once and kept.
const COMPRESSION_LEVEL: u32 = 9;

/// The content of a file.
pub struct RecordingFileContent {
    pub entries: BTreeMap<String, RecordingEntry>,
    pub dropped: Option<String>,
    /// The end of the complete lines, in bytes.
    pub end: u64,
    /// Whether the last of them ends with a newline.
    pub ends_with_newline: bool,
}

fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

pub fn read(path: &Path) -> anyhow::Result<RecordingFileContent> {
    let cannot = || format!("cannot read {}", path.display());
    let mut lines = if is_compressed(path) {
        let file = input_file::open(path).with_context(cannot)?;
        let mut bytes = Vec::new();
        flate2::read::MultiGzDecoder::new(file)
            .take(LARGEST_UNPACKED + 1)
            .read_to_end(&mut bytes)
            .with_context(cannot)?;
        ensure!(
            bytes.len() as u64 <= LARGEST_UNPACKED,
            "{}: it holds more than {} MiB",
            cannot(),
            LARGEST_UNPACKED >> 20
        );
        TextLineReader::from_bytes(bytes).with_context(cannot)?
    } else {
        TextLineReader::open(path).with_context(cannot)?
    };
    let mut entries: BTreeMap<String, RecordingEntry> = BTreeMap::new();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut read = RecordingFileContent {
        entries: BTreeMap::new(),
        dropped: None,
        end: 0,
        ends_with_newline: true,
    };
    while let Some((number, line, bytes)) = lines.next_line().with_context(cannot)? {
        let ended = bytes > line.len();
        if line.trim_ascii().is_empty() {
            read.end += bytes as u64;
            continue;
        }
        let entry = match entry(line) {
            Ok(entry) => entry,
            // The last line is incomplete: a process was killed while writing it.
            Err(_) if !ended && serde_json::from_slice::<serde_json::Value>(line).is_err() => {
                read.dropped = Some(format!(
                    "{}, line {number}: the last line is cut off and was dropped; its prompt counts as not \
                     answered",
                    path.display()
                ));
                break;
            }
            Err(error) => return Err(error.context(format!("{}, line {number}", path.display()))),
        };
        read.end += bytes as u64;
        read.ends_with_newline = ended;
        if let Some(there) = entries.get(&entry.key) {
            ensure!(
                there.agrees_with(&entry),
                "{}, line {number}: line {} answers the same prompt differently; remove one of them",
                path.display(),
                numbers[&entry.key]
            );
            continue;
        }
        numbers.insert(entry.key.clone(), number);
        entries.insert(entry.key.clone(), entry);
    }
    Ok(RecordingFileContent { entries, ..read })
}

fn entry(line: &[u8]) -> anyhow::Result<RecordingEntry> {
    let json: serde_json::Value =
        serde_json::from_slice(line).map_err(|e| anyhow::anyhow!("invalid JSON: {e}"))?;
    ensure!(json.is_object(), "a recording has one JSON object a line");
    match json.get("knockon_recording").and_then(serde_json::Value::as_u64) {
        Some(format) if format == u64::from(FORMAT) => {}
        Some(format) if format > u64::from(FORMAT) => {
            bail!("the format is {format}, which a later version wrote; this one reads {FORMAT}")
        }
        _ => bail!("`knockon_recording` is missing or not a known version; {FORMAT} is allowed"),
    }
    let entry: RecordingEntry = serde_json::from_value(json)?;
    entry.check()?;
    Ok(entry)
}

/// Opens a file for appending and locks it until it is closed; an incomplete last line is removed.
pub fn open(path: &Path) -> anyhow::Result<(RecordingFileContent, File)> {
    ensure!(
        !is_compressed(path),
        "cannot record into {}: it is compressed; unpack it (gunzip) or name another file",
        path.display()
    );
    let cannot = || format!("cannot record into {}", path.display());
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).with_context(cannot)?;
    }
    match std::fs::metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        // Rejects anything that is not a regular file, with a message that says what it is.
        _ => drop(input_file::open(path).with_context(cannot)?),
    }
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!(
                "{}: another process is recording into it, or another reader of the same scenario",
                cannot()
            )
        }
        // File systems without locks give no protection against other processes.
        Err(TryLockError::Error(_)) => {}
    }
    let mut start = [0; 4];
    let known = (&file).read(&mut start).with_context(cannot)?;
    let (encoding, mark) = encoding::detect(&start[..known]);
    ensure!(encoding == TextEncoding::Utf8, "{}: it is not UTF-8", cannot());
    let read = read(path)?;
    let end = mark as u64 + read.end;
    file.set_len(end).with_context(cannot)?;
    file.seek(SeekFrom::Start(end)).with_context(cannot)?;
    if !read.ends_with_newline {
        file.write_all(b"\n").with_context(cannot)?;
    }
    Ok((read, file))
}

/// Appends a line with a single write, so that a reader sees all of it or a part without its newline.
pub fn append(file: &mut File, entry: &RecordingEntry) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    file.write_all(&line)?;
    Ok(())
}

/// Writes entries sorted by their keys; compressed if the name ends in `.gz`.
///
/// # Errors
/// An existing file that `output` refuses to replace, or a file that cannot be written.
pub fn write<'e>(
    path: &Path,
    entries: impl Iterator<Item = &'e RecordingEntry>,
    output: &OutputWriter,
) -> anyhow::Result<()> {
    let mut sorted: Vec<&RecordingEntry> = entries.collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    let mut text = Vec::new();
    for entry in sorted {
        serde_json::to_writer(&mut text, entry)?;
        text.push(b'\n');
    }
    if is_compressed(path) {
        let mut packed =
            flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::new(COMPRESSION_LEVEL));
        packed.write_all(&text)?;
        text = packed.finish()?;
    }
    output.write_file(path, &text, OwnershipProof::Marked(FILE_MARK))
}
