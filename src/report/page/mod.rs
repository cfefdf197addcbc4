//! Renders `report.html`: a run on one self-contained page for readers without knockon. The page fetches nothing (its
//! Content-Security-Policy forbids it), all text goes through `maud`, which escapes it, and no statistic is computed
//! here; amounts are only summed up to be drawn.
//!
//! The page works without scripts: radio buttons and style rules switch between arms, and `details` elements open
//! single runs. The only script sorts the tables of tasks.

mod arms;
mod assumptions;
mod exceedance_curve;
mod flow;
mod graph;
mod graph_layout;
mod headline;
mod method;
mod number_format;
mod passage_diff;
mod rankings;
mod right_actions;
mod run_steps;
mod tasks;
mod tornado;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexSet;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::report::reader_sentences::reader_sentences;
use crate::run::RunRecord;
use crate::run::record::ArmRecord;
use crate::visible_text::visible;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The number of worst tasks shown per arm if there are at most `FEW_ARMS` arms.
pub const WORST_TASKS: usize = 25;
/// Up to this many arms each show [`WORST_TASKS`] tasks; with more arms each shows fewer.
const FEW_ARMS: usize = 16;
/// The least number of worst tasks shown per arm.
const MIN_WORST_TASKS: usize = 3;

/// The most arms with blocks of their own, which keeps the page small enough to be mailed.
const MAX_DETAILED_ARMS: usize = 48;

/// The number of worst tasks shown per arm on a page with `arms` arms.
pub fn worst_tasks_shown(arms: usize) -> usize {
    (WORST_TASKS * FEW_ARMS / arms.max(1)).clamp(MIN_WORST_TASKS, WORST_TASKS)
}

/// The whole page; `manifest` is the result of [`super::manifest::manifest`].
pub fn page(record: &RunRecord, manifest: &Json) -> String {
    let answer = headline::build_headline(record);
    let several = record.arms.len() > 1;
    let sections: Vec<PageSection> = [
        Some(PageSection::new("arms", "Arms", "The arms compared", arms::section(record))),
        rankings::section(record)
            .map(|s| PageSection::new("order", "Order", "The order of the arms", s)),
        exceedance_curve::section(record)
            .map(|s| PageSection::new("years", "Years", "What a year can cost", s)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let by_arm: Vec<PageSection> = [
        Some(PageSection::new("steps", "Steps", "Where it goes wrong", graph::section(record))),
        Some(PageSection::new(
            "flow",
            "Flow",
            "From the first error to the end",
            flow::section(record),
        )),
        tornado::section(record)
            .map(|s| PageSection::new("hangs", "Tornado", "What it depends on", s)),
        Some(PageSection::new("tasks", "Tasks", "The worst tasks", tasks::section(record))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let last = [
        PageSection::new("right", "Right", "What counts as right", right_actions::section(record)),
        PageSection::new(
            "assumed",
            "Assumptions",
            "What is assumed",
            assumptions::section(manifest),
        ),
        PageSection::new(
            "method",
            "Method",
            "How it was computed",
            method::section(record, manifest),
        ),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(security_policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (record.scenario) ": what fails, where and why" }
                style { (PreEscaped(STYLE)) (PreEscaped(arm_switch_rules(record))) }
            }
            body {
                header {
                    p.eyebrow { "knockon " span { (record.scenario) } }
                    h1 { (answer.headline) }
                    @for sentence in &answer.more { p.lede { (sentence) } }
                    @for sentence in reader_sentences(record) { p.about { (sentence) } }
                    @if !record.description.is_empty() { p.about { (record.description) } }
                    nav aria-label="On this page" {
                        @for section in sections.iter().chain(&by_arm).chain(&last) { a href={ "#" (section.id) } { (section.short) } }
                    }
                }
                main {
                    @for section in &sections { (section.markup()) }
                    div.per-arm {
                        @if several { (arm_switch(record, answer.best)) }
                        @for section in &by_arm { (section.markup()) }
                    }
                    @for section in &last { (section.markup()) }
                }
                footer { p { "Written by knockon " (env!("CARGO_PKG_VERSION")) ". The CSV files beside this page have the tables in full." } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    // Escaping keeps control characters; they are made visible in the finished text.
    visible(&page.into_string()).into_owned()
}

/// A section of the page: its anchor, its name in the navigation, its heading and its content.
struct PageSection {
    id: &'static str,
    short: &'static str,
    title: &'static str,
    body: Markup,
}

impl PageSection {
    fn new(
        id: &'static str,
        short: &'static str,
        title: &'static str,
        body: Markup,
    ) -> PageSection {
        PageSection { id, short, title, body }
    }

    fn markup(&self) -> Markup {
        html! {
            section id=(self.id) aria-labelledby={ (self.id) "-title" } {
                h2 id={ (self.id) "-title" } { (self.title) }
                (self.body)
            }
        }
    }
}

/// The Content-Security-Policy: no requests, and no script but the page's own, identified by its hash.
fn security_policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    )
}

/// The style rules by which a radio button hides the blocks of all other arms. A browser without `:has` shows all
/// blocks.
fn arm_switch_rules(record: &RunRecord) -> String {
    match record.arms.len() {
        0 | 1 => String::new(),
        _ => detailed_arms(record)
            .into_iter()
            .map(|at| {
                format!(".per-arm:has(#arm-{at}:checked) .arm:not(.arm-{at}){{display:none}}\n")
            })
            .collect(),
    }
}

/// The radio buttons that select the arm to show.
fn arm_switch(record: &RunRecord, shown: usize) -> Markup {
    let detailed = detailed_arms(record);
    html! {
        fieldset.switch {
            legend { "Arm shown below" }
            @for &at in &detailed {
                input type="radio" name="arm" id={ "arm-" (at) } value=(at) checked[at == shown];
                label for={ "arm-" (at) } { (record.arms[at].id) @if record.baseline == Some(at) { " (baseline)" } }
            }
        }
        @if detailed.len() < record.arms.len() {
            p.note {
                "Of " (record.arms.len()) " arms, the " (detailed.len()) " best, the baseline among them, are shown one by one; the CSV files \
                 have all of them."
            }
        }
    }
}

/// The arms with blocks of their own, in ascending order: all, or the baseline and the best if there are too many.
fn detailed_arms(record: &RunRecord) -> Vec<usize> {
    if record.arms.len() <= MAX_DETAILED_ARMS {
        return (0..record.arms.len()).collect();
    }
    let all = 0..record.arms.len();
    // Arms without a rank come last, after all ranked ones.
    let best = record.baseline.into_iter().chain(headline::ranked_arms(record)).chain(all);
    let best: IndexSet<usize> = best.collect();
    let mut arms: Vec<usize> = best.into_iter().take(MAX_DETAILED_ARMS).collect();
    arms.sort_unstable();
    arms
}

/// One block for each arm of [`detailed`]; the page shows one block at a time.
fn arm_blocks(record: &RunRecord, block: impl Fn(usize, &ArmRecord) -> Markup) -> Markup {
    html! {
        @for at in detailed_arms(record) {
            div class={ "arm arm-" (at) } {
                h3 { (record.arms[at].id) }
                (block(at, &record.arms[at]))
            }
        }
    }
}

/// Wraps content that may be wider than a phone in a box that scrolls, by keyboard too.
fn scroll_box(label: &str, content: &Markup) -> Markup {
    html! { div.wide tabindex="0" role="region" aria-label=(label) { (content) } }
}
