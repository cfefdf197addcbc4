//! The simulated reader: its rates with their sources, as preset, measured or given by the scenario.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::ReaderRates;
use super::presets::preset_parameters;
use crate::scenario::{
    MeasuredReader, ParameterProvenance, READER_PRESETS, ReaderParameter, ReaderParameters,
    ReaderSettings, SourcedParameter, SourcedValue,
};

/// A simulated reader. All values are probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct ReaderModel {
    pub preset: String,
    pub parameters: ReaderParameters<SourcedValue>,
    /// By field: the parameters that replace these when it is read.
    pub by_field: FieldRates,
    /// What the parameters were fitted to, if they are measured.
    pub measured: Option<Arc<MeasuredReader>>,
}

/// By field: the parameters that replace the reader's.
pub type FieldRates = BTreeMap<String, ReaderParameters<Option<f64>>>;

impl Serialize for ReaderModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("preset", &self.preset)?;
        map.serialize_entry("parameters", &self.listed_parameters())?;
        if !self.by_field.is_empty() {
            map.serialize_entry("by_field", &self.field_parameters())?;
        }
        if let Some(measured) = &self.measured {
            map.serialize_entry("measured", measured.as_ref())?;
        }
        map.end()
    }
}

impl ReaderModel {
    /// The reader of an arm.
    ///
    /// # Errors
    /// As [`ReaderModel::new`].
    pub fn of_settings(settings: &ReaderSettings) -> anyhow::Result<ReaderModel> {
        let mut overrides = settings.overrides;
        let mut measured: Vec<(ReaderParameter, SourcedValue)> = Vec::new();
        for &parameter in ReaderParameter::ALL {
            let rate = settings.measured.as_ref().and_then(|m| m.rate(parameter, None));
            if let (None, Some(rate)) = (overrides.get(parameter), rate) {
                *overrides.get_mut(parameter) = Some(rate.value);
                measured.push((parameter, rate));
            }
        }
        let mut reader = ReaderModel::new(&settings.preset, &overrides)?;
        for (parameter, rate) in measured {
            *reader.parameters.get_mut(parameter) = rate;
        }
        let by_field = settings.by_field.clone();
        Ok(ReaderModel { by_field, measured: settings.measured.clone(), ..reader })
    }

    /// A preset with some parameters overridden, the same for all fields.
    ///
    /// # Errors
    /// An unknown preset, or overrides of `follow` and `fabricate` that add up to more than 1.
    pub fn new(
        preset: &str,
        overrides: &ReaderParameters<Option<f64>>,
    ) -> anyhow::Result<ReaderModel> {
        let mut parameters = preset_parameters(preset).ok_or_else(|| {
            anyhow::anyhow!(
                "unknown reader preset '{preset}'; allowed: {}",
                READER_PRESETS.join(", ")
            )
        })?;
        for &parameter in ReaderParameter::ALL {
            if let Some(value) = *overrides.get(parameter) {
                *parameters.get_mut(parameter) = SourcedValue::given(value);
            }
        }
        let over = parameters.follow.value + parameters.fabricate.value - 1.0;
        if over > 0.0 {
            // The probability to abstain would be negative, so the one that the file does not set is reduced.
            let reduced = match (overrides.follow, overrides.fabricate) {
                (None, _) => &mut parameters.follow,
                (_, None) => &mut parameters.fabricate,
                _ => anyhow::bail!("reader: follow and fabricate add up to more than 1"),
            };
            reduced.value = (reduced.value - over).max(0.0);
            reduced.tag = ParameterProvenance::Scenario;
            reduced.source = "what the scenario file leaves of 1".to_owned();
        }
        let (preset, by_field) = (preset.to_owned(), FieldRates::new());
        Ok(ReaderModel { preset, parameters, by_field, measured: None })
    }

    /// The rates at which a field is read: its own, and the reader's for all others.
    ///
    /// If `follow` and `fabricate` then add up to more than 1, the one that is not the field's own is reduced, or
    /// `fabricate` if both are.
    pub fn rates(&self, field: &str) -> ReaderRates {
        let mut rates = self.parameters.map(|parameter| parameter.value);
        let Some(own) = self.by_field.get(field) else { return rates };
        for &parameter in ReaderParameter::ALL {
            if let Some(value) = *own.get(parameter) {
                *rates.get_mut(parameter) = value;
            }
        }
        match own.fabricate {
            Some(fabricate) if own.follow.is_none() => {
                rates.follow = rates.follow.min(1.0 - fabricate);
            }
            _ => rates.fabricate = rates.fabricate.min(1.0 - rates.follow),
        }
        rates
    }

    /// Whether this reader can give every answer that `other` can, whichever field is read.
    pub fn contains_support_of(&self, other: &ReaderModel) -> bool {
        // An empty name stands for all fields without rates of their own.
        let fields = self.by_field.keys().chain(other.by_field.keys()).map(String::as_str);
        fields.chain([""]).all(|field| self.rates(field).contains_support_of(&other.rates(field)))
    }

    /// Moves a parameter to `value`. Where a field has a rate of its own, that rate moves by the same distance on the
    /// logit scale, so it ends at 0 or 1 where the parameter does; a rate that is 0 or 1 already stays. If the parameter
    /// was 0 or 1 itself, the distance is not defined, and the fields keep their rates.
    pub fn shift(&mut self, parameter: ReaderParameter, value: f64) {
        let pooled = &mut self.parameters.get_mut(parameter).value;
        let before = std::mem::replace(pooled, value);
        if value == before || !logit(before).is_finite() {
            return;
        }
        let by = logit(value) - logit(before);
        let own = self.by_field.values_mut().filter_map(|rates| rates.get_mut(parameter).as_mut());
        for rate in own.filter(|rate| logit(**rate).is_finite()) {
            *rate = 1.0 / (1.0 + (-logit(*rate) - by).exp());
        }
    }

    /// The parameters with their names, in the order of reports.
    pub fn listed_parameters(&self) -> Vec<SourcedParameter> {
        let all = ReaderParameter::ALL.iter();
        all.map(|&parameter| self.parameters.get(parameter).named(parameter.name())).collect()
    }

    /// By field: its own parameters, in the order of reports.
    fn field_parameters(&self) -> BTreeMap<&str, Vec<SourcedParameter>> {
        let sourced = |field: &str, parameter, value: f64| {
            let measured = self.measured.as_ref().and_then(|m| m.rate(parameter, Some(field)));
            // A value that the scenario gives in place of the measured one is its own.
            measured
                .filter(|rate| rate.value == value)
                .unwrap_or_else(|| SourcedValue::given(value))
        };
        let lists = self.by_field.iter().map(|(field, rates)| {
            let own = ReaderParameter::ALL.iter().filter_map(|&parameter| {
                let value = (*rates.get(parameter))?;
                Some(sourced(field, parameter, value).named(parameter.name()))
            });
            (field.as_str(), own.collect())
        });
        lists.collect()
    }
}

/// The logarithm of the odds of a probability.
fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}
