//! Output to the terminal. All text for stdout and stderr passes through here.
//!
//! Text from user data (an id, a passage, a file name) may contain control characters that a terminal obeys: moving
//! the cursor, hiding text or renaming the window. They are printed escaped, as `\u{1b}`, and so are characters that
//! change the direction of writing. Colour sequences pass only in [`styled_output`] and [`styled_to_stderr`], and only
//! if colours are on: for texts that we colour, and in which user data is made visible before.
//!
//! If the reader of stdout has gone (`| head`), further output is dropped and the command still ends with its own
//! exit code. If stderr cannot be written to, only the messages are lost.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use crate::output::OutputDestination;
use crate::visible_text::{self, acts_on_terminal, cut_lines};

/// Writes a line to stderr.
macro_rules! complain {
    ($($text:tt)*) => { $crate::cli::terminal::to_stderr(&format!("{}\n", format_args!($($text)*))) };
}
pub(super) use complain;

/// Writes a message to stderr; see [`complain`] for single lines.
pub fn to_stderr(text: &str) {
    write_to_stderr(text, false);
}

/// Writes a message to stderr that has colour sequences of ours, such as [`crate::scenario::Diagnostics::render`].
pub fn styled_to_stderr(text: &str) {
    write_to_stderr(text, colour(&io::stderr()));
}

fn write_to_stderr(text: &str, colours: bool) {
    let mut stderr = io::stderr();
    let text = visible(text, colours);
    let text = cut_lines(&text);
    // A failure to write to stderr cannot be reported anywhere.
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Prints an error of the argument parser, which quotes the arguments.
pub fn print_usage_error(error: &clap::Error) {
    let mut arguments = std::env::args_os();
    let are_plain =
        arguments.all(|argument| !argument.to_string_lossy().contains(acts_on_terminal));
    // The parser removes only some of the control characters that it quotes, and colours the rest.
    match are_plain && colour(&io::stderr()) {
        true => styled_to_stderr(&error.render().ansi().to_string()),
        false => to_stderr(&error.render().to_string()),
    }
}

/// Stdout for text that a person reads.
pub fn text_output() -> VisibleStdout {
    VisibleStdout {
        stdout: io::stdout(),
        mode: StdoutMode::Visible { colours: false },
        closed: false,
    }
}

/// Stdout for text that a person reads and that has colour sequences of ours.
pub fn styled_output() -> VisibleStdout {
    let stdout = io::stdout();
    let shown = StdoutMode::Visible { colours: colour(&stdout) };
    VisibleStdout { stdout, mode: shown, closed: false }
}

/// Stdout for data that a program reads: bytes are written unchanged, unless stdout is a terminal.
pub fn data_output() -> VisibleStdout {
    let stdout = io::stdout();
    let shown =
        if stdout.is_terminal() { StdoutMode::Visible { colours: false } } else { StdoutMode::Raw };
    VisibleStdout { stdout, mode: shown, closed: false }
}

/// The stream for messages of a command whose files go to `paths`: stdout, or stderr if one of the paths is stdout.
pub fn message_stream(paths: &[Option<&Path>]) -> Box<dyn Write> {
    match paths
        .iter()
        .flatten()
        .any(|path| OutputDestination::of(path) == OutputDestination::Stdout)
    {
        true => Box::new(VisibleStderr),
        false => Box::new(text_output()),
    }
}

/// Stderr; see [`to_stderr`].
struct VisibleStderr;

impl Write for VisibleStderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        to_stderr(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    /// Written in one piece, so that a colour sequence is never split.
    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.write_all(text.to_string().as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum StdoutMode {
    Raw,
    Visible { colours: bool },
}

/// See [`text`] and [`data`].
pub struct VisibleStdout {
    stdout: io::Stdout,
    mode: StdoutMode,
    closed: bool,
}

impl Write for VisibleStdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let written = match self.mode {
            StdoutMode::Raw => self.stdout.write_all(bytes),
            StdoutMode::Visible { colours } => {
                let text = String::from_utf8_lossy(bytes);
                self.stdout.write_all(visible(&text, colours).as_bytes())
            }
        };
        self.ignore_broken_pipe(written)
    }

    /// Written in one piece, so that a colour sequence is never split.
    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.write_all(text.to_string().as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.stdout.flush();
        self.ignore_broken_pipe(flushed)
    }
}

impl VisibleStdout {
    fn ignore_broken_pipe(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            result => result,
        }
    }
}

/// Whether to colour output to `stream`; see <https://no-color.org>.
pub fn colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// `text` with control characters escaped as `\u{1b}`. Line ends and tabs stay, and with `colours` colour sequences
/// do too.
pub fn visible(text: &str, colours: bool) -> Cow<'_, str> {
    if !colours || !text.contains(acts_on_terminal) {
        return visible_text::visible(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(acts_on_terminal) {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = match (colour_sequence_len(rest), rest.chars().next()) {
            (Some(length), _) => {
                shown.push_str(&rest[..length]);
                length
            }
            (None, Some(c)) => {
                shown.extend(c.escape_unicode());
                c.len_utf8()
            }
            (None, None) => break,
        };
        rest = &rest[end..];
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// The length of the escape sequence at the start of `text` if it only sets colours or weights.
fn colour_sequence_len(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("\u{1b}[")?;
    let end = inside.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    let numbers: Vec<u8> = match &inside[..end] {
        "" => Vec::new(),
        numbers => numbers.split(';').map(|n| n.parse().ok()).collect::<Option<_>>()?,
    };
    let sets_colour = match numbers.as_slice() {
        [38 | 48, 5, _] | [38 | 48, 2, _, _, _] => true,
        // Not 5 (blinking), 7 (reversed) or 8 (hidden).
        all => all
            .iter()
            .all(|n| matches!(n, 0..=4 | 22..=24 | 30..=37 | 39..=47 | 49 | 90..=97 | 100..=107)),
    };
    (inside[end..].starts_with('m') && sets_colour).then_some(2 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        for (text, plain) in [
            ("c001 \u{1b}[2J", "c001 \\u{1b}[2J"),
            ("\u{1b}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}"),
            ("paid\rheld", "paid\\u{d}held"),
            ("a\u{8}b\u{7f}", "a\\u{8}b\\u{7f}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("user\u{202e}txt.exe", "user\\u{202e}txt.exe"),
            ("\u{1b}[8mhidden", "\\u{1b}[8mhidden"),
            ("a\0b", "a\\u{0}b"),
            ("lines\nand\ttabs, Größe, 東京, 👍🏽", "lines\nand\ttabs, Größe, 東京, 👍🏽"),
        ] {
            assert_eq!(visible(text, false), plain, "{text:?}");
            assert_eq!(visible(text, true), plain, "{text:?} with colours");
        }
    }

    #[test]
    fn only_colours_pass_and_only_if_enabled() {
        for text in
            ["\u{1b}[1m\u{1b}[91merror\u{1b}[0m", "\u{1b}[38;5;12mblue\u{1b}[39m", "\u{1b}[m"]
        {
            assert_eq!(visible(text, true), text);
            assert!(!visible(text, false).contains('\u{1b}'));
        }
        for text in ["\u{1b}[2J", "\u{1b}[1;8m", "\u{1b}[1", "\u{1b}[999m", "\u{1b}[1A"] {
            assert!(!visible(text, true).contains('\u{1b}'), "{text:?}");
        }
    }
}
