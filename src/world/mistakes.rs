//! All mistakes of one data file, reported together.
//!
//! Every reader of this module collects them and goes on, so that a file is fixed in one go. Nothing that
//! is wrong is left out in silence: what cannot be used is a mistake, and a file with mistakes is not used.
//! One slip is one mistake: what is wrong in the same way on many lines, as after a column was renamed, is
//! reported once, with its lines.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Mistakes that are reported one by one, and lines that are named of one; of the rest there is a count.
const TOLD: usize = 20;

/// So many lines that are wrong in the same way, but with other values, are still reported one by one.
const ALIKE: usize = 3;

/// Kinds of mistakes that are told apart. Past these only the lines are counted.
const KINDS: usize = 1000;

/// What is wrong in one way, on one line or on many.
#[derive(Clone, Debug, PartialEq)]
struct Mistake {
    column: Option<String>,
    /// The first line, and what is wrong there in words.
    first: Option<usize>,
    what: String,
    /// From 1, ascending, the first [`TOLD`] once the list is cut; `None` where the whole file or column is meant.
    lines: Vec<Option<usize>>,
    /// All of them.
    count: usize,
    /// By line, and then in the order in which they were added, the words; as many as are reported one by one.
    others: Vec<(Option<usize>, usize, String)>,
}

/// Every mistake of a file, at least one once it is an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistakes {
    file: PathBuf,
    /// What a spot within a line is called.
    spot: &'static str,
    /// What became of the file, said after the count.
    outcome: &'static str,
    list: Vec<Mistake>,
    /// By column and words without the values in them: the place in the list.
    known: BTreeMap<(Option<String>, String), usize>,
    count: usize,
    /// Those of kinds that are not told apart any more.
    more: usize,
}

impl Mistakes {
    /// Of a table.
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

    /// Of a file of JSON lines.
    pub fn of_json(file: &Path) -> Mistakes {
        Mistakes { spot: "field", ..Mistakes::new(file) }
    }

    /// Of a file that an importer turns into others.
    pub fn of_import(file: &Path) -> Mistakes {
        Mistakes { outcome: "; nothing was written", ..Mistakes::new(file) }
    }

    /// How many were added, each line counted.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many slips they come from: lines that are wrong in the same way count once.
    pub fn slips(&self) -> usize {
        let slips: usize = self.list.iter().map(Mistake::slips).sum();
        slips + self.more
    }

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

    /// An error if there is any mistake.
    pub fn none(mut self) -> Result<(), Mistakes> {
        if self.count == 0 {
            return Ok(());
        }
        self.list.iter_mut().for_each(Mistake::cut);
        Err(self)
    }

    /// What is shown, in the order of the lines: the lines of each, its words, and how many more there are like it.
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

/// One line of the report.
struct Shown<'a> {
    order: (Option<usize>, usize),
    lines: &'a [Option<usize>],
    column: Option<&'a str>,
    what: &'a str,
    /// Lines that are wrong in the same way and not named.
    more: usize,
    /// Other values are wrong on the other lines.
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
        // A million mistakes take no more memory than a thousand.
        if self.lines.len() > 50 * TOLD {
            self.cut();
        }
        if self.others.len() > 2 * ALIKE {
            self.others.sort();
            self.others.truncate(ALIKE + 1);
        }
    }

    /// Keeps what will be reported.
    fn cut(&mut self) {
        self.lines.sort_unstable();
        self.lines.truncate(TOLD);
        self.others.sort();
    }

    /// A few lines with other values in them are slips of their own.
    fn slips(&self) -> usize {
        if self.differs() && self.count <= ALIKE { self.count } else { 1 }
    }

    fn differs(&self) -> bool {
        self.others.iter().any(|(_, _, what)| *what != self.what)
    }
}

/// What is said without what is quoted in it, which is another value on each line.
fn without_values(what: &str) -> String {
    let mut parts = what.split('\'');
    let mut kept = parts.next().unwrap_or_default().to_owned();
    // Only quotes that open after a space or at the start hold a value; `task's` does not.
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
