//! What a language model is asked, what its answers mean, and how they are recorded.

mod answers;
mod endpoint;
mod local;
mod prompts;
mod recordings;
mod stand_in;
