//! Reads the data set in the authors' layout: `master_clauses.csv` next to `full_contract_txt/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::clause_type::CuadClauseType;
use crate::input_file::{self, encoding};

const MASTER: &str = "master_clauses.csv";
const TEXTS: &str = "full_contract_txt";

/// One row of the master file; its cells are not interpreted yet.
#[derive(Clone, Debug)]
pub struct CuadRow {
    /// As written in the table, `....pdf`.
    pub filename: String,
    /// The file with the contract's text, if it exists.
    pub path: Option<PathBuf>,
    /// For each clause type, in order: the texts (a list literal) and the answer.
    pub cells: Vec<(String, String)>,
}

/// The content of the folder.
#[derive(Clone, Debug)]
pub struct CuadFolder {
    pub types: Vec<CuadClauseType>,
    /// In the order of the file.
    pub rows: Vec<CuadRow>,
    /// Text files that no row names, sorted by name.
    pub unlisted: Vec<String>,
}

/// Reads the master file and locates each row's text file. The error names what is missing in `dir`.
pub fn read(dir: &Path) -> anyhow::Result<CuadFolder> {
    let master = dir.join(MASTER);
    let bytes = input_file::read(&master).with_context(|| {
        format!("cannot read {}; the folder must hold {MASTER} and {TEXTS}/", master.display())
    })?;
    let bytes = encoding::to_utf8(bytes).with_context(|| format!("in {}", master.display()))?;
    let files = text_files(&dir.join(TEXTS))?;
    let (types, mut rows) = parse(&bytes).with_context(|| format!("in {}", master.display()))?;
    let mut taken = BTreeSet::new();
    for row in &mut rows {
        let Some(name) = files.find(&row.filename) else {
            continue;
        };
        if !taken.insert(name.to_owned()) {
            bail!("{}: two rows name the contract {name}", master.display());
        }
        row.path = Some(dir.join(TEXTS).join(name));
    }
    let unlisted = files.names.into_iter().filter(|name| !taken.contains(name)).collect();
    Ok(CuadFolder { types, rows, unlisted })
}

fn parse(bytes: &[u8]) -> anyhow::Result<(Vec<CuadClauseType>, Vec<CuadRow>)> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers()?.clone();
    let filename = column(&header, "Filename").context("no column 'Filename'")?;
    let mut types = Vec::new();
    let mut at = Vec::new();
    for (texts, name) in header.iter().enumerate() {
        // The authors write `X-Answer`, except for one `X- Answer`.
        let answer = column(&header, &format!("{name}-Answer"))
            .or(column(&header, &format!("{name}- Answer")));
        if let Some(answer) = answer {
            types.push(CuadClauseType::from_column(name));
            at.push((texts, answer));
        }
    }
    if types.is_empty() {
        bail!("no clause type: a column 'X' with a column 'X-Answer' beside it");
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let cells = at
            .iter()
            .map(|&(texts, answer)| (cell(&record, texts), cell(&record, answer)))
            .collect();
        rows.push(CuadRow { filename: cell(&record, filename), path: None, cells });
    }
    Ok((types, rows))
}

fn column(header: &csv::StringRecord, name: &str) -> Option<usize> {
    header.iter().position(|h| h.trim() == name)
}

fn cell(record: &csv::StringRecord, i: usize) -> String {
    record.get(i).unwrap_or("").to_owned()
}

/// The file names in the folder of texts, which are matched exactly or by their folded form.
struct CuadTextFiles {
    names: BTreeSet<String>,
    /// Folded form -> name; `None` if two files share it.
    folded: BTreeMap<String, Option<String>>,
}

fn text_files(dir: &Path) -> anyhow::Result<CuadTextFiles> {
    let mut names = BTreeSet::new();
    let entries = std::fs::read_dir(dir)
        .with_context(|| format!("cannot read the contracts in {}", dir.display()))?;
    for entry in entries {
        let name = entry?.file_name();
        if let Some(name) = name.to_str().filter(|n| n.to_ascii_lowercase().ends_with(".txt")) {
            names.insert(name.to_owned());
        }
    }
    let mut folded: BTreeMap<String, Option<String>> = BTreeMap::new();
    for name in &names {
        let entry = folded.entry(folded_name(name));
        entry.and_modify(|n| *n = None).or_insert_with(|| Some(name.clone()));
    }
    Ok(CuadTextFiles { names, folded })
}

impl CuadTextFiles {
    fn find(&self, filename: &str) -> Option<&str> {
        let exact = format!("{}.txt", stem(filename));
        if let Some(name) = self.names.get(&exact) {
            return Some(name);
        }
        self.folded.get(&folded_name(filename))?.as_deref()
    }
}

/// The file name without stray quotes, spaces and extension.
fn stem(filename: &str) -> &str {
    let name = filename.trim().trim_matches(['\'', '"']);
    let dot = name.len().saturating_sub(4);
    match name.get(dot..).map(str::to_ascii_lowercase).as_deref() {
        Some(".pdf" | ".txt") => &name[..dot],
        _ => name,
    }
}

/// The ASCII letters and digits of a file name in lower case. Names in the table and on disk, which differ in `&`
/// and `_`, in stray quotes and spaces and in how accents are encoded, become equal.
///
/// An accented letter is dropped in both Unicode encodings: the precomposed character is not ASCII, and a
/// combining accent removes the letter before it.
pub fn folded_name(filename: &str) -> String {
    let mut folded = String::new();
    for c in stem(filename).chars() {
        if ('\u{300}'..='\u{36f}').contains(&c) {
            folded.pop();
        } else if c.is_ascii_alphanumeric() {
            folded.push(c.to_ascii_lowercase());
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_table_and_on_disk_fold_alike() {
        for (table, disk) in [
            ("MOELIS&CO_03-AGREEMENT.PDF", "MOELIS_CO_03-AGREEMENT.txt"),
            ("KALLOINC_11-AGREEMENT.PDF'", "KALLOINC_11-AGREEMENT.txt"),
            ("LECLANCHE\u{301} S.A. - JOINT.PDF", "LECLANCH\u{c9} S.A. - JOINT.txt"),
            ("Vehicles Corp. - Manufacturing .PDF", "Vehicles Corp. - Manufacturing.txt"),
        ] {
            assert_eq!(folded_name(table), folded_name(disk));
        }
        assert_ne!(folded_name("Agreement1.pdf"), folded_name("Agreement2.txt"));
    }

    #[test]
    fn an_answer_column_may_have_a_stray_space() {
        let csv = "Filename,Renewal Term,Renewal Term-Answer,Insurance,Insurance- Answer,Note\n\
                   a.pdf,['x'],1 year,[],No,n\n";
        let (types, rows) = parse(csv.as_bytes()).unwrap();
        assert_eq!(types.len(), 2);
        assert_eq!(rows[0].cells[1], ("[]".to_owned(), "No".to_owned()));
        assert!(parse(b"Filename,Insurance\n").is_err());
        assert!(parse(b"File,X,X-Answer\n").is_err());
    }
}
