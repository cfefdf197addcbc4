//! Reads plain texts from a file: its lines, a field of its JSON Lines, or a column of its table.

use std::path::Path;

use serde_json::Value as Json;

use super::csv_table::{self, CsvLayout, CsvTable};
use super::data_lines::{DataLines, STDIN};
use super::json_line;
use super::json_object;
use super::mistakes::FileMistakes;
use crate::progress::ProgressListener;

/// Reads the texts in order: the field `column` of each object of a `.jsonl` file, that column of a `.csv` or `.tsv`
/// file, or each line of any other file. Blank lines and empty texts are skipped. The error lists every mistake of
/// the file.
pub fn read(
    path: &Path,
    column: &str,
    progress: &dyn ProgressListener,
) -> anyhow::Result<Vec<String>> {
    let texts = match csv_table::is_table(path) {
        true => read_column(path, column, progress)?,
        false => {
            let mut mistakes = FileMistakes::for_json_lines(path);
            let field = json_line::is_jsonl_file(path).then_some(column);
            let texts = read_lines(DataLines::open(path, progress)?, field, false, &mut mistakes)?;
            mistakes.into_result()?;
            texts
        }
    };
    let texts = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    let texts: Vec<String> = texts.map(str::to_owned).collect();
    anyhow::ensure!(!texts.is_empty(), "{}: there is no text in the file", path.display());
    Ok(texts)
}

/// Reads one text per line, or the field `text` of each object of a `.jsonl` file; there are as many texts as lines.
///
/// # Errors
/// All mistakes of the file at once. A line without a text is a mistake, because results that are computed from the
/// texts could not be matched to lines.
pub fn read_each_line(path: &Path, progress: &dyn ProgressListener) -> anyhow::Result<Vec<String>> {
    let field = json_line::is_jsonl_file(path).then_some("text");
    read_every_line(DataLines::open(path, progress)?, field, path)
}

/// Like [`read_each_line`], for lines of plain text from standard input.
///
/// # Errors
/// As for [`read_each_line`].
pub fn read_each_stdin_line(stdin: Vec<u8>) -> anyhow::Result<Vec<String>> {
    read_every_line(DataLines::from_stdin(stdin)?, None, Path::new(STDIN))
}

fn read_every_line(
    lines: DataLines,
    field: Option<&str>,
    path: &Path,
) -> anyhow::Result<Vec<String>> {
    let mut mistakes = FileMistakes::for_json_lines(path);
    let texts = read_lines(lines, field, true, &mut mistakes)?;
    mistakes.into_result()?;
    anyhow::ensure!(!texts.is_empty(), "{}: there is no text", path.display());
    Ok(texts)
}

fn read_column(
    path: &Path,
    column: &str,
    progress: &dyn ProgressListener,
) -> anyhow::Result<Vec<String>> {
    let mut mistakes = FileMistakes::new(path);
    let grid = CsvTable::read(path, CsvLayout::default(), progress, &mut mistakes)?;
    let place = grid.find_columns(&[column], |_| false, &mut mistakes);
    mistakes.into_result()?;
    let place = place.and_then(|places| Some(places.first()?.1)).unwrap_or(0);
    Ok(grid.rows.iter().map(|row| row.cells[place].to_owned()).collect())
}

/// Reads texts from lines, or from `field` of their objects. If `each` is set, a line without a text is a mistake.
fn read_lines(
    mut lines: DataLines,
    field: Option<&str>,
    each: bool,
    mistakes: &mut FileMistakes,
) -> anyhow::Result<Vec<String>> {
    let mut texts = Vec::new();
    while let Some((number, line)) = lines.next_including_blank(mistakes)? {
        if line.trim().is_empty() {
            if each {
                let what = "the line is blank; each line is a text, so remove it or fill it in";
                mistakes.add(Some(number), None, what);
            }
            continue;
        }
        let Some(field) = field else {
            texts.push(line.to_owned());
            continue;
        };
        match json_object::parse(line) {
            Err(error) => {
                let such_as = format!("{{\"{field}\": \"...\"}}");
                let what = json_line::invalid_object_message("text", &such_as, line, &error);
                mistakes.add(Some(number), None, what);
            }
            Ok(object) => match object.get(field) {
                Some(Json::String(text)) if each && text.trim().is_empty() => {
                    mistakes.add(Some(number), Some(field), "the text is empty");
                }
                Some(Json::String(text)) => texts.push(text.clone()),
                Some(other) => {
                    let what =
                        format!("{} is not a text", json_line::quoted_excerpt(&other.to_string()));
                    mistakes.add(Some(number), Some(field), what);
                }
                None => {
                    let what = "there is no such field in this object";
                    mistakes.add(Some(number), Some(field), what);
                }
            },
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoProgress;

    #[test]
    fn each_line_is_a_text_or_a_mistake() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            read_each_line(&path, &NoProgress).map_err(|error| format!("{error:#}"))
        };
        for bytes in [
            &b"acme\nlease\n"[..],
            b"acme\r\nlease",
            b"acme\rlease\r",
            b"\xEF\xBB\xBFacme\nlease\n",
            b"\xFF\xFEa\0c\0m\0e\0\r\0\n\0l\0e\0a\0s\0e\0",
        ] {
            assert_eq!(read("t.txt", bytes).unwrap(), ["acme", "lease"]);
            assert_eq!(read_each_stdin_line(bytes.to_vec()).unwrap(), ["acme", "lease"]);
        }
        assert_eq!(read("t.txt", b"  acme \n").unwrap(), ["  acme "]);
        for (bytes, lines) in [
            (&b"acme\n\nlease\n   \nnotice\n"[..], &[2, 4][..]),
            (b"\nacme", &[1]),
            (b"acme\n\n", &[2]),
            (b"acme\r\rlease\r", &[2]),
            (b"acme\n\t\xC2\xA0\n", &[2]),
            (b"\r\n\r\n", &[1, 2]),
        ] {
            let error = read("t.txt", bytes).unwrap_err();
            let place = match lines {
                [line] => format!("line {line}"),
                lines => format!(
                    "lines {}",
                    lines.iter().map(i32::to_string).collect::<Vec<_>>().join(", ")
                ),
            };
            assert!(error.contains(&format!("{place}: the line is blank")), "{error}");
        }
        assert_eq!(read("t.JSONL", b"\xEF\xBB\xBF{\"text\": \"acme\"}\n").unwrap(), ["acme"]);
        for (line, expected) in [
            ("{\"text\": \" \"}", "line 1, field 'text': the text is empty"),
            ("{\"text\": null}", "line 1, field 'text': 'null' is not a text"),
            ("{\"text\": \"a\", \"text\": \"b\"}", "line 1: the key 'text' occurs twice"),
            ("{\"txt\": \"a\"}", "line 1, field 'text': there is no such field"),
            ("{\"text\": \"a\"}\n\n", "line 2: the line is blank"),
            ("", "there is no text"),
        ] {
            let error = read("t.jsonl", line.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
