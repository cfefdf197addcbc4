//! The options for readings by language models, and the estimate of their number that commands print before they start.

use std::path::Path;
use std::process::ExitCode;

use super::terminal::complain;
use super::{EXIT_USAGE, load_scenario, report_unknown_name};
use crate::compile::CompileQuestion;
use crate::run::readings::{self, ReadingEstimate};
use crate::scenario::{ArmReader, ReaderSettings, Scenario, ScenarioArm};
use crate::session::{ReadingMode, Session, UnknownName, index_of};
use crate::wrong_use::WrongUse;

/// How language models are asked.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ReadingArgs {
    /// A reader of the section `readers`, in place of the reader of every arm
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,
    /// Ask for nothing: use only recorded answers, and fail if one is missing
    #[arg(long, conflicts_with = "max_reads")]
    replay: bool,
    /// Ask for at most N readings; if more are missing, only a random sample of the tasks that needs no more is used
    #[arg(long, value_name = "N")]
    max_reads: Option<u32>,
}

impl ReadingArgs {
    /// Loads a scenario, and replaces the readers of its arms if one is given. If that cannot be done, says why and
    /// returns the exit code.
    pub fn load(&self, file: &Path) -> Result<Scenario, ExitCode> {
        let mut scenario = load_scenario(file)?;
        match self.choose_reader(&mut scenario) {
            Ok(()) => Ok(scenario),
            Err(name) => Err(report_unknown_name("--reader", &name)),
        }
    }

    /// Loads a scenario for a command that compares its simulated readers with a language model: that of --reader, or
    /// its only one, by its index. If that cannot be done, says why and returns the exit code.
    pub fn load_with_language_model(&self, file: &Path) -> Result<(Scenario, usize), ExitCode> {
        let scenario = load_scenario(file)?;
        match self.reader_index(&scenario) {
            Ok(reader) => Ok((scenario, reader)),
            Err(error) => {
                complain!("error: {}: {error}", file.display());
                Err(ExitCode::from(EXIT_USAGE))
            }
        }
    }

    /// Replaces the readers of all arms, if a reader is given.
    ///
    /// # Errors
    /// An unknown reader.
    pub fn choose_reader(&self, scenario: &mut Scenario) -> Result<(), UnknownName> {
        let Some(name) = &self.reader else { return Ok(()) };
        let asked = scenario.readers.iter().map(|reader| reader.name.as_str());
        let measured = scenario.measured_readers.iter().map(|(name, _)| name.as_str());
        let at = index_of("reader", name, asked.chain(measured))?;
        let reader = match at.checked_sub(scenario.readers.len()) {
            None => ArmReader::Asked(at),
            Some(measured) => {
                let (_, measured) = &scenario.measured_readers[measured];
                ArmReader::Simulated(ReaderSettings::of_measured(measured))
            }
        };
        for arm in &mut scenario.arms {
            arm.reader = reader.clone();
        }
        Ok(())
    }

    /// The reader that is given, or the only one of the scenario, by its index.
    ///
    /// # Errors
    /// An unknown reader; none or several in the scenario, and none given.
    fn reader_index(&self, scenario: &Scenario) -> anyhow::Result<usize> {
        let names: Vec<&str> = scenario.readers.iter().map(|reader| reader.name.as_str()).collect();
        match (&self.reader, names.as_slice()) {
            (Some(name), _) if scenario.measured_readers.iter().any(|(known, _)| known == name) => {
                anyhow::bail!(
                    "--reader {name}: it is simulated; name the language model that is asked"
                )
            }
            (Some(name), _) => Ok(index_of("reader", name, names.iter().copied())?),
            (None, [_]) => Ok(0),
            (None, []) => anyhow::bail!("it declares no language model under `readers`"),
            (None, names) => anyhow::bail!("choose one with --reader: {}", names.join(", ")),
        }
    }

    /// The session with a hard limit on what may be asked, for a command that itself limits its readings.
    pub fn limited<'a>(&self, session: Session<'a>) -> Session<'a> {
        match self.replay {
            true => session.with_reading_mode(ReadingMode::ReplayOnly),
            false => session.with_reading_budget(self.max_reads.map(|limit| limit as usize)),
        }
    }

    /// The session with these limits. Says how many readings the question needs and how long they take, and leaves out
    /// tasks if there are too many.
    ///
    /// # Errors
    /// Those of [`readings::estimate_readings`]; a limit that allows no task.
    pub fn prepare<'a>(
        &self,
        session: Session<'a>,
        arms: &[ScenarioArm],
        question: &CompileQuestion,
    ) -> anyhow::Result<Session<'a>> {
        if arms.is_empty() || self.replay {
            return Ok(self.limited(session));
        }
        let plain = readings::estimate_readings(&session, arms, &CompileQuestion::Plain)?;
        let all = match question {
            CompileQuestion::Plain => plain.clone(),
            question => readings::estimate_readings(&session, arms, question)?,
        };
        if all.unrecorded > 0 {
            complain!("note: {}", estimate_text(&plain, &all));
        }
        let session = self.limited(session);
        let Some(limit) = self.max_reads.filter(|&limit| all.unrecorded > limit as usize) else {
            return Ok(session);
        };
        let kept = all.tasks_within(session.scenario(), limit as usize);
        let total = session.scenario().tasks.tasks.len();
        if kept.is_empty() {
            let message = format!(
                "--max-reads {limit}: the first task that would be drawn needs more readings; give a larger number"
            );
            return Err(WrongUse::new(message).into());
        }
        complain!(
            "note: {} of the {total} tasks are run, drawn at random, so that at most {limit} readings are asked for \
             (--max-reads)",
            kept.len()
        );
        session.restrict_tasks(&kept)
    }
}

/// How many readings there are, for what, how long they take and what they cost.
fn estimate_text(plain: &ReadingEstimate, all: &ReadingEstimate) -> String {
    let mut text =
        format!("{} readings are not recorded yet and will be asked for", all.unrecorded);
    let further = all.unrecorded.saturating_sub(plain.unrecorded);
    if further > 0 {
        text += &format!(
            ": {} of the runs as they are, {further} of runs with an error forced or repaired, from which causes are \
             computed",
            plain.unrecorded
        );
    }
    text += match all.seconds {
        Some(seconds) => format!("; about {}", duration_text(seconds)),
        None => "; how long that takes is not known before the first answers".to_owned(),
    }
    .as_str();
    if let Some(cost) = &all.cost {
        text += &format!(", about {} {:.2}", cost.currency, cost.amount);
    }
    if all.recorded > 0 {
        text += &format!(" ({} are recorded)", all.recorded);
    }
    text + ". Wrong answers may lead to further ones. They are recorded as they arrive, so a run that is interrupted goes on where it stopped"
}

fn duration_text(seconds: f64) -> String {
    match seconds {
        s if s < 1.5 => "1 second".to_owned(),
        s if s < 90.0 => format!("{s:.0} seconds"),
        s if s < 5400.0 => format!("{:.0} minutes", s / 60.0),
        s => format!("{:.1} hours", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::MoneyAmount;

    #[test]
    fn an_estimate_says_how_many_readings_for_what_how_long_and_at_which_price() {
        let cost = Some(MoneyAmount { currency: "USD".to_owned(), amount: 1.234 });
        let plain = ReadingEstimate { unrecorded: 60, ..ReadingEstimate::default() };
        let unknown = estimate_text(&plain, &plain);
        assert!(
            unknown.starts_with("60 readings are not recorded yet and will be asked for; how long")
        );
        let mut all = plain.clone();
        (all.recorded, all.unrecorded, all.seconds, all.cost) = (5, 180, Some(200.0), cost);
        let text = estimate_text(&plain, &all);
        assert!(
            text.starts_with(
                "180 readings are not recorded yet and will be asked for: 60 of the runs as they are, 120 of runs with \
                 an error forced or repaired, from which causes are computed; about 3 minutes, about USD 1.23 (5 are \
                 recorded). "
            ),
            "{text}"
        );
        let durations = [0.4, 89.0, 90.0, 5399.0, 5400.0].map(duration_text);
        assert_eq!(durations, ["1 second", "89 seconds", "2 minutes", "90 minutes", "1.5 hours"]);
    }
}
