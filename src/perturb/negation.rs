//! Near-misses that insert or remove a negation at a verb, a determiner or an adjective.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::edit::{SentenceChange, SentenceEdit, in_case_of};
use super::rule::{RewriteRule, RuleSource, applications, compile_rules};

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is valid")
}

/// Auxiliary verbs that are negated by a following `not`, with the next word.
static AUXILIARY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?<verb>shall|will|must|may|can|should|would|could|is|are|was|were)\s+(?<next>[a-z]+)",
    )
});
static PERFECT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?<verb>has|have|had)\s+(?<next>been|made|given|taken|become|received|agreed|begun|won|shown|led|[a-z]{3,}ed)\b",
    )
});
static FULL_VERB: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?<verb>requires|includes|contains|applies|constitutes|survives|renews|provides|entitles|permits|allows|prevents|agrees|consists|depends|belongs|remains|grants|warrants|expires|terminates|covers|governs|extends|exceeds|obliges)\s+(?<next>[a-z]+|[A-Z][a-z]+)",
    )
});
static NEGATED_VERB: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?<verb>shall|will|must|may|could|should|would|is|are|was|were|has|have|had|can|do|does)(?<not>\s+not)\s+(?<next>[a-z]+)",
    )
});

/// Words after a verb before which `not` is ungrammatical or has another meaning.
const NOT_BEFORE: [&str; 28] = [
    "not",
    "never",
    "no",
    "neither",
    "nor",
    "none",
    "nothing",
    "nobody",
    "only",
    "in",
    "also",
    "both",
    "either",
    "still",
    "already",
    "even",
    "just",
    "thus",
    "therefore",
    "hereby",
    "and",
    "or",
    "at",
    "well",
    "sometimes",
    "more",
    "less",
    "of",
];
/// Words after `not` that form a unit with it.
const BOUND_TO_NOT: [&str; 18] = [
    "only",
    "less",
    "more",
    "later",
    "earlier",
    "limited",
    "to",
    "fewer",
    "necessarily",
    "yet",
    "merely",
    "nor",
    "just",
    "so",
    "greater",
    "exceed",
    "until",
    "unless",
];
const NEGATIVE: [&str; 11] = [
    "no", "not", "neither", "nor", "nothing", "never", "none", "nobody", "without", "hardly",
    "rarely",
];

#[rustfmt::skip]
const TABLE: &[RuleSource] = &[
    ("unless", "if", "", "otherwise|and|or|the context"),
    (r"(?<x>no) [\w-]+(?: [\w-]+)? (?:shall|may|will|is)", "any", "in|there is|of|or|and", "event|longer|more|less|later"),
    (r"(?<x>neither) party", "each", "", ""),
    (r"(?<x>without) (?:the|its|their|such|prior)(?: [\w']+){0,3} (?:consent|notice|approval|permission)", "with", "", ""),
    (r"(?<x>with) (?:the|its|their) prior written (?:consent|notice|approval)", "without", "", ""),
    (r"non\s*-?\s*exclusive", "exclusive", "", ""),
    (r"(?:an?|the|such|of) (?<x>exclusive) (?:license|licence|right|rights|distributor|basis|agent)", "non-exclusive", "", ""),
    ("nontransferable|non-transferable", "transferable", "", ""),
    ("transferable", "non-transferable", "non", ""),
    ("irrevocable", "revocable", "", "and unconditional"),
    ("unlimited", "limited", "", "company|partnership|liability"),
    ("enforceable", "unenforceable", "", ""),
    ("unenforceable", "enforceable", "or|invalid", ""),
    ("unable to", "able to", "", ""),
    ("impossible", "possible", "", ""),
    ("unlikely", "likely", "", ""),
    ("unsuccessful", "successful", "", ""),
    ("successful", "unsuccessful", "", ""),
    ("unknown", "known", "", ""),
    (r"status: (?<x>verified)", "not verified", "", ""),
    (r"status: (?<x>posted)", "not posted", "", ""),
    (r"status: (?<x>released)", "not released", "", ""),
    (r"status: (?<x>approved)", "not approved", "", ""),
    (r"status: (?<x>in force)", "not in force", "", ""),
    (r"status: (?<x>active)", "not active", "", ""),
];

static RULES: LazyLock<Vec<RewriteRule>> = LazyLock::new(|| compile_rules(TABLE));

pub(super) fn changes(text: &str) -> Vec<SentenceChange> {
    let mut all = applications(&RULES, text);
    // With `nor`, adding or removing one `not` would leave half of a pair.
    if !text.contains(" nor ") {
        all.extend(insertions(text));
        all.extend(removals(text));
    }
    all
}

/// The words of the clause before `at`, in lower case.
fn clause(text: &str, at: usize) -> Vec<String> {
    let clause = text[..at].rsplit([',', ';', ':', '(', '|']).next().unwrap_or("");
    clause.split_whitespace().map(str::to_lowercase).collect()
}

/// The verb and the next word.
fn parts<'t>(captures: &Captures<'t>) -> Option<(regex::Match<'t>, &'t str)> {
    Some((captures.name("verb")?, captures.name("next")?.as_str()))
}

/// All changes that insert a negation at a verb.
fn insertions(text: &str) -> Vec<SentenceChange> {
    let mut all = Vec::new();
    for captures in AUXILIARY.captures_iter(text).chain(PERFECT.captures_iter(text)) {
        let Some((verb, next)) = parts(&captures) else { continue };
        let before = clause(text, verb.start());
        let last = before.last().map_or("", String::as_str);
        let noun = verb.as_str() == "will"
            && ["at", "good", "the", "a", "free", "own", "of", "his", "her"].contains(&last);
        let infinitive = ["has", "have", "had"].contains(&verb.as_str())
            && ["to", "shall", "will", "may", "would", "could", "should", "must", "might"]
                .contains(&last);
        // `as is`, `than was`, `there is`: inverted or fixed phrases that cannot be negated in this way.
        let fixed = ["as", "than", "there", "what", "how", "so", "also"].contains(&last);
        let after = captures.name("next").map_or("", |next| &text[next.end()..]);
        let bound =
            after.split_whitespace().take(2).any(|word| ["no", "only", "nothing"].contains(&word));
        if NOT_BEFORE.contains(&next) || bound || is_negated(&before) || noun || infinitive || fixed
        {
            continue;
        }
        let with = if verb.as_str() == "can" {
            "cannot".to_owned()
        } else {
            format!("{} not", verb.as_str())
        };
        all.push(vec![SentenceEdit::new(verb.range(), with)]);
    }
    for captures in FULL_VERB.captures_iter(text) {
        let Some((verb, next)) = parts(&captures) else { continue };
        let before = clause(text, verb.start());
        // One of several coordinated verbs: it would be unclear which of them one `not` negates.
        let joined = ["and", "or", "also", ""].contains(&before.last().map_or("", String::as_str))
            || ["and", "or"].contains(&next);
        if joined || is_negated(&before) {
            continue;
        }
        all.push(vec![SentenceEdit::new(
            verb.range(),
            format!("does not {}", base_form(verb.as_str())),
        )]);
    }
    all
}

fn is_negated(before: &[String]) -> bool {
    before.iter().rev().take(10).any(|word| NEGATIVE.contains(&word.as_str()))
}

/// All changes that remove a `not`.
fn removals(text: &str) -> Vec<SentenceChange> {
    let mut all = Vec::new();
    for captures in NEGATED_VERB.captures_iter(text) {
        let (Some((verb, next)), Some(not)) = (parts(&captures), captures.name("not")) else {
            continue;
        };
        if BOUND_TO_NOT.contains(&next) {
            continue;
        }
        let edit = match verb.as_str() {
            "does" => {
                let end = not.end() + (captures[0].len() - (not.end() - verb.start()));
                SentenceEdit::new(verb.start()..end, third_person(next))
            }
            "do" => {
                let space = text[not.end()..].find(|c: char| !c.is_whitespace()).unwrap_or(0);
                SentenceEdit::new(verb.start()..not.end() + space, "")
            }
            _ => SentenceEdit::new(not.range(), ""),
        };
        all.push(vec![edit]);
    }
    for (at, cannot) in text.match_indices("cannot ") {
        all.push(vec![SentenceEdit::new(at..at + cannot.len(), in_case_of(cannot, "can "))]);
    }
    all
}

/// The base form of a verb: `apply` for `applies`.
fn base_form(verb: &str) -> String {
    match verb.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => verb.strip_suffix('s').unwrap_or(verb).to_owned(),
    }
}

/// The third person of a verb: `applies` for `apply`.
fn third_person(verb: &str) -> String {
    match verb {
        "have" => "has".to_owned(),
        "do" | "go" => format!("{verb}es"),
        _ if verb.ends_with('y')
            && !verb.ends_with(['a', 'e', 'o'])
            && !verb.ends_with("ay")
            && !verb.ends_with("ey")
            && !verb.ends_with("oy") =>
        {
            format!("{}ies", &verb[..verb.len() - 1])
        }
        _ if verb.ends_with('s')
            || verb.ends_with("ch")
            || verb.ends_with("sh")
            || verb.ends_with('x') =>
        {
            format!("{verb}es")
        }
        _ => format!("{verb}s"),
    }
}
