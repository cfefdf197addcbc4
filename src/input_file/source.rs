//! Where the files that a scenario names are read from: the disk, or the memory of a program that embeds the library.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Cursor, Error, ErrorKind, Read, Result};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use super::{MAX_FILE_BYTES, TextLineReader, encoding, too_large};

/// Files in memory, by the names that a scenario gives to them. Names are relative to the scenario's folder; `./a.csv`
/// and `b/../a.csv` are both `a.csv`.
///
/// ```
/// use knockon::InMemoryFiles;
///
/// let files = InMemoryFiles::new()
///     .with("desk.yaml", "name: desk\n")
///     .with("data/passages.csv", "id,text\np1,Thirty days notice.\n");
/// ```
#[derive(Clone, Debug, Default)]
pub struct InMemoryFiles {
    files: BTreeMap<PathBuf, Arc<[u8]>>,
}

impl InMemoryFiles {
    /// No files.
    pub fn new() -> InMemoryFiles {
        InMemoryFiles::default()
    }

    /// Adds a file; a file that has this name already is replaced.
    #[must_use]
    pub fn with(mut self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> InMemoryFiles {
        self.files.insert(normalized(name.as_ref()), content.as_ref().into());
        self
    }

    fn get(&self, path: &Path) -> Result<&Arc<[u8]>> {
        self.files.get(&normalized(path)).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "there is no file of that name in memory")
        })
    }
}

/// Where files are read from.
#[derive(Clone, Copy, Debug)]
pub enum InputSource<'a> {
    /// The disk.
    Disk,
    /// Memory; the disk is left alone.
    Memory(&'a InMemoryFiles),
}

impl<'a> InputSource<'a> {
    /// A file of this source.
    pub fn file(self, path: &'a Path) -> InputFile<'a> {
        InputFile { path, source: self }
    }

    /// Whether `path` is a folder.
    pub fn is_folder(self, path: &Path) -> bool {
        match self {
            InputSource::Disk => path.is_dir(),
            InputSource::Memory(memory) => {
                let folder = normalized(path);
                memory.files.keys().any(|name| *name != folder && name.starts_with(&folder))
            }
        }
    }

    /// Shortens `a/../b` to `b`, for messages. On disk it stays as it is if `a` is a symbolic link and `b` is another
    /// file.
    pub fn simplified(self, path: &Path) -> PathBuf {
        let tidy = without_parents(path);
        match self {
            InputSource::Disk if path.exists() && !tidy.exists() => path.to_owned(),
            _ => tidy,
        }
    }

    /// The names in a folder, in any order: those of files only, or of everything.
    pub fn names_in(self, folder: &Path, only_files: bool) -> Vec<OsString> {
        match self {
            InputSource::Disk => {
                let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
                entries
                    .filter(|entry| {
                        !only_files || entry.file_type().is_ok_and(|kind| kind.is_file())
                    })
                    .map(|entry| entry.file_name())
                    .collect()
            }
            InputSource::Memory(memory) => {
                let folder = normalized(folder);
                // Memory holds only files: a folder is the beginning of their names.
                let inside = memory.files.keys().filter(|name| name.parent() == Some(&folder));
                inside.filter_map(|name| Some(name.file_name()?.to_owned())).collect()
            }
        }
    }
}

/// A file that is named by a path.
#[derive(Clone, Copy, Debug)]
pub struct InputFile<'a> {
    path: &'a Path,
    source: InputSource<'a>,
}

/// Files on disk.
impl<'a> From<&'a Path> for InputFile<'a> {
    fn from(path: &'a Path) -> InputFile<'a> {
        InputSource::Disk.file(path)
    }
}

/// Files on disk.
impl<'a> From<&'a PathBuf> for InputFile<'a> {
    fn from(path: &'a PathBuf) -> InputFile<'a> {
        InputSource::Disk.file(path)
    }
}

impl<'a> InputFile<'a> {
    /// The path, as messages show it.
    pub fn path(self) -> &'a Path {
        self.path
    }

    /// Where it is read from.
    pub fn source(self) -> InputSource<'a> {
        self.source
    }

    /// Whether it is a folder on disk, which stands for the scenario in it.
    pub fn is_folder(self) -> bool {
        self.source.is_folder(self.path)
    }

    /// The content as a stream.
    ///
    /// # Errors
    /// As [`super::open`].
    pub fn open(self) -> Result<InputStream> {
        Ok(match self.source {
            InputSource::Disk => InputStream::Disk(super::open(self.path)?),
            InputSource::Memory(memory) => {
                InputStream::Memory(Cursor::new(memory.get(self.path)?.clone()))
            }
        })
    }

    /// The bytes.
    ///
    /// # Errors
    /// As [`super::read`].
    pub fn read(self) -> Result<Vec<u8>> {
        match self.source {
            InputSource::Disk => super::read(self.path),
            InputSource::Memory(memory) => {
                let bytes = memory.get(self.path)?;
                match bytes.len() as u64 > MAX_FILE_BYTES {
                    true => Err(too_large(MAX_FILE_BYTES)),
                    false => Ok(bytes.to_vec()),
                }
            }
        }
    }

    /// The text, whatever its encoding.
    ///
    /// # Errors
    /// As [`super::read_text`].
    pub fn read_text(self) -> anyhow::Result<String> {
        let bytes = self.read().with_context(|| format!("cannot read {}", self.path.display()))?;
        encoding::decode(bytes).with_context(|| self.path.display().to_string())
    }

    /// The lines.
    ///
    /// # Errors
    /// As [`TextLineReader::open`].
    pub fn lines(self) -> Result<TextLineReader> {
        match self.source {
            InputSource::Disk => TextLineReader::open(self.path),
            InputSource::Memory(_) => TextLineReader::from_bytes(self.read()?),
        }
    }
}

/// The content of a file that is being read.
pub enum InputStream {
    /// A file on disk.
    Disk(File),
    /// A file in memory.
    Memory(Cursor<Arc<[u8]>>),
}

impl Read for InputStream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            InputStream::Disk(file) => file.read(buffer),
            InputStream::Memory(bytes) => bytes.read(buffer),
        }
    }
}

/// Shortens `a/../b` to `b`.
fn without_parents(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match (part, tidy.components().next_back()) {
            (Component::ParentDir, Some(Component::Normal(_))) => {
                tidy.pop();
            }
            _ => tidy.push(part),
        }
    }
    tidy
}

/// The one form of a name under which a file is found in memory.
fn normalized(name: &Path) -> PathBuf {
    let name: Cow<Path> = match name.strip_prefix(".") {
        Ok(rest) => rest.into(),
        Err(_) => name.into(),
    };
    without_parents(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_memory_are_found_under_every_spelling_of_their_name() {
        let files = InMemoryFiles::new().with("./data/a.csv", "id\n1\n").with("b.csv", "");
        let source = InputSource::Memory(&files);
        for name in ["data/a.csv", "./data/a.csv", "data/../data/a.csv"] {
            let file = source.file(Path::new(name));
            assert_eq!(file.read().unwrap(), b"id\n1\n", "{name}");
            assert_eq!(file.read_text().unwrap(), "id\n1\n");
            let mut streamed = Vec::new();
            file.open().unwrap().read_to_end(&mut streamed).unwrap();
            assert_eq!(streamed, b"id\n1\n");
            assert_eq!(file.lines().unwrap().next_line().unwrap().unwrap().1, b"id");
        }
        // A file that only the disk has is not found.
        let on_disk = source.file(Path::new("Cargo.toml")).read().unwrap_err();
        assert_eq!(on_disk.kind(), ErrorKind::NotFound);
        assert!(source.is_folder(Path::new("data")) && !source.is_folder(Path::new("b.csv")));
        assert!(!source.is_folder(Path::new("src")));
        assert_eq!(source.names_in(Path::new(""), true), ["b.csv"]);
        assert_eq!(source.names_in(Path::new("./data"), true), ["a.csv"]);
    }
}
