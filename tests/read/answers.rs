use knockon::extract::ExtractorKind;
use knockon::read::{DurationUnit, FinishReason, ParsedAnswer, RawModelAnswer, ReadField};
use knockon::value::ValueType;

/// `value`, `NOT STATED`, or `? reason`.
fn read(field: &ReadField, text: &str) -> String {
    let raw = RawModelAnswer { text: text.to_owned(), count: 1, finish: FinishReason::Stop };
    shown(field.parse_answer(&raw))
}

fn shown(answer: ParsedAnswer) -> String {
    match answer {
        ParsedAnswer::Value(value) => value.to_string(),
        ParsedAnswer::NotStated => "NOT STATED".to_owned(),
        ParsedAnswer::Unparsable(why) => format!("? {why}"),
    }
}

fn check(field: &ReadField, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(read(field, text), *expected, "{text:?}");
    }
}

#[test]
fn durations_are_read() {
    let mut field = ReadField::new("notice_period", ValueType::Duration, "q");
    check(
        &field,
        &[
            ("60 days", "60 days"),
            ("60 days.", "60 days"),
            ("**60 days**", "60 days"),
            ("`60 days`", "60 days"),
            ("\"60 days\"", "60 days"),
            ("**Answer:** 60 days", "60 days"),
            ("Answer: sixty (60) days", "60 days"),
            ("The answer is 60 days.", "60 days"),
            ("- 60 days", "60 days"),
            ("```\n60 days\n```", "60 days"),
            ("```json\n{\"answer\": \"60 days\"}\n```", "60 days"),
            ("{\"answer\": \"60 days\"}", "60 days"),
            ("{\"notice_period\": \"60 days\"}", "60 days"),
            ("<think>30 days? No, 90 days.</think>\n60 days", "60 days"),
            ("30 days? No.</think>60 days", "60 days"),
            ("The notice period is 60 days before the end of the term.", "60 days"),
            ("60 days\n\nThe passages mention 30 days for invoices.", "60 days"),
            ("It says 30 days for invoices.\n\nFinal answer: 60 days", "60 days"),
            // A wrong unit is not corrected.
            ("6 months", "6 months"),
            ("60", "? it names no length of time with its unit"),
            ("30 days or 60 days", "? '30 days or 60 days' does not say which length of time"),
            ("30 days for rent. Notice is 60 days.", "? it names several values: 30 days; 60 days"),
            ("<think>30 days", "? the text ends before the answer begins"),
            ("", "? the answer is empty"),
            ("  \n ", "? the answer is empty"),
            ("I am not sure.", "? it names no length of time with its unit"),
        ],
    );
    field.unit = Some(DurationUnit::Days);
    check(&field, &[("60", "60 days"), ("6 months", "6 months"), ("6 months.", "6 months")]);
}

#[test]
fn not_stated_is_recognised_in_many_forms() {
    for ty in ValueType::ALL {
        let field = ReadField::new("field", ty, "q");
        for text in [
            "NOT STATED",
            "Not stated.",
            "**NOT STATED**",
            "NOT_STATED",
            "\"NOT STATED\"",
            "{\"answer\": null}",
            "{\"answer\": \"NOT STATED\"}",
            "The answer is NOT STATED.",
            "NOT STATED. The passages are about rent of USD 50 from 2024-01-01 for 30 days, 5%.",
            "Not stated in the passages.",
            "not specified",
            "Unknown",
            "N/A",
            "None",
            "<think>Is it? No.</think>NOT STATED",
            "I looked at all of them.\nAnswer: NOT STATED",
            "The answer is not STATED.",
            "NOT STATED\n\nThe passages are about rent.",
        ] {
            assert_eq!(read(&field, text), "NOT STATED", "{ty} {text:?}");
        }
    }
}

#[test]
fn dates_numbers_and_amounts_are_read() {
    check(
        &ReadField::new("expiry", ValueType::Date, "q"),
        &[
            ("2025-06-30", "2025-06-30"),
            ("June 30, 2025", "2025-06-30"),
            ("It expires on June 30, 2025 (2025-06-30).", "2025-06-30"),
            ("03/04/2025", "? '03/04/2025' does not say which date"),
            ("2025-02-30", "? '2025-02-30' does not say which date"),
            ("June 2025", "? 'June 2025' does not say which date"),
            ("next spring", "? it names no date"),
            ("2024-01-01\n2025-01-01", "2024-01-01"),
        ],
    );
    check(
        &ReadField::new("count", ValueType::Number, "q"),
        &[
            ("12", "12"),
            ("{\"answer\": 12.5}", "12.5"),
            ("twelve units", "12"),
            ("1,250", "? '1,250' does not say which number"),
        ],
    );
    check(
        &ReadField::new("cap", ValueType::Percent, "q"),
        &[("8.5%", "8.5%"), ("8.5", "8.5%"), ("8.5 percent", "8.5%")],
    );
    let mut rent = ReadField::new("rent", ValueType::Money, "q");
    check(
        &rent,
        &[
            ("USD 1,200.50", "USD 1200.50"),
            ("$1,200", "? '$1,200' does not say which amount of money"),
            ("1200", "? it names no amount of money with its currency"),
        ],
    );
    rent.kind = ExtractorKind::Money { decimal: None, currency: Some("USD".into()) };
    check(&rent, &[("$1,200", "USD 1200.00"), ("1200", "USD 1200.00"), ("1200.50", "USD 1200.50")]);
}

#[test]
fn yes_and_no_are_read() {
    check(
        &ReadField::new("auto_renewal", ValueType::YesNo, "q"),
        &[
            ("Yes", "yes"),
            ("no.", "no"),
            ("No, it does not renew unless the parties say yes.", "no"),
            ("{\"answer\": true}", "yes"),
            ("**Yes**, automatically.", "yes"),
            ("The answer is no.", "no"),
            ("It renews.", "? it says neither yes nor no"),
        ],
    );
}

#[test]
fn texts_and_choices_are_read() {
    check(
        &ReadField::new("vendor", ValueType::Text, "q"),
        &[
            ("Acme Inc.", "Acme Inc."),
            ("\"Acme Inc.\"", "Acme Inc."),
            ("Northwind.", "Northwind"),
            ("'Acme  Ltd'", "Acme Ltd"),
            ("None of the parties", "None of the parties"),
            ("Acme\nbecause it is named first", "Acme"),
        ],
    );
    check(
        &ReadField::new("governing_law", ValueType::Text, "q"),
        &[("the laws of the State of Texas", "Texas"), ("Texas", "Texas")],
    );
    let mut field = ReadField::new("payment", ValueType::Text, "q");
    field.choices = ["net 30", "net 30 days eom", "net 60"].map(str::to_owned).to_vec();
    check(
        &field,
        &[
            ("Net 30", "net 30"),
            ("The terms are net 30 days EOM.", "net 30 days eom"),
            ("net 30 or net 60", "? it names several of the choices: net 30; net 60"),
            ("at once", "? it is none of: net 30; net 30 days eom; net 60"),
        ],
    );
}

#[test]
fn a_truncated_answer_has_no_value() {
    let field = ReadField::new("notice", ValueType::Duration, "q");
    let cut = |text: &str| {
        let raw = RawModelAnswer { text: text.to_owned(), count: 1, finish: FinishReason::Length };
        shown(field.parse_answer(&raw))
    };
    assert_eq!(cut("60 day"), "? the answer was cut off at max_tokens");
    assert_eq!(cut("60 days\n\nThis follows from the passage that"), "60 days");
    assert_eq!(cut("<think>let me"), "? the text ends before the answer begins");
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(
        pieces in proptest::collection::vec(
            proptest::sample::select(&[
                "<think>", "</think>", "```", "**", "\"", "'", "\u{201c}", "\u{201d}", "{", "}", "answer", ":", "Answer: ", "\n",
                " ", ".", "60", " days", "not stated", "yes", "Inc", "\u{e9}", "- ", "#", "USD", "%", "2025-01-01", "null",
            ][..]),
            0..20,
        )
    ) {
        let text = pieces.concat();
        for ty in ValueType::ALL {
            read(&ReadField::new("field", ty, "q"), &text);
        }
    }
}
