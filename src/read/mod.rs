//! Language models as readers: their prompts, their answers, and recordings of both. This module must not know
//! scenarios, steps or kernels, and no prompt that is recorded may be sent to a model again.
//!
//! 1. A [`PromptTemplate`] turns a [`ReadField`] and its passages into a [`ChatPrompt`].
//! 2. A [`LanguageModel`] answers it: a [`ChatEndpoint`] over HTTP, or a [`LocalLanguageModel`] in this process.
//! 3. Each reply is stored in a [`Recording`] under a key made of the model, its settings and the prompt, so that each
//!    prompt is sent once (`answer_prompts`) and all replies can be replayed without a model ([`Recording::replay`]).
//! 4. [`ReadField::parse_answer`] parses the raw text into a [`ParsedAnswer`]: a value, "not stated", or unparsable.

mod answer;
mod answer_prompts;
mod answer_text;
mod chat;
mod field;
mod language_model;
pub mod local;
mod prompt;
mod prompt_template;
mod recording;

pub use answer::ParsedAnswer;
pub use answer_prompts::answer_prompts;
pub use chat::{
    ChatEndpoint, ChatEndpointSpec, RESERVED_KEYS as CHAT_RESERVED_KEYS, SamplingMode,
    StructuredOutput, completions_url,
};
pub use field::{DurationUnit, NOT_STATED, ReadField};
pub use language_model::{
    FinishReason, LanguageModel, ModelReply, RawModelAnswer, ReaderModelIdentity, TokenPrices,
};
pub use local::LocalLanguageModel;
pub use prompt::{ChatMessage, ChatPrompt, ChatRole};
pub use prompt_template::PromptTemplate;
pub use recording::{
    Recording, RecordingEntry, UnrecordedPromptError, key as recording_key, merge, write,
};
