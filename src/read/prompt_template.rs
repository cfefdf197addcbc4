//! Prompt templates: turn a field and its passages into a prompt, with minijinja (the syntax of Jinja).

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::field::{NOT_STATED, ReadField};
use super::prompt::{ChatMessage, ChatPrompt, ChatRole};
use crate::expr::suggest;

/// The variables of a template.
const VARIABLES: [&str; 7] =
    ["question", "field", "type", "form", "passages", "not_stated", "structured"];
/// Names that the template language defines itself.
const BUILTIN_NAMES: [&str; 5] = ["range", "dict", "debug", "namespace", "loop"];

const SYSTEM: &str = "\
You answer one question from the passages you are given. Use only what they state.
{% if structured %}Reply with a JSON object whose key \"answer\" holds the value alone.\
{% else %}Reply with the value alone: no sentence, no explanation.{% endif %}

If the passages do not state it, the answer is {{ not_stated }}.";

const USER: &str = "\
{% for passage in passages %}
Passage {{ loop.index }}:
{{ passage }}

{% else %}
There are no passages.

{% endfor %}
Question: {{ question }}
Answer with {{ form }}, or with {{ not_stated }}.";

/// Messages with placeholders.
#[derive(Clone, Debug)]
pub struct PromptTemplate {
    messages: Vec<(ChatRole, String)>,
    environment: Environment<'static>,
    structured: bool,
}

impl Default for PromptTemplate {
    fn default() -> PromptTemplate {
        let messages =
            vec![(ChatRole::System, SYSTEM.to_owned()), (ChatRole::User, USER.to_owned())];
        let environment = environment();
        PromptTemplate { messages, environment, structured: false }
    }
}

impl PromptTemplate {
    /// The user's own messages; a single text is a message with the role `user`.
    ///
    /// # Errors
    /// A mistake in a template: the error names the message, the line and the allowed variables.
    pub fn new(messages: Vec<(ChatRole, String)>) -> anyhow::Result<PromptTemplate> {
        anyhow::ensure!(!messages.is_empty(), "a prompt needs at least one message");
        let template = PromptTemplate { messages, environment: environment(), structured: false };
        for (number, (_, text)) in (1..).zip(&template.messages) {
            template.check(text).map_err(|what| anyhow::anyhow!("message {number}, {what}"))?;
        }
        Ok(template)
    }

    /// Requests JSON answers, for endpoints that support structured output.
    pub fn structured(mut self, structured: bool) -> PromptTemplate {
        self.structured = structured;
        self
    }

    fn check(&self, text: &str) -> Result<(), String> {
        let template = self.environment.template_from_str(text).map_err(|e| explain(&e))?;
        let mut names: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        names.sort();
        let unknown = names.into_iter().find(|name| {
            !VARIABLES.contains(&name.as_str()) && !BUILTIN_NAMES.contains(&name.as_str())
        });
        match unknown {
            None => Ok(()),
            Some(name) => {
                let line = 1 + text.find(&name).map_or(0, |at| text[..at].matches('\n').count());
                let help = suggest(&name, VARIABLES)
                    .unwrap_or_else(|| format!("allowed: {}", VARIABLES.join(", ")));
                Err(format!("line {line}: there is no `{name}`: {help}"))
            }
        }
    }

    /// The prompt for a field and its passages, in their order.
    ///
    /// # Errors
    /// A template that fails to render with these values.
    pub fn prompt(&self, field: &ReadField, passages: &[&str]) -> anyhow::Result<ChatPrompt> {
        let values = context! {
            question => field.question.as_str(),
            field => field.name.as_str(),
            type => field.ty.name(),
            form => field.answer_form(),
            passages => passages.iter().map(|passage| Value::from(*passage)).collect::<Vec<Value>>(),
            not_stated => NOT_STATED,
            structured => self.structured,
        };
        let mut messages = Vec::with_capacity(self.messages.len());
        for (number, (role, text)) in (1..).zip(&self.messages) {
            let content = self
                .environment
                .render_str(text, &values)
                .map_err(|e| anyhow::anyhow!("message {number} of the prompt, {}", explain(&e)))?;
            messages.push(ChatMessage { role: *role, content: content.trim().to_owned() });
        }
        Ok(ChatPrompt { messages, schema: self.structured.then(|| field.schema()) })
    }
}

/// A template environment without file access; as chat templates expect, lines that hold only a block leave no
/// blank line.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    // The builder fails only on invalid delimiters, and these are the defaults.
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    // Prompts are plain text, so nothing is escaped.
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment
}

/// The line of an error and its reason.
pub(super) fn explain(error: &minijinja::Error) -> String {
    let line = error.line().map_or_else(String::new, |line| format!("line {line}: "));
    match error.detail() {
        Some(detail) => format!("{line}{detail}"),
        None => format!("{line}{}", error.kind()),
    }
}
