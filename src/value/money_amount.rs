//! Amounts of money: `USD 1200.50`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::exact_number::exact_number;

/// An amount of money in one currency (ISO 4217 code, upper case).
#[derive(Clone, Debug, PartialEq)]
pub struct MoneyAmount {
    pub currency: String,
    pub amount: f64,
}

impl fmt::Display for MoneyAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two decimals if they give the exact amount, otherwise all: different amounts never look the same.
        let amount = self.amount + 0.0;
        let cents = format!("{amount:.2}");
        if cents.parse() == Ok(amount) {
            write!(f, "{} {cents}", self.currency)
        } else {
            write!(f, "{} {amount}", self.currency)
        }
    }
}

impl FromStr for MoneyAmount {
    type Err = ();

    fn from_str(text: &str) -> Result<MoneyAmount, ()> {
        let (currency, amount) = text.trim().split_once(' ').ok_or(())?;
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(());
        }
        // An amount whose digits are rounded is another amount, so it is refused.
        let amount = exact_number(amount.trim()).ok_or(())?;
        Ok(MoneyAmount { currency: currency.to_owned(), amount })
    }
}

impl Serialize for MoneyAmount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MoneyAmount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| {
            serde::de::Error::custom(format!("'{text}' is not money; allowed: 'USD 1200.50'"))
        })
    }
}
