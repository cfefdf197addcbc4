//! Folds the white space of a text so that a clause is found regardless of line breaks.

/// A contract's text with each run of white space folded to one character.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoldedText {
    /// A paragraph border is `\n`, other white space is one space.
    pub with_paragraphs: String,
    /// The same text with a space for each paragraph border, byte for byte as long. Clause texts are searched in it.
    pub flat: String,
}

impl FoldedText {
    /// Folds a contract; two line ends or a form feed within a run of white space make a paragraph border.
    pub fn from_contract(text: &str) -> FoldedText {
        let with_paragraphs = fold_white_space(text, '\n');
        let flat = with_paragraphs.replace('\n', " ");
        FoldedText { with_paragraphs, flat }
    }
}

/// Folds a text whose paragraphs are irrelevant.
pub fn fold_to_spaces(text: &str) -> String {
    fold_white_space(text, ' ')
}

/// Zero-width characters that may occur inside words: soft hyphen, zero-width space, byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{feff}')
}

fn fold_white_space(text: &str, border: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    let mut line_ends = 0;
    for c in text.chars().filter(|&c| !is_invisible(c)) {
        if c.is_whitespace() {
            gap = true;
            match c {
                '\n' => line_ends += 1,
                '\u{c}' | '\u{2029}' => line_ends += 2,
                _ => {}
            }
            continue;
        }
        if gap && !out.is_empty() {
            out.push(if line_ends >= 2 { border } else { ' ' });
        }
        gap = false;
        line_ends = 0;
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_white_space_and_keeps_paragraphs() {
        let folded =
            FoldedText::from_contract("\u{feff}\n  A\tb\r\n c \n \n\nD on\u{ad}going\u{3000}e \n");
        assert_eq!(folded.with_paragraphs, "A b c\nD ongoing e");
        assert_eq!(folded.flat, "A b c D ongoing e");
        assert_eq!(fold_to_spaces(" two\n\n parts "), "two parts");
    }
}
