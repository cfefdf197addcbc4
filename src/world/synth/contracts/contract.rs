//! Draws one contract: its parties, its template and its terms.

use chrono::{Datelike, Days, NaiveDate};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};

use super::clauses::{ClauseFamily, ContractStyle, ContractTerms, LAWS};
use crate::value::{CalendarPeriod, MoneyAmount};
use crate::world::synth::company_names::{
    CompanyName, CompanyNameRegister, FAMILY_SIZE, SERVICES, TITLES,
};
use crate::world::synth::random_streams::{pick, stream};

/// Notice periods for non-renewal: months and days are mixed, as in real portfolios.
pub(super) const NOTICE_PERIODS: [CalendarPeriod; 7] = [
    CalendarPeriod { months: 0, days: 30 },
    CalendarPeriod { months: 0, days: 45 },
    CalendarPeriod { months: 0, days: 60 },
    CalendarPeriod { months: 0, days: 90 },
    CalendarPeriod { months: 0, days: 120 },
    CalendarPeriod { months: 3, days: 0 },
    CalendarPeriod { months: 6, days: 0 },
];
pub(super) const PAYMENT_DAYS: [u32; 5] = [14, 30, 45, 60, 90];

/// The random streams of a contract. Their numbers determine all generated files, so existing ones must not change.
#[derive(Clone, Copy)]
pub(super) enum ContractDrawSite {
    /// The template shared by a family of four contracts.
    FamilyStyle,
    Style,
    Name,
    Terms,
    Header,
    Tasks,
    Optional,
    NearMiss(u64),
}

impl From<ContractDrawSite> for u64 {
    fn from(site: ContractDrawSite) -> u64 {
        match site {
            ContractDrawSite::FamilyStyle => 0,
            ContractDrawSite::Style => 1,
            ContractDrawSite::Name => 2,
            ContractDrawSite::Terms => 3,
            ContractDrawSite::Header => 4,
            ContractDrawSite::Tasks => 5,
            ContractDrawSite::Optional => 6,
            ContractDrawSite::NearMiss(n) => 8 + n,
        }
    }
}

/// A contract before its text is generated.
pub(super) struct SyntheticContract {
    /// The `entity` of its passages, such as `c007`.
    pub id: String,
    pub terms: ContractTerms,
    pub style: ContractStyle,
    /// For each clause, whether the contract has it if it is optional.
    pub optional: [bool; ClauseFamily::ALL.len()],
}

/// The first contract of a family, whose name and number the others resemble.
pub(super) struct FamilyLeader {
    name: CompanyName,
    number: u32,
}

impl SyntheticContract {
    /// Draws contract `index`. `leader` is updated from contract to contract, so calls must be in order.
    pub fn draw(
        seed: u64,
        index: usize,
        difficulty: f64,
        register: &mut CompanyNameRegister,
        leader: &mut Option<FamilyLeader>,
    ) -> SyntheticContract {
        let place = index % FAMILY_SIZE;
        let mut rng = stream(seed, index, ContractDrawSite::Name);
        let alike = place > 0 && rng.random_bool(0.1 + 0.8 * difficulty);
        let like = leader.as_ref().filter(|_| alike);
        let name = register.name(&mut rng, like.map(|l| &l.name));
        let near = like.map(|l| l.number);

        let mut style_rng = stream(seed, index, ContractDrawSite::Style);
        let shared = style_rng.random_bool(0.3 + 0.6 * difficulty);
        let style = if shared {
            draw_style(&mut stream(seed, index / FAMILY_SIZE, ContractDrawSite::FamilyStyle))
        } else {
            draw_style(&mut style_rng)
        };

        let mut terms = draw_terms(&mut stream(seed, index, ContractDrawSite::Terms), &style);
        let (reference, number) = register.reference(&mut rng, terms.start.year(), near);
        terms.reference = reference;
        terms.party = name.full_name(&SERVICES);
        terms.short_name = name.first_word();
        if place == 0 {
            *leader = Some(FamilyLeader { name, number });
        }
        let mut rng = stream(seed, index, ContractDrawSite::Optional);
        let optional = std::array::from_fn(|_| rng.random_bool(0.6));
        SyntheticContract { id: format!("c{:03}", index + 1), terms, style, optional }
    }

    /// Whether the contract has the clause.
    pub fn has_clause(&self, clause: ClauseFamily) -> bool {
        clause.is_mandatory() || self.optional[clause as usize]
    }
}

fn draw_style(rng: &mut ChaCha8Rng) -> ContractStyle {
    ContractStyle {
        title: rng.random_range(0..TITLES.len()),
        wording: std::array::from_fn(|_| rng.random()),
        uses_party_names: rng.random_bool(0.4),
        american_dates: rng.random_bool(0.4),
        headings: rng.random_bool(0.5),
        first_section: rng.random_range(1..5),
    }
}

fn draw_terms(rng: &mut ChaCha8Rng, style: &ContractStyle) -> ContractTerms {
    // Contracts expire from 31 August 2025 to 26 April 2028: 60% at the end of a month, the others within one.
    let month = rng.random_range(0..32u32);
    let first = NaiveDate::from_ymd_opt(2025, 9, 1).unwrap_or_default();
    let first = CalendarPeriod::months(month).after(first).unwrap_or(first);
    let day = if rng.random_bool(0.6) { 0 } else { rng.random_range(1..27u64) };
    let after_expiry = first.checked_add_days(Days::new(day)).unwrap_or(first);
    let term_months = 12 * pick(rng, &[2, 2, 3, 3, 4, 5]);
    let law =
        if style.american_dates { rng.random_range(0..4) } else { rng.random_range(4..LAWS.len()) };
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
    let days = CalendarPeriod::days;
    ContractTerms {
        reference: String::new(),
        party: String::new(),
        short_name: String::new(),
        start: CalendarPeriod::months(term_months).before(after_expiry).unwrap_or(after_expiry),
        term_months,
        auto_renews: rng.random_bool(0.85),
        renewal_months: pick(rng, &[6, 12, 12, 12, 24, 36]),
        notice: pick(rng, &NOTICE_PERIODS),
        termination_notice: days(pick(rng, &[30, 60, 90, 180, 270])),
        payment: days(pick(rng, &PAYMENT_DAYS)),
        interest: f64::from(rng.random_range(8..25u32)) / 2.0,
        price_cap: f64::from(rng.random_range(4..17u32)) / 2.0,
        price_notice: days(pick(rng, &[30, 60, 90, 150])),
        confidentiality: CalendarPeriod::months(12 * rng.random_range(2..8)),
        liability_cap: MoneyAmount { currency: currency.to_owned(), amount: round_amount(cap) },
        assignment_consent: rng.random_bool(0.7),
        control_consent: rng.random_bool(0.6),
        law,
    }
}

/// Rounds to a multiple of 50,000 and at least to that, as negotiated amounts are.
pub(super) fn round_amount(amount: f64) -> f64 {
    (amount / 50_000.0).round().max(1.0) * 50_000.0
}
