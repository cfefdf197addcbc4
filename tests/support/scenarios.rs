//! Scenarios from files and from texts.

use std::path::{Path, PathBuf};

use knockon::scenario::{self, Scenario};

/// A file of this repository, independent of the working directory.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A scenario without mistakes.
pub fn load(path: &Path) -> Scenario {
    scenario::load(path).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)))
}

/// A scenario beside files with these names and texts, or its rendered mistakes.
pub fn load_text(yaml: &str, files: &[(&str, &str)]) -> Result<Scenario, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let path = dir.path().join("small.yaml");
    std::fs::write(&path, yaml).unwrap();
    scenario::load(&path).map_err(|mistakes| mistakes.render(false))
}
