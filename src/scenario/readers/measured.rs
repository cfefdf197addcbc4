//! The kind `measured`: a simulated reader whose rates `knockon calibrate` fitted to the answers of a language model, in
//! a file of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::parameters::{ParameterProvenance, ReaderParameter, SourcedValue};
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;
use crate::scenario::{READER_PRESETS, ReaderSettings};

/// The version of the format.
pub const MEASURED_READER_FORMAT: u32 = 1;
/// A file of rates is at most this large; a larger one is something else.
const LARGEST_FILE: usize = 1 << 20;

/// Simulates a reader with rates that `knockon calibrate` fitted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct MeasuredReaderEntry {
    /// The file that `knockon calibrate` wrote, relative to this file.
    file: Spanned<String>,
}

/// The rates of a reader as fitted, and to what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredReader {
    /// The version of the format.
    #[serde(rename = "knockon_reader")]
    pub format: u32,
    /// The language model whose answers were fitted.
    pub model: String,
    /// The day of the fit.
    pub date: String,
    /// The number of distinct readings.
    pub reads: usize,
    /// The scenario whose readings they are.
    pub scenario: String,
    /// The arms in which they were made.
    pub arms: Vec<String>,
    /// The preset of the rates about which the answers say nothing.
    pub preset: String,
    /// By parameter: values that the scenario gave in place of the preset's, for rates about which the answers say
    /// nothing.
    #[serde(default)]
    pub given: BTreeMap<String, f64>,
    /// By parameter.
    pub rates: BTreeMap<String, MeasuredRate>,
    /// By field, then by parameter: rates that differ from those of other fields.
    #[serde(default)]
    pub by_field: BTreeMap<String, BTreeMap<String, MeasuredRate>>,
    /// Whether the rates describe the answers: `fits` or `rejected`.
    pub fit: String,
    /// Why not, if they do not.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// How far predictions with these rates were from real runs, by scenario.
    #[serde(default)]
    pub validations: Vec<MeasuredValidation>,
}

/// The result of `knockon validate` on one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredValidation {
    pub scenario: String,
    /// The number of arms that were predicted.
    pub arms: usize,
    /// How many 95% intervals held the real failure rate.
    pub held: usize,
    /// Absolute errors of failure rates, from 0 to 1.
    pub median_error: f64,
    pub greatest_error: f64,
}

/// The version of a file, whatever else it holds.
#[derive(Deserialize)]
struct MeasuredReaderVersion {
    knockon_reader: u32,
}

/// A rate with the central 95% of its posterior.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredRate {
    pub value: f64,
    pub low: f64,
    pub high: f64,
    /// The readings that depend on it.
    pub reads: usize,
}

impl MeasuredReader {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<MeasuredReader, String> {
        // A later version may have further keys, so its number comes first.
        if let Ok(MeasuredReaderVersion { knockon_reader: format }) = serde_yaml::from_str(text)
            && format > MEASURED_READER_FORMAT
        {
            return Err(format!(
                "a later version of knockon wrote it: `knockon_reader` is {format}, and this one reads \
                 {MEASURED_READER_FORMAT}"
            ));
        }
        let reader: MeasuredReader =
            serde_yaml::from_str(text).map_err(|error| first_line(&error.to_string()))?;
        if reader.format != MEASURED_READER_FORMAT {
            return Err(format!(
                "`knockon_reader` is {}; {MEASURED_READER_FORMAT} is allowed",
                reader.format
            ));
        }
        if !READER_PRESETS.contains(&reader.preset.as_str()) {
            return Err(format!(
                "`preset` is {}; allowed: {}",
                reader.preset,
                READER_PRESETS.join(", ")
            ));
        }
        for rates in std::iter::once(&reader.rates).chain(reader.by_field.values()) {
            for (name, rate) in rates {
                parameter(name).ok_or_else(|| format!("there is no rate `{name}`"))?;
                let MeasuredRate { value, low, high, .. } = *rate;
                let in_order = 0.0 <= low && low <= value && value <= high && high <= 1.0;
                if !in_order {
                    return Err(format!(
                        "`{name}`: 0 <= low <= value <= high <= 1 is required, and it has {low}, {value}, {high}"
                    ));
                }
            }
        }
        for (name, value) in &reader.given {
            parameter(name).ok_or_else(|| format!("there is no rate `{name}`"))?;
            if !(0.0..=1.0).contains(value) {
                return Err(format!("`{name}` is {value}; 0 to 1 is allowed"));
            }
        }
        let mean = |name: &str| reader.rates.get(name).map_or(0.0, |rate| rate.value);
        if mean("follow") + mean("fabricate") > 1.0 {
            return Err("`follow` and `fabricate` add up to more than 1".to_owned());
        }
        Ok(reader)
    }

    /// The text of a file, which [`MeasuredReader::parse`] reads again.
    pub fn yaml(&self) -> String {
        // JSON texts and numbers are YAML as well.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let list = |items: &[String]| {
            let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
            format!("[{}]", items.join(", "))
        };
        let mut text = format!(
            "# Rates of a simulated reader, fitted to the answers of a language model by `knockon calibrate`.\n\
             # A scenario names this file under `readers`: {{kind: measured, file: ...}}\n\
             knockon_reader: {}\nmodel: {}\ndate: {}\nreads: {}\nscenario: {}\narms: {}\n\
             # for rates about which the answers say nothing\npreset: {}\nfit: {}\nreasons: {}\n",
            self.format,
            quoted(&self.model),
            quoted(&self.date),
            self.reads,
            quoted(&self.scenario),
            list(&self.arms),
            quoted(&self.preset),
            quoted(&self.fit),
            list(&self.reasons),
        );
        // In the order of reports.
        let lines = |rates: &BTreeMap<String, MeasuredRate>, indent: &str| {
            let known = ReaderParameter::ALL.iter().filter_map(|parameter| {
                let MeasuredRate { value, low, high, reads } = rates.get(parameter.name())?;
                let name = parameter.name();
                Some(format!(
                    "{indent}{name}: {{value: {value:.6}, low: {low:.6}, high: {high:.6}, reads: {reads}}}\n"
                ))
            });
            known.collect::<String>()
        };
        if !self.given.is_empty() {
            let given = self.given.iter().map(|(name, value)| format!("{name}: {value}"));
            text += &format!("given: {{{}}}\n", given.collect::<Vec<_>>().join(", "));
        }
        match self.rates.is_empty() {
            true => text += "rates: {}\n",
            false => text += &format!("rates:\n{}", lines(&self.rates, "  ")),
        }
        if !self.validations.is_empty() {
            text += "validations:\n";
            for of in &self.validations {
                text += &format!(
                    "  - {{scenario: {}, arms: {}, held: {}, median_error: {:.4}, greatest_error: {:.4}}}\n",
                    quoted(&of.scenario),
                    of.arms,
                    of.held,
                    of.median_error,
                    of.greatest_error
                );
            }
        }
        if !self.by_field.is_empty() {
            text += "by_field:\n";
            for (field, rates) in &self.by_field {
                text += &format!("  {}:\n{}", quoted(field), lines(rates, "    "));
            }
        }
        text
    }

    /// A measured rate with its source and its range; `None` if the answers say nothing about it.
    pub fn rate(&self, parameter: ReaderParameter, field: Option<&str>) -> Option<SourcedValue> {
        let rates = match field {
            Some(field) => self.by_field.get(field)?,
            None => &self.rates,
        };
        let MeasuredRate { value, low, high, reads } = *rates.get(parameter.name())?;
        let rejected = if self.fit == "fits" { "" } else { "; the fit was rejected" };
        Some(SourcedValue {
            value,
            tag: ParameterProvenance::Measured,
            source: format!(
                "fitted on {} to {reads} readings by {} in {}{rejected}",
                self.date, self.model, self.scenario
            ),
            range: Some((low, high)),
        })
    }
}

/// The first line of an error of the YAML library, which shows the file below it.
fn first_line(error: &str) -> String {
    error.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

fn parameter(name: &str) -> Option<ReaderParameter> {
    ReaderParameter::ALL.iter().copied().find(|parameter| parameter.name() == name)
}

impl ScenarioResolver<'_> {
    /// The rates in the file of an entry.
    pub(super) fn measured_reader(
        &mut self,
        entry: &MeasuredReaderEntry,
    ) -> Option<Arc<MeasuredReader>> {
        let path = self.data_file(&entry.file)?;
        let text = match self.source.file(&path).read() {
            Ok(bytes) if bytes.len() <= LARGEST_FILE => String::from_utf8(bytes).ok(),
            _ => None,
        };
        let parsed = match text {
            Some(text) => MeasuredReader::parse(&text),
            None => Err("it is not UTF-8 text, or is larger than 1 MiB".to_owned()),
        };
        match parsed {
            Ok(reader) => Some(Arc::new(reader)),
            Err(why) => {
                let message = format!("`{}` cannot be used: {why}", entry.file.value);
                let mistake = Diagnostic::new("bad-reader", entry.file.span.clone(), message);
                self.mistakes.push(mistake.label("a file that `knockon calibrate` wrote"));
                None
            }
        }
    }
}

impl ReaderSettings {
    /// A simulated reader with measured rates.
    pub fn of_measured(measured: &Arc<MeasuredReader>) -> ReaderSettings {
        let mut settings = ReaderSettings {
            preset: measured.preset.clone(),
            measured: Some(measured.clone()),
            ..ReaderSettings::default()
        };
        for (name, value) in &measured.given {
            if let Some(parameter) = parameter(name) {
                *settings.overrides.get_mut(parameter) = Some(*value);
            }
        }
        for (field, rates) in &measured.by_field {
            let own = settings.by_field.entry(field.clone()).or_default();
            for (name, rate) in rates {
                if let Some(parameter) = parameter(name) {
                    *own.get_mut(parameter) = Some(rate.value);
                }
            }
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let rate = MeasuredRate { value: 0.25, low: 0.125, high: 0.5, reads: 40 };
        let rates = BTreeMap::from([("misread".to_owned(), rate)]);
        let reader = MeasuredReader {
            format: MEASURED_READER_FORMAT,
            model: "a \"model\": of ours".to_owned(),
            date: "2026-01-31".to_owned(),
            reads: 120,
            scenario: "desk".to_owned(),
            arms: vec!["bm25".to_owned()],
            preset: "gpt-4o".to_owned(),
            given: BTreeMap::from([("lucky".to_owned(), 0.01)]),
            by_field: BTreeMap::from([("notice period".to_owned(), rates.clone())]),
            rates,
            fit: "rejected".to_owned(),
            reasons: vec!["errors gather: p = .01".to_owned()],
            validations: vec![MeasuredValidation {
                scenario: "desk".to_owned(),
                arms: 4,
                held: 3,
                median_error: 0.03,
                greatest_error: 0.0525,
            }],
        };
        assert_eq!(MeasuredReader::parse(&reader.yaml()), Ok(reader.clone()));
        let wrong = reader.yaml().replace("misread", "misred");
        assert_eq!(MeasuredReader::parse(&wrong).unwrap_err(), "there is no rate `misred`");
        let wrong = reader.yaml().replace("low: 0.125000", "low: 0.3");
        assert!(MeasuredReader::parse(&wrong).unwrap_err().contains("low <= value"));
        let later = format!("of_a_later_version: {{}}\n{}", reader.yaml());
        let later = later.replace("knockon_reader: 1", "knockon_reader: 2");
        assert!(
            MeasuredReader::parse(&later).unwrap_err().starts_with("a later version of knockon")
        );
    }
}
