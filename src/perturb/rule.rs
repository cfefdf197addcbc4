//! Rewriting rules: a pattern, its replacement, and contexts in which the rule must not apply.

use regex::Regex;

use super::edit::{SentenceChange, SentenceEdit, in_case_of};

/// A rule in a table: the pattern, its replacement, and patterns for the text right before and right after the
/// match that disable the rule (empty: none). If the pattern has a group `x`, only the group is replaced; a space
/// matches any white space; alternative replacements are separated by `/`.
pub(super) type RuleSource = (&'static str, &'static str, &'static str, &'static str);

/// A compiled rule.
pub(super) struct RewriteRule {
    pattern: Regex,
    replacement: &'static str,
    not_after: Option<Regex>,
    not_before: Option<Regex>,
}

/// Compiles a table of rules.
pub(super) fn compile_rules(table: &[RuleSource]) -> Vec<RewriteRule> {
    table
        .iter()
        .map(|&(find, put, behind, before)| RewriteRule {
            pattern: compile(r"\b(?:", find, r")\b"),
            replacement: put,
            not_after: (!behind.is_empty()).then(|| compile(r"(?:^|[^\p{L}])(?:", behind, ")$")),
            not_before: (!before.is_empty()).then(|| compile("^(?:", before, ")")),
        })
        .collect()
}

/// `words` between two parts of a pattern, whatever their case and the space between them.
fn compile(start: &str, words: &str, end: &str) -> Regex {
    let words = words.replace(' ', r"\s+");
    Regex::new(&format!("(?i){start}{words}{end}")).expect("the pattern is valid")
}

/// Every possible application of every rule to a text: one change for each match and replacement.
pub(super) fn applications(rules: &[RewriteRule], text: &str) -> Vec<SentenceChange> {
    let mut all = Vec::new();
    for rule in rules {
        for captures in rule.pattern.captures_iter(text) {
            let whole = captures.get(0);
            let Some(found) = captures.name("x").or(whole) else { continue };
            let (before, after) = (&text[..found.start()], &text[found.end()..]);
            let hyphened = before.ends_with('-') || after.starts_with('-');
            let forbidden = forbids(&rule.not_after, before.trim_end())
                || forbids(&rule.not_before, after.trim_start());
            if hyphened || forbidden {
                continue;
            }
            for put in rule.replacement.split('/') {
                all.push(vec![SentenceEdit::new(found.range(), in_case_of(found.as_str(), put))]);
            }
        }
    }
    all
}

fn forbids(guard: &Option<Regex>, text: &str) -> bool {
    guard.as_ref().is_some_and(|guard| guard.is_match(text))
}
