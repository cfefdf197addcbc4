//! Pairs of texts with a label: whether both mean the same.

use std::path::Path;

use super::grid::{Grid, Layout};
use super::mistakes::Mistakes;
use crate::watch::Watch;

/// Two texts, and whether they mean the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    pub first: String,
    pub second: String,
    pub same: bool,
    /// May be empty.
    pub category: String,
}

/// Reads a CSV file with a header that has at least `first`, `second` and `same` (1 or 0). The error holds
/// every mistake of the file.
pub fn read(path: &Path, watch: &dyn Watch) -> anyhow::Result<Vec<Labelled>> {
    let mut mistakes = Mistakes::new(path);
    let grid = Grid::read(path, Layout::default(), watch, &mut mistakes)?;
    let mut wanted = vec!["first", "second", "same"];
    if grid.header.iter().any(|found| found == "category") {
        wanted.push("category");
    }
    let places = grid.columns(&wanted, |_| false, &mut mistakes).unwrap_or_default();
    let place = |column: &str| places.iter().find(|(name, _)| *name == column).map(|p| p.1);
    let mut pairs = Vec::with_capacity(grid.rows.len());
    for row in &grid.rows {
        let cell = |column| place(column).map_or("", |at| row.cells[at].trim());
        for column in ["first", "second"] {
            if place(column).is_some() && cell(column).is_empty() {
                mistakes.add(Some(row.line), Some(column), "the text is empty");
            }
        }
        if place("same").is_some() && !matches!(cell("same"), "0" | "1") {
            let message = format!("'{}' is neither 1 nor 0", cell("same"));
            mistakes.add(Some(row.line), Some("same"), &message);
        }
        pairs.push(Labelled {
            first: cell("first").to_owned(),
            second: cell("second").to_owned(),
            same: cell("same") == "1",
            category: cell("category").to_owned(),
        });
    }
    mistakes.none()?;
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Quiet;

    #[test]
    fn labels_are_one_or_nought() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.csv");
        std::fs::write(&path, "first,second,same\na b,b a,0\na,a,1\n").unwrap();
        let labels: Vec<bool> = read(&path, &Quiet).unwrap().iter().map(|p| p.same).collect();
        assert_eq!(labels, [false, true]);
        std::fs::write(&path, "first,second,same\na,,0\na,a,yes\n").unwrap();
        let message = read(&path, &Quiet).unwrap_err().to_string();
        assert!(message.contains("line 2, column 'second': the text is empty"), "{message}");
        assert!(message.contains("line 3, column 'same': 'yes' is neither 1 nor 0"), "{message}");
    }
}
