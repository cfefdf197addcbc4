//! The shortest notice of a window such as `at least 120 days, but not more than 180 days, prior to the end`: it is
//! the notice period, and the other end only says how early the notice may come.

use std::sync::LazyLock;

use regex::Regex;

use super::duration;
use crate::value::TypedValue;

const AT_LEAST: &str =
    r"(?:at\s+least|(?:not|no)\s+(?:less|fewer|later)\s+than|(?:a\s+)?minimum\s+of)";
const AT_MOST: &str = r"(?:at\s+most|(?:not|no)\s+(?:more|greater|earlier|sooner)\s+than|(?:a\s+)?maximum\s+of|up\s+to)";

/// The bound before the first period.
static FIRST_BOUND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(r"(?i)\b(?:(?<least>{AT_LEAST})|{AT_MOST})\s+$"))
        .expect("the pattern is valid")
});

/// The words between the two periods.
static SECOND_BOUND: LazyLock<Regex> = LazyLock::new(|| {
    let more = "(?:more|greater|earlier|sooner)\\s+than";
    let pattern =
        format!(r"(?i)'?\s*,?\s*(?:but|and|nor|or)\s+(?:(?<least>{AT_LEAST})|{AT_MOST}|{more})\s+");
    Regex::new(&pattern).expect("the pattern is valid")
});

/// The shorter end of the window that is written as `window` after `before`; `None` if that is not a window.
pub(super) fn shortest(before: &str, window: &str) -> Option<TypedValue> {
    let first = FIRST_BOUND.captures(before)?.name("least").is_some();
    let between = SECOND_BOUND.captures(window)?;
    let second = between.name("least").is_some();
    let whole = between.get(0)?;
    let written = match (first, second) {
        (true, false) => &window[..whole.start()],
        (false, true) => &window[whole.end()..],
        _ => return None,
    };
    match duration::mentions(written).as_slice() {
        [one] => one.value.clone(),
        _ => None,
    }
}
