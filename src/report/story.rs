//! Renders traces of single runs: as text for the terminal, step by step, and as JSON.

pub(super) mod step_line;
mod wrapped_text;

use crate::cascade::evidence_sentence::body;
use crate::cascade::trace::{DocumentTrace, EvidenceTrace, RetrievalTrace, RunTrace, StepTrace};
use crate::step::{RunOutcome, StepEvent};

use super::prose;
use step_line::{shows_passages, step_summary};
pub(super) use wrapped_text::TextStyle;
use wrapped_text::WrappedText;

/// How many of the first passages are shown; lower ones only if they are gold or a reader followed them.
const SHOWN: usize = 3;

/// Line width if the output is not a terminal.
const WIDTH: usize = 100;

/// The traces as JSON: an array if `several`, else the single trace as an object.
///
/// # Errors
/// None that a trace can cause.
pub fn json(traces: &[RunTrace], several: bool) -> serde_json::Result<String> {
    let mut text = match traces {
        [one] if !several => serde_json::to_string_pretty(one)?,
        traces => serde_json::to_string_pretty(traces)?,
    };
    text.push('\n');
    Ok(text)
}

/// A trace as text; `colour` paints wrong outputs red and right ones green. `width` defaults to 100 columns.
pub fn text(trace: &RunTrace, colour: bool, width: Option<usize>) -> String {
    let mut page = WrappedText::new(width.unwrap_or(WIDTH), colour);
    write_header(&mut page, trace);
    // Step ids are padded to one width, so that the descriptions line up.
    let widest = trace.steps.iter().map(|step| step.step.chars().count()).max().unwrap_or(0);
    for (at, step) in trace.steps.iter().enumerate() {
        let mut line = vec![
            (format!("{:>2} {:<widest$}  ", at + 1, step.step), TextStyle::Bold),
            (format!("{:<8}  ", step.kind), TextStyle::Dim),
        ];
        line.extend(step_summary(step));
        page.line(0, 5, &line);
        if let Some(done) = &step.done {
            for alarm in &done.alarms {
                page.line(
                    5,
                    12,
                    &[(format!("guard  {}", step_line::alarm(alarm)), TextStyle::Plain)],
                );
            }
        }
        if let Some(retrieval) = step.retrieval.as_ref().filter(|_| shows_passages(step)) {
            let readers = trace.steps.iter().filter(|reader| reader.parents.contains(&at));
            let followed = readers.filter_map(|r| r.reading.as_ref()?.from.as_ref());
            let followed: Vec<&str> = followed.map(|from| from.passage.as_str()).collect();
            write_query(&mut page, retrieval, &followed);
        }
        write_reading(&mut page, trace, step);
    }
    page.blank();
    write_causes(&mut page, trace);
    page.finish()
}

fn write_header(page: &mut WrappedText, trace: &RunTrace) {
    let title = format!(
        "{}: task {}, arm {}, trial {}",
        trace.scenario, trace.task, trace.arm, trace.trial
    );
    page.line(0, 2, &[(title, TextStyle::Bold)]);
    let right = trace.outcome == RunOutcome::Correct;
    let outcome = trace.outcome.name().replace('_', " ");
    // A stopped run takes no action.
    let end = match trace.outcome {
        RunOutcome::Stopped => outcome,
        _ => format!("{outcome} -> {}", trace.action),
    };
    let mut end = vec![(end, if right { TextStyle::Right } else { TextStyle::Wrong })];
    if trace.action != trace.right_action {
        end.push((format!(", right: {}", trace.right_action), TextStyle::Right));
    }
    let often = format!("; {:.1}% of the runs of this task fail", 100.0 * trace.p_failure);
    end.push((often, TextStyle::Plain));
    page.line(2, 4, &end);
    let fields: Vec<String> =
        trace.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    page.line(2, 4, &[(fields.join("; "), TextStyle::Dim)]);
    page.blank();
}

/// Writes the query and the passages found; `followed` are the ids of passages that a reader took a value from.
fn write_query(page: &mut WrappedText, retrieval: &RetrievalTrace, followed: &[&str]) {
    let within = retrieval.entity.as_ref().map_or_else(String::new, |e| format!(" of {e}"));
    let how = format!(
        " ({} in {}{within}, {} passed on)",
        retrieval.embedder,
        retrieval.corpus,
        retrieval.documents.len()
    );
    page.line(
        5,
        12,
        &[(format!("query  \"{}\"", retrieval.query), TextStyle::Plain), (how, TextStyle::Dim)],
    );
    if let Some(right) = &retrieval.right_query {
        page.line(5, 12, &[(format!("right  \"{right}\""), TextStyle::Right)]);
    }
    let listed = retrieval.documents.iter().chain(&retrieval.missed);
    let bodies: Vec<&str> = listed.map(|document| body(&document.text)).collect();
    let shared = shared_beginning(&bodies);
    let mut hidden = 0;
    for (at, document) in retrieval.documents.iter().enumerate() {
        if at < SHOWN || document.gold || followed.contains(&document.id.as_str()) {
            write_passage(page, document, "found ", shared);
        } else {
            hidden += 1;
        }
    }
    if hidden > 0 {
        page.line(5, 15, &[(format!("found  and {hidden} more"), TextStyle::Dim)]);
    }
    for document in &retrieval.missed {
        write_passage(page, document, "missed", shared);
    }
}

/// The length in bytes of the common beginning of several texts, cut at a word boundary; 0 for a single text.
/// Passages of one document often share a title, which would hide the words that tell them apart.
fn shared_beginning(texts: &[&str]) -> usize {
    let Some((first, rest)) = texts.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return 0;
    };
    let same = rest.iter().map(|other| {
        first.char_indices().zip(other.chars()).take_while(|((_, a), b)| a == b).count()
    });
    let chars = same.min().unwrap_or(0);
    let end = first.char_indices().nth(chars).map_or(first.len(), |(at, _)| at);
    first[..end].rfind(char::is_whitespace).map_or(0, |at| at + 1)
}

/// Writes one passage: its labels, and one line of its text that starts after the `shared` beginning.
fn write_passage(page: &mut WrappedText, document: &DocumentTrace, word: &str, shared: usize) {
    let rank = document.rank.map_or_else(|| " -".to_owned(), |rank| format!("{rank:>2}"));
    let paint = if document.gold { TextStyle::Right } else { TextStyle::Wrong };
    page.line(
        5,
        15,
        &[(format!("{word} {rank} "), TextStyle::Dim), (step_line::labels(document), paint)],
    );
    let text = body(&document.text);
    page.write_truncated(
        15,
        text.get(shared..).filter(|rest| !rest.is_empty()).unwrap_or(text),
        TextStyle::Dim,
    );
}

/// Writes, for a wrong reading, the sentence that the reader followed and the one that states the right value.
fn write_reading(page: &mut WrappedText, trace: &RunTrace, step: &StepTrace) {
    let (Some(done), Some(reading)) = (&step.done, &step.reading) else {
        return;
    };
    if !prose::went_wrong(step) {
        return;
    }
    match (&reading.from, done.event) {
        (Some(from), StepEvent::Misread) => {
            let text = format!("misread {}, which states {}", quoted_evidence(from), from.value);
            page.line(5, 7, &[(text, TextStyle::Wrong)]);
        }
        (Some(from), _) => {
            page.line(5, 7, &[(format!("followed {}", quoted_evidence(from)), TextStyle::Wrong)])
        }
        (None, StepEvent::Fabricated) => {
            // A read step reads from its first parent with passages.
            let searched = step.parents.iter().find_map(|&p| trace.steps[p].retrieval.as_ref());
            let best = searched.and_then(|retrieval| retrieval.documents.first());
            let before =
                best.map_or_else(|| "nothing".to_owned(), |best| format!("{} and others", best.id));
            page.line(5, 7, &[(format!("made up; its context was {before}"), TextStyle::Wrong)]);
        }
        _ => {}
    }
    // A misread gold passage was quoted above.
    if let Some(gold) = &reading.gold
        && reading.from.as_ref().is_none_or(|from| from.passage != gold.passage)
    {
        page.line(5, 7, &[(format!("right is {}", quoted_evidence(gold)), TextStyle::Right)]);
    }
}

fn quoted_evidence(from: &EvidenceTrace) -> String {
    let entity = from.entity.as_ref().map_or_else(String::new, |e| format!(" of {e}"));
    format!("{}{entity}: \"{}\"", from.passage, from.sentence)
}

/// Writes the but-for causes of a failure, or that the run ends correct.
fn write_causes(page: &mut WrappedText, trace: &RunTrace) {
    if trace.outcome == RunOutcome::Correct {
        let errs = trace.steps.iter().any(prose::went_wrong);
        let text = if errs {
            "The run ends correctly: the errors on the way had no effect."
        } else {
            "The run ends correctly."
        };
        page.line(0, 2, &[(text.to_owned(), TextStyle::Right)]);
        return;
    }
    for text in prose::but_for_causes(trace) {
        page.line(0, 2, &[(text, TextStyle::Bold)]);
    }
}
