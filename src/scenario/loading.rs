//! Reads a scenario file and runs all stages on its text.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::diagnostics::{Diagnostic, Diagnostics};
use super::file::ScenarioFile;
use super::named_files::ScenarioInputFile;
use super::resolve::{MissingRunPolicy, ScenarioResolver};
use super::resolved_scenario::Scenario;
use super::{node, schema_check};
use crate::input_file::{InMemoryFiles, InputFile, InputSource, encoding};
use crate::progress::{NoProgress, ProgressListener};

/// Reads and checks a scenario and all its data files. The error holds every mistake.
pub fn load(path: &Path) -> Result<Scenario, Diagnostics> {
    load_with_progress(path, &NoProgress)
}

/// The same as [`load`], with progress events.
pub fn load_with_progress(
    path: &Path,
    progress: &dyn ProgressListener,
) -> Result<Scenario, Diagnostics> {
    load_file(InputFile::from(&scenario_path(path)), MissingRunPolicy::Report, progress)
}

/// The same as [`load_with_progress`], without the run files that do not exist yet: to export the queries from which
/// they are made. Nothing can be searched in them.
pub fn load_for_queries(
    path: &Path,
    progress: &dyn ProgressListener,
) -> Result<Scenario, Diagnostics> {
    load_file(InputFile::from(&scenario_path(path)), MissingRunPolicy::Empty, progress)
}

/// Reads and checks a scenario and all its data files in memory; `name` is that of the scenario among them. The error
/// holds every mistake.
pub fn load_from(name: &str, files: &InMemoryFiles) -> Result<Scenario, Diagnostics> {
    let file = InputSource::Memory(files).file(Path::new(name));
    load_file(file, MissingRunPolicy::Report, &NoProgress)
}

fn load_file(
    file: InputFile,
    missing_runs: MissingRunPolicy,
    progress: &dyn ProgressListener,
) -> Result<Scenario, Diagnostics> {
    let path = file.path();
    let shown = path.display().to_string();
    let mut diagnostics = Diagnostics {
        path: shown.clone(),
        source: String::new(),
        mistakes: Vec::new(),
        unreadable: None,
    };
    let bytes = match file.read() {
        Ok(bytes) => bytes,
        Err(error) => {
            let why =
                if file.is_folder() { missing_scenario_message(path) } else { error.to_string() };
            diagnostics.unreadable = Some(format!("cannot read {shown}: {why}"));
            return Err(diagnostics);
        }
    };
    let name = path.file_name().map_or(shown, |name| name.to_string_lossy().into_owned());
    // Of the bytes as they are, before decoding, so that the hash is that of the file.
    let input = ScenarioInputFile { path: name, blake3: blake3::hash(&bytes).to_hex().to_string() };
    let bytes = match encoding::to_utf8(bytes) {
        Ok(bytes) => bytes,
        Err(error) => {
            diagnostics.unreadable = Some(format!("cannot read {}: {error}", diagnostics.path));
            return Err(diagnostics);
        }
    };
    let resolved = match String::from_utf8(bytes) {
        // Kept with the mistakes, which quote its lines.
        Ok(text) => {
            diagnostics.source = text;
            resolve_text(&diagnostics.source, file, input, missing_runs, progress)
        }
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            // Only so that the message can show the line.
            diagnostics.source = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let message = format!("the file is not UTF-8 text: byte {} is invalid", good + 1);
            let mistake = Diagnostic::new("not-utf8", good..good + 1, message);
            Err(vec![mistake.label("save the file as UTF-8")])
        }
    };
    resolved.map_err(|found| {
        diagnostics.mistakes = found;
        diagnostics.sort_and_merge();
        diagnostics
    })
}

/// The file name of a scenario that is given by its folder.
const SCENARIO_FILE_NAME: &str = "scenario.yaml";

/// The path of the scenario file, if `path` is a folder that holds one; otherwise `path` itself.
fn scenario_path(path: &Path) -> PathBuf {
    let inside = path.join(SCENARIO_FILE_NAME);
    if path.is_dir() && inside.is_file() { inside } else { path.to_owned() }
}

/// The error message for a folder without a scenario file; names the YAML files in it, if any.
fn missing_scenario_message(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    let mut there: Vec<String> =
        entries.filter(is_yaml).map(|path| path.display().to_string()).collect();
    there.sort();
    match there.as_slice() {
        [] => format!("it is a folder, without a {SCENARIO_FILE_NAME}"),
        there => format!("it is a folder; name the file: {}", there.join(", ")),
    }
}

/// Runs all stages on the text of the file.
fn resolve_text(
    text: &str,
    written: InputFile,
    input: ScenarioInputFile,
    missing_runs: MissingRunPolicy,
    progress: &dyn ProgressListener,
) -> Result<Scenario, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let raw = match node::parse(text, &mut found) {
        Ok(raw) => raw,
        Err(mistake) => {
            found.push(*mistake);
            return Err(found);
        }
    };
    let Some(sound) = schema_check::check(&raw, &mut found) else {
        return Err(found);
    };
    let file = match ScenarioFile::deserialize(&sound) {
        Ok(file) => file,
        Err(mismatch) => {
            let message = format!("the file cannot be deserialized: {mismatch}");
            found.push(Diagnostic::new("wrong-shape", raw.head(), message));
            return Err(found);
        }
    };
    let path = written.path();
    let dir = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut resolver = ScenarioResolver {
        file: text,
        tree: &raw,
        source: written.source(),
        dir,
        mistakes: found,
        notes: Vec::new(),
        inputs: vec![input],
        extractions: Vec::new(),
        amounts: Vec::new(),
        missing_runs,
        progress,
    };
    let resolved = resolver.resolve_file(&file, path);
    let found = resolver.mistakes;
    match resolved {
        Some(mut scenario) => {
            scenario.source.root = raw;
            Ok(scenario)
        }
        // A bug in the resolver, which must not pass for success.
        None if found.is_empty() => {
            let message = "the file cannot be deserialized, and no check explains why";
            Err(vec![Diagnostic::new("wrong-shape", raw.head(), message)])
        }
        None => Err(found),
    }
}
