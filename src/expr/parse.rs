//! Parses source text into a CEL syntax tree, and locates each node in the text.

use std::collections::BTreeSet;
use std::ops::Range;

use cel::IdedExpr;
use cel::common::ast::{Expr as Node, SourceInfo};

use super::foreign_syntax::{ForeignSyntax, find_foreign_syntax};
use super::suggestions::clip_span;

/// Longer sources are rejected: the parser and later passes recurse, and a deep tree could overflow the stack.
const MAX_BYTES: usize = 2000;

/// An error in an expression or a template.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpressionFault {
    pub code: &'static str,
    pub message: String,
    /// What is allowed, shown at the location.
    pub label: String,
    /// A suggested correction, if there is an obvious one.
    pub help: Option<String>,
    /// Byte range in the source.
    pub span: Range<usize>,
}

/// An expression with valid syntax whose names and types are not checked yet.
#[derive(Debug)]
pub struct ParsedExpression {
    pub(super) source: String,
    pub(super) tree: IdedExpr,
    offsets: SourceInfo,
}

impl ParsedExpression {
    pub fn new(source: &str) -> Result<ParsedExpression, ExpressionFault> {
        if source.trim().is_empty() {
            let message = "the expression is empty".to_owned();
            return Err(syntax_fault(message, "an expression goes here", 0..source.len()));
        }
        let inside = source.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        if let Some(inside) = inside.filter(|inside| !inside.contains("{{")) {
            return Err(ExpressionFault {
                code: "no-template",
                message: "an expression stands without `{{ }}`".to_owned(),
                label: "`{{ }}` marks the expressions in a query".to_owned(),
                help: Some(format!("write `{}`", inside.trim())),
                span: 0..source.len(),
            });
        }
        if source.len() > MAX_BYTES {
            let message = format!("the expression is {} bytes long", source.len());
            let label = format!("at most {MAX_BYTES} are allowed; split it into several steps");
            return Err(syntax_fault(message, &label, 0..source.len()));
        }
        match super::functions::ENV.compile(source) {
            Ok(program) => Ok(ParsedExpression {
                source: source.to_owned(),
                tree: program.expression().clone(),
                offsets: SourceInfo::default(),
            }
            .with_offsets(&program)),
            Err(errors) => {
                let Some(first) = errors.errors.first() else {
                    let message = "the expression cannot be read".to_owned();
                    return Err(syntax_fault(message, "not CEL", 0..source.len()));
                };
                if let Some(ForeignSyntax { span, replacement: write }) =
                    find_foreign_syntax(source)
                {
                    let message = format!("`{}` cannot be read", &source[span.clone()]);
                    let label = "this is another language's; expressions are CEL";
                    let help = Some(format!("write `{write}`"));
                    return Err(ExpressionFault { help, ..syntax_fault(message, label, span) });
                }
                let (message, label) = simplify_message(&first.msg);
                Err(syntax_fault(message, label, word_at(source, first.pos)))
            }
        }
    }

    fn with_offsets(mut self, program: &cel::Program) -> ParsedExpression {
        let mut pending = vec![&self.tree];
        let mut offsets = SourceInfo::default();
        while let Some(node) = pending.pop() {
            if let Some((start, stop)) = program.source_info().offset_for(node.id) {
                offsets.add_offset(node.id, start, stop);
            }
            children(node, &mut |child| pending.push(child));
        }
        self.offsets = offsets;
        self
    }

    /// The names that occur alone or before a dot: step ids, `task`, `passage`.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        let mut pending = vec![&self.tree];
        while let Some(node) = pending.pop() {
            if let Node::Ident(name) = &node.expr {
                names.insert(name.as_str());
            }
            children(node, &mut |child| pending.push(child));
        }
        names
    }

    /// The byte range from a node's first token to its last.
    pub(super) fn span(&self, node: &IdedExpr) -> Range<usize> {
        let mut span: Option<Range<usize>> = None;
        let mut pending = vec![node];
        while let Some(node) = pending.pop() {
            if let Some(token) = self.token(node) {
                // The token of a call is its opening bracket; the name directly precedes it.
                let start = match &node.expr {
                    Node::Call(call) if self.source[token.start..].starts_with('(') => {
                        token.start.saturating_sub(call.func_name.len())
                    }
                    Node::Select(select) if select.test => token.start.saturating_sub("has".len()),
                    _ => token.start,
                };
                let end = match &node.expr {
                    Node::Select(select) if !select.test => token.end + select.field.len(),
                    Node::Select(_) => {
                        self.source[token.end..].find(')').map_or(token.end, |i| token.end + i + 1)
                    }
                    _ => token.end,
                };
                span = Some(match span {
                    None => start..end,
                    Some(span) => span.start.min(start)..span.end.max(end),
                });
            }
            children(node, &mut |child| pending.push(child));
        }
        let span = span.unwrap_or(0..self.source.len());
        clip_span(&self.source, self.include_closing_bracket(node, span))
    }

    /// Extends `span` by the closing bracket of a call or a list, which belongs to no node.
    fn include_closing_bracket(&self, node: &IdedExpr, span: Range<usize>) -> Range<usize> {
        let closer = match &node.expr {
            Node::Call(_)
                if self.token(node).is_some_and(|t| self.source[t.start..].starts_with('(')) =>
            {
                ')'
            }
            Node::List(_) => ']',
            _ => return span,
        };
        match self.source.get(span.end..).map(str::trim_start) {
            Some(rest) if rest.starts_with(closer) => {
                span.start..self.source.len() - rest.len() + closer.len_utf8()
            }
            _ => span,
        }
    }

    /// The byte range of the node's own token.
    fn token(&self, node: &IdedExpr) -> Option<Range<usize>> {
        let (start, stop) = self.offsets.offset_for(node.id)?;
        Some(clip_span(&self.source, start as usize..stop as usize + 1))
    }
}

fn syntax_fault(message: String, label: &str, span: Range<usize>) -> ExpressionFault {
    ExpressionFault {
        code: "expression-syntax",
        message,
        label: label.to_owned(),
        help: None,
        span,
    }
}

/// Calls `visit` with each direct child of `node`.
pub(super) fn children<'a>(node: &'a IdedExpr, visit: &mut dyn FnMut(&'a IdedExpr)) {
    use cel::common::ast::EntryExpr;
    let mut entries = |entries: &'a [cel::common::ast::IdedEntryExpr]| {
        for entry in entries {
            match &entry.expr {
                EntryExpr::StructField(field) => visit(&field.value),
                EntryExpr::MapEntry(entry) => {
                    visit(&entry.key);
                    visit(&entry.value);
                }
            }
        }
    };
    match &node.expr {
        Node::Unspecified | Node::Ident(_) | Node::Literal(_) => {}
        Node::Map(map) => entries(&map.entries),
        Node::Struct(shape) => entries(&shape.entries),
        Node::Call(call) => call.target.as_deref().into_iter().chain(&call.args).for_each(visit),
        Node::Select(select) => visit(&select.operand),
        Node::List(list) => list.elements.iter().for_each(visit),
        Node::Comprehension(c) => {
            [&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result]
                .into_iter()
                .for_each(visit);
        }
    }
}

/// The word at a line and column (both counted from 1), or the end of the text.
fn word_at(source: &str, (line, column): (isize, isize)) -> Range<usize> {
    let before: usize =
        source.split_inclusive('\n').take((line - 1).max(0) as usize).map(str::len).sum();
    let rest = &source[before..];
    let start = before
        + rest.char_indices().nth((column - 1).max(0) as usize).map_or(rest.len(), |(i, _)| i);
    let word = source[start..].chars().take_while(|c| c.is_alphanumeric() || *c == '_');
    let len: usize = word.map(char::len_utf8).sum();
    let len = len.max(source[start..].chars().next().map_or(0, char::len_utf8));
    start..start + len
}

/// The parser's message without its list of token names.
fn simplify_message(message: &str) -> (String, &'static str) {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let quoted = message.split('\'').nth(1).unwrap_or_default();
    if let Some(rest) = message.strip_prefix("missing '") {
        let token = rest.split('\'').next().unwrap_or_default();
        return (format!("a `{token}` is missing"), "it belongs here");
    }
    // The parser's error for too many levels is its inner error in debug form.
    if message.contains("Recursion limit") {
        return (
            "the expression is nested too deeply".to_owned(),
            "split it into several steps, or take out brackets",
        );
    }
    if message.contains("'<EOF>' expecting") {
        return ("the expression stops too early".to_owned(), "something is missing here");
    }
    if let Some(token) = message.strip_prefix("token recognition error at: ") {
        let token = token.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')).unwrap_or(token);
        let label = if token.starts_with(['\'', '"']) {
            "this quote is never closed"
        } else if token == "=" {
            "two things are compared with `==`"
        } else {
            "not part of an expression"
        };
        return (format!("`{token}` cannot be read"), label);
    }
    if message.starts_with("extraneous input") || message.starts_with("mismatched input") {
        return (
            format!("unexpected `{quoted}`"),
            "an operator or the end was expected before this",
        );
    }
    if message.starts_with("no viable alternative") {
        return (format!("unexpected `{quoted}`"), "the expression makes no sense from here on");
    }
    let short = message.split(" expecting {").next().unwrap_or(message);
    (format!("the expression cannot be read: {short}"), "here")
}
