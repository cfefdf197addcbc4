//! Prints the results of a run as tables: outcomes here; money, guards, ranks, sensitivity and calibration in the submodules.
//! Nothing is computed here: every number is a field of the record, and this folder only sorts and formats.

pub mod calibration;
pub mod guards;
pub mod money;
pub mod ranks;
pub mod sensitivity;

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use crate::report::reader_sentences::reader_sentences;
use crate::report::uncertainty;
use crate::run::RunRecord;
use crate::run::record::ArmRecord;
use crate::step::RunOutcome;

fn percent(p: f64) -> String {
    format!("{:.1}%", 100.0 * p)
}

/// One row per arm by failure rate, lowest first; `colour` paints rates that differ significantly from the baseline.
///
/// A table wider than `width` is reduced to the outcome columns; `summary.csv` has them all.
pub fn table(record: &RunRecord, colour: bool, width: Option<usize>) -> String {
    let whole = first_columns(record, colour, COLUMNS.len());
    let fits = width
        .is_none_or(|width| whole.lines().next().is_none_or(|line| line.chars().count() <= width));
    if fits {
        return whole.to_string();
    }
    let outcomes = first_columns(record, colour, OUTCOME_COLUMNS);
    format!("{outcomes}\nMore columns in a wider terminal, and all of them in summary.csv.")
}

const COLUMNS: [&str; 13] = [
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
    "independent",
    "main cause",
];

/// How many of [`COLUMNS`] are about outcomes; the others are about retrieval quality and causes.
const OUTCOME_COLUMNS: usize = 8;

/// The first `count` columns of the table.
fn first_columns(record: &RunRecord, colour: bool, count: usize) -> Table {
    let mut arms: Vec<usize> = (0..record.arms.len()).collect();
    // Ties are broken by the order of the scenario, so that the table is deterministic.
    arms.sort_by(|&a, &b| {
        let [of_a, of_b] = [a, b].map(|at| record.arms[at].summary.failure.estimate);
        of_a.total_cmp(&of_b).then(a.cmp(&b))
    });
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    if colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(&COLUMNS[..count]);
    for &at in &arms {
        let arm = &record.arms[at];
        let s = &arm.summary;
        let mut rate = Cell::new(percent(s.failure.estimate));
        if let Some(difference) = s.difference.as_ref().filter(|d| colour && d.is_significant()) {
            let better = difference.interval.estimate < 0.0;
            rate = rate.fg(if better { Color::Green } else { Color::Red });
        }
        // The baseline itself has no difference, nor has any arm if the baseline was not run.
        let against = match (&s.difference, record.baseline) {
            (Some(d), _) => {
                format!(
                    "{:+.1} pp{}",
                    100.0 * d.interval.estimate,
                    uncertainty::significance_mark(d)
                )
            }
            (None, Some(base)) if base == at => "baseline".to_owned(),
            _ => "-".to_owned(),
        };
        let row = vec![
            Cell::new(&arm.id),
            rate,
            Cell::new(format!("{:.1}-{:.1}%", 100.0 * s.failure.low, 100.0 * s.failure.high)),
            Cell::new(against),
            Cell::new(percent(s.outcomes[RunOutcome::WrongAction as usize])),
            Cell::new(percent(s.outcomes[RunOutcome::Omission as usize])),
            Cell::new(percent(s.outcomes[RunOutcome::Commission as usize])),
            Cell::new(percent(s.outcomes[RunOutcome::Stopped as usize])),
            Cell::new(s.silent_share.map_or_else(|| "-".to_owned(), percent)),
            Cell::new(quality(s.quality.as_ref().map(|q| q.recall_at_k))),
            Cell::new(quality(s.quality.as_ref().map(|q| q.ndcg_at_10))),
            Cell::new(percent(1.0 - s.independent_success)),
            Cell::new(s.main_cause.as_ref().map_or_else(
                || "-".to_owned(),
                |(step, event, share)| format!("{step} {}, {:.0}%", event.name(), 100.0 * share),
            )),
        ];
        table.add_row(row.into_iter().take(count));
    }
    for column in 1..12 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn quality(measure: Option<f64>) -> String {
    measure.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

/// Explains the columns, and how many tasks and sampling units the figures rest on.
pub fn legend(record: &RunRecord) -> String {
    let Some(first) = record.arms.first() else {
        return String::new();
    };
    let units = match &record.unit {
        Some(unit) => format!("{} distinct values of '{unit}'", record.units),
        None if record.units == 1 => "1 task".to_owned(),
        None => format!("{} tasks", record.units),
    };
    let exact = record.arms.iter().map(|a| a.summary.exact_tasks).sum::<usize>();
    let all = record.arms.iter().map(|a| a.summary.tasks).sum::<usize>();
    let solved = if exact == all {
        "all solved exactly".to_owned()
    } else {
        format!("{exact} of {all} task runs solved exactly, the rest sampled")
    };
    let differences = record.arms.iter().flat_map(ArmRecord::differences);
    let marks = uncertainty::legend("the baseline", differences);
    let none = record.arms.iter().all(|arm| arm.summary.failure.estimate <= 0.0);
    let nothing = if none { "No run fails under any arm.\n" } else { "" };
    format!(
        "{nothing}Tasks per arm: {}; intervals clustered on {units}; {solved}.\n\
         wrong: acted differently from the oracle. omitted: held where it acts. unasked: acted where it holds\n\
         (commission). stopped: for lack of an input, or by a guard. They add up to the failure rate, up to rounding.\n\
         silent: share of failures that nothing flagged. independent: the failure rate if steps failed\n\
         independently. main cause: the error with the largest (Shapley) share of the failures.\n\
         {marks}\n{}",
        first.summary.tasks,
        reader_sentences(record).join("\n")
    )
}
