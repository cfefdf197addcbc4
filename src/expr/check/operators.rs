//! Checks of operators: arithmetic, comparisons, logic and `c ? a : b`, and the uses of money in them.

use cel::IdedExpr;
use cel::common::ast::{Expr as Node, LiteralValue};

use super::TypeChecker;
use super::inferred_type::InferredType;
use crate::expr::amount_product::is_amount;
use crate::value::ValueType;

impl TypeChecker<'_> {
    /// The type of `condition ? yes : no`.
    pub(super) fn conditional(
        &mut self,
        node: &IdedExpr,
        condition: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
    ) -> Option<InferredType> {
        let (test, yes_ty, no_ty) = (self.infer(condition), self.infer(yes), self.infer(no));
        if let Some(ty) = test.filter(|ty| !ty.is(ValueType::YesNo)) {
            let message = format!("the condition before `?` must be yes_no; here it is {ty}");
            self.fault("type-error", condition, message, format!("this is {ty}"), None);
        }
        match (yes_ty?, no_ty?) {
            // Null is a missing value of any type, so the other side decides.
            (InferredType::Null, other) | (other, InferredType::Null) => Some(other),
            (a, b) if a.comparison_class() == b.comparison_class() => Some(a.comparison_class()),
            (a, b) => {
                let message =
                    format!("the two sides of `:` have one type; here they are {a} and {b}");
                self.fault(
                    "type-error",
                    node,
                    message,
                    "the result would be one of these".into(),
                    None,
                );
                None
            }
        }
    }

    /// The type of the result of an operator with two sides.
    pub(super) fn binary(
        &mut self,
        node: &IdedExpr,
        operator: &str,
        a: &IdedExpr,
        b: &IdedExpr,
    ) -> Option<InferredType> {
        let amounts = self.amounts.result.len();
        let (left, right) = (self.infer(a), self.infer(b));
        if let "==" | "!=" = operator {
            self.record_equality(node, (a, left.as_ref()), (b, right.as_ref()), amounts);
        }
        if let "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" = operator {
            self.record_comparison(amounts);
        }
        if let "&&" | "||" = operator {
            // Both sides are checked independently: a fault on one side does not hide one on the other.
            for (side, ty) in [(a, left), (b, right)] {
                if let Some(ty) = ty.filter(|ty| !ty.is(ValueType::YesNo)) {
                    let message =
                        format!("`{operator}` takes yes_no on both sides; here it finds {ty}");
                    self.fault("type-error", side, message, format!("this is {ty}"), None);
                }
            }
            return Some(InferredType::Is(ValueType::YesNo));
        }
        let (left, right) = (left?, right?);
        let (x, y) = (left.comparison_class(), right.comparison_class());
        let number = InferredType::Is(ValueType::Number);
        let text = InferredType::Is(ValueType::Text);
        let date = InferredType::Is(ValueType::Date);
        let (fine, takes, gives) = match operator {
            "+" if x == text && y == text => return Some(text),
            "+" => (x == number && y == number, "two numbers or two texts", ValueType::Number),
            "-" | "*" | "/" => (x == number && y == number, "two numbers", ValueType::Number),
            "==" | "!=" => {
                let list = matches!(x, InferredType::List(_)) || matches!(y, InferredType::List(_));
                let fine = !list && (x == y || x == InferredType::Null || y == InferredType::Null);
                (fine, "two values of one type", ValueType::YesNo)
            }
            "<" | "<=" | ">" | ">=" => {
                // Durations have no order, because a month has no fixed number of days.
                let fine = x == y && [number, text, date].contains(&x);
                (fine, "two numbers, two dates or two texts", ValueType::YesNo)
            }
            "in" => {
                let fine = match &y {
                    InferredType::List(None) => true,
                    InferredType::List(Some(element)) => {
                        element.comparison_class() == x || x == InferredType::Null
                    }
                    _ => false,
                };
                (fine, "a value and a list of its type", ValueType::YesNo)
            }
            _ => return self.unsupported(node, &format!("`{operator}`")),
        };
        if fine {
            return self.check_product(node, operator, a, b).then_some(InferredType::Is(gives));
        }
        let found = match &right {
            InferredType::List(Some(element)) => format!("{left} and a list of {element}"),
            _ => format!("{left} and {right}"),
        };
        let (p, q) = (self.text(a), self.text(b));
        let help = match operator {
            "+" if x.is(ValueType::Date) && y.is(ValueType::Duration) => {
                Some(format!("use {p}.plus({q})"))
            }
            "+" if x.is(ValueType::Duration) && y.is(ValueType::Date) => {
                Some(format!("use {q}.plus({p})"))
            }
            "-" if x.is(ValueType::Date) && y.is(ValueType::Duration) => {
                Some(format!("use {p}.minus({q})"))
            }
            "-" if x.is(ValueType::Date) && y.is(ValueType::Date) => {
                Some(format!("use days_between({q}, {p}) for the days from {q} to {p}"))
            }
            "==" | "!=" | "<" | "<=" | ">" | ">=" => quoted_literal_help(&x, a, &y, b),
            _ => None,
        };
        let help = help.or_else(|| {
            let ordered = !matches!(operator, "==" | "!=" | "in");
            (ordered && x.is(ValueType::Duration) && y.is(ValueType::Duration)).then(|| {
                "a month has no fixed number of days: add both to a date and compare the dates"
                    .to_owned()
            })
        });
        let message = format!("`{operator}` takes {takes}; here it finds {found}");
        self.fault("type-error", node, message, format!("{found} cannot be combined"), help);
        None
    }

    /// Whether an operation is not the product of two amounts of money, which is reported. Not inlined, for the reason
    /// given at [`Self::record_equality`].
    #[inline(never)]
    fn check_product(
        &mut self,
        node: &IdedExpr,
        operator: &str,
        a: &IdedExpr,
        b: &IdedExpr,
    ) -> bool {
        let product = operator == "*" && is_amount(a, self.scope) && is_amount(b, self.scope);
        if product {
            let message = "`*` takes one amount of money at most; here it finds two".to_owned();
            let label = "money times money is not money".to_owned();
            self.fault("type-error", node, message, label, None);
        }
        !product
    }

    /// Moves the names collected since `from` out of the result, because a comparison gives a yes/no. Not inlined, for
    /// the reason given at [`Self::record_equality`].
    #[inline(never)]
    fn record_comparison(&mut self, from: usize) {
        let compared: Vec<String> = self.amounts.result.drain(from..).collect();
        if !compared.is_empty() {
            self.amounts.compared.push(compared);
        }
    }

    /// Records an equality test of two amounts, which compares their currencies too, and drops the names collected
    /// since `amounts`. Not inlined, to keep the stack frames of the recursive [`TypeChecker::infer`] small.
    #[inline(never)]
    fn record_equality(
        &mut self,
        node: &IdedExpr,
        (a, left): (&IdedExpr, Option<&InferredType>),
        (b, right): (&IdedExpr, Option<&InferredType>),
        amounts: usize,
    ) {
        let (left_money, right_money) = (is_money_name(a, left), is_money_name(b, right));
        if left_money && right_money {
            self.same_money.push(node.id);
            self.amounts.result.truncate(amounts);
        } else if left_money && matches!(right, Some(InferredType::Null))
            || matches!(left, Some(InferredType::Null)) && right_money
        {
            self.amounts.result.truncate(amounts);
        }
    }
}

fn is_money_name(node: &IdedExpr, ty: Option<&InferredType>) -> bool {
    ty == Some(&InferredType::Is(ValueType::Money))
        && matches!(node.expr, Node::Ident(_) | Node::Select(_))
}

/// Suggests the missing conversion of a text literal: `task.day == "2024-01-31"` lacks `date(...)`.
fn quoted_literal_help(
    x: &InferredType,
    a: &IdedExpr,
    y: &InferredType,
    b: &IdedExpr,
) -> Option<String> {
    let (other, node) = match (x, y) {
        (other, InferredType::Is(ValueType::Text)) => (other, b),
        (InferredType::Is(ValueType::Text), other) => (other, a),
        _ => return None,
    };
    let Node::Literal(LiteralValue::String(text)) = &node.expr else {
        return None;
    };
    let text = text.inner();
    match other {
        InferredType::Is(ValueType::Date) => Some(format!("a date is written date(\"{text}\")")),
        InferredType::Is(ValueType::Duration) => {
            Some(format!("a duration is written duration(\"{text}\")"))
        }
        InferredType::Is(ValueType::Number) => {
            text.parse::<f64>().ok().map(|n| format!("a number is written without quotes: {n}"))
        }
        InferredType::Is(ValueType::YesNo) => {
            Some("yes_no is written true or false, without quotes".to_owned())
        }
        _ => None,
    }
}
