//! Splits a text into sentences.

use std::ops::Range;

/// Abbreviations whose full stop does not end a sentence.
const ABBREVIATIONS: [&str; 26] = [
    "inc", "ltd", "co", "corp", "no", "nos", "sec", "art", "mr", "mrs", "ms", "dr", "v", "vs",
    "e.g", "i.e", "st", "jan", "feb", "aug", "sept", "sep", "oct", "nov", "dec", "approx",
];

/// Sentences longer than this many characters are also split at semicolons.
const LONG_SENTENCE: usize = 300;

/// The byte ranges of the sentences, without surrounding white space.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let whole = cut(text, 0..text.len(), |before, mark, after| {
        let ends = matches!(mark, '.' | '!' | '?');
        mark == '\n'
            || ends && begins_sentence(after) && !(mark == '.' && ends_in_abbreviation(before))
    });
    let mut all = Vec::new();
    for sentence in whole {
        if text[sentence.clone()].chars().count() <= LONG_SENTENCE {
            all.push(sentence);
        } else {
            all.extend(cut(text, sentence, |_, mark, _| mark == ';'));
        }
    }
    all
}

/// Splits `part` of a text after each mark for which `here(text before, mark, text after)` is true.
fn cut(
    text: &str,
    part: Range<usize>,
    here: impl Fn(&str, char, &str) -> bool,
) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = part.start;
    let mut push = |piece: Range<usize>| {
        let inside = &text[piece.clone()];
        let from = piece.start + inside.len() - inside.trim_start().len();
        let trimmed = from..from + inside.trim().len();
        pieces.extend((!trimmed.is_empty()).then_some(trimmed));
    };
    for (at, mark) in text[part.clone()].char_indices() {
        let (at, end) = (part.start + at, part.start + at + mark.len_utf8());
        if here(&text[start..at], mark, &text[end..part.end]) {
            push(start..end);
            start = end;
        }
    }
    push(start..part.end);
    pieces
}

/// Whether the text after a mark looks like a new sentence.
fn begins_sentence(after: &str) -> bool {
    let mut rest = after.trim_start_matches(['"', '\u{201d}', ')']).chars();
    match rest.next() {
        None => true,
        Some(space) if space.is_whitespace() => rest
            .find(|c| !c.is_whitespace())
            .is_none_or(|c| c.is_uppercase() || c.is_numeric() || "\"\u{201c}(".contains(c)),
        Some(_) => false,
    }
}

/// Whether the full stop after this text belongs to an abbreviation, an initial or a number.
fn ends_in_abbreviation(before: &str) -> bool {
    let last = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or("");
    let last = last.to_lowercase();
    let initial = last.rsplit('.').next().is_some_and(|letters| letters.chars().count() <= 1);
    // A number alone is a section number; at the end of a longer sentence it is a year or an amount.
    let numbering = before.trim_start() == last.as_str()
        || last.len() <= 2 && last.chars().all(|c| c.is_ascii_digit());
    initial || ABBREVIATIONS.contains(&last.as_str()) || numbering
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_they_end() {
        let text =
            "3.1 Made by Acme Inc. and Bolt B.V. on 1 May 2020. It ends in 2021. 4. No. 7 stays.";
        let cut: Vec<&str> = sentences(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(
            cut,
            [
                "3.1 Made by Acme Inc. and Bolt B.V. on 1 May 2020.",
                "It ends in 2021.",
                "4. No. 7 stays."
            ]
        );
    }
}
