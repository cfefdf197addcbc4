//! Intervals and tests against statsmodels and scipy, closed forms, and simulation.

use std::collections::BTreeMap;

use knockon::stats::{
    AreaUnderRoc, ClusterObservation, ConfidenceInterval, MeanDifference, PairedCase, PairedTest,
    can_reject, detectable_difference, family_differences, holm, mean, rate,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, Gamma};
use serde::Deserialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

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

fn difference(pairs: &[PairedCase], level: f64, seed: u64) -> MeanDifference {
    PairedTest::new(pairs, seed).unwrap().difference(level).unwrap()
}

fn observation(value: f64, cluster: usize) -> ClusterObservation {
    ClusterObservation { value, weight: 1.0, cluster }
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

/// The p-value against `null` by its definition: all sign flips of the deviations from it and Student's t, each with
/// and without skewness.
fn by_definition(pairs: &[PairedCase], null: f64) -> f64 {
    let clusters = 1 + pairs.iter().map(|pair| pair.cluster).max().unwrap();
    let mut totals = vec![(0.0, 0.0); clusters];
    for pair in pairs {
        totals[pair.cluster].0 += pair.weight * (pair.arm - pair.baseline);
        totals[pair.cluster].1 += pair.weight;
    }
    let (sum, weight) = totals.iter().fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    let d = sum / weight;
    let off: Vec<f64> = totals.iter().map(|(sum, of)| (sum - d * of) / weight).collect();
    let squares: f64 = off.iter().map(|z| z * z).sum();
    let error = (clusters as f64 / (clusters - 1) as f64 * squares).sqrt();
    let n = clusters as f64;
    let adjusted = if clusters > 2 { (n * (n - 1.0)).sqrt() / (n - 2.0) } else { 0.0 };
    let a = 1.1 * adjusted * off.iter().map(|z| z.powi(3)).sum::<f64>() / squares.powf(1.5);
    let t = (d - null) / error;
    let corrected = d - error * (t + a * t * t / 3.0 + a * a * t.powi(3) / 27.0 + a / 6.0);
    // One-sided, from the sums themselves, not from subsets.
    let share = |null: f64, sign: f64| {
        let parts: Vec<f64> = totals.iter().map(|(sum, of)| sign * (sum - null * of)).collect();
        let observed: f64 = parts.iter().sum();
        let flipped = |set: u32| {
            let part = |(i, part): (usize, &f64)| if set >> i & 1 == 1 { -part } else { *part };
            parts.iter().enumerate().map(part).sum::<f64>()
        };
        let all = 1u32 << clusters;
        let size: f64 = parts.iter().map(|part| part.abs()).sum();
        (0..all).filter(|set| flipped(*set) >= observed - 1e-11 * size).count() as f64
            / f64::from(all)
    };
    let student = StudentsT::new(0.0, 1.0, n - 1.0).unwrap();
    let greater =
        [null, corrected].map(|null| share(null, 1.0).max(student.sf((d - null) / error)));
    let less = [null, corrected].map(|null| share(null, -1.0).max(student.cdf((d - null) / error)));
    let (greater, less) = (greater[0].max(greater[1]), less[0].max(less[1]));
    (2.0 * greater.min(less)).min(1.0)
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

#[test]
fn p_values_are_shares_of_sign_flips_against_any_value() {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    for (clusters, whole) in [(2, false), (6, true), (7, false), (9, true), (11, false)] {
        let pairs = random_pairs(&mut rng, clusters, whole);
        let test = PairedTest::new(&pairs, 1).unwrap();
        for null in [-0.4, -0.05, 0.0, 0.01, 0.1, 0.3] {
            near(test.p_two_sided(null), by_definition(&pairs, null));
        }
    }
}

/// For any data: the interval excludes a value if and only if the test rejects it, p rises up to the estimate and falls
/// beyond it, and exchanging the arms reverses all signs.
#[test]
fn intervals_and_p_values_agree() {
    let mut rng = ChaCha8Rng::seed_from_u64(19);
    let mut decisions = [0, 0];
    for round in 0..60 {
        let clusters = [1, 3, 5, 6, 7, 8, 12, 16, 17, 25][round % 10];
        let pairs = random_pairs(&mut rng, clusters, round % 3 == 0);
        let test = PairedTest::new(&pairs, round as u64).unwrap();
        for level in [0.9, 0.95, 0.99] {
            let ConfidenceInterval { estimate, low, high } = test.interval(level).unwrap();
            assert!(low <= estimate && estimate <= high);
            let alpha = 1.0 - level;
            assert_eq!(low.is_finite(), can_reject(clusters, alpha), "{clusters} {level}");
            let mut nulls: Vec<f64> = (-100..=100).map(|i| f64::from(i) / 100.0).collect();
            nulls.extend([low - 1e-9, low + 1e-9, high - 1e-9, high + 1e-9]);
            for null in nulls.into_iter().filter(|null| null.is_finite()) {
                if (null - low).abs() < 1e-10 || (null - high).abs() < 1e-10 {
                    continue;
                }
                let rejected = test.p_two_sided(null) < alpha - 1e-12;
                assert_eq!(
                    rejected,
                    null < low || null > high,
                    "{clusters} {level} {null} {low} {high}"
                );
                decisions[usize::from(rejected)] += 1;
            }
        }
        let p: Vec<f64> = (-50..=50).map(|i| test.p_greater(f64::from(i) / 50.0)).collect();
        assert!(p.is_sorted());
        let turned: Vec<PairedCase> =
            pairs.iter().map(|p| PairedCase { baseline: p.arm, arm: p.baseline, ..*p }).collect();
        let turned = PairedTest::new(&turned, round as u64).unwrap();
        near(turned.p_two_sided(0.0), test.p_two_sided(0.0));
        near(turned.p_less(-0.1), test.p_greater(0.1));
        let (a, b) = (test.interval(0.95).unwrap(), turned.interval(0.95).unwrap());
        assert!(
            !a.is_bounded() || ((a.low + b.high).abs() < 1e-9 && (a.high + b.low).abs() < 1e-9)
        );
    }
    assert!(decisions.iter().all(|count| *count > 1_000), "{decisions:?}");
}

#[test]
fn a_run_differs_from_itself_by_nothing() {
    for clusters in [6, 12, 16, 40] {
        let same: Vec<PairedCase> = (0..2 * clusters)
            .map(|i| PairedCase {
                baseline: i as f64 / 99.0,
                arm: i as f64 / 99.0,
                weight: 2.0,
                cluster: i / 2,
            })
            .collect();
        let test = PairedTest::new(&same, 1).unwrap();
        assert!(test.identical);
        let nothing = ConfidenceInterval { estimate: 0.0, low: 0.0, high: 0.0 };
        assert_eq!(test.difference(0.95).unwrap().interval, nothing);
        assert_eq!(test.p_two_sided(0.0), 1.0);
        assert!(test.p_less(0.01) < 0.025, "{}", test.p_less(0.01));
    }
    // Differences that cancel out are not identical results.
    let mut pairs: Vec<PairedCase> = (0..8)
        .map(|cluster| PairedCase { baseline: 0.5, arm: 0.5, weight: 1.0, cluster })
        .collect();
    pairs[0].arm = 0.7;
    pairs[1].arm = 0.3;
    let test = PairedTest::new(&pairs, 1).unwrap();
    assert!(!test.identical);
    assert_eq!(test.p_two_sided(0.0), 1.0);
}

/// From 0% to 100% failures: with 5 clusters no p-value is below 2/32, with 6 it is 2/64.
#[test]
fn too_few_clusters_reject_nothing() {
    for (clusters, p) in [(1, 1.0), (2, 0.5), (5, 0.0625), (6, 0.03125), (10, 2.0 / 1024.0)] {
        let pairs: Vec<PairedCase> = (0..clusters)
            .map(|cluster| PairedCase { baseline: 0.0, arm: 1.0, weight: 1.0, cluster })
            .collect();
        let test = PairedTest::new(&pairs, 1).unwrap();
        near(test.p_two_sided(0.0), p);
        assert_eq!(test.interval(0.95).unwrap().is_bounded(), clusters >= 6);
        assert_eq!(can_reject(clusters, 0.05), clusters >= 6);
    }
}

/// Close to .05, seeds must agree on the side of it; elsewhere 20,000 draws are enough.
#[test]
fn seeds_matter_little_where_p_is_close_to_the_level() {
    let mut rng = ChaCha8Rng::seed_from_u64(23);
    let base = random_pairs(&mut rng, 24, false);
    // Shift the other arm until p is within half a percentage point of .05.
    let shifted = |by: f64| -> Vec<PairedCase> {
        base.iter().map(|pair| PairedCase { arm: pair.arm + by, ..*pair }).collect()
    };
    let p = |by: f64, seed: u64| PairedTest::new(&shifted(by), seed).unwrap().p_two_sided(0.0);
    let (mut near_zero, mut far) = (-PairedTest::new(&base, 1).unwrap().estimate, 1.0);
    for _ in 0..20 {
        let middle = (near_zero + far) / 2.0;
        if p(middle, 1) > 0.0485 { near_zero = middle } else { far = middle }
    }
    let all: Vec<f64> = (0..8).map(|seed| p(far, seed)).collect();
    assert!(all.iter().all(|p| (0.046..0.05).contains(p)), "{all:?}");
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

/// In families of one to seven differences: Holm's verdict and the interval of the same level agree, even if some
/// p-values are equal or cannot be small.
#[test]
fn intervals_agree_with_p_values_after_correction() {
    let mut rng = ChaCha8Rng::seed_from_u64(29);
    let mut found = [0, 0];
    for round in 0..60 {
        let clusters = [5, 6, 8, 10, 13, 16][round % 6];
        let tests: Vec<PairedTest> = (0..1 + round % 7)
            .map(|arm| {
                let mut pairs = random_pairs(&mut rng, clusters, round % 3 == 0);
                for pair in &mut pairs {
                    pair.arm += 0.25 * (arm % 4) as f64;
                }
                PairedTest::new(&pairs, 1).unwrap()
            })
            .collect();
        let p: Vec<f64> = tests.iter().map(|test| test.p_two_sided(0.0)).collect();
        let count = tests.len() as f64;
        for (difference, adjusted) in family_differences(tests.len(), |at| Ok(tests[at].clone()))
            .unwrap()
            .iter()
            .zip(holm(&p))
        {
            near(difference.p_holm, adjusted);
            let excludes = |i: ConfidenceInterval| i.low > 0.0 || i.high < 0.0;
            assert_eq!(excludes(difference.holm_interval), difference.is_significant());
            assert_eq!(excludes(difference.interval), difference.p_value < 0.05);
            assert!(difference.holm_interval.low <= difference.interval.low);
            assert!(difference.has_verdict() || !difference.is_significant());
            assert!(difference.has_verdict() || !can_reject(clusters, 0.05 / count));
            found[usize::from(difference.is_significant())] += 1;
            let back = difference.reversed().reversed();
            assert_eq!(back, *difference);
        }
    }
    assert!(found.iter().all(|count| *count > 20), "{found:?}");
}

/// Clustered cases and controls: duplicates change nothing, and without clusters the result is DeLong's except for one
/// degree of freedom.
#[test]
fn areas_account_for_clusters() {
    let mut rng = ChaCha8Rng::seed_from_u64(31);
    let mut side = |by: f64| -> Vec<(f64, usize)> {
        (0..40).map(|cluster| (rng.random_range(0.0..1.0) + by, cluster)).collect()
    };
    let (cases, controls) = (side(0.2), side(0.0));
    let once = AreaUnderRoc::clustered(&cases, &controls).unwrap();
    let twice = |of: &[(f64, usize)]| [of, of].concat();
    let both = AreaUnderRoc::clustered(&twice(&cases), &twice(&controls)).unwrap();
    assert_eq!((once.clusters(), both.clusters(), both.count()), (40, 40, 160));
    let (a, b) = (once.interval(0.95).unwrap(), both.interval(0.95).unwrap());
    near(a.low, b.low);
    near(a.high, b.high);
    let scores = |of: &[(f64, usize)]| of.iter().map(|(score, _)| *score).collect::<Vec<f64>>();
    let apart: Vec<(f64, usize)> = controls.iter().map(|(s, c)| (*s, c + 40)).collect();
    let alone = AreaUnderRoc::clustered(&cases, &apart).unwrap().interval(0.95).unwrap();
    let delong =
        AreaUnderRoc::new(&scores(&cases), &scores(&controls)).unwrap().interval(0.95).unwrap();
    assert!((alone.low - delong.low).abs() < 0.005, "{alone:?} {delong:?}");
    // The area does not differ from itself; with one cluster nothing can be estimated.
    assert_eq!(once.difference_from(&once, 0.95).unwrap().p, 1.0);
    let one = |of: &[(f64, usize)]| of.iter().map(|(s, _)| (*s, 7)).collect::<Vec<_>>();
    let one = AreaUnderRoc::clustered(&one(&cases), &one(&controls)).unwrap();
    assert!(!one.interval(0.95).unwrap().is_bounded());
}
