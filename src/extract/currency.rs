//! Currencies as people write them: codes, signs and words.

/// Currencies known by their code (ISO 4217).
const CODES: &str = "AED ARS AUD BDT BGN BHD BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS \
INR ISK JPY KES KRW KWD KZT LKR MAD MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RSD RUB SAR SEK SGD \
THB TND TRY TWD UAH USD UYU VND XAF XOF ZAR";

/// Those whose amounts have three decimals.
const THREE_DECIMALS: [&str; 3] = ["BHD", "KWD", "TND"];

/// Signs with the one currency they stand for; with nothing where they stand for several.
pub const SIGNS: [(&str, &str); 5] =
    [("€", "EUR"), ("£", "GBP"), ("₹", "INR"), ("$", ""), ("¥", "")];

/// Other ways to write a currency before an amount, longest first.
const BEFORE: [(&str, &str); 11] = [
    ("U.S.$", "USD"),
    ("US$", "USD"),
    ("US $", "USD"),
    ("USD$", "USD"),
    ("CA$", "CAD"),
    ("C$", "CAD"),
    ("AU$", "AUD"),
    ("A$", "AUD"),
    ("HK$", "HKD"),
    ("NZ$", "NZD"),
    ("RMB", "CNY"),
];

/// Words behind an amount, in lower case, longest first; with nothing for those of several currencies.
const AFTER: [(&str, &str); 14] = [
    ("united states dollars", "USD"),
    ("canadian dollars", "CAD"),
    ("australian dollars", "AUD"),
    ("hong kong dollars", "HKD"),
    ("u.s. dollars", "USD"),
    ("us dollars", "USD"),
    ("dollars", ""),
    ("dollar", ""),
    ("pounds sterling", "GBP"),
    ("euros", "EUR"),
    ("euro", "EUR"),
    ("swiss francs", "CHF"),
    ("rmb", "CNY"),
    ("yen", "JPY"),
];

pub fn is_code(text: &str) -> bool {
    text.len() == 3 && CODES.split(' ').any(|code| code == text)
}

/// Whether an amount of it may have three decimals.
pub fn has_three_decimals(code: &str) -> bool {
    THREE_DECIMALS.contains(&code)
}

/// The currency that `text` ends in, and where it starts: `... of US$`. Empty for a sign of several.
pub fn ending(text: &str) -> Option<(&'static str, usize)> {
    let text = text.trim_end();
    let codes = CODES.split(' ').map(|code| (code, code));
    BEFORE.into_iter().chain(codes).chain(SIGNS).find_map(|(written, code)| {
        let before = text.strip_suffix(written)?;
        // A code or a letter before a sign stands alone: no `AUD` in `FRAUD`, no `$` of `R$`.
        (!before.ends_with(char::is_alphanumeric)).then_some((code, before.len()))
    })
}

/// The currency that `text` starts with, and where it ends.
pub fn starting(text: &str) -> Option<(&'static str, usize)> {
    let rest = text.trim_start();
    let space = text.len() - rest.len();
    let ends = |at: usize| !rest[at..].starts_with(char::is_alphanumeric);
    let word = AFTER.into_iter().find_map(|(written, code)| {
        let head = rest.get(..written.len())?;
        (head.eq_ignore_ascii_case(written) && ends(written.len())).then_some((code, written.len()))
    });
    let code = || {
        let code = CODES.split(' ').find(|code| rest.starts_with(code) && ends(3))?;
        Some((code, 3))
    };
    let sign = || {
        let (sign, code) = SIGNS.into_iter().find(|(sign, _)| rest.starts_with(sign))?;
        // Before the next number it belongs to that one.
        let next = rest[sign.len()..].trim_start();
        (!next.starts_with(|c: char| c.is_ascii_digit())).then_some((code, sign.len()))
    };
    let (code, end) = word.or_else(code).or_else(sign)?;
    Some((code, space + end))
}

/// All known codes.
pub fn codes() -> impl Iterator<Item = &'static str> {
    CODES.split(' ')
}
