//! Explanations of mistake codes: the sections of docs/src/mistakes.md, which is a page of the guide and also the text
//! of `check --explain`.

use crate::expr::suggest;

const PAGE: &str = include_str!("../../docs/src/mistakes.md");

/// The explanation of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiagnosticExplanation {
    /// The code, as in `error[unknown-key]`.
    pub code: &'static str,
    /// What it means, an example in a fenced block, and how to fix it; in Markdown.
    pub text: &'static str,
}

/// The explanations of all codes, in the order of the page.
pub fn explanations() -> impl Iterator<Item = DiagnosticExplanation> {
    // The text before the first section is the page's introduction.
    PAGE.split("\n## ").skip(1).filter_map(|section| {
        let (code, text) = section.split_once('\n')?;
        Some(DiagnosticExplanation { code: code.trim(), text: text.trim() })
    })
}

/// The explanation of one code.
///
/// # Errors
/// Fails for an unknown code; the message suggests the most similar one.
pub fn explain(code: &str) -> anyhow::Result<DiagnosticExplanation> {
    explanations().find(|explanation| explanation.code == code).ok_or_else(|| {
        let near = suggest(code, explanations().map(|explanation| explanation.code));
        let near = near.map(|near| format!("; {near}")).unwrap_or_default();
        anyhow::anyhow!("there is no code `{code}`{near}; `knockon check --explain` lists all")
    })
}

impl DiagnosticExplanation {
    /// The first sentence of the text.
    pub fn first_sentence(&self) -> String {
        let paragraph = self.text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        match paragraph.split_once(". ") {
            Some((first, _)) => format!("{first}."),
            None => paragraph,
        }
    }

    /// The YAML of the first example: parts of a scenario.
    pub fn example(&self) -> Option<&'static str> {
        self.text.split("```yaml\n").nth(1)?.split("```").next()
    }

    /// Plain text for a terminal, with the example indented instead of fenced.
    pub fn plain(&self) -> String {
        let mut lines = Vec::new();
        let mut fenced = false;
        for line in self.text.lines() {
            match (line.starts_with("```"), fenced) {
                (true, _) => fenced = !fenced,
                (false, true) => lines.push(format!("    {line}")),
                (false, false) => lines.push(line.to_owned()),
            }
        }
        format!("{}\n\n{}\n", self.code, lines.join("\n"))
    }
}
