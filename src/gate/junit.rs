//! Writes the results of the gate as JUnit XML for build servers.

use std::fmt::Write;

use super::render::cells;
use super::{GateCheck, GateCriterion, GateVerdict};

/// Marks a file as written by a gate, which a later gate may overwrite.
pub const JUNIT_MARK: &str = "<testsuite name=\"knockon gate ";

/// One test case per check. A check that could not be assessed is an error, one that does not pass a failure.
pub fn junit(scenario: &str, checks: &[GateCheck], demand: GateCriterion) -> String {
    let errors = checks.iter().filter(|check| is_not_assessed(check)).count();
    let failures = checks.iter().filter(|check| !check.passes(demand)).count() - errors;
    let mut cases = String::new();
    for check in checks {
        let name = escape_xml(&format!("{} against {}", check.measure.name(), check.against));
        let class = escape_xml(&check.arm);
        let cells = cells(check, demand);
        let filled = cells[3..].iter().filter(|cell| !cell.is_empty());
        let found = escape_xml(&filled.map(String::as_str).collect::<Vec<_>>().join("; "));
        let result = match (check.passes(demand), is_not_assessed(check)) {
            (true, _) => format!("<system-out>{found}</system-out>"),
            (false, true) => format!("<error message=\"{found}\"/>"),
            (false, false) => format!("<failure message=\"{found}\"/>"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            cases,
            "    <testcase classname=\"{class}\" name=\"{name}\">{result}</testcase>"
        );
    }
    suite(scenario, checks.len(), failures, errors, &cases)
}

fn is_not_assessed(check: &GateCheck) -> bool {
    matches!(check.verdict, GateVerdict::NotAssessed(_))
}

/// A report with a single error, if the runs could not be compared; `why` lists the reasons.
pub fn junit_error(scenario: &str, why: &[String]) -> String {
    let why = escape_xml(&why.join("\n"));
    let case = format!(
        "    <testcase classname=\"gate\" name=\"the runs can be compared\"><error message=\"{why}\"/></testcase>\n"
    );
    suite(scenario, 1, 0, 1, &case)
}

fn suite(scenario: &str, tests: usize, failures: usize, errors: usize, cases: &str) -> String {
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    let name = escape_xml(&format!("knockon gate {scenario}"));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"{name}\" {counts}>\n\
         {cases}  </testsuite>\n</testsuites>\n"
    )
}

/// Escapes text for an XML attribute or element.
fn escape_xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // XML parsers normalise these to spaces in attributes unless they are escaped.
            '\n' | '\t' | '\r' => {
                let _ = write!(safe, "&#{};", u32::from(c));
            }
            c if is_xml_char(c) => safe.push(c),
            _ => safe.push(char::REPLACEMENT_CHARACTER),
        }
    }
    safe
}

/// Whether XML 1.0 allows the character, escaped or not (production 2, `Char`).
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_characters_of_xml_are_written() {
        let all =
            "a\u{0}b\u{b}c\u{1b}[31m\u{fffe}\u{ffff}\u{fffd}\u{7f}\u{85}\u{10ffff}]]>&\"'<\n\t\r";
        assert_eq!(
            escape_xml(all),
            "a\u{fffd}b\u{fffd}c\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}\u{7f}\u{85}\u{10ffff}]]&gt;&amp;&quot;'&lt;&#10;&#9;&#13;"
        );
    }
}
