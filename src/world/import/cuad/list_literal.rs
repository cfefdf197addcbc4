//! Parses Python list literals of strings, such as `['one', "it's two"]`, in which the authors store clause texts.

use std::iter::Peekable;
use std::str::CharIndices;

/// Parses a Python list literal of strings; an empty cell is an empty list.
///
/// Supports both quote styles and Python's escapes. The error gives the byte offset, what was found there and
/// what is allowed.
pub fn parse(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut input = ListLiteralParser { chars: text.char_indices().peekable(), end: text.len() };
    let mut items = Vec::new();
    input.expect('[')?;
    loop {
        input.skip_space();
        match input.next() {
            Some((_, ']')) => break,
            Some((_, quote @ ('\'' | '"'))) => items.push(input.string(quote)?),
            other => return Err(input.error(other, "a quoted text or ']'")),
        }
        input.skip_space();
        match input.next() {
            Some((_, ']')) => break,
            Some((_, ',')) => {}
            other => return Err(input.error(other, "',' or ']'")),
        }
    }
    match input.next() {
        None => Ok(items),
        other => Err(input.error(other, "nothing after the list")),
    }
}

struct ListLiteralParser<'a> {
    chars: Peekable<CharIndices<'a>>,
    end: usize,
}

impl ListLiteralParser<'_> {
    fn next(&mut self) -> Option<(usize, char)> {
        self.chars.next()
    }

    fn skip_space(&mut self) {
        while self.chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        match self.next() {
            Some((_, c)) if c == wanted => Ok(()),
            other => Err(self.error(other, "a list that starts with '['")),
        }
    }

    fn error(&self, found: Option<(usize, char)>, allowed: &str) -> String {
        match found {
            Some((at, c)) => format!("byte {at}: found '{c}'; allowed: {allowed}"),
            None => format!("byte {}: the cell ends; allowed: {allowed}", self.end),
        }
    }

    /// Reads the rest of a string after its opening quote.
    fn string(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(self.error(None, "the closing quote")),
                Some((_, c)) if c == quote => return Ok(text),
                Some((at, '\\')) => self.escape(at, &mut text)?,
                Some((_, c)) => text.push(c),
            }
        }
    }

    /// Reads the escape that follows the backslash at byte `at` and appends its character to `text`.
    fn escape(&mut self, at: usize, text: &mut String) -> Result<(), String> {
        let Some((_, c)) = self.next() else {
            return Err(self.error(None, "the rest of an escape"));
        };
        let plain = match c {
            '\n' => return Ok(()),
            '\\' | '\'' | '"' => c,
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            'x' => self.code(at, 2)?,
            'u' => self.code(at, 4)?,
            'U' => self.code(at, 8)?,
            '0'..='7' => {
                let mut code = c as u32 - '0' as u32;
                for _ in 0..2 {
                    let digit = self.chars.next_if(|(_, c)| c.is_digit(8));
                    let Some(digit) = digit.and_then(|(_, c)| c.to_digit(8)) else {
                        break;
                    };
                    code = code * 8 + digit;
                }
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            // Like Python, keep the backslash of an unknown escape.
            other => {
                text.push('\\');
                other
            }
        };
        text.push(plain);
        Ok(())
    }

    /// Reads a character code of exactly `digits` hexadecimal digits.
    fn code(&mut self, at: usize, digits: usize) -> Result<char, String> {
        let mut code = 0u32;
        for _ in 0..digits {
            let digit = self.next().and_then(|(_, c)| c.to_digit(16));
            let digit = digit.ok_or_else(|| {
                format!("byte {at}: a broken escape; allowed: {digits} hexadecimal digits")
            })?;
            code = code << 4 | digit;
        }
        // A lone surrogate is not a `char`.
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_python_prints() {
        assert_eq!(parse("").unwrap(), Vec::<String>::new());
        assert_eq!(parse("[]").unwrap(), Vec::<String>::new());
        assert_eq!(
            parse(r#"['days\' notice', "Endorser's [Name], here", 'a\\b']"#).unwrap(),
            ["days' notice", "Endorser's [Name], here", "a\\b"]
        );
        assert_eq!(
            parse(r"['on\xadgoing\u200b\n\nA\U0001f600\101\q',]").unwrap(),
            ["on\u{ad}going\u{200b}\n\nA\u{1f600}A\\q"]
        );
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, part) in [
            ("'one'", "starts with '['"),
            ("['one' 'two']", "',' or ']'"),
            ("['one", "closing quote"),
            (r"['\x4']", "2 hexadecimal digits"),
            ("['one'] and", "nothing after"),
            ("[1]", "a quoted text or ']'"),
            (r"['one\", "rest of an escape"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
