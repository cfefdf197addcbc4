//! Generators of synthetic records in which every passage is labelled. A generator must depend on its options alone,
//! and each record must draw from random streams of its own, so that a larger data set starts with the smaller one,
//! byte for byte.
//!
//! - `draw`: random streams and choices made with them;
//! - `names`: companies and reference numbers, some of them look-alikes;
//! - `contracts`: a portfolio of contracts, and the tasks of a renewal desk;
//! - [`ledger`]: a company's records, and the tasks of accounts payable and of sales.

mod company_names;
mod contracts;
pub mod ledger;
mod random_streams;

use std::str::FromStr;

pub use self::contracts::{ContractPortfolio, RenewalTask, WINDOW_DAYS, generate_contracts};

/// How similar the passages are, from 0 (easy) to 1 (hard).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Difficulty(f64);

impl Difficulty {
    pub const EASY: Difficulty = Difficulty(0.15);
    pub const MEDIUM: Difficulty = Difficulty(0.5);
    pub const HARD: Difficulty = Difficulty(0.9);
}

impl FromStr for Difficulty {
    type Err = String;

    fn from_str(text: &str) -> Result<Difficulty, String> {
        match text {
            "easy" => Ok(Difficulty::EASY),
            "medium" => Ok(Difficulty::MEDIUM),
            "hard" => Ok(Difficulty::HARD),
            _ => match text.parse::<f64>() {
                Ok(d) if (0.0..=1.0).contains(&d) => Ok(Difficulty(d)),
                _ => Err(format!(
                    "'{text}' is not a difficulty; allowed: easy, medium, hard or a number from 0 to 1"
                )),
            },
        }
    }
}
