//! The readings of arms whose reader is a language model: how many there will be, and asking for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::compile::reading_answers::{
    KnownReading, ReadingAnswers, ReadingKey, UnansweredReading,
};
use crate::compile::{CompileQuestion, compile};
use crate::read::ParsedAnswer;
use crate::scenario::{ArmReader, Scenario, ScenarioArm, sample_order};
use crate::session::Session;
use crate::solve::{compile_progress, search_depth};
use crate::value::MoneyAmount;

/// How many distinct readings there are, as far as this can be known before they are made: those that are not recorded
/// are assumed to be right, and a wrong answer may lead to further ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadingEstimate {
    /// Readings whose answers are recorded.
    pub recorded: usize,
    /// Readings that must be asked for.
    pub unrecorded: usize,
    /// The time that these will take, one after the other; `None` if nothing was recorded yet.
    pub seconds: Option<f64>,
    /// What these will cost.
    pub cost: Option<MoneyAmount>,
    /// By task id: its readings that must be asked for.
    pub by_task: BTreeMap<String, BTreeSet<ReadingKey>>,
}

impl ReadingEstimate {
    /// The ids of as many tasks as need at most `limit` readings together, in the order in which tasks are drawn.
    pub fn tasks_within(&self, scenario: &Scenario, limit: usize) -> Vec<String> {
        let tasks = &scenario.tasks.tasks;
        let mut needed: BTreeSet<&ReadingKey> = BTreeSet::new();
        let mut kept = Vec::new();
        for at in sample_order(tasks, scenario.simulation.seed) {
            let id = &tasks[at].id;
            needed.extend(self.by_task.get(id).into_iter().flatten());
            if needed.len() > limit {
                break;
            }
            kept.push(id.clone());
        }
        kept
    }
}

/// The answers to readings that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadingTotals {
    /// Distinct readings.
    pub readings: usize,
    /// Readings with an answer that is no value and does not say that there is none.
    pub unparsable: usize,
    /// The first reasons why an answer could not be parsed, with the text that was parsed.
    pub reasons: Vec<String>,
}

/// The maximum number of reasons in [`ReadingTotals::reasons`].
const MAX_REASONS: usize = 5;

/// The arms that are read by a language model: with `reader`, all of them by that one, and otherwise those of `arms` whose
/// own reader is one.
pub fn read_arms(scenario: &Scenario, arms: &[usize], reader: Option<usize>) -> Vec<ScenarioArm> {
    let arms = arms.iter().map(|&arm| scenario.arms[arm].clone()).map(|arm| match reader {
        Some(reader) => ScenarioArm { reader: ArmReader::Asked(reader), ..arm },
        None => arm,
    });
    arms.filter(|arm| matches!(arm.reader, ArmReader::Asked(_))).collect()
}

/// Estimates the number of readings that a question about these arms needs. Nothing is asked.
///
/// # Errors
/// Those of [`compile`], a recording that cannot be read.
pub fn estimate_readings(
    session: &Session,
    arms: &[ScenarioArm],
    question: &CompileQuestion,
) -> anyhow::Result<ReadingEstimate> {
    let mut estimate = ReadingEstimate::default();
    let readings = compile_arms(session, arms, question, UnansweredReading::AssumeRight)?;
    let mut unrecorded = BTreeSet::new();
    for (key, reading) in readings.all() {
        match reading {
            KnownReading::Answered(_) => estimate.recorded += 1,
            KnownReading::AssumedRight => {
                estimate.unrecorded += 1;
                let effort = session.mean_reading_effort(key.reader);
                unrecorded.insert(key);
                let Some((seconds, cost)) = effort else {
                    continue;
                };
                *estimate.seconds.get_or_insert(0.0) += seconds;
                if let Some(cost) = cost {
                    let sum =
                        estimate.cost.get_or_insert(MoneyAmount { amount: 0.0, ..cost.clone() });
                    sum.amount += cost.amount;
                }
            }
        }
    }
    estimate.by_task = readings.take_by_task();
    estimate.by_task.values_mut().for_each(|keys| keys.retain(|key| unrecorded.contains(key)));
    Ok(estimate)
}

/// Asks for all readings that a question about these arms needs and that are not recorded.
///
/// # Errors
/// Those of [`compile`], a model that cannot be asked.
pub fn record_readings(
    session: &Session,
    arms: &[ScenarioArm],
    question: &CompileQuestion,
) -> anyhow::Result<ReadingTotals> {
    let mut totals = ReadingTotals::default();
    let readings = compile_arms(session, arms, question, UnansweredReading::Ask)?;
    for (_, reading) in readings.all() {
        totals.readings += 1;
        let KnownReading::Answered(replies) = reading else { continue };
        let reason = replies.iter().find_map(|reply| match &reply.answer {
            ParsedAnswer::Unparsable(reason) => Some(reason),
            _ => None,
        });
        if let Some(reason) = reason {
            totals.unparsable += 1;
            if totals.reasons.len() < MAX_REASONS && !totals.reasons.contains(reason) {
                totals.reasons.push(reason.clone());
            }
        }
    }
    Ok(totals)
}

fn compile_arms(
    session: &Session,
    arms: &[ScenarioArm],
    question: &CompileQuestion,
    unanswered: UnansweredReading,
) -> anyhow::Result<Arc<ReadingAnswers>> {
    let (scenario, indices, progress) = (session.scenario(), session.indices(), session.progress());
    let mut searches =
        session.searches(search_depth(&scenario.steps, &scenario.arms)).with_unanswered(unanswered);
    for arm in arms {
        let work = compile_progress(scenario, arm, progress);
        compile(scenario, arm, indices, &mut searches, question, &|| work.advance(1))?;
    }
    Ok(searches.readings().clone())
}
