//! What read the passages in an arm: a simulated reader with its rates, or a language model.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::scenario::{ArmReader, ScenarioArm};
use crate::session::Session;
use crate::step::reader::ReaderModel;
use crate::value::MoneyAmount;

/// The reader of an arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "there is one for each arm")]
pub enum ReaderRecord {
    /// Simulated with these rates.
    Simulated(ReaderModel),
    /// A language model whose real answers were used.
    Asked(AskedReaderRecord),
}

/// A language model, and what was used of its recorded answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AskedReaderRecord {
    /// The name in the scenario.
    pub reader: String,
    /// `chat` or `local`.
    pub kind: &'static str,
    /// The model, as its recordings name it.
    pub model: String,
    /// Its settings.
    pub settings: Map<String, Json>,
    /// The distinct prompts of the whole run.
    pub reads: usize,
    /// The times of the first and the last answer, in UTC.
    pub answered: Option<(String, String)>,
    /// The time that the answers took when they were recorded.
    pub seconds: f64,
    pub tokens_in: u64,
    pub tokens_out: u64,
    /// What the answers cost, if the scenario has prices.
    pub cost: Option<MoneyAmount>,
}

impl ReaderRecord {
    /// The reader of an arm, after its last reading.
    ///
    /// # Errors
    /// As [`ReaderModel::new`].
    pub fn of_arm(session: &Session, arm: &ScenarioArm) -> anyhow::Result<ReaderRecord> {
        let at = match &arm.reader {
            ArmReader::Simulated(settings) => {
                let model = ReaderModel::of_settings(settings)?;
                return Ok(ReaderRecord::Simulated(model));
            }
            ArmReader::Asked(at) => *at,
        };
        let declared = &session.scenario().readers[at];
        let usage = session.reader_usage(at);
        let identity = usage.identity;
        Ok(ReaderRecord::Asked(AskedReaderRecord {
            reader: declared.name.clone(),
            kind: declared.source.kind(),
            model: identity
                .as_ref()
                .map_or_else(|| declared.source.model().to_owned(), |known| known.model.clone()),
            settings: identity.map(|known| known.settings).unwrap_or_default(),
            reads: usage.reads,
            answered: usage.dates,
            // Rounded to a millisecond, as recordings are.
            seconds: (usage.seconds * 1e3).round() / 1e3,
            tokens_in: usage.tokens_in,
            tokens_out: usage.tokens_out,
            cost: usage.cost,
        }))
    }
}
