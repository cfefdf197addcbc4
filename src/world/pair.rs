//! Reads pairs of a query and a passage that answers it, from JSON Lines or from triplets without a negative.

use std::path::Path;

use serde_json::Value as Json;

use super::data_lines::DataLines;
use super::json_line;
use super::json_object;
use super::mistakes::FileMistakes;
use super::triplet::{self, TextTriplet};
use crate::progress::ProgressListener;

const QUERY: &str = "query";
const PASSAGE: &str = "passage";
const SOURCE: &str = "source";

/// Reads a file of pairs. A `.jsonl` file has an object per line with `query`, `passage` and optionally `source`;
/// any other file is read as a CSV file of triplets. The error lists every mistake of the file.
pub fn read(path: &Path, progress: &dyn ProgressListener) -> anyhow::Result<Vec<TextTriplet>> {
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jsonl")) {
        return triplet::read(path, progress);
    }
    let mut mistakes = FileMistakes::for_json_lines(path);
    let mut pairs = Vec::new();
    let mut lines = DataLines::open(path, progress)?;
    while let Some((number, line)) = lines.next(&mut mistakes)? {
        let object = match json_object::parse(line) {
            Ok(object) => object,
            Err(error) => {
                let such_as = r#"{"query": "...", "passage": "..."}"#;
                let what = json_line::invalid_object_message("pair", such_as, line, &error);
                mistakes.add(Some(number), None, what);
                if pairs.is_empty() && !json_line::looks_like_object(line) {
                    // The file is of another kind: every line would be reported as a mistake.
                    break;
                }
                continue;
            }
        };
        let mut text = |field: &str| match object.get(field) {
            Some(Json::String(text)) if !text.trim().is_empty() => text.trim().to_owned(),
            found => {
                let what = match found {
                    None => "it is required for a pair, but missing".to_owned(),
                    Some(Json::String(_)) => "the text is empty".to_owned(),
                    Some(other) => {
                        format!("{} is not a text", json_line::quoted_excerpt(&other.to_string()))
                    }
                };
                mistakes.add(Some(number), Some(field), what);
                String::new()
            }
        };
        pairs.push(TextTriplet {
            anchor: text(QUERY),
            positive: text(PASSAGE),
            negative: None,
            category: object.get(SOURCE).and_then(Json::as_str).unwrap_or_default().to_owned(),
        });
    }
    mistakes.into_result()?;
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoProgress;

    #[test]
    fn pairs_are_read_and_all_mistakes_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pairs.jsonl");
        std::fs::write(&path, "{\"query\": \"q\", \"passage\": \"p\", \"source\": \"s\"}\n")
            .unwrap();
        let pairs = read(&path, &NoProgress).unwrap();
        assert_eq!((pairs[0].anchor.as_str(), pairs[0].positive.as_str()), ("q", "p"));
        assert_eq!((pairs[0].negative.as_deref(), pairs[0].category.as_str()), (None, "s"));

        std::fs::write(&path, "{\"query\": 1}\n{\"query\": \"q\", \"passage\": \" \"}\n").unwrap();
        let message = read(&path, &NoProgress).unwrap_err().to_string();
        for what in
            ["3 mistakes", "line 1, field 'query': '1' is not a text", "line 2, field 'passage'"]
        {
            assert!(message.contains(what), "{message}");
        }
    }
}
