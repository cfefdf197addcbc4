//! The files to which the verdict of `knockon gate` is written. An interrupted or refused gate leaves no earlier verdict in
//! them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::arguments::baseline_files;
use crate::gate;
use crate::output::{OutputWriter, OwnershipProof, WriteRefused, is_same_destination};

/// Replaces the verdict of an earlier gate by an error if the arguments could not be parsed. The verdict files are
/// therefore found here without clap; every other argument may be an input file, which must not be replaced.
pub fn report_wrong_use(arguments: &[OsString], why: &str) {
    let (mut named, mut others): ([Vec<PathBuf>; 2], Vec<PathBuf>) = Default::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(PathBuf::from(value))),
            None => (&*text, None),
        };
        let Some(at) = ["--junit", "--markdown"].iter().position(|known| *known == name) else {
            others.push(value.unwrap_or_else(|| argument.into()));
            continue;
        };
        let value = value.or_else(|| {
            // What begins with `--` is the next option: the path itself was forgotten.
            rest.clone().next().filter(|next| !next.to_string_lossy().starts_with("--"))?;
            rest.next().map(PathBuf::from)
        });
        named[at].extend(value);
    }
    let [junit, markdown] = named;
    let others: Vec<PathBuf> = others
        .iter()
        .filter(|other| other.exists())
        .flat_map(|other| baseline_files(other))
        .collect();
    let output = OutputWriter::default().with_inputs(others);
    for at in 0..junit.len().max(markdown.len()) {
        let paths = GateReportPaths {
            junit: junit.get(at).map(PathBuf::as_path),
            markdown: markdown.get(at).map(PathBuf::as_path),
        };
        paths.try_write_error(&output, "", why);
    }
}

/// The files to which the verdict is written, besides the terminal.
#[derive(Clone, Copy)]
pub struct GateReportPaths<'a> {
    pub junit: Option<&'a Path>,
    pub markdown: Option<&'a Path>,
}

impl GateReportPaths<'_> {
    /// Checks that both can be written, and are different files.
    pub fn check(self, output: &OutputWriter) -> anyhow::Result<()> {
        if let (Some(junit), Some(markdown)) = (self.junit, self.markdown)
            && is_same_destination(junit, markdown)
        {
            return Err(WriteRefused::invalid_path(format!(
                "--junit {} and --markdown {} are the same file; nothing was compared",
                junit.display(),
                markdown.display()
            ))
            .into());
        }
        let marks = [(self.junit, gate::JUNIT_MARK), (self.markdown, gate::MARKDOWN_MARK)];
        for (path, mark) in marks {
            path.map_or(Ok(()), |path| output.check_file(path, OwnershipProof::Marked(mark)))?;
        }
        Ok(())
    }

    /// Writes the reports as errors if possible; failures are ignored because another error is already being
    /// reported.
    pub fn try_write_error(self, output: &OutputWriter, scenario: &str, why: &str) {
        let why = [why.to_owned()];
        let single = [(self.junit, None), (None, self.markdown)];
        for (junit, markdown) in single {
            // One that cannot be written must not keep the other from being written.
            let _ =
                GateReportPaths { junit, markdown }.write_error(output, scenario, &why, |_| true);
        }
    }

    /// Writes the reports as errors.
    pub fn write_error(
        self,
        output: &OutputWriter,
        scenario: &str,
        why: &[String],
        to: fn(&Path) -> bool,
    ) -> anyhow::Result<()> {
        let pages = [gate::junit_error(scenario, why), gate::markdown_error(scenario, why)];
        self.write(output, pages, to)
    }

    /// Writes the requested JUnit XML and Markdown files, to the paths that `to` accepts.
    pub fn write(
        self,
        output: &OutputWriter,
        [xml, page]: [String; 2],
        to: fn(&Path) -> bool,
    ) -> anyhow::Result<()> {
        let files =
            [(self.junit, xml, gate::JUNIT_MARK), (self.markdown, page, gate::MARKDOWN_MARK)];
        for (path, text, mark) in files {
            if let Some(path) = path
                && to(path)
            {
                output.write_file(path, text.as_bytes(), OwnershipProof::Marked(mark))?;
            }
        }
        Ok(())
    }
}
