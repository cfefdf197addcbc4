//! Writes the CSV files that accompany imported data: the report and the findings.

use anyhow::Context;
use serde::Serialize;

/// `import_report.csv`: a header and one line per row.
pub fn rows_csv(rows: &[impl Serialize]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    writer.into_inner().context("the report does not fit in memory")
}

/// `import_findings.csv`: sorted by `kind`; findings of one kind keep their order.
pub fn findings_csv<F: Serialize, K: Ord>(
    header: [&str; 5],
    findings: &[F],
    kind: impl Fn(&F) -> K,
) -> anyhow::Result<Vec<u8>> {
    // The header is written explicitly because the writer derives it from the first record, and there may be none.
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.write_record(header)?;
    let mut sorted: Vec<&F> = findings.iter().collect();
    sorted.sort_by_key(|finding| kind(finding));
    for finding in sorted {
        writer.serialize(finding)?;
    }
    writer.into_inner().context("the findings do not fit in memory")
}
