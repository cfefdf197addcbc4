//! The kinds of value to look for, and the mentions of each.

use std::ops::Range;

use regex::Regex;

use super::date::{self, DayMonthOrder};
use super::mention::{ExtractedValue, ValueMention, clear_overlapping};
use super::number::DecimalSeparator;
use super::phrase::{self, PhraseMeaning};
use super::plain_text::PlainText;
use super::{alternatives, amount, duration, jurisdiction, party, relative_date};
use crate::value::TypedValue;

/// The kind of value to look for.
#[derive(Clone, Debug)]
pub enum ExtractorKind {
    /// The day order decides dates such as `03/04/2024`.
    Date(Option<DayMonthOrder>),
    Duration,
    Money {
        /// Decides how to read `1.250`.
        decimal: Option<DecimalSeparator>,
        /// Decides which currency `$` means.
        currency: Option<String>,
    },
    Percent(Option<DecimalSeparator>),
    Number(Option<DecimalSeparator>),
    /// A yes/no or a choice: phrases with the value that each stands for.
    Phrases(Vec<PhraseMeaning>),
    Party,
    /// The governing law, as the name of its jurisdiction.
    Jurisdiction,
    /// The first capture group of a pattern, read as the inner kind. White space is collapsed if that is text.
    Pattern(Regex, Box<ExtractorKind>),
    /// The whole text, with white space collapsed.
    Text,
}

impl ExtractorKind {
    /// All values in `text` that are complete by themselves, in order; relative dates are left out.
    pub fn candidates(&self, text: &str) -> Vec<ExtractedValue> {
        let found = self.all_mentions(text).into_iter();
        found
            .filter_map(|mention| {
                Some(ExtractedValue { value: mention.value?, range: mention.range })
            })
            .collect()
    }

    /// Like [`Self::candidates`], but includes mentions without a value, that is, ambiguous ones.
    pub fn all_mentions(&self, text: &str) -> Vec<ValueMention> {
        let plain = PlainText::new(text);
        let mentions = match self {
            // A relative date needs another date or an event, so it is no value by itself.
            ExtractorKind::Date(order) => date::dates(plain.as_str(), *order),
            _ => self.mentions(plain.as_str()),
        };
        let original = |mention: ValueMention| ValueMention {
            value: mention.value,
            range: plain.original_range(mention.range),
        };
        clear_overlapping(mentions).into_iter().map(original).collect()
    }

    /// All mentions in a normalised text, in order.
    pub(super) fn mentions(&self, text: &str) -> Vec<ValueMention> {
        match self {
            ExtractorKind::Date(order) => {
                let dates = relative_date::add_relative_dates(text, date::dates(text, *order));
                alternatives::resolve(text, dates)
            }
            ExtractorKind::Duration => duration::mentions(text),
            // An amount may be found by the currency before it and by the one after it, as in `5 USD$5`.
            ExtractorKind::Money { decimal, currency } => {
                clear_overlapping(amount::money(text, *decimal, currency.as_deref()))
            }
            ExtractorKind::Percent(decimal) => amount::percents(text, *decimal),
            ExtractorKind::Number(decimal) => amount::numbers(text, *decimal),
            ExtractorKind::Phrases(meanings) => phrase::phrase_values(text, meanings),
            ExtractorKind::Party => {
                party::parties(text).into_iter().map(ValueMention::from).collect()
            }
            ExtractorKind::Jurisdiction => jurisdiction::laws(text),
            ExtractorKind::Pattern(pattern, kind) => {
                let groups = pattern.captures_iter(text).filter_map(|captures| captures.get(1));
                groups.map(|group| kind.read_whole(group.as_str(), group.range())).collect()
            }
            ExtractorKind::Text => vec![self.read_whole(text, 0..text.len())],
        }
    }

    /// Reads `text` as a single value, located at `range`. No value if it holds more or less than exactly one.
    fn read_whole(&self, text: &str, range: Range<usize>) -> ValueMention {
        if let ExtractorKind::Text = self {
            let words: Vec<&str> = text.split_whitespace().collect();
            let value = (!words.is_empty()).then(|| TypedValue::Text(words.join(" ")));
            return ValueMention { value, range };
        }
        let value = match self.mentions(text).as_slice() {
            [one] if text[one.range.clone()].trim() == text.trim() => one.value.clone(),
            _ => None,
        };
        ValueMention { value, range }
    }
}
