//! Extraction of typed values from free text: what a passage states where nobody has labelled it. No value is ever
//! guessed, and nothing here knows about passages, scenarios or files.
//!
//! A text is read in three stages:
//!
//! 1. normalise look-alike characters ([`plain_text`]);
//! 2. find all mentions of the wanted type with their byte ranges: [`date`] and [`relative_date`], [`duration`],
//!    [`amount`] (money, percent, number), [`phrase`] (yes/no, choice), [`jurisdiction`], [`party`], or a pattern
//!    supplied by the user; then combine mentions that belong together ([`alternatives`]);
//! 3. select one of them by the cues near it ([`ValueExtractor::read`]).
//!
//! A mention that is ambiguous or contradicts itself has no value. If the cues point to such a mention, the text
//! states nothing: the next readable value would belong to something else. Each module documents what it accepts as
//! unambiguous.

use crate::value::ValueType;

pub mod alternatives;
pub mod amount;
mod asked_topics;
mod changed_value;
pub mod count;
mod cue_support;
pub mod currency;
pub mod date;
pub mod duration;
mod extractor_kind;
pub mod field_cues;
pub mod jurisdiction;
mod jurisdiction_names;
mod mention;
mod negation;
mod notice_window;
pub mod number;
mod number_pattern;
mod number_scale;
mod open_amount;
pub mod party;
mod payment_period;
pub mod phrase;
pub mod plain_text;
mod ranking;
mod relative_date;
pub mod renewal;
mod renewal_length;
pub mod sentence;
mod topic;

pub use extractor_kind::ExtractorKind;
pub use mention::{ExtractedValue, ValueMention};
use phrase::CuePhrase;
use plain_text::PlainText;

/// Maximum number of words between a value and a cue that supports it.
pub const CUE_REACH: usize = 15;

/// Reads one value from a text.
#[derive(Clone, Debug)]
pub struct ValueExtractor {
    pub ty: ValueType,
    pub kind: ExtractorKind,
    /// Cue words expected near the value; if empty, the first mention is taken.
    pub cues: Vec<CuePhrase>,
}

impl ValueExtractor {
    /// The value that `text` states.
    ///
    /// Without cues this is the first mention; a yes/no needs all mentions to agree. With cues, a mention counts only
    /// if a cue occurs in its sentence at most [`CUE_REACH`] words away. The mention with the fewest words between it and
    /// its nearest cue wins; at equal distance, one that follows its cue (`through MAY 31` rather than `MAY 1
    /// through`). Mentions claimed by words of another topic are left out (see [`topic`]).
    ///
    /// If the selected mention has no value, the text states none: the next mention never takes its place.
    pub fn read(&self, text: &str) -> Option<ExtractedValue> {
        let plain = PlainText::new(text);
        let chosen = ranking::select_mention(self, plain.as_str())?;
        Some(ExtractedValue { value: chosen.value?, range: plain.original_range(chosen.range) })
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;
    use crate::extract::date::DayMonthOrder;
    use crate::extract::number::DecimalSeparator;
    use crate::extract::phrase::PhraseMeaning;
    use crate::value::TypedValue;

    fn read(kind: ExtractorKind, ty: ValueType, near: &[&str], text: &str) -> Option<String> {
        let near = near.iter().filter_map(|cue| CuePhrase::new(cue)).collect();
        let found = ValueExtractor { ty, kind, cues: near }.read(text)?;
        Some(found.value.to_string())
    }

    #[test]
    fn the_candidate_nearest_to_a_cue_is_taken() {
        let duration = |near: &[&str], text: &str| {
            read(ExtractorKind::Duration, ValueType::Duration, near, text)
        };
        let text = "It renews for one (1) year terms unless either party gives notice at least sixty (60) \
                    days before the end of the term. Invoices are due in 30 days.";
        assert_eq!(duration(&[], text).as_deref(), Some("1 year"));
        assert_eq!(duration(&["notice"], text).as_deref(), Some("60 days"));
        assert_eq!(duration(&["invoices"], text).as_deref(), Some("30 days"));
        // No cue near any candidate: the text states nothing.
        assert_eq!(duration(&["warranty"], text), None);
        let far = format!("Notice {} 60 days.", "and ".repeat(CUE_REACH + 1));
        assert_eq!(duration(&["notice"], &far), None);
    }

    #[test]
    fn at_the_same_distance_the_one_behind_its_cue_is_taken_then_the_first() {
        let date = |near: &[&str], text: &str| {
            read(ExtractorKind::Date(None), ValueType::Date, near, text)
        };
        let text = "from February 1, 2019 through January 31, 2024";
        assert_eq!(date(&["through"], text).as_deref(), Some("2024-01-31"));
        // Two mentions in one sentence at the same distance: ambiguous.
        let text = "due May 1, 2019, due June 1, 2019";
        assert_eq!(date(&["due"], text), None);
        let text = "The fee is due May 1, 2019. A deposit is due June 1, 2019.";
        assert_eq!(date(&["due"], text).as_deref(), Some("2019-05-01"));
    }

    #[test]
    fn a_mention_that_cannot_be_read_is_not_stepped_over() {
        let date = |near: &[&str], text: &str| {
            read(ExtractorKind::Date(None), ValueType::Date, near, text)
        };
        for text in [
            "This Agreement expires on February 30, 2026, as amended June 1, 2025.",
            "The lease expires on 03/04/2026, as amended June 1, 2025.",
            "The lease expires 12/31/26, renewed January 5, 2024.",
            "It expires at the end of May 2026; signed January 5, 2024.",
        ] {
            assert_eq!(date(&["expires"], text), None, "{text}");
            assert_eq!(date(&[], text), None, "{text}");
        }
        let duration = |near: &[&str], text: &str| {
            read(ExtractorKind::Duration, ValueType::Duration, near, text)
        };
        for text in [
            "Either party may terminate on ten (15) days notice and pays fees within thirty (30) days.",
            "Either party may terminate on 10 business days notice and pays fees within 30 days.",
            "Either party may terminate on 30 to 60 days notice; deposits are returned within 14 days.",
            "Either party may terminate on [***] days notice and pays fees within 30 days.",
        ] {
            assert_eq!(duration(&["notice"], text), None, "{text}");
        }
    }

    #[test]
    fn a_date_that_words_of_another_topic_claim_is_not_the_end() {
        let date = |text: &str| {
            read(
                ExtractorKind::Date(None),
                ValueType::Date,
                &["expires", "expire", "until", "ending"],
                text,
            )
        };
        for text in [
            "It is effective as of May 1, 2024 and expires upon completion of the work.",
            "It commences on May 1, 2024 and expires two years thereafter.",
            "It expires on the date set forth in the order form dated May 1, 2024.",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
        let text = "Originally ending June 30, 2020, this lease was extended until June 30, 2022.";
        assert_eq!(date(text).as_deref(), Some("2022-06-30"));
        let text = "It expires on the later of May 1, 2025 and June 1, 2026.";
        assert_eq!(date(text).as_deref(), Some("2026-06-01"));
        let text = "It expires on the earlier of May 1, 2025 and the sale of the company.";
        assert_eq!(date(text), None);
    }

    #[test]
    fn what_is_found_is_quoted_from_the_original() {
        let near = vec![CuePhrase::new("notice").unwrap()];
        let extractor =
            ValueExtractor { ty: ValueType::Duration, kind: ExtractorKind::Duration, cues: near };
        let text = "A \u{ff13}\u{ff10}\u{2011}day notice period applies.";
        let found = extractor.read(text).unwrap();
        assert_eq!(
            (found.value.to_string().as_str(), &text[found.range]),
            ("30 days", "\u{ff13}\u{ff10}\u{2011}day")
        );
    }

    /// Fragments that are significant to the extractors, to be concatenated at random.
    const PIECES: [&str; 52] = [
        " ",
        " ",
        " ",
        " ",
        "\n",
        "-",
        "/",
        ",",
        ".",
        "(",
        ")",
        "%",
        "$",
        "\u{20ac}",
        "\u{e9}",
        "\u{a0}",
        "'s",
        "5",
        "12",
        "250",
        "2019",
        "sixty",
        "one",
        "hundred",
        "and",
        "million",
        "days",
        "year",
        "day of",
        "May",
        "percent",
        "USD",
        "dollars",
        "Acme",
        "Inc.",
        "not",
        "\u{2011}",
        "\u{ff13}",
        "\u{fb01}",
        "\u{bd}",
        "[",
        "]",
        "***",
        "from",
        "later of",
        "or",
        "half",
        "expires",
        "anniversary of",
        "laws of",
        "Texas",
        "1,000",
    ];

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(
            pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..40)
        ) {
            let text = pieces.concat();
            let amount = ExtractorKind::Money { decimal: None, currency: Some("USD".to_owned()) };
            let day = PhraseMeaning { phrase: CuePhrase::new("day").unwrap(), value: TypedValue::YesNo(true) };
            let kinds = [
                ExtractorKind::Date(Some(DayMonthOrder::DayFirst)), ExtractorKind::Duration, amount, ExtractorKind::Percent(None),
                ExtractorKind::Number(Some(DecimalSeparator::Point)), ExtractorKind::Phrases(vec![day]), ExtractorKind::Party,
                ExtractorKind::Jurisdiction,
            ];
            for kind in kinds {
                let found = kind.candidates(&text);
                // In order, each within the text, and disjoint.
                proptest::prop_assert!(found.iter().all(|f| text.get(f.range.clone()).is_some()));
                proptest::prop_assert!(found.windows(2).all(|w| w[0].range.end <= w[1].range.start));
                let cues = vec![CuePhrase::new("and").unwrap()];
                ValueExtractor { ty: ValueType::Text, kind, cues }.read(&text);
            }
        }
    }

    #[test]
    fn a_pattern_reads_its_group_as_a_type() {
        let pattern =
            |kind| ExtractorKind::Pattern(Regex::new(r"Fee:\s*([^;]+);").unwrap(), Box::new(kind));
        let text = "Fee: none; Fee: 12.5%; Fee: 5% or 6%;";
        let found = pattern(ExtractorKind::Percent(None)).candidates(text);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&found[0].value, &text[found[0].range.clone()]),
            (&TypedValue::Percent(12.5), "12.5%")
        );
        assert_eq!(
            pattern(ExtractorKind::Text).candidates(text)[0].value,
            TypedValue::Text("none".to_owned())
        );
    }
}
