//! The table that a run ends with.

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use crate::run::Record;
use crate::step::Outcome;

fn percent(p: f64) -> String {
    format!("{:.1}%", 100.0 * p)
}

/// Arms by failure rate, best first; `colour` marks the best and the worst.
pub fn table(record: &Record, colour: bool) -> String {
    let mut arms: Vec<usize> = (0..record.arms.len()).collect();
    let failure = |at: usize| record.arms[at].summary.failure.estimate;
    arms.sort_by(|&a, &b| failure(a).total_cmp(&failure(b)).then(a.cmp(&b)));
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    if colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header([
        "arm",
        "failure",
        "95% interval",
        "vs baseline",
        "wrong",
        "omitted",
        "unasked",
        "stopped",
        "silent",
        "recall@k",
        "nDCG@10",
        "worst step",
        "commonest miss",
    ]);
    for &at in &arms {
        let arm = &record.arms[at];
        let s = &arm.summary;
        let share = |outcome: Outcome| percent(s.outcomes[outcome as usize]);
        let mut rate = Cell::new(percent(s.failure.estimate));
        if colour && arms.len() > 1 {
            if at == arms[0] {
                rate = rate.fg(Color::Green);
            } else if Some(&at) == arms.last() {
                rate = rate.fg(Color::Red);
            }
        }
        let against = match (&s.difference, record.baseline) {
            (Some(d), _) => {
                let clear = if d.p_holm < 0.05 { " *" } else { "" };
                format!("{:+.1} pp{clear}", 100.0 * d.interval.estimate)
            }
            (None, Some(base)) if base == at => "baseline".to_owned(),
            _ => "-".to_owned(),
        };
        let quality = |of: fn(&crate::run::record::Quality) -> f64| {
            s.quality.as_ref().map_or_else(|| "-".to_owned(), |q| format!("{:.3}", of(q)))
        };
        table.add_row(vec![
            Cell::new(&arm.id),
            rate,
            Cell::new(format!("{:.1}-{:.1}%", 100.0 * s.failure.low, 100.0 * s.failure.high)),
            Cell::new(against),
            Cell::new(share(Outcome::WrongAction)),
            Cell::new(share(Outcome::Omission)),
            Cell::new(share(Outcome::Commission)),
            Cell::new(share(Outcome::Stopped)),
            Cell::new(s.silent_share.map_or_else(|| "-".to_owned(), percent)),
            Cell::new(quality(|q| q.recall_at_k)),
            Cell::new(quality(|q| q.ndcg_at_10)),
            Cell::new(s.worst_step.as_ref().map_or("-", |(step, _)| step.as_str())),
            Cell::new(s.commonest_miss.map_or("-", |(kind, _)| kind.name())),
        ]);
    }
    for column in 1..11 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// What the table's columns mean, and on what the figures rest.
pub fn legend(record: &Record) -> String {
    let Some(first) = record.arms.first() else {
        return String::new();
    };
    let units = match &record.unit {
        Some(unit) => format!("{} distinct values of '{unit}'", record.units),
        None => format!("{} tasks", record.units),
    };
    let exact = record.arms.iter().map(|a| a.summary.exact_tasks).sum::<usize>();
    let all = record.arms.iter().map(|a| a.summary.tasks).sum::<usize>();
    let solved = if exact == all {
        "all solved exactly".to_owned()
    } else {
        format!("{exact} of {all} task runs solved exactly, the rest sampled")
    };
    format!(
        "{} tasks an arm; intervals clustered on {units}; {solved}.\n\
         wrong: acted otherwise than the oracle. omitted: held where it acts. unasked: acted where it holds\n\
         (commission). stopped: for want of an input. They add up to the failure rate.\n\
         silent: share of failures that nothing flagged. worst step: where most failures had a miss.\n\
         *: differs from the baseline (p < .05 after Holm's correction).",
        first.summary.tasks
    )
}
