//! The header: columns by their names, and whether the first line is one at all. A table without one would lose its
//! first row.
//!
//! A column name can look like a value (years and quantiles are common names), so resemblance is no proof. It is
//! a mistake only if the name of a date or money column is itself a date or an amount; other names that look like
//! values are reported in a note.

use super::cell;
use crate::value::ValueType;
use crate::world::{FileMistakes, csv_table};

/// Types that a name is compared with. Yes and no are left out because they are common names.
const TYPES: [ValueType; 5] =
    [ValueType::Date, ValueType::Duration, ValueType::Percent, ValueType::Money, ValueType::Number];

/// A column name that looks like a value.
pub struct ValueLikeName<'a> {
    column: usize,
    name: &'a str,
    ty: ValueType,
}

/// All names of the header that look like values.
pub fn value_like_names(header: &[String]) -> Vec<ValueLikeName<'_>> {
    let mut found = Vec::new();
    for (column, name) in header.iter().enumerate() {
        if let Some(ty) = TYPES.into_iter().find(|ty| cell::identifies_as(*ty, name)) {
            found.push(ValueLikeName { column, name: name.as_str(), ty });
        }
    }
    found
}

impl ValueLikeName<'_> {
    /// A hint to append to another mistake that a missing header may explain.
    pub fn missing_header_hint(&self) -> String {
        format!(
            "'{}' in the first line is a {}: if the table has no header, name the columns with --header NAME,NAME",
            self.name, self.ty
        )
    }
}

/// Adds the mistakes among `values`, given each column's type, and returns a note about the remaining ones.
pub fn check(
    values: &[ValueLikeName],
    types: &[(usize, ValueType)],
    mistakes: &mut FileMistakes,
) -> Vec<String> {
    let mut names = Vec::new();
    for value in values {
        let below = types.contains(&(value.column, value.ty));
        if below && matches!(value.ty, ValueType::Date | ValueType::Money) {
            let what = format!(
                "this is a {} like the cells below it, so the first line is data; name the columns with --header NAME,NAME",
                value.ty
            );
            mistakes.add(Some(1), Some(value.name), what);
        } else {
            names.push(format!("'{}' (a {})", value.name, value.ty));
        }
    }
    match names.is_empty() {
        true => Vec::new(),
        false => vec![format!(
            "the first line is taken as the header, with {} as names; if it is data, name the columns with --header NAME,NAME",
            names.join(", ")
        )],
    }
}

/// The index of a column that a command-line option names.
pub fn column_index(option: &str, name: &str, header: &[String]) -> Result<usize, String> {
    if let Some(at) = header.iter().position(|column| column == name) {
        return Ok(at);
    }
    Err(format!("{option}: {}", csv_table::missing_column_message(name, header)))
}
