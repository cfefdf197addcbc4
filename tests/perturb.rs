//! Near-misses of texts, and the importers that give the same kinds of files.

use std::path::{Path, PathBuf};

use knockon::perturb::{NearMissKind, NearMissOptions, TripletPositive, near_misses};
use knockon::progress::NoProgress;
use knockon::world::import::{condaqa, paws};
use knockon::world::triplet::{self, TextTriplet};
use knockon::world::{labelled_pair, text_list};

fn options(kinds: &[NearMissKind], positive: TripletPositive) -> NearMissOptions {
    NearMissOptions { kinds: kinds.to_vec(), seed: 1, per_kind: None, positive }
}

/// All near-misses of one kind from a hundred seeds.
fn all(kind: NearMissKind, text: &str) -> Vec<String> {
    let texts = [text.to_owned()];
    let mut all: Vec<String> = (0..100)
        .flat_map(|seed| {
            let options = NearMissOptions { seed, ..options(&[kind], TripletPositive::Identity) };
            near_misses(&texts, &options).triplets
        })
        .filter_map(|triplet| triplet.negative)
        .collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn each_kind_makes_its_change() {
    let near =
        |kind, text: &str, expected: &[&str]| assert_eq!(all(kind, text), expected, "{text}");
    let text = "The Customer shall pay the Supplier within thirty (30) days of receipt.";
    near(
        NearMissKind::Negation,
        text,
        &["The Customer shall not pay the Supplier within thirty (30) days of receipt."],
    );
    near(
        NearMissKind::RoleSwap,
        text,
        &["The Supplier shall pay the Customer within thirty (30) days of receipt."],
    );
    near(
        NearMissKind::QuantifierModal,
        text,
        &["The Customer may pay the Supplier within thirty (30) days of receipt."],
    );
    near(
        NearMissKind::Temporal,
        text,
        &["The Customer shall pay the Supplier more than thirty (30) days after receipt."],
    );
    near(
        NearMissKind::Binding,
        "A late fee of $50 applies to orders above $2,000 each.",
        &["A late fee of $2,000 applies to orders above $50 each."],
    );
    near(
        NearMissKind::Negation,
        "This clause does not apply to any other party.",
        &["This clause applies to any other party."],
    );
    near(
        NearMissKind::Number,
        "The rate of interest is one hundred percent a year.",
        &["The rate of interest is fifty percent a year."],
    );
    // The order is reversible; a prohibition is not weakened by another modal; a section number is not an amount.
    near(NearMissKind::RoleSwap, "The Customer and the Supplier shall keep it secret.", &[]);
    near(NearMissKind::QuantifierModal, "No party shall disclose it to others.", &[]);
    near(NearMissKind::Number, "Section 4 governs what the parties owe each other.", &[]);
}

#[test]
fn a_rewording_is_the_positive_where_there_is_one() {
    let texts = [
        "The Customer shall pay each invoice within 30 days of receipt.".to_owned(),
        "He will come to see all of them today.".to_owned(),
    ];
    let made =
        near_misses(&texts, &options(&[NearMissKind::Negation], TripletPositive::Paraphrase));
    assert_eq!(
        made.triplets,
        [TextTriplet {
            anchor: texts[0].clone(),
            positive: "Each invoice shall be paid by the Customer within 30 days of receipt."
                .into(),
            negative: Some(
                "The Customer shall not pay each invoice within 30 days of receipt.".into()
            ),
            category: "negation".into(),
        }]
    );
    assert_eq!((made.counts[0].possible, made.counts[0].not_reworded), (2, 1));
}

/// The bundled probe set equals the generator's output for the bundled scenarios, on any number of threads.
#[test]
fn the_bundled_near_misses_are_reproducible() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut all = Vec::new();
    for file in ["renewal_desk/passages.jsonl", "ledger/purchasing.jsonl", "ledger/sales.jsonl"] {
        all.extend(text_list::read(&root.join(file), "text", &NoProgress).unwrap());
    }
    let options = NearMissOptions {
        per_kind: Some(50),
        ..options(&NearMissKind::ALL, TripletPositive::Paraphrase)
    };
    let bundled = std::fs::read(root.join("probe/near_misses.csv")).unwrap();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let made = pool.install(|| near_misses(&all, &options));
        assert!(triplet::to_csv(&made.triplets).unwrap() == bundled, "make the file again");
    }
}

/// The words that the rules match, concatenated at random.
const PIECES: [&str; 40] = [
    " ",
    " ",
    " ",
    " ",
    " ",
    "The Supplier",
    "Halden",
    "shall",
    "may",
    "not",
    "no",
    "pay",
    "Bolt Inc.",
    "the Customer",
    "sixty (60)",
    "days",
    "within",
    "of",
    "after",
    "before",
    "$1,250.50",
    "5%",
    "one (1) year",
    "May 1, 2020",
    "1998",
    "and",
    "all",
    "is",
    "has been",
    "does not",
    "unless",
    "applies to",
    "a",
    "exclusive",
    ".",
    ", ",
    "\u{e9}",
    " | ",
    "to: ",
    "0",
];

proptest::proptest! {
    #[test]
    fn any_text_is_perturbed_without_a_panic(
        pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..40),
        seed in 0u64..1000
    ) {
        let texts = [format!("The Customer {} it.", pieces.join(" "))];
        for positive in [TripletPositive::Identity, TripletPositive::Paraphrase] {
            let options = NearMissOptions { seed, ..options(&NearMissKind::ALL, positive) };
            for triplet in near_misses(&texts, &options).triplets {
                proptest::prop_assert!(triplet.negative.as_deref() != Some(&triplet.anchor));
                proptest::prop_assert!(positive == TripletPositive::Identity || triplet.positive != triplet.anchor);
            }
        }
    }
}

fn probe(name: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("KNOCKON_DATA") {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    let file = root.join("probes").join(name);
    if file.exists() {
        return Some(file);
    }
    eprintln!("skipped: no {}", file.display());
    None
}

#[test]
fn paws_and_condaqa_are_read_as_published() {
    if let Some(file) = probe("paws_wiki_dev.tsv") {
        let pairs = paws::read(&file, &NoProgress).unwrap().pairs;
        let differ = |p: &&labelled_pair::LabelledPair| !p.same && p.category == "same_words";
        assert_eq!((pairs.len(), pairs.iter().filter(differ).count()), (8000, 381));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pairs.csv");
        std::fs::write(&path, labelled_pair::to_csv(&pairs).unwrap()).unwrap();
        assert!(labelled_pair::read(&path, &NoProgress).unwrap() == pairs);
    }
    if let Some(file) = probe("condaqa_dev.jsonl") {
        assert_eq!(condaqa::read(&file, &NoProgress).unwrap().triplets.len(), 187);
    }
}
