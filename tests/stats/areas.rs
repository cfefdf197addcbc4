//! Areas under ROC curves.

use knockon::stats::AreaUnderRoc;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::near;

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
