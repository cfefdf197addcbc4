//! Paraphrases: synonymous wordings of contracts and reports, active and passive voice, digits and words, date formats,
//! the order of a row's fields.

use std::sync::LazyLock;

use regex::Regex;

use super::actors::actors;
use super::draws::SentenceDraws;
use super::edit::{SentenceChange, SentenceEdit, capitalised};
use super::rule::{RewriteRule, RuleSource, applications, compile_rules};
use super::sentence::is_row;
use super::value_slots::{SlotKind, ValueSlot};
use crate::number_words;
use crate::value::TypedValue;

/// Tenths of the possible rewordings that are applied, on average.
const TENTHS: usize = 8;

#[rustfmt::skip]
const TABLE: &[RuleSource] = &[
    ("prior to", "before/in advance of", "", ""),
    ("before the", "prior to the", "the day|on or|or", "court|tax"),
    ("not less than", "at least/no less than", "", ""),
    ("at least", "not less than/no fewer than", "", "one of|as|one|in part"),
    ("not more than", "at most/no more than", "", ""),
    ("(?:no|not) later than", "at the latest by", "or", r"\w+\s*\(|\d+ (?:days|months|years)|\w+ (?:days|months|years)|the date"),
    ("per annum", "a year/per year", "", ""),
    ("pursuant to", "under/in accordance with", "", ""),
    ("in accordance with", "in line with/in conformity with", "", ""),
    ("in the event that", "if", "", ""),
    ("in the event of", "in case of", "", ""),
    ("provided that", "on condition that", "", ""),
    ("provided, however, that", "on condition, however, that", "", ""),
    ("notwithstanding", "despite", "", ""),
    ("hereunder", "under this Agreement", "thereunder or|or|and", "or|and"),
    ("herein", "in this Agreement", "or|and", "or|and"),
    ("hereof", "of this Agreement", "or|and", "or|and"),
    ("this Agreement", "this Contract", "", r"\(|is made"),
    ("thereafter", "after that", "", "amended"),
    ("forthwith", "immediately/at once", "", ""),
    ("immediately", "at once/without delay", "", "after|following|preceding|prior|before|upon|available"),
    ("promptly", "without delay", "", ""),
    ("with respect to", "regarding/concerning", "", ""),
    ("in connection with", "in relation to", "", ""),
    ("for the avoidance of doubt", "to be clear", "", ""),
    ("prior written consent", "advance consent in writing", "", ""),
    ("prior written notice", "advance notice in writing", "", ""),
    ("written notice of", "notice in writing of", "advance|prior|such|of|day|days", ""),
    ("written notice to", "notice in writing to", "advance|prior|such|of|day|days", ""),
    ("shall be entitled to", "shall have the right to", "", ""),
    ("is entitled to", "has the right to", "not", ""),
    ("shall have the right to", "shall be entitled to", "", ""),
    ("shall have no obligation to", "shall not be obliged to", "", ""),
    ("shall not be obligated to", "shall have no obligation to", "", ""),
    ("shall terminate", "shall come to an end", "", "this|the|any|all|such|its|either|or|and|upon written"),
    ("automatically renew", "renew automatically", "", ""),
    ("successive", "consecutive", "", ""),
    ("additional", "further", "", ""),
    ("commence", "begin", "", ""),
    ("commences", "begins", "", ""),
    ("commencing", "beginning", "", ""),
    ("(?-i:purchase)", "buy", "the|a|of|each|any|such|all|this|for|or|and|initial", "order|orders|price|prices|agreement|money|or"),
    ("obtain", "get", "", "or"),
    ("sufficient", "enough", "be|is|are|legally|of", "to|for|and|or|number"),
    ("subsequent to", "after", "", ""),
    ("for the purpose of", "with the aim of", "", ""),
    ("for the duration of", "throughout", "", ""),
    ("in the course of", "during", "", ""),
    ("including without limitation", "including but not limited to", "", ""),
    ("including, without limitation,", "including, but not limited to,", "", ""),
    ("any and all", "all", "", ""),
    ("null and void", "invalid", "", ""),
    ("from time to time", "now and then", "", ""),
    ("is governed by", "is subject to", "", "and"),
    ("shall be governed by", "shall be subject to", "", "and"),
    ("shall be construed", "shall be interpreted", "", ""),
    ("in force", "in effect", "", "and"),
    ("in full force and effect", "fully in force", "", ""),
    ("the parties hereto", "the parties to this Agreement", "", ""),
    ("in writing", "in written form", "notice|consent|agreed", "signed"),
    ("liable", "answerable", "jointly|severally", "and"),
    ("entire", "whole", "", "agreement|understanding"),
    ("began", "started", "", ""),
    ("approximately", "about/roughly", "", ""),
    ("however", "nevertheless", "", "much|many|long|caused|it may|arising|small|,? that"),
    ("although", "though", "even", ""),
    ("in order to", "to", "", ""),
    ("due to", "because of", "is|are|was|were|be|amounts?|sums?|becomes?|being|partly|payments?|fees?|royalties|monies|money|rent|payable", "be|the fact|him|her|it|them|Licensor|Company"),
    ("because of", "owing to", "", ""),
    ("as well as", "and also", "not only|and", ""),
    ("frequently", "often", "more|less", ""),
    ("often", "frequently", "more|less", ""),
    ("numerous", "many", "", ""),
    ("many", "numerous", "as|how|so|too|very|not", "of|as|a|more|other"),
    ("the largest", "the biggest", "", ""),
    ("located in", "situated in", "", ""),
    ("founded in", "established in", "", ""),
    ("such as", "for example", r"\w+", ""),
    ("also", "additionally", "but|and|is|are|was|were|may|can|has|have|had|could|would|be|see", "known|called|referred|be|been"),
    ("in addition to", "besides", "", ""),
    ("primarily", "mainly", "", ""),
    ("mainly", "primarily", "", ""),
    ("throughout the world", "all over the world", "", ""),
    ("require", "need", "not|shall|may", "that|the consent|the prior|or|and"),
    ("requires", "needs", "", "that|a|or|and"),
    ("assist", "help", "shall|to|will|may", "and|or|with"),
    ("utilize", "use", "", ""),
];

static RULES: LazyLock<Vec<RewriteRule>> = LazyLock::new(|| compile_rules(TABLE));

/// A random selection of the possible rewordings, at least one; `None` if there is none.
pub(super) fn change(
    text: &str,
    slots: &[ValueSlot],
    draws: &mut SentenceDraws,
) -> Option<SentenceChange> {
    if is_row(text) {
        return rotated_fields(text, draws);
    }
    // The passive moves most of the sentence, so it is not combined with other rewordings.
    if let Some(passive) = passive(text, slots) {
        return Some(passive);
    }
    let mut all = applications(&RULES, text);
    all.extend(slots.iter().filter_map(|slot| rewritten_value(text, slot)).map(|edit| vec![edit]));
    let mut kept: SentenceChange = Vec::new();
    // In random order, so that either of two overlapping rewordings may be applied.
    let mut order: Vec<(u64, SentenceChange)> =
        all.into_iter().map(|edits| (draws.bits(), edits)).collect();
    order.sort_by_key(|(bits, _)| *bits);
    for (bits, edits) in order {
        let drawn = kept.is_empty() || (bits % 10) < TENTHS as u64;
        let apart = edits.iter().all(|edit| {
            kept.iter().all(|k| k.range.end <= edit.range.start || edit.range.end <= k.range.start)
        });
        if drawn && apart {
            kept.extend(edits);
        }
    }
    (!kept.is_empty()).then_some(kept)
}

static PLAIN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\d{1,2}$").expect("valid"));
static SPELLED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?<words>[A-Za-z -]+?)\s*\(\s*(?<digits>\d+)\s*\)$").expect("valid")
});

/// A value in another written form.
fn rewritten_value(text: &str, slot: &ValueSlot) -> Option<SentenceEdit> {
    let part = &text[slot.range.clone()];
    match (&slot.kind, &slot.value) {
        (SlotKind::Date, TypedValue::Date(date)) => {
            let american = part.starts_with(|c: char| c.is_alphabetic());
            let format = if american { "%-d %B %Y" } else { "%B %-d, %Y" };
            Some(SentenceEdit::new(slot.range.clone(), date.format(format).to_string()))
        }
        (SlotKind::Percent, _) => {
            let with = match part.strip_suffix('%') {
                Some(n) => format!("{n} percent"),
                None => format!("{}%", part.strip_suffix(" percent")?),
            };
            (!part.contains('(')).then(|| SentenceEdit::new(slot.range.clone(), with))
        }
        (SlotKind::Duration | SlotKind::Number, _) => {
            let found = crate::extract::count::known_numbers(part);
            let [count] = found.as_slice() else { return None };
            let written = part[count.range.clone()].trim_end();
            let start = slot.range.start + count.range.start;
            let range = start..start + written.len();
            let after = &text[range.end..];
            let with = if let Some(both) = SPELLED.captures(written) {
                both["digits"].to_owned()
            } else if PLAIN.is_match(written) && after.starts_with(' ') {
                let unit = after.split_whitespace().next().unwrap_or("");
                let word = unit.len() > 2 && unit.starts_with(char::is_lowercase);
                number_words::to_words(written.parse().ok().filter(|_| word)?)
            } else {
                let lower = written.to_lowercase();
                let words: Vec<&str> = lower.split([' ', '-']).collect();
                number_words::parse_words(&words).filter(|n| *n > 1)?.to_string()
            };
            Some(SentenceEdit::new(range, with))
        }
        _ => None,
    }
}

/// Verbs with their past participles.
const VERBS: [(&str, &str); 14] = [
    ("pay", "paid"),
    ("deliver", "delivered"),
    ("provide", "provided"),
    ("notify", "notified"),
    ("reimburse", "reimbursed"),
    ("maintain", "maintained"),
    ("discharge", "discharged"),
    ("terminate", "terminated"),
    ("assign", "assigned"),
    ("increase", "increased"),
    ("supply", "supplied"),
    ("indemnify", "indemnified"),
    ("keep", "kept"),
    ("disclose", "disclosed"),
];

static ACTIVE: LazyLock<Regex> = LazyLock::new(|| {
    let verbs: Vec<&str> = VERBS.iter().map(|(verb, _)| *verb).collect();
    Regex::new(&format!(
        r"^\s+(?<modal>shall|may|will|must)(?<not>\s+not)?\s+(?<verb>{})\s+(?<object>(?:the|each|any|all|this|such)\s+(?:[A-Za-z-]+\s*){{1,3}}?)(?<rest>,|\.|;|\s+(?:within|not later|no later|on|before|after|upon|once|at|if|unless|without|for|to)\b)",
        verbs.join("|")
    ))
    .expect("the pattern is valid")
});

/// The passive voice: `Each invoice shall be paid by A within ..` for `A shall pay each invoice within ..`.
fn passive(text: &str, slots: &[ValueSlot]) -> Option<SentenceChange> {
    let actors = actors(text, slots);
    let subject = actors.iter().flat_map(|a| &a.mentions).find(|range| range.start == 0)?;
    let captures = ACTIVE.captures(&text[subject.end..])?;
    let verb = captures.name("verb")?;
    let participle = VERBS.iter().find(|(plain, _)| *plain == verb.as_str())?.1;
    let object = captures.name("object")?;
    let not = captures.name("not").map_or("", |m| m.as_str());
    let actor = match text[subject.clone()].strip_prefix("The ") {
        Some(name) => format!("the {name}"),
        None => text[subject.clone()].to_owned(),
    };
    // The rest must not refer to the subject, for example by `its`, since the subject is replaced.
    let rest = &text[subject.end + object.end()..];
    let bound =
        [" its ", " it ", " their ", " and ", " or "].iter().any(|word| rest.contains(word));
    (!bound).then(|| {
        let with = format!(
            "{} {}{not} be {participle} by {actor}",
            capitalised(object.as_str().trim()),
            &captures["modal"]
        );
        vec![SentenceEdit::new(0..subject.end + object.end(), with)]
    })
}

/// Rotates the fields of a row.
fn rotated_fields(text: &str, draws: &mut SentenceDraws) -> Option<SentenceChange> {
    let fields: Vec<&str> = text.split(" | ").collect();
    let by = 1 + draws.below(fields.len() - 1);
    let turned: Vec<&str> = fields[by..].iter().chain(&fields[..by]).copied().collect();
    Some(vec![SentenceEdit::new(0..text.len(), turned.join(" | "))])
}
