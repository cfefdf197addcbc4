//! What the cues of an extractor ask for, and which mentions that leaves out or leaves without a value.

use std::ops::Range;

use super::payment_period::{self, PaymentPeriod};
use super::{
    ExtractorKind, ValueExtractor, ValueMention, notice_window, open_amount, renewal_length, topic,
};
use crate::value::TypedValue;

/// The topics that have rules of their own.
pub(super) struct AskedTopics {
    /// The date on which something ends.
    pub end: bool,
    /// The length of a renewal.
    pub renewal: bool,
    term: bool,
    notice: bool,
    payment: bool,
    /// The period for which an amount is paid.
    period: Option<PaymentPeriod>,
}

impl AskedTopics {
    pub fn of(extractor: &ValueExtractor) -> AskedTopics {
        let (ty, cues) = (extractor.ty, &extractor.cues[..]);
        AskedTopics {
            end: topic::asks_for_end(ty, cues),
            renewal: renewal_length::is_asked_for(ty, cues),
            term: topic::asks_for_term(ty, cues),
            notice: topic::asks_for_notice(ty, cues),
            payment: topic::asks_for_payment(ty, cues),
            period: payment_period::asked_for(cues),
        }
    }

    /// All mentions in a text; those that are only part of what is asked for have no value.
    pub fn mentions(&self, extractor: &ValueExtractor, text: &str) -> Vec<ValueMention> {
        let mut mentions = extractor.kind.mentions(text);
        match &extractor.kind {
            ExtractorKind::Money { .. } | ExtractorKind::Percent(_) => {
                open_amount::clear_open(extractor.ty, &extractor.cues, text, &mut mentions);
                if let Some(period) = self.period {
                    payment_period::keep_asked(text, period, &mut mentions);
                }
            }
            ExtractorKind::Duration if self.renewal => {
                renewal_length::add_recurring(text, &mut mentions);
            }
            _ => {}
        }
        mentions
    }

    /// Whether the text around a mention shows that it is something else.
    pub fn leave_out(
        &self,
        extractor: &ValueExtractor,
        text: &str,
        sentence: &Range<usize>,
        mention: &Range<usize>,
    ) -> bool {
        let before = &text[..mention.start];
        // `payable in monthly instalments of $500` is the whole amount of a month.
        let part = topic::is_part_of_amount(before, &extractor.cues)
            && (self.period.is_none() || payment_period::of_amount(text, mention) != self.period);
        let after = &text[mention.end.min(sentence.end)..sentence.end];
        part || topic::is_former(before)
            || self.term && topic::is_time_limit(before)
            || self.notice && topic::begins_with_notice(&text[sentence.clone()], after)
    }

    /// The value of a mention, given the sentence around it.
    pub fn value(
        &self,
        text: &str,
        sentence: &Range<usize>,
        mention: &ValueMention,
    ) -> Option<TypedValue> {
        let before = &text[sentence.start..mention.range.start];
        let after = &text[mention.range.end.min(sentence.end)..sentence.end];
        if self.payment && topic::counts_from_deadline(after)
            || self.renewal && renewal_length::has_several(&text[sentence.clone()])
        {
            return None;
        }
        let shortest = || notice_window::shortest(before, &text[mention.range.clone()]);
        mention.value.clone().or_else(|| self.notice.then(shortest).flatten())
    }
}
