//! Generated portfolios: the same seed gives the same bytes, and every label is true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{Days, NaiveDate};
use knockon::output::OutputWriter;
use knockon::value::{TypedValue, ValueType};
use knockon::world::synth::{self, ContractPortfolio, Difficulty};
use knockon::world::{Corpus, Passage, PassageVariant, TaskSet};

fn portfolio(contracts: usize, seed: u64, difficulty: &str) -> ContractPortfolio {
    synth::generate_contracts(contracts, seed, difficulty.parse().unwrap()).unwrap()
}

fn current<'a>(passages: &'a [Passage], contract: &str, attribute: &str) -> Vec<&'a Passage> {
    let is = |p: &&Passage| {
        p.entity.as_deref() == Some(contract)
            && p.attribute.as_deref() == Some(attribute)
            && p.variant.is_none()
    };
    passages.iter().filter(is).collect()
}

#[test]
fn a_larger_portfolio_begins_with_the_smaller_one() {
    for difficulty in ["easy", "hard"] {
        let (small, large) = (portfolio(9, 3, difficulty), portfolio(60, 3, difficulty));
        assert_eq!(small.passages, large.passages[..small.passages.len()]);
        assert_eq!(small.tasks, large.tasks[..small.tasks.len()]);
        assert_ne!(small.passages, portfolio(9, 4, difficulty).passages);
    }
}

#[test]
fn a_harder_portfolio_holds_every_near_miss_of_an_easier_one() {
    let twins = |difficulty| -> BTreeSet<String> {
        let passages = portfolio(80, 1, difficulty).passages;
        passages.into_iter().filter(|p| p.variant.is_some()).map(|p| p.id).collect()
    };
    let levels: Vec<_> = ["0", "easy", "0.3", "medium", "0.7", "hard", "1"].map(twins).into();
    for pair in levels.windows(2) {
        assert!(pair[0].is_subset(&pair[1]) && pair[0].len() < pair[1].len());
    }
}

#[test]
fn every_twin_states_a_different_value() {
    let portfolio = portfolio(200, 5, "1");
    let by_id: BTreeMap<&str, &Passage> =
        portfolio.passages.iter().map(|p| (p.id.as_str(), p)).collect();
    assert_eq!(by_id.len(), portfolio.passages.len());
    for twin in portfolio.passages.iter().filter(|p| p.variant.is_some()) {
        let original = by_id[twin.of.as_deref().unwrap()];
        assert_eq!(original.variant, None, "{}", twin.id);
        assert_eq!((&original.entity, &original.attribute), (&twin.entity, &twin.attribute));
        let differs = twin.facts.iter().any(|(f, v)| original.facts.get(f).is_some_and(|o| o != v));
        assert!(differs, "{} states what {} does", twin.id, original.id);
        assert_ne!(twin.text, original.text);
    }
    for variant in [
        PassageVariant::Negation,
        PassageVariant::RoleSwap,
        PassageVariant::Number,
        PassageVariant::Version,
        PassageVariant::Binding,
    ] {
        assert!(portfolio.variant_count(variant) > 20, "{variant:?}");
    }
}

#[test]
fn the_text_of_a_passage_states_its_facts() {
    for passage in portfolio(200, 7, "1").passages {
        for (field, value) in &passage.facts {
            let text = &passage.text;
            let is_stated = match value {
                TypedValue::Date(d) => {
                    text.contains(&d.format("%B %-d, %Y").to_string())
                        || text.contains(&d.format("%-d %B %Y").to_string())
                }
                TypedValue::Duration(p) if p.months == 0 => text.contains(&format!("({})", p.days)),
                TypedValue::Duration(p) if p.months % 12 == 0 => {
                    text.contains(&format!("({}) year", p.months / 12))
                }
                TypedValue::Duration(p) => text.contains(&format!("({}) month", p.months)),
                TypedValue::Text(t) => text.contains(t.as_str()),
                TypedValue::Percent(p) => text.contains(&format!("{p}%")),
                TypedValue::Money(m) => text.replace(',', "").contains(&format!("{:.0}", m.amount)),
                TypedValue::YesNo(_) | TypedValue::Number(_) => true,
            };
            assert!(is_stated, "{}: {field} = {value} is not in: {text}", passage.id);
        }
        assert!(!passage.text.contains(['{', '}']), "{}", passage.text);
    }
}

#[test]
fn each_task_has_one_current_clause_and_actions_are_balanced() {
    let portfolio = portfolio(200, 1, "medium");
    let mut actions: BTreeMap<&str, usize> = BTreeMap::new();
    for task in &portfolio.tasks {
        let fact = |attribute, field: &str| {
            let found = current(&portfolio.passages, &task.contract, attribute);
            assert_eq!(found.len(), 1, "{} {attribute}", task.id);
            found[0].facts[field].clone()
        };
        assert_eq!(fact("parties", "counterparty"), TypedValue::Text(task.party.clone()));
        let (TypedValue::Date(expiry), TypedValue::Duration(notice), TypedValue::YesNo(renews)) = (
            fact("expiration", "expiration_date"),
            fact("notice", "notice_period"),
            fact("renewal", "auto_renews"),
        ) else {
            panic!("{}: facts of other types", task.id);
        };
        let deadline: NaiveDate = notice.before(expiry).unwrap();
        let opens = deadline - Days::new(synth::WINDOW_DAYS);
        let action = if !renews || task.today < opens {
            "nothing_to_do"
        } else if task.wanted == "yes" || task.today > deadline {
            "let_renew"
        } else {
            "cancel"
        };
        *actions.entry(action).or_default() += 1;
    }
    let total = portfolio.tasks.len();
    assert_eq!(actions.len(), 3);
    assert!(actions.values().all(|n| n * 4 > total), "{actions:?} of {total}");
}

#[test]
fn the_committed_data_equals_the_output_of_the_command() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/renewal_desk");
    let fresh = tempfile::tempdir().unwrap();
    synth::generate_contracts(40, 1, "0.3".parse().unwrap())
        .unwrap()
        .write(&OutputWriter::default(), fresh.path())
        .unwrap();
    let mut size = 0;
    for file in ["passages.jsonl", "renewal_tasks.csv"] {
        let wanted = std::fs::read(fresh.path().join(file)).unwrap();
        size += wanted.len();
        assert!(
            std::fs::read(committed.join(file)).unwrap() == wanted,
            "{file} is stale: run knockon synth contracts --contracts 40 --seed 1 --difficulty 0.3 --out scenarios/renewal_desk"
        );
    }
    assert!(size <= 400_000);
    let scenario = std::fs::read_to_string(committed.with_extension("yaml")).unwrap();
    let window = format!("deadline.minus(duration(\"{} days\"))", synth::WINDOW_DAYS);
    assert!(scenario.contains(&window), "the tasks were drawn for a window of another length");

    let corpus = Corpus::read("contracts", &committed.join("passages.jsonl")).unwrap();
    assert_eq!(corpus.fields()["expiration_date"], ValueType::Date);
    let fields = [
        ("contract", ValueType::Text),
        ("party", ValueType::Text),
        ("title", ValueType::Text),
        ("today", ValueType::Date),
        ("wanted", ValueType::YesNo),
    ];
    let fields = fields.map(|(field, ty)| (field.to_owned(), ty)).into();
    let tasks = TaskSet::read(&committed.join("renewal_tasks.csv"), &fields).unwrap();
    assert_eq!(tasks.tasks.len(), 120);
    assert!(tasks.tasks.iter().all(|t| t.fields.len() == fields.len()));
}

#[test]
fn invalid_options_are_refused() {
    assert!(synth::generate_contracts(0, 1, Difficulty::EASY).is_err());
    for wrong in ["1.01", "-0.1", "NaN", "harder"] {
        assert!(wrong.parse::<Difficulty>().unwrap_err().contains("allowed"));
    }
}
