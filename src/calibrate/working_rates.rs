//! The scale on which rates are fitted: every coordinate is a real number, and any combination of them is a valid reader.

use crate::scenario::ReaderParameter;
use crate::step::reader::ReaderRates;

/// The number of rates.
pub(super) const RATES: usize = ReaderParameter::ALL.len();

/// By rate: its logit. `fabricate` is replaced by its share of what `follow` leaves, so that the two never add up to
/// more than 1.
pub(super) type WorkingRates = [f64; RATES];

/// Rates from which a fit starts, or at which it holds a rate, are at least this far from 0 and 1, where logits are
/// infinite.
const EDGE: f64 = 1e-4;

/// Exponents of the prior density of each rate, p^(a-1) (1-p)^(b-1).
///
/// Each rate has Jeffreys' prior for a probability, Beta(1/2, 1/2). `follow`, `fabricate` and abstaining are the three
/// outcomes of one choice, so they have Jeffreys' prior for three outcomes, Dirichlet(1/2, 1/2, 1/2). In terms of
/// [`WorkingRates`] these are independent: Beta(1/2, 1) for `follow` and Beta(1/2, 1/2) for the share of the rest.
pub(super) fn prior_exponents(rate: ReaderParameter) -> (f64, f64) {
    match rate {
        ReaderParameter::Follow => (0.5, 1.0),
        _ => (0.5, 0.5),
    }
}

pub(super) fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The coordinates of these rates, moved away from 0 and 1.
pub(super) fn to_working(rates: &ReaderRates) -> WorkingRates {
    let mut working = [0.0; RATES];
    for &rate in ReaderParameter::ALL {
        let p = match rate {
            ReaderParameter::Fabricate if rates.follow < 1.0 => {
                rates.fabricate / (1.0 - rates.follow)
            }
            _ => *rates.get(rate),
        };
        working[rate as usize] = logit(p.clamp(EDGE, 1.0 - EDGE));
    }
    working
}

pub(super) fn from_working(working: &WorkingRates) -> ReaderRates {
    let mut rates = ReaderRates::default();
    for &rate in ReaderParameter::ALL {
        *rates.get_mut(rate) = logistic(working[rate as usize]);
    }
    rates.fabricate *= 1.0 - rates.follow;
    rates
}
