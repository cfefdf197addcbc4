//! Built-in phrases that say whether a contract renews automatically, used where the scenario lists none.

use std::sync::LazyLock;

use regex::Regex;

use super::phrase::{CuePhrase, PhraseMeaning};
use crate::value::TypedValue;

/// Renewals that need nobody's consent.
const YES: &[&str] = &[
    r"\b(?:auto(?:matic(?:ally)?)?|tacit(?:ly)?|self|itself)[\s-]+(?:[\w\x22'(),]+\s+){0,6}?(?:renew|extend|prolong|continu|roll(?:s|ed)?\s+over)\w*",
    r"\b(?:renew|extend|prolong)(?:s|ed|al|able)?\s+(?:[\w\x22'(),]+\s+){0,8}?(?:automatically|tacitly|by\s+tacit|itself)\b",
    r"\b(?:extension|renewal)s?\s+(?:is|are|shall\s+be|will\s+be)\s+automatic\b",
    r"\b(?:shall|will)\s+(?:thereafter\s+|then\s+)?(?:be\s+(?:renewed|extended)|renew|extend|continue|roll\s+over)\s+(?:thereafter\s+)?(?:for|on|from)\s+(?:\w+\s+){0,3}?(?:successive|consecutive|subsequent|additional|further|month[\s-]to[\s-]month|year[\s-]to[\s-]year|rolling)\b",
    r"\b(?:renews|continues|rolls\s+over)\s+(?:for|on|from)\s+(?:\w+\s+){0,3}?(?:successive|consecutive|additional|further|month[\s-]to[\s-]month|year[\s-]to[\s-]year|rolling|month|year)\b",
    r"\b(?:renews\s+(?:each|every)\s+(?:year|month)|evergreen|auto-?renew\w*)\b",
];

/// Contracts that end, or continue only with somebody's agreement.
const NO: &[&str] = &[
    r"\b(?:no|without)\s+(?:right\s+of\s+)?(?:automatic\s+|tacit\s+)?(?:renewal|extension)s?\b",
    r"\bnon-?renewable\b",
    r"\b(?:may|can)\s+(?:only\s+)?be\s+(?:renewed|extended)\s+(?:only\s+)?(?:by|upon|with|on|if)\b",
    r"\b(?:shall|will)\s+(?:only\s+)?be\s+(?:renewed|extended)\s+(?:only\s+)?(?:by|upon|with|if)\s+(?:\w+\s+){0,2}?(?:mutual|written|express|agreement|consent)\b",
    r"\b(?:shall|will)\s+(?:only\s+)?(?:renew|extend)\s+only\b",
    r"\b(?:expires?|ends?|terminates?)\s+automatically\b",
    r"\bautomatically\s+(?:expires?|ends?|terminates?|lapses?)\b",
    r"\b(?:shall|will|does|do|may)\s+not\s+(?:be\s+)?(?:automatically\s+)?(?:renew|extend)\w*",
];

static MEANINGS: LazyLock<Vec<PhraseMeaning>> = LazyLock::new(|| {
    let lists = [(YES, true), (NO, false)];
    let meanings = lists.iter().flat_map(|(list, value)| {
        list.iter().map(|pattern| {
            let pattern = Regex::new(&format!("(?i){pattern}")).expect("the pattern is valid");
            PhraseMeaning {
                phrase: CuePhrase::from_pattern(pattern),
                value: TypedValue::YesNo(*value),
            }
        })
    });
    meanings.collect()
});

/// The phrases for and against an automatic renewal.
pub fn meanings() -> Vec<PhraseMeaning> {
    MEANINGS.clone()
}
