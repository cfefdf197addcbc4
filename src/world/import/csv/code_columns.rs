//! Detects columns whose digits are codes: account, article and telephone numbers, versions.
//!
//! As numbers they would lose information: `007` and `7` or `1.10` and `1.1` would become equal, and the last
//! digits of a 20-digit number would be lost. Such a column is read as text, and the user is told why.

use crate::value::{exact_number, looks_like_code};

/// Words that mark a column as codes if its name contains them.
const CODE_WORDS: [&str; 27] = [
    "account",
    "acct",
    "barcode",
    "code",
    "codes",
    "ean",
    "fax",
    "gtin",
    "iban",
    "id",
    "isbn",
    "mobile",
    "msisdn",
    "phone",
    "plz",
    "postal",
    "postcode",
    "release",
    "sku",
    "ssn",
    "tel",
    "telephone",
    "upc",
    "uuid",
    "version",
    "zip",
    "zipcode",
];

/// Why a column of digits is read as text; `None` if its cells are numbers or are not all digits.
pub fn text_reason<'t>(
    name: &str,
    cells: impl Iterator<Item = (usize, &'t str)>,
) -> Option<String> {
    let cells: Vec<(usize, &str)> = cells.collect();
    if cells.is_empty() || !cells.iter().all(|(_, cell)| is_digits(cell)) {
        return None;
    }
    let why = if let Some((line, cell)) = cells.iter().find(|(_, cell)| is_too_long(cell)) {
        format!("'{cell}' on line {line} has more digits than a number holds")
    } else if let Some((line, cell)) = cells.iter().find(|(_, cell)| looks_like_code(cell)) {
        format!("'{cell}' on line {line} begins with a sign that a number would lose")
    } else if let Some((line, cell)) = find_trailing_zero(&cells) {
        format!(
            "'{cell}' on line {line} ends in a zero that a number would lose, and other cells have other decimals"
        )
    } else if is_code_name(name) {
        "its name suggests codes".to_owned()
    } else {
        return None;
    };
    Some(format!(
        "column '{name}' is read as text, because {why}; use --types {name}=number if the cells are numbers"
    ))
}

/// Whether a cell consists of digits and the characters that may appear between them.
fn is_digits(cell: &str) -> bool {
    cell.contains(|c: char| c.is_ascii_digit())
        && cell.chars().all(|c| c.is_ascii_digit() || "+.,' -".contains(c))
}

/// Whether a cell has more digits than a number can hold exactly.
pub fn is_too_long(cell: &str) -> bool {
    let plain: String = cell.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
    is_digits(cell) && plain.parse::<f64>().is_ok() && exact_number(&plain).is_none()
}

/// Finds a cell such as `1.10` among others such as `1.9`. In a column of prices all cells have the same number
/// of decimals, so such a mix suggests version numbers.
fn find_trailing_zero<'t>(cells: &[(usize, &'t str)]) -> Option<(usize, &'t str)> {
    // A comma that separates thousands does not occur in codes.
    let pointed = cells.iter().copied().filter(|(_, c)| c.contains('.') && !c.contains(','));
    let pointed: Vec<(usize, &str)> = pointed.collect();
    let (_, first) = pointed.first()?;
    let differ = pointed.iter().any(|(_, cell)| decimals(cell) != decimals(first));
    pointed.iter().copied().find(|(_, cell)| differ && cell.ends_with('0'))
}

fn decimals(cell: &str) -> Option<usize> {
    cell.split_once('.').map(|(_, decimals)| decimals.len())
}

fn is_code_name(name: &str) -> bool {
    let name = name.to_lowercase();
    let mut words = name.split(|c: char| !c.is_alphanumeric());
    words.any(|word| CODE_WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, cells: &[&str]) -> bool {
        text_reason(name, cells.iter().enumerate().map(|(at, cell)| (at + 2, *cell))).is_some()
    }

    #[test]
    fn digits_that_a_number_would_change_are_codes() {
        assert!(of("supplier", &["12345678901234567890", "12345678901234567891"]));
        assert!(of("article", &["007", "12"]));
        assert!(of("release_of", &["1.9", "1.10"]));
        assert!(of("version", &["1.10", "1.20"]));
        assert!(of("Phone", &["41791234567"]));
        assert!(of("contact", &["+41791234567"]));
        assert!(of("zip code", &["80331"]));
        assert!(!of("price", &["1.10", "2.50"]));
        assert!(!of("price", &["7", "12.50"]));
        assert!(!of("price", &["1,234", "1,234.50", "7.5"]));
        assert!(!of("reading", &["901.6103396217235", "12.5"]));
        assert!(!of("units", &["10", "250"]));
        assert!(!of("name", &["Acme", "007"]));
    }
}
