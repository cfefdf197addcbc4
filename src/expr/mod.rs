//! Expressions and templates: CEL over a task, a passage and the outputs of earlier steps. Nothing here performs I/O or
//! searches; an expression sees only the values in its environment.
//!
//! The language is that of the `cel` crate with our own types: an expression is parsed and type-checked once, and then
//! evaluated by that crate's interpreter. The differences from plain CEL are:
//!
//! - there is one numeric type, and `7 / 2` is 3.5; money counts as its amount and percent as its percentage points. An
//!   expression that only names a value keeps that value's type;
//! - two amounts of money are equal only in the same currency. Where an amount is ordered or computed with, its
//!   currency is dropped: when a scenario is loaded, all amounts that are combined in this way are checked to have one
//!   currency ([`Expression::compared_amounts`]);
//! - `date("2024-01-31")` and `duration("60 days")` are a date and a calendar period; `d.plus(p)`, `d.minus(p)` and
//!   `days_between(a, b)` compute with them;
//! - a missing value is null: it can be compared with `null`, and any other operation on it is an [`EvalError`];
//! - maps, indexing and list macros are not supported.

mod amount_product;
mod check;
mod eval;
mod expression;
mod foreign_syntax;
mod functions;
mod gold;
mod lower;
mod name_values;
mod parse;
mod scope;
mod suggestions;
mod template;
mod text_lengths;

pub(crate) use eval::passage_field;
pub use eval::{EvalEnvironment, EvalError};
pub use expression::Expression;
pub use gold::{CorpusIndex, GoldRule};
pub use name_values::{ImpossibleComparison, NameValues, NameValuesLookup, PossibleTexts};
pub use parse::{ExpressionFault, ParsedExpression};
pub use scope::{ExpressionScope, PASSAGE_FIELDS, StepBinding};
pub(crate) use suggestions::{clip_span, floor_char_boundary, normalised_spelling, suggest};
pub use template::{ParsedTemplate, QueryTemplate, unbraced_names};
pub use text_lengths::{LONGEST_TEXT, NamedText};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::value::{TypedValue, ValueType};
    use crate::world::{Corpus, Task};

    fn fields() -> BTreeMap<String, ValueType> {
        let fields = [
            ("n", ValueType::Number),
            ("title", ValueType::Text),
            ("day", ValueType::Date),
            ("period", ValueType::Duration),
            ("fee", ValueType::Money),
            ("paid", ValueType::Money),
            ("foreign", ValueType::Money),
            ("waived", ValueType::Money),
            ("rate", ValueType::Percent),
            ("open", ValueType::YesNo),
            ("absent", ValueType::Text),
        ];
        fields.map(|(name, ty)| (name.to_owned(), ty)).into()
    }

    fn task() -> Task {
        let values = [
            ("n", "3.5"),
            ("title", "Café Acme"),
            ("day", "2024-03-31"),
            ("period", "1 month"),
            ("fee", "USD 1200.50"),
            ("paid", "USD 1200.5"),
            ("foreign", "EUR 1200.50"),
            ("rate", "8.5%"),
            ("open", "yes"),
        ];
        let values = values.map(|(name, text)| {
            (name.to_owned(), TypedValue::parse(fields()[name], text).unwrap())
        });
        Task {
            id: "t".into(),
            line: 2,
            weight: 1.0,
            fields: values.into(),
            gold: BTreeMap::new(),
            expected: BTreeMap::new(),
        }
    }

    /// The printed value or `null`; checks that the value has the inferred type.
    fn run(source: &str) -> Result<String, EvalError> {
        let (fields, steps) = (fields(), BTreeMap::new());
        let scope = ExpressionScope {
            task: Some(&fields),
            passage: false,
            steps: &steps,
            values: &|_| None,
        };
        let expr = ParsedExpression::new(source).unwrap().check(&scope).unwrap();
        let value =
            expr.eval(&EvalEnvironment { task: Some(&task()), ..EvalEnvironment::default() })?;
        Ok(value.map_or("null".to_owned(), |value| {
            assert_eq!(Some(value.type_of()), expr.ty(), "{source}");
            value.key()
        }))
    }

    fn fault(source: &str) -> ExpressionFault {
        let (fields, steps) = (fields(), BTreeMap::new());
        let scope = ExpressionScope {
            task: Some(&fields),
            passage: false,
            steps: &steps,
            values: &|_| None,
        };
        ParsedExpression::new(source)
            .and_then(|parsed| parsed.check(&scope).map_err(|mut faults| faults.remove(0)))
            .expect_err(source)
    }

    #[test]
    fn values_of_every_type_are_computed_with() {
        for (source, value) in [
            ("task.n > 3", "yes_no:yes"),
            ("task.n == 3.5 && 3 == 3.0", "yes_no:yes"),
            ("2 * task.n + 1", "number:8"),
            ("7 / 2", "number:3.5"),
            ("-task.n", "number:-3.5"),
            ("task.fee * task.rate / 100", "number:102.0425"),
            ("task.fee", "money:USD 1200.5"),
            ("task.fee > 1000", "yes_no:yes"),
            ("task.rate", "percent:8.5%"),
            ("task.day.minus(task.period)", "date:2024-02-29"),
            ("task.day.plus(duration('2 weeks'))", "date:2024-04-14"),
            ("task.day > date(\"2024-01-31\")", "yes_no:yes"),
            ("days_between(date('2024-01-31'), task.day)", "number:60"),
            ("task.period == duration('1 month')", "yes_no:yes"),
            ("task.period", "duration:1 month"),
            ("task.day.getFullYear() + 1", "number:2025"),
            ("size(task.title) + 1", "number:10"),
            ("task.title.contains('Acme') ? 'a' : 'b'", "text:a"),
            ("task.title.upperAscii() + '!'", "text:CAFé ACME!"),
            ("task.title in ['x', \"Café Acme\"]", "yes_no:yes"),
            ("2 in [1, 2.0, 3]", "yes_no:yes"),
            ("task.absent", "null"),
            ("task.absent == null && has(task.title) && !has(task.absent)", "yes_no:yes"),
            ("task.open ? task.absent : null", "null"),
            ("task.open || task.absent.contains('x')", "yes_no:yes"),
        ] {
            assert_eq!(run(source).as_deref(), Ok(value), "{source}");
        }
    }

    #[test]
    fn money_is_the_same_only_in_the_same_currency() {
        for (source, value) in [
            ("task.fee == task.paid", "yes"),
            ("task.fee != task.paid", "no"),
            ("task.fee == task.foreign", "no"),
            ("task.fee != task.foreign", "yes"),
            ("!(task.foreign == task.fee) && task.open", "yes"),
            ("task.fee == task.waived", "no"),
            ("task.waived == task.waived", "yes"),
            ("task.foreign != null", "yes"),
            ("task.fee == 1200.5", "yes"),
        ] {
            assert_eq!(run(source), Ok(format!("yes_no:{value}")), "{source}");
        }
        let bare = |source: &str| -> Vec<Vec<String>> {
            let (fields, steps) = (fields(), BTreeMap::new());
            let scope = ExpressionScope {
                task: Some(&fields),
                passage: false,
                steps: &steps,
                values: &|_| None,
            };
            let expr = ParsedExpression::new(source).unwrap().check(&scope).unwrap();
            let mut all = expr.compared_amounts().to_vec();
            all.push(expr.amounts_in_result().to_vec());
            all
        };
        let none = Vec::<&str>::new;
        assert_eq!(bare("task.fee == task.foreign && has(task.paid)"), [none()]);
        assert_eq!(bare("task.fee"), [none()]);
        assert_eq!(bare("task.fee + task.foreign > 5"), [vec!["task.fee", "task.foreign"], none()]);
        assert_eq!(
            bare("task.fee == 5 || task.foreign in [1, 2]"),
            [vec!["task.fee"], vec!["task.foreign"], none()]
        );
        assert_eq!(bare("task.open ? task.fee : task.paid"), [vec!["task.fee", "task.paid"]]);
        assert_eq!(
            bare("task.fee > 5 ? task.paid * 2 : task.paid + task.foreign"),
            [vec!["task.fee"], vec!["task.paid", "task.paid", "task.foreign"]]
        );
    }

    #[test]
    fn what_has_no_value_is_an_error_and_no_panic() {
        for (source, reason) in [
            ("task.absent + 'x'", "null"),
            ("task.absent.contains('x')", "null"),
            ("1 / 0", "finite"),
            ("task.day.plus(duration('9000 years'))", "calendar"),
            ("date(task.title)", "is not a date"),
            ("task.title.matches(task.title + '(')", "regex"),
        ] {
            let error = run(source).unwrap_err();
            assert!(error.reason.contains(reason), "{source}: {}", error.reason);
        }
    }

    #[test]
    fn a_type_error_names_both_sides_and_the_way_out() {
        let cases = [
            ("task.day - task.period", "date and duration", "use task.day.minus(task.period)"),
            ("task.day - task.day", "date and date", "use days_between"),
            ("task.period < task.period", "duration and duration", "a month has no fixed"),
            ("task.day < 5", "date and number", ""),
            ("task.title == 3", "text and number", ""),
            ("task.n == '3'", "number and text", "without quotes: 3"),
            ("task.open + 1", "yes_no and number", ""),
            ("task.n in ['a']", "number and a list of text", ""),
            ("null + 1", "null and number", ""),
            ("task.day.plus(3)", "date.plus(number)", ""),
            ("plus(task.day)", "no function `plus`", "date.plus(duration)"),
            ("task.n % 2", "`%`", ""),
            ("[1, 2].exists(x, x > 1)", "macro", ""),
            ("{'a': 1}", "a map", ""),
            ("[1]", "list", ""),
            ("task", "not a value by itself", ""),
            ("passage.id", "no `passage` here", ""),
            ("task.title.matches('(')", "not a regular expression", ""),
            ("task.title.length", "has no fields", ""),
            ("!has(task.titel) && 1", "no field `titel`", "title"),
            ("has(task.title) + 1", "yes_no and number", ""),
            ("title", "nothing is called `title`", "task.title"),
        ];
        for (source, message, help) in cases {
            let fault = fault(source);
            assert!(fault.message.contains(message), "{source}: {}", fault.message);
            assert!(fault.help.unwrap_or_default().contains(help), "{source}");
        }
        let fault = fault("task.open && 'é' == tsk.n");
        assert_eq!(&"task.open && 'é' == tsk.n"[fault.span], "tsk");
    }

    #[test]
    fn a_gold_rule_finds_by_index_what_it_says() {
        let lines = [
            r#"{"id": "a", "text": "x", "entity": "acme", "attribute": "expiry"}"#,
            r#"{"id": "b", "text": "y", "entity": "acme", "attribute": "notice"}"#,
            r#"{"id": "c", "text": "z", "entity": "acme", "attribute": "notice", "of": "b", "variant": "negation"}"#,
            r#"{"id": "d", "text": "w"}"#,
        ];
        let passages = lines.map(|line| serde_json::from_str(line).unwrap()).into();
        let corpus = Corpus { name: "c".to_owned(), passages, ..Corpus::default() };
        let index = CorpusIndex::new(&corpus);
        let (fields, steps) = (fields(), BTreeMap::new());
        let scope = ExpressionScope {
            task: Some(&fields),
            passage: true,
            steps: &steps,
            values: &|_| None,
        };
        for (source, gold) in [
            (
                "passage.entity == task.title.lowerAscii() && passage.attribute == 'notice'",
                vec![1, 2],
            ),
            ("'notice' == passage.attribute && passage.variant == null", vec![1]),
            ("passage.entity == null", vec![3]),
            ("passage.entity == task.absent", vec![3]),
            ("passage.attribute != 'expiry'", vec![1, 2, 3]),
            ("passage.entity == 'acme' || passage.id == 'd'", vec![0, 1, 2, 3]),
            // `&&` ignores an error on one side if the other side is false.
            ("passage.variant.contains('neg') && passage.variant != null", vec![2]),
            ("passage.id == 'nobody'", vec![]),
        ] {
            let rule =
                GoldRule::new(&ParsedExpression::new(source).unwrap().check(&scope).unwrap());
            let mut task = task();
            task.fields.insert("title".into(), TypedValue::Text("ACME".into()));
            assert_eq!(rule.gold_passages(&corpus, &index, &task), Ok(gold), "{source}");
        }
    }

    #[test]
    fn long_and_deep_expressions_are_refused_or_run() {
        let (fields, steps) = (fields(), BTreeMap::new());
        let scope = ExpressionScope {
            task: Some(&fields),
            passage: false,
            steps: &steps,
            values: &|_| None,
        };
        let deepest = [
            vec!["1"; 1000].join("+"),
            vec!["true"; 330].join("||"),
            vec!["true"; 330].join("?1:"),
            "!".repeat(1990) + "true",
            "-".repeat(1990) + "1",
            "(".repeat(1990),
            "[".repeat(900) + &"]".repeat(900),
            "task".to_owned() + &".n".repeat(990),
            "task.title".to_owned() + &".trim()".repeat(280),
            "size(".repeat(330) + &")".repeat(330),
            "1+".repeat(5000),
        ];
        for source in deepest {
            if let Ok(expr) =
                ParsedExpression::new(&source).map_err(|f| vec![f]).and_then(|p| p.check(&scope))
            {
                let _ = expr
                    .eval(&EvalEnvironment { task: Some(&task()), ..EvalEnvironment::default() });
            }
        }
    }

    #[test]
    fn expressions_cross_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Expression>();
        shared::<QueryTemplate>();
        shared::<GoldRule>();
        shared::<crate::scenario::Scenario>();
    }
}
