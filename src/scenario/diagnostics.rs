//! Diagnostics: mistakes in a scenario file and how they are rendered, with code, position, snippet, allowed values and
//! the nearest correct name.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::masked_source::masked;
use crate::expr::{clip_span, floor_char_boundary};
use crate::visible_text::visible;

/// Mistakes of a file that are rendered. Rendering one scans the whole file, and nobody reads further.
const MAX_RENDERED: usize = 100;
/// Lines that are listed for a mistake that occurs in many places.
const MAX_LISTED_LINES: usize = 20;

/// One mistake.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// A stable code for the kind of mistake, such as `unknown-key`: a section of docs/src/mistakes.md.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The byte range in the file.
    pub span: Range<usize>,
    /// What is allowed; shown at the span.
    pub label: String,
    /// Related spans, each with its label.
    pub related: Vec<(Range<usize>, String)>,
    /// Further remarks, such as what the reader of a data file reported.
    pub notes: Vec<String>,
    /// A suggested fix, if there is an obvious one.
    pub help: Option<String>,
    /// The number of mistakes it stands for; above 1 for mistakes inside a data file.
    pub count: usize,
}

impl Diagnostic {
    pub(crate) fn new(
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Diagnostic {
        let message = message.into();
        // A code without a section would be a dead end for `check --explain`.
        debug_assert!(super::explain(code).is_ok(), "docs/src/mistakes.md has no section `{code}`");
        Diagnostic {
            code,
            message,
            span,
            label: String::new(),
            related: Vec::new(),
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
        self.related.push((span, label.into()));
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(note.into());
        self
    }

    pub(crate) fn with_count(mut self, count: usize) -> Diagnostic {
        self.count = count;
        self
    }

    pub(crate) fn help(mut self, help: Option<String>) -> Diagnostic {
        self.help = help;
        self
    }
}

/// All mistakes of a file, in file order.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostics {
    /// The file as given to [`super::load`].
    pub path: String,
    /// The text of the file.
    pub source: String,
    /// The mistakes.
    pub mistakes: Vec<Diagnostic>,
    /// Why the file itself could not be read; there is no source to show then.
    pub unreadable: Option<String>,
}

impl Diagnostics {
    /// Sorts the mistakes by position and removes duplicates. An unknown name that is used in many places, such as a
    /// renamed field, becomes one mistake at its first use, with the lines of the others in a note.
    pub(super) fn sort_and_merge(&mut self) {
        self.mistakes.sort_by_key(|d| (d.span.start, d.span.end));
        self.mistakes.dedup();
        let mut kept: Vec<Diagnostic> = Vec::new();
        let mut places: Vec<Vec<Range<usize>>> = Vec::new();
        let mut known: HashMap<(&'static str, String), usize> = HashMap::new();
        for diagnostic in std::mem::take(&mut self.mistakes) {
            let key = (diagnostic.code, diagnostic.message.clone());
            // Other mistakes with the same message need a fix each, so they are not merged.
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
                let lines =
                    places.iter().take(MAX_LISTED_LINES).map(|span| self.line(span).to_string());
                let lines: Vec<String> = lines.collect();
                let s = if places.len() == 1 { "" } else { "s" };
                let more = match places.len().saturating_sub(MAX_LISTED_LINES) {
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
        self.mistakes = kept;
    }

    /// The line of a span, from 1.
    fn line(&self, span: &Range<usize>) -> usize {
        self.source[..floor_char_boundary(&self.source, span.start)].matches('\n').count() + 1
    }

    /// The number of mistakes, including those inside data files.
    pub fn count(&self) -> usize {
        self.mistakes.iter().map(|diagnostic| diagnostic.count).sum()
    }

    /// The line and column, both from 1; the column counts characters.
    pub fn position(&self, diagnostic: &Diagnostic) -> (usize, usize) {
        let start = floor_char_boundary(&self.source, diagnostic.span.start);
        let before = &self.source[..start];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// How to look up the explanation of the first code.
    pub fn hint(&self) -> String {
        let code = self.mistakes.first().map_or("unreadable", |first| first.code);
        format!("To read more of one: knockon check --explain {code}")
    }

    /// All mistakes as text, with or without terminal colours. Secrets in the lines that are quoted are masked, and
    /// control characters are visible: the only ones are those of the colours.
    pub fn render(&self, colour: bool) -> String {
        if let Some(reason) = &self.unreadable {
            return format!("error[unreadable]: {}", visible(reason));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let (shown, rest) = self.mistakes.split_at(self.mistakes.len().min(MAX_RENDERED));
        // Masked byte for byte, so that spans remain valid.
        let source = masked(&self.source);
        let mut shown: Vec<String> =
            shown.iter().map(|d| self.show(d, &source, &renderer)).collect();
        if !rest.is_empty() {
            let more: usize = rest.iter().map(|diagnostic| diagnostic.count).sum();
            shown.push(format!("and {more} more mistakes; they are shown once these are gone"));
        }
        shown.join("\n\n")
    }

    /// One mistake as text; `source` is the text of the file as it may be quoted.
    fn show(&self, diagnostic: &Diagnostic, source: &str, renderer: &Renderer) -> String {
        let cut = |span: &Range<usize>| {
            let Range { start, end } = clip_span(&self.source, span.clone());
            // Only the first line of a multi-line value is underlined: the rest would only pad the snippet.
            let line = self.source[start..end].split('\n').next().unwrap_or("");
            start..start + line.trim_end().len()
        };
        let mut snippet = Snippet::source(source).path(visible(&self.path)).annotation(
            AnnotationKind::Primary.span(cut(&diagnostic.span)).label(visible(&diagnostic.label)),
        );
        for (span, label) in &diagnostic.related {
            let annotation = AnnotationKind::Context.span(cut(span)).label(visible(label));
            snippet = snippet.annotation(annotation);
        }
        let title = Level::ERROR.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
        let mut group: Group = title.element(snippet);
        for note in &diagnostic.notes {
            group = group.element(Level::NOTE.message(visible(note)));
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(visible(help)));
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
