//! The options of `knockon run` that export single runs as traces.

use crate::cascade::arm_runs;
use crate::cascade::trace::RunTrace;
use crate::report::{otlp, who_and_when};
use crate::scenario::Scenario;
use crate::session::Session;

/// The format of exported runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TraceExportFormat {
    /// traces.jsonl: OpenTelemetry traces, for any viewer that takes OTLP
    Otlp,
    /// who_and_when/: failure logs in the layout of the Who&When data set
    WhoAndWhen,
}

#[derive(clap::Args)]
pub struct TraceExportArgs {
    /// Also write failing runs, each with its root cause; several formats separated by commas
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    traces: Vec<TraceExportFormat>,
    /// At most this many failing runs per arm
    #[arg(long, value_name = "N", default_value_t = 200, requires = "traces")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    traces_limit: u32,
}

impl TraceExportArgs {
    /// The name of the folder with one file per run.
    const FOLDER: &str = "who_and_when";

    /// The requested files whose names are known before a run.
    pub fn file_names(&self) -> impl Iterator<Item = &'static str> {
        // Any file name in the folder serves to check that it can be written into.
        let names = [
            (TraceExportFormat::Otlp, "traces.jsonl"),
            (TraceExportFormat::WhoAndWhen, "who_and_when/_.json"),
        ];
        names.into_iter().filter(|(format, _)| self.traces.contains(format)).map(|(_, name)| name)
    }

    /// Traces of the failing runs of these arms; none if no format is requested. See [`runs::failures`].
    pub fn failing_traces(
        &self,
        session: &Session,
        arms: &[usize],
    ) -> anyhow::Result<Vec<RunTrace>> {
        if self.traces.is_empty() {
            return Ok(Vec::new());
        }
        arm_runs::trace_failures(session, arms, self.traces_limit as usize)
    }

    /// The bytes of `traces.jsonl`, if requested.
    pub fn otlp_jsonl(&self, scenario: &Scenario, traces: &[RunTrace]) -> Option<Vec<u8>> {
        self.traces.contains(&TraceExportFormat::Otlp).then(|| {
            otlp::lines(traces, |id| {
                let arm = scenario.arms.iter().find(|arm| arm.id == id);
                arm.map_or("", |arm| scenario.reader_label(arm))
            })
        })
    }

    /// The failure logs with their names relative to the report folder; none if not requested.
    pub fn who_and_when_files(
        &self,
        traces: &[RunTrace],
    ) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        if !self.traces.contains(&TraceExportFormat::WhoAndWhen) {
            return Ok(Vec::new());
        }
        let files = who_and_when::files(traces)?.into_iter();
        Ok(files
            .map(|(name, bytes)| (format!("{}/{name}", TraceExportArgs::FOLDER), bytes))
            .collect())
    }
}
