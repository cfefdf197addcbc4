//! Finds the typed values of a sentence, as slots that other values of the same type could fill.

use std::ops::Range;

use crate::extract::number::DecimalSeparator;
use crate::extract::{ExtractedValue, ExtractorKind};
use crate::value::TypedValue;

/// The kind of a slot; values of the same kind can be exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotKind {
    Date,
    Money,
    Percent,
    Duration,
    Year,
    Number,
    Party,
}

/// A value with its position in the sentence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ValueSlot {
    pub kind: SlotKind,
    pub value: TypedValue,
    pub range: Range<usize>,
}

/// Words that form a name with a following number.
const NAME_WORDS: [&str; 22] = [
    "section",
    "sections",
    "article",
    "articles",
    "exhibit",
    "schedule",
    "no.",
    "number",
    "paragraph",
    "clause",
    "appendix",
    "page",
    "chapter",
    "rule",
    "form",
    "annex",
    "phase",
    "part",
    "item",
    "version",
    "revision",
    "type",
];

/// All slots of a sentence, in order, without overlaps. Kinds that come first take precedence.
pub(super) fn slots(text: &str) -> Vec<ValueSlot> {
    let point = Some(DecimalSeparator::Point);
    let kinds = [
        (SlotKind::Party, ExtractorKind::Party),
        (SlotKind::Date, ExtractorKind::Date(None)),
        (
            SlotKind::Money,
            ExtractorKind::Money { decimal: point, currency: Some("USD".to_owned()) },
        ),
        (SlotKind::Percent, ExtractorKind::Percent(point)),
        (SlotKind::Duration, ExtractorKind::Duration),
        (SlotKind::Number, ExtractorKind::Number(point)),
    ];
    let mut all: Vec<ValueSlot> = Vec::new();
    for (sort, kind) in kinds {
        for ExtractedValue { value, range } in kind.candidates(text) {
            // Earlier kinds win: the number in an amount of money is not a slot of its own.
            let mut slots = all.iter().map(|slot| &slot.range);
            if slots.any(|slot| slot.start < range.end && range.start < slot.end) {
                continue;
            }
            // In `60 days' notice` the apostrophe is not part of the value.
            let end = range.start + text[range.clone()].trim_end_matches(['\'', '\u{2019}']).len();
            let sort = match sort {
                SlotKind::Number if is_year(&text[range.clone()]) => SlotKind::Year,
                sort => sort,
            };
            if sort != SlotKind::Number || counts_something(text, &range) {
                all.push(ValueSlot { kind: sort, value, range: range.start..end });
            }
        }
    }
    all.sort_by_key(|slot| slot.range.start);
    all
}

fn is_year(text: &str) -> bool {
    text.len() == 4
        && text.bytes().all(|b| b.is_ascii_digit())
        && (1500..2100).contains(&text.parse::<u32>().unwrap_or(0))
}

/// Whether a number counts something: it is not part of a name such as `Section 4`, nor a sentence number.
fn counts_something(text: &str, range: &Range<usize>) -> bool {
    let before = text[..range.start].trim_end();
    // In `Sections 7, 10 and 12` each number is part of the name.
    let listed = before.trim_end_matches(|c: char| c.is_ascii_digit() || ",. ".contains(c));
    let listed = listed.strip_suffix(" and").or(listed.strip_suffix(" or")).unwrap_or(listed);
    let listed = listed.trim_end_matches(|c: char| c.is_ascii_digit() || ",. ".contains(c));
    let last = listed.rsplit([' ', '(']).next().unwrap_or("").to_lowercase();
    let next = text[range.end..].chars().next();
    let word = text[range.end..].trim_start().chars().next();
    let in_name = before.ends_with(|c: char| "#-/.".contains(c))
        || last.chars().next().is_none()
        || text[..range.start].split_whitespace().next_back().is_some_and(|word| {
            word.starts_with(char::is_uppercase) && word.contains(char::is_lowercase)
        });
    let pronoun = text[range.clone()].eq_ignore_ascii_case("one");
    !NAME_WORDS.contains(&last.as_str())
        && !in_name
        && !pronoun
        && next != Some('.')
        && word.is_some_and(|c| c.is_lowercase() || "|,".contains(c))
}
