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

/// Renewals unless somebody objects.
const YES_UNLESS: &[&str] = &[
    r"\b(?:is|are|shall|will)\s+(?:thereafter\s+|then\s+|also\s+)?(?:be\s+)?(?:renewed|extended|prolonged|renew)\s+{length}[^.;]{0,120}?\b(?:unless|if\s+neither|if\s+no\s+(?:notice|objection)|provided\s+(?:that\s+)?(?:neither|no))\b",
    r"\b(?:unless|if\s+neither|if\s+no\s+(?:such\s+)?(?:notice|objection|termination)|failing\s+(?:such\s+)?notice)\b[^.;]{0,160}?,\s+(?:[\w\x22'()-]+\s+){0,8}?(?:is|are|shall|will)\s+(?:then\s+|thereafter\s+)?(?:be\s+)?(?:renewed|extended|prolonged|renew)\s+{length}",
    r"\b(?:shall|will|is|are)\s+(?:be\s+)?deemed\s+(?:to\s+(?:be|have\s+been)\s+)?(?:automatically\s+|tacitly\s+)?(?:renewed|extended|prolonged)\s+(?:for|on|from)\b",
];

/// How far a renewal goes: `for another year`, `by one (1) year`, `for successive terms`.
const LENGTH: &str = r"(?:for|by\s+(?:another|(?:an?\s+)?(?:further|additional)|one|two|three|five|six|twelve|\d+))\s+(?:[\w()-]+\s+){0,5}?(?:years?|months?|terms?|periods?)\b";

/// An extension that only makes up for lost time: `extended by the number of days during which`; or none at all:
/// `extended for no further period`.
const LOST_TIME: &str = r"\b(?:extend|prolong)\w*\s+(?:[\w]+\s+){0,2}?(?:by|for)\s+(?:(?:an?|any|the|such)\s+)?(?:(?:additional|further|equal|equivalent|same|like|reasonable)\s+)*(?:number\s+of|duration\s+of|length\s+of|amount\s+of\s+time|(?:period|time)\s+(?:of\s+time\s+)?(?:as\s|of\s+(?:the|such|any)|during|equal|equivalent|lost|for\s+which|corresponding|that\s+the)|as\s+long\s+as|so\s+long\s+as)|\bextend\w*\s+(?:on\s+a\s+)?day[\s-]for[\s-]day\b|\bfor\s+no\b";

/// A renewal that needs somebody's wish or consent after all, or a term that only may end early: `unless sooner
/// terminated`.
const WISHED: &str =
    r"\b(?:agree[sd]?|mutual\w*|consent\w*|option|elect(?:s|ion)?|request\w*|sooner|earlier)\b";

/// Contracts that end, or continue only with somebody's agreement.
const NO: &[&str] = &[
    r"\b(?:no|without)\s+(?:right\s+of\s+)?(?:automatic\s+|tacit\s+)?(?:renewal|extension)s?\b",
    r"\bnon-?renewable\b",
    r"\b(?:may|can)\s+(?:only\s+)?be\s+(?:renewed|extended)\s+(?:only\s+)?(?:by|upon|with|on|if)\b",
    r"\b(?:shall|will)\s+(?:only\s+)?be\s+(?:renewed|extended)\s+(?:only\s+)?(?:by|upon|with|if)\s+(?:\w+\s+){0,2}?(?:mutual|written|express|agreement|consent)\b",
    r"\b(?:shall|will)\s+(?:only\s+)?(?:renew|extend)\s+only\b",
    r"\b(?:may|can)\s*,?\s+at\s+(?:its|his|her|their|(?:the|such)\s+[\w']+)\s+(?:sole\s+)?(?:option|election|discretion)\s*,?\s+(?:renew|extend)\b",
    r"\b(?:may|can)\s+be\s+(?:renewed|extended)\s+(?:[\w()-]+\s+){0,8}?at\s+the\s+(?:sole\s+)?(?:option|election|discretion|request)\b",
    r"\b(?:renewal|extension)s?\s+(?:of\s+(?:\w+\s+){1,5}?)?(?:(?:shall\s+be|will\s+be|is|are)\s+subject\s+to|requires?|shall\s+require|needs?)\s+(?:the\s+|a\s+)?(?:prior\s+)?(?:mutual|written|express|separate|agreement|consent|approval)\b",
    r"\b(?:no|not\s+(?:be\s+)?under\s+any|without\s+any)\s+(?:obligation|duty|commitment)\s+(?:whatsoever\s+)?to\s+(?:renew|extend)\b",
    r"\bnot\s+(?:be\s+)?(?:obliged|obligated|required|bound)\s+to\s+(?:renew|extend)\b",
    r"\b(?:expires?|ends?|terminates?)\s+automatically\b",
    r"\bautomatically\s+(?:expires?|ends?|terminates?|lapses?)\b",
    r"\b(?:shall|will|does|do|may)\s+not\s+(?:be\s+)?(?:automatically\s+)?(?:renew|extend)\w*",
];

/// A sentence that begins with the end of the contract at the end of its term. After a condition (`if notice is given`)
/// the same words say nothing, and so they do before one.
const NO_AFTER_TERM: &str = r"(?:^|[.;\n]\s*)(?:\(?[\d.]+\)?\s+)?(?:this|the)\s+(?:\w+\s+){1,3}?(?:shall|will)\s+(?:automatically\s+)?(?:expire|end|terminate|lapse)\s+(?:automatically\s+)?(?:at|upon|on)\s+(?:the\s+)?(?:end|expir(?:y|ation)|conclusion)\s+of\s+(?:the|its|such)\s+(?:initial\s+|fixed\s+)?(?:term|period)\b";
const ON_CONDITION: &str =
    r"\b(?:unless|if|provided|except|until|subject\s+to|renewed|extended|thereafter)\b";

static MEANINGS: LazyLock<Vec<PhraseMeaning>> = LazyLock::new(|| {
    let wished_or_lost = format!("{LOST_TIME}|{WISHED}");
    let lists: [(&[&str], bool, Option<&str>); 4] = [
        (YES, true, Some(LOST_TIME)),
        (YES_UNLESS, true, Some(&wished_or_lost)),
        (NO, false, None),
        (&[NO_AFTER_TERM], false, Some(ON_CONDITION)),
    ];
    let meanings = lists.iter().flat_map(|(list, value, exception)| {
        list.iter().map(move |pattern| PhraseMeaning {
            phrase: CuePhrase::from_pattern(
                compiled(&pattern.replace("{length}", LENGTH)),
                exception.map(compiled),
            ),
            value: TypedValue::YesNo(*value),
        })
    });
    meanings.collect()
});

/// A built-in pattern, ignoring case.
fn compiled(pattern: &str) -> Regex {
    Regex::new(&format!("(?i){pattern}")).expect("the pattern is valid")
}

/// The phrases for and against an automatic renewal.
pub fn meanings() -> Vec<PhraseMeaning> {
    MEANINGS.clone()
}
