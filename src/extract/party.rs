//! Extracts parties: names that end in a legal form, such as `Acme Widgets, Inc.`
//!
//! The value is the name in a normalised spelling: one space between words, no comma before the legal form, and the
//! form as listed here. Case is preserved. If the name may begin earlier, as in `Johnson and Sons Limited` or `Smith,
//! Jones Inc.`, it is skipped.

use std::sync::LazyLock;

use regex::Regex;

use super::mention::ExtractedValue;
use crate::value::TypedValue;

/// Patterns of legal forms with their normalised spelling; longer ones first.
const FORMS: [(&str, &str); 19] = [
    (r"Incorporated|INCORPORATED|Inc\.?|INC\.?", "Inc."),
    (r"Corporation|CORPORATION|Corp\.?|CORP\.?", "Corp."),
    (r"Co\.,?\s+Ltd\.?|CO\.,?\s+LTD\.?|Company\s+Limited", "Co., Ltd."),
    (r"Limited\s+Liability\s+Company|L\.\s?L\.\s?C\.|LLC", "LLC"),
    (r"L\.\s?L\.\s?P\.|LLP", "LLP"),
    (r"Limited\s+Partnership|L\.\s?P\.|LP", "LP"),
    (r"Limited|LIMITED|Ltd\.?|LTD\.?", "Ltd."),
    (r"P\.?L\.?C\.|PLC|plc", "plc"),
    (r"GmbH", "GmbH"),
    (r"S\.\s?A\.\s?R\.\s?L\.|S\.\s?[\u{e0}a]\s?r\.\s?l\.|SARL", "S.\u{e0} r.l."),
    (r"S\.\s?p\.\s?A\.|SpA", "S.p.A."),
    (r"S\.\s?A\.\s?S\.|SAS", "S.A.S."),
    (r"S\.\s?A\.", "S.A."),
    (r"B\.\s?V\.|BV", "B.V."),
    (r"N\.\s?V\.|NV", "N.V."),
    (r"A\.?G\.|AG", "AG"),
    (r"AB", "AB"),
    (r"KG", "KG"),
    (r"Oy", "Oy"),
];

static PARTY: LazyLock<Regex> = LazyLock::new(|| {
    let forms: Vec<String> =
        FORMS.iter().enumerate().map(|(i, (form, _))| format!("(?<f{i}>{form})")).collect();
    let word = r"[\p{Lu}\d][\p{L}\d.'\u{2019}&/-]*";
    let name = format!(r"{word}(?:(?:\s+&\s+|\s+){word}){{0,7}}?");
    let pattern = format!(r"\b(?<name>{name}),?\s+(?:{})(?:[^\p{{L}}\d]|$)", forms.join("|"));
    Regex::new(&pattern).expect("the pattern is valid")
});

/// Words that may start a sentence but not a name.
const OPENERS: [&str; 24] = [
    "a", "after", "and", "any", "as", "before", "between", "both", "by", "each", "either", "for",
    "from", "if", "in", "neither", "of", "the", "to", "under", "unless", "when", "where", "with",
];

static JOINED: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"\b\p{Lu}[\p{L}\d.'\u{2019}-]*(?:\s+(?:and|of|for)|,)\s+$";
    Regex::new(pattern).expect("the pattern is valid")
});

/// All parties in a text.
pub fn parties(text: &str) -> Vec<ExtractedValue> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(captures) = PARTY.captures_at(text, from) {
        let form = (0..FORMS.len()).find_map(|i| Some((i, captures.name(&format!("f{i}"))?)));
        let (Some(name), Some((i, form))) = (captures.name("name"), form) else {
            break;
        };
        let before = &text[from..name.start()];
        from = form.end();
        let mut start = name.start();
        let mut words: Vec<&str> = name.as_str().split_whitespace().collect();
        while words.len() > 1 && OPENERS.contains(&words[0].to_lowercase().as_str()) {
            let rest = text[start + words.remove(0).len()..].trim_start();
            start = text.len() - rest.len();
        }
        if start == name.start() && JOINED.is_match(before) {
            continue;
        }
        let value = TypedValue::Text(format!("{} {}", words.join(" "), FORMS[i].1));
        found.push(ExtractedValue { value, range: start..form.end() });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        let text = "This Agreement is between Acme Widgets, Inc. (\u{201c}Supplier\u{201d}), Bolt & Nut LLC, \
                    and ZEELAND TRADING B.V. If Sons Limited fails.";
        let found = parties(text);
        let names: Vec<String> = found.iter().map(|found| found.value.to_string()).collect();
        assert_eq!(
            names,
            ["Acme Widgets Inc.", "Bolt & Nut LLC", "ZEELAND TRADING B.V.", "Sons Ltd."]
        );
        assert_eq!(&text[found[0].range.clone()], "Acme Widgets, Inc.");
        for text in [
            "The incorporated company is limited to LLCs.",
            "by Johnson and Sons Limited",
            "Smith, Jones Inc.",
        ] {
            assert_eq!(parties(text), [], "{text}");
        }
    }
}
