//! Finds names and the extents of their values in the text of a YAML file, which need not be valid.

use std::ops::Range;

/// The longest name with what is before it in its line, in bytes.
const MAX_NAME_BYTES: usize = 1 << 10;
/// The longest value in quotes or brackets whose end is searched, in bytes. A limit, since a wrong file may open a
/// bracket in every line and close none.
const MAX_SEARCHED_BYTES: usize = 8 << 10;

/// A name that a colon follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct YamlEntry {
    name: Range<usize>,
    /// The column of the name in bytes, from 0.
    column: usize,
    /// Whether it stands in brackets or after a comma, where a comma ends its value.
    is_in_flow: bool,
    pub after_colon: usize,
}

impl YamlEntry {
    pub fn name<'s>(&self, source: &'s str) -> &'s str {
        &source[self.name.clone()]
    }
}

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ValueExtent {
    pub range: Range<usize>,
    /// Whether it is a map or a list that has entries, rather than one text.
    pub has_entries: bool,
}

/// The first entry in a part of the text.
pub(super) fn next_entry(source: &str, part: Range<usize>) -> Option<YamlEntry> {
    for (at, _) in source[part.clone()].match_indices(':') {
        let colon = part.start + at;
        let window = source.floor_char_boundary(colon.saturating_sub(MAX_NAME_BYTES));
        let line = source[window..colon].rfind('\n').map_or(window, |at| window + at + 1);
        let before = source[line..colon].trim_end();
        let quote = before.chars().last().filter(|last| "\"'".contains(*last));
        let (start, end) = match quote {
            Some(quote) => {
                let inside = &before[..before.len() - 1];
                (inside.rfind(quote).map_or(0, |at| at + 1), inside.len())
            }
            None => {
                let is_part = |c: char| c.is_alphanumeric() || "_-.".contains(c);
                (before.trim_end_matches(is_part).len(), before.len())
            }
        };
        // `- ` of a list item may be part of the name.
        let name = before[start..end].trim_start_matches('-');
        if name.is_empty() {
            continue;
        }
        let start = end - name.len();
        let around = before[..start].trim_end_matches(['"', '\'']).trim_end();
        return Some(YamlEntry {
            name: line + start..line + end,
            column: start,
            is_in_flow: around.ends_with(['{', '[', ',']),
            after_colon: colon + 1,
        });
    }
    None
}

/// The extent of an entry's value, up to `end` at most.
pub(super) fn value_extent(source: &str, entry: &YamlEntry, end: usize) -> ValueExtent {
    let line_end =
        source[entry.after_colon..end].find('\n').map_or(end, |at| entry.after_colon + at);
    let mut line = &source[entry.after_colon..line_end];
    // Anchors and tags come before the value.
    line = line.trim_start();
    while line.starts_with(['&', '!']) {
        line = line.find(char::is_whitespace).map_or("", |at| line[at..].trim_start());
    }
    let start = line_end - line.len();
    let line = line.trim_end();
    match line.chars().next() {
        None | Some('#') if entry.is_in_flow => {
            ValueExtent { range: start..line_end, has_entries: false }
        }
        None | Some('#') => {
            let range = line_end..block_end(source, line_end, entry.column, end);
            let has_entries = next_entry(source, range.clone()).is_some();
            ValueExtent { range, has_entries }
        }
        Some('|' | '>') if !entry.is_in_flow => {
            let range = line_end..block_end(source, line_end, entry.column, end);
            ValueExtent { range, has_entries: false }
        }
        Some(open @ ('{' | '[' | '"' | '\'')) => {
            let searched = start..source.floor_char_boundary(end.min(start + MAX_SEARCHED_BYTES));
            let range = match closed_length(&source[searched]) {
                Some(length) => start..start + length,
                None => start..block_end(source, line_end, entry.column, end),
            };
            let has_entries = "{[".contains(open) && next_entry(source, range.clone()).is_some();
            ValueExtent { range, has_entries }
        }
        Some(_) if entry.is_in_flow => {
            let range = start..start + flow_text_length(line);
            ValueExtent { range, has_entries: false }
        }
        Some(_) => {
            let length = line.find(" #").unwrap_or(line.len());
            // The text may go on in the next lines.
            let goes_on = block_end(source, line_end, entry.column, end);
            let range = start..if goes_on > line_end { goes_on } else { start + length };
            ValueExtent { range, has_entries: false }
        }
    }
}

/// The end of the lines after `line_end` that are indented more than `column`, with list items at the same column.
fn block_end(source: &str, line_end: usize, column: usize, end: usize) -> usize {
    let mut block = line_end;
    let mut at = line_end;
    while at < end {
        let next = at + 1;
        let next_end = source[next..end].find('\n').map_or(end, |found| next + found);
        let line = &source[next..next_end];
        let text = line.trim_start();
        let indent = line.len() - text.len();
        let belongs = indent > column || (indent == column && text.starts_with('-'));
        if !text.is_empty() && !belongs {
            break;
        }
        if !text.is_empty() {
            block = next_end;
        }
        at = next_end;
    }
    block
}

/// The length of the value in quotes or brackets at the start of `text`, with them; `None` if it has no end.
fn closed_length(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0_usize;
    let mut chars = text.char_indices().peekable();
    let mut before = ' ';
    while let Some((at, c)) = chars.next() {
        match quote {
            Some('"') if c == '\\' => _ = chars.next(),
            Some('\'') if c == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                chars.next();
            }
            Some(open) if c == open => {
                quote = None;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            Some(_) => {}
            // An apostrophe within a word opens nothing.
            None if "\"'".contains(c) && !before.is_alphanumeric() => quote = Some(c),
            None if "{[".contains(c) => depth += 1,
            None if "}]".contains(c) => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            None => {}
        }
        before = c;
    }
    None
}

/// The length of an unquoted text in brackets: up to a comma with a blank after it, or a closing bracket.
fn flow_text_length(line: &str) -> usize {
    let ends = |(at, c): &(usize, char)| match c {
        ',' => line[at + 1..].chars().next().is_none_or(char::is_whitespace),
        _ => "}]".contains(*c),
    };
    line.char_indices().find(ends).map_or(line.len(), |(at, _)| at)
}
