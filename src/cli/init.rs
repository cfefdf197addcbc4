//! `knockon init`: writes a small commented scenario with its data, to run, read and change.
//!
//! It asks no questions and overwrites nothing. The files are embedded from `init/`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::terminal::{self, complain};
use super::{EXIT_SUCCESS, EXIT_USAGE, schema};
use crate::atomic_file;
use crate::output::OutputWriter;

/// Write a small commented scenario with its data, ready to run
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon init
  knockon init returns

Writes scenario.yaml, passages.jsonl, tasks.csv, and scenario.schema.json for editors. Nothing is \
overwritten: where one of them is there already, nothing is written at all (exit code 2).")]
pub struct InitArgs {
    /// The folder; created if needed
    #[arg(default_value = ".")]
    dir: PathBuf,
}

/// Name, content and description of each file.
const FILES: [(&str, &str, &str); 3] = [
    (
        "scenario.yaml",
        include_str!("init/scenario.yaml"),
        "a returns desk; its comments teach the format",
    ),
    ("passages.jsonl", include_str!("init/passages.jsonl"), "what its agent searches"),
    ("tasks.csv", include_str!("init/tasks.csv"), "the cases that are replayed"),
];

/// Runs the command.
pub fn run(args: &InitArgs) -> anyhow::Result<ExitCode> {
    let schema = schema::text()?;
    let mut files = FILES.to_vec();
    files.push((
        "scenario.schema.json",
        &schema,
        "for editors, which complete and check the scenario by it",
    ));
    OutputWriter::default().check_folder(&args.dir, &[], None)?;
    let there: Vec<String> = files
        .iter()
        .map(|(name, ..)| args.dir.join(name))
        // A broken link counts as existing.
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if !there.is_empty() {
        let list = there.join(", ");
        let (are, them) = if there.len() == 1 { ("is", "it") } else { ("are", "them") };
        complain!("error: {list} {are} there already; move {them} away, or name another folder");
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    let contents: Vec<(&str, &str)> = files.iter().map(|&(name, text, _)| (name, text)).collect();
    atomic_file::write_all(&args.dir, &contents)?;
    let mut stdout = terminal::text_output();
    let width = files.iter().map(|(name, ..)| typed_path(&args.dir, name).len()).max().unwrap_or(0);
    for (name, _, what) in &files {
        writeln!(stdout, "{:width$}  {what}", typed_path(&args.dir, name))?;
    }
    writeln!(stdout, "\nNext: knockon run {}", typed_path(&args.dir, "scenario.yaml"))?;
    Ok(ExitCode::from(EXIT_SUCCESS))
}

/// The path as a user would type it: `scenario.yaml`, not `./scenario.yaml`.
fn typed_path(dir: &Path, name: &str) -> String {
    match dir.as_os_str().as_encoded_bytes() {
        b"." => name.to_owned(),
        _ => dir.join(name).display().to_string(),
    }
}
