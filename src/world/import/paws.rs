//! Imports PAWS: pairs of sentences with nearly the same words, some of which are paraphrases.
//!
//! Input: a TSV file of id, two sentences and a label (1: paraphrase), as published by the authors, with or without
//! its header. Output: labelled pairs. Pairs whose words are equal except for their order have the category
//! `same_words`, which no bag-of-words model can separate; the others have `other_words`.

use std::path::Path;

use crate::progress::ProgressListener;
use crate::world::data_lines::DataLines;
use crate::world::labelled_pair::LabelledPair;
use crate::world::mistakes::FileMistakes;

/// The first three columns of a header, and the names that the fourth may have.
const HEADER: [&str; 3] = ["id", "sentence1", "sentence2"];
const LABELS: [&str; 2] = ["label", "noisy_label"];

/// The pairs of a file, and the numbers of the lines that gave none.
#[derive(Clone, Debug, Default)]
pub struct PawsImport {
    pub pairs: Vec<LabelledPair>,
    /// Lines of pairs that are left out because a sentence is empty.
    pub empty_sentence_lines: Vec<usize>,
    /// Blank lines.
    pub blank_lines: Vec<usize>,
}

/// Reads the file. The error lists every mistake.
pub fn read(path: &Path, progress: &dyn ProgressListener) -> anyhow::Result<PawsImport> {
    let mut mistakes = FileMistakes::for_import(path);
    let mut lines = DataLines::open(path, progress)?;
    let mut import = PawsImport::default();
    while let Some((number, line)) = lines.next_including_blank(&mut mistakes)? {
        if line.trim().is_empty() {
            import.blank_lines.push(number);
            continue;
        }
        // Quotes belong to the sentences, so the line is split without CSV rules.
        let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
        let [_, first, second, label] = cells[..] else {
            let what = format!(
                "{} cells separated by tabs; a pair has an id, two sentences and a label",
                cells.len()
            );
            mistakes.add(Some(number), None, what);
            continue;
        };
        if number == 1 && cells[..3] == HEADER && LABELS.contains(&label) {
            continue;
        }
        let same = match label {
            "1" => true,
            "0" => false,
            other => {
                mistakes.add(Some(number), Some("label"), format!("'{other}' is neither 0 nor 1"));
                continue;
            }
        };
        if first.is_empty() || second.is_empty() {
            import.empty_sentence_lines.push(number);
            continue;
        }
        let category =
            if sorted_words(first) == sorted_words(second) { "same_words" } else { "other_words" };
        import.pairs.push(LabelledPair {
            first: first.to_owned(),
            second: second.to_owned(),
            same,
            category: category.to_owned(),
        });
    }
    mistakes.into_result()?;
    anyhow::ensure!(!import.pairs.is_empty(), "{}: there is no pair in the file", path.display());
    Ok(import)
}

/// The words of a sentence in lower case, sorted.
fn sorted_words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    words.sort_unstable();
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoProgress;

    fn read_text(text: &str) -> Result<PawsImport, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("paws.tsv");
        std::fs::write(&path, text).unwrap();
        read(&path, &NoProgress).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn lines_that_are_left_out_are_counted() {
        for (text, pairs, empty, blank) in [
            ("id\tsentence1\tsentence2\tlabel\n1\ta b\tb a\t0\n", 1, &[][..], &[][..]),
            ("1\ta b\tb a\t0\n2\t\tb\t1\n3\ta\t \t0\n", 1, &[2, 3], &[]),
            ("1\ta\tb\t0\n\n  \n2\ta\tb\t1\n", 2, &[], &[2, 3]),
            ("1\ta\tb\t0\r2\t\u{a0}\tb\t1\r\r", 1, &[2], &[3]),
            ("\u{feff}1\t\"a\tb\"\t0\r\n2\t\t\t0\r\n", 1, &[2], &[]),
            ("0\tlabel\tlabel\t1\n1\tlabels\tx\t0\n", 2, &[], &[]),
        ] {
            let import = read_text(text).unwrap();
            assert_eq!(import.pairs.len(), pairs, "{text:?}");
            assert_eq!(
                (&import.empty_sentence_lines[..], &import.blank_lines[..]),
                (empty, blank),
                "{text:?}"
            );
        }
        assert!(read_text("1\t\t\t0\n").unwrap_err().contains("there is no pair"));
        // A misspelt header is read as data and reported.
        let error = read_text("id\tsentence1\tsentence2\tlabels\n1\ta\tb\t0\n").unwrap_err();
        assert!(error.contains("line 1, column 'label': 'labels' is neither 0 nor 1"), "{error}");
    }
}
