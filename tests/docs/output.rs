//! Compares the output of a command shown on a page with its current output. `...` matches any lines.

/// How exactly the two must agree.
#[derive(Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// Identical text.
    Exact,
    /// Numbers may differ by 2% or by two units of their last digit: the last bits of a transformer depend on the processor.
    Transformer,
}

/// The first line that differs, or `None`.
pub fn difference(shown: &[&str], out: &str, tolerance: Tolerance) -> Option<String> {
    let mut rest = out.lines();
    let mut skips = false;
    for line in shown {
        if *line == "..." {
            skips = true;
            continue;
        }
        let equal = |found: &&str| match tolerance {
            Tolerance::Exact => found == line,
            Tolerance::Transformer => close(found, line),
        };
        let found = if skips { rest.find(equal) } else { rest.next().filter(equal) };
        if found.is_none() {
            return Some(format!("the page shows\n  {line}\nand the command printed\n{out}"));
        }
        skips = false;
    }
    None
}

/// The corresponding lines of the current output: the same number of lines, with those after `...` matched by their
/// words.
pub fn renewed<'a>(shown: &[&'a str], out: &'a str) -> Result<Vec<&'a str>, String> {
    let out: Vec<&str> = out.lines().collect();
    let (mut renewed, mut at) = (Vec::new(), 0);
    for (n, segment) in shown.split(|line| *line == "...").enumerate() {
        if n > 0 {
            renewed.push("...");
        }
        let Some(first) = segment.first() else { continue };
        if n > 0 {
            let likeness = |line: &str| strsim::normalized_levenshtein(&words(line), &words(first));
            let best = (at..out.len()).max_by(|&a, &b| {
                // Among equally good lines, the first.
                likeness(out[a]).total_cmp(&likeness(out[b])).then(b.cmp(&a))
            });
            at = best.ok_or_else(|| format!("nothing is left of the output for\n  {first}"))?;
        }
        let end = at + segment.len();
        let lines = out.get(at..end).ok_or_else(|| format!("the output ends before\n  {first}"))?;
        renewed.extend(lines);
        at = end;
    }
    Ok(renewed)
}

/// A line without its numbers and its column padding.
fn words(line: &str) -> String {
    let numbers = regex::Regex::new(r"[0-9][0-9,.]*").unwrap();
    let rules = regex::Regex::new(r"-{2,}| {2,}").unwrap();
    rules.replace_all(&numbers.replace_all(line, "#"), " ").into_owned()
}

fn close(a: &str, b: &str) -> bool {
    let numbers = regex::Regex::new(r"[0-9][0-9,]*(?:\.[0-9]+)?").unwrap();
    let values = |line: &str| -> Vec<(f64, f64)> {
        let parse = |number: regex::Match| {
            let text = number.as_str().replace(',', "");
            let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            (text.parse().unwrap(), 0.1f64.powi(decimals as i32))
        };
        numbers.find_iter(line).map(parse).collect()
    };
    let near = |((a, unit), (b, _)): (&(f64, f64), &(f64, f64))| {
        (a - b).abs() <= (2.0 * unit).max(0.02 * a.abs()) * (1.0 + 1e-9)
    };
    let (left, right) = (values(a), values(b));
    words(a) == words(b) && left.len() == right.len() && left.iter().zip(&right).all(near)
}

#[test]
fn a_shown_line_is_matched_by_its_words() {
    let shown = ["| arm | failure |", "...", "Best: a (12%)", "...", "end 3"];
    let out = "| arm  | failure |\n| a    |    1.0% |\nWorst: b (1%)\nBest: a (14%)\nmore\nend 4\n";
    let expected = ["| arm  | failure |", "...", "Best: a (14%)", "...", "end 4"];
    assert_eq!(renewed(&shown, out).unwrap(), expected);
    assert!(difference(&expected, out, Tolerance::Exact).is_none());
    assert!(difference(&shown, out, Tolerance::Exact).is_some());
    assert!(renewed(&["a", "b"], "a\n").is_err());
}

#[test]
fn transformer_numbers_may_differ_slightly() {
    let near = |a, b| difference(&[a], b, Tolerance::Transformer).is_none();
    assert!(near("| minilm | 46.0% | 12,000 |", "| minilm | 46.1% | 12,100 |"));
    assert!(!near("| minilm | 46.0% | 12,000 |", "| minilm | 48.0% | 12,000 |"));
    assert!(!near("| minilm | 46.0% |", "| bm25 | 46.0% |"));
    assert!(!near("best: a (1%)", "best: a (1%), b (2%)"));
}
