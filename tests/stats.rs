//! Intervals and tests against statsmodels and scipy, closed forms, and simulation.

use std::collections::BTreeMap;

use knockon::stats::{
    Interval, Observation, Pair, detectable, difference, holm, mean, mean_difference, rate,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, Gamma};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    cluster: Vec<usize>,
    weight: Vec<f64>,
    baseline: Vec<f64>,
    arm: Vec<f64>,
    rate: [f64; 2],
    difference: [f64; 3],
    p: f64,
}

#[derive(Deserialize)]
struct Holm {
    p: Vec<f64>,
    adjusted: Vec<f64>,
}

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
    t_975: BTreeMap<usize, f64>,
    holm: Holm,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("data/stats/reference.json")).unwrap()
}

fn observation(value: f64, cluster: usize) -> Observation {
    Observation { value, weight: 1.0, cluster }
}

/// Wilson's interval as the roots of (p - x)^2 n = q^2 x (1 - x).
fn wilson(p: f64, n: f64, q: f64) -> [f64; 2] {
    let (a, b, c) = (n + q * q, 2.0 * n * p + q * q, n * p * p);
    let root = (b * b - 4.0 * a * c).sqrt();
    [(b - root) / (2.0 * a), (b + root) / (2.0 * a)]
}

#[track_caller]
fn near(ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
}

#[test]
fn rates_and_differences_agree_with_statsmodels() {
    let reference = reference();
    for case in &reference.cases {
        let size = case.arm.len();
        let observations: Vec<Observation> = (0..size)
            .map(|i| Observation {
                value: case.arm[i],
                weight: case.weight[i],
                cluster: case.cluster[i],
            })
            .collect();
        let ours = rate(&observations, 0.95).unwrap();
        let [p, error] = case.rate;
        let clusters = case.cluster.last().unwrap() + 1;
        let n = (p * (1.0 - p) / (error * error)).min(size as f64);
        let [low, high] = wilson(p, n, reference.t_975[&(clusters - 1)]);
        near(ours.estimate, p);
        near(ours.low, low);
        near(ours.high, high);

        let pairs: Vec<Pair> = (0..size)
            .map(|i| Pair {
                baseline: case.baseline[i],
                arm: case.arm[i],
                weight: case.weight[i],
                cluster: case.cluster[i],
            })
            .collect();
        let ours = difference(&pairs, 0.9, 1).unwrap();
        let [d, low, high] = case.difference;
        near(ours.interval.estimate, d);
        near(ours.interval.low, low);
        near(ours.interval.high, high);
        // Beyond 12 clusters both sides draw at random.
        let tolerance = if clusters <= 12 { 1e-12 } else { 0.006 };
        assert!((ours.p - case.p).abs() < tolerance, "{} {}", ours.p, case.p);
        assert_eq!(ours, difference(&pairs, 0.9, 1).unwrap());
    }
    for (ours, theirs) in holm(&reference.holm.p).into_iter().zip(reference.holm.adjusted) {
        near(ours, theirs);
    }
}

#[test]
fn no_variance_is_not_certainty() {
    let t_4 = reference().t_975[&4];
    // Five clusters of three without a failure: Wilson's interval for 0 of 5.
    let none: Vec<Observation> = (0..15).map(|i| observation(0.0, i % 5)).collect();
    let Interval { estimate, low, high } = rate(&none, 0.95).unwrap();
    assert_eq!((estimate, low), (0.0, 0.0));
    near(high, t_4 * t_4 / (5.0 + t_4 * t_4));
    // The same value everywhere is no variance either, though rounding makes it look like some.
    let tenth: Vec<Observation> = (0..15).map(|i| observation(0.1, i % 5)).collect();
    let ours = rate(&tenth, 0.95).unwrap();
    let [low, high] = wilson(0.1, 5.0, t_4);
    near(ours.low, low);
    near(ours.high, high);

    let same: Vec<Pair> =
        (0..5).map(|cluster| Pair { baseline: 1.0, arm: 1.0, weight: 2.0, cluster }).collect();
    let ours = difference(&same, 0.95, 1).unwrap();
    assert_eq!((ours.interval.estimate, ours.p), (0.0, 1.0));
    near(ours.interval.high, t_4 * t_4 / (5.0 + t_4 * t_4));
    near(ours.interval.low, -ours.interval.high);

    let single = rate(&[observation(1.0, 4), observation(0.0, 4)], 0.95).unwrap();
    assert_eq!(single, Interval { estimate: 0.5, low: 0.0, high: 1.0 });
}

#[test]
fn bad_numbers_are_refused() {
    let fine = observation(0.5, 0);
    for bad in [
        Observation { value: 1.5, ..fine },
        Observation { value: f64::NAN, ..fine },
        Observation { weight: -1.0, ..fine },
        Observation { weight: 0.0, ..fine },
    ] {
        assert!(rate(&[bad], 0.95).is_err(), "{bad:?}");
    }
    assert!(rate(&[], 0.95).is_err());
    assert!(rate(&[fine], 1.0).is_err());
}

/// Of nominal 95% intervals, 93 to 97% hold the truth. `draw` makes a sample; `intervals` gives each truth with the
/// interval for it, from the baseline's observations, the pairs and a seed.
fn covers(
    samples: u64,
    mut draw: impl FnMut() -> Vec<Pair>,
    intervals: impl Fn(&[Observation], &[Pair], u64) -> [(f64, Interval); 2],
) {
    let mut covered = [0; 2];
    for sample in 0..samples {
        let pairs = draw();
        let baseline: Vec<Observation> =
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

/// Samples of 30 clusters with 1 to 8 cases each; each cluster has failure rates of its own, 0.1
/// on average under the baseline and 0.2 under the other arm.
#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (low, high) = (Beta::new(0.5, 4.5).unwrap(), Beta::new(1.0, 4.0).unwrap());
    let draw = || {
        let mut pairs = Vec::new();
        for cluster in 0..30 {
            let (p, q) = (low.sample(&mut rng), high.sample(&mut rng));
            for _ in 0..rng.random_range(1..=8) {
                let mut draw = |p| f64::from(u8::from(rng.random_bool(p)));
                pairs.push(Pair { baseline: draw(p), arm: draw(q), weight: 1.0, cluster });
            }
        }
        pairs
    };
    covers(2_000, draw, |baseline, pairs, seed| {
        [
            (0.1, rate(baseline, 0.95).unwrap()),
            (0.1, difference(pairs, 0.95, seed).unwrap().interval),
        ]
    });
}

/// Samples of 120 clusters with 1 to 8 cases each, whose expected losses are skewed: gamma distributed about a mean
/// of the cluster, 100 on average under the baseline and 130 under the other arm. Fewer clusters, or more skew,
/// and the interval of a mean falls short: with 60 clusters and twice the variance it covers 92%.
#[test]
fn intervals_of_money_cover_the_truth_as_often_as_they_say() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (shape, case) = (Gamma::new(4.0, 25.0).unwrap(), Gamma::new(3.0, 1.0 / 3.0).unwrap());
    let draw = || {
        let mut pairs = Vec::new();
        for cluster in 0..120 {
            let typical: f64 = shape.sample(&mut rng);
            for _ in 0..rng.random_range(1..=8) {
                let mut loss = |times: f64| times * typical * case.sample(&mut rng);
                pairs.push(Pair { baseline: loss(1.0), arm: loss(1.3), weight: 1.0, cluster });
            }
        }
        pairs
    };
    covers(1_000, draw, |baseline, pairs, seed| {
        [
            (100.0, mean(baseline, 0.95).unwrap()),
            (30.0, mean_difference(pairs, 0.95, seed).unwrap().interval),
        ]
    });
}

/// On paper: four clusters that differ by 1, 2, 3 and 6. Their mean is 3, their variance 14/3, the standard error
/// 1.0801, t(.975; 3) = 3.1824 and z(.8) = .8416.
#[test]
fn what_can_be_detected_is_t_and_z_standard_errors() {
    let pair = |(cluster, arm)| Pair { baseline: 0.0, arm, weight: 1.0, cluster };
    let pairs: Vec<Pair> = [1.0, 2.0, 3.0, 6.0].into_iter().enumerate().map(pair).collect();
    let least = detectable(&pairs, 0.95).unwrap();
    assert!((least - (3.182_446 + 0.841_621) * (14.0f64 / 12.0).sqrt()).abs() < 1e-5, "{least}");
    assert_eq!(detectable(&pairs[..1], 0.95).unwrap(), f64::INFINITY);
}

/// Two arms that are alike: within each of 12 clusters it is chance which has which losses.
#[test]
fn the_permutation_test_finds_a_difference_where_there_is_none_as_often_as_it_says() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let loss = Gamma::new(1.0, 100.0).unwrap();
    let samples = 4_000;
    let mut found = 0;
    for sample in 0..samples {
        let mut pair = |cluster: usize| {
            let [baseline, arm] = [(); 2].map(|()| loss.sample(&mut rng));
            Pair { baseline, arm, weight: 1.0, cluster: cluster / 2 }
        };
        let pairs: Vec<Pair> = (0..24).map(&mut pair).collect();
        found += u32::from(mean_difference(&pairs, 0.95, sample).unwrap().p < 0.05);
    }
    let share = f64::from(found) / samples as f64;
    println!("found: {share}");
    assert!((0.04..=0.06).contains(&share), "{share}");
}
