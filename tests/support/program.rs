//! The program that was built together with the tests.

use std::path::Path;
use std::process::{Command, Output};

/// The program, not yet started.
pub fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_knockon"))
}

/// What the program does with these arguments in a folder.
pub fn run_in(folder: &Path, arguments: &[&str]) -> Output {
    command().args(arguments).current_dir(folder).output().unwrap()
}

/// What it wrote to stdout.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it wrote to stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
