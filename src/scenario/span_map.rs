//! Maps spans inside a YAML text value to spans in the file.

use std::ops::Range;

/// The span in `file` of the bytes `part` of `value`, where `value` was read from the span `whole`.
///
/// YAML removes quotes and indentation and folds lines, but keeps the order of all other characters: the n-th
/// non-blank character is the same on both sides. Where escapes inside quotes break this rule, the result is `whole`.
pub(super) fn file_span(
    file: &str,
    whole: &Range<usize>,
    value: &str,
    part: &Range<usize>,
) -> Range<usize> {
    let Some(raw) = file.get(whole.clone()) else {
        return whole.clone();
    };
    let quoted = raw.starts_with(['"', '\'']) && raw.len() >= 2;
    let (content, offset) = if quoted { (&raw[1..raw.len() - 1], 1) } else { (raw, 0) };
    let dense = |text: &str| {
        let kept = text.char_indices().filter(|(_, c)| !c.is_whitespace());
        kept.collect::<Vec<(usize, char)>>()
    };
    let (inside, outside) = (dense(value), dense(content));
    // A block scalar starts with `|` or `>` and perhaps a comment, so the texts are aligned at their ends.
    let Some(skip) = outside.len().checked_sub(inside.len()) else {
        return whole.clone();
    };
    if (quoted && skip > 0) || !inside.iter().zip(&outside[skip..]).all(|((_, a), (_, b))| a == b) {
        return whole.clone();
    }
    let before = inside.iter().take_while(|(i, _)| *i < part.start).count();
    let upto = inside.iter().take_while(|(i, _)| *i < part.end).count();
    let at = |n: usize| outside.get(skip + n).map(|(i, _)| whole.start + offset + i);
    let end_of_content = whole.start + offset + content.trim_end().len();
    let start = at(before).unwrap_or(end_of_content);
    let end = match upto.checked_sub(1).and_then(|last| outside.get(skip + last)) {
        Some((i, c)) if upto > before => whole.start + offset + i + c.len_utf8(),
        _ => start,
    };
    start..end
}

#[cfg(test)]
mod tests {
    use super::file_span;

    #[test]
    fn folded_and_quoted_values_are_traced_back() {
        let file = "a: >-\n  x == 1\n  && yy > 2\nb: \"p + q\"";
        let value = "x == 1 && yy > 2";
        let part = value.find("yy").unwrap();
        let found = file_span(file, &(3..27), value, &(part..part + 2));
        assert_eq!(&file[found], "yy");
        let start = file.find('"').unwrap();
        assert_eq!(&file[file_span(file, &(start..file.len()), "p + q", &(4..5))], "q");
        // With an escape inside quotes the whole value is the result.
        let file = r#"c: "p\tq""#;
        assert_eq!(file_span(file, &(3..9), "p\tq", &(2..3)), 3..9);
    }
}
