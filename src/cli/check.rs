//! `knockon check`: reads scenarios with their data and says what is wrong, without running anything.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::Bars;
use crate::scenario;
use crate::watch::{Quiet, Watch};

/// Check scenario files and the data they name; run nothing
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  knockon check scenarios/*.yaml\n\n\
Exit code: 0 all fine, 1 mistakes were found, 2 a file cannot be opened.")]
pub struct Args {
    /// The scenario files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Runs the command; mistakes go to stderr.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let stderr = std::io::stderr();
    let (text, code) = told(args, super::colour(&stderr), &Bars::new());
    stderr.lock().write_all(text.as_bytes())?;
    Ok(ExitCode::from(code))
}

/// What is said about the files, and the exit code.
pub fn report(args: &Args, colour: bool) -> (String, u8) {
    told(args, colour, &Quiet)
}

fn told(args: &Args, colour: bool, watch: &dyn Watch) -> (String, u8) {
    let (mut text, mut mistakes, mut wrong, mut unreadable) = (String::new(), 0, 0, 0);
    for path in &args.files {
        match scenario::load_watched(path, watch) {
            Ok(scenario) => {
                for note in &scenario.notes {
                    text.push_str(&format!("note: {}: {note}\n\n", path.display()));
                }
            }
            Err(diagnostics) => {
                text.push_str(&diagnostics.render(colour));
                text.push_str("\n\n");
                mistakes += diagnostics.count();
                match diagnostics.unreadable {
                    Some(_) => unreadable += 1,
                    None => wrong += 1,
                }
            }
        }
    }
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let fine = args.files.len() - wrong - unreadable;
    let mut parts = Vec::new();
    if wrong > 0 {
        parts.push(format!("{} in {}", count(mistakes, "mistake"), count(wrong, "file")));
    }
    if unreadable > 0 {
        parts.push(format!("{} cannot be read", count(unreadable, "file")));
    }
    if fine > 0 {
        parts.push(format!("{} fine", count(fine, "file")));
    }
    text.push_str(&parts.join(", "));
    text.push('\n');
    let code = match (unreadable, wrong) {
        (0, 0) => 0,
        (0, _) => 1,
        _ => 2,
    };
    (text, code)
}
