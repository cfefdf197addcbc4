//! What the analyzer knows about characters: case, accents, invisible ones, and scripts without spaces between words.

use unicode_script::{Script, UnicodeScript};

/// The characters that replace this one in a case-folded text. Conversion to upper case comes first because it unifies
/// letters that differ only in lower case: ß and SS, ς and σ, ı and i.
pub fn fold_case(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// Whether a character affects the appearance of a text but not its content.
pub fn is_ignorable(c: char) -> bool {
    matches!(c,
        // Soft hyphen, combining grapheme joiner, directional marks, word joiner, byte order mark.
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{200C}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}'
        // Variation selectors.
        | '\u{180B}'..='\u{180D}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// The ASCII form of letters that do not decompose into a base letter and a mark; empty for all others.
pub fn ascii_replacement(c: char) -> &'static str {
    match c {
        'ł' => "l",
        'Ł' => "L",
        'ø' => "o",
        'Ø' => "O",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'ħ' => "h",
        'Ħ' => "H",
        'ŧ' => "t",
        'Ŧ' => "T",
        'ı' => "i",
        'ß' => "ss",
        'ẞ' => "SS",
        'æ' => "ae",
        'Æ' => "AE",
        'œ' => "oe",
        'Œ' => "OE",
        'þ' => "th",
        'Þ' => "TH",
        _ => "",
    }
}

/// The character itself if [`ascii_replacement`] has no replacement for it.
pub fn unless_replaced(c: char) -> Option<char> {
    ascii_replacement(c).is_empty().then_some(c)
}

/// Whether a character belongs to a script that is written without spaces between words, or whose words
/// are so long that only parts of them match (Korean).
pub fn is_unspaced(c: char) -> bool {
    if c.is_ascii() {
        return false;
    }
    // The mark that lengthens a vowel belongs to several scripts.
    c == '\u{30FC}'
        || matches!(
            c.script(),
            Script::Han
                | Script::Hiragana
                | Script::Katakana
                | Script::Hangul
                | Script::Bopomofo
                | Script::Thai
                | Script::Lao
                | Script::Khmer
                | Script::Myanmar
        )
}
