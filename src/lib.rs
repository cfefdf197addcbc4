//! knockon follows a retrieval miss through an agent pipeline to the wrong action it causes.
//!
//! A scenario, one YAML file, describes a pipeline of agent steps that retrieve, read and act. [`Session::open`] reads
//! it, or reports all its mistakes at once. [`Session::run`] replays its tasks under each arm and returns the
//! [`RunRecord`]: how often, where and why they fail. [`Session::inject`] goes forward from an error to its consequences;
//! [`Session::trace`] goes back from a failure to its causes.
//!
//! ```no_run
//! use knockon::Session;
//!
//! let session = Session::open("scenarios/renewal_desk.yaml")?;
//! let record = session.run(&session.all_arms())?;
//! for arm in &record.arms {
//!     println!("{} fails {:.1}%", arm.id, 100.0 * arm.summary.failure.estimate);
//!     // Which own error answers for most of the failures?
//!     if let Some(cause) = arm.main_cause() {
//!         println!("  {:.0}% of that for {} at {}", 100.0 * cause.share, cause.event.name(), cause.step);
//!     }
//!     // What if one step were always right?
//!     if let Some(importance) = arm.step("find_expiry").and_then(|step| step.importance) {
//!         println!("  {:.1}% with find_expiry right", 100.0 * importance.p_fail_if_right);
//!     }
//! }
//! # Ok::<(), knockon::Error>(())
//! ```
//!
//! [`Session::from_files`] takes a scenario and its data from memory, [`Session::with_environment`] the folders, keys and
//! addresses that models and services need, [`Session::with_embedders`] and [`Session::with_retrievers`] models of your
//! own. [`RunReport`] makes the files of `knockon run`. An [`Error`] tells what you can put right from what is ours.
//!
//! The guide in `docs/` defines the terms. Modules that are not listed here are internal: they are public for tests and
//! benchmarks, and may change with any version. ARCHITECTURE.md lists them in reading order.

#![warn(missing_docs)]
#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the inside is read with --document-private-items, and links to what is private there"
)]
// All text for the terminal goes through `cli::terminal`.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

#[doc(hidden)]
pub mod atomic_file;
#[doc(hidden)]
pub mod calibrate;
pub mod cascade;
mod chart_axis;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod compile;
#[doc(hidden)]
pub mod embed;
pub mod environment;
mod error;
#[doc(hidden)]
pub mod expr;
#[doc(hidden)]
pub mod extract;
#[doc(hidden)]
pub mod gate;
#[doc(hidden)]
pub mod graph;
#[doc(hidden)]
pub mod http_client;
#[doc(hidden)]
pub mod impact;
#[doc(hidden)]
pub mod input_file;
#[doc(hidden)]
pub mod kernel;
#[doc(hidden)]
pub mod number_words;
#[doc(hidden)]
pub mod output;
#[doc(hidden)]
pub mod perturb;
#[doc(hidden)]
pub mod plan;
#[doc(hidden)]
pub mod probe;
pub mod progress;
mod questions;
#[doc(hidden)]
pub mod read;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod retrieve;
pub mod run;
#[doc(hidden)]
pub mod scenario;
#[doc(hidden)]
pub mod sensitivity;
pub mod session;
#[doc(hidden)]
pub mod solve;
#[doc(hidden)]
pub mod stats;
pub mod step;
#[doc(hidden)]
pub mod train;
#[doc(hidden)]
pub mod validate;
#[doc(hidden)]
pub mod value;
pub mod visible_text;
#[doc(hidden)]
pub mod world;
#[doc(hidden)]
pub mod wrong_use;

pub use cascade::trace::RunTrace;
#[doc(inline)]
pub use embed::{Embedder, EmbeddingVectors, TextRole, VectorSimilarity};
pub use environment::Environment;
pub use error::{Error, ErrorDetail};
#[doc(inline)]
pub use input_file::InMemoryFiles;
#[doc(inline)]
pub use report::csv::files as csv_files;
#[doc(inline)]
pub use report::run_report::{ReportFile, RunReport};
#[doc(inline)]
pub use retrieve::{PassageHit, PassageRanking, Retriever, SearchRequest};
pub use run::RunRecord;
#[doc(inline)]
pub use scenario::{
    Diagnostic, DiagnosticExplanation, Diagnostics, EmbedderDeclaration, Scenario, explain, load,
    load_from,
};
pub use session::{Session, UnknownName};
pub use step::{MissKind, RunOutcome, StepEvent};
#[doc(inline)]
pub use world::{Corpus, Passage};
