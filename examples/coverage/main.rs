//! How often the intervals of reports contain the truth, how often their tests find a difference where there is none,
//! and what the gate finds: simulations for docs/src/statistics.md.
//!
//! `cargo run --release --example coverage` prints the tables of that page. It takes a few minutes on two cores and
//! prints the same bytes each time. With names after `--` it prints these tables only: `intervals`, `sobol`, `shapley`,
//! `tests`, `gate`.

mod designs;
mod gate;
mod shapley;

use designs::{ALIKE, AMOUNT_DIFFERENCES, AMOUNTS, Design, RATE_DIFFERENCES, RATES};
use knockon::probe::clustering;
use knockon::sensitivity::{self, sobol_indices};
use knockon::stats::{
    ALPHA, AreaUnderRoc, ClusterObservation, ConfidenceInterval, LEVEL, PairedCase, PairedTest,
    can_reject, family_differences, mean, rate,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Numbers of units in a sample.
const UNITS: [usize; 5] = [5, 8, 20, 40, 120];
/// Samples per cell: the standard error of a share of 95% is .7 points.
const SAMPLES: u64 = 1_000;
/// Samples per cell if an interval needs no random draws: the standard error is .2 points.
const QUICK_SAMPLES: u64 = 10_000;

type Table = (&'static str, fn() -> anyhow::Result<()>);

const TABLES: [Table; 5] = [
    ("intervals", all_intervals),
    ("sobol", sobol),
    ("shapley", shapley::table),
    ("tests", tests),
    ("gate", gate::table),
];

fn main() -> anyhow::Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let known = |name: &String| TABLES.iter().any(|(table, _)| table == name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        let names = TABLES.map(|(table, _)| table).join(", ");
        anyhow::bail!("there is no table '{unknown}'; there are: {names}");
    }
    for (name, table) in TABLES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            table()?;
        }
    }
    Ok(())
}

fn all_intervals() -> anyhow::Result<()> {
    println!("### Intervals: how many of 100 cover the true value\n");
    header("95% interval of", UNITS.map(|units| format!("{units} units")));
    intervals("failure rate", QUICK_SAMPLES, &RATES, &|of, pairs, _| {
        Ok((of.truth, rate(&values(pairs), LEVEL)?))
    })?;
    intervals("loss of a case", QUICK_SAMPLES, &AMOUNTS, &|of, pairs, _| {
        Ok((of.truth, mean(&values(pairs), LEVEL, Some((0.0, of.worst)))?))
    })?;
    for (name, designs) in [
        ("difference of rates", &RATE_DIFFERENCES[..]),
        ("difference of losses", &AMOUNT_DIFFERENCES),
    ] {
        intervals(name, SAMPLES, designs, &|of, pairs, seed| {
            let test = PairedTest::new(pairs, seed)?;
            // Reports show that arms are identical instead of an interval.
            let nothing =
                ConfidenceInterval { estimate: 0.0, low: f64::NEG_INFINITY, high: f64::INFINITY };
            Ok((of.truth, if test.identical { nothing } else { test.interval(LEVEL)? }))
        })?;
    }
    probe()
}

fn header<const N: usize>(first: &str, columns: [String; N]) {
    println!("| {first} | {} |\n|---|{}", columns.join(" | "), "---:|".repeat(N));
}

fn row(name: &str, cells: impl IntoIterator<Item = Option<f64>>) {
    let cell = |share: Option<f64>| {
        share.map_or_else(|| "\u{2013}".to_owned(), |share| format!("{:.1}", 100.0 * share))
    };
    let cells: Vec<String> = cells.into_iter().map(cell).collect();
    println!("| {name} | {} |", cells.join(" | "));
}

/// A random generator for each sample, so that results do not depend on the order of samples.
fn rng_of(name: &str, units: usize, sample: u64) -> ChaCha8Rng {
    let hash = blake3::hash(format!("{name} {units} {sample}").as_bytes());
    ChaCha8Rng::from_seed(*hash.as_bytes())
}

/// The share of samples for which `holds` is true; `None` if no sample gives an answer.
fn share(
    samples: u64,
    name: &str,
    units: usize,
    holds: impl Fn(&mut ChaCha8Rng, u64) -> anyhow::Result<Option<bool>> + Sync,
) -> anyhow::Result<Option<f64>> {
    let found: Vec<Option<bool>> = (0..samples)
        .into_par_iter()
        .map(|sample| holds(&mut rng_of(name, units, sample), sample))
        .collect::<anyhow::Result<_>>()?;
    let assessed = found.iter().flatten().count();
    let held = found.iter().flatten().filter(|held| **held).count();
    Ok((assessed > 0).then(|| held as f64 / assessed as f64))
}

fn holds((truth, interval): (f64, ConfidenceInterval)) -> Option<bool> {
    let slack = 1e-9 * truth.abs().max(1.0);
    interval.is_bounded().then_some(interval.low <= truth + slack && truth <= interval.high + slack)
}

type IntervalOf<'a> =
    &'a (dyn Fn(&Design, &[PairedCase], u64) -> anyhow::Result<(f64, ConfidenceInterval)> + Sync);

fn intervals(
    of: &str,
    samples: u64,
    designs: &[Design],
    interval: IntervalOf,
) -> anyhow::Result<()> {
    for design in designs {
        let cells = UNITS.map(|units| {
            share(samples, design.name, units, |rng, seed| {
                Ok(holds(interval(design, &(design.draw)(rng, units), seed)?))
            })
        });
        let cells = cells.into_iter().collect::<anyhow::Result<Vec<Option<f64>>>>()?;
        row(&format!("{of}: {}", design.name), cells);
    }
    Ok(())
}

/// The arm's values.
fn values(pairs: &[PairedCase]) -> Vec<ClusterObservation> {
    let value =
        |p: &PairedCase| ClusterObservation { value: p.arm, weight: p.weight, cluster: p.cluster };
    pairs.iter().map(value).collect()
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// Five queries per passage, whose results are correlated, and triplets whose cosines share their anchor.
fn probe() -> anyhow::Result<()> {
    let queries = |rng: &mut ChaCha8Rng, passages: usize| -> (Vec<f64>, Vec<Vec<usize>>) {
        let mut found = Vec::new();
        let mut used = Vec::new();
        for passage in 0..passages {
            let easy = 0.6 * normal(rng);
            for _ in 0..5 {
                found.push(f64::from(u8::from(easy + 0.8 * normal(rng) > -0.5)));
                used.push(vec![passage]);
            }
        }
        (found, used)
    };
    // P(N(0, 1) > -.5).
    const FOUND: f64 = 0.691_462_461_274_013_1;
    let by = |clusters: fn(&[Vec<usize>]) -> Vec<usize>| {
        UNITS.map(|units| {
            share(QUICK_SAMPLES, "queries", units, |rng, _| {
                let (found, used) = queries(rng, units);
                let cases = found.iter().zip(clusters(&used));
                let cases: Vec<ClusterObservation> = cases
                    .map(|(&value, cluster)| ClusterObservation { value, weight: 1.0, cluster })
                    .collect();
                Ok(holds((FOUND, rate(&cases, LEVEL)?)))
            })
        })
    };
    let cells = by(clustering::assign_clusters).into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    row("probe, recall: 5 queries a passage", cells);
    let alone = by(|used| (0..used.len()).collect());
    let cells = alone.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    row("the same, as if queries did not share passages (not used)", cells);
    // Cosines N(.5 + a, 1) and N(a, 1), with a of N(0, 1) for the anchor: P(N(.5, 4) > 0).
    const AREA: f64 = 0.598_706_325_682_923_7;
    let cells = UNITS.map(|units| {
        share(SAMPLES, "triplets", units, |rng, _| {
            let mut sides = (Vec::new(), Vec::new());
            for anchor in 0..units {
                let a = normal(rng);
                sides.0.push((0.5 + a + normal(rng), anchor));
                sides.1.push((a + normal(rng), anchor));
            }
            Ok(holds((AREA, AreaUnderRoc::clustered(&sides.0, &sides.1)?.interval(LEVEL)?)))
        })
    });
    let cells = cells.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    row("probe, AUC: triplets that share their anchor", cells);
    Ok(())
}

/// Ishigami's function, whose indices are known (Ishigami and Homma, 1990) with a = 7 and b = .1.
fn sobol() -> anyhow::Result<()> {
    const FIRST: [f64; 3] = [0.313_905_191_147_811_46, 0.442_411_144_790_040_84, 0.0];
    const TOTAL: [f64; 3] =
        [0.557_588_855_209_959_3, 0.442_411_144_790_040_84, 0.243_683_664_062_147_83];
    println!("\n### Sobol indices: how many of 100 intervals cover the true value\n");
    let bases = [64, 256, 1024];
    header("Ishigami's function", bases.map(|base| format!("{base} base samples")));
    let seeds = 400;
    let mut held = [[[0.0; 3]; 3]; 2];
    for (at, base) in bases.into_iter().enumerate() {
        let of_seed = |seed: u64| -> anyhow::Result<[[bool; 3]; 2]> {
            let design = sensitivity::SaltelliDesign::new(base, 3, seed)?;
            let answer = |point: &Vec<f64>| {
                let [x, y, z] = [0, 1, 2].map(|i| std::f64::consts::PI * (2.0 * point[i] - 1.0));
                x.sin() + 7.0 * y.sin().powi(2) + 0.1 * z.powi(4) * x.sin()
            };
            let answers: Vec<f64> = design.points().iter().map(answer).collect();
            let found = sobol_indices(&answers, base, LEVEL, seed)?.unwrap_or_default();
            let inside = |of: &ConfidenceInterval, truth: f64| of.low <= truth && truth <= of.high;
            Ok([
                std::array::from_fn(|i| inside(&found[i].first, FIRST[i])),
                std::array::from_fn(|i| inside(&found[i].total, TOTAL[i])),
            ])
        };
        let all: Vec<[[bool; 3]; 2]> =
            (0..seeds).into_par_iter().map(of_seed).collect::<anyhow::Result<_>>()?;
        for (order, held) in held.iter_mut().enumerate() {
            for (input, held) in held.iter_mut().enumerate() {
                let count = all.iter().filter(|found| found[order][input]).count();
                held[at] = count as f64 / seeds as f64;
            }
        }
    }
    for (order, name) in ["first order", "total"].into_iter().enumerate() {
        for (input, cells) in held[order].iter().enumerate() {
            row(&format!("{name}, input {}", input + 1), cells.map(Some));
        }
    }
    Ok(())
}

/// Identical arms: how many of 100 tests find a difference.
fn tests() -> anyhow::Result<()> {
    println!("\n### Tests: how many of 100 find a difference where there is none\n");
    header("two-sided, p < .05", UNITS.map(|units| format!("{units} units")));
    let verdict = |units: usize, found: bool| can_reject(units, ALPHA).then_some(found);
    for design in &ALIKE {
        let cells = UNITS.map(|units| {
            share(SAMPLES, design.name, units, |rng, seed| {
                let test = PairedTest::new(&(design.draw)(rng, units), seed)?;
                Ok(verdict(units, test.p_two_sided(0.0) < ALPHA))
            })
        });
        row(design.name, cells.into_iter().collect::<anyhow::Result<Vec<_>>>()?);
    }
    let cells = UNITS.map(|units| {
        share(SAMPLES, "family", units, |rng, seed| {
            // Three arms against one baseline, on the same cases.
            let values: Vec<[f64; 4]> =
                (0..units).map(|_| std::array::from_fn(|_| rng.random_range(0.0..1.0))).collect();
            let tests = (1..4).map(|arm| {
                let pair = |(cluster, of): (usize, &[f64; 4])| PairedCase {
                    baseline: of[0],
                    arm: of[arm],
                    weight: 1.0,
                    cluster,
                };
                PairedTest::new(&values.iter().enumerate().map(pair).collect::<Vec<_>>(), seed)
            });
            let tests = tests.collect::<anyhow::Result<Vec<PairedTest>>>()?;
            let found = family_differences(tests.len(), |at| Ok(tests[at].clone()))?
                .iter()
                .any(|difference| difference.is_significant());
            Ok(can_reject(units, ALPHA / 3.0).then_some(found))
        })
    });
    let cells = cells.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    row("any of three arms, after Holm's correction", cells);
    Ok(())
}
