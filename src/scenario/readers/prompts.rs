//! Prompt templates as written in the file.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::read::{ChatRole, PromptTemplate};
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::{NamedEntries, Spanned};

/// Templates by the type of the field that is read, such as `date`.
pub(in crate::scenario) type PromptsEntry = NamedEntries<Spanned<PromptEntry>>;

/// The messages of a prompt, with the syntax of Jinja. Variables: `question`, `field`, `type`, `form` (how the answer
/// is to be written), `passages`, `not_stated` (the answer if the passages do not state the value), `structured`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct PromptEntry {
    /// The message of the role `system`. Default: none.
    pub system: Option<Spanned<String>>,
    /// The message of the role `user`.
    pub user: Spanned<String>,
}

impl ScenarioResolver<'_> {
    /// The template that an entry describes; mistakes in its syntax and its names are reported.
    pub(super) fn prompt_template(
        &mut self,
        entry: &Spanned<PromptEntry>,
    ) -> Option<PromptTemplate> {
        let PromptEntry { system, user } = &entry.value;
        let system = system.as_ref().map(|text| (ChatRole::System, text.value.clone()));
        let messages = system.into_iter().chain([(ChatRole::User, user.value.clone())]);
        match PromptTemplate::new(messages.collect()) {
            Ok(template) => Some(template),
            Err(error) => {
                let message = format!("the prompt is not valid: {error}");
                let mistake = Diagnostic::new("template-syntax", entry.span.clone(), message);
                self.mistakes.push(mistake.label("a template with the syntax of Jinja"));
                None
            }
        }
    }
}
