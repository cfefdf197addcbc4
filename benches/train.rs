//! One training step on all threads: `cargo bench --bench train`, after `knockon models pull` for the models.

use criterion::{Criterion, criterion_group, criterion_main};
use knockon::Environment;
use knockon::embed::model_paths;
use knockon::train::{TrainingRun, TrainingTexts, TuningArm, TuningMethod, TuningRecipe};
use knockon::world::triplet::TextTriplet;

/// Sentences of 8 to 46 words of one token each.
fn texts() -> TrainingTexts {
    let words = ["house", "tree", "river", "road", "stone", "fire", "wind", "rain", "night", "day"];
    let text = |seed: usize| {
        let words = (0..8 + seed * 7 % 39).map(|i| words[(seed * 31 + i * i) % words.len()]);
        words.collect::<Vec<_>>().join(" ")
    };
    let triplet = |i: usize, near: bool| TextTriplet {
        anchor: text(4 * i),
        positive: text(if near { 4 * i } else { 4 * i + 1 }),
        negative: near.then(|| text(4 * i + 2)),
        category: String::new(),
    };
    TrainingTexts {
        structural: (0..500).map(|i| triplet(i, true)).collect(),
        rehearsal: (500..1000).map(|i| triplet(i, false)).collect(),
    }
}

fn step(criterion: &mut Criterion) {
    let texts = texts();
    for model in ["all-MiniLM-L6-v2", "gte-small"] {
        if model_paths::pulled_model_dir(model, &Environment::from_process()).is_none() {
            println!("skipped: {model}; fetch the weights with: knockon models pull {model}");
            continue;
        }
        let mut group = criterion.benchmark_group(format!("{model}, a step of 32 pairs"));
        group.sample_size(10);
        for method in TuningMethod::ALL {
            // More steps than are measured, so that the last step is never reached.
            let recipe = TuningRecipe { steps: 10_000, rate: 1e-6, ..TuningRecipe::new(method) };
            let mut training = TrainingRun::open(
                model,
                &recipe,
                TuningArm::Structural,
                &texts,
                &Environment::from_process(),
            )
            .unwrap();
            group.bench_function(method.name(), |b| b.iter(|| training.step().unwrap()));
        }
    }
}

criterion_group!(benches, step);
criterion_main!(benches);
