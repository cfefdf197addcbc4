//! Builds a table row as retrieval pipelines index it: `header: cell | header: cell`.
//!
//! Text and facts are created from the same cells, so a label cannot contradict its row. A header also names the
//! fact: `unit price` states `unit_price`.

use chrono::NaiveDate;

use crate::value::{MoneyAmount, TypedValue};
use crate::world::{Passage, PassageVariant};

/// The currency of all records.
pub(super) const CURRENCY: &str = "USD";

/// A row under construction.
pub(super) struct LedgerRow {
    passage: Passage,
}

impl LedgerRow {
    /// A row of the table `attribute` about the record `entity`.
    pub fn new(entity: &str, attribute: &str) -> LedgerRow {
        LedgerRow {
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
    pub fn near_miss(mut self, variant: PassageVariant, name: &str) -> LedgerRow {
        let original = self.passage.id;
        self.passage.id = format!("{original}-{name}");
        self.passage.of = Some(original);
        self.passage.variant = Some(variant);
        self
    }

    fn cell(mut self, header: &str, value: TypedValue) -> LedgerRow {
        let text = &mut self.passage.text;
        if !text.is_empty() {
            text.push_str(" | ");
        }
        *text += &format!("{header}: {value}");
        self.passage.facts.insert(header.replace(' ', "_"), value);
        self
    }

    pub fn text(self, header: &str, text: &str) -> LedgerRow {
        self.cell(header, TypedValue::Text(text.to_owned()))
    }

    pub fn number(self, header: &str, number: u32) -> LedgerRow {
        self.cell(header, TypedValue::Number(number.into()))
    }

    pub fn percent(self, header: &str, percent: f64) -> LedgerRow {
        self.cell(header, TypedValue::Percent(percent))
    }

    pub fn date(self, header: &str, date: NaiveDate) -> LedgerRow {
        self.cell(header, TypedValue::Date(date))
    }

    pub fn money(self, header: &str, amount: f64) -> LedgerRow {
        self.cell(header, TypedValue::Money(money(amount)))
    }

    pub fn passage(self) -> Passage {
        self.passage
    }
}

/// An amount rounded to cents.
pub(super) fn money(amount: f64) -> MoneyAmount {
    MoneyAmount { currency: CURRENCY.to_owned(), amount: (amount * 100.0).round() / 100.0 }
}
