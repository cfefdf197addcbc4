//! The chat template that a model's file contains.

use anyhow::{Context, anyhow};
use minijinja::value::Kwargs;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, context};

use super::tokenizer::GgufTokenizer;
use crate::read::prompt::{ChatMessage, ChatRole};
use crate::read::prompt_template::{environment, explain};

/// Renders a chat as one text.
pub struct GgufChatTemplate {
    environment: Environment<'static>,
    source: String,
}

impl GgufChatTemplate {
    /// # Errors
    /// A missing template, or one that cannot be parsed.
    pub fn new(source: Option<&str>) -> anyhow::Result<GgufChatTemplate> {
        let source = source
            .context(
                "it has no chat template (tokenizer.chat_template): it was not trained to answer",
            )?
            .to_owned();
        let mut environment = environment();
        // Templates read undefined variables and their attributes.
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function(
            "raise_exception",
            |message: String| -> Result<String, minijinja::Error> {
                Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
            },
        );
        // A fixed date, so that an answer does not depend on the time of the request.
        environment.add_function("strftime_now", |_format: String, _: Kwargs| "01 Jan 2025");
        environment
            .template_from_str(&source)
            .map_err(|e| anyhow!("its chat template, {}", explain(&e)))?;
        Ok(GgufChatTemplate { environment, source })
    }

    /// The template as the file has it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text that the model continues.
    ///
    /// # Errors
    /// A template that rejects these messages.
    pub fn render(
        &self,
        messages: &[ChatMessage],
        tokens: &GgufTokenizer,
    ) -> anyhow::Result<String> {
        // Some families have no system role: then the system message is put before the first user message.
        let rendered =
            self.render_messages(messages, tokens).or_else(|error| {
                match without_system(messages) {
                    Some(messages) => self.render_messages(&messages, tokens),
                    None => Err(error),
                }
            });
        rendered.map_err(|e| anyhow!("the model's chat template, {}", explain(&e)))
    }

    fn render_messages(
        &self,
        messages: &[ChatMessage],
        tokens: &GgufTokenizer,
    ) -> Result<String, minijinja::Error> {
        self.environment.render_str(
            &self.source,
            context! {
                messages => messages.iter().map(chat_message).collect::<Vec<Value>>(),
                add_generation_prompt => true,
                bos_token => tokens.begin_text.as_str(),
                eos_token => tokens.end_text.as_str(),
            },
        )
    }
}

fn chat_message(message: &ChatMessage) -> Value {
    context! { role => message.role.name(), content => message.content.as_str() }
}

fn without_system(messages: &[ChatMessage]) -> Option<Vec<ChatMessage>> {
    let (system, others) = messages.split_first()?;
    let (first, others) = others.split_first()?;
    if system.role != ChatRole::System || first.role != ChatRole::User {
        return None;
    }
    let content = format!("{}\n\n{}", system.content, first.content);
    let mut merged = vec![ChatMessage { role: ChatRole::User, content }];
    merged.extend_from_slice(others);
    Some(merged)
}
