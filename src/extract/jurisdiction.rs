//! Extracts the governing law: `the laws of the State of New York`, `English law`, `the laws of the PRC`.
//!
//! The value is the jurisdiction in its canonical spelling, following the answers of CUAD: a US state by its name, a
//! province or state of another country together with the country (`Ontario, Canada`), a country by its usual name.
//! A law that is only mentioned (`the courts of California`, `without regard to the laws of Ohio`) does not count.
//! Two different laws, as in `the laws of Texas or Ohio`, have no value; a state and its country count as one.

use std::sync::LazyLock;

use regex::Regex;

use super::mention::ValueMention;
use crate::value::TypedValue;

/// The US states and the federal capital.
pub const US_STATES: [&str; 51] = [
    "Alabama",
    "Alaska",
    "Arizona",
    "Arkansas",
    "California",
    "Colorado",
    "Connecticut",
    "Delaware",
    "District of Columbia",
    "Florida",
    "Georgia",
    "Hawaii",
    "Idaho",
    "Illinois",
    "Indiana",
    "Iowa",
    "Kansas",
    "Kentucky",
    "Louisiana",
    "Maine",
    "Maryland",
    "Massachusetts",
    "Michigan",
    "Minnesota",
    "Mississippi",
    "Missouri",
    "Montana",
    "Nebraska",
    "Nevada",
    "New Hampshire",
    "New Jersey",
    "New Mexico",
    "New York",
    "North Carolina",
    "North Dakota",
    "Ohio",
    "Oklahoma",
    "Oregon",
    "Pennsylvania",
    "Rhode Island",
    "South Carolina",
    "South Dakota",
    "Tennessee",
    "Texas",
    "Utah",
    "Vermont",
    "Virginia",
    "Washington",
    "West Virginia",
    "Wisconsin",
    "Wyoming",
];

/// Other jurisdictions: the value, and further names and adjectives for it, separated by `|`. The value of a state or
/// province of a country ends in a comma and the country.
const OTHER_JURISDICTIONS: [(&str, &str); 98] = [
    ("England and Wales", "England & Wales|England|Wales|English and Welsh|English"),
    ("Scotland", "Scots|Scottish"),
    ("Northern Ireland", "Northern Irish"),
    ("United Kingdom", "UK|U.K.|Great Britain|British"),
    ("Ireland", "Republic of Ireland|Irish"),
    ("United States", "United States of America|USA|U.S.A.|U.S.|US|American"),
    ("Ontario, Canada", "Ontario"),
    ("British Columbia, Canada", "British Columbia"),
    ("Alberta, Canada", "Alberta"),
    ("Quebec, Canada", "Quebec|Qu\u{e9}bec"),
    ("Manitoba, Canada", "Manitoba"),
    ("Saskatchewan, Canada", "Saskatchewan"),
    ("Nova Scotia, Canada", "Nova Scotia"),
    ("New Brunswick, Canada", "New Brunswick"),
    ("Canada", "Canadian"),
    ("New South Wales, Australia", "New South Wales|NSW"),
    ("Victoria, Australia", "Victoria"),
    ("Queensland, Australia", "Queensland"),
    ("Western Australia, Australia", "Western Australia"),
    ("South Australia, Australia", "South Australia"),
    ("Tasmania, Australia", "Tasmania"),
    ("Australia", "Commonwealth of Australia|Australian"),
    ("New Zealand", "NZ"),
    ("People's Republic of China", "PRC|P.R.C.|P.R. China|PR China|Mainland China|China|Chinese"),
    ("Hong Kong", "Hong Kong SAR|Hong Kong Special Administrative Region|HKSAR"),
    ("Macau", "Macao"),
    ("Taiwan", "Republic of China|R.O.C.|Taiwanese"),
    ("Japan", "Japanese"),
    ("South Korea", "Republic of Korea|Korea|Korean"),
    ("Singapore", "Republic of Singapore|Singaporean"),
    ("Malaysia", "Malaysian"),
    ("Thailand", "Kingdom of Thailand|Thai"),
    ("Vietnam", "Viet Nam|Vietnamese"),
    ("Indonesia", "Republic of Indonesia|Indonesian"),
    ("Philippines", "Republic of the Philippines|Philippine"),
    ("India", "Republic of India|Indian"),
    ("Pakistan", "Pakistani"),
    ("Bangladesh", "Bangladeshi"),
    ("Sri Lanka", "Sri Lankan"),
    ("Israel", "State of Israel|Israeli"),
    ("Turkey", "Republic of Turkey|T\u{fc}rkiye|Turkish"),
    ("United Arab Emirates", "UAE|U.A.E."),
    ("Dubai International Financial Centre", "DIFC"),
    ("Saudi Arabia", "Kingdom of Saudi Arabia|Saudi"),
    ("Qatar", "State of Qatar|Qatari"),
    ("Kuwait", "State of Kuwait|Kuwaiti"),
    ("Egypt", "Arab Republic of Egypt|Egyptian"),
    ("South Africa", "Republic of South Africa|South African"),
    ("Nigeria", "Federal Republic of Nigeria|Nigerian"),
    ("Kenya", "Republic of Kenya|Kenyan"),
    ("Ghana", "Ghanaian"),
    ("Mauritius", "Mauritian"),
    ("Germany", "Federal Republic of Germany|German"),
    ("Austria", "Republic of Austria|Austrian"),
    ("Switzerland", "Swiss Confederation|Swiss"),
    ("Liechtenstein", "Principality of Liechtenstein"),
    ("France", "French Republic|French"),
    ("Belgium", "Kingdom of Belgium|Belgian"),
    ("Netherlands", "Kingdom of the Netherlands|Holland|Dutch"),
    ("Luxembourg", "Grand Duchy of Luxembourg|Grand-Duchy of Luxembourg"),
    ("Italy", "Italian Republic|Republic of Italy|Italian"),
    ("Spain", "Kingdom of Spain|Spanish"),
    ("Portugal", "Portuguese Republic|Portuguese"),
    ("Greece", "Hellenic Republic|Greek"),
    ("Cyprus", "Republic of Cyprus|Cypriot"),
    ("Malta", "Maltese"),
    ("Denmark", "Kingdom of Denmark|Danish"),
    ("Norway", "Kingdom of Norway|Norwegian"),
    ("Sweden", "Kingdom of Sweden|Swedish"),
    ("Finland", "Republic of Finland|Finnish"),
    ("Iceland", "Icelandic"),
    ("Poland", "Republic of Poland|Polish"),
    ("Czech Republic", "Czechia|Czech"),
    ("Slovakia", "Slovak Republic|Slovak"),
    ("Hungary", "Hungarian"),
    ("Romania", "Romanian"),
    ("Bulgaria", "Republic of Bulgaria|Bulgarian"),
    ("Croatia", "Republic of Croatia|Croatian"),
    ("Slovenia", "Slovenian"),
    ("Serbia", "Republic of Serbia|Serbian"),
    ("Estonia", "Republic of Estonia|Estonian"),
    ("Latvia", "Republic of Latvia|Latvian"),
    ("Lithuania", "Republic of Lithuania|Lithuanian"),
    ("Ukraine", "Ukrainian"),
    ("Russia", "Russian Federation|Russian"),
    ("Kazakhstan", "Republic of Kazakhstan"),
    ("Brazil", "Federative Republic of Brazil|Brazilian"),
    ("Mexico", "United Mexican States|Mexican"),
    ("Argentina", "Argentine Republic|Argentine|Argentinian"),
    ("Chile", "Republic of Chile|Chilean"),
    ("Colombia", "Republic of Colombia|Colombian"),
    ("Peru", "Republic of Peru|Peruvian"),
    ("Bermuda", "Islands of Bermuda"),
    ("Cayman Islands", "Cayman"),
    ("British Virgin Islands", "BVI|B.V.I."),
    ("Jersey", "Bailiwick of Jersey|Island of Jersey"),
    ("Guernsey", "Bailiwick of Guernsey|Island of Guernsey"),
    ("Papua New Guinea", "PNG"),
];

/// All names with their values, longest first so that the regex alternation prefers the longest match.
static NAMES: LazyLock<Vec<(String, &'static str)>> = LazyLock::new(|| {
    let states = US_STATES.iter().map(|state| ((*state).to_owned(), *state));
    let others = OTHER_JURISDICTIONS.iter().flat_map(|(value, names)| {
        names.split('|').chain([*value]).map(|name| (name.to_owned(), *value))
    });
    let mut names: Vec<(String, &str)> = states.chain(others).collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names
});

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
    let of = format!(r"(?:{laws}(?:{between}|{slip})|{those})(?<of>{place}\b{more})");
    let adjective = format!(
        r"\b(?<adjective>{name})(?:\s+(?i:substantive|contract|civil|domestic|internal|material|state|commercial|private|and\s+federal))*\s+(?i:laws?)\b"
    );
    let labelled = format!(
        r"(?i:\b(?:governing|applicable|proper)\s+law(?:\s+(?:of\s+(?:this|the)\s+\w+\s+)?(?:is|shall\s+be)(?:\s+that\s+of)?|\s*[:=|-]))\s+(?<labelled>{place}\b{more})"
    );
    Regex::new(&format!("(?:{of}|{labelled}|{adjective})")).expect("the pattern is valid")
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
        let (before, behind) = (sentence_before(&text[..whole.start]), &text[whole.end..]);
        // The law before an exception in the same sentence, if any, is the main one.
        let sentence = whole.start - before.len();
        let main = found.last().filter(|main| main.range.start >= sentence);
        if is_excepted(before, main.map(|main| main.range.end - sentence)) {
            continue;
        }
        let behind = &behind[..behind.find(['.', ';', '\n']).unwrap_or(behind.len())];
        let governs = captures.name("labelled").is_some()
            || captures.name("those").is_some() && before.to_lowercase().contains("law")
            || GOVERNS.is_match(before)
            || GOVERNS.is_match(behind);
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

/// The name that equals all others or lies within them; `None` if two are incompatible.
fn narrowest<'n>(names: &[&'n str]) -> Option<&'n str> {
    let narrow = names.iter().copied().max_by_key(|name| depth(name))?;
    names.iter().all(|name| *name == narrow || is_within(narrow, name)).then_some(narrow)
}

fn depth(name: &str) -> usize {
    usize::from(name.contains(',') || US_STATES.contains(&name) || country(name) != name)
}

/// Whether `state` is part of `whole`.
fn is_within(state: &str, whole: &str) -> bool {
    country(state) == whole
}

fn country(name: &str) -> &str {
    if US_STATES.contains(&name) {
        return "United States";
    }
    match name {
        "England and Wales" | "Scotland" | "Northern Ireland" => "United Kingdom",
        "Hong Kong" | "Macau" => "People's Republic of China",
        _ => name.rsplit(", ").next().unwrap_or(name),
    }
}

/// The canonical spelling of a jurisdiction, given any of its names; `None` if it is unknown.
pub fn canonical(name: &str) -> Option<&'static str> {
    let plain =
        |text: &str| text.replace('\u{2019}', "'").split_whitespace().collect::<Vec<_>>().join(" ");
    let name = plain(name);
    let short = |known: &str| known.len() <= 3;
    let same = |known: &str| known == name || !short(known) && known.eq_ignore_ascii_case(&name);
    NAMES.iter().find(|(known, _)| same(known)).map(|(_, value)| *value)
}

/// The part of the same clause that precedes.
fn clause_before(before: &str) -> &str {
    let before = sentence_before(before);
    let start = before.rfind(',').map_or(0, |at| at + 1);
    // `not by the laws of Ontario but by those of Michigan`: what follows is not denied.
    let start = before.rfind(" but ").map_or(start, |at| start.max(at));
    &before[start..]
}

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

    #[test]
    fn every_name_leads_to_its_spelling() {
        for (value, names) in OTHER_JURISDICTIONS {
            assert_eq!(canonical(value), Some(value));
            for name in names.split('|') {
                assert_eq!(canonical(name), Some(value), "{name}");
            }
        }
        assert_eq!(canonical("GEORGIA"), Some("Georgia"));
        assert_eq!(canonical("Atlantis"), None);
        // `us` as a pronoun is not a country.
        assert_eq!(canonical("us"), None);
    }
}
