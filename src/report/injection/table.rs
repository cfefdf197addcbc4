//! The effects of injected errors as text for the terminal.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use crate::cascade::inject::{
    InjectedErrorRecord, InjectionEffect, InjectionReport, LikeliestItem,
};
use crate::step::RunOutcome;

/// A table with one row per error; a single error is shown in detail.
pub fn text(record: &InjectionReport) -> String {
    let blocks = match record.injections.as_slice() {
        [single] => detail(record, single),
        many => overview(record, many),
    };
    blocks.join("\n")
}

fn overview(record: &InjectionReport, injections: &[InjectedErrorRecord]) -> Vec<String> {
    let mut table = markdown_table(&[
        "step",
        "kind",
        "tasks",
        "failure",
        "likeliest failure",
        "absorbed",
        "depth",
        "breadth",
        "stops most",
        "absorbs most",
    ]);
    let mut nowhere = Vec::new();
    for injection in injections {
        let Some(effect) = &injection.effect else {
            let why = no_effect_reasons(injection);
            // An error without effect has no figures: it is listed below the table with its reasons.
            nowhere.push(format!("  {} {}: {why}", injection.step, injection.kind));
            continue;
        };
        table.add_row([
            injection.step.clone(),
            injection.kind.to_owned(),
            injection.tasks.to_string(),
            percent(effect.failure),
            named_entry(&effect.likeliest_failure),
            percent(effect.absorbed),
            format!("{:.2}", effect.depth.mean),
            format!("{:.2}", effect.breadth.mean),
            named_entry(&effect.flags_most),
            named_entry(&effect.absorbs_most),
        ]);
    }
    align_right(&mut table, &[2, 3, 5, 6, 7]);
    let mut blocks = vec![format!(
        "{}, arm {}: one error in otherwise clean runs of {} tasks",
        record.scenario, record.arm, record.tasks
    )];
    if table.row_count() > 0 {
        blocks.push(table.to_string());
        blocks.push(LEGEND.to_owned());
        blocks.extend(sampled(injections));
    }
    if !nowhere.is_empty() {
        blocks.push("Not estimated (the error changed no task):".to_owned());
        blocks.extend(nowhere);
    }
    blocks
}

const LEGEND: &str = "\
tasks: in how many the error can happen; all else is given that it did. absorbed: the run ends correct.
depth: longest chain of wrong or missing outputs, in edges. breadth: further outputs wrong or missing, the
amplification of the error; both on average. stops most, absorbs most: the step at which most runs stop, and
the one that most often outputs the right value for a wrong input.";

fn detail(record: &InjectionReport, injection: &InjectedErrorRecord) -> Vec<String> {
    let mut blocks = vec![format!(
        "{}, arm {}: {} at {} in otherwise clean runs",
        record.scenario, record.arm, injection.kind, injection.step
    )];
    let not = no_effect_reasons(injection);
    let not = if not.is_empty() { not } else { format!("; not: {not}") };
    blocks.push(format!(
        "Took effect on {} of {} tasks ({} of the weight){not}",
        injection.tasks,
        record.tasks,
        percent(injection.share)
    ));
    let Some(effect) = &injection.effect else {
        blocks.push("Its effect cannot be estimated.".to_owned());
        return blocks;
    };
    blocks.extend(sampled(std::slice::from_ref(injection)));
    blocks.push(String::new());
    blocks.push(outcome_summary(effect));
    blocks.push(String::new());
    blocks.push(steps(effect).to_string());
    if !effect.edges.is_empty() {
        blocks.push(String::new());
        blocks.push(edges(effect).to_string());
    }
    if !effect.actions.is_empty() {
        blocks.push(String::new());
        blocks.push(actions(effect).to_string());
    }
    blocks.push(String::new());
    blocks.push(DETAIL_LEGEND.to_owned());
    blocks
}

const DETAIL_LEGEND: &str = "\
All figures are given that the error took effect. absorbs: right although an input is wrong or missing. passes on: the
output is wrong or missing, given that only this input is. of those due: among runs that should end in that action.";

/// How the runs end, and how far the error spreads (depth and breadth).
fn outcome_summary(effect: &InjectionEffect) -> String {
    // The first outcome is `Correct`.
    let failures = RunOutcome::ALL.iter().zip(effect.outcomes).skip(1).filter(|(_, p)| *p > 0.0);
    let failures: Vec<String> = failures.map(|(o, p)| named_share(o.name(), p)).collect();
    let of = if failures.is_empty() { String::new() } else { format!(": {}", failures.join(", ")) };
    let mut text = format!(
        "failure {}{of}\nabsorbed {}\ndepth {:.2} on average, {} at most; breadth (amplification) {:.2} on average, {} at most",
        percent(effect.failure),
        percent(effect.absorbed),
        effect.depth.mean,
        effect.depth.max,
        effect.breadth.mean,
        effect.breadth.max
    );
    if effect.right_there > 0.0 {
        let right = percent(effect.right_there);
        text.push_str(&format!("\nright by luck despite the error: {right}"));
    }
    text
}

fn steps(effect: &InjectionEffect) -> Table {
    let mut table = markdown_table(&[
        "step",
        "wrong",
        "missing",
        "right",
        "not reached",
        "absorbs",
        "what happens",
    ]);
    for step in &effect.steps {
        let events: Vec<String> = step.events.iter().map(|(e, p)| named_share(e, *p)).collect();
        table.add_row([
            step.step.clone(),
            percent(step.wrong),
            percent(step.missing),
            percent(step.right),
            percent(step.not_reached),
            percent(step.absorbs),
            if events.is_empty() { "-".to_owned() } else { events.join(", ") },
        ]);
    }
    align_right(&mut table, &[1, 2, 3, 4, 5]);
    table
}

fn edges(effect: &InjectionEffect) -> Table {
    let mut table = markdown_table(&["from", "to", "only input off", "passes on"]);
    for edge in &effect.edges {
        table.add_row([
            edge.parent.clone(),
            edge.child.clone(),
            percent(edge.alone),
            edge.propagation.map_or_else(|| "-".to_owned(), percent),
        ]);
    }
    align_right(&mut table, &[2, 3]);
    table
}

/// Wrong actions shown in the table; the JSON has all.
const MAX_ACTIONS: usize = 8;

fn actions(effect: &InjectionEffect) -> Table {
    let mut table = markdown_table(&["act", "due", "done instead", "share", "of those due"]);
    for action in effect.actions.iter().take(MAX_ACTIONS) {
        table.add_row([
            action.step.clone(),
            action.right.clone(),
            action.instead.clone(),
            percent(action.p),
            percent(action.p_given_right),
        ]);
    }
    align_right(&mut table, &[3, 4]);
    table
}

/// The reasons why an error took no effect, with the number of tasks for each.
fn no_effect_reasons(injection: &InjectedErrorRecord) -> String {
    // Zero tasks: the reason applies to some runs of tasks on which the error does take effect in others.
    let reasons = injection.not.iter().map(|not| match not.tasks {
        0 => format!("{} in some of its runs", not.why.name()),
        tasks => format!("{} {tasks}", not.why.name()),
    });
    reasons.collect::<Vec<_>>().join(", ")
}

fn sampled(injections: &[InjectedErrorRecord]) -> Option<String> {
    let sampled = injections.iter().map(|i| i.sampled).max().filter(|n| *n > 0)?;
    Some(format!("Sampled instead of computed exactly in up to {sampled} of these tasks."))
}

fn markdown_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.force_no_tty();
    table.set_header(header.iter().map(Cell::new));
    table
}

fn align_right(table: &mut Table, columns: &[usize]) {
    for &column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn percent(p: f64) -> String {
    format!("{:.1}%", 100.0 * p)
}

fn named_share(name: &str, p: f64) -> String {
    format!("{name} {}", percent(p))
}

fn named_entry(entry: &Option<LikeliestItem>) -> String {
    entry.as_ref().map_or_else(|| "-".to_owned(), |most| named_share(&most.name, most.p))
}
