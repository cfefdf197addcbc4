//! One Monte Carlo trial, exact inference, causes of failures, and reweighting, on a six-step DAG with five outputs per
//! step.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use knockon::cascade::shapley;
use knockon::kernel::batched_sweep::{BatchedSweep, LANE_WIDTH, WeightLane};
use knockon::kernel::exact::ForwardBackward;
use knockon::kernel::trellis::{TrellisFrontier, TrellisShape};
use knockon::kernel::{
    BranchFault, Intervention, KernelBranch, KernelBuilder, KernelModel, REPAIR, RIGHT, exact,
    failure_probability, monte_carlo, rng,
};

/// Six steps in two branches that join, with five outputs each and every row full; each row has its repair if `repairs`
/// is set.
fn six_steps(repairs: bool) -> KernelModel {
    let parents = vec![vec![], vec![0], vec![], vec![2], vec![1, 3], vec![4]];
    let shape = TrellisShape::new(parents.clone());
    let mut frontier = TrellisFrontier::default();
    let mut kernels = Vec::new();
    for (step, of) in parents.into_iter().enumerate() {
        let mut kernel = KernelBuilder::new(of);
        for (inputs, _) in frontier.inputs(&shape) {
            let skew: u32 = inputs.iter().sum();
            let branch = |token: u32| KernelBranch {
                token,
                outcome: if step == 5 && token > 0 { token as u8 } else { 0 },
                event: token as u8,
                fault: if token > 0 { BranchFault::Own } else { BranchFault::None },
                guarded: Default::default(),
                right: token == 0,
                p: 1.0 / f64::from(1 + (token + skew) % 5),
            };
            kernel.push(&inputs, (0..5).map(branch));
            if repairs {
                kernel.push_counterfactual(REPAIR, [branch(0)]);
                kernel.push_counterfactual(RIGHT, [branch(0)]);
            }
        }
        frontier.advance(&shape, &kernel, usize::MAX);
        kernels.push(kernel);
    }
    let trellis = Some(frontier.finish());
    KernelModel { kernels: kernels.into_iter().map(|k| k.finish(&[5; 6])).collect(), trellis }
}

fn benches(c: &mut Criterion) {
    let model = six_steps(true);
    let keys: Vec<u64> = (0..6).map(|s| rng::key(1, "task", &s.to_string())).collect();
    let mut group = c.benchmark_group("kernel");

    let trials = 100_000;
    group.throughput(Throughput::Elements(u64::from(trials)));
    group.bench_function("monte_carlo_trial", |b| {
        b.iter(|| monte_carlo::sample(black_box(&model), &keys, trials));
    });

    // 1,000 tasks x 3 arms, each with its own arrays, as after compiling.
    let models: Vec<KernelModel> = (0..3000).map(|_| model.clone()).collect();
    group.throughput(Throughput::Elements(3000));
    group.bench_function("exact_1000_tasks_3_arms", |b| {
        b.iter(|| models.iter().filter_map(exact::infer).map(|m| m.failure()).sum::<f64>());
    });

    // Importance of every step and Shapley shares of its four errors, for 300 tasks x 3 arms with 24 players per task.
    group.throughput(Throughput::Elements(900));
    group.bench_function("importance_and_shapley_300_tasks_3_arms", |b| {
        b.iter(|| {
            let why = |model: &KernelModel| {
                let flow = ForwardBackward::plain(model)?;
                let effect = |step| {
                    failure_probability(&flow.outcomes_with(step, Intervention::Wrong))
                        - failure_probability(&flow.outcomes_with(step, Intervention::Right))
                };
                let birnbaum: f64 = (0..6).map(effect).sum();
                let shares = shapley::exact(model)?;
                Some(birnbaum + shares.iter().map(|share| share.failure()).sum::<f64>())
            };
            models[..900].iter().filter_map(why).sum::<f64>()
        });
    });

    // One point of a sensitivity analysis: 300 tasks x 4 arms at other rates.
    let plain = six_steps(false);
    let mut weights: Vec<WeightLane> = Vec::new();
    let starts: Vec<Vec<u32>> = plain
        .kernels
        .iter()
        .map(|kernel| {
            let start = |row: usize| {
                let start = weights.len() as u32;
                weights.push([0.0; LANE_WIDTH]); // no payments
                weights.extend(
                    kernel.branches()[kernel.span(row as u32)].iter().map(|b| [b.p; LANE_WIDTH]),
                );
                start
            };
            (0..kernel.inputs().count()).map(start).collect()
        })
        .collect();
    let trellis = plain.trellis.as_ref().expect("the states are few");
    let ends: Vec<u32> = trellis.outcomes.iter().map(|&outcome| u32::from(outcome)).collect();
    let many = BatchedSweep::new(trellis, |step, row| starts[step][row as usize], &ends);
    let many: Vec<BatchedSweep> = (0..1200).map(|_| many.clone()).collect();
    group.throughput(Throughput::Elements(1200 * LANE_WIDTH as u64));
    group.bench_function("other_odds_300_tasks_4_arms", |b| {
        b.iter(|| {
            many.iter().map(|task| task.sweep(black_box(&weights)).states[0][0]).sum::<f64>()
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
