//! Text wrapped to a width, with ANSI colours that do not count towards it.

/// The style of a piece of text if colours are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextStyle {
    Plain,
    Bold,
    Dim,
    Right,
    Wrong,
}

impl TextStyle {
    /// The SGR parameter of the ANSI escape sequence; `None` for plain text.
    fn code(self) -> Option<&'static str> {
        match self {
            TextStyle::Plain => None,
            TextStyle::Bold => Some("1"),
            TextStyle::Dim => Some("2"),
            TextStyle::Right => Some("32"),
            TextStyle::Wrong => Some("31"),
        }
    }
}

/// A text that is built up line by line.
pub struct WrappedText {
    text: String,
    width: usize,
    colour: bool,
}

/// The least line width; narrower terminals wrap lines themselves.
const MIN_WIDTH: usize = 40;

impl WrappedText {
    pub fn new(width: usize, colour: bool) -> WrappedText {
        WrappedText { text: String::new(), width: width.max(MIN_WIDTH), colour }
    }

    pub fn finish(self) -> String {
        self.text
    }

    pub fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Writes one paragraph: its first line begins at column `first`, the others at `rest`. Passages may contain
    /// any character, so control characters and white space become blanks.
    pub fn line(&mut self, first: usize, rest: usize, parts: &[(String, TextStyle)]) {
        let mut chars: Vec<(char, TextStyle)> = parts
            .iter()
            .flat_map(|(text, paint)| text.chars().map(|c| (plain(c), *paint)))
            .collect();
        while chars.last().is_some_and(|(c, _)| *c == ' ') {
            chars.pop();
        }
        let mut left = chars.as_slice();
        let mut indent = first;
        loop {
            let room = self.width.saturating_sub(indent).max(1);
            if left.len() <= room {
                self.write(indent, left);
                return;
            }
            // Break at the last blank that fits; a word longer than the line is split.
            let blank = left[..=room].iter().rposition(|(c, _)| *c == ' ').filter(|&at| at > 0);
            let end = blank.unwrap_or(room);
            self.write(indent, &left[..end]);
            left = &left[end..];
            while left.first().is_some_and(|(c, _)| *c == ' ') {
                left = &left[1..];
            }
            indent = rest;
        }
    }

    /// Writes one line of a text, cut off with an ellipsis.
    pub fn write_truncated(&mut self, indent: usize, text: &str, paint: TextStyle) {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut chars: Vec<(char, TextStyle)> = words.chars().map(|c| (plain(c), paint)).collect();
        let room = self.width.saturating_sub(indent).max(1);
        if chars.len() > room {
            chars.truncate(room - 1);
            chars.push(('\u{2026}', paint));
        }
        self.write(indent, &chars);
    }

    fn write(&mut self, indent: usize, chars: &[(char, TextStyle)]) {
        self.text.extend(std::iter::repeat_n(' ', indent));
        // One escape sequence per run of equal paint, not per character.
        for run in chars.chunk_by(|a, b| a.1 == b.1) {
            let code = run[0].1.code().filter(|_| self.colour);
            if let Some(code) = code {
                self.text.push_str(&format!("\x1b[{code}m"));
            }
            self.text.extend(run.iter().map(|(c, _)| c));
            if code.is_some() {
                self.text.push_str("\x1b[0m");
            }
        }
        self.text.push('\n');
    }
}

fn plain(c: char) -> char {
    if c.is_whitespace() || c.is_control() { ' ' } else { c }
}
