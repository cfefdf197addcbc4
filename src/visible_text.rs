//! Prepares text of the user's data to be shown: control characters are made visible, and lengths are limited.
//!
//! A terminal obeys control characters: it moves the cursor, hides text, or renames its window. A spreadsheet and
//! `less` pass them on. So wherever text of data is shown, in a message, a cell of a report or the page, they are
//! written as `\u{1b}`, and so are the characters that change the direction of writing.

use std::borrow::Cow;

/// Longest line that a message shows, in characters.
pub const MAX_LINE_CHARS: usize = 4_000;
/// Longest value that a message shows, in characters.
const MAX_VALUE_CHARS: usize = 40;

/// Whether a terminal acts on this character, other than by ending a line or going to the next tab stop.
pub fn acts_on_terminal(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && !matches!(c, '\n' | '\t'))
}

/// `text` with control characters written as `\u{1b}`; line ends and tabs are kept.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(acts_on_terminal) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if acts_on_terminal(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// `text` with every line cut after [`MAX_LINE_CHARS`] characters, followed by its full length.
pub fn cut_lines(text: &str) -> Cow<'_, str> {
    // A line has at least as many bytes as characters.
    if text.split('\n').all(|line| line.len() <= MAX_LINE_CHARS) {
        return Cow::Borrowed(text);
    }
    let lines = text.split('\n').map(|line| match line.char_indices().nth(MAX_LINE_CHARS) {
        Some((at, _)) => format!("{}… ({} characters)", &line[..at], line.chars().count()),
        None => line.to_owned(),
    });
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

/// A value in quotes, cut if it is long.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE_CHARS) {
        Some((at, _)) => format!("'{}…'", visible(&text[..at])),
        None => format!("'{}'", visible(text)),
    }
}

/// What is wrong with a name or an id of at most `longest` characters, and what is allowed; `None` if it is valid.
pub fn name_problem(name: &str, longest: usize) -> Option<(String, String)> {
    if name.len() > longest && name.chars().count() > longest {
        let what = format!("{} has {} characters", quoted(name), name.chars().count());
        return Some((what, format!("up to {longest} characters")));
    }
    let control = name.chars().find(|c| c.is_control() || acts_on_terminal(*c))?;
    Some((
        format!("{} has the control character U+{:04X}", quoted(name), u32::from(control)),
        "any characters but control characters, which line ends and tabs are as well".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_an_end_and_no_control_characters() {
        for name in ["-rf", "../../etc", "a/b\\c", "=1+1", "Größe 東京", "a b", ".", "'x'", ""]
        {
            assert_eq!(name_problem(name, 9), None, "{name:?}");
        }
        for (name, what) in [
            ("a\u{1b}[2J", "'a\\u{1b}[2J' has the control character U+001B"),
            ("a\0", "'a\\u{0}' has the control character U+0000"),
            ("a\nb", "'a\nb' has the control character U+000A"),
            ("\u{9b}1m", "'\\u{9b}1m' has the control character U+009B"),
            ("x\u{202e}", "'x\\u{202e}' has the control character U+202E"),
            ("0123456789", "'0123456789' has 10 characters"),
        ] {
            assert_eq!(name_problem(name, 9).unwrap().0, what);
        }
        let long = name_problem(&"ä".repeat(1_000_000), 200).unwrap().0;
        assert_eq!(long, format!("'{}…' has 1000000 characters", "ä".repeat(40)));
    }

    #[test]
    fn a_line_is_cut_and_its_length_said() {
        let long = "x".repeat(MAX_LINE_CHARS);
        for text in ["", "a\nb\n", long.as_str()] {
            assert_eq!(cut_lines(text), text);
        }
        let text = format!("error: {}\nthe rest", "ä".repeat(1_000_000));
        let cut = cut_lines(&text);
        assert!(cut.ends_with("ä… (1000007 characters)\nthe rest") && cut.chars().count() < 5_000);
    }
}
