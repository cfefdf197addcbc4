//! Text with `{{ CEL }}` parts.

use std::collections::BTreeSet;

use super::check::Scope;
use super::eval::{Env, EvalError, Expr};
use super::length::{LONGEST_TEXT, Named};
use super::parse::{Fault, Parsed};

/// A text with holes, type-checked once.
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

/// A template whose holes are CEL, but whose names and types nobody has looked at yet.
#[derive(Debug)]
pub struct ParsedTemplate {
    source: String,
    /// Text before the hole, the hole, and where the hole's expression starts in the source.
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

    /// As [`Parsed::names`], over all holes.
    pub fn names(&self) -> BTreeSet<&str> {
        self.holes.iter().flat_map(|(_, hole, _)| hole.names()).collect()
    }

    /// As [`Parsed::check`], over all holes.
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

impl Template {
    /// As written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text; null renders as nothing.
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

    /// At most how many bytes the text has, or a text on the way to it; see [`Expr::text_lengths`].
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

    /// The steps it names, ascending.
    pub fn steps(&self) -> impl Iterator<Item = usize> {
        let holes = self.parts.iter().filter_map(|part| match part {
            Part::Hole(expr) => Some(expr),
            Part::Text(_) => None,
        });
        let steps: BTreeSet<usize> = holes.flat_map(|expr| expr.steps()).collect();
        steps.into_iter()
    }
}
