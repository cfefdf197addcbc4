//! What the gate found, for a terminal, a pull request (Markdown) and a build server (JUnit XML).

use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{Check, Finding, Measure, Verdict};

/// By these a file is known as written by an earlier gate, which the next one replaces.
pub const JUNIT_MARK: &str = "<testsuite name=\"knockon gate ";
/// See [`JUNIT_MARK`].
pub const MARKDOWN_MARK: &str = "### knockon gate, ";

const HEADER: [&str; 8] =
    ["arm", "against", "measure", "before", "now", "difference (95%)", "allowed", "verdict"];

fn cells(check: &Check, strict: bool) -> [String; 8] {
    let name = check.measure.name().to_owned();
    let first = [check.arm.clone(), check.against.clone(), name];
    let [arm, against, measure] = first;
    match &check.verdict {
        Verdict::Assessed { before, now, difference, allowed, finding, .. } => {
            let value = |v: f64| match check.measure {
                Measure::Failure => format!("{:.1}%", 100.0 * v),
                Measure::Loss => format!("{v:.2}"),
            };
            let signed = |v: f64| match check.measure {
                Measure::Failure => format!("{:+.1} pp", 100.0 * v),
                Measure::Loss => format!("{v:+.2}"),
            };
            let between = format!(
                "{} ({} to {})",
                signed(difference.estimate),
                signed(difference.low),
                signed(difference.high)
            );
            let verdict = match finding {
                Finding::Fine => "passed",
                Finding::Unclear if strict => "FAILED: above, though not significantly",
                Finding::Unclear => "passed: above, but not significantly",
                Finding::Worse => "FAILED",
            };
            [
                arm,
                against,
                measure,
                value(*before),
                value(*now),
                between,
                signed(*allowed),
                verdict.to_owned(),
            ]
        }
        Verdict::Unknown(why) => {
            let nothing = String::new;
            [
                arm,
                against,
                measure,
                nothing(),
                nothing(),
                nothing(),
                nothing(),
                format!("FAILED: {why}"),
            ]
        }
    }
}

/// A table that lines up; it is Markdown as well.
pub fn table(checks: &[Check], strict: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.force_no_tty();
    table.set_header(HEADER);
    for check in checks {
        table.add_row(cells(check, strict).map(|cell| cell.replace('|', "\\|")));
    }
    for column in 3..7 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// A summary for a pull request.
pub fn markdown(scenario: &str, checks: &[Check], changed: &[String], strict: bool) -> String {
    let failed = checks.iter().filter(|check| !check.passes(strict)).count();
    let verdict = match failed {
        0 => "passed".to_owned(),
        _ => format!("failed, {failed} of {} checks", checks.len()),
    };
    let changed = match changed {
        [] => "No embedder has changed.".to_owned(),
        changed => format!("Embedders that have changed: {}.", changed.join(", ")),
    };
    format!(
        "### knockon gate, {scenario}: {verdict}\n\n{changed}\n\n{}\n\n\
         A check fails where the difference on the same tasks is above what is allowed and significant (sign \
         flips of whole units, p < .05), or cannot be told.\n",
        table(checks, strict)
    )
}

/// JUnit XML: one case a check.
pub fn junit(scenario: &str, checks: &[Check], strict: bool) -> String {
    let failed = checks.iter().filter(|check| !check.passes(strict)).count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let suite = escaped(&format!("knockon gate {scenario}"));
    let count = checks.len();
    // Writing to a string cannot fail.
    let _ = writeln!(xml, "<testsuites tests=\"{count}\" failures=\"{failed}\">");
    let _ = writeln!(xml, "  <testsuite name=\"{suite}\" tests=\"{count}\" failures=\"{failed}\">");
    for check in checks {
        let name = escaped(&format!("{} against {}", check.measure.name(), check.against));
        let class = escaped(&check.arm);
        let told = escaped(&cells(check, strict)[3..].join("; "));
        let _ = write!(xml, "    <testcase classname=\"{class}\" name=\"{name}\">");
        let _ = match check.passes(strict) {
            true => write!(xml, "<system-out>{told}</system-out>"),
            false => write!(xml, "<failure message=\"{told}\"/>"),
        };
        xml.push_str("</testcase>\n");
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // XML 1.0 has no other control characters.
            c if c.is_control() && !matches!(c, '\n' | '\t') => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
