//! The import of CUAD on the original files, and on a small folder of the same layout.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use knockon::output::OutputWriter;
use knockon::value::{CalendarPeriod, TypedValue, ValueType};
use knockon::world::import::cuad::{self, CuadImport, CuadTitlePrefix, layout, report, tasks};
use knockon::world::{Corpus, TaskSet};

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

fn field<'a>(object: &'a serde_json::Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_else(|| panic!("no text '{name}' in {object}"))
}

fn deadlines(import: &CuadImport) -> BTreeMap<String, tasks::CuadRenewalCase<'_>> {
    let renewals = tasks::renewal_cases(import).into_iter();
    renewals.map(|r| (layout::folded_name(&r.contract.file), r)).collect()
}

#[test]
fn nearly_all_clause_texts_are_located() {
    let Some(dir) = data() else { return };
    let import = cuad::read(&dir, 800).unwrap();
    let rows = report::rows(&import);
    let total = rows.last().unwrap();
    let texts = total.texts_located + total.texts_not_located;
    println!("{} contracts, {} of {texts} texts", import.contracts.len(), total.texts_located);
    assert!(import.contracts.len() >= 290);
    assert!(total.texts_located as f64 >= 0.97 * texts as f64, "{total:?}");
    // Every answer is counted once: as a value or as unclear.
    for row in rows.iter().filter(|row| row.value_type == "yes_no") {
        assert_eq!(row.answers_normalised, import.contracts.len(), "{}", row.clause_type);
    }
}

#[test]
fn deadlines_equal_those_derived_from_the_same_table() {
    let Some(dir) = data() else { return };
    let import = cuad::read(&dir, 800).unwrap();
    let ours = deadlines(&import);
    let theirs = std::fs::read_to_string(dir.join("renewal_tasks.jsonl")).unwrap();
    let mut differ = Vec::new();
    let mut equal = 0;
    for line in theirs.lines() {
        let task: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(renewal) = ours.get(&layout::folded_name(field(&task, "file"))) else {
            differ.push(format!("{}: no such task", field(&task, "file")));
            continue;
        };
        let deadline = renewal.notice.before(renewal.expiry).unwrap();
        assert_eq!(deadline, renewal.deadline);
        let both = (renewal.expiry.to_string(), deadline.to_string());
        if both == (field(&task, "expiry").to_owned(), field(&task, "deadline").to_owned()) {
            equal += 1;
        } else {
            differ.push(format!("{}: {both:?}", field(&task, "file")));
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
    assert_eq!((equal, ours.len()), (46, 46));
}

#[test]
fn both_corpora_and_all_tasks_round_trip_consistently() {
    let Some(dir) = data() else { return };
    let import = cuad::read(&dir, 800).unwrap();
    let out = tempfile::tempdir().unwrap();
    import.write(&OutputWriter::default(), out.path(), CuadTitlePrefix::Both).unwrap();

    let corpus = |name: &str| Corpus::read(name, &out.path().join(name)).unwrap();
    let (titled, plain) = (corpus("passages_title.jsonl"), corpus("passages_plain.jsonl"));
    assert_eq!(titled.passages.len(), plain.passages.len());
    for (a, b) in titled.passages.iter().zip(&plain.passages) {
        assert!(a.text.ends_with(&b.text) && a.text.len() > b.text.len());
        let labels = |p: &knockon::world::Passage| {
            (p.id.clone(), p.entity.clone(), p.attribute.clone(), p.facts.clone())
        };
        assert_eq!(labels(a), labels(b));
    }

    let facts: BTreeMap<&str, &BTreeMap<String, TypedValue>> =
        titled.passages.iter().map(|p| (p.id.as_str(), &p.facts)).collect();
    let read = |name: &str, extra: &[(&str, ValueType)]| {
        let mut fields: BTreeMap<String, ValueType> =
            ["contract", "title", "party"].map(|f| (f.to_owned(), ValueType::Text)).into();
        fields.extend(extra.iter().map(|&(name, ty)| (name.to_owned(), ty)));
        TaskSet::read(&out.path().join(name), &fields).unwrap().tasks
    };
    let tables = [
        read("renewal_tasks.csv", &[("today", ValueType::Date)]),
        read("governing_law_tasks.csv", &[]),
        read("consent_tasks.csv", &[]),
    ];
    let read_by = [
        ("find_term", "expiration_date"),
        ("find_notice", "notice_period"),
        ("find_renewal", "renews"),
        ("find_law", "governing_law"),
        ("find_control", "change_of_control"),
        ("find_assignment", "anti_assignment"),
    ];
    let read_by: BTreeMap<&str, &str> = read_by.into();
    for task in tables.iter().flatten() {
        let TypedValue::Text(contract) = &task.fields["contract"] else { panic!("{}", task.id) };
        assert!(!task.gold.is_empty());
        for (step, ids) in &task.gold {
            let stated: BTreeSet<String> =
                ids.iter().map(|id| facts[id.as_str()][read_by[step.as_str()]].key()).collect();
            // All gold passages of a step state the same value.
            assert!(stated.len() <= 1, "{} {step}: {stated:?}", task.id);
            assert!(ids.iter().all(|id| id.starts_with(&format!("{contract}/"))), "{}", task.id);
        }
    }
    let counts = tables.each_ref().map(Vec::len);
    println!("tasks: {counts:?}");
    assert!(counts.iter().all(|&count| count >= 200), "{counts:?}");
}

/// A folder in the original layout with one contract on disk and one missing.
fn small_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("full_contract_txt")).unwrap();
    let filler = "The parties go on at some length about nothing in particular. ".repeat(20);
    let text = format!(
        "\u{feff}SUPPLY AGREEMENT\r\n\r\n{filler}\r\n\r\n2. Term.\r\n\r\nThis Agreement ends two   years\r\n\
         after the Effective Date. Acme\u{2019}s notice is due sixty (60) days before.\r\n\r\n{filler}\r\n"
    );
    std::fs::write(dir.path().join("full_contract_txt/AcmeInc_2019_Supply_ Agreement.txt"), text)
        .unwrap();
    std::fs::write(dir.path().join("full_contract_txt/stray.txt"), "x").unwrap();
    let header = "Filename,Document Name,Document Name-Answer,Parties,Parties-Answer,\
        Expiration Date,Expiration Date-Answer,Renewal Term,Renewal Term-Answer,\
        Notice Period To Terminate Renewal,Notice Period To Terminate Renewal- Answer,Insurance,Insurance-Answer\n";
    let rows = "AcmeInc_2019_Supply& Agreement.pdf,['SUPPLY AGREEMENT'],SUPPLY AGREEMENT,['Acme'],\"Acme, Inc. (\"\"Acme\"\"); Beta LLC\",\
        \"['This Agreement ends two years<omitted>after the Effective Date.']\",6/1/21,[],,\
        \"[\"\"Acme’s notice is due sixty (60) days before.\"\"]\",60 days,['insured'],Yes\n\
        Gone.pdf,[],,[],,[],,[],,[],,[],No\n";
    std::fs::write(dir.path().join("master_clauses.csv"), format!("{header}{rows}")).unwrap();
    dir
}

#[test]
fn a_small_folder_is_labelled_and_missing_files_are_named() {
    let dir = small_folder();
    let import = cuad::read(dir.path(), 400).unwrap();
    let kinds: Vec<(report::CuadFindingKind, &str)> =
        import.findings.iter().map(|f| (f.kind, f.file.as_str())).collect();
    assert_eq!(
        kinds,
        [
            (report::CuadFindingKind::TextNotLocated, "AcmeInc_2019_Supply& Agreement.pdf"),
            (report::CuadFindingKind::FileMissing, "Gone.pdf"),
            (report::CuadFindingKind::TextNotListed, "stray.txt"),
        ]
    );

    let out = tempfile::tempdir().unwrap();
    import.write(&OutputWriter::default(), out.path(), CuadTitlePrefix::Title).unwrap();
    assert!(!out.path().join("passages_plain.jsonl").exists());
    let corpus = Corpus::read("c", &out.path().join("passages_title.jsonl")).unwrap();
    let stating: Vec<_> =
        corpus.passages.iter().filter(|p| p.facts.contains_key("expiration_date")).collect();
    let [passage] = stating.as_slice() else { panic!("{stating:?}") };
    assert!(passage.text.starts_with("SUPPLY AGREEMENT between Acme, Inc. and Beta LLC: "));
    assert_eq!(
        passage.facts["expiration_date"],
        TypedValue::parse(ValueType::Date, "2021-06-01").unwrap()
    );
    assert_eq!(passage.facts["notice_period"], TypedValue::Duration(CalendarPeriod::days(60)));
    assert_eq!(passage.attribute.as_deref(), Some("Expiration Date"));

    let first = std::fs::read(out.path().join("renewal_tasks.csv")).unwrap();
    import.write(&OutputWriter::default(), out.path(), CuadTitlePrefix::Title).unwrap();
    assert_eq!(std::fs::read(out.path().join("renewal_tasks.csv")).unwrap(), first);
}

#[test]
fn wrong_usage_has_a_clear_message() {
    let dir = small_folder();
    let error = |dir: &Path, size| format!("{:#}", cuad::read(dir, size).unwrap_err());
    assert!(error(dir.path(), 5).contains("allowed: 100 to 20000"));
    assert!(error(&dir.path().join("none"), 800).contains("master_clauses.csv"));
    std::fs::write(dir.path().join("master_clauses.csv"), "Filename,a\nx,y\n").unwrap();
    assert!(error(dir.path(), 800).contains("'X-Answer'"));
}
