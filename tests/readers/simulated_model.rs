//! A model that reads as the simulated reader does: every prompt gets one of the answers that the simulated reader gives
//! with positive probability, drawn by a hash of the prompt.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use knockon::calibrate::{ObservedAnswer, simulate_answer};
use knockon::expr::CorpusIndex;
use knockon::scenario::{PipelineStepKind, Scenario};
use knockon::step::oracle;
use knockon::step::reader::{FieldReading, ReaderRates, ValuePool};

use crate::support::scenarios::load;

/// The prompt that this model understands, as a setting of a reader: the field, the question, then the passages, each in
/// double brackets.
pub const PROMPT: &str = r#"prompt: {user: "{{ field }}\n{{ question }}\n{% for p in passages %}<<{{ p }}>>\n{% endfor %}"}"#;

/// What it says for an answer that is no value and does not say that there is none.
pub const UNPARSABLE: &str = "12 Foos or 13 Bars, on 31 February";

pub struct SimulatedModel {
    scenario: Scenario,
    rates: ReaderRates,
    /// By text, which several passages may have.
    passages: BTreeMap<String, Vec<u32>>,
    /// By field and question.
    gold: BTreeMap<(String, String), BTreeSet<u32>>,
    pools: BTreeMap<String, ValuePool>,
}

impl SimulatedModel {
    /// A model for the readings of a scenario with one corpus.
    pub fn new(path: &Path, rates: ReaderRates) -> SimulatedModel {
        let scenario = load(path);
        let corpus = &scenario.corpora[0];
        let mut passages: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (passage, at) in corpus.passages.iter().zip(0..) {
            passages.entry(passage.text.trim().to_owned()).or_default().push(at);
        }
        let indices: Vec<CorpusIndex> = scenario.corpora.iter().map(CorpusIndex::new).collect();
        let (mut gold, mut pools) = (BTreeMap::new(), BTreeMap::new());
        for task in &scenario.tasks.tasks {
            let right = oracle::run(&scenario, &scenario.arms[0], &indices, task).unwrap();
            for (at, step) in scenario.steps.iter().enumerate() {
                let PipelineStepKind::Read { from, field } = &step.kind else { continue };
                let question = scenario.questions[at].as_ref().unwrap().for_task(task).question;
                let of_step = right.gold[*from].clone();
                let known = gold.insert((field.clone(), question), of_step.clone());
                assert!(known.is_none_or(|known| known == of_step), "a question has two answers");
                pools.entry(field.clone()).or_insert_with(|| ValuePool::for_field(corpus, field));
            }
        }
        SimulatedModel { scenario, rates, passages, gold, pools }
    }

    /// The answer to a prompt in the form of [`PROMPT`].
    pub fn answer(&self, prompt: &str) -> String {
        let hash = blake3::hash(prompt.as_bytes());
        let bits = u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap());
        let quantile = (bits >> 11) as f64 / (1u64 << 53) as f64;
        let mut lines = prompt.splitn(3, '\n');
        let (field, question) = (lines.next().unwrap(), lines.next().unwrap());
        let key = (field.to_owned(), question.to_owned());
        let gold = self.gold.get(&key).unwrap_or_else(|| panic!("nobody asks {key:?}"));
        let passage = |text: &str| {
            let same = &self.passages[text.split(">>").next().unwrap().trim()];
            // Of passages with the same text, the model cannot know that one of them is not meant.
            *same.iter().find(|passage| gold.contains(passage)).unwrap_or(&same[0])
        };
        let context: Vec<u32> =
            lines.next().unwrap_or_default().split("<<").skip(1).map(passage).collect();
        let reading = FieldReading {
            corpus: &self.scenario.corpora[0],
            gold,
            field,
            pool: &self.pools[field],
            context: &context,
        };
        match simulate_answer(&reading, &self.rates, quantile) {
            ObservedAnswer::Value(value) => value.to_string(),
            ObservedAnswer::NotStated => "NOT STATED".to_owned(),
            ObservedAnswer::Unparsable => UNPARSABLE.to_owned(),
        }
    }
}
