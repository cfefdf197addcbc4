//! Splits a contract's text into chunks at paragraph and sentence borders.

use std::ops::Range;

/// The chunk sizes that [`chunk`] accepts, in characters.
pub const SIZES: std::ops::RangeInclusive<usize> = 100..=20_000;

/// How suitable the position before a character is for a cut, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ChunkBorder {
    None,
    Word,
    Sentence,
    Paragraph,
}

/// Splits `text` into byte ranges that cover it in order, without gap or overlap.
///
/// `text` must have its white space folded, with `\n` at paragraph borders. A chunk has at most `size` characters,
/// except that the last one may be a quarter longer to avoid a tiny remainder. The cut is at the last paragraph
/// border in the second half of the allowed length, else at the last sentence border in its last three quarters,
/// else between words there, else at `size`. A heading stays with the text that follows it.
pub fn chunk(text: &str, size: usize) -> Vec<Range<usize>> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let borders = borders(&chars);
    let mut chunks = Vec::new();
    let (mut start, mut start_byte) = (0, 0);
    while start < chars.len() {
        let end = if chars.len() - start <= size + size / 4 {
            chars.len()
        } else {
            cut_position(&borders, start, size)
        };
        let end_byte = chars.get(end).map_or(text.len(), |&(byte, _)| byte);
        chunks.push(start_byte..end_byte);
        (start, start_byte) = (end, end_byte);
    }
    chunks
}

fn cut_position(borders: &[ChunkBorder], start: usize, size: usize) -> usize {
    let limit = start + size;
    let last =
        |from: usize, least: ChunkBorder| (from + 1..=limit).rev().find(|&at| borders[at] >= least);
    last(start + size / 2, ChunkBorder::Paragraph)
        .or_else(|| last(start + size / 4, ChunkBorder::Sentence))
        .or_else(|| last(start + size / 4, ChunkBorder::Word))
        .unwrap_or(limit)
}

/// A line of at most this many characters that does not end in punctuation is a heading (or a page number).
const MAX_HEADING_CHARS: usize = 80;

/// The kind of border before each character.
fn borders(chars: &[(usize, char)]) -> Vec<ChunkBorder> {
    let mut borders = vec![ChunkBorder::None; chars.len()];
    let mut paragraph = 0;
    for at in 1..chars.len() {
        borders[at] = match chars[at - 1].1 {
            '\n' => {
                let heading = at - paragraph <= MAX_HEADING_CHARS
                    && !matches!(chars[at.saturating_sub(2)].1, '.' | ';' | ':' | '!' | '?');
                paragraph = at;
                if heading { ChunkBorder::Word } else { ChunkBorder::Paragraph }
            }
            ' ' if ends_sentence(chars, at - 1) => ChunkBorder::Sentence,
            ' ' => ChunkBorder::Word,
            _ => ChunkBorder::None,
        };
    }
    borders
}

/// Abbreviations whose full stop does not end a sentence. Single letters and numbers are treated in the same way.
const ABBREVIATIONS: [&str; 24] = [
    "Inc", "Co", "Corp", "Ltd", "No", "Nos", "Sec", "Art", "Mr", "Mrs", "Ms", "Dr", "St", "vs",
    "etc", "e.g", "i.e", "U.S", "U.S.A", "L.P", "N.A", "S.A", "Jr", "al",
];

/// Whether a sentence ends before the space at `space`.
fn ends_sentence(chars: &[(usize, char)], space: usize) -> bool {
    let mut end = space;
    while char_before(chars, end).is_some_and(|c| matches!(c, '"' | '\'' | ')' | ']' | '”' | '’'))
    {
        end -= 1;
    }
    match char_before(chars, end) {
        Some(';' | '!' | '?') => return true,
        Some('.') => {}
        _ => return false,
    }
    let next = chars.get(space + 1).map(|&(_, c)| c);
    if !next.is_some_and(|c| c.is_uppercase() || c.is_ascii_digit() || "\"'([“‘".contains(c)) {
        return false;
    }
    let mut word: Vec<char> = Vec::new();
    let mut at = end - 1;
    while char_before(chars, at).is_some_and(|c| !c.is_whitespace() && c != '(') && word.len() <= 8
    {
        at -= 1;
        word.push(chars[at].1);
    }
    word.reverse();
    let numbering = word.iter().all(|c| c.is_ascii_digit() || *c == '.');
    let word: String = word.into_iter().collect();
    !(numbering || word.chars().count() == 1 || ABBREVIATIONS.contains(&word.as_str()))
}

fn char_before(chars: &[(usize, char)], at: usize) -> Option<char> {
    at.checked_sub(1).map(|at| chars[at].1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::whitespace::FoldedText;
    use super::*;

    fn texts(text: &str, size: usize) -> Vec<&str> {
        chunk(text, size).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn cuts_at_paragraphs_then_sentences_and_keeps_headings() {
        let first =
            "The term is two years. It renews by itself for one year at a time, unless ended.";
        let text =
            format!("{first}\n15. GOVERNING LAW\nThe laws of New York govern. {first} {first}");
        let chunks = texts(&text, 120);
        assert_eq!(chunks[0], format!("{first}\n"));
        assert!(chunks[1].starts_with("15. GOVERNING LAW\nThe laws"), "{chunks:?}");
        assert!(chunks[1].ends_with(". "), "{chunks:?}");
    }

    #[test]
    fn abbreviations_and_numbering_do_not_end_a_sentence() {
        let ends = |text: &str| -> Vec<usize> {
            let chars: Vec<_> = text.char_indices().collect();
            (0..chars.len()).filter(|&at| chars[at].1 == ' ' && ends_sentence(&chars, at)).collect()
        };
        assert_eq!(ends("Acme Inc. Delaware, see Sec. 4 and 4.1. Term of J. Doe").len(), 0);
        assert_eq!(ends("It ends. (b) Next; and \"so.\" Then"), [8, 18, 28]);
    }

    proptest! {
        #[test]
        fn chunks_cover_the_text_within_bounds(
            text in "([a-zA-Zé“漢 .;\n0-9]{0,40}[ \n]?[.\n]{0,2}){0,60}", size in 100usize..300,
        ) {
            let text = FoldedText::from_contract(&text).with_paragraphs;
            let chunks = texts(&text, size);
            prop_assert_eq!(chunks.concat(), text.clone());
            for (i, chunk) in chunks.iter().enumerate() {
                let length = chunk.chars().count();
                let last = i + 1 == chunks.len();
                let (least, most) = if last { (1, size + size / 4) } else { (size / 4, size) };
                prop_assert!((least..=most).contains(&length), "{} characters", length);
            }
            prop_assert_eq!(chunk(&text, size), chunk(&text, size));
        }
    }
}
