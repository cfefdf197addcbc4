//! Runs the README and the guide as a reader would: every `sh` block and every `$` line of a `console` block, page by
//! page, each page in a fresh copy of a clone. The lines below a `$` line must equal the output.
//!
//! A comment before a block changes how it is treated:
//!
//! - `<!-- not run: REASON -->`: it needs the network or something of the reader's own;
//! - `<!-- long: REASON -->`: it runs only if $KNOCKON_DOCS is `all`, as in CI, because it takes minutes without
//!   optimisation;
//! - `<!-- output of: COMMAND -->`, `<!-- long output of: COMMAND -->`: the block shows the output of the command.
//!
//! A number in running text is `<!-- figure: FILE COLUMN=VALUE ... COLUMN FORMAT -->12.3%<!-- end -->`: the cell of a
//! CSV that the commands before it wrote. Numbers of long blocks may differ slightly, because the last bits of a
//! transformer do.
//!
//! With KNOCKON_FIGURES=renew the pages are not compared but updated with the output (`just figures`).

mod output;
mod page;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use output::{Tolerance, difference, renewed};
use page::{Block, Treatment, blocks, figures};

const PAGES: [&str; 2] = ["README.md", "scenarios/README.md"];

/// Runs a script with the program first in PATH.
fn sh(folder: &Path, script: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_knockon"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    // Vectors are cached by content, so pages share them and nothing is embedded twice.
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

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.path() {
            // A clone does not contain imported data.
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

/// A page whose blocks are being run, with the problems found so far.
struct PageRun {
    page: PathBuf,
    text: String,
    /// The folder in which the next block runs: a `cd` applies to all later blocks of the page.
    here: PathBuf,
    /// Replacements of lines, in page order.
    edits: Vec<(std::ops::Range<usize>, Vec<String>)>,
    wrong: Vec<String>,
    skipped: Vec<String>,
    ran: usize,
}

impl PageRun {
    fn run(page: &Path, folder: &Path, long_too: bool) -> PageRun {
        let text = std::fs::read_to_string(page).unwrap();
        let mut page_run = PageRun {
            page: page.to_owned(),
            here: folder.to_owned(),
            edits: Vec::new(),
            wrong: Vec::new(),
            skipped: Vec::new(),
            ran: 0,
            text,
        };
        for block in blocks(&page_run.text) {
            let place = format!("{}:{}", page.display(), block.line);
            match block.treatment() {
                None => {}
                Some(Treatment::Skip(reason)) => {
                    page_run.skipped.push(format!("{place}: {reason}"))
                }
                Some(Treatment::Run { long: true } | Treatment::Output { long: true, .. })
                    if !long_too =>
                {
                    page_run.skipped.push(format!("{place}: long"));
                }
                Some(treatment) => {
                    page_run.ran += 1;
                    if let Err(why) = page_run.block(&block, treatment, folder) {
                        page_run.wrong.push(format!("{place}: {why}"));
                    }
                }
            }
        }
        page_run
    }

    fn block(&mut self, block: &Block, treatment: Treatment, folder: &Path) -> Result<(), String> {
        let lines: Vec<&str> = block.text.lines().collect();
        match treatment {
            Treatment::Output { command, long } => {
                let out = self.shell(&command)?;
                self.compare(&lines, block.lines.clone(), &out, long)
                    .map_err(|why| format!("{command}: {why}"))
            }
            Treatment::Run { .. } if block.language == "sh" => {
                let script = format!("{}\npwd > {}/here", block.text, folder.display());
                self.shell(&script)?;
                let here = std::fs::read_to_string(folder.join("here")).unwrap();
                self.here = here.trim_end().into();
                Ok(())
            }
            Treatment::Run { long } => {
                let commands: Vec<usize> =
                    (0..lines.len()).filter(|&at| lines[at].starts_with("$ ")).collect();
                for (n, &start) in commands.iter().enumerate() {
                    let end = commands.get(n + 1).copied().unwrap_or(lines.len());
                    let out = self.shell(&lines[start][2..])?;
                    let place = block.lines.start + start + 1..block.lines.start + end;
                    self.compare(&lines[start + 1..end], place, &out, long)
                        .map_err(|why| format!("{}: {why}", lines[start]))?;
                }
                Ok(())
            }
            Treatment::Skip(_) => Ok(()),
        }
    }

    fn shell(&self, script: &str) -> Result<String, String> {
        let output = sh(&self.here, script);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() { Ok(out) } else { Err(error) }
    }

    /// Compares the lines `place` of the page with the output.
    fn compare(
        &mut self,
        shown: &[&str],
        place: std::ops::Range<usize>,
        out: &str,
        long: bool,
    ) -> Result<(), String> {
        let tolerance = if long { Tolerance::Transformer } else { Tolerance::Exact };
        let Some(difference) = difference(shown, out, tolerance) else { return Ok(()) };
        if !renews() {
            return Err(difference);
        }
        let lines = renewed(shown, out)?.into_iter().map(str::to_owned).collect();
        self.edits.push((place, lines));
        Ok(())
    }

    /// The page with the actual output, including figures in running text.
    fn finish(mut self) -> PageRun {
        let mut lines: Vec<String> = self.text.lines().map(str::to_owned).collect();
        for (place, new) in self.edits.drain(..).rev() {
            lines.splice(place, new);
        }
        let mut text = lines.join("\n") + "\n";
        let found = figures(&text).unwrap_or_else(|why| {
            self.wrong.push(format!("{}: {why}", self.page.display()));
            Vec::new()
        });
        for figure in found.iter().rev() {
            let place = format!("{}:{}", self.page.display(), figure.line);
            if !self.here.join(&figure.file).exists() && !self.skipped.is_empty() {
                self.skipped.push(format!("{place}: {} was not written", figure.file));
                continue;
            }
            match figure.compute(&self.here) {
                Ok(value) if renews() => text.replace_range(figure.place.clone(), &value),
                // The last bits of a transformer differ between processors, and with them a figure's last digit.
                Ok(value)
                    if difference(&[&figure.shown], &value, Tolerance::Transformer).is_some() =>
                {
                    self.wrong.push(format!(
                        "{place}: the page says {}, and {} has {value}",
                        figure.shown, figure.file
                    ));
                }
                Ok(_) => {}
                Err(why) => self.wrong.push(format!("{place}: {why}")),
            }
        }
        if renews() && text != self.text {
            std::fs::write(&self.page, &text).unwrap();
            println!("renewed: {}", self.page.display());
        }
        self
    }
}

fn renews() -> bool {
    std::env::var("KNOCKON_FIGURES").is_ok_and(|value| value == "renew")
}

#[test]
fn every_command_of_the_pages_runs_and_every_figure_is_fresh() {
    let all = std::env::var("KNOCKON_DOCS").is_ok_and(|value| value == "all");
    let (mut ran, mut skipped, mut wrong) = (0, 0, Vec::new());
    for page in pages() {
        let folder = tempfile::tempdir().unwrap();
        copy(Path::new("scenarios"), &folder.path().join("scenarios"));
        let page_run = PageRun::run(&page, folder.path(), all).finish();
        page_run.skipped.iter().for_each(|place| println!("skipped: {place}"));
        ran += page_run.ran;
        skipped += page_run.skipped.len();
        wrong.extend(page_run.wrong);
    }
    println!("{ran} blocks ran, {skipped} blocks and figures did not");
    assert!(wrong.is_empty(), "{}\nRenew the figures with: just figures", wrong.join("\n\n"));
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
fn the_guide_lists_all_its_pages_and_has_no_broken_link() {
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

/// A table that no command updates states when and by what it was recorded.
#[test]
fn recorded_tables_say_so() {
    let page = std::fs::read_to_string("docs/src/tradeoff.md").unwrap();
    let mut inside = false;
    let mut tables = 0;
    let lines: Vec<&str> = page.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        inside ^= line.starts_with("```");
        if inside || !line.starts_with('|') || lines[at - 1].starts_with('|') {
            continue;
        }
        tables += 1;
        let before = lines[..at].iter().rev().take(3).any(|line| line.starts_with("*Recorded on "));
        assert!(before, "docs/src/tradeoff.md:{}: when was this recorded?", at + 1);
    }
    assert!(tables >= 7, "{tables}");
}

/// If a file is renamed or split, the docs for contributors must name the new file.
#[test]
fn files_named_in_the_contributor_docs_exist() {
    let page = std::fs::read_to_string("CONTRIBUTING.md").unwrap();
    let quoted = regex::Regex::new(r"`([a-z_./]+(?:/|\.rs|\.md|\.toml|\.yaml))`").unwrap();
    let named: Vec<&str> = quoted.captures_iter(&page).map(|c| c.extract::<1>().1[0]).collect();
    assert!(named.len() > 30, "{named:?}");
    let there =
        |name: &str| ["", "src", "src/world"].iter().any(|at| Path::new(at).join(name).exists());
    let missing: Vec<&str> = named.into_iter().filter(|name| !there(name)).collect();
    assert!(missing.is_empty(), "CONTRIBUTING.md names what is not there: {missing:?}");
}

#[test]
fn the_defaults_page_matches_the_code() {
    let committed = std::fs::read_to_string("docs/src/defaults.md").unwrap_or_default();
    assert!(
        committed == knockon::report::defaults::page().unwrap(),
        "docs/src/defaults.md is stale; renew it with\n  cargo run -- defaults > docs/src/defaults.md"
    );
}

#[test]
fn the_page_of_columns_matches_the_code() {
    let committed = std::fs::read_to_string("reports/README.md").unwrap_or_default();
    assert!(
        committed == knockon::cli::columns::page().unwrap(),
        "reports/README.md is stale; renew it with\n  cargo run -- columns > reports/README.md"
    );
}

/// The columns of the files that a run and a plan write are those that `columns.csv` lists, in the same order.
#[test]
fn columns_csv_lists_every_column() {
    let folder = tempfile::tempdir().unwrap();
    let script =
        "knockon init; knockon run scenario.yaml --out out; knockon plan scenario.yaml --out out";
    assert!(sh(folder.path(), script).status.success());
    let out = folder.path().join("out");
    let mut listed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in ["columns.csv", "plan.columns.csv"] {
        for row in csv::Reader::from_path(out.join(name)).unwrap().records() {
            let row = row.unwrap();
            assert!(row.iter().all(|cell| !cell.is_empty()), "{name}: {row:?}");
            listed.entry(row[0].to_owned()).or_default().push(row[1].to_owned());
        }
    }
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(&out).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "csv") {
            let headers = csv::Reader::from_path(&path).unwrap().headers().unwrap().clone();
            let columns: Vec<String> = headers.iter().map(str::to_owned).collect();
            files.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), columns);
        }
    }
    assert!(files.len() > 15, "{} files", files.len());
    assert_eq!(listed, files);
}

#[test]
fn columns_named_in_the_guide_exist() {
    let dictionary = std::fs::read_to_string("reports/README.md").unwrap();
    let mut unknown = Vec::new();
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
            unknown.push(format!("docs/src/reports.md: {column}, of {}", cells[1]));
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}
