//! The kind `local`: a GGUF file that runs in this process.

use schemars::JsonSchema;
use serde::Deserialize;

use super::LanguageModelSource;
use super::prompts::{PromptEntry, PromptsEntry};
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;

/// The default of `max_tokens`: enough for a value, not for an essay.
const DEFAULT_MAX_TOKENS: usize = 48;
/// The upper limit of `max_tokens`.
const LARGEST_MAX_TOKENS: u32 = 4096;

/// Runs a GGUF file in this process.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct LocalReaderEntry {
    /// The name of a model that `knockon models pull` fetches, or the path of a GGUF file.
    model: Option<Spanned<String>>,
    /// The maximum number of tokens of an answer. Default: 48.
    max_tokens: Option<Spanned<u32>>,
    /// The file in which answers are recorded, relative to this file; `.jsonl.gz` is only replayed. Default:
    /// recordings/NAME.jsonl.
    pub recordings: Option<Spanned<String>>,
    /// The prompt. Default: a template of knockon's own.
    pub prompt: Option<Spanned<PromptEntry>>,
    /// Prompts by the type of the field, such as `date`, in place of `prompt`.
    pub prompts: Option<Spanned<PromptsEntry>>,
}

impl ScenarioResolver<'_> {
    pub(super) fn local_model(
        &mut self,
        name: &Spanned<String>,
        entry: &LocalReaderEntry,
    ) -> Option<LanguageModelSource> {
        if entry.model.is_none() {
            let message = format!("the reader `{}` has no `model`", name.value);
            let label = "kind local needs `model`: a GGUF file, or a name of `knockon models`";
            self.report_missing_setting(name.span.clone(), message, label);
        }
        let max_tokens =
            self.count_to("max_tokens", &entry.max_tokens, DEFAULT_MAX_TOKENS, LARGEST_MAX_TOKENS);
        Some(LanguageModelSource::Local { model: entry.model.as_ref()?.value.clone(), max_tokens })
    }
}
