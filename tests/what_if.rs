//! "What if" on random DAGs: exact answers against full enumeration, and against replayed trials.

use std::collections::BTreeMap;

use knockon::cascade::causes::but_for;
use knockon::cascade::{OwnError, cut_sets, own_errors, shapley};
use knockon::kernel::exact::ForwardBackward;
use knockon::kernel::monte_carlo::replay;
use knockon::kernel::trellis::{TrellisFrontier, TrellisShape};
use knockon::kernel::{
    BREAK, BranchFault, Intervention, KernelBranch, KernelBuilder, KernelModel, OUTCOMES, REPAIR,
    RIGHT, STOP, StepKernel, failure_probability, paths, rng,
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Two to five steps of two to four tokens. A row gives its right token, or errs: by itself with one of three events,
/// or because of its input. Most rows that do not err can be forced to.
fn random_model(seed: u64) -> KernelModel {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let steps = rng.random_range(2..=5usize);
    let parents: Vec<Vec<usize>> =
        (0..steps).map(|s| (0..s).filter(|_| rng.random_bool(0.5)).take(2).collect()).collect();
    let tokens: Vec<u32> = (0..steps).map(|_| rng.random_range(2..=4)).collect();
    // In half of the models nothing fails unless a step errs.
    let calm = rng.random_bool(0.5);
    let shape = TrellisShape::new(parents.clone());
    let mut frontier = TrellisFrontier::default();
    let mut kernels = Vec::new();
    for (step, of) in parents.into_iter().enumerate() {
        let mut kernel = KernelBuilder::new(of);
        // Steps that never err, such as computations.
        let errs = rng.random_bool(0.8);
        for (inputs, straight) in frontier.inputs(&shape) {
            let right = rng.random_range(0..tokens[step]);
            let mut branch = |token: u32, fault, event| KernelBranch {
                token,
                outcome: if rng.random_bool(0.4) && !(calm && fault == BranchFault::None) {
                    rng.random_range(0..5)
                } else {
                    0
                },
                event,
                fault,
                guarded: Default::default(),
                right: fault == BranchFault::None,
                p: rng.random_range(0.05..1.0),
            };
            let mut row = vec![branch(right, BranchFault::None, 0)];
            let repaired = row[0];
            let set_right = branch(right, BranchFault::None, 0);
            let mut wrong = Vec::new();
            for token in (0..tokens[step]).filter(|&t| t != right) {
                let stops = token % 4 == 3;
                let branch = branch(token, BranchFault::Own, 1 + (token as u8) % 3);
                wrong.push(KernelBranch { token: if stops { STOP } else { token }, ..branch });
            }
            let kind = rng.random_range(0..4);
            match kind {
                0 | 1 if errs => row.extend(wrong.iter().copied()),
                2 if errs => {
                    row.extend(
                        wrong.iter().map(|b| KernelBranch { fault: BranchFault::Induced, ..*b }),
                    );
                }
                // Wrong, but not an own error: a reader's result for a miss.
                3 if errs && rng.random_bool(0.5) => {
                    row.extend(
                        wrong.iter().map(|b| KernelBranch { fault: BranchFault::None, ..*b }),
                    );
                }
                _ => {}
            }
            if rng.random_bool(0.2) {
                let outcome = u8::from(!calm);
                row.push(KernelBranch { token: STOP, outcome, p: 0.3, ..KernelBranch::default() });
            }
            let faulty = row.iter().any(|b| b.fault != BranchFault::None);
            let off = row.iter().any(|b| !b.right);
            kernel.push(&inputs, row);
            if faulty {
                kernel.push_counterfactual(REPAIR, [repaired]);
            } else if errs && straight && rng.random_bool(0.7) {
                kernel.push_counterfactual(BREAK, wrong);
            }
            if off && straight && rng.random_bool(0.8) {
                kernel.push_counterfactual(RIGHT, [set_right]);
            }
        }
        assert!(frontier.advance(&shape, &kernel, usize::MAX));
        kernels.push(kernel);
    }
    let trellis = Some(frontier.finish());
    KernelModel { kernels: kernels.into_iter().map(|k| k.finish(&tokens)).collect(), trellis }
}

/// The branches of a step on a row, as (place, share).
type Row<'a> = &'a dyn Fn(usize, &StepKernel, u32) -> Vec<(usize, f64)>;

/// The branches of one step on one row, as (place, share): those that `stays` keeps, with the rest moved to the
/// repaired row.
fn repaired(
    kernel: &StepKernel,
    row: u32,
    stays: &dyn Fn(&KernelBranch) -> bool,
) -> Vec<(usize, f64)> {
    replaced(kernel, row, stays, REPAIR)
}

/// The same with the rest moved to the counterfactual row for this mark, if there is one.
fn replaced(
    kernel: &StepKernel,
    row: u32,
    stays: &dyn Fn(&KernelBranch) -> bool,
    mark: u8,
) -> Vec<(usize, f64)> {
    let instead = kernel.counterfactual(row, mark).map(|detour| detour.start);
    let branches = kernel.span(row).map(|at| (at, &kernel.branches()[at]));
    let share = |(at, branch): (usize, &KernelBranch)| {
        (instead.filter(|_| !stays(branch)).unwrap_or(at), branch.p)
    };
    branches.map(share).collect()
}

/// The same for an intervention, computed from its definition.
fn intervene(kernel: &StepKernel, row: u32, what: Intervention) -> Vec<(usize, f64)> {
    let conditioned = |counts: &dyn Fn(&KernelBranch) -> bool| {
        let kept: Vec<usize> =
            kernel.span(row).filter(|&at| counts(&kernel.branches()[at])).collect();
        let total: f64 = kept.iter().map(|&at| kernel.branches()[at].p).sum();
        kept.into_iter().map(|at| (at, kernel.branches()[at].p / total)).collect::<Vec<_>>()
    };
    let plain = || repaired(kernel, row, &|_| true);
    match what {
        Intervention::Nothing => plain(),
        Intervention::Repair => repaired(kernel, row, &|b| b.fault != BranchFault::Own),
        Intervention::Right => replaced(kernel, row, &|b| b.right, RIGHT),
        Intervention::Wrong => {
            let faulty = conditioned(&|b| b.fault != BranchFault::None);
            let wrong = conditioned(&|b| !b.right);
            match (faulty.is_empty(), wrong.is_empty(), kernel.counterfactual(row, BREAK)) {
                (false, ..) => faulty,
                (true, false, _) => wrong,
                (true, true, Some(span)) => span.map(|at| (at, kernel.branches()[at].p)).collect(),
                (true, true, None) => plain(),
            }
        }
        Intervention::ForceError(event) => {
            let own = conditioned(&|b| b.fault == BranchFault::Own && b.event == event);
            if own.is_empty() {
                repaired(kernel, row, &|b| b.fault != BranchFault::Own)
            } else {
                own
            }
        }
        Intervention::CounterfactualOrRepair(_) | Intervention::CounterfactualOrNothing(_) => {
            unreachable!("not in these tests")
        }
    }
}

/// All runs: the branches of each, its outcome and probability.
fn runs(model: &KernelModel, row: Row) -> Vec<(Vec<usize>, u8, f64)> {
    let mut runs = vec![(Vec::<u32>::new(), Vec::<usize>::new(), 0u8, 1.0f64, false)];
    for (step, kernel) in model.kernels.iter().enumerate() {
        let mut longer = Vec::new();
        for (tokens, taken, outcome, p, stopped) in runs {
            if stopped {
                longer.push((tokens, taken, outcome, p, true));
                continue;
            }
            let inputs: Vec<u32> = kernel.parents.iter().map(|&q| tokens[q]).collect();
            for (at, share) in row(step, kernel, kernel.row_of(&inputs).unwrap()) {
                let branch = &kernel.branches()[at];
                let (mut tokens, mut taken) = (tokens.clone(), taken.clone());
                tokens.push(branch.token);
                taken.push(at);
                let stop = branch.token == STOP;
                longer.push((tokens, taken, outcome.max(branch.outcome), p * share, stop));
            }
        }
        runs = longer;
    }
    runs.into_iter().map(|(_, taken, outcome, p, _)| (taken, outcome, p)).collect()
}

fn outcomes(model: &KernelModel, row: Row) -> [f64; OUTCOMES] {
    let mut sum = [0.0; OUTCOMES];
    for (_, outcome, p) in runs(model, row) {
        sum[usize::from(outcome)] += p;
    }
    sum
}

fn near(a: &[f64; OUTCOMES], b: &[f64; OUTCOMES]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-10)
}

/// P(outcome) if only the errors in `broken` happen, and all others are fixed.
fn value_of(model: &KernelModel, broken: &[OwnError]) -> [f64; OUTCOMES] {
    outcomes(model, &|step, kernel, row| {
        let happens =
            |b: &KernelBranch| broken.iter().any(|s| s.step == step && s.event.code() == b.event);
        repaired(kernel, row, &|b| b.fault != BranchFault::Own || happens(b))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn interventions_match_enumeration_and_replay(seed in any::<u64>()) {
        let model = random_model(seed);
        let steps = model.kernels.len();
        let flow = ForwardBackward::plain(&model).unwrap();
        let keys: Vec<u64> = (0..steps).map(|s| rng::key(seed, "t", &s.to_string())).collect();
        let trials = 3000;
        for at in 0..steps {
            for what in [Intervention::Nothing, Intervention::Repair, Intervention::Right, Intervention::Wrong, Intervention::ForceError(1), Intervention::ForceError(2)] {
                let slow = outcomes(&model, &|step, kernel, row| {
                    intervene(kernel, row, if step == at { what } else { Intervention::Nothing })
                });
                prop_assert!(near(&flow.outcomes_with(at, what), &slow), "{what:?} at {at}");
                let mut all = vec![Intervention::Nothing; steps];
                all[at] = what;
                prop_assert!(near(&ForwardBackward::under(&model, &all).unwrap().outcomes(), &slow));
                let mut counts = [0.0; OUTCOMES];
                for trial in 0..trials {
                    let run = replay(&model, &keys, trial, &all).unwrap();
                    counts[usize::from(run.outcome)] += 1.0 / f64::from(trials);
                }
                for (p, sampled) in slow.iter().zip(counts) {
                    let error = (p * (1.0 - p) / f64::from(trials)).max(0.0).sqrt();
                    prop_assert!((p - sampled).abs() <= 5.5 * error + 1e-3, "{p} and {sampled}");
                }
            }
        }
        // Everything fixed at once, and one error forced in an otherwise clean run.
        for source in own_errors(&model) {
            let slow = outcomes(&model, &|step, kernel, row| {
                let only = Intervention::ForceError(source.event.code());
                intervene(kernel, row, if step == source.step { only } else { Intervention::Repair })
            });
            prop_assert!(near(&cut_sets::forced_outcomes(&model, &[source]).unwrap(), &slow));
        }
    }

    #[test]
    fn shapley_shares_match_all_coalitions(seed in any::<u64>()) {
        let model = random_model(seed);
        let players = own_errors(&model);
        // 2^n enumerations: the largest models are checked by the sum below only.
        let n = players.len();
        let exact = shapley::exact(&model).unwrap();
        let total: f64 = exact.iter().map(shapley::ShapleyShare::failure).sum();
        let all = failure_probability(&value_of(&model, &players)) - failure_probability(&value_of(&model, &[]));
        prop_assert!((total - all).abs() < 1e-10, "{total} against {all}");
        if n > 7 {
            return Ok(());
        }
        let set = |bits: u32| -> Vec<OwnError> {
            (0..n).filter(|i| bits >> i & 1 == 1).map(|i| players[i]).collect()
        };
        let worths: Vec<[f64; OUTCOMES]> =
            (0..1u32 << n).map(|bits| value_of(&model, &set(bits))).collect();
        let factorial = |k: usize| (1..=k).map(|i| i as f64).product::<f64>();
        for (i, player) in players.iter().enumerate() {
            let mut share = [0.0; OUTCOMES];
            for bits in (0..1u32 << n).filter(|bits| bits >> i & 1 == 0) {
                let others = bits.count_ones() as usize;
                let weight = factorial(others) * factorial(n - others - 1) / factorial(n);
                let (with, without) = (&worths[(bits | 1 << i) as usize], &worths[bits as usize]);
                for (o, sum) in share.iter_mut().enumerate() {
                    *sum += weight * (with[o] - without[o]);
                }
            }
            let found = exact.iter().find(|s| s.source == *player);
            let found = found.map_or([0.0; OUTCOMES], |s| s.outcomes);
            prop_assert!(near(&found, &share), "{player:?}: {found:?} against {share:?}");
        }
    }

    #[test]
    fn cut_sets_match_a_search_of_all_sets(seed in any::<u64>()) {
        let model = random_model(seed);
        let all = own_errors(&model);
        let with = |set: &[OwnError]| {
            outcomes(&model, &|step, kernel, row| {
                let what = set.iter().find(|s| s.step == step);
                intervene(kernel, row, what.map_or(Intervention::Repair, |s| Intervention::ForceError(s.event.code())))
            })
        };
        let fails = |set: &[OwnError]| failure_probability(&with(set)) > 1e-12;
        // A run that fails when clean has no meaningful cut sets.
        if fails(&[]) {
            return Ok(());
        }
        let cuts = cut_sets::minimal_cut_sets(&model, &ForwardBackward::plain(&model).unwrap());
        let plain = runs(&model, &|_, kernel, row| intervene(kernel, row, Intervention::Nothing));
        for cut in &cuts {
            let made = |error: &OwnError, taken: &[usize]| {
                let taken = taken.get(error.step).map(|&at| &model.kernels[error.step].branches()[at]);
                taken.is_some_and(|b| b.fault == BranchFault::Own && b.event == error.event.code())
            };
            let fail = plain.iter().filter(|(taken, outcome, _)| {
                *outcome > 0 && cut.errors.iter().all(|error| made(error, taken))
            });
            let slow: f64 = fail.map(|(_, _, p)| p).sum();
            prop_assert!((cut.with_failure - slow).abs() < 1e-10, "{cut:?}: {slow}");
            let whole: f64 = plain.iter().filter(|run| run.1 > 0).map(|run| run.2).sum();
            let share = if whole > 1e-12 { slow / whole } else { 0.0 };
            prop_assert!((cut.share - share).abs() < 1e-9, "{cut:?}: {share}");
            prop_assert!(near(&cut.forced, &with(&cut.errors)), "{cut:?}");
        }
        let found: Vec<Vec<OwnError>> = cuts.into_iter().map(|cut| cut.errors).collect();
        let mut expected: Vec<Vec<OwnError>> = Vec::new();
        for bits in 1u32..1 << all.len() {
            if bits.count_ones() as usize > cut_sets::MAX_ORDER {
                continue;
            }
            let set: Vec<OwnError> =
                (0..all.len()).filter(|i| bits >> i & 1 == 1).map(|i| all[i]).collect();
            let twice = set.windows(2).any(|w| w[0].step == w[1].step);
            if twice || !fails(&set) {
                continue;
            }
            let parts = (0..set.len()).map(|out| {
                let mut part = set.clone();
                part.remove(out);
                part
            });
            // All subsets, not only those with one error less: a smaller set may fail although a larger one does not,
            // because one error can hide another.
            let mut smaller: Vec<Vec<OwnError>> = parts.collect();
            smaller.extend(set.iter().map(|s| vec![*s]).filter(|s| s.len() < set.len()));
            if !smaller.iter().any(|part| !part.is_empty() && fails(part)) {
                expected.push(set);
            }
        }
        let mut found_sorted = found.clone();
        found_sorted.sort();
        expected.sort();
        prop_assert_eq!(found_sorted, expected);
    }

    #[test]
    fn failure_paths_match_enumeration(seed in any::<u64>()) {
        let model = random_model(seed);
        let flow = ForwardBackward::plain(&model).unwrap();
        let note = |_: usize, b: &KernelBranch| (b.fault != BranchFault::None).then_some(b.event);
        let mut slow: BTreeMap<(Vec<(usize, u8)>, u8), f64> = BTreeMap::new();
        for (taken, outcome, p) in runs(&model, &|_, kernel, row| intervene(kernel, row, Intervention::Nothing)) {
            if outcome > 0 {
                let noted = taken.iter().enumerate();
                let noted = noted
                    .filter_map(|(s, &at)| Some((s, note(s, &model.kernels[s].branches()[at])?)));
                *slow.entry((noted.collect(), outcome)).or_default() += p;
            }
        }
        let least = 1e-3;
        slow.retain(|_, p| *p >= least);
        let found: BTreeMap<(Vec<(usize, u8)>, u8), f64> = paths::failures(&flow, least, note)
            .into_iter()
            .map(|path| ((path.labels, path.outcome), path.p))
            .collect();
        prop_assert_eq!(found.len(), slow.len());
        for (way, p) in &slow {
            prop_assert!((found[way] - p).abs() < 1e-12, "{way:?}");
        }
    }
}

/// Sixteen steps that all err, each sufficient to fail: only fixing all of them helps, and this is found without trying
/// 2^16 sets.
#[test]
fn a_run_in_which_every_step_errs_has_one_cause() {
    let shape = TrellisShape::new(vec![vec![]; 16]);
    let mut frontier = TrellisFrontier::default();
    let mut kernels = Vec::new();
    for _ in 0..16 {
        let mut kernel = KernelBuilder::new(vec![]);
        let wrong = KernelBranch {
            token: 1,
            outcome: 4,
            fault: BranchFault::Own,
            p: 1.0,
            ..KernelBranch::default()
        };
        kernel.push(&[], [wrong]);
        kernel.push_counterfactual(REPAIR, [KernelBranch { p: 1.0, ..KernelBranch::default() }]);
        assert!(frontier.advance(&shape, &kernel, usize::MAX));
        kernels.push(kernel.finish(&[2; 16]));
    }
    let model = KernelModel { kernels, trellis: Some(frontier.finish()) };
    let keys: Vec<u64> = (0..16).map(|s| rng::key(1, "t", &s.to_string())).collect();
    assert_eq!(but_for(&model, &keys, 0), [(0..16).collect::<Vec<usize>>()]);
}
