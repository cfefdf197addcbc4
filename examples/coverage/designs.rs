//! Populations with known true values, from which samples of units are drawn.

use knockon::stats::PairedCase;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, Exp1, Gamma, LogNormal};

/// How a sample of a given number of units is drawn, and the true value of the population.
pub struct Design {
    pub name: &'static str,
    /// The mean of `arm` minus that of `baseline`.
    pub truth: f64,
    /// The mean loss of a case with the worst possible outcome; for amounts of one arm.
    pub worst: f64,
    pub draw: fn(&mut ChaCha8Rng, usize) -> Vec<PairedCase>,
}

fn case(cluster: usize, baseline: f64, arm: f64) -> PairedCase {
    PairedCase { baseline, arm, weight: 1.0, cluster }
}

/// One case per unit, with a value of one arm.
fn single(
    rng: &mut ChaCha8Rng,
    units: usize,
    mut value: impl FnMut(&mut ChaCha8Rng) -> f64,
) -> Vec<PairedCase> {
    (0..units).map(|unit| case(unit, 0.0, value(rng))).collect()
}

/// One to `most` cases per unit; the properties of the unit are drawn first.
fn several<T>(
    rng: &mut ChaCha8Rng,
    (units, most): (usize, usize),
    mut unit: impl FnMut(&mut ChaCha8Rng) -> T,
    mut pair: impl FnMut(&mut ChaCha8Rng, &T) -> (f64, f64),
) -> Vec<PairedCase> {
    let mut pairs = Vec::new();
    for cluster in 0..units {
        let like = unit(rng);
        for _ in 0..rng.random_range(1..=most) {
            let (baseline, arm) = pair(rng, &like);
            pairs.push(case(cluster, baseline, arm));
        }
    }
    pairs
}

pub fn happens(rng: &mut impl Rng, p: f64) -> f64 {
    f64::from(u8::from(rng.random_bool(p)))
}

pub fn beta(rng: &mut ChaCha8Rng, a: f64, b: f64) -> f64 {
    Beta::new(a, b).map_or(f64::NAN, |beta| beta.sample(rng))
}

fn gamma(rng: &mut ChaCha8Rng, shape: f64) -> f64 {
    Gamma::new(shape, 1.0 / shape).map_or(f64::NAN, |gamma| gamma.sample(rng))
}

fn lognormal(rng: &mut ChaCha8Rng, sigma: f64) -> f64 {
    LogNormal::new(0.0, sigma).map_or(f64::NAN, |normal| normal.sample(rng))
}

fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    Exp1.sample(rng)
}

/// e^(sigma^2 / 2).
const MEAN_LOGNORMAL_1: f64 = 1.648_721_270_700_128;
const MEAN_LOGNORMAL_16: f64 = 3.596_639_725_569_096_7;
const MEAN_LOGNORMAL_07: f64 = 1.277_621_313_204_887;

/// Failure rates of one arm.
pub const RATES: [Design; 6] = [
    Design {
        name: "0/1, one case a unit, 10%",
        truth: 0.1,
        worst: 1.0,
        draw: |rng, units| single(rng, units, |rng| happens(rng, 0.1)),
    },
    Design {
        name: "0/1, 1 to 8 cases a unit, units differ, 10%",
        truth: 0.1,
        worst: 1.0,
        draw: |rng, units| {
            several(rng, (units, 8), |rng| beta(rng, 0.5, 4.5), |rng, &p| (0.0, happens(rng, p)))
        },
    },
    Design {
        name: "0/1, 1 to 6 cases a unit, units alike, 30%",
        truth: 0.3,
        worst: 1.0,
        draw: |rng, units| several(rng, (units, 6), |_| (), |rng, ()| (0.0, happens(rng, 0.3))),
    },
    Design {
        name: "probabilities: 80% in one unit of five, else 3%",
        truth: 0.2 * 0.8 + 0.8 * 0.03,
        worst: 1.0,
        draw: |rng, units| single(rng, units, |rng| if rng.random_bool(0.2) { 0.8 } else { 0.03 }),
    },
    Design {
        name: "probabilities: 90% in one unit of twenty, else 1 to 3%",
        truth: 0.05 * 0.9 + 0.95 * 0.02,
        worst: 1.0,
        draw: |rng, units| {
            single(rng, units, |rng| match rng.random_bool(0.05) {
                true => 0.9,
                false => rng.random_range(0.01..0.03),
            })
        },
    },
    Design {
        name: "probabilities: around 30%, beta(3, 7)",
        truth: 0.3,
        worst: 1.0,
        draw: |rng, units| single(rng, units, |rng| beta(rng, 3.0, 7.0)),
    },
];

/// Losses of one arm.
pub const AMOUNTS: [Design; 4] = [
    Design {
        name: "gamma, 1 to 8 cases a unit, units differ",
        truth: 1.0,
        worst: 1.0,
        draw: |rng, units| {
            several(rng, (units, 8), |rng| gamma(rng, 4.0), |rng, of| (0.0, of * gamma(rng, 3.0)))
        },
    },
    Design {
        name: "exponential, one case a unit",
        truth: 1.0,
        worst: 1.0,
        draw: |rng, units| single(rng, units, exponential),
    },
    Design {
        name: "lognormal (sigma 1), one case a unit",
        truth: MEAN_LOGNORMAL_1,
        worst: MEAN_LOGNORMAL_1,
        draw: |rng, units| single(rng, units, |rng| lognormal(rng, 1.0)),
    },
    Design {
        name: "lognormal (sigma .7) times 80% or 3%, 1 to 5 cases a unit",
        truth: MEAN_LOGNORMAL_07 * (0.3 * 0.8 + 0.7 * 0.03),
        worst: MEAN_LOGNORMAL_07,
        draw: |rng, units| {
            let fails = |rng: &mut ChaCha8Rng| if rng.random_bool(0.3) { 0.8 } else { 0.03 };
            several(
                rng,
                (units, 5),
                |rng| lognormal(rng, 0.7),
                |rng, amount| (0.0, amount * fails(rng)),
            )
        },
    },
];

/// Differences of failure rates.
pub const RATE_DIFFERENCES: [Design; 5] = [
    Design {
        name: "0/1, one case a unit, 10% against 30%",
        truth: 0.2,
        worst: 1.0,
        draw: |rng, units| {
            (0..units).map(|unit| case(unit, happens(rng, 0.1), happens(rng, 0.3))).collect()
        },
    },
    Design {
        name: "0/1, 1 to 8 cases a unit, units differ, 10% against 20%",
        truth: 0.1,
        worst: 1.0,
        draw: |rng, units| {
            several(
                rng,
                (units, 8),
                |rng| (beta(rng, 0.5, 4.5), beta(rng, 1.0, 4.0)),
                |rng, &(p, q)| (happens(rng, p), happens(rng, q)),
            )
        },
    },
    Design {
        name: "probabilities, around 30% against 25%",
        truth: -0.05,
        worst: 1.0,
        draw: |rng, units| {
            (0..units).map(|unit| case(unit, beta(rng, 3.0, 7.0), beta(rng, 5.0, 15.0))).collect()
        },
    },
    Design {
        name: "few units differ: +1 in 15%, -1 in 3%",
        truth: 0.12,
        worst: 1.0,
        draw: |rng, units| {
            single(rng, units, |rng| match rng.random_range(0.0..1.0) {
                u if u < 0.15 => 1.0,
                u if u < 0.18 => -1.0,
                _ => 0.0,
            })
        },
    },
    Design {
        name: "hardly any unit differs: +1 in 5%",
        truth: 0.05,
        worst: 1.0,
        draw: |rng, units| single(rng, units, |rng| happens(rng, 0.05)),
    },
];

/// Differences of losses.
pub const AMOUNT_DIFFERENCES: [Design; 8] = [
    Design {
        name: "gamma, 30% more, 1 to 8 cases a unit",
        truth: 0.3,
        worst: 1.0,
        draw: |rng, units| {
            several(
                rng,
                (units, 8),
                |rng| gamma(rng, 4.0),
                |rng, of| (of * gamma(rng, 3.0), 1.3 * of * gamma(rng, 3.0)),
            )
        },
    },
    Design {
        name: "exponential against nothing",
        truth: 1.0,
        worst: 1.0,
        draw: |rng, units| single(rng, units, exponential),
    },
    Design {
        name: "lognormal (sigma 1) against nothing",
        truth: MEAN_LOGNORMAL_1,
        worst: 1.0,
        draw: |rng, units| single(rng, units, |rng| lognormal(rng, 1.0)),
    },
    Design {
        name: "lognormal (sigma 1), lost in 25% of units, saved in 10%",
        truth: 0.15 * MEAN_LOGNORMAL_1,
        worst: 1.0,
        draw: |rng, units| {
            single(rng, units, |rng| {
                let sign = match rng.random_range(0.0..1.0) {
                    u if u < 0.25 => 1.0,
                    u if u < 0.35 => -1.0,
                    _ => 0.0,
                };
                sign * lognormal(rng, 1.0)
            })
        },
    },
    Design {
        name: "gamma (shape 2) against nothing",
        truth: 1.0,
        worst: 1.0,
        draw: |rng, units| single(rng, units, |rng| gamma(rng, 2.0)),
    },
    Design {
        name: "lognormal (sigma 1), lost in 30% of units",
        truth: 0.3 * MEAN_LOGNORMAL_1,
        worst: 1.0,
        draw: |rng, units| single(rng, units, |rng| happens(rng, 0.3) * lognormal(rng, 1.0)),
    },
    Design {
        name: "heavier: lognormal (sigma 1.6) against nothing",
        truth: MEAN_LOGNORMAL_16,
        worst: 1.0,
        draw: |rng, units| single(rng, units, |rng| lognormal(rng, 1.6)),
    },
    Design {
        name: "heavier: Pareto (exponent 2, no variance) against nothing",
        truth: 2.0,
        worst: 1.0,
        draw: |rng, units| single(rng, units, |rng| rng.random_range(0.0..1.0f64).powf(-0.5)),
    },
];

/// Two arms that differ by chance alone, in every unit.
pub const ALIKE: [Design; 4] = [
    Design {
        name: "0/1, 1 to 8 cases a unit, 20% under both",
        truth: 0.0,
        worst: 1.0,
        draw: |rng, units| {
            several(
                rng,
                (units, 8),
                |rng| beta(rng, 1.0, 4.0),
                |rng, &p| (happens(rng, p), happens(rng, p)),
            )
        },
    },
    Design {
        name: "few units differ: +1 or -1 in 9% each",
        truth: 0.0,
        worst: 1.0,
        draw: |rng, units| {
            single(rng, units, |rng| match rng.random_range(0.0..1.0) {
                u if u < 0.09 => 1.0,
                u if u < 0.18 => -1.0,
                _ => 0.0,
            })
        },
    },
    Design {
        name: "losses, exponential under both",
        truth: 0.0,
        worst: 1.0,
        draw: |rng, units| {
            (0..units).map(|unit| case(unit, exponential(rng), exponential(rng))).collect()
        },
    },
    Design {
        name: "losses, lognormal (sigma 1), lost or saved in 15% of units each",
        truth: 0.0,
        worst: 1.0,
        draw: |rng, units| {
            single(rng, units, |rng| {
                let sign = match rng.random_range(0.0..1.0) {
                    u if u < 0.15 => 1.0,
                    u if u < 0.3 => -1.0,
                    _ => 0.0,
                };
                sign * lognormal(rng, 1.0)
            })
        },
    },
];
