//! A user's own table to passages: what is read, and the messages for what cannot be read.

use std::path::{Path, PathBuf};

use knockon::extract::date::DayMonthOrder;
use knockon::extract::number::DecimalSeparator;
use knockon::output::OutputWriter;
use knockon::scenario;
use knockon::value::{TypedValue, ValueType};
use knockon::world::Corpus;
use knockon::world::import::csv::{self, CsvImport, CsvImportOptions};

use crate::support::runs::try_arms;
use crate::support::scenarios::load;

fn file(dir: &Path, content: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join("t.csv");
    std::fs::write(&path, content).unwrap();
    path
}

fn keyed(key: &str) -> CsvImportOptions {
    CsvImportOptions {
        key: key.split(',').map(str::to_owned).collect(),
        ..CsvImportOptions::default()
    }
}

fn read(content: impl AsRef<[u8]>, options: &CsvImportOptions) -> anyhow::Result<CsvImport> {
    let dir = tempfile::tempdir().unwrap();
    csv::read(&file(dir.path(), content), options)
}

/// The error message, without the folder.
fn error_of(content: impl AsRef<[u8]>, options: &CsvImportOptions) -> String {
    let dir = tempfile::tempdir().unwrap();
    let error = csv::read(&file(dir.path(), content), options).unwrap_err();
    format!("{error:#}").replace(&format!("{}/", dir.path().display()), "")
}

/// With the key `k` and a column of dates.
fn dated(column: &str) -> CsvImportOptions {
    CsvImportOptions { types: vec![(column.to_owned(), ValueType::Date)], ..keyed("k") }
}

const SUPPLIERS: &str = "Supplier,Due date,Amount,Rate,Active,Contact Name,Code\n\
Acme; Ltd,2024-01-31,\"EUR 1,200.50\",8.5%,yes,Ann,007\n\
Beta,2024-02-29,\"€2,000.00\",-1%,no,\"Bob, Jr\",012\n\n\
Gamma,,EUR 0.125,2%,No,,001\n";

#[test]
fn rows_become_typed_passages() {
    let import = read(SUPPLIERS, &keyed("Supplier")).unwrap();
    let types: Vec<(&str, ValueType)> =
        import.attributes.iter().map(|a| (a.field.as_str(), a.ty)).collect();
    assert_eq!(
        types,
        [
            ("due_date", ValueType::Date),
            ("amount", ValueType::Money),
            ("rate", ValueType::Percent),
            ("active", ValueType::YesNo),
            ("contact_name", ValueType::Text),
            // Leading zeros are part of an article number.
            ("code", ValueType::Text),
        ]
    );
    let acme = &import.passages[0];
    assert_eq!(acme.entity.as_deref(), Some("Acme; Ltd"));
    assert_eq!(acme.id, "Acme, Ltd", "ids are listed with ';' between them");
    assert!(
        acme.text.starts_with("Supplier: Acme; Ltd\nDue date: 2024-01-31\nAmount: EUR 1,200.50")
    );
    assert_eq!(acme.facts["amount"], TypedValue::parse(ValueType::Money, "EUR 1200.5").unwrap());
    let gamma = &import.passages[2];
    assert!(!gamma.facts.contains_key("due_date") && !gamma.text.contains("Due date"));
}

#[test]
fn cells_and_templates() {
    let options = CsvImportOptions {
        per_cell: true,
        attributes: vec!["Rate".to_owned(), "Contact Name".to_owned()],
        ..keyed("Supplier")
    };
    let import = read(SUPPLIERS, &options).unwrap();
    let ids: Vec<&str> = import.passages.iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids[..2], ["Acme, Ltd.rate", "Acme, Ltd.contact_name"]);
    assert_eq!(ids.len(), 5, "an empty cell is no passage");
    assert_eq!(import.passages[0].attribute.as_deref(), Some("Rate"));
    assert_eq!(import.passages[0].text, "Supplier: Acme; Ltd\nRate: 8.5%");

    let options = CsvImportOptions {
        text: Some("{Supplier} {{pays}} {Rate}".to_owned()),
        ..keyed("Supplier")
    };
    assert_eq!(read(SUPPLIERS, &options).unwrap().passages[1].text, "Beta {pays} -1%");
    assert!(error_of(SUPPLIERS, &keyed("supplier")).contains("did you mean `Supplier`?"));
    let options = CsvImportOptions { text: Some("{Suplier}".to_owned()), ..keyed("Supplier") };
    let text = error_of(SUPPLIERS, &options);
    assert!(
        text.contains("no column 'Suplier'") && text.contains("did you mean `Supplier`?"),
        "{text}"
    );
}

#[test]
fn the_imported_files_pass_the_check_and_run() {
    for (per_cell, ask) in [(false, "Due date"), (true, "Contact Name"), (false, "Amount")] {
        let dir = tempfile::tempdir().unwrap();
        let options = CsvImportOptions { per_cell, ..keyed("Supplier") };
        let import = read(SUPPLIERS, &options).unwrap();
        import.write(&OutputWriter::default(), dir.path(), Some((ask, per_cell))).unwrap();
        let corpus = Corpus::read("c", &dir.path().join("passages.jsonl")).unwrap();
        assert_eq!(corpus.passages, import.passages);
        let scenario = load(&dir.path().join("scenario.yaml"));
        let record = try_arms(&scenario, &[0, 1]).unwrap();
        let goes_right: f64 = record.arms[1].summary.outcomes[0];
        assert!(goes_right > 0.5, "{ask}: {goes_right}");
    }
}

#[test]
fn ambiguous_numbers_need_an_option() {
    let text = error_of("k,n\na,\"1,234\"\nb,\"5,678\"\n", &keyed("k"));
    assert_eq!(
        text,
        "t.csv: line 2, column 'n': '1,234' is 1234 with a decimal point and 1.234 with a decimal comma; \
specify --decimal point or --decimal comma"
    );
    let mut options = keyed("k");
    options.formats.decimal = Some(DecimalSeparator::Comma);
    let import = read("k,n\na,\"1,234\"\n", &options).unwrap();
    assert_eq!(import.passages[0].facts["n"], TypedValue::Number(1.234));
    // Another cell of the column resolves the ambiguity.
    let import = read("k,n\na,\"1,234\"\nb,\"1,234.50\"\n", &keyed("k")).unwrap();
    assert_eq!(import.passages[0].facts["n"], TypedValue::Number(1234.0));
    let text = error_of("k,n\na,\"1,234.50\"\nb,\"1.234,50\"\n", &keyed("k"));
    assert!(text.contains("line 3, column 'n': '1.234,50' and '1,234.50' on line 2"), "{text}");
    let text = error_of("k,n\na,\"12.5\"\n", &options);
    assert!(text.contains("not a number with a decimal comma"), "{text}");
}

#[test]
fn ambiguous_dates_need_an_option() {
    let text = error_of("k,d\na,03/04/2024\n", &keyed("k"));
    assert!(text.contains("'03/04/2024' is 2024-04-03 or 2024-03-04; specify"), "{text}");
    let import = read("k,d\na,03/04/2024\nb,13/04/2024\n", &keyed("k")).unwrap();
    assert_eq!(
        import.passages[0].facts["d"],
        TypedValue::parse(ValueType::Date, "2024-04-03").unwrap()
    );
    let mut options = keyed("k");
    options.formats.day_order = Some(DayMonthOrder::MonthFirst);
    let import = read("k,d\na,03/04/2024\nb,\"March 5, 2024\"\n", &options).unwrap();
    assert_eq!(
        import.passages[0].facts["d"],
        TypedValue::parse(ValueType::Date, "2024-03-04").unwrap()
    );
    assert!(error_of("k,d\na,13/04/2024\n", &options).contains("not a month, day and year"));
}

#[test]
fn a_currency_is_never_guessed() {
    let text = error_of("k,m\na,$5.00\n", &keyed("k"));
    assert!(text.contains("'$' is the sign of several currencies; specify"), "{text}");
    let mut options = keyed("k");
    options.formats.currency = Some("CAD".to_owned());
    let import = read("k,m\na,($5.00)\n", &options).unwrap();
    assert_eq!(
        import.passages[0].facts["m"],
        TypedValue::parse(ValueType::Money, "CAD -5").unwrap()
    );
}

#[test]
fn all_mistakes_are_reported_at_once_and_nothing_is_written() {
    let table = "k,due,n\na,2024-01-31,1\nb,17,2\na,2024-02-30,x\n,2024-01-01,3\n";
    let options = CsvImportOptions {
        types: vec![("due".to_owned(), ValueType::Date), ("n".to_owned(), ValueType::Number)],
        ..keyed("k")
    };
    let text = error_of(table, &options);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "5 mistakes in t.csv; nothing was written");
    assert!(lines[1].starts_with("  line 3, column 'due': '17' is not a date"), "{text}");
    for part in [
        "line 4, column 'k': the key 'a' is already used on line 2",
        "line 4, column 'due': '2024-02-30' is not a date",
        "line 4, column 'n': 'x' is not a number",
        "line 5, column 'k': the key is empty",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    // The same mistake repeated counts as one.
    let many: String = (0..50).map(|i| format!("r{i},soon,1\n")).collect();
    let text = error_of(format!("k,due,n\n{many}"), &options);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("t.csv: lines 2, 3, 4") && text.contains("and 30 more"), "{text}");
}

#[test]
fn broken_files_are_reported_by_line() {
    let ragged = error_of("k,a,b\nx,1\ny,1,2,3\nz,1,2\n", &keyed("k"));
    assert!(
        ragged
            .contains("line 2: 2 cells, but the header has 3; 'b' is the first column without one")
    );
    assert!(ragged.contains("line 3: 4 cells, but the header has 3; the first too many is '3'"));
    let latin = error_of(b"k,name\nx,Jos\xe9\n", &keyed("k"));
    assert!(latin.contains("line 2, column 'name': 'Jos\u{fffd}' is not UTF-8"), "{latin}");
    assert!(
        error_of("x,1\ny,2\n", &keyed("k")).contains("no column 'k'; the first line names: x, 1")
    );
    assert!(
        error_of("k,a,a,\nx,1,2,3\n", &keyed("k")).contains("columns 2 and 3 have the same name")
    );
    assert!(
        error_of("k;a\nx;1,5\n", &keyed("k"))
            .ends_with("'k;a'; did you mean --delimiter semicolon?")
    );
    // Excel's first line names the delimiter.
    let separated =
        read("sep=;\nLieferant;Betrag\nAcme GmbH;1.234,50\n", &keyed("Lieferant")).unwrap();
    assert_eq!(separated.passages[0].facts["betrag"], TypedValue::Number(1234.5));
    let late = error_of("sep=;\r\nk;d\r\nx;2024-01-31\r\ny;2024-02-30\r\n", &dated("d"));
    assert!(late.contains("line 4, column 'd'"), "{late}");
    assert!(error_of("", &keyed("k")).contains("the file is empty"));
    assert!(error_of("k,a\n", &keyed("k")).contains("no rows below the header"));
    let quote = error_of("k,a\nx,1\ny,\"open\nz,3\n", &keyed("k"));
    assert!(quote.contains("line 3: a quote is opened here and never closed"), "{quote}");
    for (text, line) in [
        ("id,text\n1,\"foo\n2,\"bar\n3,baz\n", 2),
        ("id,text\r1,a\r2,\"\"\"foo\r3,\"\"\"bar\r", 3),
        ("id,text\n1,\"\"foo\n2,bar\n", 2),
        ("id,text\n1,\"a \"b\" c\"\n", 2),
        ("id,te\"xt\n1,\"a\"b\n", 2),
    ] {
        let merged = error_of(text, &keyed("id"));
        let expected =
            format!("line {line}: a quote is opened here, and there is more text after the one");
        assert!(merged.contains(&expected), "{merged}");
    }
    for end in ["\r", "\n", "\r\n"] {
        let text =
            "supplier,due\nAcme,2024-01-31\n\nBeta,2024-02-30\nGamma,soon\n".replace('\n', end);
        let late =
            error_of(text, &CsvImportOptions { key: vec!["supplier".to_owned()], ..dated("due") });
        assert!(
            late.contains("line 4, column 'due'") && late.contains("line 5, column 'due'"),
            "{late}"
        );
    }
    let same = error_of("k,Net $,Net €\nx,1,2\n", &keyed("k"));
    assert!(same.contains("the same fact name as 'Net $': net"), "{same}");
    let bom = read("\u{feff}k,a\nx,1\n", &keyed("k")).unwrap();
    assert_eq!(bom.passages[0].entity.as_deref(), Some("x"));
}

/// What a run would refuse as the id of a passage or a task.
#[test]
fn keys_that_make_no_id_are_mistakes() {
    let long = "k".repeat(1001);
    for (cell, why) in [
        ("a\u{7}b", "has the control character U+0007"),
        ("a\0", "has the control character U+0000"),
        ("\"a\nb\"", "has the control character U+000A"),
        ("a\tb", "has the control character U+0009"),
        ("a\u{202e}b", "has the control character U+202E"),
        (long.as_str(), "has 1001 characters; allowed: up to 1000"),
    ] {
        let error = error_of(format!("k,a\nx,1\n{cell},2\n"), &keyed("k"));
        assert!(error.contains("line 3, column 'k': the key '"), "{error}");
        assert!(error.contains(why), "{why}: {error}");
    }
    // The id of a cell's passage is longer than the key.
    let fits = "k".repeat(996);
    let per_cell = CsvImportOptions { per_cell: true, ..keyed("k") };
    let table = format!("k,price\n{fits},1\n");
    assert!(read(&table, &keyed("k")).is_ok());
    let error = error_of(&table, &per_cell);
    assert!(error.contains("allowed: up to 994 characters"), "{error}");
    assert!(read(format!("k,price\n{},1\n", "k".repeat(994)), &per_cell).is_ok());
    // Several columns are one key.
    let error = error_of("k,m,a\nx,y\u{1b},1\n", &keyed("k,m"));
    assert!(error.contains("column 'k, m': the key 'x / y"), "{error}");
}

#[test]
fn a_nearly_typed_column_is_text_with_a_note() {
    let import = read("k,n\na,1\nb,2\nc,n/a\n", &keyed("k")).unwrap();
    assert_eq!(import.attributes[0].ty, ValueType::Text);
    assert!(import.notes[0].contains("2 of 3 cells are a number, but not 'n/a' on line 4"));
    let options = CsvImportOptions { empty_texts: vec!["n/a".to_owned()], ..keyed("k") };
    let import = read("k,n\na,1\nb,2\nc,n/a\n", &options).unwrap();
    assert_eq!(
        (import.attributes[0].ty, import.attributes[0].filled_cells),
        (ValueType::Number, 2)
    );
}

#[test]
fn a_missing_header_is_reported_and_names_can_be_given() {
    let table = "acme,2024-01-31,EUR 5\nbeta,2024-02-29,EUR 6\n";
    assert_eq!(
        error_of(table, &keyed("supplier")),
        "t.csv: --key: there is no column 'supplier'; the first line names: acme, 2024-01-31, EUR 5 (the first line must be the header); \
'2024-01-31' in the first line is a date: if the table has no header, name the columns with --header NAME,NAME"
    );
    assert_eq!(
        error_of(table, &keyed("acme")),
        "2 mistakes in t.csv; nothing was written
  line 1, column '2024-01-31': this is a date like the cells below it, so the first line is data; name the columns with --header NAME,NAME
  line 1, column 'EUR 5': this is a money like the cells below it, so the first line is data; name the columns with --header NAME,NAME"
    );
    let header = ["supplier", "due", "amount"].map(str::to_owned).to_vec();
    let import = read(table, &CsvImportOptions { header, ..keyed("supplier") }).unwrap();
    assert_eq!((import.rows, import.passages[0].entity.as_deref()), (2, Some("acme")));
    assert_eq!(import.notes, [""; 0]);

    // Years as column headers: valid, but noted.
    let import = read("k,2023,2024\na,1,2\n", &keyed("k")).unwrap();
    assert_eq!(
        import.notes,
        [
            "the first line is taken as the header, with '2023' (a number), '2024' (a number) as names; \
if it is data, name the columns with --header NAME,NAME"
        ]
    );
    let twice = error_of("acme,5,5\nbeta,6,7\n", &keyed("acme"));
    assert!(twice.contains("line 1, column '5': columns 2 and 3 have the same name"), "{twice}");
    assert!(twice.contains("line 1: '5' in the first line is a number: if"), "{twice}");
}

#[test]
fn broken_rows_and_wrong_cells_are_reported_together() {
    let types = vec![("due".to_owned(), ValueType::Date)];
    let text = error_of("k,due\nx\ny,45292\n", &CsvImportOptions { types, ..keyed("k") });
    assert_eq!(
        text.lines().skip(1).collect::<Vec<_>>(),
        [
            "  line 2: 1 cell, but the header has 2; 'due' is the first column without one",
            "  line 3, column 'due': '45292' is not a date; such as 2024-01-31 (a day that exists, its year in four digits)",
        ]
    );
}

#[test]
fn a_sample_of_many_tasks_is_drawn() {
    let rows: String = (0..600).map(|i| format!("r{i},{i}\n")).collect();
    let import = read(format!("k,n\n{rows}"), &keyed("k")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let written = import.write(&OutputWriter::default(), dir.path(), Some(("n", false))).unwrap();
    assert_eq!(written[1].1, "600 tasks, one a row");
    assert_eq!(written[2].1, "replays 500 of the tasks, drawn at random; change `sample` for more");
    let scenario = || scenario::load(&dir.path().join("scenario.yaml")).unwrap();
    let drawn = |s: &scenario::Scenario| s.tasks.tasks.iter().map(|t| t.line).collect::<Vec<_>>();
    let first = scenario();
    assert_eq!(first.notes, ["500 of the 600 tasks are replayed, drawn at random (tasks.sample)"]);
    let lines = drawn(&first);
    assert!(lines.len() == 500 && lines.is_sorted(), "in the order of the file");
    // If one of the drawn tasks is removed, the others stay, and one replaces it.
    let path = dir.path().join("tasks.csv");
    let tasks = std::fs::read_to_string(&path).unwrap();
    let out = &first.tasks.tasks[17].id;
    let without: Vec<&str> = tasks.lines().filter(|l| !l.starts_with(&format!("{out},"))).collect();
    std::fs::write(&path, without.join("\n")).unwrap();
    let ids = |s: &scenario::Scenario| {
        s.tasks.tasks.iter().map(|t| t.id.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    let second = scenario();
    assert_eq!(ids(&first).difference(&ids(&second)).collect::<Vec<_>>(), [out]);
    assert_eq!(ids(&second).len(), 500);
}
