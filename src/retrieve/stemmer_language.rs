//! The languages whose words can be stemmed.

use rust_stemmers::Algorithm;
use schemars::JsonSchema;
use serde::Deserialize;

/// The language of the stemming algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum StemmerLanguage {
    None,
    Arabic,
    Danish,
    Dutch,
    English,
    Finnish,
    French,
    German,
    Greek,
    Hungarian,
    Italian,
    Norwegian,
    Portuguese,
    Romanian,
    Russian,
    Spanish,
    Swedish,
    Tamil,
    Turkish,
}

impl StemmerLanguage {
    /// The name in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            StemmerLanguage::None => "none",
            StemmerLanguage::Arabic => "arabic",
            StemmerLanguage::Danish => "danish",
            StemmerLanguage::Dutch => "dutch",
            StemmerLanguage::English => "english",
            StemmerLanguage::Finnish => "finnish",
            StemmerLanguage::French => "french",
            StemmerLanguage::German => "german",
            StemmerLanguage::Greek => "greek",
            StemmerLanguage::Hungarian => "hungarian",
            StemmerLanguage::Italian => "italian",
            StemmerLanguage::Norwegian => "norwegian",
            StemmerLanguage::Portuguese => "portuguese",
            StemmerLanguage::Romanian => "romanian",
            StemmerLanguage::Russian => "russian",
            StemmerLanguage::Spanish => "spanish",
            StemmerLanguage::Swedish => "swedish",
            StemmerLanguage::Tamil => "tamil",
            StemmerLanguage::Turkish => "turkish",
        }
    }

    pub(super) fn algorithm(self) -> Option<Algorithm> {
        Some(match self {
            StemmerLanguage::None => return None,
            StemmerLanguage::Arabic => Algorithm::Arabic,
            StemmerLanguage::Danish => Algorithm::Danish,
            StemmerLanguage::Dutch => Algorithm::Dutch,
            StemmerLanguage::English => Algorithm::English,
            StemmerLanguage::Finnish => Algorithm::Finnish,
            StemmerLanguage::French => Algorithm::French,
            StemmerLanguage::German => Algorithm::German,
            StemmerLanguage::Greek => Algorithm::Greek,
            StemmerLanguage::Hungarian => Algorithm::Hungarian,
            StemmerLanguage::Italian => Algorithm::Italian,
            StemmerLanguage::Norwegian => Algorithm::Norwegian,
            StemmerLanguage::Portuguese => Algorithm::Portuguese,
            StemmerLanguage::Romanian => Algorithm::Romanian,
            StemmerLanguage::Russian => Algorithm::Russian,
            StemmerLanguage::Spanish => Algorithm::Spanish,
            StemmerLanguage::Swedish => Algorithm::Swedish,
            StemmerLanguage::Tamil => Algorithm::Tamil,
            StemmerLanguage::Turkish => Algorithm::Turkish,
        })
    }
}
