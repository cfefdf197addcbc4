//! Resolves the names that a user gives to indices of the scenario, once, where they come in.

use super::Session;
use crate::expr::suggest;
use crate::scenario::{PipelineStepKind, Scenario, TaskSampleSize};

/// Names that an error message lists.
const MAX_LISTED: usize = 12;

/// A name that the scenario does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {what} '{name}'{known}")]
pub struct UnknownName {
    /// What was looked up: `arm`, `step`, ...
    pub what: &'static str,
    /// The name as it was given.
    pub name: String,
    /// The names that exist, and the nearest of them.
    pub known: String,
}

/// The index of `name` among `names`.
pub(crate) fn index_of<'n>(
    what: &'static str,
    name: &str,
    names: impl Iterator<Item = &'n str> + Clone,
) -> Result<usize, UnknownName> {
    names.clone().position(|known| known == name).ok_or_else(|| {
        let count = names.clone().count();
        let listed: Vec<&str> = names.clone().take(MAX_LISTED).collect();
        let more =
            if count > MAX_LISTED { format!(", ... ({count} in all)") } else { String::new() };
        let near = suggest(name, names).map_or_else(String::new, |near| format!("; {near}"));
        let known = match count {
            0 => "; the scenario declares none".to_owned(),
            _ => format!("; there are {}{more}{near}", listed.join(", ")),
        };
        UnknownName { what, name: name.to_owned(), known }
    })
}

impl Session<'_> {
    /// Index of the arm that others are compared with.
    pub fn baseline(&self) -> usize {
        self.scenario.baseline
    }

    /// Indices of all arms, in the order of the file.
    pub fn all_arms(&self) -> Vec<usize> {
        (0..self.scenario.arms.len()).collect()
    }

    /// The index of an arm in [`Scenario::arms`].
    ///
    /// # Errors
    /// An unknown name; the error lists those that exist.
    pub fn arm(&self, id: &str) -> Result<usize, UnknownName> {
        arm_index(&self.scenario, id)
    }

    /// The indices of these arms, each once; of all arms if none is named.
    ///
    /// # Errors
    /// As [`Session::arm`].
    pub fn arms<S: AsRef<str>>(&self, ids: &[S]) -> Result<Vec<usize>, UnknownName> {
        if ids.is_empty() {
            return Ok(self.all_arms());
        }
        let mut arms = Vec::new();
        for id in ids {
            let arm = self.arm(id.as_ref().trim())?;
            if !arms.contains(&arm) {
                arms.push(arm);
            }
        }
        Ok(arms)
    }

    /// The index of a retrieve step in [`Scenario::steps`].
    ///
    /// # Errors
    /// As [`Session::arm`].
    pub fn retrieve_step(&self, id: &str) -> Result<usize, UnknownName> {
        let retrieves = self.scenario.steps.iter().enumerate();
        let retrieves: Vec<(usize, &str)> = retrieves
            .filter(|(_, step)| matches!(step.kind, PipelineStepKind::Retrieve(_)))
            .map(|(at, step)| (at, step.id.as_str()))
            .collect();
        index_of("retrieve step", id, retrieves.iter().map(|(_, id)| *id)).map(|at| retrieves[at].0)
    }

    /// The index of an embedder in [`Scenario::embedders`].
    ///
    /// # Errors
    /// As [`Session::arm`].
    pub fn embedder(&self, name: &str) -> Result<usize, UnknownName> {
        index_of("embedder", name, self.scenario.embedders.iter().map(|e| e.name.as_str()))
    }

    /// The index of a task among those that are replayed.
    ///
    /// # Errors
    /// As [`Session::arm`].
    pub fn task(&self, id: &str) -> Result<usize, UnknownName> {
        task_index(&self.scenario, id)
    }
}

pub(crate) fn arm_index(scenario: &Scenario, id: &str) -> Result<usize, UnknownName> {
    index_of("arm", id, scenario.arms.iter().map(|arm| arm.id.as_str()))
}

pub(crate) fn task_index(scenario: &Scenario, id: &str) -> Result<usize, UnknownName> {
    let ids = || scenario.tasks.tasks.iter().map(|task| task.id.as_str());
    // There are too many tasks to list.
    ids().position(|known| known == id).ok_or_else(|| {
        let among = match scenario.sampled {
            Some(TaskSampleSize { size, total: of }) => {
                format!(" among the {size} of {of} that are replayed (tasks.sample)")
            }
            None => format!(" among the {}", scenario.tasks.tasks.len()),
        };
        let near = suggest(id, ids()).or_else(|| Some(format!("the first is `{}`", ids().next()?)));
        let near = near.map_or_else(String::new, |near| format!("; {near}"));
        UnknownName { what: "task", name: id.to_owned(), known: format!("{among}{near}") }
    })
}

impl Scenario {
    /// Restricts the replay to these tasks.
    ///
    /// # Errors
    /// As [`Session::task`].
    pub fn keep_tasks<S: AsRef<str>>(&mut self, ids: &[S]) -> Result<(), UnknownName> {
        for id in ids {
            task_index(self, id.as_ref())?;
        }
        let kept = |id: &str| ids.iter().any(|kept| kept.as_ref() == id);
        let others = self.tasks.tasks.iter().map(|task| &task.id).filter(|id| !kept(id));
        // A run file may hold qids of these tasks, which must not be reported as unknown.
        self.other_tasks.extend(others.cloned());
        self.tasks.tasks.retain(|task| kept(&task.id));
        Ok(())
    }
}
