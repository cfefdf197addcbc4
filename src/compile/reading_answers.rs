//! What language models answer in the readings of a run. Each distinct reading is asked for once, between two passes
//! over the rows of a step: never while a row is compiled.
//!
//! Which passages a step reads is known only when its rows are compiled, since retries of guards search again. So the
//! rows are compiled until no reading is missing: a reading without an answer is noted, stands for an abstention, and
//! is asked for before the next pass.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::read::{ChatPrompt, ParsedAnswer, RawModelAnswer};
use crate::scenario::Scenario;
use crate::step::reader::ReaderReply;
use crate::world::Task;

/// A reading that a language model is asked for. Tasks with the same question share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReadingKey {
    /// Index into [`Scenario::readers`].
    pub reader: usize,
    pub step: usize,
    pub corpus: usize,
    pub question: String,
    /// Best first.
    pub context: Box<[u32]>,
}

/// What happens with a reading that has no answer yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnansweredReading {
    /// The language model is asked.
    #[default]
    Ask,
    /// It counts as read without an error, and is counted: for an estimate of the number of readings.
    AssumeRight,
    /// It counts as read without an error, even if its answer is recorded: which readings there are then does not
    /// depend on answers.
    AssumeAllRight,
}

/// Asks a reader of the scenario, by its index: the answers to each prompt with their number among the samples, or
/// `None` for prompts that are not recorded and need not be asked.
pub trait ReaderSource {
    /// # Errors
    /// A model that cannot be opened or asked, a prompt that is not recorded where only recordings may be used.
    fn answers(
        &self,
        reader: usize,
        prompts: &[ChatPrompt],
        unrecorded: UnansweredReading,
    ) -> anyhow::Result<Vec<Option<Vec<RawModelAnswer>>>>;
}

/// The answers to all readings so far.
pub struct ReadingAnswers {
    policy: UnansweredReading,
    known: RwLock<HashMap<ReadingKey, KnownReading>>,
    missing: Mutex<BTreeSet<ReadingKey>>,
    /// By task id: its readings.
    by_task: Mutex<BTreeMap<String, BTreeSet<ReadingKey>>>,
}

/// What is known about a reading.
#[derive(Clone, Debug)]
pub enum KnownReading {
    Answered(Arc<[ReaderReply]>),
    /// It counts as read without an error.
    AssumedRight,
}

impl ReadingAnswers {
    pub fn new(policy: UnansweredReading) -> ReadingAnswers {
        ReadingAnswers {
            policy,
            known: RwLock::default(),
            missing: Mutex::default(),
            by_task: Mutex::default(),
        }
    }

    /// What is known about a reading of a task; `None` if nothing is yet, and then it is missing.
    pub fn get(&self, task: &Task, key: ReadingKey) -> Option<KnownReading> {
        {
            let mut by_task = self.by_task.lock().unwrap_or_else(PoisonError::into_inner);
            by_task.entry(task.id.clone()).or_default().insert(key.clone());
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = known.get(&key) {
            return Some(reading.clone());
        }
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        None
    }

    /// The readings of each task, by its id, since this was last called.
    pub fn take_by_task(&self) -> BTreeMap<String, BTreeSet<ReadingKey>> {
        std::mem::take(&mut *self.by_task.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All readings so far, in order.
    pub fn all(&self) -> Vec<(ReadingKey, KnownReading)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = known.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Asks for the readings that are missing; `false` if none is.
    ///
    /// # Errors
    /// Those of [`ReaderSource::answers`], and a prompt that cannot be rendered.
    pub fn ask_missing(
        &self,
        scenario: &Scenario,
        source: &dyn ReaderSource,
    ) -> anyhow::Result<bool> {
        let missing: Vec<ReadingKey> = {
            let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *missing).into_iter().collect()
        };
        if missing.is_empty() {
            return Ok(false);
        }
        for of_reader in missing.chunk_by(|a, b| a.reader == b.reader) {
            let answers = match self.policy {
                UnansweredReading::AssumeAllRight => vec![None; of_reader.len()],
                UnansweredReading::Ask | UnansweredReading::AssumeRight => {
                    let prompts = of_reader.iter().map(|key| prompt(scenario, key));
                    let prompts = prompts.collect::<anyhow::Result<Vec<ChatPrompt>>>()?;
                    source.answers(of_reader[0].reader, &prompts, self.policy)?
                }
            };
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            for (key, raw) in of_reader.iter().zip(answers) {
                let reading = match raw {
                    Some(raw) => KnownReading::Answered(replies(scenario, key, &raw)),
                    None => KnownReading::AssumedRight,
                };
                known.insert(key.clone(), reading);
            }
        }
        Ok(true)
    }
}

/// The prompt of a reading.
///
/// # Errors
/// A template that cannot be rendered.
pub fn prompt(scenario: &Scenario, key: &ReadingKey) -> anyhow::Result<ChatPrompt> {
    let asked = scenario.questions[key.step].as_ref();
    let asked = asked.ok_or_else(|| anyhow::anyhow!("the step reads nothing"))?;
    let field = crate::read::ReadField { question: key.question.clone(), ..asked.field.clone() };
    let passages = &scenario.corpora[key.corpus].passages;
    let texts: Vec<&str> =
        key.context.iter().map(|&passage| passages[passage as usize].text.as_str()).collect();
    scenario.readers[key.reader].prompts.template(&field).prompt(&field, &texts)
}

/// The question of a task at a step.
pub(super) fn question(scenario: &Scenario, step: usize, task: &Task) -> String {
    let asked = scenario.questions[step].as_ref();
    asked.map(|asked| asked.for_task(task).question).unwrap_or_default()
}

/// The distinct parsed answers with their shares.
pub fn replies(
    scenario: &Scenario,
    key: &ReadingKey,
    raw: &[RawModelAnswer],
) -> Arc<[ReaderReply]> {
    let total: u32 = raw.iter().map(|answer| answer.count).sum();
    let mut replies: Vec<ReaderReply> = Vec::new();
    for answer in raw {
        let parsed = match &scenario.questions[key.step] {
            Some(asked) => asked.parse_answer(answer),
            None => ParsedAnswer::Unparsable("the step reads nothing".to_owned()),
        };
        let share = f64::from(answer.count) / f64::from(total.max(1));
        match replies.iter_mut().find(|reply| reply.answer == parsed) {
            Some(reply) => reply.share += share,
            None => replies.push(ReaderReply { answer: parsed, share }),
        }
    }
    replies.into()
}
