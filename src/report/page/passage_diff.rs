//! Shows two passages side by side and marks the words that differ.

use maud::{Markup, html};
use similar::{ChangeTag, TextDiff};

/// Characters compared; the rest of a longer text is left out.
const MAX_CHARS: usize = 2_400;
/// Equal words kept on each side of a difference; words further away are left out.
const CONTEXT_WORDS: usize = 14;
/// The least similarity for marks. Below it nearly every word would be marked, so the texts are shown without marks.
const MIN_SIMILARITY: f32 = 0.15;

/// One of the two passages.
pub struct ComparedPassage<'a> {
    pub caption: String,
    pub text: &'a str,
}

/// The two passages, `wrong` on the left and `right` on the right.
pub fn compare_passages(wrong: &ComparedPassage, right: &ComparedPassage) -> Markup {
    let [old, new] = [wrong.text, right.text].map(words);
    let diff = TextDiff::from_slices(&old, &new);
    let alike = diff.ratio() >= MIN_SIMILARITY;
    let changes: Vec<(ChangeTag, &str)> =
        diff.iter_all_changes().map(|change| (change.tag(), change.value())).collect();
    html! {
        div.pair {
            @for (side, own, class) in [(wrong, ChangeTag::Delete, "wrong"), (right, ChangeTag::Insert, "right")] {
                figure class=(class) {
                    figcaption { (side.caption) }
                    blockquote { @if alike { (mark_changes(&changes, own)) } @else { (super::number_format::truncated(side.text, MAX_CHARS)) } }
                }
            }
        }
    }
}

/// The words of the first [`MAX_CHARS`] characters of a text.
fn words(text: &str) -> Vec<&str> {
    let end = text.char_indices().nth(MAX_CHARS).map_or(text.len(), |(at, _)| at);
    text[..end].split_whitespace().collect()
}

/// The words of one side: those tagged `own`, marked, and those that both sides have.
fn mark_changes(changes: &[(ChangeTag, &str)], own: ChangeTag) -> Markup {
    // Changes of the other side are dropped, which joins the equal words around them into one stretch.
    let both: Vec<(ChangeTag, &str)> = changes
        .iter()
        .copied()
        .filter(|(tag, _)| *tag == own || *tag == ChangeTag::Equal)
        .collect();
    let stretches: Vec<&[(ChangeTag, &str)]> = both.chunk_by(|a, b| a.0 == b.0).collect();
    let last = stretches.len().saturating_sub(1);
    html! {
        @for (n, stretch) in stretches.iter().enumerate() {
            @if n > 0 { " " }
            @let before = if n == 0 { 0 } else { CONTEXT_WORDS };
            @let after = if n == last { 0 } else { CONTEXT_WORDS };
            // The beginning of the text needs no context before it, and its end none after it.
            @if stretch[0].0 == own {
                mark { (joined_words(stretch)) }
            } @else if stretch.len() > before + after + CONTEXT_WORDS {
                (joined_words(&stretch[..before])) " \u{2026} " (joined_words(&stretch[stretch.len() - after..]))
            } @else {
                (joined_words(stretch))
            }
        }
    }
}

fn joined_words(part: &[(ChangeTag, &str)]) -> String {
    part.iter().map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(wrong: &str, right: &str) -> String {
        let side = |text| ComparedPassage { caption: String::new(), text };
        compare_passages(&side(wrong), &side(right)).into_string()
    }

    #[test]
    fn only_what_differs_is_marked() {
        let shown = shown("Give sixty days of <b> notice.", "Give ninety days of <b> notice.");
        assert!(shown.contains("Give <mark>sixty</mark> days of &lt;b&gt; notice."), "{shown}");
        assert!(shown.contains("Give <mark>ninety</mark> days of &lt;b&gt; notice."), "{shown}");
    }

    #[test]
    fn long_equal_parts_are_elided_and_unrelated_texts_unmarked() {
        let same: String = (0..90).map(|n| format!(" word{n}")).collect();
        let long = shown(&format!("a{same}"), &format!("b{same}"));
        assert!(long.contains("word0 ") && long.contains('\u{2026}') && !long.contains("word80"));
        assert!(!shown("one two three", "four five six").contains("<mark>"));
    }
}
