//! The engine on the shipped scenarios: the oracle is consistent, exact results agree with sampling, and nothing
//! depends on threads.

use std::path::{Path, PathBuf};

use knockon::Session;
use knockon::cascade::failure_paths::FailurePathFinder;
use knockon::cascade::{OwnError, cut_sets, shapley};
use knockon::compile::CompileQuestion;
use knockon::kernel::exact::ForwardBackward;
use knockon::kernel::{OUTCOMES, failure_probability};
use knockon::output::OutputWriter;
use knockon::progress::NoProgress;
use knockon::report;
use knockon::run::record::{ArmRecord, CauseShareRecord};
use knockon::run::{self, SolveMethod};
use knockon::scenario::{ArmReader, InferenceMethod, ReaderSettings, Scenario};
use knockon::world::import::cuad;

use crate::support::scenarios::load;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Vectors of the tests' models, cached between test runs.
fn cache() -> PathBuf {
    root().join("target/tmp/vectors")
}

/// The scenarios with committed data and, if the data is present, those on CUAD.
fn shipped() -> Vec<Scenario> {
    let scenarios = root().join("scenarios");
    let committed = ["renewal_desk.yaml", "invoice_match.yaml", "price_quote.yaml"];
    let mut all: Vec<Scenario> = committed.map(|name| load(&scenarios.join(name))).into();
    let data = std::env::var_os("KNOCKON_DATA")
        .map_or_else(|| root().join("../shared/data"), PathBuf::from);
    if data.join("cuad").is_dir() {
        let dir = tempfile::tempdir().unwrap();
        cuad::read(&data.join("cuad"), 800)
            .and_then(|import| {
                import.write(
                    &OutputWriter::default(),
                    &dir.path().join("cuad"),
                    cuad::CuadTitlePrefix::Both,
                )
            })
            .unwrap();
        for name in ["cuad_renewal.yaml", "cuad_governing_law.yaml", "cuad_consent.yaml"] {
            std::fs::copy(scenarios.join(name), dir.path().join(name)).unwrap();
            all.push(load(&dir.path().join(name)));
        }
    } else {
        println!("skipped: the CUAD scenarios (no data in {})", data.display());
    }
    all
}

/// The arms whose retrievers need no transformer: these are fast without optimisation.
fn quick_arms(scenario: &Scenario) -> Vec<usize> {
    let quick = ["bm25", "potion"];
    (0..scenario.arms.len()).filter(|&a| quick.contains(&scenario.arms[a].id.as_str())).collect()
}

fn csvs(scenario: &Scenario, arms: &[usize]) -> Vec<(&'static str, String)> {
    let cache = cache();
    let session = Session::over(scenario).with_cache(&cache);
    let record = run::run(&session, arms).unwrap();
    let files = report::csv::files(&record).unwrap();
    files.into_iter().map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap())).collect()
}

#[test]
fn tasks_are_correct_with_gold_retrieved_and_a_perfect_reader() {
    for mut scenario in shipped() {
        let arm = scenario.baseline;
        let perfect = ReaderSettings { preset: "perfect".to_owned(), ..ReaderSettings::default() };
        scenario.arms[arm].reader = ArmReader::Simulated(perfect);
        let session =
            Session::over(&scenario).with_retrievers(|_, _| anyhow::bail!("nothing is searched"));
        let mut searches = session.searches(10);
        let solved = run::solve(
            &scenario,
            arm,
            session.indices(),
            &mut searches,
            &CompileQuestion::Gold,
            &NoProgress,
        )
        .unwrap();
        for (task, solved) in scenario.tasks.tasks.iter().zip(solved) {
            let failure = solved.masses.failure();
            assert!(failure < 1e-12, "{}, task {}: {failure}", scenario.name, task.id);
        }
    }
}

/// For every task: with all own errors fixed it is correct, the shares add up, and each cut set suffices for failure
/// while no proper subset does.
#[test]
fn causes_add_up_and_cut_sets_are_minimal() {
    for scenario in shipped() {
        let cache = cache();
        let session = Session::over(&scenario).with_cache(&cache);
        let indices = session.indices();
        let mut searches = session.searches(10);
        for arm in quick_arms(&scenario) {
            let solved = run::solve(
                &scenario,
                arm,
                indices,
                &mut searches,
                &CompileQuestion::Run,
                &NoProgress,
            );
            for (task, solved) in scenario.tasks.tasks.iter().zip(solved.unwrap()) {
                let name = format!("{}, arm {arm}, task {}", scenario.name, task.id);
                let model = &solved.compiled.model;
                let fixed = cut_sets::forced_outcomes(model, &[]).unwrap();
                assert!(failure_probability(&fixed) < 1e-12, "{name}: {fixed:?}");
                let shares = shapley::exact(model).unwrap();
                for outcome in 1..OUTCOMES {
                    let sum: f64 = shares.iter().map(|share| share.outcomes[outcome]).sum();
                    let off = (sum - solved.masses.outcomes[outcome]).abs();
                    assert!(off < 1e-9, "{name}: shares of outcome {outcome} are off by {off}");
                }
                let found =
                    cut_sets::minimal_cut_sets(model, &ForwardBackward::plain(model).unwrap());
                for cut in &found {
                    assert!(
                        failure_probability(
                            &cut_sets::forced_outcomes(model, &cut.errors).unwrap()
                        ) > 1e-12,
                        "{name}"
                    );
                    for out in 0..cut.errors.len() {
                        let mut part = cut.errors.clone();
                        part.remove(out);
                        let left =
                            failure_probability(&cut_sets::forced_outcomes(model, &part).unwrap());
                        assert!(left <= 1e-12, "{name}: {cut:?} without {out} fails {left}");
                    }
                }
                let flow = ForwardBackward::plain(model).unwrap();
                for path in FailurePathFinder::new(&solved.compiled).exact(&flow) {
                    let roots: Vec<OwnError> = path
                        .signature
                        .own_errors
                        .iter()
                        .map(|&at| path.signature.events[at])
                        .collect();
                    let holds = |cut: &cut_sets::MinimalCutSet| {
                        cut.errors.iter().all(|e| roots.contains(e))
                    };
                    assert!(
                        roots.len() > cut_sets::MAX_ORDER || found.iter().any(holds),
                        "{name}: {path:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn exact_and_sampled_failure_rates_agree() {
    for mut scenario in shipped() {
        let arms = quick_arms(&scenario);
        let cache = cache();
        let mut runs = Vec::new();
        for method in [InferenceMethod::Exact, InferenceMethod::MonteCarlo] {
            scenario.simulation.method = method;
            scenario.simulation.trials = 4000;
            let session = Session::over(&scenario).with_cache(&cache);
            runs.push(run::run(&session, &arms).unwrap());
        }
        for (exact, sampled) in runs[0].arms.iter().zip(&runs[1].arms) {
            agree(exact, sampled);
        }
        let tasks = runs[0].arms.iter().zip(&runs[1].arms);
        for (exact, sampled) in tasks.flat_map(|(a, b)| a.tasks.iter().zip(&b.tasks)) {
            assert!(
                matches!(exact.method, SolveMethod::Exact { .. })
                    && sampled.method == SolveMethod::Sampled
            );
            for (p, sampled) in exact.outcomes.iter().zip(sampled.outcomes) {
                // Among thousands of comparisons, differences beyond five standard errors are very rare.
                let error = (p * (1.0 - p) / 4000.0).max(0.0).sqrt();
                let off = (p - sampled).abs();
                assert!(
                    off <= 5.0 * error + 1e-3,
                    "{}, {}: {p} against {sampled}",
                    scenario.name,
                    exact.id
                );
            }
        }
    }
}

/// Compares the causes of failures computed exactly with those from replayed trials.
fn agree(exact: &ArmRecord, sampled: &ArmRecord) {
    let failure = sampled.summary.failure.estimate;
    let sum: f64 = sampled.causes.iter().map(|cause| cause.failure.estimate).sum();
    assert!((sum - failure).abs() < 1e-9, "sampled shares add up to {sum}, not {failure}");
    for cause in &sampled.causes {
        let same = |c: &&CauseShareRecord| (&c.step, c.event) == (&cause.step, cause.event);
        let share = exact.causes.iter().find(same).map_or(0.0, |c| c.failure.estimate);
        // The interval has level 95%: three times its width is very rarely exceeded.
        let half = (cause.failure.high - cause.failure.low) / 2.0;
        let off = (share - cause.failure.estimate).abs();
        assert!(
            off <= 3.0 * half + 1e-4,
            "{} {:?}: {share}, {:?}",
            cause.step,
            cause.event,
            cause.failure
        );
    }
    for (exact, sampled) in exact.steps.iter().zip(&sampled.steps) {
        // Removing the own errors of a step that never errs changes nothing, sampled or not.
        if let Some(of) = sampled.importance.filter(|of| of.p_err == 0.0) {
            assert!(
                (of.p_fail_without_own_errors - failure).abs() < 1e-9,
                "{}: {of:?}",
                exact.step
            );
        }
        if let (Some(a), Some(b)) = (exact.importance, sampled.importance) {
            // Means over at least a hundred tasks of thousands of trials each.
            for (a, b) in [
                (a.p_err, b.p_err),
                (a.p_fail_if_right, b.p_fail_if_right),
                (a.p_fail_if_wrong, b.p_fail_if_wrong),
            ] {
                assert!((a - b).abs() < 0.01, "{}: {a} against {b}", exact.step);
            }
        }
    }
}

#[test]
fn past_the_state_cap_sampling_agrees_with_exact() {
    let mut scenario = load(&root().join("scenarios/renewal_desk.yaml"));
    let arms = quick_arms(&scenario);
    let cache = cache();
    let mut run = |max_states| {
        scenario.simulation.max_states = max_states;
        let session = Session::over(&scenario).with_cache(&cache);
        run::run(&session, &arms[..1]).unwrap()
    };
    let (exact, capped) = (run(20_000), run(2));
    agree(&exact.arms[0], &capped.arms[0]);
    let past =
        capped.arms[0].tasks.iter().filter(|t| t.method == SolveMethod::SampledPastCap).count();
    assert!(past > 0, "no task has more than 2 joint states");
    for (exact, capped) in exact.arms[0].tasks.iter().zip(&capped.arms[0].tasks) {
        let p = exact.failure();
        let error = (p * (1.0 - p) / f64::from(10_000)).max(0.0).sqrt();
        assert!((p - capped.failure()).abs() <= 5.0 * error + 1e-3, "{}", exact.id);
    }
}

#[test]
fn reports_do_not_depend_on_the_number_of_threads() {
    let mut scenario = load(&root().join("scenarios/renewal_desk.yaml"));
    for method in [InferenceMethod::Auto, InferenceMethod::MonteCarlo] {
        scenario.simulation.method = method;
        scenario.simulation.trials = 500;
        let arms = quick_arms(&scenario);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| csvs(&scenario, &arms))
        };
        let one = on(1);
        assert_eq!(one, on(2));
        assert_eq!(one, on(5));
    }
}
