//! The section `readers`: language models that really read the passages, and simulated readers with measured rates, by
//! name. Nothing is opened or sent here.

mod chat;
mod entry;
mod local;
mod measured;
mod prompts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostics::Diagnostic;
use super::file::ScenarioFile;
use super::resolve::ScenarioResolver;
use super::spanned_de::Spanned;
use super::{ArmReader, ReaderSettings};
use crate::read::{ChatEndpointSpec, PromptTemplate, ReadField};
use crate::value::ValueType;

pub(super) use entry::{LanguageReaderEntry, ReaderChoiceEntry};
pub use measured::{MEASURED_READER_FORMAT, MeasuredRate, MeasuredReader, MeasuredValidation};
use prompts::{PromptEntry, PromptsEntry};

/// A declared reader: a language model, its prompts and its recordings.
#[derive(Clone, Debug)]
pub struct ReaderDeclaration {
    pub name: String,
    pub source: LanguageModelSource,
    pub prompts: ReaderPrompts,
    /// The file in which its answers are recorded, as named in the scenario, and its path.
    pub recordings: (String, PathBuf),
}

/// Where a language model runs.
#[derive(Clone, Debug)]
pub enum LanguageModelSource {
    /// Behind an endpoint with OpenAI's chat API.
    Chat(Box<ChatEndpointSpec>),
    /// In this process.
    Local {
        /// The name of a model that can be pulled, or the path of a GGUF file.
        model: String,
        /// The maximum number of tokens of an answer.
        max_tokens: usize,
    },
}

impl LanguageModelSource {
    /// The name of the kind in scenarios.
    pub fn kind(&self) -> &'static str {
        match self {
            LanguageModelSource::Chat(_) => "chat",
            LanguageModelSource::Local { .. } => "local",
        }
    }

    /// The name of the model as the scenario gives it.
    pub fn model(&self) -> &str {
        match self {
            LanguageModelSource::Chat(spec) => &spec.model,
            LanguageModelSource::Local { model, .. } => model,
        }
    }
}

/// The prompt templates of a reader.
#[derive(Clone, Debug)]
pub struct ReaderPrompts {
    default: PromptTemplate,
    /// Those for fields of one type, in place of the default.
    by_type: BTreeMap<&'static str, PromptTemplate>,
}

impl ReaderPrompts {
    /// The template for a field.
    pub fn template(&self, field: &ReadField) -> &PromptTemplate {
        self.by_type.get(field.ty.name()).unwrap_or(&self.default)
    }
}

/// An entry of the section, resolved.
#[derive(Clone, Debug)]
pub(super) enum ResolvedReader {
    Asked(Box<ReaderDeclaration>),
    Measured(Arc<MeasuredReader>),
}

/// The reader at an index of the section: a language model by its index among these.
pub(super) fn arm_reader(readers: &[Option<ResolvedReader>], at: usize) -> Option<ArmReader> {
    let is_asked =
        |reader: &&Option<ResolvedReader>| matches!(reader, Some(ResolvedReader::Asked(_)));
    Some(match readers.get(at)?.as_ref()? {
        ResolvedReader::Asked(_) => ArmReader::Asked(readers[..at].iter().filter(is_asked).count()),
        ResolvedReader::Measured(measured) => {
            ArmReader::Simulated(ReaderSettings::of_measured(measured))
        }
    })
}

impl ScenarioResolver<'_> {
    /// All readers in file order; `None` where an entry is wrong.
    pub fn readers(&mut self, file: &ScenarioFile) -> Vec<Option<ResolvedReader>> {
        let names = self.section_keys("readers");
        let mut readers: Vec<Option<ResolvedReader>> = names.iter().map(|_| None).collect();
        for (name, entry) in &file.readers.0 {
            let reader = self.declared_reader(name, entry);
            if let Some(at) = names.iter().position(|known| *known == name.value) {
                readers[at] = reader;
            }
        }
        readers
    }

    fn declared_reader(
        &mut self,
        name: &Spanned<String>,
        entry: &LanguageReaderEntry,
    ) -> Option<ResolvedReader> {
        if name.value.trim().is_empty() {
            let mistake = Diagnostic::new("bad-name", name.span.clone(), "a reader has no name");
            self.mistakes.push(mistake.label("reports identify the reader by this"));
        }
        let (source, prompt, prompts, recordings) = match entry {
            LanguageReaderEntry::Chat(chat) => {
                (self.chat_model(name, chat), &chat.prompt, &chat.prompts, &chat.recordings)
            }
            LanguageReaderEntry::Measured(measured) => {
                return self.measured_reader(measured).map(ResolvedReader::Measured);
            }
            LanguageReaderEntry::Local(local) => {
                (self.local_model(name, local), &local.prompt, &local.prompts, &local.recordings)
            }
        };
        let structured = matches!(&source, Some(LanguageModelSource::Chat(spec))
            if spec.structured != crate::read::StructuredOutput::None);
        let prompts = self.reader_prompts(prompt, prompts, structured);
        let recordings_entry = recordings.as_ref();
        let recordings = match recordings {
            Some(written) => written.value.clone(),
            None => format!("recordings/{}.jsonl", name.value),
        };
        let path = self.source.simplified(&self.dir.join(&recordings));
        if let Some(written) = recordings_entry {
            self.check_recordings(written, &path);
        }
        Some(ResolvedReader::Asked(Box::new(ReaderDeclaration {
            name: name.value.clone(),
            source: source?,
            prompts: prompts?,
            recordings: (recordings, path),
        })))
    }

    /// Reports a place where no answers can be recorded.
    fn check_recordings(&mut self, written: &Spanned<String>, path: &Path) {
        let label = "the file in which answers are recorded, such as recordings/reader.jsonl";
        if written.value.trim().is_empty() {
            let message = "`recordings` is empty";
            let mistake = Diagnostic::new("empty-value", written.span.clone(), message);
            self.mistakes.push(mistake.label(label));
        } else if self.source.is_folder(path) {
            let message = format!("`{}` is a folder", written.value);
            let mistake = Diagnostic::new("missing-file", written.span.clone(), message);
            self.mistakes.push(mistake.label(label));
        }
    }

    fn reader_prompts(
        &mut self,
        prompt: &Option<Spanned<PromptEntry>>,
        by_type: &Option<Spanned<PromptsEntry>>,
        structured: bool,
    ) -> Option<ReaderPrompts> {
        let default = match prompt {
            Some(prompt) => self.prompt_template(prompt),
            None => Some(PromptTemplate::default()),
        };
        let mut templates = BTreeMap::new();
        for (name, entry) in by_type.iter().flat_map(|by_type| &by_type.value.0) {
            let template = self.prompt_template(entry);
            let types: Vec<String> = ValueType::ALL.map(|ty| ty.name().to_owned()).into();
            let ty = self.resolve_name("type", "unknown-field", name, &types);
            if let (Some(ty), Some(template)) = (ty, template) {
                templates.insert(ValueType::ALL[ty].name(), template.structured(structured));
            }
        }
        Some(ReaderPrompts { default: default?.structured(structured), by_type: templates })
    }
}
