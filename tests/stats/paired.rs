//! The paired test, against its definition.

use knockon::stats::{
    ConfidenceInterval, PairedCase, PairedTest, can_reject, family_differences, holm,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{near, random_pairs};

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
