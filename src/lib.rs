//! knockon follows a retrieval miss through an agent pipeline to the wrong action it causes.
//!
//! Start with ARCHITECTURE.md in the repository: it lists the modules in reading order.

pub mod cascade;
pub mod cli;
pub mod compile;
pub mod embed;
pub mod expr;
pub mod extract;
pub mod gate;
pub mod graph;
pub mod impact;
pub mod kernel;
pub mod perturb;
pub mod plan;
pub mod probe;
pub mod remote;
pub mod report;
pub mod retrieve;
pub mod run;
pub mod scenario;
pub mod sensitivity;
pub mod solve;
pub mod spell;
pub mod stats;
pub mod step;
pub mod train;
pub mod value;
pub mod watch;
pub mod whole_file;
pub mod world;
