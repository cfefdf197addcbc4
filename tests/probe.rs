//! The scorecard on embedders whose numbers can be computed by hand.

use std::sync::Arc;

use knockon::embed::{Embedder, EmbeddingVectors, TextRole};
use knockon::probe::contender::{ContenderKind, ProbeContender};
use knockon::probe::score::ScorecardRow;
use knockon::probe::{ProbeDatasets, pipeline, plot, scorecard, scorecard_output, scorecard_table};
use knockon::progress::NoProgress;
use knockon::retrieve::Bm25Params;
use knockon::scenario::EmbedderKind;
use knockon::stats::AreaUnderRoc;
use knockon::world::beir::{BeirDataset, BeirJudgedQuery};
use knockon::world::labelled_pair::LabelledPair;
use knockon::world::triplet::TextTriplet;

use crate::one_arm;
use crate::support::runs::try_arms;

/// Counts the letters a to z, so it ignores order.
struct LetterCounts;

impl Embedder for LetterCounts {
    fn fingerprint(&self) -> &str {
        "letters"
    }

    fn dim(&self) -> usize {
        26
    }

    fn embed(
        &self,
        _: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<EmbeddingVectors> {
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
        Ok(EmbeddingVectors { dim: 26, data })
    }
}

fn probes() -> ProbeDatasets {
    let triplet = |anchor: &str, positive: &str, negative: &str, category: &str| TextTriplet {
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
    let query = |text: &str, passage| BeirJudgedQuery {
        text: text.into(),
        relevant: vec![(passage, 1.0)],
        own_passage: None,
    };
    ProbeDatasets {
        sets: vec![BeirDataset {
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

fn value(rows: &[ScorecardRow], embedder: &str, measure: &str) -> f64 {
    let found = rows.iter().find(|r| r.embedder == embedder && r.measure == measure);
    found.unwrap_or_else(|| panic!("no {measure} of {embedder}")).value
}

#[test]
fn measures_match_hand_computed_values() {
    let contenders = [
        ProbeContender {
            name: "words".into(),
            kind: ContenderKind::Words(Arc::new(Bm25Params::default())),
        },
        ProbeContender {
            name: "letters".into(),
            kind: ContenderKind::Vectors(Arc::new(LetterCounts)),
        },
    ];
    let rows = scorecard(&contenders, &probes(), 1, &NoProgress).unwrap();
    let of = |measure: &str| value(&rows, "letters", measure);
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    // It ignores the order of words: a tie, one half.
    near(of("accuracy role_swap"), 0.5);
    near(of("margin role_swap"), 0.0);
    near(of("accuracy number"), 0.5);
    near(of("accuracy all"), 0.5);
    // aaa and aab: 2 / sqrt 5; aaa and bbb: 0.
    near(of("margin number"), 0.0);
    near(of("AUC all"), 0.5);
    // 1 and .707 against 0 and .707: three of four comparisons are won and one is a tie.
    let pairs = rows.iter().find(|r| r.set == "pairs" && r.measure == "AUC all").unwrap();
    near(pairs.value, 0.875);
    // `bb` is nearest to `bbb`; the relevant passage is second.
    near(of("MRR@10"), 0.75);
    near(of("nDCG@10"), (1.0 + 1.0 / 3f64.log2()) / 2.0);
    near(of("recall@10"), 1.0);

    let row = rows.iter().find(|r| r.embedder == "letters" && r.measure == "nDCG@10").unwrap();
    let baseline = value(&rows, "words", "nDCG@10");
    near(row.difference.unwrap(), row.value - baseline);
    let csv = String::from_utf8(scorecard_table(&rows).csv().unwrap()).unwrap();
    assert_eq!(csv.lines().count(), rows.len() + 1);
    let svg = plot::svg(&rows).unwrap();
    assert_eq!(svg.matches("<circle").count(), 2);
    assert!(scorecard_output::terminal(&rows).contains("| near "));
}

/// Questions on one passage count as one: a repeated question adds no evidence. The same applies to triplets that share
/// their anchor and to pairs that share a text.
#[test]
fn cases_that_share_a_text_count_once() {
    let letter = |i: usize| char::from(b'a' + i as u8);
    let word = |i: usize| format!("{0}{0}{1}", letter(i), letter(7 * i % 25));
    let of = |times: usize| -> Vec<ScorecardRow> {
        let mut probes = ProbeDatasets {
            sets: vec![BeirDataset {
                name: "set".into(),
                passages: (0..25).map(|i| format!("{} {}", word(i), word(3 * i % 25))).collect(),
                queries: Vec::new(),
            }],
            triplets: vec![("triplets".into(), Vec::new())],
            pairs: vec![("pairs".into(), Vec::new())],
        };
        for i in 0..25 {
            for _ in 0..times {
                probes.sets[0].queries.push(BeirJudgedQuery {
                    text: word(if i % 3 == 0 { i + 1 } else { i }),
                    relevant: vec![(i as u32, 1.0)],
                    own_passage: None,
                });
                probes.triplets[0].1.push(TextTriplet {
                    anchor: word(i),
                    positive: format!("{}{}", word(i), letter(i * i % 25)),
                    negative: Some(format!("{}{}", word(i), letter(i * 5 % 25))),
                    category: String::new(),
                });
                for same in [true, false] {
                    probes.pairs[0].1.push(LabelledPair {
                        first: word(i),
                        second: format!(
                            "{}{}",
                            letter(i),
                            letter(i * if same { 3 } else { 11 } % 25)
                        ),
                        same,
                        category: String::new(),
                    });
                }
            }
        }
        let letters = |name: &str| ProbeContender {
            name: name.into(),
            kind: ContenderKind::Vectors(Arc::new(LetterCounts)),
        };
        scorecard(&[letters("letters")], &probes, 1, &NoProgress).unwrap()
    };
    let (once, often) = (of(1), of(3));
    let mut compared = 0;
    for (a, b) in once.iter().zip(&often).filter(|(a, _)| a.clusters > 0) {
        assert_eq!((&a.measure, a.clusters, 3 * a.n), (&b.measure, b.clusters, b.n));
        let (x, y) = (a.interval.unwrap(), b.interval.unwrap());
        assert!((x.0 - y.0).abs() < 1e-9 && (x.1 - y.1).abs() < 1e-9, "{}: {x:?} {y:?}", a.measure);
        compared += 1;
    }
    assert!(compared >= 6, "{compared}");
}

/// Numbers from numpy and scipy: placements, their covariance, and the normal distribution.
#[test]
fn areas_and_their_differences_match_delong() {
    let a = AreaUnderRoc::new(&[0.9, 0.8, 0.8, 0.4, 0.6], &[0.7, 0.3, 0.4, 0.1]).unwrap();
    let b = AreaUnderRoc::new(&[0.5, 0.9, 0.6, 0.7, 0.2], &[0.6, 0.4, 0.1, 0.3]).unwrap();
    let near = |x: f64, y: f64| assert!((x - y).abs() < 1e-12, "{x} is not {y}");
    near(a.area, 0.875);
    near(
        a.interval(0.95).unwrap().low,
        0.875 - 1.959_963_984_540_054 * 0.015_208_333_333_333_334_f64.sqrt(),
    );
    let difference = a.difference_from(&b, 0.95).unwrap();
    near(difference.interval.estimate, 0.1);
    near(difference.interval.low, -0.215_654_618_470_495_22);
    near(difference.p, 0.534_651_984_519_419_8);
}

#[test]
fn pipeline_measures_match_a_run() {
    // The query's words favour the wrong passage until repeated words saturate later.
    let passages = r#"
{"id":"right","text":"fee fee fee fee of alpha","entity":"a","attribute":"key","facts":{"fee":{"number":10}}}
{"id":"wrong","text":"alpha fee","entity":"b","attribute":"key","facts":{"fee":{"number":20}}}
"#;
    let steps = r#"
  - id: find
    retrieve: {corpus: c, queries: [{text: fee alpha}], gold: passage.id == "right", top_k: 1}
  - {id: fee, read: {from: find, field: fee}}
  - {id: act, act: [{if: fee == 10, do: pay}, {do: ask}]}"#;
    let end = "{seed: 1}\nimpact:\n  currency: EUR\n  losses: [{name: wrong, if: action == \"ask\", amount: 8}]\n  volume: {mean: 10}";
    let follows = "{preset: perfect, follow: 1}";
    let scenario = one_arm::scenario(passages, "id,name\nt1,x\n", follows, steps, end);
    let kind = |k1, b| -> Arc<dyn EmbedderKind> {
        Arc::new(Bm25Params { k1, b, ..Bm25Params::default() })
    };
    let embedders = [("short".to_owned(), kind(0.1, 1.0)), ("repeated".to_owned(), kind(9.0, 0.0))];
    let scenario = pipeline::arms(scenario, &embedders);
    let record = try_arms(&scenario, &[0, 1]).unwrap();
    let rows = pipeline::rows(&record);
    let value = |embedder: &str, measure: &str| {
        let row = rows.iter().find(|row| row.embedder == embedder && row.measure == measure);
        row.unwrap_or_else(|| panic!("{embedder} {measure}: {rows:?}"))
    };
    for (measure, short, repeated) in [
        ("failure rate", 1.0, 0.0),
        ("wrong_action rate", 1.0, 0.0),
        ("binding misses a run", 1.0, 0.0),
        ("topic misses a run", 0.0, 0.0),
        ("expected loss a case, EUR", 8.0, 0.0),
    ] {
        assert_eq!(
            (value("short", measure).value, value("repeated", measure).value),
            (short, repeated)
        );
    }
    assert_eq!(value("short", "failure rate").difference, None);
    assert_eq!(value("repeated", "failure rate").difference, Some(-1.0));
    assert_eq!(value("repeated", "loss and running cost a case, EUR").difference, Some(-8.0));
}
