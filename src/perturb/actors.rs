//! Finds the actors of a sentence: parties by name, by role (`the Supplier`), or by a short name with a duty.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::value_slots::{SlotKind, ValueSlot};

/// A person or party, with every place that mentions it.
#[derive(Clone, Debug)]
pub(super) struct SentenceActor {
    /// The first mention, with its article.
    pub form: String,
    pub mentions: Vec<Range<usize>>,
    key: String,
}

#[rustfmt::skip]
const ROLES: &str = "Company|Supplier|Customer|Distributor|Licensor|Licensee|Buyer|Seller|Lessor|Lessee|Landlord|Tenant|\
Lender|Borrower|Franchisor|Franchisee|Franchise Owner|Consultant|Contractor|Client|Manufacturer|Provider|Vendor|Purchaser|Agent|\
Principal|Owner|Operator|Employer|Employee|Executive|Publisher|Sponsor|Reseller|Carrier|Processor|Controller|\
Recipient|Discloser|Disclosing Party|Receiving Party|Indemnifying Party|Indemnified Party|Transferor|Transferee|\
Assignor|Assignee|Grantor|Grantee|Guarantor|Affiliate|Marketing Affiliate|Developer|Subcontractor|Advisor|Adviser|Manager|Bank|\
Shipper|Servicer|Trust|Parent|Investor|Promoter|Host|User|Service Provider|Partner|Administrator|Member|Team|\
Bailor|Bailee|Storer|Cleaner|Retailer|Wholesaler|Maintainer|Installer|Trainer";

static ROLE: LazyLock<Regex> = LazyLock::new(|| {
    // In lower case only after an article, where it cannot be another part of speech.
    let pattern = format!(
        r"(?:\b(?<the>[Tt]he)\s+)?\b(?<role>(?:{ROLES})\b)|\b(?<the2>[Tt]he)\s+(?<low>(?i:{ROLES})\b)"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// A capitalised word that has a duty, or that is the object of one.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:^|[^\w])(?<a>[A-Z][a-z]{2,})\s+(?:shall|may|must|agrees|hereby|undertakes|is at liberty|grants|acknowledges)\b|\b(?:by|giving|to|from|against|inform|give|pay)\s+(?<b>[A-Z][a-z]{2,})(?:[ ,.;']|$)",
    )
    .expect("the pattern is valid")
});

/// Defined terms that are not persons.
#[rustfmt::skip]
const NON_PERSONS: &[&str] = &[
    "Agreement", "Products", "Product", "Services", "Service", "Territory", "Term", "Section", "Article", "Exhibit", "Schedule",
    "Information", "Party", "Parties", "Notice", "Notices", "Software", "Trademarks", "Property", "Law", "Laws", "Board", "State", "States",
    "Work", "Works", "Invoices", "Invoice", "Royalties", "Royalty", "Fees", "Fee", "Data", "Site", "Website", "Content", "Effective", "Net",
    "Any", "Each", "Either", "Neither", "This", "Such", "They", "All", "Payment", "Payments", "Delivery", "Termination", "Intellectual",
    "Confidential", "New", "The", "Licensed", "Affiliates", "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December", "You", "Users", "Customers", "Employees", "Third", "Court",
];

/// Words before a role that make it a different or an indefinite person.
const INDEFINITE_WORDS: [&str; 16] = [
    "a", "an", "any", "each", "such", "its", "either", "our", "your", "no", "another", "this",
    "every", "other", "their", "both",
];

/// All actors of a sentence. An actor is left out if any of its mentions is ambiguous.
pub(super) fn actors(text: &str, slots: &[ValueSlot]) -> Vec<SentenceActor> {
    let mut all: Vec<SentenceActor> = Vec::new();
    let mut add = |key: String, range: Range<usize>| {
        let form = text[range.clone()].to_owned();
        match all.iter_mut().find(|actor| actor.key == key) {
            Some(actor) => actor.mentions.push(range),
            None => all.push(SentenceActor { form, mentions: vec![range], key }),
        }
    };
    let parties = slots.iter().filter(|slot| slot.kind == SlotKind::Party);
    let parties: Vec<&ValueSlot> = parties.collect();
    for party in &parties {
        add(party.value.to_string(), party.range.clone());
    }
    let mut spoiled: Vec<String> = Vec::new();
    for captures in ROLE.captures_iter(text) {
        let Some(role) = captures.name("role").or(captures.name("low")) else { continue };
        let the = captures.name("the").or(captures.name("the2"));
        let range = the.map_or(role.start(), |the| the.start())..role.end();
        if overlaps(&range, &parties) {
            continue;
        }
        let key = role.as_str().to_lowercase();
        if is_complete_name(text, &range, the.is_some()) {
            add(key, range)
        } else {
            spoiled.push(key)
        }
    }
    // In contracts, short names are recognised by the duties they have.
    let duties =
        [" shall ", " may ", " must ", " will ", " agree"].iter().any(|w| text.contains(w));
    let names: Vec<&str> = NAME
        .captures_iter(text)
        .filter(|_| duties)
        .filter_map(|c| Some(c.name("a").or(c.name("b"))?.as_str()))
        .filter(|name| !NON_PERSONS.contains(name) && !ROLE.is_match(name) && !abstract_noun(name))
        .collect();
    for name in names {
        for (at, _) in text.match_indices(name) {
            let range = at..at + name.len();
            let known = text[..at].ends_with(char::is_alphanumeric) || overlaps(&range, &parties);
            if known {
                continue;
            }
            let key = name.to_lowercase();
            if is_complete_name(text, &range, false) { add(key, range) } else { spoiled.push(key) }
        }
    }
    for actor in &mut all {
        actor.mentions.sort_by_key(|range| range.start);
        actor.mentions.dedup();
    }
    all.retain(|actor| !spoiled.contains(&actor.key));
    all
}

fn overlaps(range: &Range<usize>, parties: &[&ValueSlot]) -> bool {
    parties.iter().any(|p| p.range.start < range.end && range.start < p.range.end)
}

fn abstract_noun(name: &str) -> bool {
    ["ing", "tion", "sion", "ment", "ance", "ence", "ity"].iter().any(|end| name.ends_with(end))
}

/// Whether the range is a complete name of an actor: not a part of `Customer Data`, and not `such Customer`.
fn is_complete_name(text: &str, range: &Range<usize>, the: bool) -> bool {
    let before = &text[..range.start];
    let after = &text[range.end..];
    let last = before.split_whitespace().next_back().unwrap_or("");
    let bare = last.trim_matches(|c: char| !c.is_alphanumeric());
    let attribute = !the && INDEFINITE_WORDS.contains(&bare.to_lowercase().as_str());
    let long_name = !the
        && last == bare
        && last.starts_with(char::is_uppercase)
        && before.trim_end().contains(' ');
    let next = after.strip_prefix(' ').unwrap_or("");
    let compound = next.starts_with(char::is_uppercase) || next.starts_with("of ");
    let glued = after.starts_with(['-', '/', '.']) && after[1..].starts_with(char::is_alphanumeric)
        || before.ends_with(['-', '/', '"', '\u{201c}'])
        || after.starts_with(['"', '\u{201d}']);
    let plural_or_word = after.starts_with(char::is_alphanumeric);
    let noun = [
        "name",
        "names",
        "service",
        "services",
        "list",
        "data",
        "records",
        "system",
        "products",
        "account",
        "complaints",
        "agreement",
        "agreements",
    ]
    .iter()
    .any(|noun| next.split(|c: char| !c.is_alphanumeric()).next() == Some(noun));
    !(attribute || long_name || compound || glued || plural_or_word || noun)
}
