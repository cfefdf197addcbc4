//! What failures cost: random amounts, and years full of incidents. No scenario types.
//!
//! An [`Incident`] is one way in which a case ends at a cost: amounts that are known, times variables that
//! are not. What a case costs on average is exact; how the cost of a year is spread is sampled ([`years`]).

mod variable;
mod year;

pub use variable::{Draw, MOST, Variable};
pub use year::{Volume, YearFigures, YearSampler, Years, year_rng, years};

/// An amount, times the variables with these numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Which rule it comes from.
    pub rule: usize,
    pub amount: f64,
    /// Distinct, ascending.
    pub times: Vec<usize>,
}

impl Part {
    /// The expected amount. Variables are independent, so that the mean of their product is the product
    /// of their means.
    pub fn mean(&self, variables: &[Variable]) -> f64 {
        self.times.iter().map(|&v| variables[v].mean()).product::<f64>() * self.amount
    }
}

/// One way in which a case ends at a cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// P(a case of the year ends so).
    pub p: f64,
    /// They add up; a variable that stands in several is drawn once.
    pub parts: Vec<Part>,
}
