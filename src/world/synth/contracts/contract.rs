//! Draws one contract: its parties, its template and its terms.

use chrono::{Datelike, Days, NaiveDate};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};

use super::clauses::{Clause, LAWS, Style, Terms};
use crate::value::{Money, Period};
use crate::world::synth::draw::{pick, stream};
use crate::world::synth::names::{FAMILY, Name, Register, SERVICES, TITLES};

/// Notice periods for non-renewal: months and days are mixed, as in real portfolios.
pub(super) const NOTICES: [Period; 7] = [
    Period { months: 0, days: 30 },
    Period { months: 0, days: 45 },
    Period { months: 0, days: 60 },
    Period { months: 0, days: 90 },
    Period { months: 0, days: 120 },
    Period { months: 3, days: 0 },
    Period { months: 6, days: 0 },
];
pub(super) const PAYMENTS: [u32; 5] = [14, 30, 45, 60, 90];

/// The random streams of a contract. Their numbers determine all generated files, so existing ones must not change.
#[derive(Clone, Copy)]
pub(super) enum Site {
    /// The template shared by a family of four contracts.
    FamilyStyle,
    Style,
    Name,
    Terms,
    Header,
    Tasks,
    Optional,
    Twin(u64),
}

impl From<Site> for u64 {
    fn from(site: Site) -> u64 {
        match site {
            Site::FamilyStyle => 0,
            Site::Style => 1,
            Site::Name => 2,
            Site::Terms => 3,
            Site::Header => 4,
            Site::Tasks => 5,
            Site::Optional => 6,
            Site::Twin(n) => 8 + n,
        }
    }
}

/// A contract before its text is generated.
pub(super) struct Contract {
    /// The `entity` of its passages, such as `c007`.
    pub id: String,
    pub terms: Terms,
    pub style: Style,
    /// For each clause, whether the contract has it if it is optional.
    pub optional: [bool; Clause::ALL.len()],
}

/// The first contract of a family, whose name and number the others resemble.
pub(super) struct Leader {
    name: Name,
    number: u32,
}

impl Contract {
    /// Draws contract `index`. `leader` is updated from contract to contract, so calls must be in order.
    pub fn draw(
        seed: u64,
        index: usize,
        difficulty: f64,
        register: &mut Register,
        leader: &mut Option<Leader>,
    ) -> Contract {
        let place = index % FAMILY;
        let mut rng = stream(seed, index, Site::Name);
        let alike = place > 0 && rng.random_bool(0.1 + 0.8 * difficulty);
        let like = leader.as_ref().filter(|_| alike);
        let name = register.name(&mut rng, like.map(|l| &l.name));
        let near = like.map(|l| l.number);

        let mut style_rng = stream(seed, index, Site::Style);
        let shared = style_rng.random_bool(0.3 + 0.6 * difficulty);
        let style = if shared {
            draw_style(&mut stream(seed, index / FAMILY, Site::FamilyStyle))
        } else {
            draw_style(&mut style_rng)
        };

        let mut terms = draw_terms(&mut stream(seed, index, Site::Terms), &style);
        let (reference, number) = register.reference(&mut rng, terms.start.year(), near);
        terms.reference = reference;
        terms.party = name.full(&SERVICES);
        terms.short = name.short();
        if place == 0 {
            *leader = Some(Leader { name, number });
        }
        let mut rng = stream(seed, index, Site::Optional);
        let optional = std::array::from_fn(|_| rng.random_bool(0.6));
        Contract { id: format!("c{:03}", index + 1), terms, style, optional }
    }

    /// Whether the contract has the clause.
    pub fn has(&self, clause: Clause) -> bool {
        clause.always() || self.optional[clause as usize]
    }
}

fn draw_style(rng: &mut ChaCha8Rng) -> Style {
    Style {
        title: rng.random_range(0..TITLES.len()),
        wording: std::array::from_fn(|_| rng.random()),
        by_name: rng.random_bool(0.4),
        american: rng.random_bool(0.4),
        headings: rng.random_bool(0.5),
        first_section: rng.random_range(1..5),
    }
}

fn draw_terms(rng: &mut ChaCha8Rng, style: &Style) -> Terms {
    // Contracts expire from 31 August 2025 to 26 April 2028: 60% at the end of a month, the others within one.
    let month = rng.random_range(0..32u32);
    let first = NaiveDate::from_ymd_opt(2025, 9, 1).unwrap_or_default();
    let first = Period::months(month).after(first).unwrap_or(first);
    let day = if rng.random_bool(0.6) { 0 } else { rng.random_range(1..27u64) };
    let after_expiry = first.checked_add_days(Days::new(day)).unwrap_or(first);
    let term_months = 12 * pick(rng, &[2, 2, 3, 3, 4, 5]);
    let law = if style.american { rng.random_range(0..4) } else { rng.random_range(4..LAWS.len()) };
    let currency = match law {
        0..4 => "USD",
        4 => "GBP",
        5..8 => "EUR",
        8 => "SGD",
        _ => "CAD",
    };
    // Liability caps: the median is one million, and 90% are between 0.27 and 3.7 million.
    let cap = match LogNormal::new(1e6_f64.ln(), 0.8) {
        Ok(distribution) => distribution.sample(rng),
        Err(_) => 1e6,
    };
    let days = Period::days;
    Terms {
        reference: String::new(),
        party: String::new(),
        short: String::new(),
        start: Period::months(term_months).before(after_expiry).unwrap_or(after_expiry),
        term_months,
        auto_renews: rng.random_bool(0.85),
        renewal_months: pick(rng, &[6, 12, 12, 12, 24, 36]),
        notice: pick(rng, &NOTICES),
        convenience: days(pick(rng, &[30, 60, 90, 180, 270])),
        payment: days(pick(rng, &PAYMENTS)),
        interest: f64::from(rng.random_range(8..25u32)) / 2.0,
        price_cap: f64::from(rng.random_range(4..17u32)) / 2.0,
        price_notice: days(pick(rng, &[30, 60, 90, 150])),
        confidentiality: Period::months(12 * rng.random_range(2..8)),
        cap: Money { currency: currency.to_owned(), amount: rounded(cap) },
        assignment_consent: rng.random_bool(0.7),
        control_consent: rng.random_bool(0.6),
        law,
    }
}

/// Rounds to a multiple of 50,000 and at least to that, as negotiated amounts are.
pub(super) fn rounded(amount: f64) -> f64 {
    (amount / 50_000.0).round().max(1.0) * 50_000.0
}
