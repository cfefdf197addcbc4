//! Collects all mistakes of one data file and reports them together.
//!
//! Every reader of this module records a mistake and continues, so that a user can fix a file in one go. Nothing
//! may be dropped silently: what cannot be used is a mistake, and a file with mistakes is not used. Lines that are
//! wrong in the same way, for example after a column was renamed, are reported once with their numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Maximum number of mistakes reported, and of lines listed for each; the rest are counted.
const MAX_REPORTED: usize = 20;

/// Up to this many similar mistakes about different values are reported one by one.
const MAX_SIMILAR: usize = 3;

/// Maximum number of groups that are kept. Mistakes that would open a further group are only counted.
const MAX_GROUPS: usize = 1000;

/// A group of mistakes of the same kind, on one line or on many.
#[derive(Clone, Debug, PartialEq)]
struct MistakeGroup {
    column: Option<String>,
    /// The first line.
    first_line: Option<usize>,
    /// The message for the first line.
    message: String,
    /// The first lines, from 1; a `None` means the whole file or column.
    lines: Vec<Option<usize>>,
    /// The number of mistakes in the group, including lines that are no longer listed.
    count: usize,
    /// Line, sequence number and message of the first few, in ascending order: as many as are reported one by one.
    first_messages: Vec<(Option<usize>, usize, String)>,
}

/// All mistakes of a file. As an error it contains at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct FileMistakes {
    file: PathBuf,
    /// The word for a position within a line: `column` or `field`.
    position_word: &'static str,
    /// The consequence for the file, appended to the number of mistakes.
    outcome: &'static str,
    groups: Vec<MistakeGroup>,
    /// Index of the group by column and by message without quoted values.
    group_indices: BTreeMap<(Option<String>, String), usize>,
    /// The number of added mistakes.
    count: usize,
    /// The number of mistakes for which no group was opened because there were too many already.
    ungrouped: usize,
}

impl FileMistakes {
    /// For a table.
    pub fn new(file: &Path) -> FileMistakes {
        FileMistakes {
            file: file.to_owned(),
            position_word: "column",
            outcome: "",
            groups: Vec::new(),
            group_indices: BTreeMap::new(),
            count: 0,
            ungrouped: 0,
        }
    }

    /// For a JSON Lines file.
    pub fn for_json_lines(file: &Path) -> FileMistakes {
        FileMistakes { position_word: "field", ..FileMistakes::new(file) }
    }

    /// For a file that an importer converts.
    pub fn for_import(file: &Path) -> FileMistakes {
        FileMistakes { outcome: "; nothing was written", ..FileMistakes::new(file) }
    }

    /// The number of added mistakes, counting each line.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number of reported mistakes: lines that are wrong in the same way count once.
    pub fn reported_count(&self) -> usize {
        let slips: usize = self.groups.iter().map(MistakeGroup::reported_count).sum();
        slips + self.ungrouped
    }

    /// Adds a mistake. `what` must put variable values in single quotes, since they are ignored when grouping.
    pub fn add(&mut self, line: Option<usize>, column: Option<&str>, what: impl Into<String>) {
        let what = what.into();
        self.count += 1;
        let key = (column.map(str::to_owned), without_values(&what));
        match self.group_indices.get(&key) {
            Some(&at) => self.groups[at].add(line, self.count, what),
            None if self.groups.len() == MAX_GROUPS => self.ungrouped += 1,
            None => {
                self.group_indices.insert(key, self.groups.len());
                self.groups.push(MistakeGroup::new(line, self.count, column, what));
            }
        }
    }

    /// `Err` if there is any mistake.
    pub fn into_result(mut self) -> Result<(), FileMistakes> {
        if self.count == 0 {
            return Ok(());
        }
        self.groups.iter_mut().for_each(MistakeGroup::truncate);
        Err(self)
    }

    /// The entries of the report, sorted by line.
    fn report_entries(&self) -> Vec<MistakeReportEntry<'_>> {
        let mut entries: Vec<MistakeReportEntry> = Vec::new();
        for mistake in &self.groups {
            let column = mistake.column.as_deref();
            if mistake.reported_count() == mistake.first_messages.len() {
                let each =
                    mistake.first_messages.iter().map(|(line, place, what)| MistakeReportEntry {
                        order: (*line, *place),
                        lines: std::slice::from_ref(line),
                        column,
                        message: what,
                        unlisted: 0,
                        messages_differ: false,
                    });
                entries.extend(each);
            } else {
                entries.push(MistakeReportEntry {
                    order: (
                        mistake.first_line,
                        mistake.first_messages.first().map_or(0, |(_, place, _)| *place),
                    ),
                    lines: &mistake.lines,
                    column,
                    message: &mistake.message,
                    unlisted: mistake.count - mistake.lines.len(),
                    messages_differ: mistake.messages_differ(),
                });
            }
        }
        entries.sort_by_key(|entry| entry.order);
        entries
    }
}

/// One entry of the report.
struct MistakeReportEntry<'a> {
    order: (Option<usize>, usize),
    lines: &'a [Option<usize>],
    column: Option<&'a str>,
    message: &'a str,
    /// Number of similar lines that are not listed.
    unlisted: usize,
    /// Whether the other lines have different messages.
    messages_differ: bool,
}

impl MistakeGroup {
    fn new(
        line: Option<usize>,
        place: usize,
        column: Option<&str>,
        message: String,
    ) -> MistakeGroup {
        MistakeGroup {
            column: column.map(str::to_owned),
            first_line: line,
            lines: vec![line],
            count: 1,
            first_messages: vec![(line, place, message.clone())],
            message,
        }
    }

    fn add(&mut self, line: Option<usize>, place: usize, what: String) {
        self.count += 1;
        if line < self.first_line {
            self.first_line = line;
            self.message.clone_from(&what);
        }
        self.lines.push(line);
        self.first_messages.push((line, place, what));
        // Shorten now and then, so that memory does not grow with the number of mistakes.
        if self.lines.len() > 50 * MAX_REPORTED {
            self.truncate();
        }
        if self.first_messages.len() > 2 * MAX_SIMILAR {
            self.first_messages.sort();
            self.first_messages.truncate(MAX_SIMILAR + 1);
        }
    }

    /// Sorts the lists and limits the listed lines to those that will be reported.
    fn truncate(&mut self) {
        self.lines.sort_unstable();
        self.lines.truncate(MAX_REPORTED);
        self.first_messages.sort();
    }

    /// The number of reported mistakes: a few lines with different values count one by one.
    fn reported_count(&self) -> usize {
        if self.messages_differ() && self.count <= MAX_SIMILAR { self.count } else { 1 }
    }

    fn messages_differ(&self) -> bool {
        self.first_messages.iter().any(|(_, _, what)| *what != self.message)
    }
}

/// The message without quoted values, which differ from line to line.
fn without_values(what: &str) -> String {
    let mut parts = what.split('\'');
    let mut pattern = parts.next().unwrap_or_default().to_owned();
    // Only a quote at the start or after a space opens a value; the one in `task's` does not.
    let mut inside = pattern.is_empty() || pattern.ends_with(' ');
    for part in parts {
        pattern.push('\'');
        if inside {
            inside = false;
        } else {
            pattern.push_str(part);
            inside = part.ends_with(' ');
        }
    }
    pattern
}

impl fmt::Display for FileMistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slips = self.reported_count();
        let many = slips > 1;
        if many {
            write!(f, "{slips} mistakes in {}{}", self.file.display(), self.outcome)?;
        }
        let all = self.report_entries();
        for entry in all.iter().take(MAX_REPORTED) {
            if many {
                f.write_str("\n  ")?;
            } else {
                write!(f, "{}: ", self.file.display())?;
            }
            let lines: Vec<String> = entry.lines.iter().flatten().map(usize::to_string).collect();
            if let Some((first, rest)) = lines.split_first() {
                let s = if rest.is_empty() { "" } else { "s" };
                write!(f, "line{s} {first}")?;
                rest.iter().try_for_each(|line| write!(f, ", {line}"))?;
                if entry.unlisted > 0 {
                    write!(f, " and {} more", entry.unlisted)?;
                }
                f.write_str(if entry.column.is_some() { ", " } else { ": " })?;
            }
            if let Some(column) = entry.column {
                write!(f, "{} '{column}': ", self.position_word)?;
            }
            f.write_str(entry.message)?;
            if entry.messages_differ {
                f.write_str(" (this is the first of them)")?;
            }
        }
        let left = all.len().saturating_sub(MAX_REPORTED) + self.ungrouped;
        if left > 0 {
            write!(f, "\n  and {left} more")?;
        }
        Ok(())
    }
}

impl std::error::Error for FileMistakes {}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(added: impl IntoIterator<Item = (usize, String)>) -> FileMistakes {
        let mut mistakes = FileMistakes::new(Path::new("t.csv"));
        added.into_iter().for_each(|(line, what)| mistakes.add(Some(line), Some("n"), what));
        mistakes.into_result().unwrap_err()
    }

    #[test]
    fn what_is_wrong_on_many_lines_in_one_way_is_one_mistake() {
        let mistakes = of((1..=5000).rev().map(|line| (line, "wrong".to_owned())));
        assert_eq!((mistakes.reported_count(), mistakes.count()), (1, 5000));
        let lines: Vec<String> = (2..=20).map(|line| line.to_string()).collect();
        let lines = lines.join(", ");
        let text = format!("t.csv: lines 1, {lines} and 4980 more, column 'n': wrong");
        assert_eq!(mistakes.to_string(), text);
    }

    #[test]
    fn many_values_that_are_wrong_in_one_way_are_one_mistake_and_a_few_are_not() {
        let day = |line: usize| (line, format!("'{line}.1.2025' is not a date; allowed: 'YYYY'"));
        let mistakes = of((2..=45).map(day));
        assert_eq!(mistakes.reported_count(), 1);
        let text = mistakes.to_string();
        assert!(text.starts_with("t.csv: lines 2, 3, 4, "), "{text}");
        assert!(text.contains("21 and 24 more, column 'n': '2.1.2025' is not a date;"), "{text}");
        let mistakes = of((2..=4).map(day));
        assert_eq!(mistakes.reported_count(), 3);
        let text = mistakes.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "3 mistakes in t.csv");
        assert!(lines[3].starts_with("  line 4, column 'n': '4.1.2025' is not a date"), "{text}");
    }

    #[test]
    fn of_many_mistakes_the_first_lines_are_reported_and_all_are_counted() {
        let mistakes = of((1..=5000).rev().map(|line| (line, "a".repeat(line % 40 + 1))));
        assert_eq!(mistakes.reported_count(), 40);
        let text = mistakes.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "40 mistakes in t.csv");
        assert!(lines[1].starts_with("  lines 1, 41, 81, "), "{text}");
        assert_eq!((lines.len(), lines[21]), (22, "  and 20 more"));
        let mistakes = of((1..=5000).map(|line| (line, format!("{line} is wrong"))));
        assert_eq!((mistakes.reported_count(), mistakes.count()), (5000, 5000));
        assert!(mistakes.to_string().ends_with("  and 4980 more"));
    }
}
