//! Builds a table row as retrieval pipelines index it: `header: cell | header: cell`.
//!
//! Text and facts are created from the same cells, so a label cannot contradict its row. A header also names the
//! fact: `unit price` states `unit_price`.

use chrono::NaiveDate;

use crate::value::{Money, Value};
use crate::world::{Passage, Variant};

/// The currency of all records.
pub(super) const CURRENCY: &str = "USD";

/// A row under construction.
pub(super) struct Row {
    passage: Passage,
}

impl Row {
    /// A row of the table `attribute` about the record `entity`.
    pub fn new(entity: &str, attribute: &str) -> Row {
        Row {
            passage: Passage {
                id: format!("{entity}-{attribute}"),
                text: String::new(),
                entity: Some(entity.to_owned()),
                attribute: Some(attribute.to_owned()),
                facts: Default::default(),
                of: None,
                variant: None,
            },
        }
    }

    /// Marks the row as a near-miss of the current row of the same record and table; `name` is appended to its id.
    pub fn near_miss(mut self, variant: Variant, name: &str) -> Row {
        let of = self.passage.id;
        self.passage.id = format!("{of}-{name}");
        self.passage.of = Some(of);
        self.passage.variant = Some(variant);
        self
    }

    fn cell(mut self, header: &str, value: Value) -> Row {
        let text = &mut self.passage.text;
        if !text.is_empty() {
            text.push_str(" | ");
        }
        *text += &format!("{header}: {value}");
        self.passage.facts.insert(header.replace(' ', "_"), value);
        self
    }

    pub fn text(self, header: &str, text: &str) -> Row {
        self.cell(header, Value::Text(text.to_owned()))
    }

    pub fn number(self, header: &str, number: u32) -> Row {
        self.cell(header, Value::Number(number.into()))
    }

    pub fn percent(self, header: &str, percent: f64) -> Row {
        self.cell(header, Value::Percent(percent))
    }

    pub fn date(self, header: &str, date: NaiveDate) -> Row {
        self.cell(header, Value::Date(date))
    }

    pub fn money(self, header: &str, amount: f64) -> Row {
        self.cell(header, Value::Money(money(amount)))
    }

    pub fn passage(self) -> Passage {
        self.passage
    }
}

/// An amount rounded to cents.
pub(super) fn money(amount: f64) -> Money {
    Money { currency: CURRENCY.to_owned(), amount: (amount * 100.0).round() / 100.0 }
}
