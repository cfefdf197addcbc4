//! Words of a text, in every Unicode form.

use std::any::Any;

use knockon::Session;
use knockon::retrieve::{
    Analyzer, Bm25Params, Bm25Retriever, Retriever, SearchRequest, StemmerLanguage, StopWordList,
};

use super::Desk;

/// The best passage for each query, and the note about queries that find none.
fn found_by_words(passages: &[&str], queries: &[&str]) -> (Vec<Vec<u32>>, Option<String>) {
    let index = Bm25Retriever::new(passages, Bm25Params::default()).unwrap();
    let requests: Vec<SearchRequest> =
        queries.iter().map(|query| SearchRequest { query, candidates: None }).collect();
    let found = index.search(&requests, 1, &|_| {}).unwrap();
    let found = found.iter().map(|ranking| ranking.iter().map(|hit| hit.passage).collect());
    (found.collect(), index.unmatched().note("bm25", "c"))
}

#[test]
fn words_are_found_in_any_unicode_form() {
    for (passages, queries) in [
        // Ligatures and soft hyphens, as in text from PDF files.
        (
            &[
                "The con\u{ad}fi\u{ad}dential in\u{fb02}ammatory shall pay the \u{fb01}nal o\u{fb03}ce fee.",
                "The \u{fb02}oor shall be cleaned.",
            ][..],
            &["confidential final office fee", "floor"][..],
        ),
        // Dotted and dotless i in Turkish.
        (
            &["\u{130}STANBUL deposu kiras\u{131}", "Izmir deposu", "ISPARTA"],
            &["istanbul", "izmir", "\u{131}sparta"],
        ),
        // Scripts without spaces.
        (
            &["保固期間為十年，自購買日起算。", "枕頭可於三十日內退貨。", "沙發運費由買方負擔。"],
            &["保固期間", "退貨", "運費"],
        ),
        (&["返品は三十日以内に可能です", "送料はお客様の負担"], &["返品", "送料"]),
        (&["보증기간은십년입니다", "반품은삼십일이내"], &["보증기간", "반품"]),
        (&["รับประกันสิบปี", "คืนสินค้าภายในสามสิบวัน"], &["รับประกัน", "คืนสินค้า"]),
        // Full width, half width, composed and decomposed forms, and capitals whose lower case has two letters.
        (&["ＰＯ－１２３４ 注文", "ﾒﾓ ﾘｰｽ"], &["po 1234", "リース"]),
        (&["re\u{301}sume\u{301}", "STRASSE"], &["résumé", "straße"]),
        // Inflected words, and punctuation around them.
        (
            &["The agreement renews automatically.", "Supplier\u{2019}s prices"],
            &["renewal", "supplier's price"],
        ),
        (&["net_amount_due: 5", "created-at: 6"], &["amount", "created"]),
    ] {
        let (found, note) = found_by_words(passages, queries);
        let expected: Vec<Vec<u32>> = (0..queries.len() as u32).map(|at| vec![at]).collect();
        assert_eq!((found, note), (expected, None), "{queries:?}");
    }
}

#[test]
fn a_query_without_a_known_word_is_reported() {
    let passages = ["notice of renewal", "payment of the fee"];
    for (queries, expected) in [
        (&["notice"][..], None),
        (&["保固期間"], Some("bm25: 1 query shared no word with any passage of c")),
        (
            &["§ 4", "notice", "???", ""],
            Some("bm25: 3 queries shared no word with any passage of c"),
        ),
        (
            &["xyzzy", "xyzzy"],
            Some(
                "1 query shared no word with any passage of c and found nothing (`empty`), such as \"xyzzy\"",
            ),
        ),
        (&["renews"], None),
    ] {
        let (_, note) = found_by_words(&passages, queries);
        match expected {
            None => assert_eq!(note, None),
            Some(expected) => assert!(note.as_deref().unwrap().contains(expected), "{note:?}"),
        }
    }
    // A run lists it among its notes.
    let desk = Desk::new();
    let scenario = desk.load_with_tasks("file: tasks.csv").unwrap();
    let session = Session::over(&scenario).with_cache(desk.dir.path());
    let request = SearchRequest { query: "納品", candidates: None };
    session.retriever(0, 0).unwrap().search(&[request], 9, &|_| {}).unwrap();
    let notes = session.notes();
    assert!(
        notes[0].starts_with("bm25: 1 query shared no word with any passage of c"),
        "{notes:?}"
    );
}

#[test]
fn the_analyzer_can_be_set() {
    let desk = Desk::new();
    for (settings, expected) in [
        ("kind: bm25, analyzer: {}", Analyzer::default()),
        ("kind: bm25, analyzer: {stem: none, stop_words: none}", Analyzer::PLAIN),
        (
            "kind: bm25, analyzer: {stem: german}",
            Analyzer { stem: StemmerLanguage::German, ..Analyzer::default() },
        ),
        ("kind: bm25, analyzer: {fold: true}", Analyzer { fold: true, ..Analyzer::default() }),
        (
            "kind: bm25, analyzer: {lowercase: false}",
            Analyzer { lowercase: false, ..Analyzer::default() },
        ),
        ("kind: bm25, k1: 1.2", Analyzer::default()),
        (
            "kind: bm25, analyzer: {stop_words: lucene}",
            Analyzer { stop_words: StopWordList::Lucene, ..Analyzer::default() },
        ),
    ] {
        let scenario = desk.load("passages: passages.jsonl", "file: tasks.csv", settings).unwrap();
        let kind: &dyn Any = &*scenario.embedders[1].kind;
        let params = kind.downcast_ref::<Bm25Params>().unwrap();
        assert_eq!(params.analyzer, expected, "{settings}");
    }
    for (settings, expected) in [
        ("kind: bm25, analyzer: {stem: klingon}", "klingon"),
        ("kind: bm25, analyzer: {stems: english}", "stems"),
        ("kind: bm25, analyzer: {stop_words: german}", "german"),
        ("kind: bm25, analyzer: english", "analyzer"),
        (
            "kind: static, model: potion-base-8M, analyzer: {}",
            "an embedder of kind static has no `analyzer`",
        ),
    ] {
        let error = desk.load("passages: passages.jsonl", "file: tasks.csv", settings).unwrap_err();
        assert!(error.contains(expected), "{settings}: {error}");
    }
}
