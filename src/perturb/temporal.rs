//! Near-misses with another order in time: `before` for `after`, `more than` for `within`, an end for a beginning.

use std::sync::LazyLock;

use regex::Regex;

use super::edit::{SentenceChange, SentenceEdit, in_case_of};
use super::rule::{RewriteRule, RuleSource, applications, compile_rules};

/// A pattern for periods, as they follow `within`.
const PERIOD: &str = r"(?:a period of )?(?:\w+(?:-\w+)?\s*\(\d+\)|\d+|one|two|three|five|ten|fifteen|thirty|sixty|ninety|a|the first \w+)(?: (?:calendar|business|working|full))? (?:days?|weeks?|months?|years?)";

static WITHIN: LazyLock<Regex> = LazyLock::new(|| {
    let spaced = format!(
        r"(?i)\b(?<within>within) {PERIOD}'? (?:(?<of>of|from)|after|following|before|prior to)\b"
    );
    Regex::new(&spaced.replace(' ', r"\s+")).expect("the pattern is valid")
});

#[rustfmt::skip]
const WORDS: &[RuleSource] = &[
    ("before", "after", "as|than|ever|never|come|comes|came|brought|bring|appear|appears|appearing", "tax|taxes|the court|a court|it|them|him|her|us|me|and after|or after"),
    ("after", "before", "named|look|looks|looked|looking|sought|soon|shortly|year|day|time|immediately|before and|before or|and|modelled|modeled|taken|called", "all|tax|taxes"),
    ("prior to", "after", "immediately|shortly", ""),
    ("(?<x>following) (?:the|such|receipt|termination|expiration|completion|delivery|any|his|its|a)", "before", "the|immediately|as|in|of|and|are|is|a", ""),
    ("(?:no|not) later than", "no earlier than", "", ""),
    ("(?:no|not) earlier than", "no later than", "", ""),
    ("immediately preceding", "immediately following", "", ""),
    ("immediately following", "immediately preceding", "", ""),
    ("at the end of", "at the beginning of", "", "his|her|the day"),
    ("by the end of", "by the beginning of", "", ""),
    ("at the beginning of", "at the end of", "", ""),
    (r"(?<x>until) (?:the (?:end|expiration|termination|completion|date)|\d{1,2} \w+ \d{4}|\d{4}|(?:January|February|March|April|May|June|July|August|September|October|November|December))", "after", "not|from|up|lasted|lasting", ""),
    (r"(?<x>since) (?:\d{4}|the \w+ century|the \d{4}s|(?:January|February|March|April|May|June|July|August|September|October|November|December) \d)", "before", "ever|long|first|only", ""),
    (r"(?<x>during) the", "after/before", "", "course|course of"),
    ("(?<x>expiration|expiry|termination) of (?:the|this|such|its)", "commencement", "early|to|for|upon", ""),
    ("(?<x>commencement) of (?:the|this|such|its)", "expiration", "", ""),
    ("shall commence", "shall end", "", ""),
    ("shall expire", "shall begin", "", ""),
    ("(?<x>commences|begins|starts) on", "ends", "", ""),
    ("(?<x>ends|expires) on", "begins", "", ""),
    ("(?<x>began) in", "ended", "", ""),
    ("(?<x>ended) in", "began", "", ""),
    ("valid until", "valid from", "price|account", ""),
    ("valid from", "valid until", "", ""),
    ("earlier", "later", "not|no|the|unless|sooner or", "of|date|terminated|than|if|version|versions"),
    ("later", "earlier", "not|no|the|sooner or|see", "of|than|date"),
];

static RULES: LazyLock<Vec<RewriteRule>> = LazyLock::new(|| compile_rules(WORDS));

pub(super) fn changes(text: &str) -> Vec<SentenceChange> {
    let mut all = applications(&RULES, text);
    for captures in WITHIN.captures_iter(text) {
        // `within 30 days of receipt` becomes `more than 30 days after receipt`.
        let edits =
            [("within", "more than"), ("of", "after")].into_iter().filter_map(|(name, with)| {
                let found = captures.name(name)?;
                Some(SentenceEdit::new(found.range(), in_case_of(found.as_str(), with)))
            });
        all.push(edits.collect());
    }
    all
}
