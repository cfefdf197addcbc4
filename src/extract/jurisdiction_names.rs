//! Jurisdictions: their names, the spelling of each as a value, and which one lies within which.

use std::sync::LazyLock;

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
pub static NAMES: LazyLock<Vec<(String, &'static str)>> = LazyLock::new(|| {
    let states = US_STATES.iter().map(|state| ((*state).to_owned(), *state));
    let others = OTHER_JURISDICTIONS.iter().flat_map(|(value, names)| {
        names.split('|').chain([*value]).map(|name| (name.to_owned(), *value))
    });
    let mut names: Vec<(String, &str)> = states.chain(others).collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names
});

/// The name that equals all others or lies within them; `None` if two are incompatible.
pub fn narrowest<'n>(names: &[&'n str]) -> Option<&'n str> {
    let narrow = names.iter().copied().max_by_key(|name| depth(name))?;
    names.iter().all(|name| *name == narrow || is_within(narrow, name)).then_some(narrow)
}

/// How far inside another jurisdiction this one lies.
fn depth(name: &str) -> usize {
    usize::from(name.contains(',') || US_STATES.contains(&name) || country(name) != name)
}

/// Whether `state` is part of `whole`.
fn is_within(state: &str, whole: &str) -> bool {
    country(state) == whole
}

/// The country of a jurisdiction, which may be the jurisdiction itself.
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
    // Abbreviations match as written: `us` is a pronoun more often than a country.
    let short = |known: &str| known.len() <= 3;
    let same = |known: &str| known == name || !short(known) && known.eq_ignore_ascii_case(&name);
    NAMES.iter().find(|(known, _)| same(known)).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

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
