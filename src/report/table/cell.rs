//! One cell of a table: its value, and how it is written in a CSV file.

use std::borrow::Cow;

use crate::visible_text::visible;

/// The type of a column's cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    Text,
    Whole,
    YesNo,
    Number,
    Money,
}

/// A typed cell.
#[derive(Clone, Debug, PartialEq)]
pub enum TableCell {
    /// No value, such as a rate over no cases.
    Empty,
    /// An empty text is written as an empty cell.
    Text(String),
    Whole(usize),
    YesNo(bool),
    /// Rounded to six decimals, which is finer than any interval in a report.
    Number(f64),
    /// An amount of money, rounded to two decimals.
    Money(f64),
    /// An amount of money per case, rounded to four decimals: a search costs less than a cent.
    MoneyPerCase(f64),
}

impl TableCell {
    /// The text of the cell in a CSV file.
    pub fn csv(&self) -> String {
        match self {
            TableCell::Empty => String::new(),
            TableCell::Text(text) => visible(&text_cell(text)).into_owned(),
            TableCell::Whole(whole) => whole.to_string(),
            TableCell::YesNo(yes) => if *yes { "yes" } else { "no" }.to_owned(),
            TableCell::Number(value) => format!("{:.6}", rounded(*value, 1e6)),
            TableCell::Money(value) => format!("{:.2}", rounded(*value, 1e2)),
            TableCell::MoneyPerCase(value) => format!("{:.4}", rounded(*value, 1e4)),
        }
    }

    /// A text that is not empty, with control characters made visible.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            TableCell::Text(text) if !text.is_empty() => Some(visible(text)),
            _ => None,
        }
    }

    pub fn whole(&self) -> Option<usize> {
        match self {
            TableCell::Whole(whole) => Some(*whole),
            _ => None,
        }
    }

    pub fn yes_no(&self) -> Option<bool> {
        match self {
            TableCell::YesNo(yes) => Some(*yes),
            _ => None,
        }
    }

    /// A number or an amount, rounded as in the CSV file.
    pub fn number(&self) -> Option<f64> {
        match self {
            TableCell::Number(value) => Some(rounded(*value, 1e6)),
            TableCell::Money(value) => Some(rounded(*value, 1e2)),
            TableCell::MoneyPerCase(value) => Some(rounded(*value, 1e4)),
            _ => None,
        }
    }
}

/// Rounds to a multiple of `1 / per_unit`.
fn rounded(value: f64, per_unit: f64) -> f64 {
    // `+ 0.0` drops the sign of a negative zero. Infinity prints as `inf`, which spreadsheets keep as text and data
    // frames read as a number.
    (value * per_unit).round() / per_unit + 0.0
}

/// A text safe for spreadsheets: one that would be read as a formula gets a leading `'` (OWASP, "CSV injection"). A
/// text that looks quoted already gets another one, so that different texts have different cells; [`cell_text`] removes
/// it again.
fn text_cell(value: &str) -> Cow<'_, str> {
    match needs_quote(value) {
        true => Cow::Owned(format!("'{value}")),
        false => Cow::Borrowed(value),
    }
}

/// The inverse of [`text_cell`].
pub(crate) fn cell_text(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|value| needs_quote(value)).unwrap_or(cell)
}

/// Whether [`text_cell`] puts a quote before a value.
fn needs_quote(value: &str) -> bool {
    value
        .trim_start_matches('\'')
        .starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'])
}

#[cfg(test)]
mod tests {
    use super::{TableCell, cell_text, text_cell};

    #[test]
    fn text_cells_are_distinct_and_reversible() {
        let texts = [
            "=1",
            "'=1",
            "''=1",
            "+1",
            "-1",
            "@a",
            "\ta",
            "\ra",
            "'",
            "''",
            "'a",
            "a",
            "",
            "'-",
            "a=1",
            "\u{feff}=1",
            "−1",
            "'@",
            "＝1",
            "'＝1",
            "＋1",
            "－1",
            "＠a",
            "a＝1",
        ];
        let cells: Vec<_> = texts.iter().map(|value| text_cell(value)).collect();
        assert_eq!(cells[..3], ["'=1", "''=1", "'''=1"]);
        for (at, (value, cell)) in texts.iter().zip(&cells).enumerate() {
            assert_eq!(cell_text(cell), *value);
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
            assert!(!cell.starts_with(['＝', '＋', '－', '＠']), "{cell:?}");
            assert!(!cells[..at].contains(cell), "{cell:?}");
        }
    }

    #[test]
    fn cells_are_written_with_the_decimals_of_their_kind() {
        let cells = [
            (TableCell::Empty, ""),
            (TableCell::Text("=1\u{1b}".to_owned()), "'=1\\u{1b}"),
            (TableCell::Whole(3), "3"),
            (TableCell::YesNo(false), "no"),
            (TableCell::Number(1.0 / 3.0), "0.333333"),
            (TableCell::Number(-1e-9), "0.000000"),
            (TableCell::Number(f64::INFINITY), "inf"),
            (TableCell::Money(1234.567), "1234.57"),
            (TableCell::MoneyPerCase(0.00125), "0.0013"),
            (TableCell::MoneyPerCase(f64::NEG_INFINITY), "-inf"),
        ];
        for (cell, written) in cells {
            assert_eq!(cell.csv(), written, "{cell:?}");
        }
    }
}
