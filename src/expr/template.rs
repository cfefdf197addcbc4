//! Templates: text with `{{ CEL }}` placeholders.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::check::Scope;
use super::eval::{Env, EvalError, Expr};
use super::length::{LONGEST_TEXT, Named};
use super::parse::{Fault, Parsed};

/// A template whose placeholders are type-checked.
#[derive(Clone, Debug)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Hole(Box<Expr>),
}

/// A template with valid syntax whose names and types are not checked yet.
#[derive(Debug)]
pub struct ParsedTemplate {
    source: String,
    /// For each placeholder: the text before it, its expression, and the expression's byte offset in the source.
    holes: Vec<(String, Parsed, usize)>,
    tail: String,
}

impl ParsedTemplate {
    pub fn new(source: &str) -> Result<ParsedTemplate, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut holes = Vec::new();
        let mut rest = 0;
        while let Some(open) = source[rest..].find("{{").map(|i| rest + i) {
            let start = open + 2;
            let Some(end) = source[start..].find("}}").map(|i| start + i) else {
                faults.push(Fault {
                    code: "template-syntax",
                    message: "`{{` is never closed".to_owned(),
                    label: "a `}}` is missing after this".to_owned(),
                    help: None,
                    span: open..start,
                });
                return Err(faults);
            };
            match Parsed::new(&source[start..end]) {
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
            Ok(ParsedTemplate { source: source.to_owned(), holes, tail })
        } else {
            Err(faults)
        }
    }

    /// Text that the author probably meant as a placeholder, such as `{task.name}`, `<task.name>` or `{notice}`, with
    /// what to write instead. `names` maps a usable name to its form in an expression.
    pub fn unfilled(&self, names: &dyn Fn(&str) -> Option<String>) -> Vec<(Range<usize>, String)> {
        let mut found = Vec::new();
        let mut start = 0;
        let ends =
            self.holes.iter().map(|(text, hole, at)| (text.as_str(), at + hole.source.len() + 2));
        for (text, next) in ends.chain([(self.tail.as_str(), 0)]) {
            let spots = unfilled(text, names).into_iter();
            found.extend(spots.map(|(span, write)| (start + span.start..start + span.end, write)));
            start = next;
        }
        found
    }

    /// See [`Parsed::names`]; over all placeholders.
    pub fn names(&self) -> BTreeSet<&str> {
        self.holes.iter().flat_map(|(_, hole, _)| hole.names()).collect()
    }

    /// See [`Parsed::check`]; over all placeholders.
    pub fn check(self, scope: &Scope) -> Result<Template, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut parts = Vec::new();
        for (text, hole, start) in self.holes {
            parts.push(Part::Text(text));
            match hole.check(scope) {
                Ok(expr) => parts.push(Part::Hole(Box::new(expr))),
                Err(found) => faults.extend(found.into_iter().map(|mut fault| {
                    fault.span = start + fault.span.start..start + fault.span.end;
                    fault
                })),
            }
        }
        parts.push(Part::Text(self.tail));
        if faults.is_empty() { Ok(Template { source: self.source, parts }) } else { Err(faults) }
    }
}

/// A name in single braces, or a task field in other brackets or none.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[$#%]?\{\s*(?P<braced>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)\s*\}|[<\[(%$]?\b(?P<bare>task\.[A-Za-z_]\w*)\b[>\])%]?")
        .expect("the pattern is right")
});

/// Spans in a text that name a value without template braces, with what to write instead. `names` maps a usable name to
/// its form in an expression.
pub fn unfilled(text: &str, names: &dyn Fn(&str) -> Option<String>) -> Vec<(Range<usize>, String)> {
    let spots = NAME.captures_iter(text).filter_map(|found| {
        let name = found.name("braced").or(found.name("bare"))?.as_str();
        Some((found.get(0)?.range(), format!("{{{{ {} }}}}", names(name)?)))
    });
    spots.collect()
}

impl Template {
    /// The source text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Renders the text; null renders as nothing.
    pub fn render(&self, env: &Env) -> Result<String, EvalError> {
        let mut text = String::new();
        for part in &self.parts {
            if text.len() > LONGEST_TEXT {
                let reason = format!("it makes a text of more than {LONGEST_TEXT} bytes");
                return Err(EvalError { expression: self.source.clone(), reason });
            }
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Hole(expr) => {
                    if let Some(value) = expr.eval(env)? {
                        text.push_str(&value.to_string());
                    }
                }
            }
        }
        Ok(text)
    }

    /// Upper bound in bytes for the rendered text and all intermediate texts; see [`Expr::text_lengths`].
    pub fn longest_text(&self, length: &dyn Fn(Named) -> usize) -> usize {
        let (mut whole, mut longest) = (0_usize, 0);
        for part in &self.parts {
            let (value, within) = match part {
                Part::Text(text) => (text.len(), 0),
                Part::Hole(expr) => expr.text_lengths(length),
            };
            whole = whole.saturating_add(value);
            longest = within.max(longest);
        }
        whole.max(longest)
    }

    /// The indices of the steps that it names, ascending.
    pub fn steps(&self) -> impl Iterator<Item = usize> {
        let holes = self.parts.iter().filter_map(|part| match part {
            Part::Hole(expr) => Some(expr),
            Part::Text(_) => None,
        });
        let steps: BTreeSet<usize> = holes.flat_map(|expr| expr.steps()).collect();
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
            let found = ParsedTemplate::new(text).unwrap().unfilled(&names);
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
