//! Expressions: CEL over a task, a passage and the outputs of earlier steps.
//!
//! The language is that of the `cel` crate, with our types: an expression is parsed and type-checked
//! once, and then run by that crate's interpreter. What differs from plain CEL:
//!
//! - there is one kind of number; money counts as its amount (the currency is dropped) and percent as
//!   its percent points. An expression that only names a value is that value, with its type;
//! - `date("2024-01-31")` and `duration("60 days")` write a date and a calendar period;
//!   `d.plus(p)`, `d.minus(p)` and `days_between(a, b)` compute with them;
//! - a value that is not there is null: it can be compared with `null`, and anything else done with
//!   it is an [`EvalError`];
//! - maps, indices and the macros over lists are left out.

mod check;
mod eval;
mod functions;
mod gold;
mod lower;
mod parse;
mod template;

pub use check::{Name, PASSAGE_FIELDS, Scope};
pub use eval::{Env, EvalError, Expr};
pub use gold::{CorpusIndex, GoldRule};
pub use parse::{Fault, Parsed};
pub use template::{ParsedTemplate, Template};
