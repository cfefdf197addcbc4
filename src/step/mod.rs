//! The semantics of one step on one input: its possible branches, what each of them outputs, and what went wrong in it.
//! Rankings come in and rows of [`StepBranch`]s go out; nothing here searches, draws random numbers, or computes
//! probabilities of whole runs.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use serde::Serialize;

use crate::kernel::{BranchFault, GuardEffect};
use crate::value::TypedValue;
use crate::world::PassageVariant;

#[doc(hidden)]
pub mod deterministic_steps;
#[doc(hidden)]
pub mod guard;
#[doc(hidden)]
pub mod oracle;
#[doc(hidden)]
pub mod reader;
#[doc(hidden)]
pub mod retrieve;
#[doc(hidden)]
pub mod text_limits;

/// The output of a step.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StepOutput {
    /// The step ran and got nothing.
    Missing,
    /// Its `when` condition was not true.
    Skipped,
    /// Passages handed to readers, best first, as indices into the arm's corpus.
    Context(Vec<u32>),
    /// A value that was read, looked up or computed.
    Value(TypedValue),
    /// The label chosen by an `act` step.
    Action(String),
}

impl StepOutput {
    /// The value that expressions see; `None` is null.
    pub fn value(&self) -> Option<&TypedValue> {
        match self {
            StepOutput::Value(value) => Some(value),
            _ => None,
        }
    }
}

/// Why the best-ranked passage is not gold. See [`retrieve::miss_kind`] for the order in which the kinds are tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MissKind {
    /// It states the opposite of a gold passage.
    Negation,
    /// It states the same about the other party.
    RoleSwap,
    /// It states a different number.
    Number,
    /// It belongs to another version.
    Version,
    /// It has the same attribute but is about another entity.
    Binding,
    /// It is about another attribute of the same entity.
    Attribute,
    /// It is about something else.
    Topic,
    /// Nothing was found.
    Empty,
}

impl MissKind {
    /// All kinds, in the order of their discriminants.
    pub const ALL: [MissKind; 8] = [
        MissKind::Negation,
        MissKind::RoleSwap,
        MissKind::Number,
        MissKind::Version,
        MissKind::Binding,
        MissKind::Attribute,
        MissKind::Topic,
        MissKind::Empty,
    ];

    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            MissKind::Negation => "negation",
            MissKind::RoleSwap => "role_swap",
            MissKind::Number => "number",
            MissKind::Version => "version",
            MissKind::Binding => "binding",
            MissKind::Attribute => "attribute",
            MissKind::Topic => "topic",
            MissKind::Empty => "empty",
        }
    }
}

impl From<PassageVariant> for MissKind {
    fn from(variant: PassageVariant) -> MissKind {
        match variant {
            PassageVariant::Negation => MissKind::Negation,
            PassageVariant::RoleSwap => MissKind::RoleSwap,
            PassageVariant::Number => MissKind::Number,
            PassageVariant::Version => MissKind::Version,
            PassageVariant::Binding => MissKind::Binding,
        }
    }
}

/// What happened at one step in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StepEvent {
    /// Nothing went wrong at this step, whatever its input.
    Clean,
    /// The `when` condition was not true.
    Skipped,
    /// An input was missing, so the run stopped here.
    Stopped,
    /// An expression had no value on its input: the output is missing, or a rule was passed over.
    Failed,
    /// A gold passage is passed on.
    Hit,
    /// A gold passage is passed on, but not one that states everything read from it.
    Partial,
    /// The task has no gold passage for this step, so there is nothing to hit or miss.
    NoGold,
    /// A miss that also occurs with the correct query.
    OwnMiss(MissKind),
    /// A miss caused by an upstream error that made the query wrong.
    InducedMiss(MissKind),
    /// The reader took a value that a wrong passage states.
    Distracted,
    /// The reader misread a passage.
    Misread,
    /// The reader fabricated a wrong value.
    Fabricated,
    /// The reader had no evidence and gave the right value by luck.
    Lucky,
    /// The reader reported that the evidence is missing.
    Abstained,
    /// The reader's answer could not be parsed into a value.
    Unparsable,
    /// A guard rejected a right output, and the result is not right: a stop, or a worse attempt.
    FalseAlarm,
    /// A guard stopped the run because of an output that was not right. No branch has this event or the next one: they
    /// are reported in addition to what happened, from [`GuardEffect`].
    Caught,
    /// A guard detected an output that was not right, and a further attempt or a person corrected it.
    Recovered,
}

impl StepEvent {
    /// All events, in the order of their codes.
    pub fn all() -> Vec<StepEvent> {
        use StepEvent::*;
        let plain = [Clean, Skipped, Stopped, Failed, Hit, Partial, NoGold];
        let misses = MissKind::ALL.into_iter().map(OwnMiss);
        let induced = MissKind::ALL.into_iter().map(InducedMiss);
        let reading = [Distracted, Misread, Fabricated, Lucky, Abstained, Unparsable];
        let guards = [FalseAlarm, Caught, Recovered];
        plain.into_iter().chain(misses).chain(induced).chain(reading).chain(guards).collect()
    }

    /// The event with this code.
    ///
    /// # Panics
    /// If no event has this code.
    pub fn from_code(code: u8) -> StepEvent {
        static ALL: LazyLock<Vec<StepEvent>> = LazyLock::new(StepEvent::all);
        ALL[usize::from(code)]
    }

    /// A dense code: the event's index in [`StepEvent::all`].
    pub fn code(self) -> u8 {
        let kinds = MissKind::ALL.len() as u8;
        match self {
            StepEvent::Clean => 0,
            StepEvent::Skipped => 1,
            StepEvent::Stopped => 2,
            StepEvent::Failed => 3,
            StepEvent::Hit => 4,
            StepEvent::Partial => 5,
            StepEvent::NoGold => 6,
            StepEvent::OwnMiss(kind) => 7 + kind as u8,
            StepEvent::InducedMiss(kind) => 7 + kinds + kind as u8,
            StepEvent::Distracted => 7 + 2 * kinds,
            StepEvent::Misread => 8 + 2 * kinds,
            StepEvent::Fabricated => 9 + 2 * kinds,
            StepEvent::Lucky => 10 + 2 * kinds,
            StepEvent::Abstained => 11 + 2 * kinds,
            StepEvent::Unparsable => 12 + 2 * kinds,
            StepEvent::FalseAlarm => 13 + 2 * kinds,
            StepEvent::Caught => 14 + 2 * kinds,
            StepEvent::Recovered => 15 + 2 * kinds,
        }
    }

    /// The kind, if the event is a miss.
    pub fn miss(self) -> Option<MissKind> {
        match self {
            StepEvent::OwnMiss(kind) | StepEvent::InducedMiss(kind) => Some(kind),
            _ => None,
        }
    }

    /// The additional event for what guards did about a branch.
    pub fn from_guards(guarded: GuardEffect) -> Option<StepEvent> {
        match guarded {
            GuardEffect::None => None,
            GuardEffect::Caught => Some(StepEvent::Caught),
            GuardEffect::Recovered => Some(StepEvent::Recovered),
        }
    }

    /// The name used in files. Own and induced misses have the name of their kind.
    pub fn name(self) -> &'static str {
        match self {
            StepEvent::Clean => "clean",
            StepEvent::Skipped => "skipped",
            StepEvent::Stopped => "stopped",
            StepEvent::Failed => "failed",
            StepEvent::Hit => "hit",
            StepEvent::Partial => "partial",
            StepEvent::NoGold => "no_gold",
            StepEvent::OwnMiss(kind) | StepEvent::InducedMiss(kind) => kind.name(),
            StepEvent::Distracted => "distracted",
            StepEvent::Misread => "misread",
            StepEvent::Fabricated => "fabricated",
            StepEvent::Lucky => "lucky",
            StepEvent::Abstained => "abstained",
            StepEvent::Unparsable => "unparsable",
            StepEvent::FalseAlarm => "false_alarm",
            StepEvent::Caught => "caught",
            StepEvent::Recovered => "recovered",
        }
    }
}

/// How a run ended compared with the oracle, in ascending order of severity. If several terminal steps differ, the
/// greatest outcome counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// The same actions as the oracle.
    Correct,
    /// A safe stop: the run detected that it lacked an input.
    Stopped,
    /// It held where the oracle acts.
    Omission,
    /// It acted where the oracle holds.
    Commission,
    /// It acted differently from the oracle.
    WrongAction,
}

impl RunOutcome {
    /// The order of every array that is indexed by outcome.
    pub const ALL: [RunOutcome; crate::kernel::OUTCOMES] = [
        RunOutcome::Correct,
        RunOutcome::Stopped,
        RunOutcome::Omission,
        RunOutcome::Commission,
        RunOutcome::WrongAction,
    ];

    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            RunOutcome::Correct => "correct",
            RunOutcome::Stopped => "stopped",
            RunOutcome::Omission => "omission",
            RunOutcome::Commission => "commission",
            RunOutcome::WrongAction => "wrong_action",
        }
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One branch of a step on one input, before outputs are numbered as tokens.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq)]
pub struct StepBranch {
    /// `None` stops the run.
    pub output: Option<StepOutput>,
    /// What happened.
    pub event: StepEvent,
    /// Whether it is an error, and of which origin.
    pub fault: BranchFault,
    /// What the guards did about it.
    pub guarded: GuardEffect,
    /// For a value that was read: the passage that it was read from, correctly or not.
    pub source: Option<u32>,
    /// The branch probability.
    pub p: f64,
}

impl StepBranch {
    /// A branch that is not an error.
    pub fn new(output: Option<StepOutput>, event: StepEvent, p: f64) -> StepBranch {
        StepBranch {
            output,
            event,
            fault: BranchFault::None,
            guarded: GuardEffect::None,
            source: None,
            p,
        }
    }

    /// The only branch of a deterministic step.
    pub fn certain(output: StepOutput, event: StepEvent) -> Vec<StepBranch> {
        vec![StepBranch::new(Some(output), event, 1.0)]
    }
}

/// The branches of a step on one input, with its counterfactual branches.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepRow {
    /// Their probabilities sum to one.
    pub branches: Vec<StepBranch>,
    /// What the step outputs when it does not err; only for rows in which it can err.
    pub repair: Option<StepBranch>,
    /// How the step would err; only for rows in which it does not.
    pub error_branches: Vec<StepBranch>,
}

impl From<Vec<StepBranch>> for StepRow {
    fn from(branches: Vec<StepBranch>) -> StepRow {
        StepRow { branches, ..StepRow::default() }
    }
}

/// An output compared with the oracle's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputState {
    /// Equal to the oracle's.
    Correct,
    /// Different from the oracle's.
    Wrong,
    /// No output where the oracle has one.
    Missing,
}

impl OutputState {
    /// Compares `output` (`None`: the run stopped here) with the oracle's output `right`. A context is correct if it
    /// contains a gold passage or if no passage is gold.
    pub fn of(
        output: Option<&StepOutput>,
        right: Option<&StepOutput>,
        gold: &BTreeSet<u32>,
    ) -> OutputState {
        match output {
            Some(StepOutput::Context(passages)) => {
                if gold.is_empty() || passages.iter().any(|p| gold.contains(p)) {
                    OutputState::Correct
                } else {
                    OutputState::Wrong
                }
            }
            _ if output == right => OutputState::Correct,
            Some(StepOutput::Value(_) | StepOutput::Action(_)) => OutputState::Wrong,
            Some(StepOutput::Missing | StepOutput::Skipped) | None => OutputState::Missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_know_all_outcomes_and_kinds_of_misses() {
        use crate::scenario::{MISS_KINDS, OUTCOMES};
        assert_eq!(RunOutcome::ALL.map(RunOutcome::name), OUTCOMES);
        assert_eq!(MissKind::ALL.map(MissKind::name), MISS_KINDS);
    }

    #[test]
    fn event_codes_are_their_places_in_the_list() {
        for (place, event) in StepEvent::all().into_iter().enumerate() {
            assert_eq!(usize::from(event.code()), place, "{event:?}");
        }
    }
}
