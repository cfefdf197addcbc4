//! `knockon schema`: prints the JSON Schema of scenario files, for editors.

use std::io::Write;
use std::process::ExitCode;

use super::terminal;
use crate::scenario;

/// Runs the command.
pub fn run() -> anyhow::Result<ExitCode> {
    terminal::data_output().write_all(text()?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The schema, byte for byte as committed in scenarios/scenario.schema.json.
pub fn text() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(scenario::schema())? + "\n")
}
