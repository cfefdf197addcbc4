//! Locates clause texts in their contract.

use std::ops::Range;

use super::whitespace;

/// The marker for words that the authors left out of a clause text.
const OMITTED: &str = "<omitted>";

/// A part of at least this many bytes identifies the clause at each of its occurrences. A shorter one (a name, a
/// date) also recurs outside the clause, so only its first occurrence is used.
const LONG_PART_BYTES: usize = 40;

/// The result of locating one clause text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocatedClauseText {
    /// Byte ranges of the contract's text.
    pub ranges: Vec<Range<usize>>,
    /// Parts that the contract does not contain. The text counts as located if there are none.
    pub missing: Vec<String>,
}

/// Searches `flat`, a contract with its white space folded to spaces, for the parts of `text`.
pub fn locate(flat: &str, text: &str) -> LocatedClauseText {
    let mut located = LocatedClauseText::default();
    let mut from = 0;
    for part in text.split(OMITTED) {
        let part = whitespace::fold_to_spaces(part);
        if part.is_empty() {
            continue;
        }
        if part.len() >= LONG_PART_BYTES {
            let before = located.ranges.len();
            located.ranges.extend(flat.match_indices(&part).map(|(at, _)| at..at + part.len()));
            match located.ranges.get(before) {
                Some(first) => from = first.end,
                None => located.missing.push(part),
            }
            continue;
        }
        // Parts occur in order, so a short one is first searched for after the previous one.
        let found = whole_word(&flat[from..], &part).map(|at| at + from);
        match found.or_else(|| whole_word(flat, &part)).or_else(|| flat.find(&part)) {
            Some(at) => {
                from = at + part.len();
                located.ranges.push(at..from);
            }
            None => located.missing.push(part),
        }
    }
    located
}

/// The first position at which `part` neither starts nor ends inside a word.
fn whole_word(text: &str, part: &str) -> Option<usize> {
    let starts = part.chars().next().is_some_and(char::is_alphanumeric);
    let ends = part.chars().next_back().is_some_and(char::is_alphanumeric);
    text.match_indices(part).map(|(at, _)| at).find(|&at| {
        let inside_before =
            starts && text[..at].chars().next_back().is_some_and(char::is_alphanumeric);
        let inside_after =
            ends && text[at + part.len()..].chars().next().is_some_and(char::is_alphanumeric);
        !inside_before && !inside_after
    })
}

/// The chunks (in order, without gaps) that state the clause: those that contain at least 40 bytes of `range`, and
/// the chunk with the largest share even if it contains less. Returns each chunk's index and number of bytes.
pub fn chunks_stating(chunks: &[Range<usize>], range: &Range<usize>) -> Vec<(usize, usize)> {
    let first = chunks.partition_point(|chunk| chunk.end <= range.start);
    let overlaps: Vec<(usize, usize)> = (first..chunks.len())
        .take_while(|&i| chunks[i].start < range.end)
        .map(|i| (i, chunks[i].end.min(range.end) - chunks[i].start.max(range.start)))
        .collect();
    let most = overlaps.iter().map(|&(_, bytes)| bytes).max().unwrap_or(0);
    let enough = most.min(LONG_PART_BYTES);
    overlaps.into_iter().filter(|&(_, bytes)| bytes >= enough).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_parts_in_order_and_names_what_is_missing() {
        let flat = "MAX and MA agree. The term is MA two years. MA signs.";
        assert_eq!(locate(flat, "MA").ranges.first(), Some(&(8..10)));
        let located = locate(flat, "The term\n\n is<omitted>MA<omitted>  <omitted>never said");
        assert_eq!(located.ranges, [18..29, 30..32]);
        assert_eq!(located.missing, ["never said"]);
        // An occurrence inside a word is better than none.
        assert_eq!(locate("MAX", "MA").ranges.first(), Some(&(0..2)));
    }

    #[test]
    fn a_long_text_is_marked_wherever_it_stands() {
        let clause = "This Agreement is governed by the laws of the State of Nevada.";
        let flat = format!("{clause} Exhibit. {clause}");
        assert_eq!(locate(&flat, clause).ranges.len(), 2);
    }

    #[test]
    fn a_scrap_of_a_clause_does_not_state_it() {
        let chunks = [0..100, 100..200, 200..300];
        assert_eq!(chunks_stating(&chunks, &(95..180)), [(1, 80)]);
        assert_eq!(chunks_stating(&chunks, &(50..250)), [(0, 50), (1, 100), (2, 50)]);
        assert_eq!(chunks_stating(&chunks, &(90..103)), [(0, 10)]);
        assert_eq!(chunks_stating(&chunks, &(90..110)), [(0, 10), (1, 10)]);
    }
}
