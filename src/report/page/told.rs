//! Renders one run step by step, with the passages that were retrieved.

use maud::{Markup, html};

use super::differing::{Side, pair};
use super::figures::short;
use crate::cascade::sentence::body;
use crate::cascade::trace::{Document, ReadingTrace, RetrievalTrace, StepTrace, Trace};
use crate::report::story::Paint;
use crate::report::story::line::{alarm, happened, labels, telling};
use crate::report::words;
use crate::step::Event;

/// Characters shown of a passage that is not compared with another.
const SNIPPET: usize = 220;
/// The most passages listed of those that were handed on.
const LISTED: usize = 5;

/// A run, folded up under a sentence on how it ended.
pub fn told(trace: &Trace) -> Markup {
    let fields: Vec<String> =
        trace.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    html! {
        details.trace {
            summary { (words::end(trace)) }
            p.note { (fields.join("; ")) ". Trial " (trace.trial) "." }
            ol { @for step in &trace.steps { (told_step(step)) } }
            @for cause in words::but_for(trace) { p { strong { (cause) } } }
        }
    }
}

fn told_step(step: &StepTrace) -> Markup {
    html! {
        li {
            strong { (step.step) } " " span.mute { (step.kind) } " "
            @for (text, paint) in happened(step) { span class=(class(paint)) { (text) } }
            @if let Some(done) = &step.done {
                @for held in &done.alarms { p { "guard " (alarm(held)) } }
            }
            @if let Some(retrieval) = step.retrieval.as_ref().filter(|_| telling(step)) { (searched(retrieval)) }
            @if let Some(reading) = step.reading.as_ref().filter(|_| words::went_wrong(step)) { (read(step, reading)) }
        }
    }
}

fn class(paint: Paint) -> &'static str {
    match paint {
        Paint::Plain | Paint::Bold => "plain",
        Paint::Dim => "mute",
        Paint::Right => "is-right",
        Paint::Wrong => "is-wrong",
    }
}

/// The query, the best wrong passage compared with the best gold one, and the other passages.
fn searched(retrieval: &RetrievalTrace) -> Markup {
    let gold = || retrieval.missed.iter().chain(&retrieval.documents).filter(|d| d.gold);
    // Gold passages that were not found have no rank and come last.
    let best = gold().min_by_key(|d| d.rank.unwrap_or(usize::MAX));
    let distractor = retrieval.documents.iter().find(|document| !document.gold);
    let rest =
        retrieval.documents.iter().filter(|d| distractor.is_none_or(|first| first.id != d.id));
    let rest: Vec<&Document> = rest.collect();
    html! {
        p.query {
            "asked " q { (retrieval.query) } " "
            span.mute {
                "(" (retrieval.embedder) " in " (retrieval.corpus) ", "
                (words::passages(retrieval.documents.len())) " handed on)"
            }
        }
        @if let Some(right) = &retrieval.right_query { p.query { "right " q { (right) } } }
        @if let (Some(wrong), Some(right)) = (distractor, best) {
            (pair(
                &Side { caption: ranked("found", wrong), text: body(&wrong.text) },
                &Side { caption: ranked(if right.rank.is_some() { "gold" } else { "gold, not found" }, right), text: body(&right.text) },
            ))
        }
        @if !rest.is_empty() {
            ul.found {
                @for document in rest.iter().take(LISTED) {
                    li { span class=(if document.gold { "is-right" } else { "plain" }) { (ranked("found", document)) } ": " (snippet(document)) }
                }
                @if rest.len() > LISTED { li.mute { "and " (rest.len() - LISTED) " more" } }
            }
        }
    }
}

/// A passage's rank and labels.
fn ranked(word: &str, document: &Document) -> String {
    let rank = document.rank.map_or_else(String::new, |rank| format!(" {rank}"));
    format!("{word}{rank}: {}", labels(document))
}

fn snippet(document: &Document) -> String {
    let line = body(&document.text).split_whitespace().collect::<Vec<_>>().join(" ");
    short(&line, SNIPPET)
}

/// The sentence that the reader followed, compared with the one that states the right value.
fn read(step: &StepTrace, reading: &ReadingTrace) -> Markup {
    let of =
        |entity: &Option<String>| entity.as_ref().map_or_else(String::new, |e| format!(" of {e}"));
    let event = step.done.as_ref().map(|done| done.event);
    let ReadingTrace { field, from, gold } = reading;
    html! {
        @match (from, gold) {
            // A misreading of the gold passage itself has nothing to compare: its sentence is quoted once.
            (Some(from), Some(gold)) if from.passage != gold.passage => (pair(
                &Side { caption: format!("followed: {field} = {}, from {}{}", from.value, from.passage, of(&from.entity)), text: &from.sentence },
                &Side { caption: format!("right: {field} = {}, from {}{}", gold.value, gold.passage, of(&gold.entity)), text: &gold.sentence },
            )),
            (Some(from), _) => {
                @let how = if event == Some(Event::Misread) { "misread" } else { "followed" };
                p.query { (how) " " (from.passage) (of(&from.entity)) ", which states " (from.value) ": " q { (from.sentence) } }
            }
            (None, Some(gold)) => {
                @if event == Some(Event::Fabricated) { p.query { "made up: no passage it had states that" } }
                p.query { "right is " (gold.value) ", from " (gold.passage) (of(&gold.entity)) ": " q { (gold.sentence) } }
            }
            (None, None) => {}
        }
    }
}
