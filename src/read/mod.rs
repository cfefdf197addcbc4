//! Language models that read: what they are asked, what they answer, and a record of both.
//!
//! 1. A [`Field`] and its passages become a [`Prompt`] by a [`Template`].
//! 2. A [`LanguageModel`] answers it: a [`ChatEndpoint`] over HTTP, or a [`LocalModel`] in this process.
//! 3. Each reply is kept in a [`Recording`] under a key made of the model, its settings and the prompt, so nothing is asked
//!    twice ([`answers`]) and all of it can be replayed without a model ([`Recording::replay`]).
//! 4. [`Field::answer`] turns the raw text into an [`Answer`]: a value, "not stated", or a text that is neither.
//!
//! Nothing here knows scenarios, steps or kernels.

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
