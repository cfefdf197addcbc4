//! Prompts: chat messages for a language model.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatRole {
    System,
    User,
    /// Previous answers, in a template with worked examples.
    Assistant,
}

impl ChatRole {
    pub fn name(self) -> &'static str {
        match self {
            ChatRole::System => "system",
            ChatRole::User => "user",
            ChatRole::Assistant => "assistant",
        }
    }
}

/// One message of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatMessage {
    pub role: ChatRole,
    pub content: String,
}

/// A complete prompt, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatPrompt {
    pub messages: Vec<ChatMessage>,
    /// The JSON schema of the answer, if structured output is requested.
    pub schema: Option<Value>,
}
