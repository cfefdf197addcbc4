//! Estimates, before a run starts, what will be sampled rather than computed, and what will take long.

use crate::compile::live_readings;
use crate::scenario::{InferenceMethod, Scenario};

/// Names that a note lists.
const MAX_LISTED: usize = 3;
/// Seconds of one thread for a case of a sampled year, if one case in five fails and two variables are drawn.
const SECONDS_PER_CASE: f64 = 9e-9;
/// Durations of fewer seconds are not reported.
const MIN_REPORTED_SECONDS: f64 = 10.0;

/// Notes for the user before these arms are run, one sentence each.
pub fn notes(scenario: &Scenario, arms: &[usize]) -> Vec<String> {
    open_readings_note(scenario, arms)
        .into_iter()
        .chain(sampled_years_note(scenario, arms.len()))
        .collect()
}

/// Reports read steps whose outputs are needed at the same time, if they alone exceed the cap.
fn open_readings_note(scenario: &Scenario, arms: &[usize]) -> Option<String> {
    let simulation = &scenario.simulation;
    if simulation.method == InferenceMethod::MonteCarlo {
        return None;
    }
    let open = arms
        .iter()
        .map(|arm| live_readings(scenario, &scenario.arms[*arm]))
        .max_by_key(|open| open.readings.len())?;
    // A reading has at least two results: right, and wrong or missing.
    let count = open.readings.len();
    let fits = u32::try_from(count).ok().and_then(|count| 1usize.checked_shl(count));
    if fits.is_some_and(|states| states <= simulation.max_states) {
        return None;
    }
    let shown: Vec<String> =
        open.readings.iter().take(MAX_LISTED).map(|&step| quoted_id(scenario, step)).collect();
    let then = match simulation.method {
        InferenceMethod::Exact => {
            "`method: exact` fails at the first task in which all of them are read".to_owned()
        }
        _ => format!(
            "tasks in which all of them are read are sampled, {} trials each, and not computed",
            simulation.trials
        ),
    };
    Some(format!(
        "after the step {} the outputs of {count} read steps are live at once, {} and {} more, until {} and later steps have used them: 2^{count} joint states at least, and simulation.max_states is {}. So {then}. An output is live up to the last step that uses it: if steps that belong together follow one another, fewer are",
        quoted_id(scenario, open.after),
        shown.join(", "),
        count - shown.len(),
        quoted_id(scenario, open.next),
        simulation.max_states
    ))
}

fn quoted_id(scenario: &Scenario, step: usize) -> String {
    format!("`{}`", scenario.steps[step].id)
}

/// Reports years that take long to sample.
fn sampled_years_note(scenario: &Scenario, arms: usize) -> Option<String> {
    let impact = scenario.impact.as_ref()?;
    let (years, cases) = (impact.years, impact.volume.mean());
    let rounds = if scenario.sensitivity.is_some() { 2.0 } else { 1.0 };
    let of_all = SECONDS_PER_CASE * rounds * arms as f64 * f64::from(years) * cases;
    let seconds = of_all / rayon::current_num_threads() as f64;
    (seconds >= MIN_REPORTED_SECONDS).then(|| {
        let s = if arms == 1 { "" } else { "s" };
        format!(
            "{years} years of {cases} cases are sampled for {arms} arm{s}, which may take {}; fewer `impact.years` take less",
            rounded_duration(seconds)
        )
    })
}

fn rounded_duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{:.0} seconds", (s / 10.0).ceil() * 10.0),
        s if s < 5400.0 => format!("{:.0} minutes", (s / 60.0).ceil()),
        s => format!("{:.0} hours", (s / 3600.0).ceil()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_rounded_up() {
        for (seconds, text) in [
            (10.0, "10 seconds"),
            (11.0, "20 seconds"),
            (89.0, "90 seconds"),
            (91.0, "2 minutes"),
            (5399.0, "90 minutes"),
            (7201.0, "3 hours"),
        ] {
            assert_eq!(rounded_duration(seconds), text);
        }
    }
}
