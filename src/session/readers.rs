//! The language models of a scenario, each opened when it is first needed, with their recordings. A prompt that is
//! recorded is never sent again, and none is sent where only recordings may be used.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, bail};

use super::SessionScenario;
use crate::compile::reading_answers::{ReaderSource, UnansweredReading};
use crate::embed::model_paths::reader_file;
use crate::environment::Environment;
use crate::progress::ProgressListener;
use crate::read::{
    self, ChatEndpoint, ChatPrompt, LanguageModel, LocalLanguageModel, RawModelAnswer,
    ReaderModelIdentity, Recording, recording_key,
};
use crate::scenario::{LanguageModelSource, ReaderDeclaration};
use crate::value::MoneyAmount;

/// Whether language models may be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadingMode {
    /// What is not recorded is asked and recorded.
    #[default]
    Ask,
    /// What is not recorded is an error.
    ReplayOnly,
}

/// The readers of a session.
pub struct SessionReaders<'a> {
    scenario: SessionScenario<'a>,
    progress: &'a dyn ProgressListener,
    environment: Environment,
    mode: Cell<ReadingMode>,
    /// How many more prompts may be asked; `None`: any number.
    budget: Cell<Option<usize>>,
    /// By reader.
    opened: RefCell<Vec<Option<OpenedReader>>>,
}

/// A reader with its recording.
struct OpenedReader {
    identity: ReaderModelIdentity,
    /// `None` while only recordings are needed.
    model: Option<Box<dyn LanguageModel>>,
    recording: Recording,
    /// What was wrong with the recording's last line.
    note: Option<String>,
    /// Whether the recording is open for appending.
    appends: bool,
    /// The keys of all entries that were used.
    used: BTreeSet<String>,
}

/// What a run used of a reader.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReaderUsage {
    /// The model and its settings, once it is opened.
    pub identity: Option<ReaderModelIdentity>,
    /// Distinct prompts.
    pub reads: usize,
    /// The dates of the first and the last answer, in UTC.
    pub dates: Option<(String, String)>,
    /// The time that the answers took when they were recorded.
    pub seconds: f64,
    /// The tokens of all prompts, as far as the service reports them.
    pub tokens_in: u64,
    /// The tokens of all answers, as far as the service reports them.
    pub tokens_out: u64,
    /// What they cost, if the scenario has prices.
    pub cost: Option<MoneyAmount>,
}

impl<'a> SessionReaders<'a> {
    /// Opens nothing yet.
    pub fn new(
        scenario: SessionScenario<'a>,
        progress: &'a dyn ProgressListener,
        environment: Environment,
    ) -> SessionReaders<'a> {
        let opened = RefCell::new(scenario.readers.iter().map(|_| None).collect());
        let (mode, budget) = (Cell::default(), Cell::default());
        SessionReaders { scenario, progress, environment, mode, budget, opened }
    }

    /// Replaces the progress listener; nothing is open afterwards.
    pub fn with_progress(self, progress: &'a dyn ProgressListener) -> SessionReaders<'a> {
        let (mode, budget) = (self.mode.get(), self.budget.get());
        let readers = SessionReaders::new(self.scenario, progress, self.environment);
        readers.with_mode(mode).with_budget(budget)
    }

    /// Replaces the environment; nothing is open afterwards.
    pub fn with_environment(self, environment: Environment) -> SessionReaders<'a> {
        let (mode, budget) = (self.mode.get(), self.budget.get());
        let readers = SessionReaders::new(self.scenario, self.progress, environment);
        readers.with_mode(mode).with_budget(budget)
    }

    pub fn with_mode(self, mode: ReadingMode) -> SessionReaders<'a> {
        self.mode.set(mode);
        self
    }

    /// Allows at most this many prompts to be asked.
    pub fn with_budget(self, budget: Option<usize>) -> SessionReaders<'a> {
        self.budget.set(budget);
        self
    }

    /// The parts from which the readers of a changed scenario are made.
    pub fn into_parts(self) -> (Environment, ReadingMode, Option<usize>) {
        (self.environment, self.mode.get(), self.budget.get())
    }

    /// Notes for the user on the recordings so far.
    pub fn notes(&self) -> Vec<String> {
        let opened = self.opened.borrow();
        opened.iter().flatten().filter_map(|open| open.note.clone()).collect()
    }

    /// Checks that a reader can answer something: it has recorded answers, or what its model needs is here. Nothing is
    /// sent, and no model is loaded.
    ///
    /// # Errors
    /// The setting of the reader that is wrong, and why.
    pub fn check_ready(&self, reader: usize) -> Result<(), (&'static str, anyhow::Error)> {
        let declared = &self.scenario.readers[reader];
        let path = &declared.recordings.1;
        let recording = match path.exists() {
            true => Recording::replay(path).map_err(|error| ("recordings", error))?,
            false => Recording::default(),
        };
        match &declared.source {
            LanguageModelSource::Local { model, max_tokens } => {
                match (self.local_file(model), recorded_identity(&recording, *max_tokens)) {
                    (Err(error), None) => Err(("model", error)),
                    _ => Ok(()),
                }
            }
            LanguageModelSource::Chat(spec) if recording.entries().len() == 0 => {
                let endpoint = ChatEndpoint::new((**spec).clone(), &self.environment);
                let endpoint = endpoint.map_err(|error| ("url", error))?;
                endpoint.check_secrets().map_err(|error| ("api_key_env", error))
            }
            LanguageModelSource::Chat(_) => Ok(()),
        }
    }

    /// The GGUF file of a local model.
    fn local_file(&self, model: &str) -> anyhow::Result<PathBuf> {
        let file = self.scenario.path.parent().map(|dir| dir.join(model));
        match file.filter(|file| file.is_file()) {
            Some(file) => Ok(file),
            None => reader_file(model, &self.environment),
        }
    }

    /// What was used of a reader so far.
    pub fn usage(&self, reader: usize) -> ReaderUsage {
        let opened = self.opened.borrow();
        let Some(OpenedReader { identity, recording, used, .. }) = &opened[reader] else {
            return ReaderUsage::default();
        };
        let mut usage = ReaderUsage {
            identity: Some(identity.clone()),
            reads: used.len(),
            ..ReaderUsage::default()
        };
        for entry in used.iter().filter_map(|key| recording.get(key)) {
            let dates = usage.dates.get_or_insert((entry.date.clone(), entry.date.clone()));
            dates.0 = dates.0.clone().min(entry.date.clone());
            dates.1 = dates.1.clone().max(entry.date.clone());
            usage.seconds += entry.seconds;
            usage.tokens_in += entry.tokens_in.unwrap_or(0);
            usage.tokens_out += entry.tokens_out.unwrap_or(0);
            if let Some(cost) = &entry.cost {
                match &mut usage.cost {
                    Some(sum) if sum.currency == cost.currency => sum.amount += cost.amount,
                    Some(_) => {}
                    none => *none = Some(cost.clone()),
                }
            }
        }
        usage
    }

    /// The mean time of a recorded answer in seconds and its mean cost; `None` if nothing is recorded.
    pub fn mean_effort(&self, reader: usize) -> Option<(f64, Option<MoneyAmount>)> {
        let opened = self.opened.borrow();
        let recording = &opened[reader].as_ref()?.recording;
        let count = recording.entries().len();
        if count == 0 {
            return None;
        }
        let seconds: f64 = recording.entries().map(|entry| entry.seconds).sum();
        let costs = recording.entries().filter_map(|entry| entry.cost.as_ref());
        let cost = costs.fold(None, |sum: Option<MoneyAmount>, cost| match sum {
            Some(sum) => Some(MoneyAmount { amount: sum.amount + cost.amount, ..sum }),
            None => Some(cost.clone()),
        });
        let cost = cost.map(|sum| MoneyAmount { amount: sum.amount / count as f64, ..sum });
        Some((seconds / count as f64, cost))
    }

    fn open(&self, reader: usize) -> anyhow::Result<()> {
        if self.opened.borrow()[reader].is_some() {
            return Ok(());
        }
        let declared = &self.scenario.readers[reader];
        let path = &declared.recordings.1;
        let recording = match path.exists() {
            true => Recording::replay(path)?,
            false => Recording::default(),
        };
        let (identity, model) = self.identity(declared, &recording)?;
        self.opened.borrow_mut()[reader] = Some(OpenedReader {
            identity,
            model,
            note: recording.dropped().map(str::to_owned),
            recording,
            appends: false,
            used: BTreeSet::new(),
        });
        Ok(())
    }

    /// The identity of a reader's model, and the model if it had to be opened for that.
    fn identity(
        &self,
        declared: &ReaderDeclaration,
        recording: &Recording,
    ) -> anyhow::Result<(ReaderModelIdentity, Option<Box<dyn LanguageModel>>)> {
        match self.model(declared) {
            Ok(model) => Ok((model.identity().clone(), Some(model))),
            // Without its file, a local model is known by its recording if that has only one.
            Err(error) => {
                let LanguageModelSource::Local { max_tokens, .. } = &declared.source else {
                    return Err(error);
                };
                let recorded = recorded_identity(recording, *max_tokens);
                recorded.map(|identity| (identity, None)).ok_or(error)
            }
        }
    }

    fn model(&self, declared: &ReaderDeclaration) -> anyhow::Result<Box<dyn LanguageModel>> {
        Ok(match &declared.source {
            LanguageModelSource::Chat(spec) => {
                Box::new(ChatEndpoint::new((**spec).clone(), &self.environment)?)
            }
            LanguageModelSource::Local { model, max_tokens } => {
                Box::new(LocalLanguageModel::open(&self.local_file(model)?, *max_tokens)?)
            }
        })
    }

    /// Asks for the prompts that are not recorded.
    fn ask(&self, reader: usize, prompts: &[ChatPrompt]) -> anyhow::Result<()> {
        let declared = &self.scenario.readers[reader];
        if let Some(budget) = self.budget.get() {
            let left = budget.checked_sub(prompts.len()).with_context(|| {
                format!(
                    "{} more readings are needed, but --max-reads allows only {budget} more: wrong answers led to \
                     readings that no estimate knew of. Raise --max-reads, or repeat the command: it goes on with \
                     what was recorded",
                    prompts.len()
                )
            })?;
            self.budget.set(Some(left));
        }
        let mut opened = self.opened.borrow_mut();
        let Some(open) = opened[reader].as_mut() else { bail!("the reader is not open") };
        if open.model.is_none() {
            open.model = Some(self.model(declared)?);
        }
        if !open.appends {
            open.recording = Recording::open(&declared.recordings.1)?;
            open.appends = true;
        }
        let model = open.model.as_deref().context("the reader has no model")?;
        let work = self.progress.start(&format!("{} reads", declared.name), prompts.len());
        self.progress.check()?;
        let done = |count| work.advance(count);
        read::answer_prompts(model, &mut open.recording, prompts, &done)
            .with_context(|| format!("the reader {}", declared.name))?;
        Ok(())
    }
}

/// The identity of a local model whose file is not here: that of its recording, if it has only one.
fn recorded_identity(recording: &Recording, max_tokens: usize) -> Option<ReaderModelIdentity> {
    let mut identities: Vec<ReaderModelIdentity> = Vec::new();
    for entry in recording.entries() {
        let limit = entry.settings.get("max_tokens").and_then(|n| n.as_u64());
        let identity = entry.identity();
        if limit == Some(max_tokens as u64) && !identities.contains(&identity) {
            identities.push(identity);
        }
    }
    match identities.len() {
        1 => identities.pop(),
        _ => None,
    }
}

impl ReaderSource for SessionReaders<'_> {
    fn answers(
        &self,
        reader: usize,
        prompts: &[ChatPrompt],
        unrecorded: UnansweredReading,
    ) -> anyhow::Result<Vec<Option<Vec<RawModelAnswer>>>> {
        let name = &self.scenario.readers[reader].name;
        self.open(reader).with_context(|| format!("the reader {name}"))?;
        let (keys, missing) = {
            let opened = self.opened.borrow();
            let open = opened[reader].as_ref().context("the reader is not open")?;
            let keys = prompts.iter().map(|prompt| recording_key(&open.identity, prompt));
            let keys: Vec<String> = keys.collect();
            let missing = prompts.iter().zip(&keys);
            let missing = missing.filter(|(_, key)| open.recording.get(key).is_none());
            let missing: Vec<ChatPrompt> = missing.map(|(prompt, _)| prompt.clone()).collect();
            if let (Some(first), UnansweredReading::Ask, ReadingMode::ReplayOnly) =
                (missing.first(), unrecorded, self.mode.get())
            {
                open.recording.find(&open.identity, first).with_context(|| {
                    let file = &self.scenario.readers[reader].recordings.0;
                    format!(
                        "the reader {name}: {} of {} prompts are not in {file}, and only recordings may be used; \
                         `knockon record` adds them",
                        missing.len(),
                        prompts.len()
                    )
                })?;
            }
            (keys, missing)
        };
        if unrecorded == UnansweredReading::Ask && !missing.is_empty() {
            // Prompts with the same beginning follow one another, which a model's cache of prefixes rewards.
            let mut sorted = missing;
            sorted.sort_by_cached_key(|prompt| {
                prompt.messages.iter().map(|message| message.content.clone()).collect::<Vec<_>>()
            });
            // Readings of several steps or corpora may have the same prompt, which counts once.
            sorted.dedup();
            self.ask(reader, &sorted)?;
        }
        let mut opened = self.opened.borrow_mut();
        let open = opened[reader].as_mut().context("the reader is not open")?;
        let mut answers = Vec::with_capacity(prompts.len());
        for key in keys {
            let entry = open.recording.get(&key);
            answers.push(entry.map(|entry| entry.answers.clone()));
            // An estimate looks at answers that the runs themselves may not need.
            if entry.is_some() && unrecorded == UnansweredReading::Ask {
                open.used.insert(key);
            }
        }
        Ok(answers)
    }
}
