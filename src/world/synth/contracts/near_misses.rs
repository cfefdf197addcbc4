//! Draws the near-misses (twins) in a contract's file: passages that resemble a current clause but state something
//! else.
//!
//! Each twin has a random stream of its own and is included if a uniform number is below a threshold that grows with
//! the difficulty. A harder portfolio therefore contains all twins of an easier one and further ones.

use chrono::{Days, NaiveDate};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::clauses::{ClauseFamily, ContractTerms, LAWS};
use super::contract::{
    ContractDrawSite, NOTICE_PERIODS, PAYMENT_DAYS, SyntheticContract, round_amount,
};
use super::prose;
use crate::value::CalendarPeriod;
use crate::world::PassageVariant;
use crate::world::synth::company_names;
use crate::world::synth::random_streams::{pick, pick_other, stream};

/// The part of the contract's file that contains a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ContractFilePart {
    /// The agreement that the current one replaced.
    Prior,
    Agreement,
    Amendment,
    /// Agreements of affiliates with the same counterparty.
    Affiliate,
    /// Drafts, redlines and unsigned side letters.
    Drafts,
}

/// A passage that resembles a current clause.
pub(super) struct ContractNearMiss {
    pub clause: ClauseFamily,
    pub variant: PassageVariant,
    pub part: ContractFilePart,
    /// Suffix of the passage id.
    pub name: &'static str,
    pub terms: ContractTerms,
    /// Text before the clause; may be empty.
    pub introduction: String,
    pub swapped: bool,
}

/// The content of a contract's file in addition to the current clauses.
pub(super) struct ContractFileAdditions {
    pub near_misses: Vec<ContractNearMiss>,
    /// Clauses whose current text is in an amendment, with the text that introduces it.
    pub amended: Vec<(ClauseFamily, String)>,
}

/// A kind of twin.
struct ContractNearMissKind {
    clause: ClauseFamily,
    variant: PassageVariant,
    part: ContractFilePart,
    name: &'static str,
    /// The shares of contracts that have it at difficulty 0 and at difficulty 1.
    shares: (f64, f64),
}

const fn near_miss_kind(
    clause: ClauseFamily,
    variant: PassageVariant,
    part: ContractFilePart,
    name: &'static str,
    share: (f64, f64),
) -> ContractNearMissKind {
    ContractNearMissKind { clause, variant, part, name, shares: share }
}

/// The kinds of twin. An index is the number of a random stream, so new ones must be appended.
const NEAR_MISS_KINDS: [ContractNearMissKind; 18] = [
    near_miss_kind(
        ClauseFamily::Expiration,
        PassageVariant::Version,
        ContractFilePart::Agreement,
        "superseded",
        (0.15, 0.6),
    ),
    near_miss_kind(
        ClauseFamily::Notice,
        PassageVariant::Version,
        ContractFilePart::Agreement,
        "superseded",
        (0.1, 0.4),
    ),
    near_miss_kind(
        ClauseFamily::Renewal,
        PassageVariant::Version,
        ContractFilePart::Agreement,
        "superseded",
        (0.05, 0.3),
    ),
    near_miss_kind(
        ClauseFamily::Parties,
        PassageVariant::Version,
        ContractFilePart::Prior,
        "prior",
        (0.1, 0.5),
    ),
    near_miss_kind(
        ClauseFamily::Expiration,
        PassageVariant::Version,
        ContractFilePart::Prior,
        "prior",
        (0.1, 0.5),
    ),
    near_miss_kind(
        ClauseFamily::Expiration,
        PassageVariant::Number,
        ContractFilePart::Drafts,
        "draft",
        (0.05, 0.35),
    ),
    near_miss_kind(
        ClauseFamily::Notice,
        PassageVariant::Number,
        ContractFilePart::Drafts,
        "draft",
        (0.05, 0.4),
    ),
    near_miss_kind(
        ClauseFamily::LiabilityCap,
        PassageVariant::Number,
        ContractFilePart::Drafts,
        "draft",
        (0.1, 0.4),
    ),
    near_miss_kind(
        ClauseFamily::Payment,
        PassageVariant::Number,
        ContractFilePart::Drafts,
        "draft",
        (0.05, 0.3),
    ),
    near_miss_kind(
        ClauseFamily::Renewal,
        PassageVariant::Negation,
        ContractFilePart::Drafts,
        "side-letter",
        (0.1, 0.5),
    ),
    near_miss_kind(
        ClauseFamily::ChangeOfControl,
        PassageVariant::Negation,
        ContractFilePart::Drafts,
        "side-letter",
        (0.1, 0.4),
    ),
    near_miss_kind(
        ClauseFamily::Notice,
        PassageVariant::RoleSwap,
        ContractFilePart::Agreement,
        "counterparty",
        (0.1, 0.5),
    ),
    near_miss_kind(
        ClauseFamily::LiabilityCap,
        PassageVariant::RoleSwap,
        ContractFilePart::Agreement,
        "customer",
        (0.1, 0.4),
    ),
    near_miss_kind(
        ClauseFamily::Assignment,
        PassageVariant::RoleSwap,
        ContractFilePart::Agreement,
        "customer",
        (0.1, 0.4),
    ),
    near_miss_kind(
        ClauseFamily::Expiration,
        PassageVariant::Binding,
        ContractFilePart::Affiliate,
        "affiliate",
        (0.1, 0.4),
    ),
    near_miss_kind(
        ClauseFamily::Notice,
        PassageVariant::Binding,
        ContractFilePart::Affiliate,
        "affiliate",
        (0.05, 0.3),
    ),
    near_miss_kind(
        ClauseFamily::GoverningLaw,
        PassageVariant::Binding,
        ContractFilePart::Affiliate,
        "affiliate",
        (0.1, 0.3),
    ),
    near_miss_kind(
        ClauseFamily::Payment,
        PassageVariant::Version,
        ContractFilePart::Agreement,
        "superseded",
        (0.05, 0.25),
    ),
];

/// The stream shared by the prior agreement, the amendment and the affiliate of one file.
const SHARED_STREAM: u64 = 40;

/// Draws the twins of a contract, and which of its clauses were amended.
pub(super) fn draw(
    seed: u64,
    index: usize,
    contract: &SyntheticContract,
    difficulty: f64,
) -> ContractFileAdditions {
    let terms = &contract.terms;
    let style = &contract.style;
    let mut shared = stream(seed, index, ContractDrawSite::NearMiss(SHARED_STREAM));
    let prior = prior_terms(&mut shared, terms);
    let affiliate = company_names::affiliate(&mut shared);
    let amendment = format!(
        "Amendment No. {} to {}, dated {}.",
        shared.random_range(1..4),
        terms.reference,
        prose::date(day_within(&mut shared, terms), style.american_dates)
    );

    let mut folder = ContractFileAdditions { near_misses: Vec::new(), amended: Vec::new() };
    // A single draw for the prior agreement: all of its clauses are in the file or none.
    let prior_draw: f64 = shared.random();
    for (n, kind) in NEAR_MISS_KINDS.iter().enumerate() {
        let mut rng = stream(seed, index, ContractDrawSite::NearMiss(n as u64));
        let own_draw: f64 = rng.random();
        let draw = if kind.part == ContractFilePart::Prior { prior_draw } else { own_draw };
        let (low, high) = kind.shares;
        if draw >= low + (high - low) * difficulty || !contract.has_clause(kind.clause) {
            continue;
        }
        let section = kind.clause.section(style.first_section);
        let day = prose::date(day_within(&mut rng, terms), style.american_dates);
        let (frame, terms) = match kind.part {
            ContractFilePart::Prior => (String::new(), prior.clone()),
            ContractFilePart::Agreement if kind.variant == PassageVariant::Version => {
                let words = format!(
                    "{amendment} Section {section} is deleted in its entirety and replaced by the following:"
                );
                folder.amended.push((kind.clause, words));
                (String::new(), altered(&mut rng, kind.clause, kind.variant, terms))
            }
            ContractFilePart::Agreement | ContractFilePart::Amendment => {
                (String::new(), altered(&mut rng, kind.clause, kind.variant, terms))
            }
            ContractFilePart::Affiliate => (
                pick(
                    &mut rng,
                    &[
                        format!("Participation Agreement of {affiliate} with {}.", terms.party),
                        format!(
                            "Local agreement between {affiliate} and {}, filed here for reference.",
                            terms.short_name
                        ),
                    ],
                ),
                altered(&mut rng, kind.clause, kind.variant, terms),
            ),
            ContractFilePart::Drafts => {
                let frames = if kind.variant == PassageVariant::Negation {
                    [
                        format!(
                            "Side letter, unsigned draft of {day}. Section {section} would read:"
                        ),
                        format!(
                            "Side letter proposed on {day} and never executed, replacing Section {section}:"
                        ),
                    ]
                } else {
                    [
                        format!("Draft of {day} for discussion, not executed. Section {section}:"),
                        format!(
                            "Redline received from {} on {day}, not agreed. Section {section}:",
                            terms.short_name
                        ),
                    ]
                };
                (pick(&mut rng, &frames), altered(&mut rng, kind.clause, kind.variant, terms))
            }
        };
        folder.near_misses.push(ContractNearMiss {
            clause: kind.clause,
            variant: kind.variant,
            part: kind.part,
            name: kind.name,
            terms,
            introduction: frame,
            swapped: kind.variant == PassageVariant::RoleSwap,
        });
    }
    folder
}

/// The terms of the agreement that ended on the day before this one started, with a reference number of its own.
fn prior_terms(rng: &mut ChaCha8Rng, terms: &ContractTerms) -> ContractTerms {
    let months = 12 * rng.random_range(1..4u32);
    let start = CalendarPeriod::months(months).before(terms.start).unwrap_or(terms.start);
    // Current contracts have numbers from 1000, so this one cannot collide.
    let reference = format!("HG-{}-{:04}", start.format("%Y"), rng.random_range(1..1000));
    ContractTerms { reference, start, term_months: months, ..terms.clone() }
}

/// A day in the first year. Terms are at least two years, so it is before the first day on which a task may ask
/// (before the end: half a year of notice and twice the desk's window).
fn day_within(rng: &mut ChaCha8Rng, terms: &ContractTerms) -> NaiveDate {
    let day = Days::new(rng.random_range(20..330));
    terms.start.checked_add_days(day).unwrap_or(terms.start)
}

/// The same terms with another value for what `clause` states.
fn altered(
    rng: &mut ChaCha8Rng,
    clause: ClauseFamily,
    variant: PassageVariant,
    terms: &ContractTerms,
) -> ContractTerms {
    let mut terms = terms.clone();
    match clause {
        ClauseFamily::Expiration => {
            let months = terms.term_months;
            terms.term_months = match variant {
                // The superseded term is always shorter, because an amendment extended it.
                PassageVariant::Version => months - pick(rng, &[3, 6]),
                PassageVariant::Binding => months + pick(rng, &[2, 4, 6, 12]),
                _ => pick(rng, &[months - 6, months - 1, months + 1, months + 6, months + 12]),
            };
        }
        ClauseFamily::Notice => {
            // Exclude periods of nearly the same length: three months instead of 90 days would not be a wrong answer.
            let far: Vec<CalendarPeriod> = NOTICE_PERIODS
                .iter()
                .copied()
                .filter(|n| approximate_days(*n).abs_diff(approximate_days(terms.notice)) > 10)
                .collect();
            terms.notice = pick(rng, &far);
        }
        ClauseFamily::Renewal if variant == PassageVariant::Negation => {
            terms.auto_renews = !terms.auto_renews
        }
        ClauseFamily::Renewal => {
            // Before the amendment the contract had another renewal term, or the opposite rule on renewal.
            if terms.auto_renews && rng.random_bool(0.5) {
                terms.renewal_months = pick_other(rng, &[6, 12, 24, 36], &terms.renewal_months);
            } else {
                terms.auto_renews = !terms.auto_renews;
            }
        }
        ClauseFamily::LiabilityCap => {
            let factor = pick(rng, &[0.5, 1.5, 2.0, 3.0]);
            let amount = round_amount(terms.liability_cap.amount * factor);
            let same = amount == terms.liability_cap.amount;
            terms.liability_cap.amount = if same { amount + 50_000.0 } else { amount };
        }
        ClauseFamily::Payment => {
            let payments = PAYMENT_DAYS.map(CalendarPeriod::days);
            terms.payment = pick_other(rng, &payments, &terms.payment);
        }
        ClauseFamily::Assignment => terms.assignment_consent = !terms.assignment_consent,
        ClauseFamily::ChangeOfControl => terms.control_consent = !terms.control_consent,
        ClauseFamily::GoverningLaw => {
            let laws: Vec<usize> = (0..LAWS.len()).collect();
            terms.law = pick_other(rng, &laws, &terms.law);
        }
        ClauseFamily::Parties
        | ClauseFamily::Convenience
        | ClauseFamily::PriceAdjustment
        | ClauseFamily::Confidentiality => {}
    }
    terms
}

/// The approximate length in days, for comparing periods.
fn approximate_days(period: CalendarPeriod) -> u32 {
    period.months * 30 + period.days
}
