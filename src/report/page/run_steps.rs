//! Renders one run step by step, with the passages that were retrieved.

use maud::{Markup, html};

use super::number_format::truncated;
use super::passage_diff::{ComparedPassage, compare_passages};
use crate::cascade::evidence_sentence::body;
use crate::cascade::trace::{DocumentTrace, ReadingTrace, RetrievalTrace, RunTrace, StepTrace};
use crate::report::prose;
use crate::report::story::TextStyle;
use crate::report::story::step_line::{alarm, labels, shows_passages, step_summary};
use crate::step::StepEvent;

/// Characters shown of a passage that is not compared with another.
const SNIPPET: usize = 220;
/// The most passages listed of those that were passed on.
const LISTED: usize = 5;

/// A run, folded up under a sentence on how it ended.
pub fn render_run(trace: &RunTrace) -> Markup {
    let fields: Vec<String> =
        trace.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    html! {
        details.trace {
            summary { (prose::describe_end(trace)) }
            p.note { (fields.join("; ")) ". Trial " (trace.trial) "." }
            ol { @for step in &trace.steps { (render_step(step)) } }
            @for cause in prose::but_for_causes(trace) { p { strong { (cause) } } }
        }
    }
}

fn render_step(step: &StepTrace) -> Markup {
    html! {
        li {
            strong { (step.step) } " " span.mute { (step.kind) } " "
            @for (text, paint) in step_summary(step) { span class=(style_class(paint)) { (text) } }
            @if let Some(done) = &step.done {
                @for held in &done.alarms { p { "guard " (alarm(held)) } }
            }
            @if let Some(retrieval) = step.retrieval.as_ref().filter(|_| shows_passages(step)) { (render_search(retrieval)) }
            @if let Some(reading) = step.reading.as_ref().filter(|_| prose::went_wrong(step)) { (render_reading(step, reading)) }
        }
    }
}

fn style_class(paint: TextStyle) -> &'static str {
    match paint {
        TextStyle::Plain | TextStyle::Bold => "plain",
        TextStyle::Dim => "mute",
        TextStyle::Right => "is-right",
        TextStyle::Wrong => "is-wrong",
    }
}

/// The query, the best wrong passage compared with the best gold one, and the other passages.
fn render_search(retrieval: &RetrievalTrace) -> Markup {
    let gold = retrieval.missed.iter().chain(&retrieval.documents).filter(|d| d.gold);
    // Gold passages that were not found have no rank and come last.
    let best = gold.min_by_key(|d| d.rank.unwrap_or(usize::MAX));
    let distractor = retrieval.documents.iter().find(|document| !document.gold);
    let rest =
        retrieval.documents.iter().filter(|d| distractor.is_none_or(|first| first.id != d.id));
    let rest: Vec<&DocumentTrace> = rest.collect();
    html! {
        p.query {
            "query " q { (retrieval.query) } " "
            span.mute {
                "(" (retrieval.embedder) " in " (retrieval.corpus) ", "
                (prose::passage_count(retrieval.documents.len())) " passed on)"
            }
        }
        @if let Some(right) = &retrieval.right_query { p.query { "right " q { (right) } } }
        @if let (Some(wrong), Some(right)) = (distractor, best) {
            (compare_passages(
                &ComparedPassage { caption: ranked_caption("found", wrong), text: body(&wrong.text) },
                &ComparedPassage { caption: ranked_caption(if right.rank.is_some() { "gold" } else { "gold, not found" }, right), text: body(&right.text) },
            ))
        }
        @if !rest.is_empty() {
            ul.found {
                @for document in rest.iter().take(LISTED) {
                    li { span class=(if document.gold { "is-right" } else { "plain" }) { (ranked_caption("found", document)) } ": " (snippet(document)) }
                }
                @if rest.len() > LISTED { li.mute { "and " (rest.len() - LISTED) " more" } }
            }
        }
    }
}

/// A passage's rank and labels.
fn ranked_caption(word: &str, document: &DocumentTrace) -> String {
    let rank = document.rank.map_or_else(String::new, |rank| format!(" {rank}"));
    format!("{word}{rank}: {}", labels(document))
}

fn snippet(document: &DocumentTrace) -> String {
    let line = body(&document.text).split_whitespace().collect::<Vec<_>>().join(" ");
    truncated(&line, SNIPPET)
}

/// The sentence that the reader followed, compared with the one that states the right value.
fn render_reading(step: &StepTrace, reading: &ReadingTrace) -> Markup {
    let of =
        |entity: &Option<String>| entity.as_ref().map_or_else(String::new, |e| format!(" of {e}"));
    let event = step.done.as_ref().map(|done| done.event);
    let ReadingTrace { field, from, gold } = reading;
    html! {
        @match (from, gold) {
            // A misreading of the gold passage itself has nothing to compare: its sentence is quoted once.
            (Some(from), Some(gold)) if from.passage != gold.passage => (compare_passages(
                &ComparedPassage { caption: format!("followed: {field} = {}, from {}{}", from.value, from.passage, of(&from.entity)), text: &from.sentence },
                &ComparedPassage { caption: format!("right: {field} = {}, from {}{}", gold.value, gold.passage, of(&gold.entity)), text: &gold.sentence },
            )),
            (Some(from), _) => {
                @let how = if event == Some(StepEvent::Misread) { "misread" } else { "followed" };
                p.query { (how) " " (from.passage) (of(&from.entity)) ", which states " (from.value) ": " q { (from.sentence) } }
            }
            (None, Some(gold)) => {
                @if event == Some(StepEvent::Fabricated) { p.query { "made up: no passage in its context states that" } }
                p.query { "right is " (gold.value) ", from " (gold.passage) (of(&gold.entity)) ": " q { (gold.sentence) } }
            }
            (None, None) => {}
        }
    }
}
