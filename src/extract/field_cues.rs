//! Default cues: the words expected near a value, by its type and the name of its field.
//!
//! A field named `notice_period` is read near words about notices even if the scenario lists none. The lists were
//! developed on half of the contracts of CUAD and on clauses written for the tests (`tests/data/extract`).

use super::jurisdiction;
use super::phrase::CuePhrase;
use crate::value::ValueType;

const EXPIRY: &[&str] = &[
    "until",
    "till",
    "through",
    "to",
    "up to",
    "up to and including",
    "expire",
    "expires",
    "expiring",
    "expired",
    "expiry",
    "expiration",
    "expire on",
    "expires on",
    "expiration date",
    "expiry date",
    "end",
    "ends",
    "ending",
    "end date",
    "terminate",
    "terminates",
    "terminating",
    "termination date",
    "conclude",
    "concludes",
    "concluding",
    "lapse",
    "lapses",
    "cease",
    "ceases",
    "mature",
    "matures",
    "maturity",
    "maturity date",
    "last day",
    "beyond",
    "valid until",
    "come to an end",
    "comes to an end",
    "run to",
    "runs to",
    "efflux of time",
    "effluxion of time",
];
const START: &[&str] = &[
    "effective",
    "effective as of",
    "effective date",
    "commence",
    "commences",
    "commencing",
    "commencement",
    "commencement date",
    "begin",
    "begins",
    "beginning",
    "start",
    "starts",
    "starting",
    "start date",
    "from",
    "as of",
    "with effect from",
    "dated",
    "entered into",
    "made",
    "inception",
];
const DUE: &[&str] = &[
    "due",
    "payable",
    "pay",
    "paid",
    "no later than",
    "not later than",
    "by",
    "on or before",
    "due date",
    "deadline",
    "deliver",
    "delivered",
    "until",
];
const NOTICE: &[&str] = &[
    "notice",
    "notices",
    "notify",
    "notifies",
    "notifying",
    "notified",
    "notification",
    "prior",
    "before",
    "advance",
    "in advance",
    "written",
    "in writing",
    "preceding",
];
const RENEWAL: &[&str] = &[
    "renew",
    "renews",
    "renewed",
    "renewable",
    "renewal",
    "renewals",
    "renewal term",
    "renewal terms",
    "renewal period",
    "successive",
    "additional",
    "consecutive",
    "extend",
    "extends",
    "extended",
    "extension",
    "further",
    "subsequent",
    "automatically",
];
const TERM: &[&str] = &[
    "term",
    "initial term",
    "period",
    "period of",
    "continue",
    "continues",
    "remain",
    "remains",
    "duration",
    "lasts",
    "last",
    "valid",
    "for",
    "in force",
    "in effect",
];
const PAYMENT: &[&str] = &[
    "pay", "pays", "paid", "payable", "payment", "payments", "invoice", "invoices", "due", "net",
    "fees",
];
const CURE: &[&str] = &[
    "cure",
    "cured",
    "remedy",
    "remedied",
    "remedies",
    "rectify",
    "rectified",
    "correct",
    "breach",
    "default",
];
const SURVIVAL: &[&str] = &[
    "survive",
    "survives",
    "surviving",
    "after",
    "following",
    "confidentiality",
    "confidential",
    "non-compete",
    "restricted",
    "post-termination",
];
const WARRANTY: &[&str] =
    &["warranty", "warranties", "warrant", "warrants", "warranted", "defects", "guarantee"];
const PROBATION: &[&str] = &["probation", "probationary", "trial"];

/// Words of a field's name with the cues of its topic; the first entry that matches applies.
const DATES: &[(&[&str], &[&str])] = &[
    (
        &[
            "expiry",
            "expiration",
            "expires",
            "expire",
            "end",
            "ends",
            "until",
            "termination",
            "maturity",
        ],
        EXPIRY,
    ),
    (&["effective", "start", "starts", "commencement", "begin", "begins", "inception"], START),
    (&["due", "deadline", "payment", "delivery"], DUE),
];
const DURATIONS: &[(&[&str], &[&str])] = &[
    (&["notice"], NOTICE),
    (&["renewal", "extension"], RENEWAL),
    (&["payment", "pay", "due", "net", "invoice"], PAYMENT),
    (&["cure", "remedy", "grace"], CURE),
    (&["survival", "confidentiality", "restriction", "non"], SURVIVAL),
    (&["warranty", "guarantee"], WARRANTY),
    (&["probation", "trial"], PROBATION),
    (&["term", "duration", "lease", "subscription", "initial"], TERM),
];
/// The same for amounts and percentages, by what they are paid for or applied to.
const AMOUNTS: &[(&[&str], &[&str])] = &[
    (
        &["increase", "escalation"],
        &["increase", "increases", "increased", "escalate", "escalation"],
    ),
    (
        &["late"],
        &["late", "late charge", "late fee", "late payment", "overdue", "interest", "default"],
    ),
    (
        &["cap", "liability"],
        &["liability", "liable", "exceed", "cap", "capped", "limited", "aggregate", "maximum"],
    ),
    (&["rent"], &["rent", "rental", "rents"]),
    (
        &["salary", "wage", "compensation"],
        &["salary", "wage", "wages", "compensation", "remuneration", "paid"],
    ),
    (&["deposit"], &["deposit", "security deposit"]),
    (&["penalty", "damages"], &["penalty", "penalties", "liquidated damages", "damages"]),
    (&["price"], &["price", "prices", "purchase price", "cost", "costs", "pay"]),
    (&["fee", "fees", "charge"], &["fee", "fees", "charge", "charges", "charged"]),
    (&["interest"], &["interest", "rate"]),
    (&["discount"], &["discount", "discounted", "reduction", "rebate"]),
    (&["royalty"], &["royalty", "royalties"]),
    (&["commission"], &["commission", "commissions"]),
    (&["tax", "vat"], &["tax", "taxes", "vat", "gst"]),
    (&["insurance", "coverage"], &["insurance", "coverage", "insured", "policy", "limits"]),
];

/// The default cues of a field; empty if its name is not recognised.
pub fn cues(ty: ValueType, field: &str) -> Vec<CuePhrase> {
    let known = match ty {
        ValueType::Date => DATES,
        ValueType::Duration => DURATIONS,
        ValueType::Money | ValueType::Percent => AMOUNTS,
        ValueType::Number | ValueType::YesNo | ValueType::Text => &[],
    };
    let words = words(field);
    let fits =
        |(names, _): &&(&[&str], &[&str])| names.iter().any(|name| words.iter().any(|w| w == name));
    let cues = known.iter().find(fits).map_or(&[][..], |(_, cues)| cues);
    // `monthly rent` as a cue says which of several rents a field named `monthly_rent` asks for.
    let period = PAYMENT_PERIODS.iter().find(|period| words.iter().any(|word| word == *period));
    let period = period.filter(|_| matches!(ty, ValueType::Money | ValueType::Percent));
    let of_period = cues.iter().filter_map(|cue| CuePhrase::new(&format!("{} {cue}", period?)));
    cues.iter().filter_map(|cue| CuePhrase::new(cue)).chain(of_period).collect()
}

/// Words in a field's name that say for which period an amount is paid.
const PAYMENT_PERIODS: [&str; 7] =
    ["hourly", "daily", "weekly", "monthly", "quarterly", "annual", "yearly"];

/// Whether a yes/no field asks if a contract renews automatically.
pub fn is_renewal(field: &str) -> bool {
    words(field).iter().any(|word| {
        [
            "renewal",
            "renews",
            "renew",
            "renewed",
            "autorenewal",
            "autorenew",
            "evergreen",
            "rollover",
        ]
        .contains(&word.as_str())
    })
}

/// Whether a text field asks for the governing law.
pub fn is_law(field: &str) -> bool {
    words(field).iter().any(|word| ["law", "jurisdiction"].contains(&word.as_str()))
}

/// The canonical spelling of a text value of this field, if the field has one.
pub fn spelling(field: &str, text: &str) -> Option<&'static str> {
    is_law(field).then(|| jurisdiction::canonical(text)).flatten()
}

fn words(field: &str) -> Vec<String> {
    let words = field.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_known_by_a_word_of_its_name() {
        let first = |ty, field| cues(ty, field).first().map(|cue| cue.text().to_owned());
        assert_eq!(first(ValueType::Date, "expiration_date").as_deref(), Some("until"));
        assert_eq!(first(ValueType::Date, "lease_end").as_deref(), Some("until"));
        assert_eq!(first(ValueType::Date, "effective_date").as_deref(), Some("effective"));
        assert_eq!(first(ValueType::Duration, "notice_period").as_deref(), Some("notice"));
        assert_eq!(first(ValueType::Duration, "renewal_term").as_deref(), Some("renew"));
        assert_eq!(first(ValueType::Money, "monthly_rent").as_deref(), Some("rent"));
        let rents: Vec<String> = cues(ValueType::Money, "monthly_rent")
            .iter()
            .map(|cue| cue.text().to_owned())
            .collect();
        assert_eq!(
            rents,
            ["rent", "rental", "rents", "monthly rent", "monthly rental", "monthly rents"]
        );
        assert_eq!(first(ValueType::Percent, "late_charge").as_deref(), Some("late"));
        assert_eq!(first(ValueType::Date, "v"), None);
        assert!(is_renewal("auto_renewal") && is_law("governing_law") && !is_law("lawyer"));
    }
}
