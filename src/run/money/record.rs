//! The part of the record that is about money. Amounts are in the scenario's currency.

use crate::stats::{Interval, PairedDifference};
use crate::step::{Event, Outcome};

/// What one arm costs. A case is one task, drawn by its weight.
#[derive(Clone, Debug)]
pub struct MoneyRecord {
    /// Expected loss of a case. The upper end is infinite where nothing is lost: how much another case could lose is not
    /// known.
    pub loss: Interval,
    /// What searches, readers and guards take, a case.
    pub running: f64,
    /// Seconds that the same takes, one after another.
    pub seconds: f64,
    /// Loss and running costs of a case minus the baseline's on the same tasks; `None` for the baseline
    /// itself. Negative is cheaper. Running costs are those of an average case: they shift the difference, and add nothing
    /// to its spread.
    pub difference: Option<PairedDifference>,
    /// Cases a year, on average.
    pub cases: f64,
    /// What a year can lose, with every assumption at its value.
    pub stated: YearRecord,
    /// The same with the assumptions drawn from their ranges as well, anew for each year: what is not known of them is
    /// in it. `None` where nothing is varied.
    pub drawn: Option<YearRecord>,
    /// What the expected loss of a case comes from, seen in several ways; each adds up to all of it.
    pub splits: Vec<Split>,
    /// Losses by size, ascending.
    pub bands: Vec<Band>,
    /// The least number of tasks that half of the expected loss comes from.
    pub tasks_behind_half: usize,
    /// By step that can err.
    pub avoidable: Vec<Avoidable>,
    /// By task: its expected loss.
    pub tasks: Vec<f64>,
}

impl MoneyRecord {
    /// Loss and running costs of a case.
    pub fn total(&self) -> f64 {
        self.loss.estimate + self.running
    }

    /// What a year can lose: with the assumptions drawn too where they are.
    pub fn year(&self) -> &YearRecord {
        self.drawn.as_ref().unwrap_or(&self.stated)
    }

    /// What a year takes of what a case takes.
    pub fn a_year(&self, a_case: f64) -> f64 {
        self.cases * a_case
    }

    /// The own error that answers for most of the loss, and its part; of equal ones the last.
    pub fn main_error(&self) -> Option<(&str, Event, &Split)> {
        let errors = self.splits.iter().filter_map(|split| match &split.by {
            By::Error(Some((step, event))) => Some((step.as_str(), *event, split)),
            _ => None,
        });
        let most = errors.max_by(|a, b| a.2.loss.total_cmp(&b.2.loss));
        most.filter(|(.., split)| split.loss > 0.0)
    }
}

/// What a case would lose less, had a step been right.
#[derive(Clone, Debug, PartialEq)]
pub struct Avoidable {
    /// Its id.
    pub step: String,
    /// What is lost less, a case.
    pub loss: f64,
    /// Of all of it, as a share of 1; `None` where nothing is lost.
    pub share: Option<f64>,
}

/// What a year can lose, from sampled years; without running costs.
#[derive(Clone, Debug, PartialEq)]
pub struct YearRecord {
    /// Sampled years that all of this rests on.
    pub years: u32,
    /// Draws of readers and guards that the years share among them; `None` where these are at their values, or have
    /// nothing to do with it.
    pub draws: Option<u32>,
    /// The mean loss.
    pub mean: f64,
    /// Its standard deviation.
    pub sd: f64,
    /// How bad bad years are, by level.
    pub tail: Vec<Tail>,
    /// (P(a year loses more), loss), the likeliest first.
    pub curve: Vec<(f64, f64)>,
}

/// How bad the bad years are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    /// .95, say.
    pub level: f64,
    /// The loss that this share of the years does not pass.
    pub var: f64,
    /// From where to where it would lie in 95% of repetitions with as many other years: its Monte Carlo error. Infinite
    /// above where the years are too few to tell.
    pub var_error: (f64, f64),
    /// The mean loss of the other years.
    pub cvar: f64,
}

/// A part of the expected loss.
#[derive(Clone, Debug)]
pub struct Split {
    /// What it is put down to.
    pub by: By,
    /// Of a case.
    pub loss: f64,
    /// Of all of it, as a share of 1.
    pub share: f64,
}

/// What a part of the loss is put down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// How the run ended.
    Outcome(Outcome),
    /// A loss of the scenario, by its name.
    Rule(String),
    /// An own error (Shapley); `None`: what would be lost without any.
    Error(Option<(String, Event)>),
}

/// Incidents whose expected loss is of one size.
#[derive(Clone, Debug)]
pub struct Band {
    /// From this on, and below ten times it.
    pub from: f64,
    /// Incidents a year, expected.
    pub incidents: f64,
    /// What these incidents lose a year, expected.
    pub loss: f64,
    /// Of all losses, as a share of 1.
    pub share: f64,
    /// Tasks in which one can happen.
    pub tasks: usize,
    /// Sampling units in which one can happen.
    pub units: usize,
}
