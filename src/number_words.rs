//! Numbers in English words: formatting and parsing.

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// An integer in words; from 1,000 on in digits.
pub fn to_words(n: u32) -> String {
    let small = n as usize;
    match n {
        0..20 => ONES[small].to_owned(),
        20..100 if n.is_multiple_of(10) => TENS[small / 10].to_owned(),
        20..100 => format!("{}-{}", TENS[small / 10], ONES[small % 10]),
        100..1000 if n.is_multiple_of(100) => format!("{} hundred", ONES[small / 100]),
        100..1000 => format!("{} hundred {}", ONES[small / 100], to_words(n % 100)),
        _ => n.to_string(),
    }
}

const SCALES: [(&str, u64); 6] = [
    ("thousand", 1_000),
    // Indian numbering units.
    ("lakh", 100_000),
    ("million", 1_000_000),
    ("crore", 10_000_000),
    ("billion", 1_000_000_000),
    ("trillion", 1_000_000_000_000),
];

const ORDINALS: [&str; 20] = [
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];

/// The factor that a lower-case word such as `million` or `lakhs` stands for.
pub fn scale_factor(word: &str) -> Option<u64> {
    let single = word.strip_suffix('s').unwrap_or(word);
    SCALES.iter().find(|(name, _)| *name == single).map(|(_, scale)| *scale)
}

/// Whether a lower-case word can be part of a number.
pub fn is_number_word(word: &str) -> bool {
    small_number(word).is_some() || word == "hundred" || scale_factor(word).is_some()
}

/// The value of a single word below 100.
fn small_number(word: &str) -> Option<u64> {
    let place = |list: &[&str]| list.iter().position(|w| *w == word).map(|at| at as u64);
    place(&ONES).or_else(|| place(&TENS[2..]).map(|tens| (tens + 2) * 10))
}

/// The number that `words` express as a whole; the words are in lower case and split at hyphens. The inverse of
/// [`to_words`], and accepts more: `two million five hundred thousand`, `one hundred and twenty`.
pub fn parse_words(words: &[&str]) -> Option<u64> {
    // `group` is the number below 1,000 being read; `below` is the last scale, which the next one must be less than.
    let (mut total, mut group, mut below) = (0u64, None::<u64>, u64::MAX);
    let mut words = words.iter().peekable();
    while let Some(&word) = words.next() {
        if let Some(n) = small_number(word) {
            group = Some(match group {
                None => n,
                Some(g) if g % 100 == 0 && g > 0 && n > 0 => g + n,
                Some(g) if g % 100 >= 20 && g % 10 == 0 && (1..10).contains(&n) => g + n,
                Some(_) => return None,
            });
        } else if word == "hundred" {
            group = Some(group.filter(|g| (1..100).contains(g))? * 100);
        } else if let Some(scale) = scale_factor(word) {
            let group = group.take().filter(|&g| g > 0 && scale < below)?;
            total = total.checked_add(group.checked_mul(scale)?)?;
            below = scale;
        } else {
            // "and" is allowed between the hundreds and the rest, or after a scale such as thousand.
            let joins = word == "and"
                && group.map_or(total > 0, |g| g % 100 == 0 && g > 0)
                && words.peek().is_some_and(|next| small_number(next).is_some_and(|n| n > 0));
            joins.then_some(())?;
        }
    }
    match group {
        None if total == 0 => None,
        group => total.checked_add(group.unwrap_or(0)),
    }
}

/// The number below 100 that a lower-case ordinal expresses: `third`, `twenty-first`.
pub fn parse_ordinal(text: &str) -> Option<u32> {
    let place = |word: &str| ORDINALS.iter().position(|w| *w == word).map(|at| at as u32);
    let tens =
        |word: &str| TENS.iter().position(|w| !w.is_empty() && *w == word).map(|at| at as u32);
    match text.split_once(['-', ' ']) {
        Some((ten, one)) => {
            place(one).filter(|n| (1..10).contains(n)).and_then(|n| Some(tens(ten)? * 10 + n))
        }
        None => place(text).or_else(|| {
            let stem = text.strip_suffix("ieth")?;
            tens(&format!("{stem}y")).map(|n| n * 10)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_parse_back() {
        for n in 0..1000 {
            let text = to_words(n);
            let parts: Vec<&str> = text.split([' ', '-']).collect();
            assert_eq!(parse_words(&parts), Some(u64::from(n)), "{text}");
        }
    }

    #[test]
    fn longer_numbers_and_invalid_ones() {
        let of = |text: &str| parse_words(&text.split(' ').collect::<Vec<_>>());
        assert_eq!(of("one hundred and twenty"), Some(120));
        assert_eq!(of("two million five hundred thousand"), Some(2_500_000));
        assert_eq!(of("two thousand and nineteen"), Some(2019));
        assert_eq!(of("twelve hundred"), Some(1200));
        assert_eq!(of("one crore fifty lakhs"), Some(15_000_000));
        for text in [
            "",
            "and",
            "hundred",
            "million",
            "ten and five",
            "twenty twelve",
            "one two",
            "five and",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn ordinals() {
        assert_eq!(parse_ordinal("third"), Some(3));
        assert_eq!(parse_ordinal("twenty-first"), Some(21));
        assert_eq!(parse_ordinal("thirtieth"), Some(30));
        assert_eq!(parse_ordinal("twenty"), None);
    }
}
