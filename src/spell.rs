//! Whole numbers in words.

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

/// A whole number in words; from 1,000 on in digits.
pub fn words(n: u32) -> String {
    let small = n as usize;
    match n {
        0..20 => ONES[small].to_owned(),
        20..100 if n.is_multiple_of(10) => TENS[small / 10].to_owned(),
        20..100 => format!("{}-{}", TENS[small / 10], ONES[small % 10]),
        100..1000 if n.is_multiple_of(100) => format!("{} hundred", ONES[small / 100]),
        100..1000 => format!("{} hundred {}", ONES[small / 100], words(n % 100)),
        _ => n.to_string(),
    }
}
