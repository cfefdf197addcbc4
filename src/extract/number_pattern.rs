//! How numbers are written: patterns of digits, number words, fractions and what stands around them.

use std::sync::LazyLock;

use regex::Regex;

/// Digits with separators, including the spaces and apostrophes that separate thousands.
const DIGITS: &str = r"(?:\d{1,3}(?:[\u{a0}\u{202f}\u{2009}']\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)*|\.\d+)(?:[.,](?:--?|\u{2013}|\u{2014}))?";

/// Digits with plain spaces, which may also separate two numbers.
const SPACED_DIGITS: &str = r"\d{1,3}(?: \d{3})+(?:[.,]\d{1,2})?";

/// Every word that [`crate::number_words::parse_words`] accepts.
const NUMBER_WORD: &str = "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|\
fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|\
thousand|millions?|billions?|trillions?|lakhs?|crores?";

/// Fractions in words. `quarter` needs a hyphen, because without one it may be a quarter of a year.
const FRACTION: &str = r"(?:one|an?)[\s-]+half|one-(?:third|quarter|fourth)|half(?:\s+an?\b)?|two[\s-]+thirds|three-(?:quarters|fourths)";

/// A number in any of its forms, with a named group for each part.
pub static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    let words = format!(r"(?:{NUMBER_WORD})(?:(?:\s+and\s+|\s*-\s*|\s+)(?:{NUMBER_WORD})\b)*");
    let brackets = |inner: String| format!(r#"\s*[(\[]\s*"?{inner}"?\s*[)\]]"#);
    let gloss = brackets(format!("(?<gloss>{DIGITS})"));
    let again = brackets(format!("(?<again>{DIGITS})"));
    let spelled = brackets(format!(r"(?<spelled>{words})(?:\s+only)?"));
    // The first form that matches counts, so longer forms stand before those that they begin with.
    let forms = [
        format!(r"\b(?<part>{FRACTION})(?:\s+of\s+(?:one|1))?\b"),
        format!(
            r"\b(?<mixed>{words})(?:\s+|\s*-\s*)and(?:\s+|\s*-\s*)(?<more>{FRACTION})\b(?:{gloss})?"
        ),
        format!(r"\b(?<words>{words})\b(?:\s+(?:and|&)\s+(?:00|no|xx)/100(?:ths)?)?(?:{again})?"),
        r"(?:(?<whole>\d{1,3})(?:\s+and\s+|\s+|-))?\b(?<top>[1-9])/(?<below>[2-9]|1[026])\b"
            .to_owned(),
        format!(r"[(\[]\s*(?<bracketed>{DIGITS})\s*[)\]]"),
        format!(r"(?<spaced>{SPACED_DIGITS})\b"),
        format!("(?<digits>{DIGITS})(?:{spelled})?"),
    ];
    Regex::new(&format!("(?i)(?:{})", forms.join("|"))).expect("the pattern is valid")
});

/// A unit of time without a space before it: `30days`.
pub static GLUED_UNIT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?:day|week|month|year)s?\b").expect("the pattern is valid")
});

/// Text between two numbers that are the ends of a span, a choice of two, or a contradiction.
pub static SPAN: LazyLock<Regex> = LazyLock::new(|| {
    let bound = "(?:up to|(?:(?:no|not) )?(?:more|less|fewer|later) than|at (?:most|least))";
    let pattern = format!(
        r"(?i)^\s*(?:to|or|nor|and|but|and/or|-|\u{{2013}}|\u{{2014}})?\s*(?:{bound})?\s*$"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});
