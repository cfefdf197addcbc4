//! The program built together with the tests.

use std::path::Path;
use std::process::{Command, Output};

/// The command of the program, not yet started.
pub fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_knockon"))
}

/// Runs the program with these arguments in a folder.
pub fn run_in(folder: &Path, arguments: &[&str]) -> Output {
    command().args(arguments).current_dir(folder).output().unwrap()
}

/// The program's stdout.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The program's stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
