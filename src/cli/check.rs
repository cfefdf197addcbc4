//! `knockon check`: reports the mistakes in scenarios and their data, and what would prevent a run from starting,
//! without running anything; or explains a mistake code.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::progress::ProgressBars;
use super::terminal::{self, colour, complain};
use super::{EXIT_SUCCESS, EXIT_USAGE};
use crate::progress::{NoProgress, ProgressListener};
use crate::run::effort;
use crate::scenario::{self, Diagnostics};
use crate::session::Session;
use crate::visible_text;

/// Check scenario files and the data they name, without running anything
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  knockon check scenarios/*.yaml
  knockon check --explain unknown-key
  knockon check --explain

Exit code: 0 all fine, 1 mistakes were found, 2 a file cannot be opened.")]
pub struct CheckArgs {
    /// The scenario files.
    #[arg(required_unless_present = "explain", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Explain a code, as in error[unknown-key]; without a code, list them all.
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "", conflicts_with = "files")]
    pub explain: Option<String>,
}

/// Runs the command; mistakes go to stderr.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    if let Some(code) = &args.explain {
        return explain(code);
    }
    let (text, code, hint) =
        report_with_hint(args, colour(&std::io::stderr()), &ProgressBars::new());
    let hint = hint.map(|hint| hint + "\n").unwrap_or_default();
    terminal::styled_to_stderr(&(text + &hint));
    Ok(ExitCode::from(code))
}

/// Prints the explanation of a code, given as `unknown-key` or `error[unknown-key]`; without a code the list.
fn explain(code: &str) -> anyhow::Result<ExitCode> {
    let mut stdout = terminal::text_output();
    if code.is_empty() {
        let width = scenario::explanations().map(|e| e.code.len()).max().unwrap_or(0);
        for explanation in scenario::explanations() {
            writeln!(stdout, "{:width$}  {}", explanation.code, explanation.first_sentence())?;
        }
        return Ok(ExitCode::from(EXIT_SUCCESS));
    }
    let bare = code.trim().strip_prefix("error").unwrap_or(code.trim());
    match scenario::explain(bare.trim_matches(['[', ']'])) {
        Ok(explanation) => stdout.write_all(explanation.plain().as_bytes())?,
        Err(error) => {
            complain!("error: --explain: {error}");
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    }
    Ok(ExitCode::from(EXIT_SUCCESS))
}

/// The report on the files, and the exit code.
pub fn report(args: &CheckArgs, colour: bool) -> (String, u8) {
    let (text, code, _) = report_with_hint(args, colour, &NoProgress);
    (text, code)
}

/// The notes on a scenario that can be run, or its mistakes.
fn check_scenario(
    path: &Path,
    progress: &dyn ProgressListener,
) -> Result<Vec<String>, Diagnostics> {
    let session = Session::owning(scenario::load_with_progress(path, progress)?);
    let session = session.with_progress(progress);
    let (scenario, arms) = (session.scenario(), session.all_arms());
    let right = session.preflight(&arms)?;
    let notes = scenario.notes.iter().cloned().chain(right.notes());
    Ok(notes.chain(effort::notes(scenario, &arms)).collect())
}

/// As [`report`], with a hint where to read on if there were mistakes.
fn report_with_hint(
    args: &CheckArgs,
    colour: bool,
    progress: &dyn ProgressListener,
) -> (String, u8, Option<String>) {
    let (mut text, mut mistakes, mut wrong, mut unreadable) = (String::new(), 0, 0, 0);
    let mut hint = None;
    for path in &args.files {
        match check_scenario(path, progress) {
            Ok(notes) => {
                for note in notes {
                    let note = format!("note: {}: {note}\n\n", path.display());
                    text.push_str(&visible_text::visible(&note));
                }
            }
            Err(diagnostics) => {
                text.push_str(&diagnostics.render(colour));
                text.push_str("\n\n");
                mistakes += diagnostics.count();
                hint.get_or_insert_with(|| diagnostics.hint());
                match diagnostics.unreadable {
                    Some(_) => unreadable += 1,
                    None => wrong += 1,
                }
            }
        }
    }
    let fine = args.files.len() - wrong - unreadable;
    let mut parts = Vec::new();
    if wrong > 0 {
        parts.push(format!("{} in {}", counted(mistakes, "mistake"), counted(wrong, "file")));
    }
    if unreadable > 0 {
        parts.push(format!("{} cannot be read", counted(unreadable, "file")));
    }
    if fine > 0 {
        parts.push(format!("{} fine", counted(fine, "file")));
    }
    text.push_str(&parts.join(", "));
    text.push('\n');
    // An unreadable file takes precedence: it could contain any number of mistakes.
    let code = match (unreadable, wrong) {
        (0, 0) => 0,
        (0, _) => 1,
        _ => 2,
    };
    (text, code, hint)
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
