//! One run as a story on the terminal, and as JSON.

mod page;

use crate::cascade::sentence::body;
use crate::cascade::trace::{Document, Done, Evidence, RetrievalTrace, StepTrace, Trace};
use crate::kernel::Fault;
use crate::step::{Event, Outcome, State};

use page::{Page, Paint};

/// Passages shown of those that a step handed on; below, those that are gold or were followed.
const SHOWN: usize = 3;

/// Columns where there is no terminal to ask.
const WIDTH: usize = 100;

/// The whole of the traces as JSON: an array, unless one alone was asked for.
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

/// A trace that a person reads in a minute; `colour` marks what is wrong and what is right.
pub fn text(trace: &Trace, colour: bool, width: Option<usize>) -> String {
    let mut page = Page::new(width.unwrap_or(WIDTH), colour);
    header(&mut page, trace);
    let widest = trace.steps.iter().map(|step| step.step.chars().count()).max().unwrap_or(0);
    for (at, step) in trace.steps.iter().enumerate() {
        let mut line = vec![
            (format!("{:>2} {:<widest$}  ", at + 1, step.step), Paint::Bold),
            (format!("{:<8}  ", step.kind), Paint::Dim),
        ];
        line.extend(happened(step));
        page.line(0, 5, &line);
        if let Some(done) = &step.done {
            alarms(&mut page, done);
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
    // A run that stopped has no action to name.
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

/// Whether a retrieve step is worth its passages: it went otherwise than the oracle's.
fn telling(step: &StepTrace) -> bool {
    let other_query = step.retrieval.as_ref().is_some_and(|r| r.right_query.is_some());
    let partial = step.done.as_ref().is_some_and(|done| done.event == Event::Partial);
    wrong(step) || other_query || partial
}

fn wrong(step: &StepTrace) -> bool {
    step.done.as_ref().is_none_or(|d| d.state != State::Correct || d.fault != Fault::None)
}

/// What happened, in a line.
fn happened(step: &StepTrace) -> Vec<(String, Paint)> {
    let Some(done) = &step.done else {
        return vec![("not reached: the run had stopped".to_owned(), Paint::Dim)];
    };
    let mut line = Vec::new();
    if let Some(retrieval) = &step.retrieval {
        line.push(found(done, retrieval));
        line.extend(alarm(done));
        return line;
    }
    let paint = if done.state == State::Correct { Paint::Right } else { Paint::Wrong };
    line.push((done.output.clone().unwrap_or_else(|| "stopped".to_owned()), paint));
    if done.state != State::Correct
        && let Some(right) = &step.right
    {
        line.push((format!(", right: {right}"), Paint::Right));
    }
    if !matches!(done.event, Event::Clean | Event::Skipped | Event::Stopped | Event::FalseAlarm) {
        let whose = whose(done.fault);
        line.push((format!("  {}{whose}", done.event.name().replace('_', " ")), Paint::Plain));
    }
    line.extend(alarm(done));
    line
}

/// What its guards made of a step.
fn alarm(done: &Done) -> Option<(String, Paint)> {
    let told = match (done.alarm?, done.stopped) {
        ("caught", _) => "  caught by its guard: the run stops",
        ("recovered", _) => "  seen by its guard, and set right",
        (_, true) => "  stopped by a false alarm of its guard",
        _ => "  after a false alarm of its guard",
    };
    Some((told.to_owned(), Paint::Bold))
}

/// Each alarm of a step's guards, in a line.
fn alarms(page: &mut Page, done: &Done) {
    for alarm in &done.alarms {
        let right = if alarm.right { "right" } else { "wrong" };
        let text =
            format!("guard  {} held back {} ({right}): {}", alarm.guard, alarm.held, alarm.then);
        page.line(5, 12, &[(text, Paint::Plain)]);
    }
}

fn whose(fault: Fault) -> &'static str {
    match fault {
        Fault::None => "",
        Fault::Own => " (own)",
        Fault::Induced => " (induced)",
    }
}

/// Whether a search found what it should.
fn found(done: &Done, retrieval: &RetrievalTrace) -> (String, Paint) {
    let gold = retrieval.documents.iter().find(|document| document.gold);
    match (done.event, gold) {
        (event, _) if event.miss().is_some() && done.alarm == Some("recovered") => {
            let miss = event.name().replace('_', " ");
            (format!("first a miss {miss}{}", whose(done.fault)), Paint::Plain)
        }
        (event, _) if event.miss().is_some() => {
            let miss = format!("MISS {}{}", event.name().replace('_', " "), whose(done.fault));
            (miss, Paint::Wrong)
        }
        (Event::Partial, Some(gold)) => {
            let text = format!("partial{}: {} alone does not state it", whose(done.fault), gold.id);
            (text, Paint::Wrong)
        }
        (_, Some(gold)) => {
            let rank = gold.rank.map_or_else(String::new, |rank| format!(" at rank {rank}"));
            (format!("hit: {}{rank}", gold.id), Paint::Right)
        }
        _ => (done.event.name().replace('_', " "), Paint::Plain),
    }
}

/// The query and the passages found; `followed`: those that a reader took its value from.
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

/// How many bytes all of several texts begin with, to the end of a word: a title says nothing about which of
/// them is right.
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

/// One passage: its labels, and as much of its text as a line holds, from where it differs from the others.
fn passage(page: &mut Page, document: &Document, word: &str, shared: usize) {
    let rank = document.rank.map_or_else(|| " -".to_owned(), |rank| format!("{rank:>2}"));
    let score = document.score.map_or_else(String::new, |score| format!(" {score:.3}"));
    let paint = if document.gold { Paint::Right } else { Paint::Wrong };
    let gold = if document.gold { ", gold" } else { "" };
    let variant = document.variant.map_or_else(String::new, |variant| {
        format!(", {} near-miss", crate::step::MissKind::from(variant).name().replace('_', " "))
    });
    let attribute = document.attribute.as_deref().unwrap_or("no attribute");
    let entity = document.entity.as_deref().unwrap_or("no entity");
    let labels = format!("{} ({entity}, {attribute}{variant}{gold}){score}", document.id);
    page.line(5, 15, &[(format!("{word} {rank} "), Paint::Dim), (labels, paint)]);
    let text = body(&document.text);
    page.cut(15, text.get(shared..).filter(|rest| !rest.is_empty()).unwrap_or(text), Paint::Dim);
}

/// For a reading gone wrong: the sentence that was followed, and the one that states the right value.
fn evidence(page: &mut Page, trace: &Trace, step: &StepTrace) {
    let (Some(done), Some(reading)) = (&step.done, &step.reading) else {
        return;
    };
    if !wrong(step) {
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
            // The step read from is its first parent with passages.
            let searched = step.parents.iter().find_map(|&p| trace.steps[p].retrieval.as_ref());
            let best = searched.and_then(|retrieval| retrieval.documents.first());
            let before =
                best.map_or_else(|| "nothing".to_owned(), |best| format!("{} and others", best.id));
            page.line(5, 7, &[(format!("made up; it had {before} before it"), Paint::Wrong)]);
        }
        _ => {}
    }
    if let Some(gold) = &reading.gold
        && reading.from.as_ref().is_none_or(|from| from.passage != gold.passage)
    {
        page.line(5, 7, &[(format!("right is {}", quote(gold)), Paint::Right)]);
    }
}

fn causes(page: &mut Page, trace: &Trace) {
    if trace.outcome == Outcome::Correct {
        let errs = trace.steps.iter().any(|step| step.done.is_some() && wrong(step));
        let text = if errs {
            "The run ends correct: what went wrong on the way did not matter."
        } else {
            "The run ends correct."
        };
        page.line(0, 2, &[(text.to_owned(), Paint::Right)]);
        return;
    }
    for cause in &trace.causes {
        let names: Vec<String> = cause.iter().map(|&at| error(&trace.steps[at])).collect();
        let text = match names.as_slice() {
            [one] => format!("But for {one} the run would have been correct."),
            [all @ .., last] => {
                let both = if cause.len() == 2 { "both " } else { "" };
                let all = all.join(", ");
                format!("But for {both}{all} and {last} together the run would have been correct.")
            }
            [] => continue,
        };
        page.line(0, 2, &[(text, Paint::Bold)]);
    }
    if trace.causes.is_empty() {
        let text = "No small set of errors is known that makes the run correct when mended.";
        page.line(0, 2, &[(text.to_owned(), Paint::Bold)]);
    }
}

/// A step's own error, in words.
fn error(step: &StepTrace) -> String {
    let own = step.done.as_ref().filter(|done| done.fault == Fault::Own);
    let what = match own.map(|done| done.event) {
        Some(event) if event.miss().is_some() => "the miss",
        Some(Event::Partial) => "the partial hit",
        Some(Event::Distracted) => "the wrong passage followed",
        Some(Event::Misread) => "the misreading",
        Some(Event::Fabricated) => "the value made up",
        Some(_) => "the error",
        // It goes wrong only once an earlier step is right.
        None => "the error that would follow",
    };
    format!("{what} at {}", step.step)
}
