//! Determines a column's type, declared or detected, and parses its values.
//!
//! All numbers and dates of a column use one format. It is inferred from the cells that are unambiguous; if every
//! cell can be read in two ways, the user has to state the format.

use chrono::NaiveDate;

use super::cell::{self, ParsedCell};
use super::code_columns;
use crate::extract::date::DayMonthOrder;
use crate::extract::number::{DecimalSeparator, WrittenNumber};
use crate::value::{MoneyAmount, TypedValue, ValueType};
use crate::world::FileMistakes;

/// Formats that the user states for the whole table.
#[derive(Clone, Debug, Default)]
pub struct CsvValueFormats {
    pub decimal: Option<DecimalSeparator>,
    pub day_order: Option<DayMonthOrder>,
    /// The currency of amounts without one, or with a sign that several currencies share.
    pub currency: Option<String>,
}

/// A typed column.
#[derive(Clone, Debug)]
pub struct TypedColumn {
    pub ty: ValueType,
    /// One value per row; `None` if the cell is empty.
    pub values: Vec<Option<TypedValue>>,
    /// A message for users who expected another type.
    pub note: Option<String>,
}

/// The raw cells of a column: its name, and the text of each row with its line (`None` if empty).
#[derive(Clone, Copy, Debug)]
pub struct RawColumn<'a> {
    pub name: &'a str,
    pub cells: &'a [(usize, Option<&'a str>)],
}

impl<'a> RawColumn<'a> {
    fn filled_cells(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.cells.iter().filter_map(|(line, cell)| cell.map(|cell| (*line, cell)))
    }
}

/// Types in the order in which they are tried: a cell that fits several has the first.
const DETECTION_ORDER: [ValueType; 6] = [
    ValueType::YesNo,
    ValueType::Date,
    ValueType::Duration,
    ValueType::Percent,
    ValueType::Money,
    ValueType::Number,
];

/// Reads a column as `declared`, else as the type that fits all of its cells, else as text. If there are mistakes,
/// all values are `None`.
pub fn read(
    column: RawColumn,
    declared: Option<ValueType>,
    writing: &CsvValueFormats,
    mistakes: &mut FileMistakes,
) -> TypedColumn {
    let (ty, note) = match declared {
        Some(ty) => (ty, None),
        None => {
            match (detect(column), code_columns::text_reason(column.name, column.filled_cells())) {
                ((ValueType::Number | ValueType::Text, _), Some(reason)) => {
                    (ValueType::Text, Some(reason))
                }
                (detected, _) => detected,
            }
        }
    };
    let mut shapes: Vec<(usize, &str, ParsedCell)> = Vec::new();
    let before = mistakes.count();
    for (line, text) in column.filled_cells() {
        match cell::parse_cell(ty, text) {
            Some(shape) => shapes.push((line, text, shape)),
            None => {
                let long = match code_columns::is_too_long(text) {
                    true => "; it has more digits than a number holds, so it is text",
                    false => "",
                };
                let what = format!("'{text}' is not a {ty}; such as {}{long}", example(ty));
                mistakes.add(Some(line), Some(column.name), what);
            }
        }
    }
    let decimal = decimal_sign(column.name, &shapes, writing, mistakes);
    let dates = day_order(column.name, &shapes, writing, mistakes);
    let mut values: Vec<TypedValue> = Vec::new();
    for (line, _, shape) in &shapes {
        match typed_value(shape, decimal, dates, writing) {
            Ok(value) => values.push(value),
            Err(what) => {
                mistakes.add(Some(*line), Some(column.name), what);
                // One mistake per column is enough: the others have the same cause.
                break;
            }
        }
    }
    if mistakes.count() > before {
        return TypedColumn { ty, values: vec![None; column.cells.len()], note };
    }
    let mut values = values.into_iter();
    let values = column.cells.iter().map(|(_, cell)| cell.and_then(|_| values.next())).collect();
    TypedColumn { ty, values, note }
}

/// The type that fits all cells, else text, with a note if most cells fit another type.
fn detect(column: RawColumn) -> (ValueType, Option<String>) {
    let mut nearly = None;
    let all = column.filled_cells().count();
    for ty in DETECTION_ORDER {
        let count = column.filled_cells().filter(|(_, text)| cell::identifies_as(ty, text)).count();
        if count == all && all > 0 {
            return (ty, None);
        }
        if nearly.is_none() && 2 * count > all {
            let other = column.filled_cells().find(|(_, text)| !cell::identifies_as(ty, text));
            nearly = other.map(|(line, text)| {
                format!(
                    "column '{name}' is read as text: {count} of {all} cells are a {ty}, but not '{text}' on line {line} \
(--types {name}={ty} makes that a mistake, --empty '{text}' an empty cell)",
                    name = column.name
                )
            });
        }
    }
    (ValueType::Text, nearly)
}

fn example(ty: ValueType) -> &'static str {
    match ty {
        ValueType::Text => "any text",
        ValueType::Number => "1,234.50",
        ValueType::YesNo => "yes, no, true, false",
        ValueType::Date => "2024-01-31 (a day that exists, its year in four digits)",
        ValueType::Duration => "60 days",
        ValueType::Money => "USD 1,200.50",
        ValueType::Percent => "8.5%",
    }
}

/// The decimal sign of a column. Adds a mistake if cells contradict each other or the setting, or if all are
/// ambiguous.
fn decimal_sign(
    name: &str,
    shapes: &[(usize, &str, ParsedCell)],
    writing: &CsvValueFormats,
    mistakes: &mut FileMistakes,
) -> DecimalSeparator {
    let [point, comma] = [DecimalSeparator::Point, DecimalSeparator::Comma].map(|decimal| {
        shapes.iter().find(|(_, _, s)| {
            written_number(s).is_some_and(|w| w.implied_separator == Some(decimal))
        })
    });
    // An explicit setting is checked against the cells; without one the cells have to agree.
    match (writing.decimal, point, comma) {
        (Some(DecimalSeparator::Point), _, Some((line, text, _))) => {
            let what = format!("'{text}' is not a number with a decimal point (--decimal)");
            mistakes.add(Some(*line), Some(name), what);
        }
        (Some(DecimalSeparator::Comma), Some((line, text, _)), _) => {
            let what = format!("'{text}' is not a number with a decimal comma (--decimal)");
            mistakes.add(Some(*line), Some(name), what);
        }
        (None, Some((one, a, _)), Some((two, b, _))) => {
            let ((first, a), (second, b)) =
                if one < two { ((one, a), (two, b)) } else { ((two, b), (one, a)) };
            let what = format!(
                "'{b}' and '{a}' on line {first} have different decimal signs; write all in one way"
            );
            mistakes.add(Some(*second), Some(name), what);
        }
        (None, None, None) => {
            let either =
                shapes.iter().find(|(_, _, s)| written_number(s).is_some_and(|w| w.ambiguous));
            if let Some((line, text, shape)) = either
                && let Some(w) = written_number(shape)
                && let (Some(a), Some(b)) =
                    (w.value_with(DecimalSeparator::Point), w.value_with(DecimalSeparator::Comma))
            {
                let what = format!(
                    "'{text}' is {a} with a decimal point and {b} with a decimal comma; specify --decimal point or --decimal comma"
                );
                mistakes.add(Some(*line), Some(name), what);
            }
        }
        _ => {}
    }
    match (writing.decimal, comma) {
        (Some(decimal), _) => decimal,
        (None, Some(_)) => DecimalSeparator::Comma,
        (None, None) => DecimalSeparator::Point,
    }
}

fn written_number(shape: &ParsedCell) -> Option<&WrittenNumber> {
    match shape {
        ParsedCell::Number(w) | ParsedCell::Percent(w) | ParsedCell::Money(_, w) => Some(w),
        ParsedCell::AmbiguousDate(..) | ParsedCell::Value(_) => None,
    }
}

/// The order of day and month of a column. Adds a mistake if cells contradict each other or the setting, or if
/// all are ambiguous.
fn day_order(
    name: &str,
    shapes: &[(usize, &str, ParsedCell)],
    writing: &CsvValueFormats,
    mistakes: &mut FileMistakes,
) -> DayMonthOrder {
    let only_day = shapes.iter().find(|(_, _, s)| matches!(both_dates(s), (Some(_), None)));
    let only_month = shapes.iter().find(|(_, _, s)| matches!(both_dates(s), (None, Some(_))));
    let mut wrong = |line: usize, what: String| mistakes.add(Some(line), Some(name), what);
    match (writing.day_order, only_day, only_month) {
        (Some(DayMonthOrder::DayFirst), _, Some((line, text, _))) => {
            wrong(*line, format!("'{text}' is not a day, month and year (--dates)"));
        }
        (Some(DayMonthOrder::MonthFirst), Some((line, text, _)), _) => {
            wrong(*line, format!("'{text}' is not a month, day and year (--dates)"));
        }
        (None, Some((one, a, _)), Some((two, b, _))) => {
            let ((first, a), (second, b)) =
                if one < two { ((one, a), (two, b)) } else { ((two, b), (one, a)) };
            wrong(
                *second,
                format!(
                    "in '{b}' day and month are in the opposite order to '{a}' on line {first}"
                ),
            );
        }
        (None, None, None) => {
            let either = shapes
                .iter()
                .find(|(_, _, s)| matches!(both_dates(s), (Some(a), Some(b)) if a != b));
            if let Some((line, text, shape)) = either
                && let (Some(a), Some(b)) = both_dates(shape)
            {
                wrong(
                    *line,
                    format!(
                        "'{text}' is {a} or {b}; specify --dates day-first or --dates month-first"
                    ),
                );
            }
        }
        _ => {}
    }
    match (writing.day_order, only_month) {
        (Some(order), _) => order,
        (None, Some(_)) => DayMonthOrder::MonthFirst,
        (None, None) => DayMonthOrder::DayFirst,
    }
}

/// The date with the day first, and with the month first.
fn both_dates(shape: &ParsedCell) -> (Option<NaiveDate>, Option<NaiveDate>) {
    (
        cell::date_in_order(shape, DayMonthOrder::DayFirst),
        cell::date_in_order(shape, DayMonthOrder::MonthFirst),
    )
}

/// The value of a cell, given the column's number and date formats.
fn typed_value(
    shape: &ParsedCell,
    decimal: DecimalSeparator,
    dates: DayMonthOrder,
    writing: &CsvValueFormats,
) -> Result<TypedValue, String> {
    Ok(match shape {
        ParsedCell::Number(w) => TypedValue::Number(number(w, decimal)?),
        ParsedCell::Percent(w) => TypedValue::Percent(number(w, decimal)?),
        ParsedCell::Money(written, w) => TypedValue::Money(MoneyAmount {
            currency: cell::currency_code(written, writing.currency.as_deref())?,
            amount: number(w, decimal)?,
        }),
        ParsedCell::AmbiguousDate(..) => TypedValue::Date(
            cell::date_in_order(shape, dates)
                .ok_or_else(|| "not a day in the format of this column".to_owned())?,
        ),
        ParsedCell::Value(value) => value.clone(),
    })
}

fn number(written: &WrittenNumber, decimal: DecimalSeparator) -> Result<f64, String> {
    written
        .value_with(decimal)
        .ok_or_else(|| "not a number in the format of this column".to_owned())
}
