//! Generates company names and reference numbers that are distinct but may be confusingly similar.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

const HEADS: [&str; 24] = [
    "Ash", "Bright", "Cald", "Dun", "East", "Fair", "Glen", "Hart", "Ives", "Kest", "Lang",
    "March", "North", "Oak", "Pem", "Quarr", "Raven", "Stan", "Thorn", "Up", "Vale", "West",
    "Wind", "York",
];
const TAILS: [&str; 14] = [
    "bridge", "brook", "bury", "dale", "field", "ford", "gate", "ham", "ley", "mere", "mont",
    "ridge", "water", "wick",
];
/// Lines of business of service providers.
pub(super) const SERVICES: SectorNames = [
    "Systems",
    "Solutions",
    "Software",
    "Networks",
    "Logistics",
    "Data Services",
    "Technologies",
    "Analytics",
    "Consulting",
    "Facilities",
    "Security",
    "Communications",
];
/// Lines of business of companies that trade in goods.
pub(super) const GOODS: SectorNames = [
    "Fasteners",
    "Fittings",
    "Hardware",
    "Industrial Supply",
    "Components",
    "Engineering",
    "Pipework",
    "Bearings",
    "Valves",
    "Metals",
    "Tools",
    "Plant Services",
];
const LEGAL_FORMS: [&str; 6] = ["Inc.", "LLC", "Limited", "GmbH", "B.V.", "plc"];

/// The lines of business that names may contain.
type SectorNames = [&'static str; 12];

/// A company name as indices of its parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CompanyName {
    head: usize,
    tail: usize,
    sector: usize,
    form: usize,
}

// The two sector lists have the same length, so an index is valid in both.
impl CompanyName {
    /// `Brightwater Systems, Inc.`
    pub fn full_name(&self, sectors: &SectorNames) -> String {
        let form = LEGAL_FORMS[self.form];
        let comma = if matches!(form, "Inc." | "LLC") { "," } else { "" };
        format!("{}{comma} {form}", self.without_form(sectors))
    }

    /// `Brightwater Systems`
    pub fn without_form(&self, sectors: &SectorNames) -> String {
        format!("{} {}", self.first_word(), sectors[self.sector])
    }

    /// `Brightwater`
    pub fn first_word(&self) -> String {
        format!("{}{}", HEADS[self.head], TAILS[self.tail])
    }

    fn random(rng: &mut ChaCha8Rng) -> CompanyName {
        CompanyName {
            head: rng.random_range(0..HEADS.len()),
            tail: rng.random_range(0..TAILS.len()),
            sector: rng.random_range(0..SERVICES.len()),
            form: rng.random_range(0..LEGAL_FORMS.len()),
        }
    }

    /// This name with one or two parts changed: another line of business, another legal form, or another ending of the
    /// first word.
    fn similar(&self, rng: &mut ChaCha8Rng) -> CompanyName {
        let other = CompanyName::random(rng);
        let mut name = self.clone();
        match rng.random_range(0..4) {
            0 => name.form = other.form,
            1 => name.sector = other.sector,
            2 => (name.sector, name.form) = (other.sector, other.form),
            _ => name.tail = other.tail,
        }
        name
    }
}

/// The names and reference numbers used so far. It must be called in record order, so that a record's name depends
/// only on earlier ones.
#[derive(Default)]
pub(super) struct CompanyNameRegister {
    names: BTreeSet<CompanyName>,
    references: BTreeSet<String>,
}

impl CompanyNameRegister {
    /// A name that is not used yet; similar to `like` if given.
    pub fn name(&mut self, rng: &mut ChaCha8Rng, like: Option<&CompanyName>) -> CompanyName {
        // All neighbours of a name may be in use, so fall back to an unrelated one after some attempts.
        for attempt in 0.. {
            let name = match like {
                Some(like) if attempt < 32 => like.similar(rng),
                _ => CompanyName::random(rng),
            };
            if self.names.insert(name.clone()) {
                return name;
            }
        }
        unreachable!("MAX_NAMES is below the number of names")
    }

    /// A reference number that is not used yet, such as `HG-2021-0417`; look-alikes get the next free number after
    /// `near`.
    pub fn reference(
        &mut self,
        rng: &mut ChaCha8Rng,
        year: i32,
        near: Option<u32>,
    ) -> (String, u32) {
        let mut number = near.map_or_else(|| rng.random_range(1000..9000), |n| n + 1);
        loop {
            let reference = format!("HG-{year}-{number:04}");
            if self.references.insert(reference.clone()) {
                return (reference, number);
            }
            number += 1;
        }
    }
}

/// Maximum number of names that are requested; well below the 24,192 possible ones.
pub(super) const MAX_NAMES: usize = 10_000;

/// Number of consecutive records that may have look-alike names; the others resemble the first one.
pub(super) const FAMILY_SIZE: usize = 4;

/// Kinds of contract: title, the counterparty's role, and what it provides.
pub(super) const TITLES: [(&str, &str, &str); 14] = [
    ("Cloud Hosting Agreement", "Provider", "hosted computing capacity"),
    ("Software Licence Agreement", "Licensor", "licences of enterprise software"),
    ("Master Services Agreement", "Supplier", "consulting and integration services"),
    ("Maintenance and Support Agreement", "Supplier", "maintenance of installed systems"),
    ("Warehousing Agreement", "Operator", "storage and handling of goods"),
    ("Distribution Agreement", "Distributor", "distribution of branded goods"),
    ("Facilities Management Agreement", "Contractor", "building services"),
    ("Data Processing Services Agreement", "Processor", "processing of customer records"),
    ("Equipment Lease Agreement", "Lessor", "leased plant and equipment"),
    ("Transport Services Agreement", "Carrier", "carriage of goods by road"),
    ("Telecommunications Services Agreement", "Operator", "voice and data connections"),
    ("Security Services Agreement", "Contractor", "guarding and monitoring"),
    ("Marketing Services Agreement", "Agency", "advertising and campaign services"),
    ("Staffing Agreement", "Agency", "temporary personnel"),
];

/// A company of the customer's own group, which has separate agreements with the same supplier.
pub(super) fn affiliate(rng: &mut ChaCha8Rng) -> &'static str {
    const AFFILIATES: [&str; 5] = [
        "Halden Logistics B.V.",
        "Halden Retail GmbH",
        "Halden Energy Limited",
        "Halden Pharma, Inc.",
        "Halden Iberia S.A.",
    ];
    AFFILIATES.choose(rng).copied().unwrap_or(AFFILIATES[0])
}
