//! Recognises currencies next to an amount: codes, signs and words.

/// The ISO 4217 codes that are recognised.
const CODES: &str = "AED ARS AUD BDT BGN BHD BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS \
INR ISK JPY KES KRW KWD KZT LKR MAD MXN MYR NGN NOK NPR NZD OMR PEN PHP PKR PLN QAR RON RSD RUB SAR SEK SGD \
THB TND TRY TWD UAH USD UYU VND XAF XOF ZAR";

/// Currencies whose amounts have three decimals.
const THREE_DECIMALS: [&str; 4] = ["BHD", "KWD", "OMR", "TND"];

/// Signs with the code of their currency, or an empty code if several currencies use the sign.
pub const SIGNS: [(&str, &str); 5] =
    [("€", "EUR"), ("£", "GBP"), ("₹", "INR"), ("$", ""), ("¥", "")];

/// The meaning of a currency sign or word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurrencyDenomination {
    Code(&'static str),
    /// One of several currencies: the scenario's currency if it is among `codes`, otherwise `usual`, which is set
    /// where one of them is meant nearly always.
    OneOf {
        codes: &'static str,
        usual: Option<&'static str>,
    },
    /// A currency that is not recognised, such as `X$`.
    Unknown,
}

impl CurrencyDenomination {
    /// The code, given the scenario's currency.
    pub fn code(self, default: Option<&str>) -> Option<&str> {
        match self {
            CurrencyDenomination::Code(code) => Some(code),
            CurrencyDenomination::OneOf { codes, usual } => {
                let is_possible = |code: &&str| codes.split(' ').any(|known| known == *code);
                default.filter(is_possible).or(usual)
            }
            CurrencyDenomination::Unknown => None,
        }
    }
}

const DOLLARS: CurrencyDenomination = CurrencyDenomination::OneOf {
    codes: "USD ARS AUD CAD CLP COP HKD MXN NZD SGD TWD UYU",
    usual: None,
};
const YEN_OR_YUAN: CurrencyDenomination =
    CurrencyDenomination::OneOf { codes: "JPY CNY", usual: None };
const RUPEES: CurrencyDenomination =
    CurrencyDenomination::OneOf { codes: "INR PKR LKR NPR", usual: Some("INR") };
const POUNDS: CurrencyDenomination = CurrencyDenomination::OneOf { codes: "GBP EGP", usual: None };
const FRANCS: CurrencyDenomination =
    CurrencyDenomination::OneOf { codes: "CHF XAF XOF", usual: None };
const SWISS_FRANCS: CurrencyDenomination =
    CurrencyDenomination::OneOf { codes: "CHF XAF XOF", usual: Some("CHF") };
const KRONOR: CurrencyDenomination =
    CurrencyDenomination::OneOf { codes: "SEK NOK DKK ISK", usual: None };

use CurrencyDenomination::{Code, Unknown};

/// Other notations for a currency before an amount, longest first.
const NOTATIONS_BEFORE: [(&str, CurrencyDenomination); 29] = [
    ("U.S. Dollars", Code("USD")),
    ("US Dollars", Code("USD")),
    ("Dollars", DOLLARS),
    ("Rupees", RUPEES),
    ("rupees", RUPEES),
    ("Euros", Code("EUR")),
    ("U.S. $", Code("USD")),
    ("U.S.$", Code("USD")),
    ("USD $", Code("USD")),
    ("US $", Code("USD")),
    ("US$", Code("USD")),
    ("USD$", Code("USD")),
    ("CAD$", Code("CAD")),
    ("CA$", Code("CAD")),
    ("C$", Code("CAD")),
    ("AU$", Code("AUD")),
    ("A$", Code("AUD")),
    ("HK$", Code("HKD")),
    ("NZ$", Code("NZD")),
    ("NT$", Code("TWD")),
    ("S$", Code("SGD")),
    ("R$", Code("BRL")),
    ("RMB", Code("CNY")),
    ("Rs.", RUPEES),
    ("Rs", RUPEES),
    ("SFr.", Code("CHF")),
    ("Fr.", SWISS_FRANCS),
    ("kr.", KRONOR),
    ("kr", KRONOR),
];

/// Words after an amount, in lower case, longest first.
const NOTATIONS_AFTER: [(&str, CurrencyDenomination); 33] = [
    ("united states dollars", Code("USD")),
    ("singapore dollars", Code("SGD")),
    ("hong kong dollars", Code("HKD")),
    ("new zealand dollars", Code("NZD")),
    ("canadian dollars", Code("CAD")),
    ("australian dollars", Code("AUD")),
    ("indian rupees", Code("INR")),
    ("pakistani rupees", Code("PKR")),
    ("pounds sterling", Code("GBP")),
    ("pound sterling", Code("GBP")),
    ("swedish kronor", Code("SEK")),
    ("norwegian kroner", Code("NOK")),
    ("danish kroner", Code("DKK")),
    ("u.s. dollars", Code("USD")),
    ("us dollars", Code("USD")),
    ("swiss francs", Code("CHF")),
    ("schweizer franken", Code("CHF")),
    ("japanese yen", Code("JPY")),
    ("chinese yuan", Code("CNY")),
    ("south african rand", Code("ZAR")),
    ("dollars", DOLLARS),
    ("dollar", DOLLARS),
    ("pounds", POUNDS),
    ("euros", Code("EUR")),
    ("euro", Code("EUR")),
    ("francs", FRANCS),
    ("franken", FRANCS),
    ("rupees", RUPEES),
    ("rupee", RUPEES),
    ("kronor", KRONOR),
    ("kroner", KRONOR),
    ("rmb", Code("CNY")),
    ("yen", Code("JPY")),
];

/// Coins after an amount. The amount then continues in a smaller unit, which is not supported.
const COINS: [&str; 5] = ["cents", "cent", "pence", "paise", "rappen"];

/// A currency next to an amount, with its byte range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdjacentCurrency {
    pub denomination: CurrencyDenomination,
    pub start: usize,
    pub end: usize,
}

pub fn is_code(text: &str) -> bool {
    text.len() == 3 && CODES.split(' ').any(|code| code == text)
}

/// Whether amounts in this currency may have three decimals.
pub fn has_three_decimals(code: &str) -> bool {
    THREE_DECIMALS.contains(&code)
}

/// All recognised codes.
pub fn codes() -> impl Iterator<Item = &'static str> {
    CODES.split(' ')
}

/// The denomination of a sign.
fn sign_denomination(sign: &str) -> CurrencyDenomination {
    match SIGNS.iter().find(|(known, _)| *known == sign) {
        Some((_, code)) if !code.is_empty() => Code(code),
        _ if sign == "$" => DOLLARS,
        _ => YEN_OR_YUAN,
    }
}

/// The currency at the end of `text`: `... of US$`.
pub fn currency_at_end(text: &str) -> Option<AdjacentCurrency> {
    let text = text.trim_end();
    let codes = codes().map(|code| (code, Code(code)));
    let signs = SIGNS.into_iter().map(|(sign, _)| (sign, sign_denomination(sign)));
    let mut known = NOTATIONS_BEFORE.into_iter().chain(codes).chain(signs);
    known.find_map(|(written, denomination)| {
        let before = text.strip_suffix(written)?;
        let (start, end) = (before.len(), text.len());
        let glued = before.ends_with(char::is_alphanumeric);
        match (glued, written.chars().all(char::is_alphabetic)) {
            // Skip `AUD` in `FRAUD`.
            (true, true) => None,
            // `X$` is some dollar that is not recognised.
            (true, false) => Some(AdjacentCurrency { denomination: Unknown, start, end }),
            (false, _) => Some(AdjacentCurrency { denomination, start, end }),
        }
    })
}

/// The currency at the start of `text`.
pub fn currency_at_start(text: &str) -> Option<AdjacentCurrency> {
    let mut rest = text.trim_start();
    // `millions d'euros`, `millions of dollars`.
    for article in ["d'", "de ", "of "] {
        rest = rest.strip_prefix(article).unwrap_or(rest).trim_start();
    }
    let start = text.len() - rest.len();
    let ends = |at: usize| !rest[at..].starts_with(char::is_alphanumeric);
    let beside =
        |denomination, length: usize| AdjacentCurrency { denomination, start, end: start + length };
    let is = |written: &str| {
        rest.get(..written.len()).is_some_and(|head| head.eq_ignore_ascii_case(written))
            && ends(written.len())
    };
    if let Some((written, denomination)) =
        NOTATIONS_AFTER.into_iter().find(|(written, _)| is(written))
    {
        return Some(beside(denomination, written.len()));
    }
    if let Some(coin) = COINS.into_iter().find(|coin| is(coin)) {
        return Some(beside(Unknown, coin.len()));
    }
    if let Some(code) = codes().find(|code| rest.starts_with(code) && ends(3)) {
        return Some(beside(Code(code), 3));
    }
    let (sign, _) = SIGNS.into_iter().find(|(sign, _)| rest.starts_with(sign))?;
    // A sign directly before the next number belongs to that number.
    let next = rest[sign.len()..].trim_start();
    (!next.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| beside(sign_denomination(sign), sign.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_of_several_currencies_is_one_only_where_that_is_known() {
        let before = |text: &str| currency_at_end(text).map(|found| found.denomination);
        assert_eq!(before("a fee of US$ "), Some(Code("USD")));
        assert_eq!(before("a fee of $").and_then(|d| d.code(None)), None);
        assert_eq!(before("a fee of $").and_then(|d| d.code(Some("USD"))), Some("USD"));
        // A scenario in euros does not determine what `$` means.
        assert_eq!(before("a fee of $").and_then(|d| d.code(Some("EUR"))), None);
        assert_eq!(before("a fee of Rs.").and_then(|d| d.code(None)), Some("INR"));
        assert_eq!(before("Z$"), Some(Unknown));
        assert_eq!(before("FRAUD"), None);
        assert_eq!(
            currency_at_start(" d'euros").map(|found| found.denomination),
            Some(Code("EUR"))
        );
        assert_eq!(
            currency_at_start(" pounds of rice").and_then(|f| f.denomination.code(None)),
            None
        );
    }
}
