//! Templates for passage texts, in which `{column}` is replaced by the row's cell in that column.

use super::header::column_index;

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub struct PassageTextTemplate(Vec<PassageTextPart>);

#[derive(Clone, Debug, PartialEq)]
enum PassageTextPart {
    Text(String),
    /// The index of a column.
    Cell(usize),
}

impl PassageTextTemplate {
    /// Parses a template; `{{` and `}}` give literal braces. The error names a column that `header` lacks, or a
    /// brace without a partner.
    pub fn new(source: &str, header: &[String]) -> Result<PassageTextTemplate, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            let after = &rest[at + 1..];
            if let Some(after) = after.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            let name = after.split_once('}').filter(|_| brace == "{");
            let Some((name, after)) = name else {
                return Err(format!(
                    "--text: '{brace}' has no counterpart; write {{column}} for a cell, {brace}{brace} for a brace"
                ));
            };
            parts.push(PassageTextPart::Text(std::mem::take(&mut text)));
            parts.push(PassageTextPart::Cell(column_index("--text", name.trim(), header)?));
            rest = after;
        }
        text.push_str(rest);
        parts.push(PassageTextPart::Text(text));
        Ok(PassageTextTemplate(parts))
    }

    /// The text for one row.
    pub fn render(&self, cells: &csv::StringRecord) -> String {
        let parts = self.0.iter().map(|part| match part {
            PassageTextPart::Text(text) => text.as_str(),
            PassageTextPart::Cell(column) => cells.get(*column).unwrap_or_default(),
        });
        parts.collect()
    }
}
