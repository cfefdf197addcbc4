//! Suggests the nearest option for one that does not exist, where clap's own measure finds none near enough.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::CliArgs;

/// `error` with a suggestion if it is about an unknown option; `arguments` are those of the program, without its name.
pub(super) fn with_nearest(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    if error.kind() == ErrorKind::UnknownArgument
        && error.get(ContextKind::SuggestedArg).is_none()
        && let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg)
        && let Some(option) = nearest_option(unknown.trim_start_matches('-'), arguments)
    {
        let suggested = ContextValue::String(format!("--{option}"));
        error.insert(ContextKind::SuggestedArg, suggested);
    }
    error
}

/// The option of the command that `arguments` name whose spelling is nearest, if at most half of the letters differ.
fn nearest_option(unknown: &str, arguments: &[OsString]) -> Option<String> {
    let program = CliArgs::command();
    let mut command = &program;
    for argument in arguments {
        match command.find_subcommand(argument) {
            Some(inner) => command = inner,
            None => break,
        }
    }
    let options = command.get_arguments().filter_map(|argument| argument.get_long());
    let near =
        options.map(|option| (strsim::damerau_levenshtein(unknown, option), option)).min()?;
    (2 * near.0 <= unknown.chars().count()).then(|| near.1.to_owned())
}
