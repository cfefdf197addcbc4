//! `knockon gate`: compares a run with an earlier one and fails if it is worse, for use in CI.

mod arguments;
mod comparison;
mod report_files;

use std::io::Write;
use std::process::ExitCode;

use super::terminal::{self, complain};
use super::{
    EXIT_FINDING, EXIT_SUCCESS, OverwriteArgs, input_files, load_scenario, set_thread_count,
};
use crate::gate;
use crate::output::{OutputDestination, OutputWriter};
pub use arguments::GateArgs;
use arguments::baseline_files;
use comparison::{GateComparison, GateNotCompared, compare};
use report_files::GateReportPaths;
pub use report_files::report_wrong_use;

pub fn run(args: GateArgs) -> anyhow::Result<ExitCode> {
    let paths =
        GateReportPaths { junit: args.junit.as_deref(), markdown: args.markdown.as_deref() };
    let file = args.file.display().to_string();
    let loaded = set_thread_count(args.threads).map(|()| load_scenario(&args.file));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            paths.try_write_error(&OutputWriter::default(), &file, &format!("{error:#}"));
            return Err(error);
        }
    };
    let inputs = match &loaded {
        Ok(scenario) => input_files(scenario),
        Err(_) => vec![args.file.clone()],
    };
    let inputs = inputs.into_iter().chain(baseline_files(&args.baseline));
    // The inputs of a scenario with mistakes are unknown, so no file that knockon did not write is replaced.
    let force = if loaded.is_ok() { args.force } else { OverwriteArgs::default() };
    let output = force.output().with_inputs(inputs);
    if loaded.is_err() && args.force != force {
        complain!(
            "note: --force replaces nothing here, since it is not known what the scenario reads"
        );
    }
    // The files first say that the gate did not finish, so that an interrupted gate leaves no earlier verdict, and a
    // path that cannot be written is reported before the work. Streams are skipped: they contain no earlier verdict,
    // and what is sent to them cannot be replaced.
    let unfinished = paths.check(&output).and_then(|()| {
        let unfinished = ["the gate did not finish".to_owned()];
        paths.write_error(&output, &file, &unfinished, |path| OutputDestination::of(path).is_file())
    });
    if let Err(error) = unfinished {
        paths.try_write_error(&output, &file, &format!("{error:#}"));
        return Err(error);
    }
    let compared = match compare(&args, loaded) {
        Ok(compared) => compared,
        Err(GateNotCompared { scenario, reasons, code }) => {
            paths.write_error(&output, &scenario, &reasons, |_| true)?;
            return Ok(ExitCode::from(code));
        }
    };
    let GateComparison { scenario, checks, changed, notes } = compared;
    let settings = args.question();
    let criterion = settings.criterion;
    paths.write(
        &output,
        [
            gate::junit(&scenario, &checks, criterion),
            gate::markdown(&scenario, &checks, &changed, &settings),
        ],
        |_| true,
    )?;
    let mut messages = terminal::message_stream(&[paths.junit, paths.markdown]);
    writeln!(messages, "{}", gate::table(&checks, criterion))?;
    writeln!(messages, "{}", gate::legend(&settings))?;
    let failed = checks.iter().filter(|check| !check.passes(criterion)).count();
    match failed {
        0 => writeln!(messages, "The gate passed: no check failed.")?,
        _ => writeln!(
            messages,
            "The gate failed: {failed} of {} checks failed.",
            gate::count_limited(&checks)
        )?,
    }
    messages.flush()?;
    super::print_notes(&notes);
    Ok(ExitCode::from(if failed == 0 { EXIT_SUCCESS } else { EXIT_FINDING }))
}
