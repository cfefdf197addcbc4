//! Extractors on CUAD: how many of the answers that are literally in their clause are read.
//!
//! *Literally* is decided here, without the extractors: the clause's words (lower case, everything but letters and
//! digits replaced by a space, `1st` as `1`) contain one of the usual spellings of the lawyers' answer. For a period
//! these are the count in digits or in words, optionally `calendar` or `full`, and the unit; for a date, the day, the
//! month by its name or its first three letters, and the year, in the usual orders, or all three as numbers. Answers
//! that have to be derived (`five years after the Effective Date`) are not counted.

use std::path::{Path, PathBuf};

use chrono::{Datelike, NaiveDate};
use knockon::extract::{ExtractorKind, ValueExtractor, field_cues};
use knockon::number_words;
use knockon::value::{CalendarPeriod, TypedValue, ValueType};
use knockon::world::Passage;
use knockon::world::import::cuad::answer::{CuadAnswer, parse_answer};
use knockon::world::import::cuad::{self, layout, list_literal, passages, whitespace};

/// The data set, if this machine has it.
fn data() -> Option<PathBuf> {
    let root = match std::env::var_os("KNOCKON_DATA") {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    let dir = root.join("cuad");
    if dir.join("master_clauses.csv").exists() {
        return Some(dir);
    }
    eprintln!("skipped: no CUAD in {}", dir.display());
    None
}

/// Lower-case words and numbers, with one space around each.
fn plain(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words = words.map(|word| {
        let number = word.trim_end_matches(char::is_alphabetic);
        let ordinal =
            !number.is_empty() && ["st", "nd", "rd", "th"].contains(&&word[number.len()..]);
        if ordinal { number } else { word }
    });
    format!(" {} ", words.collect::<Vec<_>>().join(" "))
}

fn period_spellings(period: CalendarPeriod) -> Vec<String> {
    let ways = [
        (period.days, 1, "day"),
        (period.days, 7, "week"),
        (period.months, 1, "month"),
        (period.months, 12, "year"),
    ];
    let mut spellings = Vec::new();
    for (n, by, unit) in ways {
        if n == 0 || !n.is_multiple_of(by) {
            continue;
        }
        for count in [(n / by).to_string(), number_words::to_words(n / by)] {
            for kind in ["", "calendar ", "full "] {
                spellings.push(format!("{count} {kind}{unit}"));
                spellings.push(format!("{count} {kind}{unit}s"));
            }
        }
    }
    spellings
}

fn date_spellings(date: NaiveDate) -> Vec<String> {
    let (y, m, d) = (date.year(), date.month(), date.day());
    let name = date.format("%B").to_string();
    let mut spellings = vec![
        format!("{y} {m:02} {d:02}"),
        format!("{m} {d} {y}"),
        format!("{m:02} {d:02} {y}"),
        format!("{d} {m} {y}"),
        format!("{d:02} {m:02} {y}"),
    ];
    for month in [&name[..], &name[..3]] {
        for day in [d.to_string(), format!("{d:02}")] {
            spellings.push(format!("{month} {day} {y}"));
            for between in ["", "of ", "day of "] {
                spellings.push(format!("{day} {between}{month} {y}"));
            }
        }
    }
    spellings
}

fn is_literal(value: &TypedValue, text: &str) -> bool {
    let spellings = match value {
        TypedValue::Duration(period) => period_spellings(*period),
        TypedValue::Date(date) => date_spellings(*date),
        TypedValue::Text(name) => vec![name.clone()],
        _ => Vec::new(),
    };
    let text = plain(text);
    spellings.iter().any(|spelling| text.contains(&plain(spelling)))
}

/// Results for the literal answers of a column.
#[derive(Default)]
struct Tally {
    literal: usize,
    right: usize,
    /// Read as another value, among all answers, literal or not.
    wrong: usize,
}

/// Reads every clause of a column with the cues of its field. The extractors were developed on the contracts on even
/// lines; those on odd lines show whether they are overfitted.
fn read(dir: &Path, column: &str, field: &str, ty: ValueType, kind: ExtractorKind) -> [Tally; 2] {
    let extractor = ValueExtractor { ty, kind, cues: field_cues::cues(ty, field) };
    let layout = layout::read(dir).unwrap();
    let at = layout.types.iter().position(|ty| ty.name == column).unwrap();
    let mut halves = [Tally::default(), Tally::default()];
    for (line, row) in layout.rows.iter().enumerate() {
        let half = &mut halves[line % 2];
        let (texts, answer) = &row.cells[at];
        let CuadAnswer::Value(answer) = parse_answer(layout.types[at].answer_form, answer) else {
            continue;
        };
        let texts = list_literal::parse(texts).unwrap_or_default();
        let texts: Vec<String> =
            texts.iter().map(|text| whitespace::fold_to_spaces(text)).collect();
        let text = texts.join("\n");
        if text.is_empty() {
            continue;
        }
        let found = extractor.read(&text).map(|found| found.value);
        let literal = is_literal(&answer, &text);
        half.literal += usize::from(literal);
        half.right += usize::from(literal && found.as_ref() == Some(&answer));
        half.wrong += usize::from(found.as_ref().is_some_and(|found| *found != answer));
        if literal && found.as_ref() != Some(&answer) {
            let found = found.map_or("nothing".to_owned(), |found| found.to_string());
            println!("{column}: {answer}, read {found}: {text}");
        }
    }
    for (name, half) in ["even", "odd"].iter().zip(&halves) {
        let Tally { literal, right, wrong } = half;
        println!(
            "{column}, {name} lines: {right} of {literal} literal answers read; {wrong} answers read as something else"
        );
    }
    halves
}

fn check(
    dir: &Path,
    column: &str,
    field: &str,
    ty: ValueType,
    kind: ExtractorKind,
    at_least: usize,
) {
    let halves = read(dir, column, field, ty, kind);
    let sum = |of: fn(&Tally) -> usize| halves.iter().map(of).sum::<usize>();
    let (literal, right, wrong) = (sum(|t| t.literal), sum(|t| t.right), sum(|t| t.wrong));
    assert!(literal >= at_least, "{literal} literal answers");
    assert!(100 * right >= 95 * literal, "{right} of {literal}");
    assert!(100 * wrong <= literal, "{wrong} wrong of {literal}");
}

#[test]
fn literal_notice_periods_are_extracted_without_inventions() {
    let Some(dir) = data() else { return };
    let column = "Notice Period To Terminate Renewal";
    check(&dir, column, "notice_period", ValueType::Duration, ExtractorKind::Duration, 45);
}

#[test]
fn literal_expiry_dates_are_extracted_without_inventions() {
    let Some(dir) = data() else { return };
    check(
        &dir,
        "Expiration Date",
        "expiration_date",
        ValueType::Date,
        ExtractorKind::Date(None),
        40,
    );
}

#[test]
fn literal_governing_laws_are_extracted_without_inventions() {
    let Some(dir) = data() else { return };
    check(
        &dir,
        "Governing Law",
        "governing_law",
        ValueType::Text,
        ExtractorKind::Jurisdiction,
        200,
    );
}

/// A passage of a contract contains more than the clause, such as other periods and dates.
#[test]
fn nine_in_ten_literal_facts_are_extracted_from_whole_passages() {
    let Some(dir) = data() else { return };
    let import = cuad::read(&dir, 800).unwrap();
    let passages: Vec<Passage> = passages::passages(&import, false).collect();
    let kinds = [
        ("notice_period", ValueType::Duration, ExtractorKind::Duration),
        ("expiration_date", ValueType::Date, ExtractorKind::Date(None)),
    ];
    for (field, ty, kind) in kinds {
        let extractor = ValueExtractor { ty, kind, cues: field_cues::cues(ty, field) };
        let (mut literal, mut right, mut nothing, mut others) = (0, 0, 0, 0);
        for passage in &passages {
            let found = extractor.read(&passage.text).map(|found| found.value);
            match passage.facts.get(field) {
                None => others += usize::from(found.is_some()),
                Some(fact) if is_literal(fact, &passage.text) => {
                    literal += 1;
                    right += usize::from(found.as_ref() == Some(fact));
                    nothing += usize::from(found.is_none());
                }
                Some(_) => {}
            }
        }
        let all = passages.len();
        println!(
            "{field}: read from {right} of {literal} passages that state it literally, nothing from {nothing}; \
             {others} of {all} passages state another"
        );
        assert!(literal >= 40 && 10 * right >= 9 * literal, "{field}: {right} of {literal}");
    }
}
