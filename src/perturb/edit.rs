//! Edits of a sentence: byte ranges and their replacements. Capitalisation at the start of the sentence and
//! `a` or `an` before a changed word are corrected here, so that rules need not consider them.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// The replacement of a byte range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SentenceEdit {
    pub range: Range<usize>,
    pub replacement: String,
}

/// The edits of one change; their ranges do not overlap.
pub(super) type SentenceChange = Vec<SentenceEdit>;

impl SentenceEdit {
    pub fn new(range: Range<usize>, with: impl Into<String>) -> SentenceEdit {
        SentenceEdit { range, replacement: with.into() }
    }
}

/// A change that exchanges the texts of two ranges.
pub(super) fn exchange(text: &str, a: &Range<usize>, b: &Range<usize>) -> SentenceChange {
    vec![
        SentenceEdit::new(a.clone(), &text[b.clone()]),
        SentenceEdit::new(b.clone(), &text[a.clone()]),
    ]
}

/// The sentence after a change.
pub(super) fn apply(text: &str, change: &[SentenceEdit]) -> String {
    let mut edits: Vec<&SentenceEdit> = change.iter().collect();
    edits.sort_by_key(|edit| edit.range.start);
    let mut out = String::with_capacity(text.len() + 16);
    let mut at = 0;
    for edit in edits {
        out.push_str(&text[at..edit.range.start]);
        // Decided on the output, since an earlier edit may have removed the beginning of the sentence.
        let first = starts_sentence(&out);
        let start = out.len();
        out.push_str(&edit.replacement);
        at = edit.range.end;
        if first {
            let rest = &text[at..];
            match edit.replacement.is_empty() {
                false => out = out[..start].to_owned() + &capitalised(&edit.replacement),
                true => {
                    let length = rest.chars().next().map_or(0, char::len_utf8);
                    out.push_str(&capitalised(&rest[..length]));
                    at += length;
                }
            }
        }
        correct_article(&mut out, start, &text[at..]);
    }
    out.push_str(&text[at..]);
    out
}

static ARTICLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^[^\p{L}]*(A)|[\s(](a))n?\s+$").unwrap());

/// Corrects an indefinite article right before `start`, where the text continues with `out[start..]` and
/// then `rest`.
fn correct_article(out: &mut String, start: usize, rest: &str) {
    let Some(article) = ARTICLE.captures(&out[..start]).and_then(|c| c.get(1).or(c.get(2))) else {
        return;
    };
    let next = format!("{}{}", &out[start..], rest.split(' ').next().unwrap_or(""));
    let a = article.as_str();
    let corrected = if sounds_as_vowel(&next) { format!("{a}n ") } else { format!("{a} ") };
    out.replace_range(article.start()..start, &corrected);
}

fn sounds_as_vowel(word: &str) -> bool {
    const CONSONANT: [&str; 7] = ["uni", "use", "usu", "uti", "eu", "one", "once"];
    // `u` as in `unit` sounds like a consonant; a silent `h` and spoken numbers start with a vowel.
    const VOWEL: [&str; 6] = ["hour", "honest", "honor", "honour", "8", "11"];
    let word = word.trim_start_matches(['"', '\u{201c}', '(']).to_lowercase();
    VOWEL.iter().any(|start| word.starts_with(start))
        || !CONSONANT.iter().any(|start| word.starts_with(start))
            && word.starts_with(['a', 'e', 'i', 'o', 'u'])
}

/// Whether a sentence starts after this text: it is empty, or a number such as `14.1(b)` or `Section 2:`.
pub(super) fn starts_sentence(before: &str) -> bool {
    before.split_whitespace().all(|word| {
        let mut pairs = word.as_bytes().windows(2);
        ["Section", "Article", "Clause"].contains(&word)
            || !pairs.any(|pair| pair.iter().all(u8::is_ascii_alphabetic))
    })
}

/// The text with its first letter in upper case.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `with` in the case of the text that it replaces: `BEFORE`, `Before` or `before`.
pub(super) fn in_case_of(original: &str, with: &str) -> String {
    let mut letters = original.chars().filter(|c| c.is_alphabetic());
    match (letters.next(), letters.next()) {
        // At least two letters, all in upper case, so that a single capital such as `A` is not taken for all caps.
        (Some(_), Some(_)) if !original.contains(char::is_lowercase) => with.to_uppercase(),
        (Some(first), _) if first.is_uppercase() => capitalised(with),
        _ => with.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_keeps_the_sentence_well_formed() {
        let change = |text: &str, from: &str, with: &str| {
            let start = text.find(from).unwrap();
            apply(text, &[SentenceEdit::new(start..start + from.len(), with)])
        };
        assert_eq!(change("It is a non-exclusive right.", "non-", ""), "It is an exclusive right.");
        assert_eq!(change("Grants an exclusive use.", "exclusive", "sole"), "Grants a sole use.");
        assert_eq!(change("Each party pays.", "Each party", "it"), "It pays.");
        assert_eq!(change("Not all pay.", "Not ", ""), "All pay.");
        assert_eq!(change("Not écrit.", "Not ", ""), "Écrit.");
        assert_eq!(change("Not", "Not", ""), "");
        let text = "A pays B.";
        assert_eq!(apply(text, &exchange(text, &(0..1), &(7..8))), "B pays A.");
        assert_eq!(in_case_of("SHALL", "may"), "MAY");
    }
}
