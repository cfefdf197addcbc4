//! Collects all mistakes of one data file and reports them together.
//!
//! Every reader of this module records a mistake and continues, so that a user can fix a file in one go. Nothing
//! may be dropped silently: what cannot be used is a mistake, and a file with mistakes is not used. Lines that are
//! wrong in the same way, for example after a column was renamed, are reported once with their numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Maximum number of mistakes reported, and of lines listed for each; the rest are counted.
const TOLD: usize = 20;

/// Up to this many similar mistakes about different values are reported one by one.
const ALIKE: usize = 3;

/// Maximum number of groups that are kept. Mistakes that would open a further group are only counted.
const KINDS: usize = 1000;

/// A group of mistakes of the same kind, on one line or on many.
#[derive(Clone, Debug, PartialEq)]
struct Mistake {
    column: Option<String>,
    /// The first line.
    first: Option<usize>,
    /// The message for the first line.
    what: String,
    /// The first lines, from 1; a `None` means the whole file or column.
    lines: Vec<Option<usize>>,
    /// The number of mistakes in the group, including lines that are no longer listed.
    count: usize,
    /// Line, sequence number and message of the first few, in ascending order: as many as are reported one by one.
    others: Vec<(Option<usize>, usize, String)>,
}

/// All mistakes of a file. As an error it contains at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistakes {
    file: PathBuf,
    /// The word for a position within a line: `column` or `field`.
    spot: &'static str,
    /// The consequence for the file, appended to the number of mistakes.
    outcome: &'static str,
    list: Vec<Mistake>,
    /// Index of the group by column and by message without quoted values.
    known: BTreeMap<(Option<String>, String), usize>,
    /// The number of added mistakes.
    count: usize,
    /// The number of mistakes for which no group was opened because there were too many already.
    more: usize,
}

impl Mistakes {
    /// For a table.
    pub fn new(file: &Path) -> Mistakes {
        Mistakes {
            file: file.to_owned(),
            spot: "column",
            outcome: "",
            list: Vec::new(),
            known: BTreeMap::new(),
            count: 0,
            more: 0,
        }
    }

    /// For a JSON Lines file.
    pub fn of_json(file: &Path) -> Mistakes {
        Mistakes { spot: "field", ..Mistakes::new(file) }
    }

    /// For a file that an importer converts.
    pub fn of_import(file: &Path) -> Mistakes {
        Mistakes { outcome: "; nothing was written", ..Mistakes::new(file) }
    }

    /// The number of added mistakes, counting each line.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number of reported mistakes: lines that are wrong in the same way count once.
    pub fn slips(&self) -> usize {
        let slips: usize = self.list.iter().map(Mistake::slips).sum();
        slips + self.more
    }

    /// Adds a mistake. `what` must put variable values in single quotes, since they are ignored when grouping.
    pub fn add(&mut self, line: Option<usize>, column: Option<&str>, what: impl Into<String>) {
        let what = what.into();
        self.count += 1;
        let key = (column.map(str::to_owned), without_values(&what));
        match self.known.get(&key) {
            Some(&at) => self.list[at].add(line, self.count, what),
            None if self.list.len() == KINDS => self.more += 1,
            None => {
                self.known.insert(key, self.list.len());
                self.list.push(Mistake::new(line, self.count, column, what));
            }
        }
    }

    /// `Err` if there is any mistake.
    pub fn none(mut self) -> Result<(), Mistakes> {
        if self.count == 0 {
            return Ok(());
        }
        self.list.iter_mut().for_each(Mistake::cut);
        Err(self)
    }

    /// The entries of the report, sorted by line.
    fn shown(&self) -> Vec<Shown<'_>> {
        let mut shown: Vec<Shown> = Vec::new();
        for mistake in &self.list {
            let column = mistake.column.as_deref();
            if mistake.slips() == mistake.others.len() {
                let each = mistake.others.iter().map(|(line, place, what)| Shown {
                    order: (*line, *place),
                    lines: std::slice::from_ref(line),
                    column,
                    what,
                    more: 0,
                    differs: false,
                });
                shown.extend(each);
            } else {
                shown.push(Shown {
                    order: (
                        mistake.first,
                        mistake.others.first().map_or(0, |(_, place, _)| *place),
                    ),
                    lines: &mistake.lines,
                    column,
                    what: &mistake.what,
                    more: mistake.count - mistake.lines.len(),
                    differs: mistake.differs(),
                });
            }
        }
        shown.sort_by_key(|shown| shown.order);
        shown
    }
}

/// One entry of the report.
struct Shown<'a> {
    order: (Option<usize>, usize),
    lines: &'a [Option<usize>],
    column: Option<&'a str>,
    what: &'a str,
    /// Number of similar lines that are not listed.
    more: usize,
    /// Whether the other lines have different messages.
    differs: bool,
}

impl Mistake {
    fn new(line: Option<usize>, place: usize, column: Option<&str>, what: String) -> Mistake {
        Mistake {
            column: column.map(str::to_owned),
            first: line,
            lines: vec![line],
            count: 1,
            others: vec![(line, place, what.clone())],
            what,
        }
    }

    fn add(&mut self, line: Option<usize>, place: usize, what: String) {
        self.count += 1;
        if line < self.first {
            self.first = line;
            self.what.clone_from(&what);
        }
        self.lines.push(line);
        self.others.push((line, place, what));
        // Shorten now and then, so that memory does not grow with the number of mistakes.
        if self.lines.len() > 50 * TOLD {
            self.cut();
        }
        if self.others.len() > 2 * ALIKE {
            self.others.sort();
            self.others.truncate(ALIKE + 1);
        }
    }

    /// Sorts the lists and limits the listed lines to those that will be reported.
    fn cut(&mut self) {
        self.lines.sort_unstable();
        self.lines.truncate(TOLD);
        self.others.sort();
    }

    /// The number of reported mistakes: a few lines with different values count one by one.
    fn slips(&self) -> usize {
        if self.differs() && self.count <= ALIKE { self.count } else { 1 }
    }

    fn differs(&self) -> bool {
        self.others.iter().any(|(_, _, what)| *what != self.what)
    }
}

/// The message without quoted values, which differ from line to line.
fn without_values(what: &str) -> String {
    let mut parts = what.split('\'');
    let mut kept = parts.next().unwrap_or_default().to_owned();
    // Only a quote at the start or after a space opens a value; the one in `task's` does not.
    let mut inside = kept.is_empty() || kept.ends_with(' ');
    for part in parts {
        kept.push('\'');
        if inside {
            inside = false;
        } else {
            kept.push_str(part);
            inside = part.ends_with(' ');
        }
    }
    kept
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slips = self.slips();
        let many = slips > 1;
        if many {
            write!(f, "{slips} mistakes in {}{}", self.file.display(), self.outcome)?;
        }
        let all = self.shown();
        for shown in all.iter().take(TOLD) {
            if many {
                f.write_str("\n  ")?;
            } else {
                write!(f, "{}: ", self.file.display())?;
            }
            let lines: Vec<String> = shown.lines.iter().flatten().map(usize::to_string).collect();
            if let Some((first, rest)) = lines.split_first() {
                let s = if rest.is_empty() { "" } else { "s" };
                write!(f, "line{s} {first}")?;
                rest.iter().try_for_each(|line| write!(f, ", {line}"))?;
                if shown.more > 0 {
                    write!(f, " and {} more", shown.more)?;
                }
                f.write_str(if shown.column.is_some() { ", " } else { ": " })?;
            }
            if let Some(column) = shown.column {
                write!(f, "{} '{column}': ", self.spot)?;
            }
            f.write_str(shown.what)?;
            if shown.differs {
                f.write_str(" (this is the first of them)")?;
            }
        }
        let left = all.len().saturating_sub(TOLD) + self.more;
        if left > 0 {
            write!(f, "\n  and {left} more")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(added: impl IntoIterator<Item = (usize, String)>) -> Mistakes {
        let mut mistakes = Mistakes::new(Path::new("t.csv"));
        added.into_iter().for_each(|(line, what)| mistakes.add(Some(line), Some("n"), what));
        mistakes.none().unwrap_err()
    }

    #[test]
    fn what_is_wrong_on_many_lines_in_one_way_is_one_mistake() {
        let mistakes = of((1..=5000).rev().map(|line| (line, "wrong".to_owned())));
        assert_eq!((mistakes.slips(), mistakes.count()), (1, 5000));
        let lines: Vec<String> = (2..=20).map(|line| line.to_string()).collect();
        let lines = lines.join(", ");
        let text = format!("t.csv: lines 1, {lines} and 4980 more, column 'n': wrong");
        assert_eq!(mistakes.to_string(), text);
    }

    #[test]
    fn many_values_that_are_wrong_in_one_way_are_one_mistake_and_a_few_are_not() {
        let day = |line: usize| (line, format!("'{line}.1.2025' is not a date; allowed: 'YYYY'"));
        let mistakes = of((2..=45).map(day));
        assert_eq!(mistakes.slips(), 1);
        let text = mistakes.to_string();
        assert!(text.starts_with("t.csv: lines 2, 3, 4, "), "{text}");
        assert!(text.contains("21 and 24 more, column 'n': '2.1.2025' is not a date;"), "{text}");
        let mistakes = of((2..=4).map(day));
        assert_eq!(mistakes.slips(), 3);
        let text = mistakes.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "3 mistakes in t.csv");
        assert!(lines[3].starts_with("  line 4, column 'n': '4.1.2025' is not a date"), "{text}");
    }

    #[test]
    fn of_many_mistakes_the_first_lines_are_reported_and_all_are_counted() {
        let mistakes = of((1..=5000).rev().map(|line| (line, "a".repeat(line % 40 + 1))));
        assert_eq!(mistakes.slips(), 40);
        let text = mistakes.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "40 mistakes in t.csv");
        assert!(lines[1].starts_with("  lines 1, 41, 81, "), "{text}");
        assert_eq!((lines.len(), lines[21]), (22, "  and 20 more"));
        let mistakes = of((1..=5000).map(|line| (line, format!("{line} is wrong"))));
        assert_eq!((mistakes.slips(), mistakes.count()), (5000, 5000));
        assert!(mistakes.to_string().ends_with("  and 4980 more"));
    }
}
