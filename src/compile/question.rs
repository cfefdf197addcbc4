//! What is asked about a compiled task.

/// The question that the kernels must be able to answer; it decides which counterfactual rows are compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CompileQuestion {
    /// A run, and its outcome if one step were right or wrong.
    #[default]
    Run,
    /// A run without interventions. Tasks beyond the state limit get no rows.
    Plain,
    /// A run in which every retrieve step passes on exactly the gold passages.
    Gold,
    /// The effect of a miss of each kind at these steps, or of one reading error anywhere, in a run that is otherwise
    /// free of errors.
    Misses(Vec<usize>),
    /// One trial of one task (by index) under any set of repairs; no other task is compiled.
    Trial { task: usize, trial: u32 },
}
