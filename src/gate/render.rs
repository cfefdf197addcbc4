//! Formats the results of the gate: a table for the terminal, and Markdown for a pull request.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{
    GateCheck, GateCriterion, GateFinding, GateMeasure, GateSettings, GateVerdict, least_units,
};

/// Marks a file as written by a gate, which a later gate may overwrite.
pub const MARKDOWN_MARK: &str = "### knockon gate, ";

const HEADER: [&str; 9] =
    ["arm", "against", "measure", "before", "now", "difference (95%)", "allowed", "p", "verdict"];

impl GateMeasure {
    /// Formats a value of the measure.
    pub(super) fn format_value(self, value: f64) -> String {
        match self {
            GateMeasure::Loss => format!("{value:.2}"),
            _ => format!("{:.1}%", 100.0 * value),
        }
    }

    /// Formats a difference, with a sign.
    fn format_difference(self, value: f64) -> String {
        match self {
            GateMeasure::Loss => format!("{value:+.2}"),
            _ => format!("{:+.1} pp", 100.0 * value),
        }
    }
}

/// The cells of a check, in the order of [`HEADER`].
pub(super) fn cells(check: &GateCheck, demand: GateCriterion) -> [String; HEADER.len()] {
    let GateCheck { arm, against, measure, verdict } = check;
    let mut row: [String; HEADER.len()] = Default::default();
    [row[0], row[1], row[2]] = [arm.clone(), against.clone(), measure.name().to_owned()];
    match verdict {
        GateVerdict::Assessed { before, now, difference, limit } => {
            row[3] = measure.format_value(*before);
            row[4] = measure.format_value(*now);
            let estimate = measure.format_difference(difference.estimate);
            // Exactly zero throughout means that no task differs.
            row[5] = if [difference.estimate, difference.low, difference.high] == [0.0; 3] {
                format!("{estimate} (identical)")
            } else if difference.is_bounded() {
                let low = measure.format_difference(difference.low);
                format!("{estimate} ({low} to {})", measure.format_difference(difference.high))
            } else {
                format!("{estimate} (too few units)")
            };
            match limit {
                None => row[8] = "shown: no limit".to_owned(),
                Some(limit) => {
                    row[6] = measure.format_difference(limit.allowed);
                    row[7] = p_cell(match demand {
                        GateCriterion::NonInferior => limit.p_no_worse,
                        GateCriterion::NotWorse | GateCriterion::NotAbove => limit.p_worse,
                    });
                    row[8] = verdict_text(limit.finding, check.passes(demand));
                }
            }
        }
        GateVerdict::NotAssessed(why) => row[8] = format!("FAILED, cannot be assessed: {why}"),
    }
    row
}

/// The p-value of what the criterion tests, see [`legend`]. Sampled p-values have no more than four digits.
fn p_cell(p: f64) -> String {
    if p < 5e-5 { "<.0001".to_owned() } else { format!("{p:.4}") }
}

/// How many checks have a limit, or could not be assessed: the others only show a difference.
pub fn count_limited(checks: &[GateCheck]) -> usize {
    let shown_only =
        |verdict: &GateVerdict| matches!(verdict, GateVerdict::Assessed { limit: None, .. });
    checks.iter().filter(|check| !shown_only(&check.verdict)).count()
}

fn verdict_text(finding: GateFinding, passes: bool) -> String {
    let verdict = match (finding, passes) {
        (GateFinding::NonInferior, _) => "passed: no worse than allowed",
        (GateFinding::Identical { units, .. }, true) => {
            return format!("passed: identical, no difference on any of {units} units");
        }
        (GateFinding::Identical { units, needed }, false) => {
            let needed = match needed {
                Some(needed) => format!("{needed} would show that it is no worse than allowed"),
                None => "no number of units would show that nothing is worse".to_owned(),
            };
            return format!("FAILED: identical, no difference on any of {units} units; {needed}");
        }
        (GateFinding::BelowUncertain, true) => "passed: not above",
        (GateFinding::BelowUncertain, false) => "FAILED: not shown to be below",
        (GateFinding::AboveUncertain, true) => "passed: above, which may be due to chance",
        (GateFinding::AboveUncertain, false) => "FAILED: above, which may be due to chance",
        (GateFinding::Worse, _) => "FAILED: worse than allowed",
    };
    verdict.to_owned()
}

/// The table for the terminal.
pub fn table(checks: &[GateCheck], demand: GateCriterion) -> String {
    render_table(checks, demand, &|cell| {
        // Names come from files, and a terminal would execute their control characters.
        cell.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
    })
}

fn render_table(
    checks: &[GateCheck],
    demand: GateCriterion,
    safe: &dyn Fn(&str) -> String,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.force_no_tty();
    table.set_header(HEADER);
    for check in checks {
        table.add_row(cells(check, demand).map(|cell| safe(&cell)));
    }
    for column in 3..8 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// The Markdown summary; `changed` are the embedders that differ from the earlier run.
pub fn markdown(
    scenario: &str,
    checks: &[GateCheck],
    changed: &[String],
    settings: &GateSettings,
) -> String {
    let demand = settings.criterion;
    let failed = checks.iter().filter(|check| !check.passes(demand)).count();
    let verdict = match failed {
        0 => "passed".to_owned(),
        _ => format!("failed, {failed} of {} checks", count_limited(checks)),
    };
    let changed = match changed {
        [] => "No embedder has changed.".to_owned(),
        changed => {
            format!("Embedders that have changed: {}.", escape_markdown(&changed.join(", ")))
        }
    };
    format!(
        "### knockon gate, {}: {verdict}\n\n{changed}\n\n{}\n\n{}\n",
        escape_markdown(scenario),
        render_table(checks, demand, &escape_markdown),
        legend(settings)
    )
}

/// The Markdown summary if the runs could not be compared; `why` lists the reasons.
pub fn markdown_error(scenario: &str, why: &[String]) -> String {
    let lines: Vec<String> = why.iter().map(|why| format!("- {}", escape_markdown(why))).collect();
    let name = escape_markdown(scenario);
    format!(
        "### knockon gate, {name}: failed, the runs were not compared\n\n{}\n",
        lines.join("\n")
    )
}

/// Explains when a check fails, and which p-value is shown.
pub fn legend(settings: &GateSettings) -> String {
    let demand = settings.criterion;
    let fails = match demand {
        GateCriterion::NotWorse => {
            "A check fails where the difference on the same tasks is shown to be worse than allowed (its 95% interval\n\
             lies above: one-sided p below .025, paired and tested over whole units against what is allowed), or cannot be assessed."
        }
        GateCriterion::NotAbove => {
            "A check fails where the difference on the same tasks is above what is allowed, by chance or not (--strict),\n\
             or cannot be assessed."
        }
        GateCriterion::NonInferior => {
            "A check passes only where the difference on the same tasks is shown to be no worse than allowed: its 95%\n\
             interval lies below (--non-inferior)."
        }
    };
    let p = match demand {
        GateCriterion::NonInferior => "that the difference is at least what is allowed",
        GateCriterion::NotWorse | GateCriterion::NotAbove => {
            "that the difference is at most what is allowed"
        }
    };
    let least = least_units();
    let unless = match demand {
        GateCriterion::NonInferior => "\nwhere so many units would have shown one that is worse",
        _ => "",
    };
    let stops = match settings.stop_weight {
        1.0 => "Failures are these and stops.".to_owned(),
        weight => format!(
            "Failures are these and stops, a stop counted as {weight} of a failure (--stop-weight)."
        ),
    };
    format!(
        "{fails}\n\
         p: one-sided, of the hypothesis {p}. Each check is tested by itself, at .025: with\n\
         many checks one may fail by chance.\n\
         With fewer than about 40 units a check says little, whatever its verdict: units that differ may not be among\n\
         them. With fewer than 20, the range beside a difference contains the values that the test does not reject; its\n\
         coverage is not 95%.\n\
         \"Identical\": no unit differs. There is no interval then, and from {least} units on the check passes{unless}.\n\
         Wrong or missed: failures that are not flagged. {stops} Loss per case: without running costs,\n\
         every assumption at its stated value in both runs."
    )
}

/// Escapes text so that Markdown shows it literally, on one line and in one table cell.
fn escape_markdown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' => safe.extend(['\\', c]),
            // A line break would end the table row.
            '\n' | '\r' | '\t' => safe.push(' '),
            c if c.is_control() => safe.push(char::REPLACEMENT_CHARACTER),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::AllowedIncrease;

    #[test]
    fn a_cell_of_markdown_stays_one_cell_and_plain_text() {
        let arm = "a|b\n<script>`*[x](y)*`\u{1b}".to_owned();
        let verdict = GateVerdict::NotAssessed("why".to_owned());
        let check =
            GateCheck { arm, against: String::new(), measure: GateMeasure::Failure, verdict };
        let settings = GateSettings {
            allowed: AllowedIncrease { failure: 0.0, silent: 0.0, stopped: None, loss: None },
            criterion: GateCriterion::NotWorse,
            stop_weight: 1.0,
        };
        let page = markdown("s", std::slice::from_ref(&check), &[], &settings);
        let row = page.lines().find(|line| line.contains("failure_rate")).unwrap();
        assert!(row.contains(r"a\|b &lt;script&gt;\`\*\[x\](y)\*\`"), "{row}");
        assert_eq!(row.replace(r"\|", "").matches('|').count(), HEADER.len() + 1, "{row}");
        assert!(
            !page.contains(['\u{1b}', '<'])
                && !table(&[check], GateCriterion::NotWorse).contains('\u{1b}')
        );
    }
}
