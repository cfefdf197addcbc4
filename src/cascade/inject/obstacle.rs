//! Why an error could not be injected.

use serde::Serialize;

/// Reason why an error could not be injected into a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InjectionObstacle {
    /// The oracle stops before the step.
    NotReached,
    /// The oracle skips the step.
    Skipped,
    /// The step has no gold passage, so there is nothing to miss.
    NoGold,
    /// The right query cannot be rendered.
    NoQuery,
    /// No passage among those that may be searched and that the search returns makes a miss of this kind.
    NoPassage,
    /// The reader cannot make this error on its input.
    ReaderCannot,
    /// The task is past the cap, and no trial could be replayed.
    NotSolved,
}

impl InjectionObstacle {
    /// All reasons, in the order of their declaration.
    pub const ALL: [InjectionObstacle; 7] = [
        InjectionObstacle::NotReached,
        InjectionObstacle::Skipped,
        InjectionObstacle::NoGold,
        InjectionObstacle::NoQuery,
        InjectionObstacle::NoPassage,
        InjectionObstacle::ReaderCannot,
        InjectionObstacle::NotSolved,
    ];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            InjectionObstacle::NotReached => "not_reached",
            InjectionObstacle::Skipped => "skipped",
            InjectionObstacle::NoGold => "no_gold",
            InjectionObstacle::NoQuery => "no_query",
            InjectionObstacle::NoPassage => "no_passage",
            InjectionObstacle::ReaderCannot => "reader_cannot",
            InjectionObstacle::NotSolved => "not_solved",
        }
    }
}
