//! The functions that an expression may call: their signatures, and the implementations that CEL lacks.
//!
//! A date is CEL's timestamp at midnight UTC. A calendar period has no counterpart in CEL, whose durations are counts
//! of seconds, so it is a value type of its own.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use cel::common::types::{
    CelDouble, CelString, CelTimestamp, STRING_TYPE, TIMESTAMP_TYPE, Type as CelType,
};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime};

use crate::value::{CalendarPeriod, TypedValue, ValueType};

/// The interpreter's name for our `duration(...)`, because its own `duration` counts seconds.
pub(super) const PERIOD: &str = "period_of";

/// The environment in which all expressions are compiled and evaluated.
pub(super) static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    declare(&mut env).expect("each function is declared once");
    Arc::new(env)
});

/// One overload of a function.
pub(super) struct FunctionSignature {
    pub name: &'static str,
    /// The receiver's type, for calls of the form `x.name(...)`.
    pub receiver: Option<ValueType>,
    pub parameters: &'static [ValueType],
    pub returns: ValueType,
    /// CEL returns an integer where we have only `number`.
    pub returns_integer: bool,
}

const fn method(
    target: ValueType,
    name: &'static str,
    takes: &'static [ValueType],
    gives: ValueType,
) -> FunctionSignature {
    FunctionSignature {
        name,
        receiver: Some(target),
        parameters: takes,
        returns: gives,
        returns_integer: matches!(gives, ValueType::Number),
    }
}

const fn function(
    name: &'static str,
    takes: &'static [ValueType],
    gives: ValueType,
    whole: bool,
) -> FunctionSignature {
    FunctionSignature {
        name,
        receiver: None,
        parameters: takes,
        returns: gives,
        returns_integer: whole,
    }
}

/// All overloads that an expression may call.
pub(super) const SIGNATURES: &[FunctionSignature] = &[
    function("date", &[ValueType::Text], ValueType::Date, false),
    function("duration", &[ValueType::Text], ValueType::Duration, false),
    function("days_between", &[ValueType::Date, ValueType::Date], ValueType::Number, false),
    function("size", &[ValueType::Text], ValueType::Number, true),
    method(ValueType::Date, "plus", &[ValueType::Duration], ValueType::Date),
    method(ValueType::Date, "minus", &[ValueType::Duration], ValueType::Date),
    method(ValueType::Date, "getFullYear", &[], ValueType::Number),
    method(ValueType::Date, "getMonth", &[], ValueType::Number),
    method(ValueType::Date, "getDate", &[], ValueType::Number),
    method(ValueType::Date, "getDayOfWeek", &[], ValueType::Number),
    method(ValueType::Date, "getDayOfYear", &[], ValueType::Number),
    method(ValueType::Text, "size", &[], ValueType::Number),
    method(ValueType::Text, "contains", &[ValueType::Text], ValueType::YesNo),
    method(ValueType::Text, "startsWith", &[ValueType::Text], ValueType::YesNo),
    method(ValueType::Text, "endsWith", &[ValueType::Text], ValueType::YesNo),
    method(ValueType::Text, "matches", &[ValueType::Text], ValueType::YesNo),
    method(ValueType::Text, "lowerAscii", &[], ValueType::Text),
    method(ValueType::Text, "upperAscii", &[], ValueType::Text),
    method(ValueType::Text, "trim", &[], ValueType::Text),
];

/// A calendar period as a value of the interpreter.
#[derive(Clone, Copy, Debug)]
pub(super) struct CelPeriod(pub CalendarPeriod);

static PERIOD_TYPE: CelType = CelType::new_unspecified_type("period");

impl Val for CelPeriod {
    fn get_type(&self) -> &CelType {
        &PERIOD_TYPE
    }

    fn cel_type() -> &'static CelType {
        &PERIOD_TYPE
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<CelPeriod>().is_some_and(|other| self.0 == other.0)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(*self)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for CelPeriod {}

fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    cel::extensions::strings(env)?;
    env.add_type(PERIOD_TYPE.to_owned())?;
    env.add_overload("date", "date(string)", vec![STRING_TYPE], |args| {
        match TypedValue::parse(ValueType::Date, text(&args, 0)?) {
            Ok(TypedValue::Date(date)) => Ok(CowVal::owned(CelTimestamp::from(midnight(date)))),
            Ok(_) => Err(wrong_argument("date")),
            Err(error) => Err(ExecutionError::function_error("date", error)),
        }
    })?;
    env.add_overload(
        PERIOD,
        "period_of(string)",
        vec![STRING_TYPE],
        |args| match TypedValue::parse(ValueType::Duration, text(&args, 0)?) {
            Ok(TypedValue::Duration(period)) => Ok(CowVal::owned(CelPeriod(period))),
            Ok(_) => Err(wrong_argument("duration")),
            Err(error) => Err(ExecutionError::function_error("duration", error)),
        },
    )?;
    let two_dates = vec![TIMESTAMP_TYPE, TIMESTAMP_TYPE];
    env.add_overload("days_between", "days_between(date,date)", two_dates, |args| {
        let days = (date(&args, 1)? - date(&args, 0)?).num_days();
        Ok(CowVal::owned(CelDouble::from(days as f64)))
    })?;
    env.add_member_overload(
        "plus",
        "date.plus(period)",
        TIMESTAMP_TYPE,
        vec![PERIOD_TYPE.to_owned()],
        |args| {
            shift_date(
                "plus",
                date(&args, 0)?,
                argument::<CelPeriod>(&args, 1)?.0,
                CalendarPeriod::after,
            )
        },
    )?;
    env.add_member_overload(
        "minus",
        "date.minus(period)",
        TIMESTAMP_TYPE,
        vec![PERIOD_TYPE.to_owned()],
        |args| {
            shift_date(
                "minus",
                date(&args, 0)?,
                argument::<CelPeriod>(&args, 1)?.0,
                CalendarPeriod::before,
            )
        },
    )
}

/// A date as the interpreter represents it.
pub(super) fn midnight(date: NaiveDate) -> DateTime<FixedOffset> {
    date.and_time(NaiveTime::MIN).and_utc().fixed_offset()
}

fn shift_date<'b, 'v>(
    name: &str,
    date: NaiveDate,
    period: CalendarPeriod,
    shift: fn(CalendarPeriod, NaiveDate) -> Option<NaiveDate>,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let shifted = shift(period, date).ok_or_else(|| {
        ExecutionError::function_error(name, format!("{date} and {period} leave the calendar"))
    })?;
    Ok(CowVal::owned(CelTimestamp::from(midnight(shifted))))
}

fn argument<'b, T: StaticVal>(
    args: &'b [CowVal<'b, '_>],
    index: usize,
) -> Result<&'b T, ExecutionError> {
    args.get(index).and_then(|v| v.downcast_ref::<T>()).ok_or_else(|| wrong_argument("function"))
}

fn text<'b>(args: &'b [CowVal<'b, '_>], index: usize) -> Result<&'b str, ExecutionError> {
    args.get(index)
        .and_then(|v| v.downcast_ref::<CelString>())
        .map(|s| s.inner())
        .ok_or_else(|| wrong_argument("function"))
}

fn date(args: &[CowVal<'_, '_>], index: usize) -> Result<NaiveDate, ExecutionError> {
    args.get(index)
        .and_then(|v| v.downcast_ref::<CelTimestamp>())
        .map(|t| t.inner().date_naive())
        .ok_or_else(|| wrong_argument("function"))
}

fn wrong_argument(name: &str) -> ExecutionError {
    ExecutionError::function_error(name, "an argument has the wrong type")
}
