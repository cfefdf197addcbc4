//! Everything that determines the result of a training run, as recorded in `training.json` and in checkpoints.

use serde::Serialize;
use serde_json::Value;

use super::data::TrainingTexts;
use super::recipe::{TuningArm, TuningRecipe};
use crate::world::triplet::TextTriplet;

/// Incremented when the same settings give different numbers.
const ENGINE: u32 = 1;

/// All settings of one arm.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingSettings<'a> {
    pub engine: u32,
    pub arm: TuningArm,
    pub base: TrainingBaseModel<'a>,
    pub recipe: &'a TuningRecipe,
    pub structural: Option<TrainingDataSummary>,
    pub rehearsal: TrainingDataSummary,
}

/// The base model.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingBaseModel<'a> {
    pub model: &'a str,
    /// A hash of weights, tokenizer and configuration.
    pub hash: &'a str,
    /// Whether the bundled int8 weights were tuned.
    pub from_int8: bool,
}

/// A summary of a set of pairs.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingDataSummary {
    pub pairs: usize,
    /// The number of pairs in each category, sorted by name.
    pub categories: std::collections::BTreeMap<String, usize>,
    /// A hash of the texts.
    pub blake3: String,
}

impl TrainingDataSummary {
    fn of(triplets: &[TextTriplet]) -> anyhow::Result<Self> {
        let mut categories = std::collections::BTreeMap::new();
        for triplet in triplets {
            *categories.entry(triplet.category.clone()).or_default() += 1;
        }
        Ok(Self { pairs: triplets.len(), categories, blake3: TrainingTexts::hash(triplets)? })
    }
}

impl<'a> TrainingSettings<'a> {
    /// The control arm records no structural triplets, since it does not use them.
    pub fn new(
        arm: TuningArm,
        base: TrainingBaseModel<'a>,
        recipe: &'a TuningRecipe,
        texts: &TrainingTexts,
    ) -> anyhow::Result<Self> {
        let structural = match arm {
            TuningArm::Structural => Some(TrainingDataSummary::of(&texts.structural)?),
            TuningArm::Control => None,
        };
        let rehearsal = TrainingDataSummary::of(&texts.rehearsal)?;
        Ok(Self { engine: ENGINE, arm, base, recipe, structural, rehearsal })
    }

    /// The differences between the recorded settings `found` and these, as `field: there, here`, in order.
    pub fn differences(&self, found: &Value) -> Vec<String> {
        let mut out = Vec::new();
        compare("", found, &serde_json::json!(self), &mut out);
        out
    }
}

// Only the keys of these settings are compared, so that a record may hold further keys.
fn compare(at: &str, there: &Value, here: &Value, out: &mut Vec<String>) {
    if let (Value::Object(a), Value::Object(b)) = (there, here) {
        for (key, here) in b {
            let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            compare(&at, a.get(key).unwrap_or(&Value::Null), here, out);
        }
    } else if there != here {
        out.push(format!("{at}: {there} there, {here} here"));
    }
}
