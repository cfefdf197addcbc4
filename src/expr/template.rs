//! Templates: text with `{{ CEL }}` placeholders.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::eval::{EvalEnvironment, EvalError};
use super::expression::Expression;
use super::parse::{ExpressionFault, ParsedExpression};
use super::scope::ExpressionScope;
use super::text_lengths::{LONGEST_TEXT, NamedText};

/// A template whose placeholders are type-checked.
#[derive(Clone, Debug)]
pub struct QueryTemplate {
    source: String,
    parts: Vec<TemplatePart>,
}

#[derive(Clone, Debug)]
enum TemplatePart {
    Text(String),
    Placeholder(Box<Expression>),
}

/// A template with valid syntax whose names and types are not checked yet.
#[derive(Debug)]
pub struct ParsedTemplate {
    source: String,
    /// For each placeholder: the text before it, its expression, and the expression's byte offset in the source.
    placeholders: Vec<(String, ParsedExpression, usize)>,
    tail: String,
}

impl ParsedTemplate {
    pub fn new(source: &str) -> Result<ParsedTemplate, Vec<ExpressionFault>> {
        let mut faults = Vec::new();
        let mut holes = Vec::new();
        let mut rest = 0;
        while let Some(open) = source[rest..].find("{{").map(|i| rest + i) {
            let start = open + 2;
            let Some(end) = source[start..].find("}}").map(|i| start + i) else {
                faults.push(ExpressionFault {
                    code: "template-syntax",
                    message: "`{{` is never closed".to_owned(),
                    label: "a `}}` is missing after this".to_owned(),
                    help: None,
                    span: open..start,
                });
                return Err(faults);
            };
            match ParsedExpression::new(&source[start..end]) {
                Ok(parsed) => holes.push((source[rest..open].to_owned(), parsed, start)),
                Err(mut fault) => {
                    fault.span = start + fault.span.start..start + fault.span.end;
                    faults.push(fault);
                }
            }
            rest = end + 2;
        }
        let tail = source[rest..].to_owned();
        if faults.is_empty() {
            Ok(ParsedTemplate { source: source.to_owned(), placeholders: holes, tail })
        } else {
            Err(faults)
        }
    }

    /// Text that the author probably meant as a placeholder, such as `{task.name}`, `<task.name>` or `{notice}`, with
    /// what to write instead. `names` maps a usable name to its form in an expression.
    pub fn unbraced_names(
        &self,
        names: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<(Range<usize>, String)> {
        let mut found = Vec::new();
        let mut start = 0;
        let ends = self
            .placeholders
            .iter()
            .map(|(text, hole, at)| (text.as_str(), at + hole.source.len() + 2));
        for (text, next) in ends.chain([(self.tail.as_str(), 0)]) {
            let spots = unbraced_names(text, names).into_iter();
            found.extend(spots.map(|(span, write)| (start + span.start..start + span.end, write)));
            start = next;
        }
        found
    }

    /// See [`ParsedExpression::names`]; over all placeholders.
    pub fn names(&self) -> BTreeSet<&str> {
        self.placeholders.iter().flat_map(|(_, hole, _)| hole.names()).collect()
    }

    /// See [`ParsedExpression::check`]; over all placeholders.
    pub fn check(self, scope: &ExpressionScope) -> Result<QueryTemplate, Vec<ExpressionFault>> {
        let mut faults = Vec::new();
        let mut parts = Vec::new();
        for (text, hole, start) in self.placeholders {
            parts.push(TemplatePart::Text(text));
            match hole.check(scope) {
                Ok(expr) => parts.push(TemplatePart::Placeholder(Box::new(expr))),
                Err(found) => faults.extend(found.into_iter().map(|mut fault| {
                    fault.span = start + fault.span.start..start + fault.span.end;
                    fault
                })),
            }
        }
        parts.push(TemplatePart::Text(self.tail));
        if faults.is_empty() {
            Ok(QueryTemplate { source: self.source, parts })
        } else {
            Err(faults)
        }
    }
}

/// A name in single braces, or a task field in other brackets or none.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[$#%]?\{\s*(?P<braced>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)\s*\}|[<\[(%$]?\b(?P<bare>task\.[A-Za-z_]\w*)\b[>\])%]?")
        .expect("the pattern is right")
});

/// Spans in a text that name a value without template braces, with what to write instead. `names` maps a usable name to
/// its form in an expression.
pub fn unbraced_names(
    text: &str,
    names: &dyn Fn(&str) -> Option<String>,
) -> Vec<(Range<usize>, String)> {
    let spots = NAME.captures_iter(text).filter_map(|found| {
        let name = found.name("braced").or(found.name("bare"))?.as_str();
        Some((found.get(0)?.range(), format!("{{{{ {} }}}}", names(name)?)))
    });
    spots.collect()
}

impl QueryTemplate {
    /// The source text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Renders the text; null renders as nothing.
    pub fn render(&self, env: &EvalEnvironment) -> Result<String, EvalError> {
        let mut text = String::new();
        for part in &self.parts {
            if text.len() > LONGEST_TEXT {
                let reason = format!("it makes a text of more than {LONGEST_TEXT} bytes");
                return Err(EvalError { expression: self.source.clone(), reason });
            }
            match part {
                TemplatePart::Text(part) => text.push_str(part),
                TemplatePart::Placeholder(expr) => {
                    if let Some(value) = expr.eval(env)? {
                        text.push_str(&value.to_string());
                    }
                }
            }
        }
        Ok(text)
    }

    /// Upper bound in bytes for the rendered text and all intermediate texts; see [`Expr::text_lengths`].
    pub fn longest_text(&self, length: &dyn Fn(NamedText) -> usize) -> usize {
        let (mut whole, mut longest) = (0_usize, 0);
        for part in &self.parts {
            let (value, within) = match part {
                TemplatePart::Text(text) => (text.len(), 0),
                TemplatePart::Placeholder(expr) => expr.text_lengths(length),
            };
            whole = whole.saturating_add(value);
            longest = within.max(longest);
        }
        whole.max(longest)
    }

    /// The indices of the steps that it names, ascending.
    pub fn step_indices(&self) -> impl Iterator<Item = usize> {
        let holes = self.parts.iter().filter_map(|part| match part {
            TemplatePart::Placeholder(expr) => Some(expr),
            TemplatePart::Text(_) => None,
        });
        let steps: BTreeSet<usize> = holes.flat_map(|expr| expr.step_indices()).collect();
        steps.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_of_holes_are_found() {
        let names = |name: &str| match name {
            "task.name" | "notice" => Some(name.to_owned()),
            "name" => Some("task.name".to_owned()),
            _ => None,
        };
        let spots = |text: &str| -> Vec<(String, String)> {
            let found = ParsedTemplate::new(text).unwrap().unbraced_names(&names);
            found.into_iter().map(|(span, write)| (text[span].to_owned(), write)).collect()
        };
        for (text, spot, write) in [
            ("of {task.name}?", "{task.name}", "{{ task.name }}"),
            ("of {{ task.name }} and ${notice}", "${notice}", "{{ notice }}"),
            ("of { name } {{ notice }}", "{ name }", "{{ task.name }}"),
            ("of <task.name>", "<task.name>", "{{ task.name }}"),
            ("of task.name, please", "task.name", "{{ task.name }}"),
            ("{{ notice }}{{ notice }} [task.name]", "[task.name]", "{{ task.name }}"),
        ] {
            assert_eq!(spots(text), [(spot.to_owned(), write.to_owned())], "{text}");
        }
        for text in
            ["of {{ task.name }}", "the {set} of names", "multitask.name", "task.other", "name"]
        {
            assert_eq!(spots(text), [], "{text}");
        }
    }
}
