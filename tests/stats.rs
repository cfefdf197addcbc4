//! Intervals and tests against statsmodels and scipy, closed forms, and simulation.

mod areas;
mod coverage;
mod intervals;
mod paired;

use knockon::stats::{ClusterObservation, MeanDifference, PairedCase, PairedTest};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

fn difference(pairs: &[PairedCase], level: f64, seed: u64) -> MeanDifference {
    PairedTest::new(pairs, seed).unwrap().difference(level).unwrap()
}

fn observation(value: f64, cluster: usize) -> ClusterObservation {
    ClusterObservation { value, weight: 1.0, cluster }
}

#[track_caller]
fn near(ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
}

fn random_pairs(rng: &mut ChaCha8Rng, clusters: usize, whole: bool) -> Vec<PairedCase> {
    let mut pairs = Vec::new();
    for cluster in 0..clusters {
        for _ in 0..rng.random_range(1..4) {
            let mut value = || match whole {
                true => f64::from(rng.random_range(0..2)),
                false => rng.random_range(0.0f64..1.0).powi(3),
            };
            let (baseline, arm) = (value(), value());
            let weight = f64::from(rng.random_range(1..4)) / 2.0;
            pairs.push(PairedCase { baseline, arm, weight, cluster });
        }
    }
    pairs
}
