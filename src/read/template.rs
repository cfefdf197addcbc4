//! From a field and its passages to a prompt, by a template in minijinja (the syntax of Jinja).

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::field::Field;
use super::prompt::{Message, Prompt, Role};
use crate::expr::suggest;

/// What a model answers where the passages do not state the value.
pub const NOT_STATED: &str = "NOT STATED";

/// What a template can use.
const VARIABLES: [&str; 7] =
    ["question", "field", "type", "form", "passages", "not_stated", "structured"];
/// Names that the template language itself has.
const LANGUAGE: [&str; 5] = ["range", "dict", "debug", "namespace", "loop"];

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

/// Messages with places to fill in.
#[derive(Clone, Debug)]
pub struct Template {
    messages: Vec<(Role, String)>,
    environment: Environment<'static>,
    structured: bool,
}

impl Default for Template {
    fn default() -> Template {
        let messages = vec![(Role::System, SYSTEM.to_owned()), (Role::User, USER.to_owned())];
        let environment = environment();
        Template { messages, environment, structured: false }
    }
}

impl Template {
    /// The user's own messages; one text alone is a message of the user's.
    ///
    /// # Errors
    /// A mistake in a template: the message names it, its line, and what is allowed.
    pub fn new(messages: Vec<(Role, String)>) -> anyhow::Result<Template> {
        anyhow::ensure!(!messages.is_empty(), "a prompt needs at least one message");
        let template = Template { messages, environment: environment(), structured: false };
        for (number, (_, text)) in (1..).zip(&template.messages) {
            template.check(text).map_err(|what| anyhow::anyhow!("message {number}, {what}"))?;
        }
        Ok(template)
    }

    /// With JSON asked for, for endpoints that have structured output.
    pub fn structured(mut self, structured: bool) -> Template {
        self.structured = structured;
        self
    }

    fn check(&self, text: &str) -> Result<(), String> {
        let template = self.environment.template_from_str(text).map_err(|e| explain(&e))?;
        let mut names: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        names.sort();
        let unknown = names
            .into_iter()
            .find(|name| !VARIABLES.contains(&name.as_str()) && !LANGUAGE.contains(&name.as_str()));
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

    /// The prompt for a field and passages, in their order.
    ///
    /// # Errors
    /// A template that fails on these values.
    pub fn prompt(&self, field: &Field, passages: &[&str]) -> anyhow::Result<Prompt> {
        let values = context! {
            question => field.question.as_str(),
            field => field.name.as_str(),
            type => field.ty.name(),
            form => field.form(),
            passages => passages.iter().map(|passage| Value::from(*passage)).collect::<Vec<Value>>(),
            not_stated => NOT_STATED,
            structured => self.structured,
        };
        let message = |(number, (role, text)): (usize, &(Role, String))| {
            let content = self
                .environment
                .render_str(text, &values)
                .map_err(|e| anyhow::anyhow!("message {number} of the prompt, {}", explain(&e)))?;
            Ok(Message { role: *role, content: content.trim().to_owned() })
        };
        let messages = (1..).zip(&self.messages).map(message).collect::<anyhow::Result<_>>()?;
        Ok(Prompt { messages, schema: self.structured.then(|| field.schema()) })
    }
}

/// Without files, and with blocks on lines of their own leaving no blank line behind, as chat templates expect.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    // The default delimiters are valid.
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment
}

/// The line and what is wrong there.
pub(super) fn explain(error: &minijinja::Error) -> String {
    let line = error.line().map_or_else(String::new, |line| format!("line {line}: "));
    match error.detail() {
        Some(detail) => format!("{line}{detail}"),
        None => format!("{line}{}", error.kind()),
    }
}
