//! Draws the near-misses (twins) in a contract's file: passages that resemble a current clause but state something
//! else.
//!
//! Each twin has a random stream of its own and is included if a uniform number is below a threshold that grows with
//! the difficulty. A harder portfolio therefore contains all twins of an easier one and further ones.

use chrono::{Days, NaiveDate};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::clauses::{Clause, LAWS, Terms};
use super::contract::{Contract, NOTICES, PAYMENTS, Site, rounded};
use super::prose;
use crate::value::Period;
use crate::world::Variant;
use crate::world::synth::draw::{other, pick, stream};
use crate::world::synth::names;

/// The part of the contract's file that contains a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
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
pub(super) struct Twin {
    pub clause: Clause,
    pub variant: Variant,
    pub part: Part,
    /// Suffix of the passage id.
    pub name: &'static str,
    pub terms: Terms,
    /// Text before the clause; may be empty.
    pub frame: String,
    pub swapped: bool,
}

/// The content of a contract's file in addition to the current clauses.
pub(super) struct Folder {
    pub twins: Vec<Twin>,
    /// Clauses whose current text is in an amendment, with the text that introduces it.
    pub amended: Vec<(Clause, String)>,
}

/// A kind of twin.
struct Kind {
    clause: Clause,
    variant: Variant,
    part: Part,
    name: &'static str,
    /// The shares of contracts that have it at difficulty 0 and at difficulty 1.
    share: (f64, f64),
}

const fn kind(
    clause: Clause,
    variant: Variant,
    part: Part,
    name: &'static str,
    share: (f64, f64),
) -> Kind {
    Kind { clause, variant, part, name, share }
}

/// The kinds of twin. An index is the number of a random stream, so new ones must be appended.
const KINDS: [Kind; 18] = [
    kind(Clause::Expiration, Variant::Version, Part::Agreement, "superseded", (0.15, 0.6)),
    kind(Clause::Notice, Variant::Version, Part::Agreement, "superseded", (0.1, 0.4)),
    kind(Clause::Renewal, Variant::Version, Part::Agreement, "superseded", (0.05, 0.3)),
    kind(Clause::Parties, Variant::Version, Part::Prior, "prior", (0.1, 0.5)),
    kind(Clause::Expiration, Variant::Version, Part::Prior, "prior", (0.1, 0.5)),
    kind(Clause::Expiration, Variant::Number, Part::Drafts, "draft", (0.05, 0.35)),
    kind(Clause::Notice, Variant::Number, Part::Drafts, "draft", (0.05, 0.4)),
    kind(Clause::LiabilityCap, Variant::Number, Part::Drafts, "draft", (0.1, 0.4)),
    kind(Clause::Payment, Variant::Number, Part::Drafts, "draft", (0.05, 0.3)),
    kind(Clause::Renewal, Variant::Negation, Part::Drafts, "side-letter", (0.1, 0.5)),
    kind(Clause::ChangeOfControl, Variant::Negation, Part::Drafts, "side-letter", (0.1, 0.4)),
    kind(Clause::Notice, Variant::RoleSwap, Part::Agreement, "counterparty", (0.1, 0.5)),
    kind(Clause::LiabilityCap, Variant::RoleSwap, Part::Agreement, "customer", (0.1, 0.4)),
    kind(Clause::Assignment, Variant::RoleSwap, Part::Agreement, "customer", (0.1, 0.4)),
    kind(Clause::Expiration, Variant::Binding, Part::Affiliate, "affiliate", (0.1, 0.4)),
    kind(Clause::Notice, Variant::Binding, Part::Affiliate, "affiliate", (0.05, 0.3)),
    kind(Clause::GoverningLaw, Variant::Binding, Part::Affiliate, "affiliate", (0.1, 0.3)),
    kind(Clause::Payment, Variant::Version, Part::Agreement, "superseded", (0.05, 0.25)),
];

/// The stream shared by the prior agreement, the amendment and the affiliate of one file.
const SHARED: u64 = 40;

/// Draws the twins of a contract, and which of its clauses were amended.
pub(super) fn draw(seed: u64, index: usize, contract: &Contract, difficulty: f64) -> Folder {
    let terms = &contract.terms;
    let style = &contract.style;
    let mut shared = stream(seed, index, Site::Twin(SHARED));
    let prior = prior_terms(&mut shared, terms);
    let affiliate = names::affiliate(&mut shared);
    let amendment = format!(
        "Amendment No. {} to {}, dated {}.",
        shared.random_range(1..4),
        terms.reference,
        prose::date(day_within(&mut shared, terms), style.american)
    );

    let mut folder = Folder { twins: Vec::new(), amended: Vec::new() };
    // A single draw for the prior agreement: all of its clauses are in the file or none.
    let prior_draw: f64 = shared.random();
    for (n, kind) in KINDS.iter().enumerate() {
        let mut rng = stream(seed, index, Site::Twin(n as u64));
        let own_draw: f64 = rng.random();
        let draw = if kind.part == Part::Prior { prior_draw } else { own_draw };
        let (low, high) = kind.share;
        if draw >= low + (high - low) * difficulty || !contract.has(kind.clause) {
            continue;
        }
        let section = kind.clause.section(style.first_section);
        let day = prose::date(day_within(&mut rng, terms), style.american);
        let (frame, terms) = match kind.part {
            Part::Prior => (String::new(), prior.clone()),
            Part::Agreement if kind.variant == Variant::Version => {
                let words = format!(
                    "{amendment} Section {section} is deleted in its entirety and replaced by the following:"
                );
                folder.amended.push((kind.clause, words));
                (String::new(), altered(&mut rng, kind.clause, kind.variant, terms))
            }
            Part::Agreement | Part::Amendment => {
                (String::new(), altered(&mut rng, kind.clause, kind.variant, terms))
            }
            Part::Affiliate => (
                pick(
                    &mut rng,
                    &[
                        format!("Participation Agreement of {affiliate} with {}.", terms.party),
                        format!(
                            "Local agreement between {affiliate} and {}, filed here for reference.",
                            terms.short
                        ),
                    ],
                ),
                altered(&mut rng, kind.clause, kind.variant, terms),
            ),
            Part::Drafts => {
                let frames = if kind.variant == Variant::Negation {
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
                            terms.short
                        ),
                    ]
                };
                (pick(&mut rng, &frames), altered(&mut rng, kind.clause, kind.variant, terms))
            }
        };
        folder.twins.push(Twin {
            clause: kind.clause,
            variant: kind.variant,
            part: kind.part,
            name: kind.name,
            terms,
            frame,
            swapped: kind.variant == Variant::RoleSwap,
        });
    }
    folder
}

/// The terms of the agreement that ended on the day before this one started, with a reference number of its own.
fn prior_terms(rng: &mut ChaCha8Rng, terms: &Terms) -> Terms {
    let months = 12 * rng.random_range(1..4u32);
    let start = Period::months(months).before(terms.start).unwrap_or(terms.start);
    // Current contracts have numbers from 1000, so this one cannot collide.
    let reference = format!("HG-{}-{:04}", start.format("%Y"), rng.random_range(1..1000));
    Terms { reference, start, term_months: months, ..terms.clone() }
}

/// A day in the first year. Terms are at least two years, so it is before the first day on which a task may ask
/// (before the end: half a year of notice and twice the desk's window).
fn day_within(rng: &mut ChaCha8Rng, terms: &Terms) -> NaiveDate {
    let day = Days::new(rng.random_range(20..330));
    terms.start.checked_add_days(day).unwrap_or(terms.start)
}

/// The same terms with another value for what `clause` states.
fn altered(rng: &mut ChaCha8Rng, clause: Clause, variant: Variant, terms: &Terms) -> Terms {
    let mut terms = terms.clone();
    match clause {
        Clause::Expiration => {
            let months = terms.term_months;
            terms.term_months = match variant {
                // The superseded term is always shorter, because an amendment extended it.
                Variant::Version => months - pick(rng, &[3, 6]),
                Variant::Binding => months + pick(rng, &[2, 4, 6, 12]),
                _ => pick(rng, &[months - 6, months - 1, months + 1, months + 6, months + 12]),
            };
        }
        Clause::Notice => {
            // Exclude periods of nearly the same length: three months instead of 90 days would not be a wrong answer.
            let far: Vec<Period> = NOTICES
                .iter()
                .copied()
                .filter(|n| days(*n).abs_diff(days(terms.notice)) > 10)
                .collect();
            terms.notice = pick(rng, &far);
        }
        Clause::Renewal if variant == Variant::Negation => terms.auto_renews = !terms.auto_renews,
        Clause::Renewal => {
            // Before the amendment the contract had another renewal term, or the opposite rule on renewal.
            if terms.auto_renews && rng.random_bool(0.5) {
                terms.renewal_months = other(rng, &[6, 12, 24, 36], &terms.renewal_months);
            } else {
                terms.auto_renews = !terms.auto_renews;
            }
        }
        Clause::LiabilityCap => {
            let factor = pick(rng, &[0.5, 1.5, 2.0, 3.0]);
            let amount = rounded(terms.cap.amount * factor);
            let same = amount == terms.cap.amount;
            terms.cap.amount = if same { amount + 50_000.0 } else { amount };
        }
        Clause::Payment => {
            let payments = PAYMENTS.map(Period::days);
            terms.payment = other(rng, &payments, &terms.payment);
        }
        Clause::Assignment => terms.assignment_consent = !terms.assignment_consent,
        Clause::ChangeOfControl => terms.control_consent = !terms.control_consent,
        Clause::GoverningLaw => {
            let laws: Vec<usize> = (0..LAWS.len()).collect();
            terms.law = other(rng, &laws, &terms.law);
        }
        Clause::Parties
        | Clause::Convenience
        | Clause::PriceAdjustment
        | Clause::Confidentiality => {}
    }
    terms
}

/// The approximate length in days, for comparing periods.
fn days(period: Period) -> u32 {
    period.months * 30 + period.days
}
