//! Decides whether a text asserts a phrase, denies it, or only makes it conditional.
//!
//! A negation extends over its clause: `in no event shall this Agreement, or any part of it, renew`. The clause ends
//! where another verb has its own subject: `not be terminated and shall renew`.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// How a text treats a phrase in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhraseStance {
    Stated,
    Denied,
    /// Conditional, or negated in a way that does not assert the opposite.
    Uncertain,
}

/// Expressions with `not` or `no` that negate nothing.
static IDIOM: LazyLock<Regex> = LazyLock::new(|| {
    let comparison = r"(?:no|not)\s+(?:less|more|later|fewer|earlier|sooner|greater|longer)\s+than";
    let pattern = format!(
        r"(?i)\b(?:{comparison}|not\s+(?:only|limited)|(?:or|if)\s+not\b|without\s+(?:limit(?:ation|ing)|prejudice|regard|(?:further|prior|any)\s+\w+|the\s+need|notice|action))"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// A plain negation of the verb that follows.
static DENIAL: LazyLock<Regex> = LazyLock::new(|| {
    let verb = "(?:shall|will|does|do|did|may|can|could|would|should|must|is|are|was|were|to)";
    let pattern = format!(
        r"(?i)\b(?:{verb}\s+(?:\w+\s+)?(?:not|never)|cannot|can't|won't|shan't|doesn't|don't|isn't|aren't|never|in\s+no\s+(?:event|case|circumstances?)|under\s+no\s+(?:circumstances?|condition)|on\s+no\s+account|at\s+no\s+time|no\s+longer)\b"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// A negation that does not necessarily assert the opposite of what follows.
static OTHER_NEGATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:not|no|none|neither|nor|nothing|nobody)\b|n't\b")
        .expect("the pattern is valid")
});

/// A negation of only what directly follows.
static CLOSE_NEGATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:without|unless|except|excluding)\s+(?:[\w']+\s+){0,2}$")
        .expect("the pattern is valid")
});

/// Words that make what follows conditional, up to the next comma.
static CONDITION: LazyLock<Regex> = LazyLock::new(|| {
    let words = "if|whether|in\\s+case|in\\s+the\\s+event|should|were|where|when|until|unless|provided\\s+that\\s+if";
    Regex::new(&format!(r"(?i)(?:^|[\s(])(?:{words})\b")).expect("the pattern is valid")
});

/// The boundary between a clause and the next one with its own verb.
static CLAUSE_BOUNDARY: LazyLock<Regex> = LazyLock::new(|| {
    let subject = r"(?:it|they|(?:this|the|such|each|either|any|all)(?:\s+[\w\x22'()]+){0,5}?)";
    let verb = "(?:shall|will|is|are|does|do|may|must|has|have)";
    let pattern = format!(
        r"(?i)[.;:]\s|\bbut\b|\b(?:else|otherwise|then|thereafter|instead)\b|\band\s+{verb}\b|(?:\band|,)\s+(?:and\s+|or\s+)?{subject}\s+(?:{verb}\b|$)|,\s*(?:in\s+which|whereupon|after\s+which)"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// A clause about the contract that begins without a comma: `unless notice is given this Agreement shall renew`.
static SUBJECT: LazyLock<Regex> = LazyLock::new(|| {
    let what = "agreement|contract|lease|licen[cs]e|subscription|term|policy|engagement|order|plan";
    let pattern = format!(
        r"(?i)\s(?:it|(?:this|the|such|your|each)\s+(?:\w+\s+){{0,2}}(?:{what}))\s+(?:\(\w+\)\s+)?(?:shall|will|is|are|does|may|must)\b"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// A negation after the phrase: `automatic renewal shall not apply`.
static DENIED_AFTER: LazyLock<Regex> = LazyLock::new(|| {
    let verb = "(?:shall|will|does|do|may|can|is|are)";
    let gone = "excluded|waived|prohibited|deleted|disabled|removed|disapplied|void";
    let pattern = format!(
        r"(?i)^(?:\s+(?:of|for|under)(?:\s+[\w']+){{1,4}})?\s+(?:{verb}\s+(?:not|never)\b|(?:is|are|shall\s+be|will\s+be)\s+(?:hereby\s+|expressly\s+)?(?:{gone})\b)|^\s*:\s*(?:no|none|off|n/a)\b"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// Text before something that is needed: nothing may be done without it.
static WITHOUT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)\b(?:not|no|neither|nor|never|cannot|none)\b[^.;]*\bwithout\s+(?:(?:first|obtaining|getting)\s+)*(?:[\w']+\s+){0,5}$";
    Regex::new(pattern).expect("the pattern is valid")
});
/// What may be needed in this way.
static NEEDED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:consents?|approvals?|permission|agreement|authori[sz]ation)\b")
        .expect("the pattern is valid")
});

/// How `text` treats the phrase at `range`.
pub fn stance(text: &str, range: &Range<usize>) -> PhraseStance {
    let before = sentence_before(&text[..range.start]);
    // Two negations: `neither party may assign it without the consent of the other` says that consent is needed.
    if NEEDED.is_match(&text[range.clone()]) && WITHOUT.is_match(before) {
        return PhraseStance::Stated;
    }
    let supposing = |at: usize| {
        let word = before[..at].split_whitespace().next_back().unwrap_or("").to_lowercase();
        ["if", "whether", "when", "where", "unless", "should", "that", "event"]
            .contains(&word.as_str())
    };
    let restarts = SUBJECT.find_iter(before).map(|found| found.start());
    let restarts = restarts.filter(|at| !supposing(*at)).last();
    let begins = CLAUSE_BOUNDARY.find_iter(before).last().map_or(0, |border| border.end());
    // In `in no event shall this Agreement renew` the verb precedes its subject, so no new clause begins there.
    let begins = restarts.map_or(begins, |at| begins.max(at));
    // Idioms such as `no later than` would otherwise match as negations.
    let clause = IDIOM.replace_all(&before[begins..], " ");
    let supposed = CONDITION.is_match(after_last_comma(&clause));
    if DENIED_AFTER.is_match(&text[range.end..]) {
        return if supposed { PhraseStance::Uncertain } else { PhraseStance::Denied };
    }
    if DENIAL.is_match(&clause) {
        return if supposed { PhraseStance::Uncertain } else { PhraseStance::Denied };
    }
    if supposed || CLOSE_NEGATION.is_match(&clause) || OTHER_NEGATION.is_match(&clause) {
        return PhraseStance::Uncertain;
    }
    PhraseStance::Stated
}

static NEGATED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:not|no|neither|nor|never|cannot|none)\b").expect("the pattern is valid")
});

/// Whether the phrase at `range` says that something is done without a consent, in a sentence that forbids to do so:
/// `shall not assign it without the consent of the Landlord`.
pub fn is_forbidden_lack(text: &str, range: &Range<usize>) -> bool {
    let phrase = &text[range.clone()];
    phrase.to_lowercase().starts_with("without")
        && NEEDED.is_match(phrase)
        && NEGATED.is_match(sentence_before(&text[..range.start]))
}

fn sentence_before(before: &str) -> &str {
    let start = before.rfind(['.', ';', '\n']).map_or(0, |at| at + 1);
    &before[start..]
}

/// The text after the last comma, where an earlier condition no longer applies.
fn after_last_comma(clause: &str) -> &str {
    clause.rsplit(',').next().unwrap_or(clause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> PhraseStance {
        let at = text.find("renew").unwrap();
        stance(text, &(at..at + 5))
    }

    #[test]
    fn a_negation_reaches_over_its_clause_and_no_further() {
        for text in [
            "In no event shall this Agreement renew.",
            "In no event, however, shall this Agreement or any part of it renew.",
            "Under no circumstances will the term of this lease be extended or renewed.",
            "This Agreement shall not, absent a signed writing, be extended or renewed.",
            "The subscription cannot be renewed.",
            "Automatic renewal of this Agreement shall not apply.",
            "Automatic renewal is hereby excluded.",
            "Auto-renewal: no",
        ] {
            let at = text.find("renew").unwrap();
            let end = text[at..].find([' ', '.', ':', ',']).map_or(text.len(), |end| at + end);
            assert_eq!(stance(text, &(at..end)), PhraseStance::Denied, "{text}");
        }
        for text in [
            "It shall renew.",
            "This Agreement may not be assigned and shall renew each year.",
            "If no notice is given, it shall renew.",
            "Unless notice is given this Agreement shall renew.",
            "Unless either party gives not less than 30 days' notice, the term shall renew.",
            "It shall not terminate but will renew.",
            "The term does not end on that day; it shall renew.",
            "Without further action it shall renew.",
            "The fee may not be raised, and the Agreement will renew.",
        ] {
            assert_eq!(of(text), PhraseStance::Stated, "{text}");
        }
        for text in [
            "Nor shall it renew.",
            "If the Agreement is to renew",
            "Should the parties renew",
            "It ends without renewal.",
            "Neither party may renew.",
            "If it does not renew",
            "The parties agree that the licence does not, and is not intended to, renew.",
        ] {
            assert_eq!(of(text), PhraseStance::Uncertain, "{text}");
        }
    }
}
