//! The files that a scenario names.

/// A file that the result depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioInputFile {
    /// The path as written in the scenario. For the scenario file itself only the file name, so that the same
    /// files give the same manifest in any folder.
    pub path: String,
    /// The BLAKE3 hash of the file's bytes, in hexadecimal.
    pub blake3: String,
}
