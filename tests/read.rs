//! The prompts for a language model, the meaning of its answers, and their recordings.

mod answers;
mod endpoint;
mod local;
mod prompts;
mod recordings;
mod stand_in;
