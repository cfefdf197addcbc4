//! Syntax and function names from other languages, with their CEL equivalents for error messages.

use std::ops::Range;

/// A token from another language, and what to write instead.
pub(super) struct ForeignSyntax {
    pub span: Range<usize>,
    pub replacement: &'static str,
}

/// Word operators of other languages; case is ignored.
const WORDS: [(&str, &str); 7] = [
    ("and", "&&"),
    ("or", "||"),
    ("not", "!"),
    ("is", "=="),
    ("eq", "=="),
    ("then", "?"),
    ("else", ":"),
];

/// Sign operators of other languages; of two with a common prefix, the longer comes first.
const SIGNS: [(&str, &str); 12] = [
    // Valid operators map to themselves, so that no part of them matches another entry.
    ("<=", "<="),
    (">=", ">="),
    ("&&", "&&"),
    ("||", "||"),
    ("===", "=="),
    ("!==", "!="),
    ("==", "=="),
    ("!=", "!="),
    ("<>", "!="),
    ("=", "=="),
    ("&", "&&"),
    ("|", "||"),
];

/// Typographic quotation marks.
const QUOTES: [char; 6] = ['“', '”', '„', '‘', '’', '«'];

/// The first token in `source`, outside of quoted texts, that is an operator or a quotation mark elsewhere.
pub(super) fn find_foreign_syntax(source: &str) -> Option<ForeignSyntax> {
    let mut rest = source;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let start = source.len() - rest.len();
        let at = |length: usize, write| {
            Some(ForeignSyntax { span: start..start + length, replacement: write })
        };
        let length = if c == '"' || c == '\'' {
            quoted_length(rest, c)
        } else if QUOTES.contains(&c) {
            return at(c.len_utf8(), "\"");
        } else if is_word(c) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let word = &rest[..length];
            // After a dot it is a field: `task.and`.
            let known = WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
            if let Some((_, write)) = known.filter(|_| before != '.') {
                return at(length, write);
            }
            length
        } else if let Some((sign, write)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            if *sign != *write {
                return at(sign.len(), write);
            }
            sign.len()
        } else {
            c.len_utf8()
        };
        before = c;
        rest = &rest[length..];
    }
    None
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a quoted text including its quotes; up to the end if it is not closed.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The CEL spelling of a constant from another language.
pub(super) fn constant_equivalent(name: &str) -> Option<&'static str> {
    Some(match name {
        "True" | "TRUE" | "yes" | "Yes" => "true",
        "False" | "FALSE" | "no" | "No" => "false",
        "None" | "nil" | "NULL" | "Null" | "undefined" => "null",
        _ => return None,
    })
}

/// The CEL equivalent of a function from another language.
pub(super) fn function_equivalent(name: &str) -> Option<&'static str> {
    Some(match name {
        "not" => "!",
        "len" | "length" | "count" => "size(text)",
        "lower" | "toLowerCase" | "lowercase" | "to_lowercase" => "text.lowerAscii()",
        "upper" | "toUpperCase" | "uppercase" | "to_uppercase" => "text.upperAscii()",
        "strip" => "text.trim()",
        "includes" | "has_text" => "text.contains(text)",
        "startswith" | "starts_with" => "text.startsWith(text)",
        "endswith" | "ends_with" => "text.endsWith(text)",
        "match" | "regex" | "search" => "text.matches(pattern)",
        "datediff" | "date_diff" | "days" => "days_between(date, date)",
        "year" => "date.getFullYear()",
        "month" => "date.getMonth()",
        "day" => "date.getDate()",
        "add" | "plus_days" | "add_days" => "date.plus(duration)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_of_other_languages_are_found_outside_of_texts() {
        for (source, found, write) in [
            ("task.a = 3", "=", "=="),
            ("a == 1 and b == 2", "and", "&&"),
            ("a AND b", "AND", "&&"),
            ("a or b", "or", "||"),
            ("not a", "not", "!"),
            ("a <> b", "<>", "!="),
            ("a === b", "===", "=="),
            ("a !== b", "!==", "!="),
            ("a & b", "&", "&&"),
            ("a | b", "|", "||"),
            ("a is null", "is", "=="),
            ("a == “x”", "“", "\""),
            ("'it''s and' == a = 3", "=", "=="),
            ("'a and b' = task.x", "=", "=="),
            (r"'\' or' = x", "=", "=="),
            ("größe and b", "and", "&&"),
        ] {
            let habit = find_foreign_syntax(source).unwrap_or_else(|| panic!("{source}"));
            assert_eq!((&source[habit.span], habit.replacement), (found, write), "{source}");
        }
    }

    #[test]
    fn what_is_right_is_left_alone() {
        for source in [
            "a == 1 && b != 2 || !c",
            "a <= 1 && b >= 2",
            "task.and.or",
            "'a and b = c'",
            "\"x | y\" in ['=', \"&\"]",
            "android == band",
            "'never closed and",
            "",
        ] {
            assert!(find_foreign_syntax(source).is_none(), "{source}");
        }
    }
}
