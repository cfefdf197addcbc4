//! Loads a scenario, runs it, and explains its failures: `cargo run --example ask_why -- scenarios/renewal_desk.yaml`.
//!
//! For each arm: the own error that causes the largest share of failures, and the failure rate if one step were always
//! right. Then, for the baseline's main cause: the effect of that error when nothing else goes wrong.

use knockon::Session;

fn main() -> anyhow::Result<()> {
    let file = std::env::args().nth(1).unwrap_or("scenarios/renewal_desk.yaml".to_owned());
    // The error lists every mistake in the file and its data, with their places.
    let session = Session::open(file)?;
    let record = session.run(&session.all_arms())?;
    for arm in &record.arms {
        let failure = arm.summary.failure;
        let [rate, low, high] = [failure.estimate, failure.low, failure.high].map(percent);
        println!("{} fails {rate} ({low} to {high})", arm.id);
        if let Some(cause) = arm.main_cause() {
            let (share, what) = (percent(cause.share), cause.event.name());
            println!("  main cause: {what} at {}, {share} of the failures", cause.step);
        }
        // By intervention: the step is set right in every run, and everything else is unchanged.
        let ifs = arm.steps.iter().filter_map(|step| Some((step, step.importance?)));
        let best = ifs.min_by(|a, b| a.1.p_fail_if_right.total_cmp(&b.1.p_fail_if_right));
        if let Some((step, importance)) = best {
            let then = percent(importance.p_fail_if_right);
            println!("  if {} were always right: {then}", step.step);
        }
    }
    let baseline = record.baseline.map(|at| &record.arms[at]);
    if let Some((arm, cause)) = baseline.and_then(|arm| Some((arm, arm.main_cause()?))) {
        let at = session.arm(&arm.id)?;
        let forward = session.inject(at, &[&cause.step], &[cause.event.name()])?;
        for injection in &forward.injections {
            let Some(effect) = &injection.effect else { continue };
            let [fails, absorbed] = [effect.failure, effect.absorbed].map(percent);
            println!(
                "\n{} at {} alone: {fails} fail, {absorbed} come out right all the same",
                injection.kind, injection.step
            );
        }
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}
