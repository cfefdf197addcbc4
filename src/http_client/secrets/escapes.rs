//! The escapes in which a text may spell a character: those of JSON, programming languages, URLs, HTML and mail.

/// Nested escapes that are undone.
const MAX_NESTING: usize = 4;
/// The most digits of an escape without a fixed number of them: zeros may come first.
const MAX_DIGITS: usize = 64;

/// A text with its escapes replaced by their characters: once, twice, and so on as far as that changes it.
pub fn unescaped_texts(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut last = text.to_owned();
    for _ in 0..MAX_NESTING {
        let next = unescaped(&last);
        if next == last {
            break;
        }
        found.push(next.clone());
        last = next;
    }
    found
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let Some(escape) = escape(rest) else {
            bytes.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[first.len_utf8()..];
            continue;
        };
        match (u8::try_from(escape.code), char::from_u32(escape.code)) {
            (Ok(byte), _) if escape.is_byte => bytes.push(byte),
            (_, Some(c)) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => bytes.extend_from_slice(&rest.as_bytes()[..escape.length]),
        }
        rest = &rest[escape.length..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A spelled character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CharacterEscape {
    /// Its length in bytes.
    pub length: usize,
    /// The code of the character, or a byte of its UTF-8.
    pub code: u32,
    /// Whether it spells a byte of UTF-8, as in a URL.
    is_byte: bool,
}

/// The escape at the start of a text: `\u0041`, `\u{41}`, `\U00000041`, `\x41`, `\x{41}`, `\101`, `%41`, `%u0041`,
/// `=41`, `&#65;`, `&#x41;`; two of the first form for a character beyond 16 bits.
pub fn escape(text: &str) -> Option<CharacterEscape> {
    let (prefix, digits) = [
        ("\\u{", Digits::Until('}')),
        ("\\x{", Digits::Until('}')),
        ("\\u", Digits::Exactly(4)),
        ("\\U", Digits::Exactly(8)),
        ("\\x", Digits::Exactly(2)),
        ("%u", Digits::Exactly(4)),
        ("%", Digits::Exactly(2)),
        ("=", Digits::Exactly(2)),
        ("&#x", Digits::Entity(16)),
        ("&#X", Digits::Entity(16)),
        ("&#", Digits::Entity(10)),
        ("\\", Digits::Octal),
    ]
    .into_iter()
    .find(|(prefix, _)| text.starts_with(prefix))?;
    let rest = &text[prefix.len()..];
    let (length, code) = match digits {
        Digits::Exactly(count) => (count, number(rest.get(..count)?, 16)?),
        Digits::Octal => (3, number(rest.get(..3)?, 8)?),
        Digits::Until(end) => {
            let count = rest.bytes().take(MAX_DIGITS).position(|byte| char::from(byte) == end)?;
            (count + 1, number(&rest[..count], 16)?)
        }
        Digits::Entity(radix) => {
            let is_digit = |byte: &u8| char::from(*byte).is_digit(radix);
            let count = rest.bytes().take(MAX_DIGITS).take_while(is_digit).count();
            let closing = usize::from(rest[count..].starts_with(';'));
            (count + closing, number(&rest[..count], radix)?)
        }
    };
    let escape = CharacterEscape {
        length: prefix.len() + length,
        code,
        is_byte: matches!(prefix, "%" | "=" | "\\x" | "\\"),
    };
    if prefix != "\\u" || !(0xd800..0xdc00).contains(&code) {
        return Some(escape);
    }
    let low = text[escape.length..].strip_prefix("\\u").and_then(|low| number(low.get(..4)?, 16));
    let low = low.filter(|low| (0xdc00..0xe000).contains(low))?;
    let code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    Some(CharacterEscape { length: 2 * escape.length, code, is_byte: false })
}

/// How many digits come after a prefix.
#[derive(Clone, Copy)]
enum Digits {
    Exactly(usize),
    Octal,
    Until(char),
    /// Any number of this radix, and maybe a semicolon.
    Entity(u32),
}

fn number(digits: &str, radix: u32) -> Option<u32> {
    let plain = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    u32::from_str_radix(digits, radix).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_escape_is_undone() {
        for (text, plain) in [
            (r"\u0073\u006B", "sk"),
            (r"\u{73}\u{00006b}\U0000006b", "skk"),
            (r"\x73\x6B\x{6b}", "skk"),
            (r"\163\153", "sk"),
            ("%73%6b%u0073", "sks"),
            ("=73=6B", "sk"),
            ("&#115;&#x6b;&#X6B;", "skk"),
            ("&#00000000115;&#x000000000006b;&#0115&#x6b", "sksk"),
            (r"\ud835\udc2c", "\u{1d42c}"),
            ("%f0%9d%90%ac %c3%bc", "\u{1d42c} \u{fc}"),
            (r"\xc3\xbc", "\u{fc}"),
            (r"\ud835 %zz &#; &#x110000; \u{110000} \u{} \9 = %", ""),
            ("", ""),
        ] {
            let plain = if plain.is_empty() { text } else { plain };
            assert_eq!(unescaped(text), plain);
        }
        assert_eq!(unescaped_texts("%2573%255cx6b"), ["%73%5cx6b", r"s\x6b", "sk"]);
        assert_eq!(unescaped_texts("sk"), [""; 0]);
    }
}
