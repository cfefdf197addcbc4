//! What one step does on one input: the branches it can take, what each puts out and what went
//! wrong in it.
//!
//! Nothing here knows probabilities of whole runs, searches, or draws: rankings come in, rows of
//! [`Outcome`]s go out.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use serde::Serialize;

use crate::kernel::{Fault, Guarded};
use crate::value::Value;
use crate::world::Variant;

#[doc(hidden)]
pub mod guard;
#[doc(hidden)]
pub mod oracle;
#[doc(hidden)]
pub mod reader;
#[doc(hidden)]
pub mod retrieve;
#[doc(hidden)]
pub mod room;
#[doc(hidden)]
pub mod settle;

/// What a step puts out.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Tried, and got nothing.
    Missing,
    /// Its `when` was not true.
    Skipped,
    /// Passages handed to readers, best first, as indices into the arm's corpus.
    Context(Vec<u32>),
    /// A value that was read, looked up or computed.
    Value(Value),
    /// The label that an `act` step chose.
    Action(String),
}

impl Output {
    /// What expressions see: a value, or null.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Output::Value(value) => Some(value),
            _ => None,
        }
    }
}

/// Why the best-ranked passage is not gold, in the order in which the kinds are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MissKind {
    /// It says the opposite.
    Negation,
    /// It says the same of the other party.
    RoleSwap,
    /// It has another figure.
    Number,
    /// It is of another version.
    Version,
    /// It is about another entity, and the same attribute.
    Binding,
    /// It is about another attribute of the same entity.
    Attribute,
    /// It is about something else.
    Topic,
    /// Nothing was found.
    Empty,
}

impl MissKind {
    /// In the order in which they are tried.
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

    /// In a word, as files have it.
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

impl From<Variant> for MissKind {
    fn from(variant: Variant) -> MissKind {
        match variant {
            Variant::Negation => MissKind::Negation,
            Variant::RoleSwap => MissKind::RoleSwap,
            Variant::Number => MissKind::Number,
            Variant::Version => MissKind::Version,
            Variant::Binding => MissKind::Binding,
        }
    }
}

/// What happened at one step in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// Nothing went wrong here (whatever came in).
    Clean,
    /// `when` was not true.
    Skipped,
    /// An input was missing: the run stopped here.
    Stopped,
    /// An expression had no value on its input: the output is missing, or a rule was passed over.
    Failed,
    /// A gold passage is handed on.
    Hit,
    /// A gold passage is handed on, but none of those that state what is read from it.
    Partial,
    /// The task has no gold passage for this step: nothing to hit or miss.
    NoGold,
    /// It would also miss with a right query.
    OwnMiss(MissKind),
    /// It misses because an upstream error made the query wrong.
    InducedMiss(MissKind),
    /// The reader took a value that a wrong passage states.
    Distracted,
    /// The reader read a passage wrongly.
    Misread,
    /// The reader made a wrong value up.
    Fabricated,
    /// The reader had no evidence and said the right value all the same.
    Lucky,
    /// The reader said that the evidence is not there.
    Abstained,
    /// A guard took a right output for wrong, and what came of it is not right: a stop, or a worse attempt.
    FalseAlarm,
    /// A guard stopped the run for an output that was not right. No branch has this event: it comes on top
    /// of what happened, as the next one does.
    Caught,
    /// A guard saw that the output was not right, and a further attempt or a person set it right.
    Recovered,
}

impl Event {
    /// Every event, in the order of their codes.
    pub fn all() -> Vec<Event> {
        use Event::*;
        let plain = [Clean, Skipped, Stopped, Failed, Hit, Partial, NoGold];
        let misses = MissKind::ALL.into_iter().map(OwnMiss);
        let induced = MissKind::ALL.into_iter().map(InducedMiss);
        let reading = [Distracted, Misread, Fabricated, Lucky, Abstained];
        let guards = [FalseAlarm, Caught, Recovered];
        plain.into_iter().chain(misses).chain(induced).chain(reading).chain(guards).collect()
    }

    /// The event with this code.
    ///
    /// # Panics
    /// Where there is none.
    pub fn of_code(code: u8) -> Event {
        static ALL: LazyLock<Vec<Event>> = LazyLock::new(Event::all);
        ALL[usize::from(code)]
    }

    /// A dense code, the event's index in [`Event::all`].
    pub fn code(self) -> u8 {
        let kinds = MissKind::ALL.len() as u8;
        match self {
            Event::Clean => 0,
            Event::Skipped => 1,
            Event::Stopped => 2,
            Event::Failed => 3,
            Event::Hit => 4,
            Event::Partial => 5,
            Event::NoGold => 6,
            Event::OwnMiss(kind) => 7 + kind as u8,
            Event::InducedMiss(kind) => 7 + kinds + kind as u8,
            Event::Distracted => 7 + 2 * kinds,
            Event::Misread => 8 + 2 * kinds,
            Event::Fabricated => 9 + 2 * kinds,
            Event::Lucky => 10 + 2 * kinds,
            Event::Abstained => 11 + 2 * kinds,
            Event::FalseAlarm => 12 + 2 * kinds,
            Event::Caught => 13 + 2 * kinds,
            Event::Recovered => 14 + 2 * kinds,
        }
    }

    /// The kind, if it is a miss.
    pub fn miss(self) -> Option<MissKind> {
        match self {
            Event::OwnMiss(kind) | Event::InducedMiss(kind) => Some(kind),
            _ => None,
        }
    }

    /// What guards made of a branch, as the event that comes on top of what happened.
    pub fn of_guards(guarded: Guarded) -> Option<Event> {
        match guarded {
            Guarded::No => None,
            Guarded::Caught => Some(Event::Caught),
            Guarded::Recovered => Some(Event::Recovered),
        }
    }

    /// In a word; own and induced misses go by their kind.
    pub fn name(self) -> &'static str {
        match self {
            Event::Clean => "clean",
            Event::Skipped => "skipped",
            Event::Stopped => "stopped",
            Event::Failed => "failed",
            Event::Hit => "hit",
            Event::Partial => "partial",
            Event::NoGold => "no_gold",
            Event::OwnMiss(kind) | Event::InducedMiss(kind) => kind.name(),
            Event::Distracted => "distracted",
            Event::Misread => "misread",
            Event::Fabricated => "fabricated",
            Event::Lucky => "lucky",
            Event::Abstained => "abstained",
            Event::FalseAlarm => "false_alarm",
            Event::Caught => "caught",
            Event::Recovered => "recovered",
        }
    }
}

/// How a run ended, relative to the oracle's; a later one takes precedence when several terminal
/// steps disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The oracle's actions.
    Correct,
    /// Safe stop: the run noticed that it had nothing to go on.
    Stopped,
    /// Held where the oracle acts.
    Omission,
    /// Acted where the oracle holds.
    Commission,
    /// Acted otherwise than the oracle.
    WrongAction,
}

impl Outcome {
    /// In the order of every array by outcome.
    pub const ALL: [Outcome; crate::kernel::OUTCOMES] = [
        Outcome::Correct,
        Outcome::Stopped,
        Outcome::Omission,
        Outcome::Commission,
        Outcome::WrongAction,
    ];

    /// In a word, as files have it.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Correct => "correct",
            Outcome::Stopped => "stopped",
            Outcome::Omission => "omission",
            Outcome::Commission => "commission",
            Outcome::WrongAction => "wrong_action",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One branch of a step on one input, before tokens are given out.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq)]
pub struct Branching {
    /// `None` stops the run.
    pub output: Option<Output>,
    /// What happened.
    pub event: Event,
    /// Whose doing that is.
    pub fault: Fault,
    /// What guards made of it.
    pub guarded: Guarded,
    /// For a value that was read: the passage that it was read from, rightly or not.
    pub source: Option<u32>,
    /// Its probability.
    pub p: f64,
}

impl Branching {
    /// A branch that is nobody's error.
    pub fn new(output: Option<Output>, event: Event, p: f64) -> Branching {
        Branching { output, event, fault: Fault::None, guarded: Guarded::No, source: None, p }
    }

    /// The only branch of a step that leaves nothing to chance.
    pub fn certain(output: Output, event: Event) -> Vec<Branching> {
        vec![Branching::new(Some(output), event, 1.0)]
    }
}

/// What a step does on one input, and what it would do otherwise.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// They add up to one.
    pub branches: Vec<Branching>,
    /// What it puts out when it does not err; for rows in which it can.
    pub repair: Option<Branching>,
    /// How it would err, for rows in which it does not.
    pub wrong: Vec<Branching>,
}

impl From<Vec<Branching>> for Row {
    fn from(branches: Vec<Branching>) -> Row {
        Row { branches, ..Row::default() }
    }
}

/// An output against the oracle's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// As the oracle's.
    Correct,
    /// Another one.
    Wrong,
    /// None, where the oracle has one.
    Missing,
}

impl State {
    /// Compares `output` (`None`: the run stopped here) with the oracle's. A context is as good as what
    /// it holds: right with a gold passage in it, or where there is none.
    pub fn of(output: Option<&Output>, right: Option<&Output>, gold: &BTreeSet<u32>) -> State {
        match output {
            Some(Output::Context(passages)) => {
                if gold.is_empty() || passages.iter().any(|p| gold.contains(p)) {
                    State::Correct
                } else {
                    State::Wrong
                }
            }
            _ if output == right => State::Correct,
            Some(Output::Value(_) | Output::Action(_)) => State::Wrong,
            Some(Output::Missing | Output::Skipped) | None => State::Missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_know_all_outcomes_and_kinds_of_misses() {
        use crate::scenario::{MISS_KINDS, OUTCOMES};
        assert_eq!(Outcome::ALL.map(Outcome::name), OUTCOMES);
        assert_eq!(MissKind::ALL.map(MissKind::name), MISS_KINDS);
    }

    #[test]
    fn event_codes_are_their_places_in_the_list() {
        for (place, event) in Event::all().into_iter().enumerate() {
            assert_eq!(usize::from(event.code()), place, "{event:?}");
        }
    }
}
