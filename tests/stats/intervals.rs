//! Intervals of rates, means and differences, against statsmodels and by hand.

use std::collections::BTreeMap;

use knockon::stats::{
    ClusterObservation, ConfidenceInterval, PairedCase, detectable_difference, holm, mean, rate,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{difference, near, observation};

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
    serde_json::from_str(include_str!("../data/stats/reference.json")).unwrap()
}

/// Wilson's interval as the roots of (p - x)^2 n = q^2 x (1 - x).
fn wilson(p: f64, n: f64, q: f64) -> [f64; 2] {
    let (a, b, c) = (n + q * q, 2.0 * n * p + q * q, n * p * p);
    let root = (b * b - 4.0 * a * c).sqrt();
    [(b - root) / (2.0 * a), (b + root) / (2.0 * a)]
}

#[test]
fn rates_and_differences_agree_with_statsmodels() {
    let reference = reference();
    for case in &reference.cases {
        let size = case.arm.len();
        let observations: Vec<ClusterObservation> = (0..size)
            .map(|i| ClusterObservation {
                value: case.arm[i],
                weight: case.weight[i],
                cluster: case.cluster[i],
            })
            .collect();
        let ours = rate(&observations, 0.95).unwrap();
        let [p, error] = case.rate;
        let clusters = case.cluster.last().unwrap() + 1;
        let n = p * (1.0 - p) / (error * error);
        let [low, high] = wilson(p, n, reference.t_975[&(clusters - 1)]);
        let extreme = (clusters as f64 * error).powi(2) / (p * (1.0 - p));
        let unlike = (1.0 - 0.05f64.powf(1.0 / clusters as f64)) * (-extreme).exp();
        near(ours.estimate, p);
        near(ours.low, low.min(p - unlike * p));
        near(ours.high, high.max(p + unlike * (1.0 - p)));

        let pairs: Vec<PairedCase> = (0..size)
            .map(|i| PairedCase {
                baseline: case.baseline[i],
                arm: case.arm[i],
                weight: case.weight[i],
                cluster: case.cluster[i],
            })
            .collect();
        let ours = difference(&pairs, 0.9, 1);
        near(ours.interval.estimate, case.difference[0]);
        // Beyond 16 clusters both sides draw at random. The correction for skewness cannot reduce p, and here hardly
        // raises it.
        let tolerance = if clusters <= 12 { 1e-12 } else { 0.006 };
        assert!(ours.p > case.p - tolerance && ours.p < case.p + 0.2, "{} {}", ours.p, case.p);
        assert_eq!(ours, difference(&pairs, 0.9, 1));
    }
    for (ours, theirs) in holm(&reference.holm.p).into_iter().zip(reference.holm.adjusted) {
        near(ours, theirs);
    }
}

#[test]
fn zero_variance_still_gives_an_interval() {
    // Five clusters of three without a failure: up to 1 - .05^(1/5) of all clusters may fail although none of five
    // does.
    let unlike = 1.0 - 0.05f64.powf(0.2);
    let none: Vec<ClusterObservation> = (0..15).map(|i| observation(0.0, i % 5)).collect();
    let ConfidenceInterval { estimate, low, high } = rate(&none, 0.95).unwrap();
    assert_eq!((estimate, low), (0.0, 0.0));
    near(high, unlike);
    // A constant value has no variance either, although rounding may suggest some.
    let tenth: Vec<ClusterObservation> = (0..15).map(|i| observation(0.1, i % 5)).collect();
    let ours = rate(&tenth, 0.95).unwrap();
    near(ours.low, 0.1 - unlike * 0.1);
    near(ours.high, 0.1 + unlike * 0.9);
    // An amount that is a multiple of the rate has the same multiple as its interval.
    let losses: Vec<ClusterObservation> =
        tenth.iter().map(|o| ClusterObservation { value: 1_092.9 * o.value, ..*o }).collect();
    let loss = mean(&losses, 0.95, Some((0.0, 1_092.9))).unwrap();
    near(loss.low / 1_092.9, ours.low);
    near(loss.high / 1_092.9, ours.high);
    // Without a known range nothing bounds other clusters.
    assert!(!mean(&losses, 0.95, None).unwrap().is_bounded());
    assert!(!mean(&losses[..1], 0.95, Some((0.0, 1.0))).unwrap().is_bounded());

    let single = rate(&[observation(1.0, 4), observation(0.0, 4)], 0.95).unwrap();
    assert_eq!(single, ConfidenceInterval { estimate: 0.5, low: 0.0, high: 1.0 });
}

/// Nearly equal values are treated like equal ones: intervals do not jump where the variance vanishes.
#[test]
fn intervals_are_continuous_as_the_variance_vanishes() {
    let of = |jitter: f64| {
        let value = |i: usize| 0.1 + jitter * if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        let all: Vec<ClusterObservation> = (0..20).map(|i| observation(value(i), i)).collect();
        (rate(&all, 0.95).unwrap(), mean(&all, 0.95, Some((0.0, 1.0))).unwrap())
    };
    let (rate, mean) = of(0.0);
    for jitter in [1e-13, 1e-9, 1e-7, 1e-6] {
        let (near_rate, near_mean) = of(jitter);
        for (a, b) in [(rate, near_rate), (mean, near_mean)] {
            assert!((a.low - b.low).abs() < 1e-9 && (a.high - b.high).abs() < 1e-9, "{a:?} {b:?}");
        }
    }
}

/// Duplicating each row, with half or all of its weight, adds no evidence.
#[test]
fn repeated_rows_within_a_cluster_change_nothing() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for clusters in [3, 8, 20, 61] {
        let rows: Vec<PairedCase> = (0..3 * clusters)
            .map(|_| PairedCase {
                baseline: rng.random_range(0.0..1.0),
                arm: f64::from(rng.random_range(0..2)),
                weight: f64::from(rng.random_range(1..4)),
                cluster: rng.random_range(0..clusters),
            })
            .collect();
        let twice: Vec<PairedCase> = rows.iter().chain(&rows).copied().collect();
        let of = |rows: &[PairedCase]| {
            let row = |p: &PairedCase| ClusterObservation {
                value: p.arm,
                weight: p.weight,
                cluster: p.cluster,
            };
            let values: Vec<ClusterObservation> = rows.iter().map(row).collect();
            let paired = difference(rows, 0.95, 1);
            [
                rate(&values, 0.95).unwrap(),
                mean(&values, 0.95, Some((0.0, 3.0))).unwrap(),
                paired.interval,
                ConfidenceInterval { estimate: paired.p, low: 0.0, high: 0.0 },
            ]
        };
        for (once, twice) in of(&rows).iter().zip(of(&twice)) {
            near(once.estimate, twice.estimate);
            if once.is_bounded() || twice.is_bounded() {
                near(once.low, twice.low);
                near(once.high, twice.high);
            }
        }
    }
}

#[test]
fn bad_numbers_are_refused() {
    let valid = observation(0.5, 0);
    for bad in [
        ClusterObservation { value: 1.5, ..valid },
        ClusterObservation { value: f64::NAN, ..valid },
        ClusterObservation { weight: -1.0, ..valid },
        ClusterObservation { weight: 0.0, ..valid },
    ] {
        assert!(rate(&[bad], 0.95).is_err(), "{bad:?}");
    }
    assert!(rate(&[], 0.95).is_err());
    assert!(rate(&[valid], 1.0).is_err());
}

/// By hand: eight clusters that differ by 1, 2, 3 and 6, each twice. Their mean is 3, their variance 28/7, the standard
/// error .7071, t(.975; 7) = 2.3646 and z(.8) = .8416.
#[test]
fn the_detectable_difference_is_t_plus_z_standard_errors() {
    let pair = |(cluster, arm)| PairedCase { baseline: 0.0, arm, weight: 1.0, cluster };
    // Each twice, because four clusters cannot show any difference: standard error (28/7/8)^.5, t(.975; 7) = 2.3646.
    let pairs: Vec<PairedCase> =
        [1.0, 2.0, 3.0, 6.0, 1.0, 2.0, 3.0, 6.0].into_iter().enumerate().map(pair).collect();
    let least = detectable_difference(&pairs, 0.95).unwrap();
    assert!((least - (2.364_624 + 0.841_621) * 0.5f64.sqrt()).abs() < 1e-5, "{least}");
    assert_eq!(detectable_difference(&pairs[..5], 0.95).unwrap(), f64::INFINITY);
}
