//! Checks that all sections share: names and their declarations, ranges of numbers, empty sections.

use std::collections::BTreeMap;
use std::ops::Range;

use super::diagnostics::Diagnostic;
use super::node::YamlNode;
use super::resolve::ScenarioResolver;
use super::spanned_de::Spanned;
use crate::expr::suggest;

/// The words that CEL reserves, which no name in an expression can be.
const RESERVED_WORDS: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

impl ScenarioResolver<'_> {
    /// Whether a mistake inside `span` was found already. If so, something that seems to be missing there may have been
    /// removed because it was wrong.
    pub fn has_mistake_in(&self, span: &Range<usize>) -> bool {
        self.mistakes.iter().any(|d| span.start <= d.span.start && d.span.start < span.end.max(1))
    }

    /// The keys of a section, including those whose entries were removed.
    pub fn section_keys(&self, section: &str) -> Vec<String> {
        let entries = self.tree.get(section).map_or(&[][..], YamlNode::entries);
        entries.iter().map(|(key, _)| key.name.clone()).collect()
    }

    /// The ids of the entries of a list, including entries that were removed.
    pub fn list_ids(&self, section: &str) -> Vec<String> {
        let items = self.tree.get(section).map_or(&[][..], YamlNode::items);
        items.iter().filter_map(|item| item.get("id")?.text().map(str::to_owned)).collect()
    }

    /// The index of a name in `known`. An unknown name is reported with the names that are declared.
    pub fn resolve_name(
        &mut self,
        kind: &str,
        code: &'static str,
        name: &Spanned<String>,
        known: &[String],
    ) -> Option<usize> {
        let index = known.iter().position(|k| *k == name.value);
        if index.is_none() {
            let label = match known {
                [] => format!("no {kind} is declared"),
                known => format!("declared: {}", known.join(", ")),
            };
            let help = suggest(&name.value, known.iter().map(String::as_str));
            let message = format!("there is no {kind} `{}`", name.value);
            self.mistakes
                .push(Diagnostic::new(code, name.span.clone(), message).label(label).help(help));
        }
        index
    }

    /// Reports names that occur twice in a list.
    pub fn check_distinct<'i>(
        &mut self,
        kind: &str,
        ids: impl Iterator<Item = &'i Spanned<String>>,
    ) {
        // The first of equal names is not wrong; each later one is reported with a note where the first is.
        let mut seen: BTreeMap<&str, Range<usize>> = BTreeMap::new();
        for id in ids {
            if let Some(first) = seen.get(id.value.as_str()) {
                let message = format!("two {kind}s are called `{}`", id.value);
                self.mistakes.push(
                    Diagnostic::new("duplicate-id", id.span.clone(), message)
                        .label("each needs a name of its own")
                        .also(first.clone(), "first here"),
                );
            } else {
                seen.insert(&id.value, id.span.clone());
            }
        }
    }

    /// Reports a name that expressions cannot use.
    pub fn check_identifier(&mut self, kind: &str, name: &Spanned<String>) {
        let text = name.value.as_str();
        let letters = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let reserved = RESERVED_WORDS.contains(&text)
            || (kind == "step" && ["task", "passage"].contains(&text));
        let (message, label) = if reserved {
            (format!("`{text}` is reserved in expressions"), "choose another name".to_owned())
        } else if !letters {
            (
                format!("expressions cannot use `{text}` as the name of a {kind}"),
                "allowed: letters, digits and `_`, not beginning with a digit".to_owned(),
            )
        } else {
            return;
        };
        self.mistakes.push(Diagnostic::new("bad-name", name.span.clone(), message).label(label));
    }

    /// Reports a number outside the range from `low` to `high`, both included.
    pub fn check_range(&mut self, what: &str, number: &Spanned<f64>, low: f64, high: f64) {
        if (low..=high).contains(&number.value) {
            return;
        }
        let allowed =
            if high.is_finite() { format!("{low} to {high}") } else { format!("{low} or more") };
        let message = format!("`{what}` cannot be {}", number.value);
        self.mistakes.push(
            Diagnostic::new("out-of-range", number.span.clone(), message)
                .label(format!("allowed: {allowed}")),
        );
    }

    /// Reports a count of 0.
    pub fn check_at_least_one(&mut self, what: &str, count: &Spanned<u32>) {
        if count.value == 0 {
            let message = format!("`{what}` cannot be 0");
            self.mistakes.push(
                Diagnostic::new("out-of-range", count.span.clone(), message)
                    .label("allowed: 1 or more"),
            );
        }
    }

    /// Reports a section that is present but empty.
    pub fn check_not_empty(&mut self, section: &str, kind: &str, empty: Option<bool>) {
        let Some(node) = self.tree.get(section) else {
            return;
        };
        // The section is also empty if all its entries were removed because they are wrong, which is reported already.
        if empty == Some(true) && node.entries().is_empty() && node.items().is_empty() {
            let span = node.head();
            self.mistakes.push(
                Diagnostic::new("empty-value", span, format!("`{section}` is empty"))
                    .label(format!("at least one {kind} is expected here")),
            );
        }
    }
}
