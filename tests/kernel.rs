//! Exact inference against full enumeration and against sampling, on handmade and random DAGs.

use knockon::kernel::forward_simulation::{ForwardSimulation, SimulatedRun};
use knockon::kernel::trellis::{TrellisFrontier, TrellisShape};
use knockon::kernel::{
    BranchMasses, KernelBranch, KernelBuilder, KernelModel, OUTCOMES, STOP, StepKernel,
};
use knockon::kernel::{exact, monte_carlo, rng};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Builds a model by calling `row` for every reachable input.
fn model(
    parents: Vec<Vec<usize>>,
    tokens: &[u32],
    mut row: impl FnMut(usize, &[u32]) -> Vec<KernelBranch>,
) -> KernelModel {
    let shape = TrellisShape::new(parents.clone());
    let mut frontier = TrellisFrontier::default();
    let mut kernels = Vec::new();
    for (step, of) in parents.into_iter().enumerate() {
        let mut kernel = KernelBuilder::new(of);
        for (inputs, _) in frontier.inputs(&shape) {
            let branches = row(step, &inputs);
            kernel.push(&inputs, branches);
        }
        assert!(frontier.advance(&shape, &kernel, usize::MAX));
        kernels.push(kernel);
    }
    let trellis = Some(frontier.finish());
    KernelModel { kernels: kernels.into_iter().map(|k| k.finish(tokens)).collect(), trellis }
}

fn branch(token: u32, outcome: u8, p: f64) -> KernelBranch {
    KernelBranch { token, outcome, p, ..KernelBranch::default() }
}

/// Retrieval hits (.8) or misses (.2); reading a hit is right (.95), reading a miss is wrong (.6) or stops (.4); acting
/// is right on a right value, and right by luck (.1) on a wrong one.
#[test]
fn a_three_step_chain_computed_by_hand() {
    let model =
        model(vec![vec![], vec![0], vec![1]], &[2, 2, 2], |step, inputs| match (step, inputs) {
            (0, _) => vec![branch(0, 0, 0.8), branch(1, 0, 0.2)],
            (1, [0]) => vec![branch(0, 0, 0.95), branch(1, 0, 0.05)],
            (1, _) => vec![branch(1, 0, 0.6), branch(STOP, 1, 0.4)],
            (_, [0]) => vec![branch(0, 0, 1.0)],
            _ => vec![branch(0, 0, 0.1), branch(1, 4, 0.9)],
        });
    let masses = exact::infer(&model).unwrap();
    let wrong_value = 0.8 * 0.05 + 0.2 * 0.6;
    let stopped = 0.2 * 0.4;
    let wrong_action = wrong_value * 0.9;
    let expected = [1.0 - stopped - wrong_action, stopped, 0.0, 0.0, wrong_action];
    for (outcome, expected) in expected.into_iter().enumerate() {
        assert!((masses.outcomes[outcome] - expected).abs() < 1e-12);
    }
    // The miss and a failure together: reports are computed from this joint probability.
    let miss: f64 = masses.steps[0][1][1..].iter().sum();
    assert!((miss - (0.2 * 0.4 + 0.2 * 0.6 * 0.9)).abs() < 1e-12);
}

/// A DAG of 2 to 6 steps with up to 2 parents each, 2 to 4 tokens, some stops and some outcomes.
fn random_model(seed: u64) -> KernelModel {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let steps = rng.random_range(2..=6usize);
    let parents: Vec<Vec<usize>> =
        (0..steps).map(|s| (0..s).filter(|_| rng.random_bool(0.4)).take(2).collect()).collect();
    let tokens: Vec<u32> = (0..steps).map(|_| rng.random_range(2..=4)).collect();
    let counts = tokens.clone();
    model(parents, &counts, |step, _| {
        let mut row: Vec<KernelBranch> = (0..tokens[step])
            .map(|t| {
                let outcome = if rng.random_bool(0.3) { rng.random_range(0..5) } else { 0 };
                branch(t, outcome, rng.random_range(0.0..1.0))
            })
            .collect();
        if rng.random_bool(0.2) {
            row.push(branch(STOP, 1, 0.2));
        }
        row
    })
}

/// Sums over every path, one by one: slow, and shares nothing with the trellis except the rows.
fn enumerate(kernels: &[StepKernel], rows: &dyn Fn(usize, &[u32]) -> u32) -> BranchMasses {
    let mut masses = BranchMasses {
        steps: kernels.iter().map(|k| vec![[0.0; OUTCOMES]; k.branches().len()]).collect(),
        outcomes: [0.0; OUTCOMES],
    };
    let mut paths = vec![(Vec::<u32>::new(), Vec::<usize>::new(), 0u8, 1.0f64, false)];
    for (step, kernel) in kernels.iter().enumerate() {
        let mut longer = Vec::new();
        for (tokens, taken, outcome, p, stopped) in paths {
            if stopped {
                longer.push((tokens, taken, outcome, p, true));
                continue;
            }
            let inputs: Vec<u32> = kernel.parents.iter().map(|&q| tokens[q]).collect();
            for at in kernel.span(rows(step, &inputs)) {
                let b = kernel.branches()[at];
                let (mut tokens, mut taken) = (tokens.clone(), taken.clone());
                tokens.push(b.token);
                taken.push(at);
                longer.push((tokens, taken, outcome.max(b.outcome), p * b.p, b.token == STOP));
            }
        }
        paths = longer;
    }
    for (_, taken, outcome, p, _) in paths {
        masses.outcomes[outcome as usize] += p;
        for (step, branch) in taken.into_iter().enumerate() {
            masses.steps[step][branch][outcome as usize] += p;
        }
    }
    masses
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn exact_equals_enumeration_and_sampling_agrees(seed in any::<u64>()) {
        let model = random_model(seed);
        let masses = exact::infer(&model).unwrap();
        prop_assert!((masses.outcomes.iter().sum::<f64>() - 1.0).abs() < 1e-12);

        // Rows are pushed in the order of first appearance; the trellis uses the same numbering.
        let rows = |step: usize, inputs: &[u32]| model.kernels[step].row_of(inputs).unwrap();
        let slow = enumerate(&model.kernels, &rows);
        for (fast, slow) in masses.steps.iter().flatten().flatten().zip(slow.steps.iter().flatten().flatten()) {
            prop_assert!((fast - slow).abs() < 1e-12, "{fast} against {slow}");
        }

        let trials = 20_000;
        let keys: Vec<u64> = (0..model.kernels.len()).map(|s| rng::key(seed, "t", &s.to_string())).collect();
        let sampled = monte_carlo::sample(&model, &keys, trials);
        // Branch by branch as well: statistics are computed from these.
        for (p, sampled) in masses.steps.iter().flatten().flatten().zip(sampled.steps.iter().flatten().flatten()) {
            let error = (p * (1.0 - p) / f64::from(trials)).max(0.0).sqrt();
            prop_assert!((p - sampled).abs() <= 6.0 * error + 1e-3, "{p} against {sampled}");
        }
        for (p, sampled) in masses.outcomes.iter().zip(sampled.outcomes) {
            // Five standard errors and five trials, because counts of very rare outcomes are Poisson: one false alarm
            // in some millions. A sum may exceed one by rounding.
            let error = (p * (1.0 - p) / f64::from(trials)).max(0.0).sqrt();
            let slack = 5.0 / f64::from(trials);
            prop_assert!((p - sampled).abs() <= 5.0 * error + slack, "{p} against {sampled}");
        }
    }
}

#[test]
fn draws_do_not_depend_on_other_steps() {
    // The same chain with an idle step in front: the other steps draw the same numbers.
    let chain = |idle: bool| {
        let shift = usize::from(idle);
        let mut parents = vec![vec![], vec![shift]];
        if idle {
            parents.insert(0, vec![]);
        }
        model(parents, &[3; 3], move |step, inputs| match (step, inputs) {
            (0, _) if idle => vec![branch(0, 0, 0.5), branch(1, 0, 0.5)],
            (s, _) if s == shift => vec![branch(0, 0, 0.7), branch(1, 0, 0.3)],
            (_, [0]) => vec![branch(0, 0, 0.9), branch(1, 4, 0.1)],
            _ => vec![branch(0, 0, 0.2), branch(1, 4, 0.8)],
        })
    };
    let key = |step| rng::key(7, "task", step);
    let plain = monte_carlo::sample(&chain(false), &[key("a"), key("b")], 5000);
    let longer = monte_carlo::sample(&chain(true), &[key("idle"), key("a"), key("b")], 5000);
    assert_eq!(plain.outcomes, longer.outcomes);
}

/// Two steps with many tokens each feed a third: with 300 tokens there are too many inputs for a mixed-radix table.
/// Compiled from the visits of the trials, the task has other rows but the same results, to the bit, including tokens
/// above 255.
#[test]
fn a_walk_visits_the_rows_that_sampling_needs() {
    for tokens in [2, 255, 256, 257, 300] {
        let row = |step: usize, inputs: &[u32]| match step {
            0 | 1 => (0..tokens).map(|t| branch(t, 0, 1.0)).collect(),
            // Some runs stop before the last step.
            2 => vec![branch(STOP, 1, 0.1), branch(0, 0, 0.9)],
            _ => {
                let wrong = f64::from((inputs[0] * 7 + inputs[1]) % 10) / 20.0;
                vec![branch(0, 0, 1.0 - wrong), branch(1, 4, wrong)]
            }
        };
        let parents = [vec![], vec![], vec![1], vec![0, 1]];
        let (trials, counts) = (3000, [tokens, tokens, 1, 2]);
        let keys: Vec<u64> = (0..4).map(|s| rng::key(1, "t", &s.to_string())).collect();
        let full = model(parents.to_vec(), &counts, row);
        let lanes = (0..trials)
            .map(|trial| SimulatedRun { trial, interventions: Default::default() })
            .collect();
        let (mut walk, shape) =
            (ForwardSimulation::new(lanes), TrellisShape::new(parents.to_vec()));
        let mut kernels = Vec::new();
        for (step, of) in parents.iter().enumerate() {
            let mut kernel = KernelBuilder::new(of.clone());
            for inputs in walk.inputs(of) {
                kernel.push(&inputs, row(step, &inputs));
            }
            walk.advance(&shape, &kernel, keys[step]);
            kernels.push(kernel.finish(&counts));
        }
        if tokens == 300 {
            assert!(kernels[3].inputs().count() < full.kernels[3].inputs().count());
        }
        let visited = KernelModel { kernels, trellis: None };
        let sampled = monte_carlo::sample(&visited, &keys, trials);
        assert_eq!(sampled.outcomes, monte_carlo::sample(&full, &keys, trials).outcomes);
        assert!(exact::infer(&visited).is_none());
    }
}
