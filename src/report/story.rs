//! Renders traces of single runs: as text for the terminal, step by step, and as JSON.

pub(super) mod line;
mod page;

use crate::cascade::sentence::body;
use crate::cascade::trace::{Document, Evidence, RetrievalTrace, StepTrace, Trace};
use crate::step::{Event, Outcome};

use super::words;
use line::{happened, telling};
use page::Page;
pub(super) use page::Paint;

/// How many of the first passages are shown; lower ones only if they are gold or a reader followed them.
const SHOWN: usize = 3;

/// Line width if the output is not a terminal.
const WIDTH: usize = 100;

/// The traces as JSON: an array if `several`, else the single trace as an object.
///
/// # Errors
/// None that a trace can cause.
pub fn json(traces: &[Trace], several: bool) -> serde_json::Result<String> {
    let mut text = match traces {
        [one] if !several => serde_json::to_string_pretty(one)?,
        traces => serde_json::to_string_pretty(traces)?,
    };
    text.push('\n');
    Ok(text)
}

/// A trace as text; `colour` paints wrong outputs red and right ones green. `width` defaults to 100 columns.
pub fn text(trace: &Trace, colour: bool, width: Option<usize>) -> String {
    let mut page = Page::new(width.unwrap_or(WIDTH), colour);
    header(&mut page, trace);
    // Step ids are padded to one width, so that the descriptions line up.
    let widest = trace.steps.iter().map(|step| step.step.chars().count()).max().unwrap_or(0);
    for (at, step) in trace.steps.iter().enumerate() {
        let mut line = vec![
            (format!("{:>2} {:<widest$}  ", at + 1, step.step), Paint::Bold),
            (format!("{:<8}  ", step.kind), Paint::Dim),
        ];
        line.extend(happened(step));
        page.line(0, 5, &line);
        if let Some(done) = &step.done {
            for alarm in &done.alarms {
                page.line(5, 12, &[(format!("guard  {}", line::alarm(alarm)), Paint::Plain)]);
            }
        }
        if let Some(retrieval) = step.retrieval.as_ref().filter(|_| telling(step)) {
            let readers = trace.steps.iter().filter(|reader| reader.parents.contains(&at));
            let followed = readers.filter_map(|r| r.reading.as_ref()?.from.as_ref());
            let followed: Vec<&str> = followed.map(|from| from.passage.as_str()).collect();
            asked(&mut page, retrieval, &followed);
        }
        evidence(&mut page, trace, step);
    }
    page.blank();
    causes(&mut page, trace);
    page.finish()
}

fn header(page: &mut Page, trace: &Trace) {
    let title = format!(
        "{}: task {}, arm {}, trial {}",
        trace.scenario, trace.task, trace.arm, trace.trial
    );
    page.line(0, 2, &[(title, Paint::Bold)]);
    let right = trace.outcome == Outcome::Correct;
    let outcome = trace.outcome.name().replace('_', " ");
    // A stopped run takes no action.
    let end = match trace.outcome {
        Outcome::Stopped => outcome,
        _ => format!("{outcome} -> {}", trace.action),
    };
    let mut end = vec![(end, if right { Paint::Right } else { Paint::Wrong })];
    if trace.action != trace.right_action {
        end.push((format!(", right: {}", trace.right_action), Paint::Right));
    }
    let often = format!("; {:.1}% of the runs of this task fail", 100.0 * trace.p_failure);
    end.push((often, Paint::Plain));
    page.line(2, 4, &end);
    let fields: Vec<String> =
        trace.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    page.line(2, 4, &[(fields.join("; "), Paint::Dim)]);
    page.blank();
}

/// Writes the query and the passages found; `followed` are the ids of passages that a reader took a value from.
fn asked(page: &mut Page, retrieval: &RetrievalTrace, followed: &[&str]) {
    let within = retrieval.entity.as_ref().map_or_else(String::new, |e| format!(" of {e}"));
    let how = format!(
        " ({} in {}{within}, {} handed on)",
        retrieval.embedder,
        retrieval.corpus,
        retrieval.documents.len()
    );
    page.line(
        5,
        12,
        &[(format!("asked  \"{}\"", retrieval.query), Paint::Plain), (how, Paint::Dim)],
    );
    if let Some(right) = &retrieval.right_query {
        page.line(5, 12, &[(format!("right  \"{right}\""), Paint::Right)]);
    }
    let listed = || retrieval.documents.iter().chain(&retrieval.missed);
    let bodies: Vec<&str> = listed().map(|document| body(&document.text)).collect();
    let shared = shared_beginning(&bodies);
    let mut hidden = 0;
    for (at, document) in retrieval.documents.iter().enumerate() {
        if at < SHOWN || document.gold || followed.contains(&document.id.as_str()) {
            passage(page, document, "found ", shared);
        } else {
            hidden += 1;
        }
    }
    if hidden > 0 {
        page.line(5, 15, &[(format!("found  and {hidden} more"), Paint::Dim)]);
    }
    for document in &retrieval.missed {
        passage(page, document, "missed", shared);
    }
}

/// The length in bytes of the common beginning of several texts, cut at a word boundary; 0 for a single text.
/// Passages of one document often share a title, which would hide the words that tell them apart.
fn shared_beginning(texts: &[&str]) -> usize {
    let Some((first, rest)) = texts.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return 0;
    };
    let same = |other: &&str| {
        first.char_indices().zip(other.chars()).take_while(|((_, a), b)| a == b).count()
    };
    let chars = rest.iter().map(same).min().unwrap_or(0);
    let end = first.char_indices().nth(chars).map_or(first.len(), |(at, _)| at);
    first[..end].rfind(char::is_whitespace).map_or(0, |at| at + 1)
}

/// Writes one passage: its labels, and one line of its text that starts after the `shared` beginning.
fn passage(page: &mut Page, document: &Document, word: &str, shared: usize) {
    let rank = document.rank.map_or_else(|| " -".to_owned(), |rank| format!("{rank:>2}"));
    let paint = if document.gold { Paint::Right } else { Paint::Wrong };
    page.line(5, 15, &[(format!("{word} {rank} "), Paint::Dim), (line::labels(document), paint)]);
    let text = body(&document.text);
    page.cut(15, text.get(shared..).filter(|rest| !rest.is_empty()).unwrap_or(text), Paint::Dim);
}

/// Writes, for a wrong reading, the sentence that the reader followed and the one that states the right value.
fn evidence(page: &mut Page, trace: &Trace, step: &StepTrace) {
    let (Some(done), Some(reading)) = (&step.done, &step.reading) else {
        return;
    };
    if !words::went_wrong(step) {
        return;
    }
    let quote = |from: &Evidence| {
        let entity = from.entity.as_ref().map_or_else(String::new, |e| format!(" of {e}"));
        format!("{}{entity}: \"{}\"", from.passage, from.sentence)
    };
    match (&reading.from, done.event) {
        (Some(from), Event::Misread) => {
            let text = format!("misread {}, which states {}", quote(from), from.value);
            page.line(5, 7, &[(text, Paint::Wrong)]);
        }
        (Some(from), _) => page.line(5, 7, &[(format!("followed {}", quote(from)), Paint::Wrong)]),
        (None, Event::Fabricated) => {
            // A read step reads from its first parent with passages.
            let searched = step.parents.iter().find_map(|&p| trace.steps[p].retrieval.as_ref());
            let best = searched.and_then(|retrieval| retrieval.documents.first());
            let before =
                best.map_or_else(|| "nothing".to_owned(), |best| format!("{} and others", best.id));
            page.line(5, 7, &[(format!("made up; it had {before} before it"), Paint::Wrong)]);
        }
        _ => {}
    }
    // A misread gold passage was quoted above.
    if let Some(gold) = &reading.gold
        && reading.from.as_ref().is_none_or(|from| from.passage != gold.passage)
    {
        page.line(5, 7, &[(format!("right is {}", quote(gold)), Paint::Right)]);
    }
}

/// Writes the but-for causes of a failure, or that the run ends correct.
fn causes(page: &mut Page, trace: &Trace) {
    if trace.outcome == Outcome::Correct {
        let errs = trace.steps.iter().any(words::went_wrong);
        let text = if errs {
            "The run ends correct: what went wrong on the way did not matter."
        } else {
            "The run ends correct."
        };
        page.line(0, 2, &[(text.to_owned(), Paint::Right)]);
        return;
    }
    for text in words::but_for(trace) {
        page.line(0, 2, &[(text, Paint::Bold)]);
    }
}
