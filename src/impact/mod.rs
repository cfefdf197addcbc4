//! The cost of failures: random amounts, and simulated years of incidents.
//!
//! Invariant: no scenario types.
//!
//! An [`LossIncident`] is one way in which a case ends at a cost: known amounts times random variables. The mean cost of
//! a case is exact; the distribution of the cost of a year is sampled ([`simulate_years`]).

mod simulated_years;
mod variable;
mod variable_moments;
mod variable_sampler;
mod year;
mod yearly_volume;

pub use simulated_years::SimulatedYears;
pub use variable::{MAX_AMOUNT, RandomVariable};
pub use variable_sampler::VariableSampler;
pub use year::{YearLossSampler, YearParameters, simulate_years, year_rng};
pub use yearly_volume::YearlyVolume;

/// An amount times the variables with these indices.
#[derive(Clone, Debug, PartialEq)]
pub struct LossTerm {
    /// Index of the rule that it comes from.
    pub rule: usize,
    pub amount: f64,
    /// Indices of distinct variables, in ascending order.
    pub variables: Vec<usize>,
}

impl LossTerm {
    /// The expected amount. Variables are independent, so the mean of their product is the product of their means.
    pub fn mean(&self, variables: &[RandomVariable]) -> f64 {
        self.variables.iter().map(|&v| variables[v].mean()).product::<f64>() * self.amount
    }
}

/// One way in which a case ends at a cost.
#[derive(Clone, Debug, PartialEq)]
pub struct LossIncident {
    /// P(a case of the year ends this way).
    pub p: f64,
    /// The amounts add up; a variable that occurs in several of them is drawn once.
    pub parts: Vec<LossTerm>,
}
