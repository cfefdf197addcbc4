//! Extracts the governing law: `the laws of the State of New York`, `English law`, `the laws of the PRC`.
//!
//! The value is the jurisdiction in its canonical spelling, following the answers of CUAD: a US state by its name, a
//! province or state of another country together with the country (`Ontario, Canada`), a country by its usual name.
//! A law that is only mentioned (`the courts of California`, `without regard to the laws of Ohio`) does not count.
//! Two different laws, as in `the laws of Texas or Ohio`, have no value; a state and its country count as one.

use std::sync::LazyLock;

use regex::Regex;

use super::jurisdiction_names::{NAMES, narrowest};
pub use super::jurisdiction_names::{US_STATES, canonical};
use super::mention::ValueMention;
use crate::value::TypedValue;

/// Words before the name of a place that say what it is.
const PLACE_KIND: &str = "(?:(?i:the|state|states?|commonwealth|province|republic|kingdom|canton|federal republic|\
special administrative region|territory|country|nation|principality|island)(?:\\s+(?i:of))?\\s+)*";

static NAME: LazyLock<String> = LazyLock::new(|| {
    let names: Vec<String> = NAMES.iter().map(|(name, _)| name_pattern(name)).collect();
    format!("(?:{})", names.join("|"))
});

/// Names of up to three letters match as written; longer ones ignore case.
fn name_pattern(name: &str) -> String {
    let words: Vec<String> = name.split(' ').map(regex::escape).collect();
    let pattern = words.join(r"\s+").replace('\'', "['\u{2019}]?");
    if name.len() > 3 { format!("(?i:{pattern})") } else { pattern }
}

static LAW: LazyLock<Regex> = LazyLock::new(|| {
    let name = NAME.as_str();
    let kind = PLACE_KIND;
    let suffix = r"(?:,?\s+(?:U\.?S\.?A?\.?|United\s+States(?:\s+of\s+America)?|Canada|Australia|United\s+Kingdom|U\.?K\.?|China)\b)?";
    let place = format!(r"{kind}(?:{name}){suffix}");
    let more = format!(
        r"(?:(?:\s*,\s*|\s+)(?:and|or|and/or)\s+(?:(?i:of|(?:the\s+)?(?:(?:applicable\s+)?federal\s+)?laws?\s+of)\s+)?{place}\b|\s*[,/;]\s*{place}\b)*"
    );
    let between = r"(?i:\s+(?:and\s+(?:regulations|decisions|statutes|rules)\s+)?(?:(?:as\s+)?(?:applied|applicable|in\s+(?:force|effect)|then\s+in\s+effect)\s+)*(?:of|in|within)\s+|,\s+and\s+not\s+by\s+the\s+laws?\s+[^,]{1,40},\s+of\s+)";
    let laws = r"(?i:\b(?:laws?|legislation|regulations|courts\s+and\s+laws?))";
    // `the laws State of New York`: a common slip that is still unambiguous.
    let slip = r"\s+(?i:state|province|commonwealth)\s+of\s+";
    // Here the word `law` stands before: `not by the laws of Ontario but by those of Michigan`.
    let those = r"(?<those>(?i:\bbut\s+(?:rather\s+)?by\s+(?:those|that)\s+of\s+))";
    let law_of = format!(r"(?:{laws}(?:{between}|{slip})|{those})(?<of>{place}\b{more})");
    let adjective = format!(
        r"\b(?<adjective>{name})(?:\s+(?i:substantive|contract|civil|domestic|internal|material|state|commercial|private|and\s+federal))*\s+(?i:laws?)\b"
    );
    let labelled = format!(
        r"(?i:\b(?:governing|applicable|proper)\s+law(?:\s+(?:of\s+(?:this|the)\s+\w+\s+)?(?:is|shall\s+be)(?:\s+that\s+of)?|\s*[:=|-]))\s+(?<labelled>{place}\b{more})"
    );
    Regex::new(&format!("(?:{law_of}|{labelled}|{adjective})")).expect("the pattern is valid")
});

static ONE_NAME: LazyLock<Regex> = LazyLock::new(|| {
    let name = NAME.as_str();
    Regex::new(&format!(r"\b{name}")).expect("the pattern is valid")
});

/// Text before a law that is not the governing one.
static NOT_GOVERNING: LazyLock<Regex> = LazyLock::new(|| {
    let words = "without\\s+(?:regard|reference|giving\\s+effect|effect|application)|excluding|exclusive\\s+of|other\\s+than|\
irrespective|regardless|notwithstanding|except|instead\\s+of|rather\\s+than|not\\s+(?:by|of|apply|(?:be\\s+)?governed)|\
conflicts?|choice|organi[sz]ed|incorporated|existing|formed|established|laws?\\s+other|comply|complies|compliance|\
accordance\\s+with\\s+applicable|pursuant\\s+to\\s+the\\s+(?:securities|tax|labou?r)|application\\s+of";
    Regex::new(&format!(r"(?i)\b(?:{words})\b[^.;]*$")).expect("the pattern is valid")
});

/// Text that marks a law as the governing one.
static GOVERNS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:govern\w*|construe\w*|construct\w*|interpret\w*|subject\s+to|controlled|enforced?|accordance|under|appl(?:y|ies|icable)|pursuant|according)\b",
    )
    .expect("the pattern is valid")
});

/// The jurisdictions whose law a text names as the governing one.
pub fn laws(text: &str) -> Vec<ValueMention> {
    let mut found: Vec<ValueMention> = Vec::new();
    for captures in LAW.captures_iter(text) {
        let named = ["of", "labelled", "adjective"];
        let Some(place) = named.iter().find_map(|name| captures.name(name)) else { continue };
        let whole = captures.get(0).map_or(place.range(), |whole| whole.range());
        let before = clause_before(&text[..whole.start]);
        if captures.name("those").is_none() && NOT_GOVERNING.is_match(before) {
            continue;
        }
        let (before, after) = (sentence_before(&text[..whole.start]), &text[whole.end..]);
        // The law before an exception in the same sentence, if any, is the main one.
        let sentence = whole.start - before.len();
        let main = found.last().filter(|main| main.range.start >= sentence);
        if is_excepted(before, main.map(|main| main.range.end - sentence)) {
            continue;
        }
        let after = &after[..after.find(['.', ';', '\n']).unwrap_or(after.len())];
        let governs = captures.name("labelled").is_some()
            || captures.name("those").is_some() && before.to_lowercase().contains("law")
            || GOVERNS.is_match(before)
            || GOVERNS.is_match(after);
        if governs {
            let value =
                single_jurisdiction(place.as_str()).map(|name| TypedValue::Text(name.to_owned()));
            found.push(ValueMention { value, range: place.range() });
        }
    }
    reconcile_mentions(found)
}

/// Words that set something apart from the rest of a contract.
static EXCEPTION: LazyLock<Regex> = LazyLock::new(|| {
    let words = "except(?:ing)?|save\\s+(?:that|for|as|where|in|to)|with\\s+the\\s+exception\\s+of|provided,?\\s+however";
    Regex::new(&format!(r"(?i)\b(?:{words})\b")).expect("the pattern is valid")
});
/// A relative clause, which continues an exception after a comma.
static RELATIVE_CLAUSE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s*(?:(?:for|as\s+to|in\s+respect\s+of)\s+)?(?:which|whose|where)\b")
        .expect("the pattern is valid")
});

/// Whether the law after `before` governs only an exception: `except for corporate matters, which are governed by the
/// law of Delaware`, `English law, save that Schedule 4 is governed by Scots law`. `main` is the end of the last law
/// in `before`.
fn is_excepted(before: &str, main: Option<usize>) -> bool {
    let Some(exception) = EXCEPTION.find_iter(before).last() else { return false };
    let rest = &before[exception.end()..];
    main.is_some_and(|main| main <= exception.start())
        || rest.rsplit_once(',').is_some_and(|(_, clause)| RELATIVE_CLAUSE.is_match(clause))
}

/// Gives all mentions one value: the narrowest jurisdiction if they are compatible, otherwise none.
fn reconcile_mentions(found: Vec<ValueMention>) -> Vec<ValueMention> {
    let names: Vec<&str> = found
        .iter()
        .filter_map(|m| match &m.value {
            Some(TypedValue::Text(name)) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let narrowest = narrowest(&names).map(|name| TypedValue::Text(name.to_owned()));
    let open = found.iter().any(|mention| mention.value.is_none());
    let value = narrowest.filter(|_| !open);
    found.into_iter().map(|mention| ValueMention { value: value.clone(), ..mention }).collect()
}

/// The one jurisdiction that a list of names stands for; `None` if they are incompatible.
fn single_jurisdiction(text: &str) -> Option<&'static str> {
    let found: Vec<&'static str> =
        ONE_NAME.find_iter(text).filter_map(|found| canonical(found.as_str())).collect();
    narrowest(&found)
}

/// The part of the same clause that precedes.
fn clause_before(before: &str) -> &str {
    let before = sentence_before(before);
    let start = before.rfind(',').map_or(0, |at| at + 1);
    // `not by the laws of Ontario but by those of Michigan`: what follows is not denied.
    let start = before.rfind(" but ").map_or(start, |at| start.max(at));
    &before[start..]
}

/// The part of the same sentence that precedes.
fn sentence_before(before: &str) -> &str {
    let start = before.rfind([';', '\n']).map_or(0, |at| at + 1);
    let start = before.rfind(". ").map_or(start, |at| start.max(at + 2));
    &before[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Option<String>> {
        let shown = |m: &ValueMention| m.value.as_ref().map(TypedValue::to_string);
        let mut found: Vec<Option<String>> = laws(text).iter().map(shown).collect();
        found.dedup();
        found
    }

    #[test]
    fn one_law_has_one_spelling() {
        for (text, law) in [
            ("governed by the laws of the State of New York", "New York"),
            ("construed under the internal laws of the Commonwealth of Virginia", "Virginia"),
            ("This Agreement is governed by English law.", "England and Wales"),
            ("governed by the laws of England and Wales", "England and Wales"),
            ("shall be governed by the laws of the PRC", "People's Republic of China"),
            (
                "governed by the laws of the People\u{2019}s Republic of China",
                "People's Republic of China",
            ),
            ("governed by substantive Swiss law", "Switzerland"),
            ("is subject to Swiss substantive law, excluding its conflict rules", "Switzerland"),
            ("the law of the Federal Republic of Germany applies", "Germany"),
            (
                "governed by the laws of the Province of Ontario and the laws of Canada applicable therein",
                "Ontario, Canada",
            ),
            (
                "governed by the laws of British Columbia and the federal laws of Canada",
                "British Columbia, Canada",
            ),
            ("governed by the laws of the United States and the State of Florida", "Florida"),
            (
                "governed by the laws of the State of New South Wales, Australia",
                "New South Wales, Australia",
            ),
            ("governed by California law without regard to the laws of Ohio", "California"),
            ("Governing law: Delaware", "Delaware"),
            ("The laws of India shall apply.", "India"),
        ] {
            assert_eq!(found(text), [Some(law.to_owned())], "{text}");
        }
    }

    #[test]
    fn two_laws_have_no_value_and_a_law_that_is_mentioned_is_none() {
        for text in [
            "governed by the laws of Texas or Ohio",
            "governed by the laws of either Illinois or New York",
            "governed by the laws of Texas, Singapore and Belgium",
        ] {
            assert!(found(text).iter().all(Option::is_none), "{text}: {:?}", found(text));
        }
        for text in [
            "Acme is a company incorporated under the laws of Delaware.",
            "The courts of California have jurisdiction.",
            "without regard to the laws of Ohio",
            "New York is a city.",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
