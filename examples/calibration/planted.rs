//! Readings with random structures, and the answers of readers whose rates are known.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::calibrate::{ObservedReading, conditional_rates, simulate_answer};
use crate::step::reader::{FieldReading, ReaderRates, ValuePool};
use crate::value::TypedValue;
use crate::world::{Corpus, Passage};

pub const FIELDS: [&str; 3] = ["fee", "days", "law"];
const PASSAGES: u32 = 80;

/// One reading.
pub struct PlantedCase {
    pub field: usize,
    pub unit: usize,
    gold: BTreeSet<u32>,
    context: Vec<u32>,
}

impl PlantedCase {
    /// The rank of gold in the context, from 0.
    pub fn gold_rank(&self) -> Option<usize> {
        self.context.iter().position(|passage| self.gold.contains(passage))
    }
}

/// A corpus with readings of it.
pub struct PlantedCases {
    corpus: Corpus,
    pools: Vec<ValuePool>,
    pub cases: Vec<PlantedCase>,
}

impl PlantedCases {
    /// Readings with one to seven passages, of which gold is one in about two thirds of them.
    pub fn new(seed: u64, units: usize, reads_per_unit: usize) -> PlantedCases {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let passages: Vec<Passage> = (0..PASSAGES).map(|id| passage(id, &mut rng)).collect();
        let corpus = Corpus { name: "planted".to_owned(), passages, ..Corpus::default() };
        let pools = FIELDS.iter().map(|field| ValuePool::for_field(&corpus, field)).collect();
        let mut cases = Vec::new();
        for unit in 0..units {
            for _ in 0..reads_per_unit {
                cases.push(case(&corpus, unit, &mut rng));
            }
        }
        PlantedCases { corpus, pools, cases }
    }

    pub fn reading<'a>(&'a self, case: &'a PlantedCase) -> FieldReading<'a> {
        FieldReading {
            corpus: &self.corpus,
            gold: &case.gold,
            field: FIELDS[case.field],
            pool: &self.pools[case.field],
            context: &case.context,
        }
    }

    /// The answers of a reader whose rates depend on the case.
    pub fn answers(
        &self,
        rates: impl Fn(&PlantedCase) -> ReaderRates,
        seed: u64,
    ) -> Vec<ObservedReading<'_>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut observed = Vec::new();
        for case in &self.cases {
            let reading = self.reading(case);
            let answer = simulate_answer(&reading, &rates(case), rng.random());
            let (unit, step) = (case.unit, case.field);
            observed.push(ObservedReading { reading, unit, step, answers: vec![(answer, 1.0)] });
        }
        observed
    }

    /// The answers of a reader whose errors at a unit have a common cause.
    pub fn dependent_answers(
        &self,
        rates: &ReaderRates,
        correlation: f64,
        seed: u64,
    ) -> Vec<ObservedReading<'_>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
        let units = self.cases.iter().map(|case| case.unit + 1).max().unwrap_or(0);
        let factors: Vec<f64> = (0..units).map(|_| rng.sample(StandardNormal)).collect();
        self.answers(|case| conditional_rates(rates, correlation, factors[case.unit]), seed)
    }
}

fn passage(id: u32, rng: &mut ChaCha8Rng) -> Passage {
    let mut facts = BTreeMap::new();
    let values = [
        TypedValue::Number(f64::from(rng.random_range(1..=30u32))),
        TypedValue::Number(f64::from(rng.random_range(1..=6u32) * 15)),
        TypedValue::Text(
            ["Delaware", "New York", "Texas", "Ohio"][rng.random_range(0..4usize)].to_owned(),
        ),
    ];
    for (field, value) in FIELDS.into_iter().zip(values) {
        if rng.random_bool(0.75) {
            facts.insert(field.to_owned(), value);
        }
    }
    Passage {
        id: id.to_string(),
        text: String::new(),
        entity: None,
        attribute: None,
        facts,
        of: None,
        variant: None,
    }
}

fn case(corpus: &Corpus, unit: usize, rng: &mut ChaCha8Rng) -> PlantedCase {
    let field = rng.random_range(0..FIELDS.len());
    let states =
        |&passage: &u32| corpus.passages[passage as usize].facts.contains_key(FIELDS[field]);
    let pick = |rng: &mut ChaCha8Rng, wanted: bool| loop {
        let passage = rng.random_range(0..PASSAGES);
        if states(&passage) == wanted {
            return passage;
        }
    };
    let gold: BTreeSet<u32> =
        if rng.random_bool(0.9) { BTreeSet::from([pick(rng, true)]) } else { BTreeSet::new() };
    let mut context = Vec::new();
    let others = rng.random_range(0..=6usize);
    // Every seventh context states nothing but gold.
    let bare = rng.random_bool(1.0 / 7.0);
    while context.len() < others {
        let wanted = !bare && rng.random_bool(0.75);
        let passage = pick(rng, wanted);
        if !gold.contains(&passage) && !context.contains(&passage) {
            context.push(passage);
        }
    }
    if let Some(&gold) = gold.first().filter(|_| rng.random_bool(0.7)) {
        context.insert(rng.random_range(0..=context.len()), gold);
    }
    PlantedCase { field, unit, gold, context }
}

/// Rates as language models have them.
pub fn random_rates(seed: u64) -> ReaderRates {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x7a7e5);
    let mut between = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
    let follow = between(0.2, 0.7);
    ReaderRates {
        misread: between(0.01, 0.2),
        distracted_above: between(0.01, 0.15),
        distracted_below: between(0.01, 0.15),
        follow,
        fabricate: (1.0 - follow) * between(0.05, 0.5),
        fabricate_empty: between(0.2, 0.7),
        lucky: between(0.02, 0.2),
        overlooked: between(0.01, 0.2),
        declined: between(0.01, 0.15),
        unparsable: between(0.005, 0.1),
    }
}
