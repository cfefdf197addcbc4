//! Formats the search preview (`knockon search`): what a retrieve step finds for a query, as a table and as JSON.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::run::search_preview::{PreviewedPassage, PreviewedQuery, SearchPreview};

/// Characters of a passage's text that the table shows.
const SNIPPET: usize = 60;

/// The whole preview as JSON, with full passage texts.
///
/// # Errors
/// None that a preview can cause.
pub fn json(look: &SearchPreview) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(look)? + "\n")
}

/// One table per query, with a heading and the ranks of gold passages that are not shown.
pub fn text(look: &SearchPreview) -> String {
    let task = look.task.as_ref().map_or_else(String::new, |task| format!(", task {task}"));
    let mut blocks = vec![format!(
        "{}, step {}, arm {}{task}: {} in {}, {} passed on",
        look.scenario, look.step, look.arm, look.embedder, look.corpus, look.top_k
    )];
    if let Some(entity) = &look.entity {
        blocks.push(format!("Only passages of {entity} are searched."));
    }
    if look.unfiltered {
        blocks.push(
            "The step searches one entity's passages; without a task all are searched here."
                .to_owned(),
        );
    }
    for search in &look.searches {
        blocks.push(String::new());
        blocks.push(format!("\"{}\"", search.query));
        blocks.push(match search.found.is_empty() {
            true => "Nothing was found.".to_owned(),
            false => table(look, search).to_string(),
        });
        for missed in &search.missed {
            blocks.push(match missed.rank {
                Some(rank) => format!("gold {} is at rank {rank}", missed.passage),
                None => format!("gold {} is not among the first {}", missed.passage, search.depth),
            });
        }
    }
    if look.task.is_some() {
        blocks.push(LEGEND.to_owned());
    }
    blocks.join("\n") + "\n"
}

const LEGEND: &str = "\
right: `gold`, or the kind of miss that the passage makes where it ranks first and gold is not passed on.";

fn table(look: &SearchPreview, search: &PreviewedQuery) -> Table {
    let judged = look.task.is_some();
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.force_no_tty();
    let mut header = vec!["rank", "on", "score", "right", "passage", "entity", "attribute", "text"];
    if !judged {
        // Without a task there is no gold to judge by.
        header.retain(|name| *name != "right");
    }
    table.set_header(header);
    for found in &search.found {
        let mut row = vec![
            found.rank.to_string(),
            if found.rank <= look.top_k { "*" } else { "" }.to_owned(),
            format!("{:.3}", found.score),
        ];
        if judged {
            row.push(relevance(found).to_owned());
        }
        row.extend([
            found.passage.clone(),
            found.entity.clone().unwrap_or_default(),
            found.attribute.clone().unwrap_or_default(),
            snippet(&found.text),
        ]);
        table.add_row(row);
    }
    for column in [0, 2] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// `gold`, or the kind of miss that the passage would make; empty if neither.
fn relevance(found: &PreviewedPassage) -> &'static str {
    match (found.gold, found.miss_kind) {
        (Some(true), _) => "gold",
        (_, Some(kind)) => kind.name(),
        _ => "",
    }
}

/// The first [`SNIPPET`] characters of a text, on one line.
fn snippet(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Cut by characters: a byte index could split a character.
    match line.char_indices().nth(SNIPPET) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
