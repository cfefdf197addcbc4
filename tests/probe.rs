//! The scorecard on embedders whose numbers can be worked out by hand.

use std::sync::Arc;

use knockon::embed::{Embedder, Role, Vectors};
use knockon::probe::contender::{Contender, Kind};
use knockon::probe::score::Row;
use knockon::probe::{Probes, plot, scorecard, sheet};
use knockon::retrieve::Bm25Params;
use knockon::stats::Auc;
use knockon::watch::Quiet;
use knockon::world::beir::{BeirSet, Judged};
use knockon::world::labelled_pair::LabelledPair;
use knockon::world::triplet::Triplet;

/// Counts the letters a to z: it cannot see any order.
struct Letters;

impl Embedder for Letters {
    fn fingerprint(&self) -> &str {
        "letters"
    }

    fn dim(&self) -> usize {
        26
    }

    fn embed(
        &self,
        _: Role,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vectors> {
        let mut data = Vec::new();
        for text in texts {
            let mut row = [0f32; 26];
            for byte in text.bytes().filter(u8::is_ascii_lowercase) {
                row[usize::from(byte - b'a')] += 1.0;
            }
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1.0);
            data.extend(row.map(|x| x / length));
            done(1);
        }
        Ok(Vectors { dim: 26, data })
    }
}

fn probes() -> Probes {
    let triplet = |anchor: &str, positive: &str, negative: &str, category: &str| Triplet {
        anchor: anchor.into(),
        positive: positive.into(),
        negative: Some(negative.into()),
        category: category.into(),
    };
    let pair = |first: &str, second: &str, same| LabelledPair {
        first: first.into(),
        second: second.into(),
        same,
        category: String::new(),
    };
    let query = |text: &str, passage| Judged { text: text.into(), relevant: vec![(passage, 1.0)] };
    Probes {
        sets: vec![BeirSet {
            name: "set".into(),
            passages: ["aaa", "bbb", "ccc b", "ddd c"].map(str::to_owned).to_vec(),
            queries: vec![query("aa", 0), query("bb", 2)],
        }],
        triplets: vec![(
            "near".into(),
            vec![
                triplet("ab pays cd", "ab pays cd", "cd pays ab", "role_swap"),
                triplet("aaa", "aab", "bbb", "number"),
                triplet("aaa", "bbb", "aab", "number"),
            ],
        )],
        pairs: vec![(
            "pairs".into(),
            vec![
                pair("aa", "aa", true),
                pair("ab", "b", true),
                pair("a", "b", false),
                pair("ab", "a", false),
            ],
        )],
    }
}

fn value(rows: &[Row], embedder: &str, measure: &str) -> f64 {
    let found = rows.iter().find(|r| r.embedder == embedder && r.measure == measure);
    found.unwrap_or_else(|| panic!("no {measure} of {embedder}")).value
}

#[test]
fn numbers_are_those_worked_out_by_hand() {
    let contenders = [
        Contender { name: "words".into(), kind: Kind::Bm25(Bm25Params::default()) },
        Contender { name: "letters".into(), kind: Kind::Vectors(Arc::new(Letters)) },
    ];
    let rows = scorecard(&contenders, &probes(), 1, &Quiet).unwrap();
    let of = |measure: &str| value(&rows, "letters", measure);
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    // The order of words is out of sight: a tie, one half.
    near(of("accuracy role_swap"), 0.5);
    near(of("margin role_swap"), 0.0);
    near(of("accuracy number"), 0.5);
    near(of("accuracy all"), 0.5);
    // aaa and aab: 2 / sqrt 5; aaa and bbb: 0.
    near(of("margin number"), 0.0);
    near(of("AUC all"), 0.5);
    // 1 and .707 against 0 and .707: of four comparisons three are won and one is a tie.
    let pairs = rows.iter().find(|r| r.set == "pairs" && r.measure == "AUC all").unwrap();
    near(pairs.value, 0.875);
    // `bb` is nearest to `bbb`; the relevant passage comes second.
    near(of("MRR@10"), 0.75);
    near(of("nDCG@10"), (1.0 + 1.0 / 3f64.log2()) / 2.0);
    near(of("recall@10"), 1.0);

    let row = rows.iter().find(|r| r.embedder == "letters" && r.measure == "nDCG@10").unwrap();
    let baseline = value(&rows, "words", "nDCG@10");
    near(row.difference.unwrap(), row.value - baseline);
    let csv = String::from_utf8(sheet::csv(&rows).unwrap()).unwrap();
    assert_eq!(csv.lines().count(), rows.len() + 1);
    let svg = plot::svg(&rows).unwrap();
    assert_eq!(svg.matches("<circle").count(), 2);
    assert!(sheet::terminal(&rows).contains("| near "));
}

/// Numbers from numpy and scipy: placements, their covariance, and the normal distribution.
#[test]
fn areas_and_their_difference_are_delongs() {
    let a = Auc::new(&[0.9, 0.8, 0.8, 0.4, 0.6], &[0.7, 0.3, 0.4, 0.1]).unwrap();
    let b = Auc::new(&[0.5, 0.9, 0.6, 0.7, 0.2], &[0.6, 0.4, 0.1, 0.3]).unwrap();
    let near = |x: f64, y: f64| assert!((x - y).abs() < 1e-12, "{x} is not {y}");
    near(a.area, 0.875);
    near(
        a.interval(0.95).unwrap().low,
        0.875 - 1.959_963_984_540_054 * 0.015_208_333_333_333_334_f64.sqrt(),
    );
    let difference = a.above(&b, 0.95).unwrap();
    near(difference.interval.estimate, 0.1);
    near(difference.interval.low, -0.215_654_618_470_495_22);
    near(difference.p, 0.534_651_984_519_419_8);
}
