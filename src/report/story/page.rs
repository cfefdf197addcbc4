//! Lines wrapped to a width, with paint that costs no columns.

/// What a stretch of text looks like in colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Bold,
    Dim,
    Right,
    Wrong,
}

impl Paint {
    fn code(self) -> Option<&'static str> {
        match self {
            Paint::Plain => None,
            Paint::Bold => Some("1"),
            Paint::Dim => Some("2"),
            Paint::Right => Some("32"),
            Paint::Wrong => Some("31"),
        }
    }
}

pub struct Page {
    text: String,
    width: usize,
    colour: bool,
}

/// Narrower than this nothing could be read.
const NARROWEST: usize = 40;

impl Page {
    pub fn new(width: usize, colour: bool) -> Page {
        Page { text: String::new(), width: width.max(NARROWEST), colour }
    }

    pub fn finish(self) -> String {
        self.text
    }

    pub fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Writes one paragraph: its first line begins at column `first`, the others at `rest`. Text from
    /// passages may hold anything: white space other than blanks, and control characters, become blanks.
    pub fn line(&mut self, first: usize, rest: usize, parts: &[(String, Paint)]) {
        let mut chars: Vec<(char, Paint)> = parts
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
            // The last blank within reach; a longer word is broken.
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

    /// Writes the beginning of a text, as much of it as one line holds.
    pub fn cut(&mut self, indent: usize, text: &str, paint: Paint) {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut chars: Vec<(char, Paint)> = words.chars().map(|c| (plain(c), paint)).collect();
        let room = self.width.saturating_sub(indent).max(1);
        if chars.len() > room {
            chars.truncate(room - 1);
            chars.push(('\u{2026}', paint));
        }
        self.write(indent, &chars);
    }

    fn write(&mut self, indent: usize, chars: &[(char, Paint)]) {
        self.text.extend(std::iter::repeat_n(' ', indent));
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
