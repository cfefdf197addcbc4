//! The simulated reader, calibrated to recorded answers of a real one.
//!
//! An [`ObservedReading`] is a reading with the answers that a language model gave. [`ObservationTable`] groups them by
//! structure, [`fit()`] finds the rates at which the simulated reader would answer like that, with their uncertainty,
//! [`check`] decides whether it then does, and [`common_cause`] estimates how much errors at one unit depend on each
//! other. [`choose_reads`] selects the readings that are worth recording.
//!
//! What the reader does at given rates is defined in one place, [`crate::step::reader::answer_distribution`]; here the
//! answers are only grouped in classes that observations can tell apart.
//!
//! Invariant: no I/O, no clock, and no randomness except from a given seed.

mod check_groups;
mod checks;
mod convergence;
mod dependence;
mod design;
mod fields;
mod fit;
mod model;
mod observation;
mod proposal_map;
mod sampler;
mod simulate;
mod table;
#[cfg(test)]
mod tests;
mod working_rates;

pub use checks::{
    CheckKind, CheckNames, CheckResult, FitChecks, FitVerdict, GroupDeviation, check,
};
pub use dependence::{CommonCause, common_cause, conditional_rate, conditional_rates};
pub use design::choose_reads;
pub use fields::FieldComparison;
pub use fit::{
    FEWEST_EFFECTIVE_READS, FieldRateEstimate, FitSettings, RateEstimate, RatesDraw, ReaderFit, fit,
};
pub use observation::{AnswerClass, ObservedAnswer, ObservedReading};
pub use sampler::{FEWEST_EFFECTIVE, LARGEST_R_HAT, SamplerDiagnostics};
pub use simulate::simulate_answer;
pub use table::ObservationTable;
