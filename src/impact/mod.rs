//! The cost of failures: random amounts, and simulated years of incidents.
//!
//! Invariant: no scenario types.
//!
//! An [`Incident`] is one way in which a case ends at a cost: known amounts times random variables. The mean cost of
//! a case is exact; the distribution of the cost of a year is sampled ([`years`]).

mod variable;
mod year;

pub use variable::{Draw, MOST, Variable};
pub use year::{Volume, YearFigures, YearSampler, Years, year_rng, years};

/// An amount times the variables with these indices.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Index of the rule that it comes from.
    pub rule: usize,
    pub amount: f64,
    /// Indices of distinct variables, in ascending order.
    pub times: Vec<usize>,
}

impl Part {
    /// The expected amount. Variables are independent, so the mean of their product is the product of their means.
    pub fn mean(&self, variables: &[Variable]) -> f64 {
        self.times.iter().map(|&v| variables[v].mean()).product::<f64>() * self.amount
    }
}

/// One way in which a case ends at a cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// P(a case of the year ends this way).
    pub p: f64,
    /// The amounts add up; a variable that occurs in several of them is drawn once.
    pub parts: Vec<Part>,
}
