//! Selects the mention that the cues ask for from all mentions in a text.

use std::ops::Range;

use super::asked_topics::AskedTopics;
use super::mention::ValueMention;
use super::topic::{self, RivalTopics};
use super::{CUE_REACH, ValueExtractor, cue_support, renewal_length, sentence};
use crate::value::{TypedValue, ValueType};

/// How close a mention is to its cue; lower is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct MentionRank {
    /// Words between them.
    words: usize,
    before_cue: bool,
    /// The cue is a word that means little by itself.
    weak_cue: bool,
}

/// The mention that is asked for, with or without a value; `None` if there is none.
pub(super) fn select_mention(extractor: &ValueExtractor, text: &str) -> Option<ValueMention> {
    let topics = AskedTopics::of(extractor);
    let mentions = topics.mentions(extractor, text);
    if mentions.is_empty() {
        return None;
    }
    if extractor.cues.is_empty() {
        return without_cues(extractor.ty, mentions);
    }
    let sentences = sentence::sentences(text);
    let rivals = RivalTopics::for_cues(extractor.ty, &extractor.cues);
    let mut ranked: Vec<(MentionRank, usize, ValueMention)> = Vec::new();
    let mut latest: Option<ValueMention> = None;
    let mut before = 0..0;
    for mut mention in mentions {
        // `1 May 2024 - 30 April 2026`: the second date is the end of a period even without a cue.
        let dash = text.get(before.end..mention.range.start).is_some_and(|gap| gap.trim() == "-");
        before = mention.range.clone();
        let at = mention.range.start;
        let inside = |s: &Range<usize>| s.start <= at && at < s.end;
        let Some(number) = sentences.iter().position(inside) else { continue };
        let sentence = &sentences[number];
        if topics.leave_out(extractor, text, sentence, &mention.range) {
            continue;
        }
        mention.value = topics.value(text, sentence, &mention);
        let earlier = &text[sentence.start..at];
        if topics.end && topic::overrides_other_dates(earlier) {
            latest = later_date(latest, mention);
            continue;
        }
        let by_place = MentionRank { words: 0, before_cue: false, weak_cue: true };
        let rank = match rank(extractor, &rivals, text, sentence, &mention.range) {
            None if topics.end && dash => Some(by_place),
            None if topics.renewal
                && renewal_length::continues_as(&text[mention.range.clone()], earlier) =>
            {
                Some(MentionRank { words: CUE_REACH, ..by_place })
            }
            rank => rank,
        };
        ranked.extend(rank.map(|rank| (rank, number, mention)));
    }
    if latest.is_some() {
        return latest;
    }
    ranked.sort_by_key(|(rank, _, mention)| (*rank, mention.range.start));
    let mut ranked = ranked.into_iter();
    let (rank, number, mut best) = ranked.next()?;
    // A different value at the same distance in the same sentence makes the choice ambiguous.
    let mut as_near = ranked.take_while(|(other, ..)| *other == rank);
    if as_near.any(|(_, other, mention)| other == number && mention.value != best.value) {
        best.value = None;
    }
    Some(best)
}

/// The first mention; for a yes/no, only if all mentions agree.
fn without_cues(ty: ValueType, mentions: Vec<ValueMention>) -> Option<ValueMention> {
    let agree = mentions.windows(2).all(|pair| pair[0].value == pair[1].value);
    let mut first = mentions.into_iter().next()?;
    if ty == ValueType::YesNo && !agree {
        first.value = None;
    }
    Some(first)
}

/// The later of two overriding dates; without a value if they cannot be compared.
fn later_date(latest: Option<ValueMention>, next: ValueMention) -> Option<ValueMention> {
    let Some(latest) = latest else { return Some(next) };
    match (&latest.value, &next.value) {
        (Some(TypedValue::Date(a)), Some(TypedValue::Date(b))) => {
            Some(if b > a { next } else { latest })
        }
        _ => Some(ValueMention { value: None, ..next }),
    }
}

/// The rank of a mention; `None` if no cue supports it, or if words of another topic claim it.
fn rank(
    extractor: &ValueExtractor,
    rivals: &RivalTopics,
    text: &str,
    sentence: &Range<usize>,
    mention: &Range<usize>,
) -> Option<MentionRank> {
    let inside = &text[sentence.clone()];
    let absolute = |cue: Range<usize>| sentence.start + cue.start..sentence.start + cue.end;
    let cues = extractor.cues.iter().flat_map(|phrase| {
        phrase.ranges(inside).map(move |cue| (phrase.text() == "to", absolute(cue)))
    });
    let (own, cue) = cues
        .filter(|(_, cue)| {
            let between = between(text, cue, mention);
            cue_support::can_refer_to(extractor.ty, text, cue, mention, between)
        })
        .map(|(weak_cue, cue)| (MentionRank { weak_cue, ..distance(text, &cue, mention) }, cue))
        .min_by_key(|(rank, cue)| (*rank, cue.start))
        .filter(|(rank, _)| rank.words <= CUE_REACH)?;
    let mut rivals: Vec<Range<usize>> = rivals.ranges(inside).map(absolute).collect();
    rivals.sort_by_key(|rival| rival.start);
    // Rival words directly after the cue belong to it: `terminates effective as of May 1`.
    let mut own_end = cue.end;
    let claimed = rivals.into_iter().any(|rival| {
        let overlaps = rival.start < own_end && cue.start < rival.end;
        let of_mention = rival.start < mention.end && mention.start < rival.end;
        // `to` before a verb is no such cue: `agrees to commence the work on May 1`.
        if extractor.ty == ValueType::Date
            && !own.weak_cue
            && cue.end <= mention.start
            && own_end <= rival.start
            && rival.end <= mention.start
            && word_count(&text[own_end..rival.start]) == 0
        {
            own_end = rival.end;
            return false;
        }
        !overlaps && !of_mention && is_claimed_by(extractor.ty, text, &rival, mention, own)
    });
    (!claimed).then_some(own)
}

/// Whether words of another topic are closer to a mention than its own cue.
fn is_claimed_by(
    ty: ValueType,
    text: &str,
    rival: &Range<usize>,
    mention: &Range<usize>,
    own: MentionRank,
) -> bool {
    let rank = distance(text, rival, mention);
    let between = between(text, rival, mention);
    if between.contains([',', ';', ':']) {
        return false;
    }
    if ty == ValueType::Date {
        // Words after a date refer to the next one, unless they name it: `May 1, 2024 (the "Effective Date")`.
        let named = rank.before_cue && between.contains('(') && rank.words <= 1;
        let allowance = if own.before_cue { 2 } else { 0 };
        return (named || !rank.before_cue)
            && (rank.words < own.words + allowance || own.before_cue && rank.words <= own.words);
    }
    // Words after a period refer to it only if they follow directly: `one year by written agreement`.
    let close = !rank.before_cue || own.before_cue || rank.words == 0;
    // `remedy it within 14 days of written notice`: a cue after the period is weaker than a rival before it.
    let allowance = if own.before_cue && own.words > 0 && !rank.before_cue { 2 } else { 0 };
    close && (rank.words < own.words + allowance || rank.words == own.words && own.before_cue)
}

fn distance(text: &str, cue: &Range<usize>, mention: &Range<usize>) -> MentionRank {
    MentionRank {
        words: word_count(between(text, cue, mention)),
        before_cue: cue.end > mention.start,
        weak_cue: false,
    }
}

/// The text between a cue and a mention.
fn between<'t>(text: &'t str, cue: &Range<usize>, mention: &Range<usize>) -> &'t str {
    let (from, to) = match cue.end <= mention.start {
        true => (cue.end, mention.start),
        false => (mention.end, cue.start),
    };
    text.get(from..to).unwrap_or("")
}

/// The number of words in a text.
fn word_count(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}
