//! `knockon man`: the manual pages, generated from the same text as `--help`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;

use super::terminal;
use super::{EXIT_SUCCESS, OverwriteArgs};

/// Print the manual page, or write one page per command
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon man | man -l -
  knockon man --out ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Write knockon.1 and a page for each command (knockon-run.1, ...) to this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: OverwriteArgs,
}

/// Runs the command.
pub fn run(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let mut command = super::CliArgs::command();
    // Sets the full names of subcommands (`knockon import csv`).
    command.build();
    let Some(out) = &args.out else {
        terminal::data_output().write_all(&page(&command)?)?;
        return Ok(ExitCode::from(EXIT_SUCCESS));
    };
    let output = args.force.output();
    output.check_folder(out, &[], None)?;
    let mut pages = Vec::new();
    collect_pages(&command, &mut pages)?;
    let files: Vec<(&str, &[u8])> =
        pages.iter().map(|(name, page)| (name.as_str(), page.as_slice())).collect();
    output.write_folder(out, &files)?;
    writeln!(terminal::text_output(), "{}: {} pages", out.display(), pages.len())?;
    Ok(ExitCode::from(EXIT_SUCCESS))
}

fn page(command: &clap::Command) -> anyhow::Result<Vec<u8>> {
    let mut page = Vec::new();
    // Without a date, so that the same program always writes the same pages.
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}

/// Adds the page of a command, then those of its subcommands.
fn collect_pages(
    command: &clap::Command,
    pages: &mut Vec<(String, Vec<u8>)>,
) -> anyhow::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    pages.push((format!("{name}.1"), page(command)?));
    for below in command.get_subcommands().filter(|c| c.get_name() != "help" && !c.is_hide_set()) {
        collect_pages(below, pages)?;
    }
    Ok(())
}
