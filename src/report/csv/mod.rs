//! Writes the CSV files: tidy tables with one row per observation, columns explained in `reports/README.md`. No number
//! is computed here: cells are fields of the record.

mod causes;
mod compare;
mod guards;
mod money;
mod sensitivity;
mod transfer;

use crate::run::SolveMethod;
use crate::run::record::{ArmRecord, RetrievalQualityRecord, RunRecord, StepImportance};
use crate::step::RunOutcome;
use crate::visible_text::visible;

/// The files that every run writes.
pub const ALWAYS_WRITTEN: [&str; 11] = [
    "summary.csv",
    "steps.csv",
    "misses.csv",
    "causes.csv",
    "edges.csv",
    "paths.csv",
    "cuts.csv",
    "tasks.csv",
    "transfer.csv",
    "ranks.csv",
    "pairs.csv",
];

/// The names and contents of all files of a run.
pub fn files(record: &RunRecord) -> anyhow::Result<Vec<(&'static str, Vec<u8>)>> {
    let mut files = vec![
        ("summary.csv", summary(record)?),
        ("steps.csv", steps(record)?),
        ("misses.csv", misses(record)?),
        ("causes.csv", causes::causes(record)?),
        ("edges.csv", causes::edges(record)?),
        ("paths.csv", causes::paths(record)?),
        ("cuts.csv", causes::cuts(record)?),
        ("tasks.csv", tasks(record)?),
        ("transfer.csv", transfer::transfer(record)?),
        ("ranks.csv", compare::ranks(record)?),
        ("pairs.csv", compare::pairs(record)?),
    ];
    // A file without rows is not written: a run without guards or money has no such file.
    if record.arms.iter().any(|arm| !arm.guards.is_empty()) {
        files.push(("guards.csv", guards::guards(record)?));
    }
    if record.arms.iter().any(|arm| arm.guards.iter().any(|guard| !guard.curve.is_empty())) {
        files.push(("guard_curves.csv", guards::curves(record)?));
    }
    if record.currency.is_some() {
        files.push(("impact.csv", money::impact(record)?));
        files.push(("losses.csv", money::losses(record)?));
        files.push(("loss_curve.csv", money::curve(record)?));
        files.push(("loss_bands.csv", money::bands(record)?));
    }
    if let Some(of) = &record.sensitivity {
        files.push(("sensitivity.csv", sensitivity::sensitivity(record, of)?));
        files.push(("sensitivity_orders.csv", sensitivity::orders(record, of)?));
    }
    Ok(files)
}

/// A numeric cell, empty for `None`.
pub(crate) fn number_cell(value: Option<f64>) -> String {
    // Six decimals are finer than any interval here; `+ 0.0` drops the sign of a negative zero. Infinity prints
    // as `inf`, which spreadsheets keep as text and data frames read as a number.
    value.map_or_else(String::new, |v| format!("{:.6}", (v * 1e6).round() / 1e6 + 0.0))
}

pub(crate) fn float_cell(value: f64) -> String {
    number_cell(Some(value))
}

pub(crate) fn yes_no_cell(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// An amount of money rounded to two decimals.
pub(crate) fn cents_cell(value: f64) -> String {
    format!("{:.2}", (value * 100.0).round() / 100.0 + 0.0)
}

/// A text cell, safe for spreadsheets: a text that would be read as a formula gets a leading `'` (OWASP, "CSV
/// injection"). A text that looks quoted already gets another one, so that different texts have different cells;
/// [`plain`] removes it again.
pub(crate) fn text_cell(value: &str) -> String {
    match needs_quote(value) {
        true => format!("'{value}"),
        false => value.to_owned(),
    }
}

/// The inverse of [`text`].
pub(crate) fn cell_text(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|value| needs_quote(value)).unwrap_or(cell)
}

/// Whether [`text`] puts a quote before a value.
fn needs_quote(value: &str) -> bool {
    value
        .trim_start_matches('\'')
        .starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'])
}

/// The bytes of a CSV file. Control characters in the user's data are replaced by visible ones ([`visible`]).
pub(crate) fn csv_bytes(header: &[&str], rows: Vec<Vec<String>>) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(row.iter().map(|cell| visible(cell).into_owned()))?;
    }
    Ok(writer.into_inner()?)
}

fn quality(quality: Option<RetrievalQualityRecord>) -> [String; 3] {
    [
        number_cell(quality.map(|q| q.recall_at_k)),
        number_cell(quality.map(|q| q.ndcg_at_10)),
        number_cell(quality.map(|q| q.mrr_at_10)),
    ]
}

fn outcomes(shares: &[f64; RunOutcome::ALL.len()]) -> impl Iterator<Item = String> {
    shares.iter().map(|&share| float_cell(share))
}

fn summary(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let header = [
        "arm",
        "baseline",
        "tasks",
        "units",
        "tasks_exact",
        "failure_rate",
        "failure_low",
        "failure_high",
        "difference",
        "difference_low",
        "difference_high",
        "p_value",
        "p_holm",
        "holm_low",
        "holm_high",
        "identical",
        "p_correct",
        "p_stopped",
        "p_omission",
        "p_commission",
        "p_wrong_action",
        "p_silent_failure",
        "silent_share",
        "p_success_if_independent",
        "p_failure_with_own_miss",
        "p_failure_with_induced_miss",
        "recall_at_k",
        "ndcg_at_10",
        "mrr_at_10",
        "worst_step",
        "p_failure_with_miss_there",
        "commonest_miss",
        "failing_misses_per_run",
        "main_cause_step",
        "main_cause",
        "main_cause_share",
    ];
    let row = |(at, arm): (usize, &ArmRecord)| {
        let s = &arm.summary;
        let d = s.difference.as_ref();
        let mut row = vec![
            text_cell(&arm.id),
            if record.baseline == Some(at) { "yes" } else { "no" }.to_owned(),
            s.tasks.to_string(),
            record.units.to_string(),
            s.exact_tasks.to_string(),
            float_cell(s.failure.estimate),
            float_cell(s.failure.low),
            float_cell(s.failure.high),
            number_cell(d.map(|d| d.interval.estimate)),
            number_cell(d.map(|d| d.interval.low)),
            number_cell(d.map(|d| d.interval.high)),
            number_cell(d.map(|d| d.p_value)),
            number_cell(d.map(|d| d.p_holm)),
            number_cell(d.map(|d| d.holm_interval.low)),
            number_cell(d.map(|d| d.holm_interval.high)),
            d.map_or_else(String::new, |d| yes_no_cell(d.identical)),
        ];
        row.extend(outcomes(&s.outcomes));
        row.extend([float_cell(s.silent), number_cell(s.silent_share)]);
        row.extend([
            float_cell(s.independent_success),
            float_cell(s.failure_with_own_miss),
            float_cell(s.failure_with_induced_miss),
        ]);
        row.extend(quality(s.quality));
        row.extend([
            s.worst_step.as_ref().map_or_else(String::new, |(step, _)| text_cell(step)),
            number_cell(s.worst_step.as_ref().map(|(_, p)| *p)),
            s.commonest_miss.map_or_else(String::new, |(kind, _)| kind.name().to_owned()),
            number_cell(s.commonest_miss.map(|(_, p)| p)),
            s.main_cause.as_ref().map_or_else(String::new, |(step, ..)| text_cell(step)),
            s.main_cause
                .as_ref()
                .map_or_else(String::new, |(_, event, _)| causes::event_name(*event)),
            number_cell(s.main_cause.as_ref().map(|(.., share)| *share)),
        ]);
        row
    };
    csv_bytes(&header, record.arms.iter().enumerate().map(row).collect())
}

fn steps(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let header = [
        "arm",
        "step",
        "kind",
        "embedder",
        "top_k",
        "entity_filter",
        "p_reached",
        "p_correct",
        "p_wrong",
        "p_missing",
        "p_hit",
        "p_own_miss",
        "p_induced_miss",
        "p_no_gold",
        "p_distracted",
        "p_misread",
        "p_fabricated",
        "p_lucky",
        "p_abstained",
        "p_failed",
        "p_stopped",
        "p_skipped",
        "p_caught",
        "p_recovered",
        "p_false_alarm",
        "p_fail_given_hit",
        "p_fail_given_miss",
        "p_absorbed_given_wrong",
        "p_err",
        "p_fail_if_right",
        "p_fail_without_own_errors",
        "p_fail_if_wrong",
        "birnbaum",
        "fussell_vesely",
        "raw",
        "rrw",
        "recall_at_k",
        "ndcg_at_10",
        "mrr_at_10",
        "judged_tasks",
    ];
    let mut rows = Vec::new();
    for arm in &record.arms {
        for s in &arm.steps {
            let (embedder, top_k, filter) = match &s.retrieval {
                Some((embedder, k, filter)) => {
                    (text_cell(embedder), k.to_string(), if *filter { "yes" } else { "no" })
                }
                None => Default::default(),
            };
            let mut row = vec![
                text_cell(&arm.id),
                text_cell(&s.step),
                s.kind.to_owned(),
                embedder,
                top_k,
                filter.to_owned(),
            ];
            row.extend(
                [
                    s.p_reached,
                    s.p_correct,
                    s.p_wrong,
                    s.p_missing,
                    s.p_hit,
                    s.p_own_miss,
                    s.p_induced_miss,
                    s.p_no_gold,
                    s.p_distracted,
                    s.p_misread,
                    s.p_fabricated,
                    s.p_lucky,
                    s.p_abstained,
                    s.p_failed,
                    s.p_stopped,
                    s.p_skipped,
                    s.p_caught,
                    s.p_recovered,
                    s.p_false_alarm,
                ]
                .map(float_cell),
            );
            row.extend(
                [s.p_fail_given_hit, s.p_fail_given_miss, s.p_absorbed_given_wrong]
                    .map(number_cell),
            );
            let importance =
                |of: fn(&StepImportance) -> f64| number_cell(s.importance.as_ref().map(of));
            row.extend([
                importance(|i| i.p_err),
                importance(|i| i.p_fail_if_right),
                importance(|i| i.p_fail_without_own_errors),
                importance(|i| i.p_fail_if_wrong),
                importance(|i| i.birnbaum),
                importance(|i| i.fussell_vesely),
                importance(|i| i.raw),
                importance(|i| i.rrw),
            ]);
            row.extend(quality(s.quality));
            row.push(s.judged_tasks.to_string());
            rows.push(row);
        }
    }
    csv_bytes(&header, rows)
}

fn misses(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let header = [
        "arm",
        "step",
        "miss_kind",
        "cause",
        "p_miss",
        "p_correct",
        "p_stopped",
        "p_omission",
        "p_commission",
        "p_wrong_action",
        "p_fail_given_miss",
        "share_of_failures",
    ];
    let mut rows = Vec::new();
    for arm in &record.arms {
        for miss in &arm.misses {
            let cause = if miss.induced { "induced" } else { "own" };
            let mut row = vec![
                text_cell(&arm.id),
                text_cell(&miss.step),
                miss.kind.name().to_owned(),
                cause.to_owned(),
                float_cell(miss.p),
            ];
            row.extend(outcomes(&miss.outcomes));
            row.extend([float_cell(miss.p_fail_given), number_cell(miss.share_of_failures)]);
            rows.push(row);
        }
    }
    csv_bytes(&header, rows)
}

fn tasks(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let header = [
        "arm",
        "task",
        "unit",
        "weight",
        "method",
        "right_action",
        "p_failure",
        "p_correct",
        "p_stopped",
        "p_omission",
        "p_commission",
        "p_wrong_action",
        "ndcg_at_10",
        "likeliest_wrong_action",
        "p_likeliest_wrong_action",
        "main_miss_step",
        "main_miss_kind",
        "p_failure_with_main_miss",
        "expected_loss",
    ];
    let mut rows = Vec::new();
    for arm in &record.arms {
        for (at, task) in arm.tasks.iter().enumerate() {
            let mut row = vec![
                text_cell(&arm.id),
                text_cell(&task.id),
                text_cell(&task.unit),
                float_cell(task.weight),
                method_name(task.method).to_owned(),
                text_cell(&task.right_action),
                float_cell(task.failure()),
            ];
            row.extend(outcomes(&task.outcomes));
            let wrong = task.wrong_action.as_ref();
            let miss = task.main_miss.as_ref();
            row.push(number_cell(task.ndcg_at_10));
            row.extend([
                wrong.map_or_else(String::new, |(label, _)| text_cell(label)),
                number_cell(wrong.map(|(_, p)| *p)),
                miss.map_or_else(String::new, |(step, ..)| text_cell(step)),
                miss.map_or_else(String::new, |(_, kind, _)| kind.name().to_owned()),
                number_cell(miss.map(|(.., p)| *p)),
                number_cell(arm.money.as_ref().map(|money| money.tasks[at])),
            ]);
            rows.push(row);
        }
    }
    csv_bytes(&header, rows)
}

/// The name of the method that solved a task.
pub fn method_name(ran: SolveMethod) -> &'static str {
    match ran {
        SolveMethod::Exact { .. } => "exact",
        SolveMethod::Sampled => "monte_carlo",
        SolveMethod::SampledPastCap => "monte_carlo_past_cap",
    }
}

#[cfg(test)]
mod tests {
    use super::{cell_text, text_cell};

    #[test]
    fn text_cells_are_distinct_and_reversible() {
        let texts = [
            "=1",
            "'=1",
            "''=1",
            "+1",
            "-1",
            "@a",
            "\ta",
            "\ra",
            "'",
            "''",
            "'a",
            "a",
            "",
            "'-",
            "a=1",
            "\u{feff}=1",
            "−1",
            "'@",
            "＝1",
            "'＝1",
            "＋1",
            "－1",
            "＠a",
            "a＝1",
        ];
        let cells: Vec<String> = texts.iter().map(|value| text_cell(value)).collect();
        assert_eq!(cells[..3], ["'=1", "''=1", "'''=1"]);
        for (at, (value, cell)) in texts.iter().zip(&cells).enumerate() {
            assert_eq!(cell_text(cell), *value);
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
            assert!(!cell.starts_with(['＝', '＋', '－', '＠']), "{cell:?}");
            assert!(!cells[..at].contains(cell), "{cell:?}");
        }
    }
}
