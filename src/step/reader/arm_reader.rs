//! What reads in an arm: a simulated reader, or a language model.

use super::{ReaderModel, ReaderRates};
use crate::scenario::{ArmReader, ScenarioArm};

/// The reader of an arm.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each arm")]
pub enum ArmReaderModel {
    Simulated(ReaderModel),
    /// A language model whose answers are looked up: an index into the scenario's readers.
    Asked(usize),
}

impl ArmReaderModel {
    /// # Errors
    /// As [`ReaderModel::new`].
    pub fn of_arm(arm: &ScenarioArm) -> anyhow::Result<ArmReaderModel> {
        Ok(match &arm.reader {
            ArmReader::Simulated(settings) => {
                ArmReaderModel::Simulated(ReaderModel::of_settings(settings)?)
            }
            ArmReader::Asked(reader) => ArmReaderModel::Asked(*reader),
        })
    }

    /// The rates at which a field is read; all zero for a language model, whose rows do not depend on rates.
    pub fn rates(&self, field: &str) -> ReaderRates {
        match self {
            ArmReaderModel::Simulated(reader) => reader.rates(field),
            ArmReaderModel::Asked(_) => ReaderRates::default(),
        }
    }

    /// Whether this reader can give every answer that `other` can, whichever field is read.
    pub fn contains_support_of(&self, other: &ArmReaderModel) -> bool {
        match (self, other) {
            (ArmReaderModel::Simulated(own), ArmReaderModel::Simulated(other)) => {
                own.contains_support_of(other)
            }
            _ => self == other,
        }
    }
}
