//! Determines a column's type, declared or detected, and parses its values.
//!
//! All numbers and dates of a column use one format. It is inferred from the cells that are unambiguous; if every
//! cell can be read in two ways, the user has to state the format.

use super::cell::{self, Shape};
use super::codes;
use crate::extract::date::DayOrder;
use crate::extract::number::{Decimal, Written};
use crate::value::{Money, Type, Value};
use crate::world::Mistakes;

/// Formats that the user states for the whole table.
#[derive(Clone, Debug, Default)]
pub struct Writing {
    pub decimal: Option<Decimal>,
    pub dates: Option<DayOrder>,
    /// The currency of amounts without one, or with a sign that several currencies share.
    pub currency: Option<String>,
}

/// A typed column.
#[derive(Clone, Debug)]
pub struct Column {
    pub ty: Type,
    /// One value per row; `None` if the cell is empty.
    pub values: Vec<Option<Value>>,
    /// A message for users who expected another type.
    pub note: Option<String>,
}

/// The raw cells of a column: its name, and the text of each row with its line (`None` if empty).
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    pub name: &'a str,
    pub cells: &'a [(usize, Option<&'a str>)],
}

impl<'a> Cells<'a> {
    fn filled(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.cells.iter().filter_map(|(line, cell)| cell.map(|cell| (*line, cell)))
    }
}

/// Types in the order in which they are tried: a cell that fits several has the first.
const DETECTED: [Type; 6] =
    [Type::YesNo, Type::Date, Type::Duration, Type::Percent, Type::Money, Type::Number];

/// Reads a column as `declared`, else as the type that fits all of its cells, else as text. If there are mistakes,
/// all values are `None`.
pub fn read(
    column: Cells,
    declared: Option<Type>,
    writing: &Writing,
    mistakes: &mut Mistakes,
) -> Column {
    let (ty, note) = match declared {
        Some(ty) => (ty, None),
        None => match (detect(column), codes::reason(column.name, column.filled())) {
            ((Type::Number | Type::Text, _), Some(reason)) => (Type::Text, Some(reason)),
            (detected, _) => detected,
        },
    };
    let mut shapes: Vec<(usize, &str, Shape)> = Vec::new();
    let before = mistakes.count();
    for (line, text) in column.filled() {
        match cell::shape(ty, text) {
            Some(shape) => shapes.push((line, text, shape)),
            None => {
                let long = match codes::is_too_long(text) {
                    true => "; it has more digits than a number holds, so it is text",
                    false => "",
                };
                let what = format!("'{text}' is not a {ty}; such as {}{long}", example(ty));
                mistakes.add(Some(line), Some(column.name), what);
            }
        }
    }
    let decimal = decimal(column.name, &shapes, writing, mistakes);
    let dates = dates(column.name, &shapes, writing, mistakes);
    let mut values: Vec<Value> = Vec::new();
    for (line, _, shape) in &shapes {
        match value(shape, decimal, dates, writing) {
            Ok(value) => values.push(value),
            Err(what) => {
                mistakes.add(Some(*line), Some(column.name), what);
                // One mistake per column is enough: the others have the same cause.
                break;
            }
        }
    }
    if mistakes.count() > before {
        return Column { ty, values: vec![None; column.cells.len()], note };
    }
    let mut values = values.into_iter();
    let values = column.cells.iter().map(|(_, cell)| cell.and_then(|_| values.next())).collect();
    Column { ty, values, note }
}

/// The type that fits all cells, else text, with a note if most cells fit another type.
fn detect(column: Cells) -> (Type, Option<String>) {
    let mut nearly = None;
    let all = column.filled().count();
    for ty in DETECTED {
        let fits = |text: &str| cell::shape(ty, text).is_some_and(|s| cell::is_plain(&s, text));
        let count = column.filled().filter(|(_, text)| fits(text)).count();
        if count == all && all > 0 {
            return (ty, None);
        }
        if nearly.is_none() && 2 * count > all {
            nearly = column.filled().find(|(_, text)| !fits(text)).map(|(line, text)| {
                format!(
                    "column '{name}' is read as text: {count} of {all} cells are a {ty}, but not '{text}' on line {line} \
(--types {name}={ty} makes that a mistake, --empty '{text}' an empty cell)",
                    name = column.name
                )
            });
        }
    }
    (Type::Text, nearly)
}

fn example(ty: Type) -> &'static str {
    match ty {
        Type::Text => "any text",
        Type::Number => "1,234.50",
        Type::YesNo => "yes, no, true, false",
        Type::Date => "2024-01-31 (a day that exists, its year in four digits)",
        Type::Duration => "60 days",
        Type::Money => "USD 1,200.50",
        Type::Percent => "8.5%",
    }
}

/// The decimal sign of a column. Adds a mistake if cells contradict each other or the setting, or if all are
/// ambiguous.
fn decimal(
    name: &str,
    shapes: &[(usize, &str, Shape)],
    writing: &Writing,
    mistakes: &mut Mistakes,
) -> Decimal {
    let written = |shape: &Shape| -> Option<Written> {
        match shape {
            Shape::Number(w) | Shape::Percent(w) | Shape::Money(_, w) => Some(w.clone()),
            Shape::Parts(..) | Shape::Value(_) => None,
        }
    };
    let shows = |decimal| {
        shapes.iter().find(|(_, _, s)| written(s).is_some_and(|w| w.shows == Some(decimal)))
    };
    let (point, comma) = (shows(Decimal::Point), shows(Decimal::Comma));
    // An explicit setting is checked against the cells; without one the cells have to agree.
    match (writing.decimal, point, comma) {
        (Some(Decimal::Point), _, Some((line, text, _))) => {
            let what = format!("'{text}' is no number with a decimal point (--decimal)");
            mistakes.add(Some(*line), Some(name), what);
        }
        (Some(Decimal::Comma), Some((line, text, _)), _) => {
            let what = format!("'{text}' is no number with a decimal comma (--decimal)");
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
            let either = shapes.iter().find(|(_, _, s)| written(s).is_some_and(|w| w.ambiguous));
            if let Some((line, text, shape)) = either
                && let Some(w) = written(shape)
                && let (Some(a), Some(b)) = (w.under(Decimal::Point), w.under(Decimal::Comma))
            {
                let what = format!(
                    "'{text}' is {a} with a decimal point and {b} with a decimal comma; say which: --decimal point or --decimal comma"
                );
                mistakes.add(Some(*line), Some(name), what);
            }
        }
        _ => {}
    }
    match (writing.decimal, comma) {
        (Some(decimal), _) => decimal,
        (None, Some(_)) => Decimal::Comma,
        (None, None) => Decimal::Point,
    }
}

/// The order of day and month of a column. Adds a mistake if cells contradict each other or the setting, or if
/// all are ambiguous.
fn dates(
    name: &str,
    shapes: &[(usize, &str, Shape)],
    writing: &Writing,
    mistakes: &mut Mistakes,
) -> DayOrder {
    let day = |shape: &Shape, order| cell::day(shape, order);
    let both = |s: &Shape| (day(s, DayOrder::DayFirst), day(s, DayOrder::MonthFirst));
    let only_day = shapes.iter().find(|(_, _, s)| matches!(both(s), (Some(_), None)));
    let only_month = shapes.iter().find(|(_, _, s)| matches!(both(s), (None, Some(_))));
    let mut wrong = |line: usize, what: String| mistakes.add(Some(line), Some(name), what);
    match (writing.dates, only_day, only_month) {
        (Some(DayOrder::DayFirst), _, Some((line, text, _))) => {
            wrong(*line, format!("'{text}' is no day, month and year (--dates)"));
        }
        (Some(DayOrder::MonthFirst), Some((line, text, _)), _) => {
            wrong(*line, format!("'{text}' is no month, day and year (--dates)"));
        }
        (None, Some((one, a, _)), Some((two, b, _))) => {
            let ((first, a), (second, b)) =
                if one < two { ((one, a), (two, b)) } else { ((two, b), (one, a)) };
            wrong(
                *second,
                format!(
                    "in '{b}' day and month stand the other way round than in '{a}' on line {first}"
                ),
            );
        }
        (None, None, None) => {
            let either =
                shapes.iter().find(|(_, _, s)| matches!(both(s), (Some(a), Some(b)) if a != b));
            if let Some((line, text, shape)) = either
                && let (Some(a), Some(b)) = both(shape)
            {
                wrong(
                    *line,
                    format!(
                        "'{text}' is {a} or {b}; say which: --dates day-first or --dates month-first"
                    ),
                );
            }
        }
        _ => {}
    }
    match (writing.dates, only_month) {
        (Some(order), _) => order,
        (None, Some(_)) => DayOrder::MonthFirst,
        (None, None) => DayOrder::DayFirst,
    }
}

/// The value of a cell, given the column's number and date formats.
fn value(
    shape: &Shape,
    decimal: Decimal,
    dates: DayOrder,
    writing: &Writing,
) -> Result<Value, String> {
    let number = |w: &Written| {
        w.under(decimal).ok_or_else(|| "not a number in the way that this column has".to_owned())
    };
    Ok(match shape {
        Shape::Number(w) => Value::Number(number(w)?),
        Shape::Percent(w) => Value::Percent(number(w)?),
        Shape::Money(written, w) => Value::Money(Money {
            currency: cell::currency(written, writing.currency.as_deref())?,
            amount: number(w)?,
        }),
        Shape::Parts(..) => Value::Date(
            cell::day(shape, dates)
                .ok_or_else(|| "not a day in the way that this column has".to_owned())?,
        ),
        Shape::Value(value) => value.clone(),
    })
}
