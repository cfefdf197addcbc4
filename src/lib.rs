//! knockon follows a retrieval miss through an agent pipeline to the wrong action it causes.
//!
//! Start with ARCHITECTURE.md in the repository: it lists the modules in reading order.

pub mod cli;
pub mod embed;
pub mod expr;
pub mod graph;
pub mod scenario;
pub mod value;
pub mod world;
