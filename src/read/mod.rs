//! Language models as readers: their prompts, their answers, and recordings of both. This module must not know
//! scenarios, steps or kernels, and no prompt that is recorded may be sent to a model again.
//!
//! 1. A [`Template`] turns a [`Field`] and its passages into a [`Prompt`].
//! 2. A [`LanguageModel`] answers it: a [`ChatEndpoint`] over HTTP, or a [`LocalModel`] in this process.
//! 3. Each reply is stored in a [`Recording`] under a key made of the model, its settings and the prompt, so that each
//!    prompt is sent once ([`answers`]) and all replies can be replayed without a model ([`Recording::replay`]).
//! 4. [`Field::answer`] parses the raw text into an [`Answer`]: a value, "not stated", or unparsable.

mod answer;
mod ask;
mod chat;
mod clean;
mod field;
pub mod local;
mod model;
mod prompt;
mod recording;
mod template;

pub use answer::Answer;
pub use ask::answers;
pub use chat::{ChatEndpoint, ChatSpec, SampleBy, Structured};
pub use field::{Field, Unit};
pub use local::LocalModel;
pub use model::{Finish, Identity, LanguageModel, Prices, RawAnswer, Reply};
pub use prompt::{Message, Prompt, Role};
pub use recording::{Entry, Missing, Recording, merge, write};
pub use template::{NOT_STATED, Template};
