//! Coverage and false positives, by simulation.

use knockon::stats::{ClusterObservation, ConfidenceInterval, PairedCase, mean, rate};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, Gamma};

use super::{difference, observation};

/// Of nominal 95% intervals, 93 to 97% contain the truth. `draw` makes a sample; `intervals` gives each truth with its
/// interval, from the baseline's observations, the pairs and a seed.
fn covers(
    samples: u64,
    mut draw: impl FnMut() -> Vec<PairedCase>,
    intervals: impl Fn(&[ClusterObservation], &[PairedCase], u64) -> [(f64, ConfidenceInterval); 2],
) {
    let mut covered = [0; 2];
    for sample in 0..samples {
        let pairs = draw();
        let baseline: Vec<ClusterObservation> =
            pairs.iter().map(|pair| observation(pair.baseline, pair.cluster)).collect();
        let found = intervals(&baseline, &pairs, sample);
        for (covered, (truth, interval)) in covered.iter_mut().zip(found) {
            *covered += u32::from(interval.low <= truth && truth <= interval.high);
        }
    }
    for covered in covered {
        let share = f64::from(covered) / samples as f64;
        println!("covered: {share}");
        assert!((0.93..=0.97).contains(&share), "{share}");
    }
}

/// Samples of 30 clusters with 1 to 8 cases each; each cluster has its own failure rates, 0.1 on average under the
/// baseline and 0.2 under the other arm.
#[test]
fn intervals_have_their_nominal_coverage() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (low, high) = (Beta::new(0.5, 4.5).unwrap(), Beta::new(1.0, 4.0).unwrap());
    let draw = || {
        let mut pairs = Vec::new();
        for cluster in 0..30 {
            let (p, q) = (low.sample(&mut rng), high.sample(&mut rng));
            for _ in 0..rng.random_range(1..=8) {
                let mut draw = |p| f64::from(u8::from(rng.random_bool(p)));
                pairs.push(PairedCase { baseline: draw(p), arm: draw(q), weight: 1.0, cluster });
            }
        }
        pairs
    };
    covers(2_000, draw, |baseline, pairs, seed| {
        [(0.1, rate(baseline, 0.95).unwrap()), (0.1, difference(pairs, 0.95, seed).interval)]
    });
}

/// Samples of 120 clusters with 1 to 8 cases each, whose expected losses are skewed: gamma distributed about a mean of
/// the cluster, 100 on average under the baseline and 130 under the other arm. With fewer clusters, or more skew, the
/// interval of a mean is too short: with 60 clusters and twice the variance it covers 92%.
#[test]
fn intervals_of_money_have_their_nominal_coverage() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (shape, case) = (Gamma::new(4.0, 25.0).unwrap(), Gamma::new(3.0, 1.0 / 3.0).unwrap());
    let draw = || {
        let mut pairs = Vec::new();
        for cluster in 0..120 {
            let typical: f64 = shape.sample(&mut rng);
            for _ in 0..rng.random_range(1..=8) {
                let mut loss = |times: f64| times * typical * case.sample(&mut rng);
                pairs.push(PairedCase {
                    baseline: loss(1.0),
                    arm: loss(1.3),
                    weight: 1.0,
                    cluster,
                });
            }
        }
        pairs
    };
    covers(1_000, draw, |baseline, pairs, seed| {
        [
            (100.0, mean(baseline, 0.95, None).unwrap()),
            (30.0, difference(pairs, 0.95, seed).interval),
        ]
    });
}

/// Two equivalent arms: within each of 12 clusters the losses are assigned by chance.
#[test]
fn the_permutation_test_has_its_nominal_false_positive_rate() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let loss = Gamma::new(1.0, 100.0).unwrap();
    let samples = 4_000;
    let mut found = 0;
    for sample in 0..samples {
        let mut pair = |cluster: usize| {
            let [baseline, arm] = [(); 2].map(|()| loss.sample(&mut rng));
            PairedCase { baseline, arm, weight: 1.0, cluster: cluster / 2 }
        };
        let pairs: Vec<PairedCase> = (0..24).map(&mut pair).collect();
        found += u32::from(difference(&pairs, 0.95, sample).p < 0.05);
    }
    let share = f64::from(found) / samples as f64;
    println!("found: {share}");
    // Sign flips alone would find 5%; the largest of four p-values cannot find more.
    assert!((0.03..=0.055).contains(&share), "{share}");
}
