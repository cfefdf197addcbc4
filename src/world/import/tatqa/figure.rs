//! Figures: where they are, and how they are read in the table cells and paragraphs of English reports.

use std::ops::Range;

use crate::extract::number::{DecimalSeparator, WrittenNumber};

/// The location of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FigureLocation {
    /// Row and column of the table, from 0.
    Cell { row: usize, column: usize },
    /// A half-open range of characters in the paragraph with this order.
    Text { paragraph: usize, start: usize, end: usize },
}

/// The figure in a cell: `$(8,280)` is -8280, `(66)%` is -66, `12.3%` is 12.3 (percentage points).
///
/// `None` for a cell that contains words, a dash or nothing.
pub fn figure_in_cell(text: &str) -> Option<f64> {
    let plain: String =
        text.chars().filter(|c| !c.is_whitespace() && !"$€£¥%".contains(*c)).collect();
    WrittenNumber::new(&plain)?.value_with(DecimalSeparator::Point)
}

/// The figure at `span` (a half-open range of characters of `text`), completed if the span ends inside it.
pub fn figure_in_text(text: &str, span: Range<usize>) -> Option<f64> {
    let chars: Vec<char> = text.chars().collect();
    let mut span = span.start..span.end.min(chars.len());
    let first = span.find(|i| is_part_of_figure(&chars, *i))?;
    let start = (0..=first).rev().take_while(|i| is_part_of_figure(&chars, *i)).last()?;
    let end = (first..chars.len()).take_while(|i| is_part_of_figure(&chars, *i)).last()? + 1;
    figure_in_cell(&chars[start..end].iter().collect::<String>())
}

fn is_part_of_figure(chars: &[char], i: usize) -> bool {
    match chars.get(i) {
        // A point or comma belongs to the figure only between digits.
        Some('.' | ',') => {
            let before = i.checked_sub(1).and_then(|i| chars.get(i));
            before.is_some_and(char::is_ascii_digit)
                && chars.get(i + 1).is_some_and(char::is_ascii_digit)
        }
        c => c.is_some_and(char::is_ascii_digit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        for (text, value) in [
            ("$(8,280)", Some(-8280.0)),
            ("$ (11.9)", Some(-11.9)),
            ("(66)%", Some(-66.0)),
            ("12.3%", Some(12.3)),
            ("—", None),
            ("$500   2.800% senior notes due 2021", None),
            ("", None),
        ] {
            assert_eq!(figure_in_cell(text), value, "{text}");
        }
    }

    #[test]
    fn a_span_that_stops_inside_a_figure_means_all_of_it() {
        let text = "totalled ’s $1,882 and 3.5%.";
        let at = text.chars().position(|c| c == '1').unwrap();
        assert_eq!(figure_in_text(text, at..at + 4), Some(1882.0));
        assert_eq!(figure_in_text(text, at - 1..at + 5), Some(1882.0));
        assert_eq!(figure_in_text(text, 0..8), None);
        assert_eq!(figure_in_text(text, 900..usize::MAX), None);
    }
}
