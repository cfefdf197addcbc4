//! A reader that errs more is never right more often: metamorphic tests over types and rates, from the file to the
//! record.

use knockon::step::RunOutcome;
use proptest::prelude::*;

use crate::one_arm;
use crate::support::runs::run_first;

/// A field of one type: the right value, the value in a wrong passage, and a rule that holds for the right value alone.
struct Field {
    right: &'static str,
    wrong: &'static str,
    rule: &'static str,
}

const FIELDS: [Field; 7] = [
    Field { right: r#"{"yes_no": true}"#, wrong: r#"{"yes_no": false}"#, rule: "v == true" },
    Field {
        right: r#"{"date": "2024-06-30"}"#,
        wrong: r#"{"date": "2025-06-30"}"#,
        rule: r#"v == date("2024-06-30")"#,
    },
    Field { right: r#"{"number": 12}"#, wrong: r#"{"number": 13}"#, rule: "v == 12" },
    Field { right: r#"{"percent": 8.5}"#, wrong: r#"{"percent": 85}"#, rule: "v == 8.5" },
    Field { right: r#"{"money": "USD 40"}"#, wrong: r#"{"money": "USD 400"}"#, rule: "v == 40" },
    Field {
        right: r#"{"duration": "30 days"}"#,
        wrong: r#"{"duration": "60 days"}"#,
        rule: r#"v == duration("30 days")"#,
    },
    Field {
        right: r#"{"text": "delta"}"#,
        wrong: r#"{"text": "epsilon"}"#,
        rule: r#"v == "delta""#,
    },
];

/// What the found passage states.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Found {
    /// The right value.
    Gold,
    /// Another value.
    Wrong,
    /// No value.
    Nothing,
}

#[derive(Clone, Debug)]
struct Rates {
    misread: f64,
    follow: f64,
    fabricate: f64,
    fabricate_empty: f64,
    lucky: f64,
}

/// P(failure) if the search finds `found`.
fn failure(field: &Field, found: Found, rates: &Rates) -> f64 {
    let stated = match found {
        Found::Nothing => String::new(),
        _ => format!(r#","facts":{{"v":{}}}"#, field.wrong),
    };
    let passages = format!(
        r#"{{"id":"right","text":"alpha","facts":{{"v":{}}}}}
{{"id":"wrong","text":"beta"{stated}}}
"#,
        field.right
    );
    let query = if found == Found::Gold { "alpha" } else { "beta" };
    let Rates { misread, follow, fabricate, fabricate_empty, lucky } = rates;
    let reader = format!(
        "{{preset: perfect, misread: {misread}, follow: {follow}, fabricate: {fabricate}, \
         fabricate_empty: {fabricate_empty}, lucky: {lucky}}}"
    );
    let steps = format!(
        r#"
  - {{id: find, retrieve: {{corpus: c, query: {query}, gold: passage.id == "right", top_k: 1}}}}
  - {{id: v, read: {{from: find, field: v}}}}
  - {{id: act, act: [{{if: '{}', do: pay}}, {{do: refuse}}]}}"#,
        field.rule
    );
    let scenario =
        one_arm::scenario(&passages, "id,name\nt,x\n", &reader, &steps, "{method: exact}");
    1.0 - run_first(&scenario).summary.outcomes[RunOutcome::Correct as usize]
}

fn rates() -> impl Strategy<Value = Rates> {
    let chance = || 0.0..1.0f64;
    (chance(), chance(), chance(), chance(), chance()).prop_map(
        |(misread, follow, share, fabricate_empty, lucky)| Rates {
            misread,
            follow,
            fabricate: share * (1.0 - follow),
            fabricate_empty,
            lucky,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// One rate after another is raised, for each type and each search result; failure never decreases.
    #[test]
    fn higher_reader_error_rates_never_reduce_failure(rates in rates(), up in 0.0..1.0f64) {
        let raised = |rate: f64, most: f64| rate + up * (most - rate);
        for field in &FIELDS {
            for found in [Found::Gold, Found::Wrong, Found::Nothing] {
                let mut before = failure(field, found, &rates);
                let mut now = rates.clone();
                for step in 0..4 {
                    match step {
                        0 => now.misread = raised(now.misread, 1.0),
                        1 => now.fabricate = raised(now.fabricate, 1.0 - now.follow),
                        2 => now.fabricate_empty = raised(now.fabricate_empty, 1.0),
                        _ => now.follow = raised(now.follow, 1.0 - now.fabricate),
                    }
                    let after = failure(field, found, &now);
                    prop_assert!(
                        after >= before - 1e-12,
                        "{} {found:?}: {before} to {after} from {rates:?} to {now:?}", field.rule
                    );
                    before = after;
                }
            }
        }
    }

    /// Without the evidence a run is right by luck only, with exactly that probability.
    #[test]
    fn success_without_evidence_is_luck(rates in rates()) {
        for field in &FIELDS {
            for found in [Found::Wrong, Found::Nothing] {
                let failure = failure(field, found, &rates);
                prop_assert!((failure - (1.0 - rates.lucky)).abs() < 1e-12, "{}: {failure}", field.rule);
            }
        }
    }
}

#[test]
fn a_field_with_only_yes_labels_can_be_misread_and_fabricated() {
    let rates = |misread, fabricate_empty| Rates {
        misread,
        follow: 0.0,
        fabricate: 0.0,
        fabricate_empty,
        lucky: 0.125,
    };
    let consent = &FIELDS[0];
    assert!((failure(consent, Found::Gold, &rates(0.1, 0.0)) - 0.1).abs() < 1e-12);
    for fabricate_empty in [0.0, 0.05, 0.55, 1.0] {
        let failure = failure(consent, Found::Nothing, &rates(0.1, fabricate_empty));
        assert!((failure - 0.875).abs() < 1e-12, "{fabricate_empty}: {failure}");
    }
}
