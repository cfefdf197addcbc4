//! Mistakes, and how they are shown: code, place, snippet, what is allowed, the nearest right name.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::expr::{floor, within};

/// As many mistakes of a file are shown: nobody reads further, and each takes a look at the whole file.
const SHOWN: usize = 100;
/// Lines that are named of a mistake that shows in many places.
const LINES: usize = 20;

/// One mistake.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// A stable name for the kind of mistake, such as `unknown-key`.
    pub code: &'static str,
    /// What was found.
    pub message: String,
    /// Bytes of the file.
    pub span: Range<usize>,
    /// What is allowed, said beside the spot.
    pub label: String,
    /// Other spots that belong to it.
    pub also: Vec<(Range<usize>, String)>,
    /// Where the cause lies outside the file: what the reader of that file said.
    pub notes: Vec<String>,
    /// A way out, where there is an obvious one.
    pub help: Option<String>,
    /// Mistakes that it tells of: more than one where they are inside another file.
    pub count: usize,
}

impl Diagnostic {
    pub(crate) fn new(
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Diagnostic {
        let message = message.into();
        debug_assert!(super::explain(code).is_ok(), "docs/src/mistakes.md has no section `{code}`");
        Diagnostic {
            code,
            message,
            span,
            label: String::new(),
            also: Vec::new(),
            notes: Vec::new(),
            help: None,
            count: 1,
        }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    pub(crate) fn also(mut self, span: Range<usize>, label: impl Into<String>) -> Diagnostic {
        self.also.push((span, label.into()));
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(note.into());
        self
    }

    pub(crate) fn stands_for(mut self, count: usize) -> Diagnostic {
        self.count = count;
        self
    }

    pub(crate) fn help(mut self, help: Option<String>) -> Diagnostic {
        self.help = help;
        self
    }
}

/// Everything that is wrong with a file, in file order.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostics {
    /// The file as given to [`super::load`].
    pub path: String,
    /// The text of the file.
    pub source: String,
    /// The mistakes.
    pub list: Vec<Diagnostic>,
    /// The file itself could not be read: there is no source to show, only the reason.
    pub unreadable: Option<String>,
}

impl Diagnostics {
    /// Puts the mistakes in the order of the file. A name that is not there, used in many places, is one slip, such as a
    /// field that was renamed: it is reported where it shows first, with the lines of the other places.
    pub(super) fn settle(&mut self) {
        self.list.sort_by_key(|d| (d.span.start, d.span.end));
        self.list.dedup();
        let mut kept: Vec<Diagnostic> = Vec::new();
        let mut places: Vec<Vec<Range<usize>>> = Vec::new();
        let mut known: HashMap<(&'static str, String), usize> = HashMap::new();
        for diagnostic in std::mem::take(&mut self.list) {
            let key = (diagnostic.code, diagnostic.message.clone());
            match known.get(&key).filter(|_| diagnostic.code.starts_with("unknown-")) {
                Some(&at) => places[at].push(diagnostic.span),
                None => {
                    known.insert(key, kept.len());
                    kept.push(diagnostic);
                    places.push(Vec::new());
                }
            }
        }
        for (diagnostic, places) in kept.iter_mut().zip(places) {
            if !places.is_empty() {
                let lines = places.iter().take(LINES).map(|span| self.line(span).to_string());
                let lines: Vec<String> = lines.collect();
                let s = if places.len() == 1 { "" } else { "s" };
                let more = match places.len().saturating_sub(LINES) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let note = format!(
                    "the same in {} more place{s}: line{s} {}{more}",
                    places.len(),
                    lines.join(", ")
                );
                diagnostic.notes.push(note);
            }
        }
        self.list = kept;
    }

    fn line(&self, span: &Range<usize>) -> usize {
        self.source[..floor(&self.source, span.start)].matches('\n').count() + 1
    }

    /// How many mistakes there are, those inside other files included.
    pub fn count(&self) -> usize {
        self.list.iter().map(|diagnostic| diagnostic.count).sum()
    }

    /// The line and column, both from 1, the column in characters.
    pub fn position(&self, diagnostic: &Diagnostic) -> (usize, usize) {
        let start = floor(&self.source, diagnostic.span.start);
        let before = &self.source[..start];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// Where to read on: how one of the codes is looked up.
    pub fn hint(&self) -> String {
        let code = self.list.first().map_or("unreadable", |first| first.code);
        format!("To read more of one: knockon check --explain {code}")
    }

    /// All of them as text, with terminal colours or without.
    pub fn render(&self, colour: bool) -> String {
        if let Some(reason) = &self.unreadable {
            return format!("error[unreadable]: {reason}");
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let (shown, rest) = self.list.split_at(self.list.len().min(SHOWN));
        let mut shown: Vec<String> = shown.iter().map(|d| self.show(d, &renderer)).collect();
        if !rest.is_empty() {
            let more: usize = rest.iter().map(|diagnostic| diagnostic.count).sum();
            shown.push(format!("and {more} more mistakes; they are shown once these are gone"));
        }
        shown.join("\n\n")
    }

    fn show(&self, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
        let cut = |span: &Range<usize>| {
            let Range { start, end } = within(&self.source, span.clone());
            // A caret under the first line says where; the rest of a long value would only push it apart.
            let line = self.source[start..end].split('\n').next().unwrap_or("");
            start..start + line.trim_end().len()
        };
        // Byte by byte as long, so that every place stays where it is.
        let source = crate::remote::without_passwords(&self.source);
        let mut snippet = Snippet::source(source.as_str()).path(self.path.as_str()).annotation(
            AnnotationKind::Primary.span(cut(&diagnostic.span)).label(diagnostic.label.as_str()),
        );
        for (span, label) in &diagnostic.also {
            let annotation = AnnotationKind::Context.span(cut(span)).label(label.as_str());
            snippet = snippet.annotation(annotation);
        }
        let title = Level::ERROR.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
        let mut group: Group = title.element(snippet);
        for note in &diagnostic.notes {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
