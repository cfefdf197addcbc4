//! PAWS: pairs of sentences made of much the same words, some of which mean the same.
//!
//! In: a TSV file of id, two sentences and a label (1: paraphrase), as the authors publish it, with or without
//! its header. Out: labelled pairs. Those whose words are the same but for their order get the category
//! `same_words`: no bag of words can tell them apart; the others `other_words`.

use std::path::Path;

use crate::watch::Watch;
use crate::world::labelled_pair::LabelledPair;
use crate::world::mistakes::Mistakes;
use crate::world::text::Lines;

/// Reads the file; the error holds every mistake.
pub fn read(path: &Path, watch: &dyn Watch) -> anyhow::Result<Vec<LabelledPair>> {
    let mut mistakes = Mistakes::of_import(path);
    let mut lines = Lines::open(path, watch)?;
    let mut pairs = Vec::new();
    while let Some((number, line)) = lines.next(&mut mistakes)? {
        // Quotes are part of the sentences and not of the file's syntax.
        let cells: Vec<&str> = line.split('\t').collect();
        let [_, first, second, label] = cells[..] else {
            let what = format!(
                "{} cells parted by tabs; a pair has id, two sentences, label",
                cells.len()
            );
            mistakes.add(Some(number), None, what);
            continue;
        };
        if number == 1 && label.contains("label") {
            continue;
        }
        let same = match label.trim() {
            "1" => true,
            "0" => false,
            other => {
                mistakes.add(Some(number), Some("label"), format!("'{other}' is neither 0 nor 1"));
                continue;
            }
        };
        let category = if words(first) == words(second) { "same_words" } else { "other_words" };
        pairs.push(LabelledPair {
            first: first.to_owned(),
            second: second.to_owned(),
            same,
            category: category.to_owned(),
        });
    }
    mistakes.none()?;
    anyhow::ensure!(!pairs.is_empty(), "{}: there is no pair in the file", path.display());
    Ok(pairs)
}

/// The words of a sentence, sorted.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    words.sort_unstable();
    words
}
