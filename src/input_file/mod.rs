//! Input files named by the user: opening, size limits and decoding.
//!
//! Invariant: every command reads such files through here; none has an encoding, a line end or a limit of its own.
//!
//! - Only regular files are read. A named pipe would block until a process writes to it, and a device such as /dev/zero
//!   never ends.
//! - Files that are read whole have a size limit, and files read by lines a limit on the length of a line, so that a
//!   wrong path gives an error message instead of exhausting memory.
//! - Text is UTF-8 or UTF-16, with or without a byte order mark ([`encoding`]).
//! - A line ends with LF, CR LF or CR ([`lines`]), as in Python's text files.

pub mod encoding;
mod line_ends;
pub mod lines;
pub mod source;

use std::fs::{File, FileType};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

use anyhow::Context;

pub use lines::{TextLineReader, numbered_lines};
pub use source::{InMemoryFiles, InputFile, InputSource};

/// The largest file that is read whole, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// The largest stream that is read, in bytes. Lower than [`MAX_FILE_BYTES`], since its size is not known in advance.
pub const MAX_STREAM_BYTES: u64 = 256 << 20;

/// Opens a file for reading.
///
/// # Errors
/// What the system reports, and anything that is not a regular file.
pub fn open(path: &Path) -> Result<File> {
    let kind = std::fs::metadata(path)?.file_type();
    if !kind.is_file() {
        return Err(Error::other(format!("it is {}, not a file", name_of(kind))));
    }
    File::open(path)
}

/// The bytes of a file.
///
/// # Errors
/// As [`open`], and a file of more than [`MAX_FILE_BYTES`] bytes.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    read_up_to(MAX_FILE_BYTES, path)
}

/// The bytes of a file with a limit of its own, such as a file of weights.
///
/// # Errors
/// As [`open`], and a file of more than `most` bytes.
pub fn read_up_to(most: u64, path: &Path) -> Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    // A size that is known in advance is refused without reading.
    if size > most {
        return Err(too_large(most));
    }
    read_at_most(most, file)
}

/// The bytes of a stream, such as standard input.
///
/// # Errors
/// What the system reports, and a stream of more than [`MAX_STREAM_BYTES`] bytes.
pub fn read_stream(stream: impl Read) -> Result<Vec<u8>> {
    read_at_most(MAX_STREAM_BYTES, stream)
}

fn read_at_most(most: u64, stream: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than allowed distinguishes a file of exactly `most` bytes from a larger one. Files can grow.
    stream.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(most));
    }
    Ok(bytes)
}

/// The text of a file, whatever its encoding.
///
/// # Errors
/// As [`read`], and bytes that are not text: the message names the line and the column.
pub fn read_text(path: &Path) -> anyhow::Result<String> {
    let bytes = read(path).with_context(|| format!("cannot read {}", path.display()))?;
    encoding::decode(bytes).with_context(|| path.display().to_string())
}

fn too_large(most: u64) -> Error {
    Error::new(ErrorKind::FileTooLarge, format!("it is larger than {} MiB", most >> 20))
}

#[cfg(unix)]
fn name_of(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn name_of(kind: FileType) -> &'static str {
    if kind.is_dir() { "a folder" } else { "a device" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn folders_pipes_devices_and_sockets_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for (path, expected) in [
            (dir.path(), "it is a folder, not a file"),
            (&pipe, "it is a pipe, not a file"),
            (&link, "it is a pipe, not a file"),
            (&socket, "it is a socket, not a file"),
            (Path::new("/dev/zero"), "it is a device, not a file"),
            (Path::new("/dev/null"), "it is a device, not a file"),
        ] {
            assert_eq!(read(path).unwrap_err().to_string(), expected, "{}", path.display());
            assert!(TextLineReader::open(path).is_err());
            assert!(format!("{:#}", read_text(path).unwrap_err()).ends_with(expected));
        }
    }

    #[test]
    fn a_file_that_would_not_fit_in_memory_is_refused_before_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read(&path).unwrap_err().to_string(), "it is larger than 1024 MiB");
        let endless = read_stream(std::io::repeat(0)).unwrap_err();
        assert_eq!(endless.to_string(), "it is larger than 256 MiB");
    }
}
