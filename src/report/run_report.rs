//! The report of a run as a whole: tables, page and manifest, as bytes or written into a folder. The command line and
//! users of the library write it through here.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::{csv, manifest, page, parquet};
use crate::error::Error;
use crate::output::{OUTPUTS, OutputManifest, OutputWriter};
use crate::run::{RunRecord, compare, money};
use crate::scenario::Scenario;
use crate::session::Session;

/// The name of the page.
pub const PAGE_FILE: &str = "report.html";

/// A file of a report: its name, relative to the folder, and its bytes.
pub type ReportFile = (String, Vec<u8>);

/// The files of a run, from its [`RunRecord`]. The repository's reports/README.md explains every column.
///
/// ```no_run
/// use knockon::{RunReport, Session};
///
/// let session = Session::open("scenarios/renewal_desk.yaml")?;
/// let record = session.run_for_report(&session.all_arms())?;
/// let report = RunReport::new(&session, &record);
/// let page = report.page();
/// report.write("reports/renewal_desk", false)?;
/// # Ok::<(), knockon::Error>(())
/// ```
pub struct RunReport<'a> {
    scenario: &'a Scenario,
    record: &'a RunRecord,
    manifest: Json,
    notes: Vec<String>,
    parquet: bool,
}

impl<'a> RunReport<'a> {
    /// The report of a run that this session has just made: the manifest states how its queries were answered.
    pub fn new(session: &'a Session, record: &'a RunRecord) -> RunReport<'a> {
        let scenario = session.scenario();
        let mut notes = session.notes();
        notes.extend(money::notes(record));
        notes.extend(compare::notes(record));
        let manifest = manifest::manifest(scenario, record, &session.fingerprints(), &notes);
        RunReport { scenario, record, manifest, notes, parquet: false }
    }

    /// Also writes each table as Parquet, in builds with the feature `parquet`.
    #[must_use]
    pub fn with_parquet(mut self, parquet: bool) -> RunReport<'a> {
        self.parquet = parquet;
        self
    }

    /// Remarks for people on how queries were answered and what the figures rest on; they are in the manifest too.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The tables as CSV.
    ///
    /// # Errors
    /// None that a record can cause.
    pub fn csv(&self) -> Result<Vec<ReportFile>, Error> {
        let files = csv::files(self.record).map_err(Error::classify)?;
        Ok(files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect())
    }

    /// The tables as Parquet.
    ///
    /// # Errors
    /// A build without the feature `parquet`.
    pub fn parquet(&self) -> Result<Vec<ReportFile>, Error> {
        csv::files(self.record).and_then(|files| parquet::files(&files)).map_err(Error::classify)
    }

    /// The page `report.html`, which opens in any browser, offline. It shows single runs if the record has any
    /// ([`Session::run_for_report`]).
    pub fn page(&self) -> String {
        page::page(self.record, &self.manifest)
    }

    /// The manifest: inputs, settings and every assumption with its source, and the files that it lists by their
    /// checksums.
    ///
    /// # Errors
    /// None that a manifest can cause.
    pub fn manifest(&self, files: &[ReportFile]) -> Result<Vec<u8>, Error> {
        // The page shows the manifest without this list, since that contains the checksum of the page.
        let mut listed = self.manifest.clone();
        listed[OUTPUTS] = OutputManifest::entries(&borrowed(files));
        manifest::bytes(&listed).map_err(|error| Error::classify(error.into()))
    }

    /// All files but the manifest.
    ///
    /// # Errors
    /// As [`RunReport::parquet`].
    pub fn files(&self) -> Result<Vec<ReportFile>, Error> {
        self.files_with(Vec::new())
    }

    /// All files but the manifest, with `more` between the page and the Parquet files.
    pub(crate) fn files_with(&self, more: Vec<ReportFile>) -> Result<Vec<ReportFile>, Error> {
        let mut files = self.csv()?;
        files.push((PAGE_FILE.to_owned(), self.page().into_bytes()));
        files.extend(more);
        if self.parquet {
            files.extend(self.parquet()?);
        }
        Ok(files)
    }

    /// Writes all files and the manifest into a folder, by the rule of the command line: a file is replaced only if a
    /// manifest there lists it and it was not changed since, or with `overwrite`; inputs of the scenario are never
    /// replaced. Files of an earlier report that are not written now are removed; returns those that stay, because they
    /// were changed.
    ///
    /// # Errors
    /// A file that may not be replaced, in which case nothing is written; a folder that cannot be written.
    pub fn write(&self, folder: impl AsRef<Path>, overwrite: bool) -> Result<Vec<String>, Error> {
        let output = OutputWriter::new(overwrite).with_inputs(input_paths(self.scenario));
        self.write_through(&output, folder.as_ref(), &self.files()?).map_err(Error::writing)
    }

    pub(crate) fn write_through(
        &self,
        output: &OutputWriter,
        folder: &Path,
        files: &[ReportFile],
    ) -> anyhow::Result<Vec<String>> {
        let manifest = self.manifest(files)?;
        output.write_listed(folder, &borrowed(files), (manifest::FILE_NAME, &manifest))
    }
}

/// The paths of a scenario and its data files.
pub fn input_paths(scenario: &Scenario) -> Vec<PathBuf> {
    let dir = scenario.path.parent().unwrap_or(Path::new(""));
    let inputs = scenario.inputs.iter().map(|input| dir.join(&input.path));
    inputs.chain([scenario.path.clone()]).collect()
}

fn borrowed(files: &[ReportFile]) -> Vec<(&str, &[u8])> {
    files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect()
}
