//! The README and the guide, run as a reader would: every `sh` block and every `$` line of a `console` block, page by page,
//! each page in a fresh copy of what a clone has. What is printed below a `$` line has to be what comes out.
//!
//! A comment before a block keeps it from running, for a reason that whoever edits the page can see:
//!
//! - `<!-- not run: REASON -->`: it needs the network or something of the reader's own;
//! - `<!-- long: REASON -->`: it runs only where $KNOCKON_DOCS is `all`, as in CI, for without optimisation it takes
//!   minutes. What it prints is not compared: the last bits of a transformer may differ between processors.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PAGES: [&str; 2] = ["README.md", "scenarios/README.md"];

struct Block {
    line: usize,
    language: String,
    text: String,
    /// The comment right before it.
    comment: Option<String>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut open, mut comment) = (false, None);
    for (at, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(language), false) => {
                let (language, comment) = (language.to_owned(), comment.take());
                blocks.push(Block { line: at + 1, language, text: String::new(), comment });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) => {
                let inside = line.strip_prefix("<!-- ").and_then(|l| l.strip_suffix(" -->"));
                comment = inside.map(str::to_owned);
            }
        }
    }
    blocks
}

/// Runs a script with the program first in PATH.
fn sh(folder: &Path, script: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_knockon"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    // Vectors are cached by content: pages may share them, and none is embedded twice.
    let cache = std::env::var_os("KNOCKON_CACHE")
        .unwrap_or_else(|| concat!(env!("CARGO_TARGET_TMPDIR"), "/docs").into());
    Command::new("sh")
        .args(["-eu", "-c", script])
        .current_dir(folder)
        .env("PATH", path)
        .env("KNOCKON_CACHE", cache)
        .output()
        .unwrap()
}

/// What the lines below each `$` line say, next to what came out; `...` stands for any lines.
fn differs(shown: &[&str], out: &str) -> Option<String> {
    let mut rest = out.lines();
    let mut skips = false;
    for line in shown {
        if *line == "..." {
            skips = true;
            continue;
        }
        let found = if skips { rest.find(|l| l == line) } else { rest.next() };
        if found != Some(line) {
            return Some(format!("the page shows\n  {line}\nand out came\n{out}"));
        }
        skips = false;
    }
    None
}

/// Runs the commands of a console block, and compares.
fn console(folder: &Path, text: &str, compare: bool) -> Result<(), String> {
    let lines: Vec<&str> = text.lines().collect();
    let starts: Vec<usize> = (0..lines.len()).filter(|&at| lines[at].starts_with("$ ")).collect();
    for (n, &start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).copied().unwrap_or(lines.len());
        let output = sh(folder, &lines[start][2..]);
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        // A page may end before the output does.
        let difference = differs(&lines[start + 1..end], &out);
        if let Some(difference) = difference.filter(|_| compare) {
            return Err(format!("{}: {difference}", lines[start]));
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.path() {
            // Imported data is not what a clone has.
            path if path.ends_with("scenarios/cuad") || path.ends_with("scenarios/tatqa") => {}
            path if path.is_dir() => copy(&path, &target),
            path => drop(std::fs::copy(path, target).unwrap()),
        }
    }
}

fn pages() -> Vec<PathBuf> {
    let guide = std::fs::read_dir("docs/src").unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = PAGES.iter().map(PathBuf::from).chain(guide).collect();
    pages.sort();
    pages
}

#[test]
fn every_command_of_the_pages_runs() {
    let all = std::env::var("KNOCKON_DOCS").is_ok_and(|value| value == "all");
    let (mut ran, mut skipped, mut wrong) = (0, 0, Vec::new());
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let folder = tempfile::tempdir().unwrap();
        copy(Path::new("scenarios"), &folder.path().join("scenarios"));
        // A page's `cd` holds for the blocks after it, as it does for its reader.
        let mut here = folder.path().to_owned();
        for block in blocks(&text) {
            if !["sh", "console"].contains(&block.language.as_str()) {
                continue;
            }
            let reason = block.comment.as_deref().unwrap_or_default();
            if reason.starts_with("not run: ") || (reason.starts_with("long: ") && !all) {
                println!("skipped: {}:{}: {reason}", page.display(), block.line);
                skipped += 1;
                continue;
            }
            let result = if block.language == "sh" {
                let script = format!("{}\npwd > {}/here", block.text, folder.path().display());
                let output = sh(&here, &script);
                let told = String::from_utf8_lossy(&output.stderr).into_owned();
                if output.status.success() { Ok(()) } else { Err(told) }
            } else {
                console(&here, &block.text, !reason.starts_with("long: "))
            };
            if let Ok(now) = std::fs::read_to_string(folder.path().join("here")) {
                here = now.trim_end().into();
            }
            ran += 1;
            if let Err(told) = result {
                wrong.push(format!("{}:{}: {told}", page.display(), block.line));
            }
        }
    }
    println!("{ran} blocks ran, {skipped} did not");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(ran > 10, "only {ran} blocks ran");
}

#[test]
fn the_shortest_scenario_of_the_readme_runs() {
    let folder = tempfile::tempdir().unwrap();
    let readme = std::fs::read_to_string("README.md").unwrap();
    let files = [
        ("notice.yaml", "# yaml-language-server"),
        ("passages.jsonl", "{\"id\": \"p1\""),
        ("tasks.csv", "id,contract,"),
    ];
    for (name, start) in files {
        let block = blocks(&readme).into_iter().find(|block| block.text.starts_with(start));
        let text = block.unwrap_or_else(|| panic!("the README shows no {name}")).text;
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let run = sh(folder.path(), "knockon run notice.yaml");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn the_guide_has_all_its_pages_and_no_broken_link() {
    let link = regex::Regex::new(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)").unwrap();
    let summary = std::fs::read_to_string("docs/src/SUMMARY.md").unwrap();
    let mut broken = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let beside = page.parent().unwrap();
        for found in link.captures_iter(&text).map(|c| c.extract::<1>().1[0]) {
            if !beside.join(found).is_file() {
                broken.push(format!("{}: {found}", page.display()));
            }
        }
        let name = page.file_name().unwrap().to_str().unwrap();
        if page.starts_with("docs/src") && name != "SUMMARY.md" && !summary.contains(name) {
            broken.push(format!("SUMMARY.md does not list {name}"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_defaults_page_is_what_the_code_has() {
    let committed = std::fs::read_to_string("docs/src/defaults.md").unwrap_or_default();
    assert!(
        committed == knockon::report::defaults::page().unwrap(),
        "docs/src/defaults.md is stale; renew it with\n  cargo run -- defaults > docs/src/defaults.md"
    );
}

/// Every column of every CSV of a run stands in the dictionary, in the section of its file.
#[test]
fn every_column_is_explained() {
    let dictionary = std::fs::read_to_string("reports/README.md").unwrap();
    let (general, _) = dictionary.split_once("\n## ").unwrap();
    let quoted = regex::Regex::new("`([a-z_0-9]+)`").unwrap();
    let general: BTreeSet<&str> =
        quoted.captures_iter(general).map(|c| c.extract::<1>().1[0]).collect();
    let folder = tempfile::tempdir().unwrap();
    let script =
        "knockon init; knockon run scenario.yaml --out out; knockon plan scenario.yaml --out out";
    assert!(sh(folder.path(), script).status.success());
    let (mut files, mut unexplained) = (0, Vec::new());
    for entry in std::fs::read_dir(folder.path().join("out")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "csv") {
            continue;
        }
        files += 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        let section = dictionary.split("\n## ").find(|s| s.starts_with(&format!("{name}:")));
        let section = section.unwrap_or_else(|| panic!("reports/README.md has no section {name}"));
        let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
        let explained: BTreeSet<&str> = rows.flat_map(|cell| cell.split(", ")).collect();
        for column in csv::Reader::from_path(&path).unwrap().headers().unwrap() {
            if !explained.contains(column) && !general.contains(column) {
                unexplained.push(format!("{name}: {column}"));
            }
        }
    }
    assert!(files > 15, "{files} files");
    // And what the guide sends its readers to is there.
    let names = regex::Regex::new("`([a-z_0-9.]+)`").unwrap();
    let guide = std::fs::read_to_string("docs/src/reports.md").unwrap();
    for row in guide.lines().filter(|line| line.starts_with("| ") && line.contains(".csv`")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let all = |cell| names.captures_iter(cell).map(|c| c.extract::<1>().1[0]);
        let sections: Vec<&str> = dictionary
            .split("\n## ")
            .filter(|s| all(cells[1]).any(|file| s.starts_with(&format!("{file}:"))))
            .collect();
        for column in all(cells[2]).filter(|c| !sections.iter().any(|s| s.contains(c))) {
            unexplained.push(format!("docs/src/reports.md: {column}, of {}", cells[1]));
        }
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
}
