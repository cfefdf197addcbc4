//! Near-misses that exchange two actors: every mention of one is replaced by the other.

use std::sync::LazyLock;

use regex::Regex;

use super::actors::{SentenceActor, actors};
use super::edit::{SentenceChange, SentenceEdit, exchange, starts_sentence};
use super::value_slots::ValueSlot;

/// Text between two names whose order makes no difference.
static JOINED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:,?\s*(?:and|or|and/or|nor|with)|[,/&;])?\s*(?:the\s+)?$").expect("valid")
});

const WORD: &str = r"[A-Z][\w'\u{2019}-]*[a-z]";

/// Actions and comparisons between names in general text: `Caesar defeated Pompey`, `was beaten by`, `larger than`.
static ACTION: LazyLock<Regex> = LazyLock::new(|| {
    let name = format!("{WORD}(?: (?:of|the|de|van|von) {WORD}| {WORD})*");
    Regex::new(&format!(
        r"^(?:[A-Z][^,]*, )?(?:[Tt]he )?(?<a>{name}) (?:(?:was|were|is|had|has|been|also|later|then|soon|first|once) ){{0,3}}(?:[a-z]{{2,}}ed by|[a-z]{{2,}}ed|won by|held by|taught by|led by|written by|beat|met|led|won over|fought|taught|sold|bought|built|gave|sent|wrote to|(?:larger|smaller|older|younger|taller|longer|higher|lower|richer) than) (?:the )?(?<b>{name})(?:[,.;]| (?:in|on|at|for|with|to|from|by|as|during|and|who|when|after|before|until) |$)"
    ))
    .expect("the pattern is valid")
});

/// Routes: `from Vienna to Paris`.
static ROUTE: LazyLock<Regex> = LazyLock::new(|| {
    let name = format!("(?:the )?{WORD}(?: {WORD})*");
    Regex::new(&format!(r"\bfrom (?<a>{name}) (?:in)?to (?<b>{name})(?:[ ,.;]|$)"))
        .expect("the pattern is valid")
});

/// Capitalised words that are not names: times, and words that open a sentence.
#[rustfmt::skip]
const NON_NAMES: [&str; 47] = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "In", "On", "At", "The", "This",
    "These", "It", "He", "She", "They", "His", "Her", "Its", "Their", "After", "Before", "When", "While", "As", "However", "For",
    "Many", "Most", "Some", "All", "Both", "There", "Other",
];

/// All exchanges of two actors; if there are none, exchanges of two names in general text.
pub(super) fn changes(text: &str, slots: &[ValueSlot]) -> Vec<SentenceChange> {
    let actors = actors(text, slots);
    let mut all = Vec::new();
    for (i, a) in actors.iter().enumerate() {
        for b in &actors[i + 1..] {
            if !joined(text, a, b) {
                all.push(swapped(text, a, b));
            }
        }
    }
    if !all.is_empty() {
        return all;
    }
    for pattern in [&*ACTION, &*ROUTE] {
        for captures in pattern.captures_iter(text) {
            let (Some(a), Some(b)) = (captures.name("a"), captures.name("b")) else { continue };
            if is_single_name(text, a.as_str()) && is_single_name(text, b.as_str()) {
                all.push(exchange(text, &a.range(), &b.range()));
            }
        }
    }
    all
}

fn is_single_name(text: &str, name: &str) -> bool {
    // A name that occurs twice would be exchanged at one place only.
    text.matches(name).count() == 1
        && !NON_NAMES.iter().any(|no| name.split(' ').any(|word| word == *no))
}

/// Whether the two are mentioned side by side anywhere, as in `between A and B`.
fn joined(text: &str, a: &SentenceActor, b: &SentenceActor) -> bool {
    a.mentions.iter().any(|x| {
        b.mentions.iter().any(|y| {
            let (first, second) = if x.start < y.start { (x, y) } else { (y, x) };
            first.end > second.start || JOINED.is_match(&text[first.end..second.start])
        })
    })
}

fn swapped(text: &str, a: &SentenceActor, b: &SentenceActor) -> SentenceChange {
    let mut edits = SentenceChange::new();
    for (from, to) in [(a, b), (b, a)] {
        for range in &from.mentions {
            let with = match to.form.strip_prefix("The ") {
                Some(name) if !starts_sentence(&text[..range.start]) => format!("the {name}"),
                _ => to.form.clone(),
            };
            edits.push(SentenceEdit::new(range.clone(), with));
        }
    }
    edits
}
