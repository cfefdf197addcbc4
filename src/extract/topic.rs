//! Topics of the dates and periods in a contract, recognised by nearby words.
//!
//! A contract has many dates and periods: its start, its end, payment, notice. The user's cues belong to one topic,
//! and a value claimed by words of another topic is not the one asked for, even if it is the only one: in `renews for
//! one (1) year terms unless notice is given`, the year is not a notice period.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::phrase::CuePhrase;
use crate::value::ValueType;

/// Words that occur with values of one topic.
struct CueTopic {
    ty: ValueType,
    cues: Regex,
}

fn topic(ty: ValueType, cues: &str) -> CueTopic {
    let cues = Regex::new(&format!(r"(?i)\b(?:{cues})\b")).expect("the pattern is valid");
    CueTopic { ty, cues }
}

/// Words about the end of something.
const END: &str = "(?:until|till|through|to|up\\s+to)(?:\\s+and\\s+including)?|end|ends|ended|ending|end\\s+date|end\\s+of\\s+term|expir\\w+|\
terminat\\w+|conclud\\w+|lapses?|ceases?|matur\\w+|(?:no|not)\\s+later\\s+than|later\\s+than|beyond|valid|last\\s+day|\
expires?\\s+on";

static TOPICS: LazyLock<Vec<CueTopic>> = LazyLock::new(|| {
    let start = "effective|effectiveness|commenc\\w+|begin\\w*|began|start\\w*|from(?:\\s+and\\s+including)?|dated|granted|as\\s+of|since|entered\\s+into|\
made|executed|execution|signed|inception";
    let past = "amended|amendment|issued|invoiced?|deliver\\w*|published|incorporated|acquired|originally|formerly|\
previously|initially|born|last\\s+updated|revised|received|renewed|restated|supersed\\w+|replac\\w+|by|occur\\w*|\
on\\s+or\\s+before";
    // `exercised no later than` is a deadline for something else than the end; `ends no later than` is not among these.
    let deadline = "(?:given|serv\\w+|received|exercis\\w+|deliver\\w*|notif\\w+|notice|paid|submit\\w*|elect\\w*|\
request\\w*|object\\w*|lodged|made|cancel\\w*)(?:\\s+[\\w']+){0,4}?\\s+(?:no|not)\\s+later\\s+than";
    let notice =
        "notice|notices|notif\\w+|prior|before|advance|in\\s+advance|written|in\\s+writing";
    let renewal = "renew\\w*|successive|extend\\w*|extension|additional";
    let term = format!("terms?|{renewal}|initial|thereafter|remain|continues?");
    let payment = "pay|pays|paid|payable|payments?|invoices?|invoiced|fees?|due|deposits?|refund\\w*|reimburse\\w*|credit|interest";
    let cure = "cure|cures|cured|remed\\w+|rectif\\w+|breach|default";
    let other = "warrant\\w+|surviv\\w+|return\\w*|deliver\\w*|respon\\w+|store|retain\\w*|dispute|escalat\\w+|publish\\w*|posted|\
advertis\\w+|deemed|posting|mailing";
    vec![
        topic(ValueType::Date, END),
        topic(ValueType::Date, start),
        topic(ValueType::Date, past),
        topic(ValueType::Date, deadline),
        topic(ValueType::Duration, notice),
        topic(ValueType::Duration, &term),
        // Listed separately, so that a cue for the initial term still has renewals as a rival.
        topic(ValueType::Duration, renewal),
        topic(ValueType::Duration, payment),
        topic(ValueType::Duration, cure),
        topic(ValueType::Duration, other),
    ]
});

static END_CUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("(?i)^(?:{END})$")).expect("the pattern is valid"));

/// The topics that compete with the topic of the cues; none if the cues belong to no known topic.
pub(super) struct RivalTopics(Vec<&'static CueTopic>);

impl RivalTopics {
    pub fn for_cues(ty: ValueType, near: &[CuePhrase]) -> RivalTopics {
        let speaks = |topic: &CueTopic| {
            near.iter().any(|cue| {
                topic.cues.find(cue.text()).is_some_and(|m| m.range() == (0..cue.text().len()))
            })
        };
        let of_type: Vec<&CueTopic> = TOPICS.iter().filter(|topic| topic.ty == ty).collect();
        let (own, rivals): (Vec<&CueTopic>, Vec<&CueTopic>) =
            of_type.into_iter().partition(|topic| speaks(topic));
        RivalTopics(if own.is_empty() { Vec::new() } else { rivals })
    }

    /// The ranges of rival words in a text.
    pub fn ranges<'t>(&'t self, text: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
        let found = self.0.iter().flat_map(move |topic| topic.cues.find_iter(text));
        // `non-renewal` and `not to renew` are about notices, so they are not rivals.
        let denied = |before: &str| {
            let before = before.to_ascii_lowercase();
            ["non-", "non ", "not to ", "not "].iter().any(|word| before.ends_with(word))
        };
        found.map(|found| found.range()).filter(move |range| !denied(&text[..range.start]))
    }
}

/// Whether the cues ask for the date on which something ends.
pub(super) fn asks_for_end(ty: ValueType, near: &[CuePhrase]) -> bool {
    ty == ValueType::Date && near.iter().any(|cue| END_CUE.is_match(cue.text()))
}

static TERM_CUE: LazyLock<Regex> = LazyLock::new(|| {
    let words = "(?i)^(?:(?:initial|renewal)\\s+)?(?:terms?|renew\\w*|successive|extension)$";
    Regex::new(words).expect("the pattern is valid")
});

/// Whether the cues ask for the length of a term.
pub(super) fn asks_for_term(ty: ValueType, near: &[CuePhrase]) -> bool {
    ty == ValueType::Duration && near.iter().any(|cue| TERM_CUE.is_match(cue.text()))
}

static WITHIN: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)\bwithin\s+(?:(?:a|the|such)\s+)?(?:(?:further|first|last|next)\s+)?(?:(?:period|term)\s+of\s+)?$";
    Regex::new(pattern).expect("the pattern is valid")
});

/// Whether the period after `before` is a time limit: `within a period of three months`.
pub(super) fn is_time_limit(before: &str) -> bool {
    WITHIN.is_match(before)
}

static NOTICE_CUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?i)^(?:notice|notif\\w+)$").expect("the pattern is valid"));

/// Whether the cues ask for a notice period.
pub(super) fn asks_for_notice(ty: ValueType, near: &[CuePhrase]) -> bool {
    ty == ValueType::Duration && near.iter().any(|cue| NOTICE_CUE.is_match(cue.text()))
}

static AFTER_NOTICE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        r"(?i)^\s*(?:after|following|from)\s+(?:[\w']+\s+){0,5}?(?:notice|notification)\b";
    Regex::new(pattern).expect("the pattern is valid")
});
static ENDS_BY_NOTICE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)\b(?:terminat\w*|cancel\w*|expir\w*|renew\w*|resign\w*|withdraw\w*|ends?|quit|leave)\b";
    Regex::new(pattern).expect("the pattern is valid")
});

/// Whether a period merely starts with a notice, in a sentence that ends no contract: `the mediation takes place
/// within sixty days after notice`. `after` is the text after the period.
pub(super) fn begins_with_notice(sentence: &str, after: &str) -> bool {
    AFTER_NOTICE.is_match(after) && !ENDS_BY_NOTICE.is_match(sentence)
}

static PAYMENT_CUE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("(?i)^(?:pay|pays|paid|payable|payments?|invoices?)$").expect("the pattern is valid")
});

/// Whether the cues ask for the time allowed for a payment.
pub(super) fn asks_for_payment(ty: ValueType, near: &[CuePhrase]) -> bool {
    ty == ValueType::Duration && near.iter().any(|cue| PAYMENT_CUE.is_match(cue.text()))
}

static AFTER_DUE: LazyLock<Regex> = LazyLock::new(|| {
    let whose = r"(?:(?:the|its|their|such|any|each|applicable|relevant|respective|original|payment|invoice|stated)\s+){0,3}";
    let falls =
        r"(?:\w+\s+){1,3}?(?:is|are|was|were|becomes?|became|falls?|fell)\s+(?:first\s+)?due";
    let pattern = format!(
        r"(?i)^\s*(?:of|after|from|following|beyond|past)\s+(?:{whose}due\s+date|{whose}date\s+(?:when\s+due|(?:when\s+|on\s+which\s+)?{falls})|{falls}|(?:becoming|falling|being)\s+due)\b"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// Whether a period only begins when a payment is due: `within 30 days of their due date`. `after` is the text after
/// the period.
pub(super) fn counts_from_deadline(after: &str) -> bool {
    AFTER_DUE.is_match(after)
}

static PART: LazyLock<Regex> = LazyLock::new(|| {
    let part = "of which|remaining|remainder(?:\\s+of)?|balance(?:\\s+of)?|(?:pre-?payment|down\\s+payment|instal?lments?)(?:\\s+of)?";
    let pattern = format!(r"(?i)\b(?<part>{part})\s+(?:the\s+|about\s+)?$");
    Regex::new(&pattern).expect("the pattern is valid")
});

/// Whether the value after `before` is only part of an amount: `the remaining $3,100`. Cues that name the part
/// itself override this.
pub(super) fn is_part_of_amount(before: &str, near: &[CuePhrase]) -> bool {
    PART.captures(before)
        .and_then(|found| found.name("part"))
        .is_some_and(|part| !near.iter().any(|cue| cue.ranges(part.as_str()).next().is_some()))
}

static FORMER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:formerly|previously|originally)\s+(?:(?:of|at)\s+)?$")
        .expect("the pattern is valid")
});

/// Whether the value after `before` held only in the past: `the fee, formerly $100, is $80`.
pub(super) fn is_former(before: &str) -> bool {
    FORMER.is_match(before)
}

static EXTENDED: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)\b(?:extended|prolonged|postponed|deferred|renewed)\s+(?:[\w,]+\s+){0,6}?(?:to|until|till|through)\s+(?:and\s+including\s+)?$";
    Regex::new(pattern).expect("the pattern is valid")
});
static POSSIBILITY: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)\b(?:may|might|can|could|unless|option|if|right|entitled|elects?|election|requests?|or)\b";
    Regex::new(pattern).expect("the pattern is valid")
});
/// Number of characters before `extended` that are searched for words that make it only a possibility.
const POSSIBILITY_REACH: usize = 60;

static LIMIT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        r"(?i)\b(?:no|any)\s+event\s+(?:later\s+than|(?:shall\s+\w+\s+)?(?:extend\s+)?beyond)\s+$";
    Regex::new(pattern).expect("the pattern is valid")
});

/// Whether the text before a date makes it override all other dates: `extended until`, `but in no event later than`.
pub(super) fn overrides_other_dates(before: &str) -> bool {
    let start = before.rfind(['.', ';']).map_or(0, |at| at + 1);
    let clause = &before[start..];
    LIMIT.is_match(clause)
        || EXTENDED.find(clause).is_some_and(|found| {
            let from = clause[..found.start()]
                .char_indices()
                .rev()
                .nth(POSSIBILITY_REACH)
                .map_or(0, |(at, _)| at);
            !POSSIBILITY.is_match(&clause[from..found.end()])
        })
}
