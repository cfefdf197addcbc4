//! The texts that a name can take, and comparisons that can never hold: `outcome == "stop"` is never true, because
//! there is no such outcome.

use std::collections::BTreeSet;
use std::ops::Range;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr as Node, LiteralValue, operators};

use super::parse::{ParsedExpression, children};
use super::suggestions::{same_but_for_spelling, suggest};

/// Maximum number of texts that a message lists.
const MAX_LISTED: usize = 12;

/// The texts that a name can take.
#[derive(Clone, Debug, PartialEq)]
pub struct NameValues {
    pub texts: PossibleTexts,
    /// Whether the list is complete by declaration; otherwise it is what the data currently contains.
    pub closed: bool,
    /// The subject of messages: `the rows of prices have`.
    pub subject: String,
}

/// A set of texts, listed or composed of parts.
#[derive(Clone, Debug, PartialEq)]
pub enum PossibleTexts {
    Any(BTreeSet<String>),
    /// The labels of each act step. An action has at most one label per step, joined by `+`, and ends in `stopped` if
    /// the run stops.
    Actions(Vec<BTreeSet<String>>),
}

/// The part of an action that says that the run stopped.
const STOPPED: &str = "stopped";

impl NameValues {
    /// All possible texts.
    pub fn closed(texts: impl IntoIterator<Item = String>, whose: impl Into<String>) -> NameValues {
        NameValues {
            texts: PossibleTexts::Any(texts.into_iter().collect()),
            closed: true,
            subject: whose.into(),
        }
    }

    /// The texts that the data contains.
    pub fn open(texts: impl IntoIterator<Item = String>, whose: impl Into<String>) -> NameValues {
        NameValues { closed: false, ..NameValues::closed(texts, whose) }
    }

    /// Whether the name can take this text.
    pub fn contains(&self, text: &str) -> bool {
        match &self.texts {
            PossibleTexts::Any(texts) => texts.contains(text),
            PossibleTexts::Actions(steps) => is_action(steps, text),
        }
    }

    /// The individual texts; for actions, the labels of all steps.
    pub fn words(&self) -> BTreeSet<&str> {
        match &self.texts {
            PossibleTexts::Any(texts) => texts.iter().map(String::as_str).collect(),
            PossibleTexts::Actions(steps) => {
                let labels = steps.iter().flatten().map(String::as_str);
                labels.chain([STOPPED]).collect()
            }
        }
    }

    /// The subject followed by the first texts, for messages.
    pub fn describe(&self) -> String {
        let words = self.words();
        let mut listed: Vec<&str> = words.iter().take(MAX_LISTED).copied().collect();
        let more = match words.len().saturating_sub(MAX_LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        if listed.is_empty() {
            listed.push("none");
        }
        let joined = match &self.texts {
            PossibleTexts::Actions(steps) if steps.len() > 1 => {
                ", joined by `+` if a run takes several"
            }
            _ => "",
        };
        format!("{}: {}{more}{joined}", self.subject, listed.join(", "))
    }

    fn map(&self, change: impl Fn(&str) -> String) -> Option<NameValues> {
        match &self.texts {
            PossibleTexts::Any(texts) => {
                let texts = PossibleTexts::Any(texts.iter().map(|text| change(text)).collect());
                Some(NameValues { texts, ..self.clone() })
            }
            PossibleTexts::Actions(_) => None,
        }
    }

    /// Whether any text satisfies `passes`; `None` if the parts of actions cannot decide it.
    fn any_passes(&self, part: &str, passes: impl Fn(&str) -> bool) -> Option<bool> {
        match &self.texts {
            PossibleTexts::Any(texts) => Some(texts.iter().any(|text| passes(text))),
            PossibleTexts::Actions(_) if part.contains('+') => None,
            PossibleTexts::Actions(_) => Some(self.words().into_iter().any(passes)),
        }
    }
}

/// Whether `text` is a possible action: labels in step order, at most one per step, then `stopped`.
fn is_action(steps: &[BTreeSet<String>], text: &str) -> bool {
    if text == STOPPED {
        return true;
    }
    steps.iter().enumerate().any(|(at, labels)| {
        labels.iter().any(|label| match text.strip_prefix(label.as_str()) {
            Some("") => true,
            Some(rest) => {
                rest.strip_prefix('+').is_some_and(|rest| is_action(&steps[at + 1..], rest))
            }
            None => false,
        })
    })
}

/// A text in an expression that can never equal what it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct ImpossibleComparison {
    /// The byte range of the text in the source.
    pub span: Range<usize>,
    pub message: String,
    pub label: String,
    pub help: Option<String>,
    /// See [`NameValues::closed`].
    pub closed: bool,
    /// A known text differs from this one only in case or white space, and does not itself occur in the expression.
    pub differs_in_spelling: bool,
}

/// Looks up the texts that a name can take; `None` if any text is possible.
pub type NameValuesLookup<'a> = dyn Fn(&str) -> Option<NameValues> + 'a;

impl ParsedExpression {
    /// The comparisons that can never hold, in source order.
    pub fn impossible_comparisons(&self, values: &NameValuesLookup) -> Vec<ImpossibleComparison> {
        let mut found = Vec::new();
        let mut pending = vec![&self.tree];
        while let Some(node) = pending.pop() {
            if let Node::Call(call) = &node.expr {
                self.check_comparison(call, values, &mut found);
            }
            children(node, &mut |child| pending.push(child));
        }
        found.sort_by_key(|never: &ImpossibleComparison| (never.span.start, never.span.end));
        found
    }

    /// The texts that the expression can evaluate to; `None` if any text is possible.
    pub fn possible_texts(&self, values: &NameValuesLookup) -> Option<NameValues> {
        possible_values(&self.tree, values)
    }

    fn check_comparison(
        &self,
        call: &CallExpr,
        values: &NameValuesLookup,
        found: &mut Vec<ImpossibleComparison>,
    ) {
        let name = call.func_name.as_str();
        match (&call.target, call.args.as_slice(), name) {
            (None, [a, b], operators::EQUALS | operators::NOT_EQUALS) => {
                for (literal, other) in [(a, b), (b, a)] {
                    if let (Some(text), Some(values)) =
                        (text_literal(literal), non_literal_values(other, values))
                    {
                        let always = name == operators::NOT_EQUALS;
                        found.extend(
                            self.impossible_comparison(literal, text, other, &values, always),
                        );
                    }
                }
            }
            (None, [a, b], operators::IN) => {
                if let (Node::List(list), Some(values)) = (&b.expr, non_literal_values(a, values)) {
                    for literal in &list.elements {
                        let text = text_literal(literal);
                        found.extend(text.and_then(|t| {
                            self.impossible_comparison(literal, t, a, &values, false)
                        }));
                    }
                }
            }
            (Some(target), [part], "contains" | "startsWith" | "endsWith" | "matches") => {
                if let (Some(part_text), Some(values)) =
                    (text_literal(part), non_literal_values(target, values))
                {
                    let pattern = regex::Regex::new(part_text).ok();
                    let passes = values.any_passes(part_text, |text: &str| match name {
                        "contains" => text.contains(part_text),
                        "startsWith" => text.starts_with(part_text),
                        "endsWith" => text.ends_with(part_text),
                        _ => pattern.as_ref().is_none_or(|pattern| pattern.is_match(text)),
                    });
                    if passes == Some(false) {
                        let target = self.text_of(target);
                        found.push(ImpossibleComparison {
                            span: self.span(part),
                            message: format!("`{target}.{name}(\"{part_text}\")` is never true"),
                            label: values.describe(),
                            help: suggest(part_text, values.words()),
                            closed: values.closed,
                            differs_in_spelling: false,
                        });
                    }
                }
            }
            _ => {}
        }
    }

    fn impossible_comparison(
        &self,
        literal: &IdedExpr,
        text: &str,
        other: &IdedExpr,
        values: &NameValues,
        always: bool,
    ) -> Option<ImpossibleComparison> {
        if values.contains(text) {
            return None;
        }
        let other = self.text_of(other);
        let so = if always { ", so this is always true" } else { "" };
        let near = values.words().into_iter().find(|word| same_but_for_spelling(word, text));
        Some(ImpossibleComparison {
            span: self.span(literal),
            message: format!("`{other}` is never \"{text}\"{so}"),
            label: values.describe(),
            help: near
                .map(|near| format!("did you mean `{near}`?"))
                .or_else(|| suggest(text, values.words())),
            closed: values.closed,
            differs_in_spelling: near.is_some_and(|near| !self.contains_text(near)),
        })
    }

    /// Whether the text occurs in the expression. An author who lists several spellings means each of them.
    fn contains_text(&self, wanted: &str) -> bool {
        let mut pending = vec![&self.tree];
        while let Some(node) = pending.pop() {
            if text_literal(node) == Some(wanted) {
                return true;
            }
            children(node, &mut |child| pending.push(child));
        }
        false
    }

    fn text_of(&self, node: &IdedExpr) -> &str {
        &self.source[self.span(node)]
    }
}

/// The content of a text literal.
fn text_literal(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Node::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// Like [`of`], but `None` for a text literal.
fn non_literal_values(node: &IdedExpr, values: &NameValuesLookup) -> Option<NameValues> {
    if text_literal(node).is_some() { None } else { possible_values(node, values) }
}

fn possible_values(node: &IdedExpr, values: &NameValuesLookup) -> Option<NameValues> {
    match &node.expr {
        Node::Ident(name) => values(name),
        Node::Select(select) if !select.test => match &select.operand.expr {
            Node::Ident(owner) => values(&format!("{owner}.{}", select.field)),
            _ => None,
        },
        Node::Literal(LiteralValue::String(text)) => {
            Some(NameValues::closed([text.inner().to_owned()], "it can be"))
        }
        Node::Literal(LiteralValue::Null) => Some(NameValues::closed([], "it can be")),
        Node::Call(call) => match (&call.target, call.args.as_slice(), call.func_name.as_str()) {
            (None, [_, yes, no], operators::CONDITIONAL) => {
                let (yes, no) = (possible_values(yes, values)?, possible_values(no, values)?);
                let (PossibleTexts::Any(a), PossibleTexts::Any(b)) = (yes.texts, no.texts) else {
                    return None;
                };
                let texts = PossibleTexts::Any(a.into_iter().chain(b).collect());
                let whose = "it can be".to_owned();
                Some(NameValues { texts, closed: yes.closed && no.closed, subject: whose })
            }
            (Some(target), [], "lowerAscii") => {
                possible_values(target, values)?.map(str::to_ascii_lowercase)
            }
            (Some(target), [], "upperAscii") => {
                possible_values(target, values)?.map(str::to_ascii_uppercase)
            }
            (Some(target), [], "trim") => {
                possible_values(target, values)?.map(|text| text.trim().to_owned())
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &str) -> Option<NameValues> {
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        Some(match name {
            "outcome" => {
                NameValues::closed(words(&["correct", "stopped", "wrong_action"]), "it is")
            }
            "task.tier" => NameValues::open(words(&["gold", "silver"]), "the tasks have"),
            "action" => NameValues {
                texts: PossibleTexts::Actions(vec![
                    words(&["pay", "pay+tip"]).into_iter().collect(),
                    words(&["mail"]).into_iter().collect(),
                ]),
                closed: true,
                subject: "it is".to_owned(),
            },
            _ => return None,
        })
    }

    fn never(source: &str) -> Vec<(String, Option<String>)> {
        let found = ParsedExpression::new(source).unwrap().impossible_comparisons(&values);
        found.into_iter().map(|n| (source[n.span].to_owned(), n.help)).collect()
    }

    #[test]
    fn texts_that_never_come_are_found() {
        for (source, literal, help) in [
            ("outcome == \"stop\"", "\"stop\"", Some("stopped")),
            ("\"corect\" == outcome", "\"corect\"", Some("correct")),
            ("1 > 2 || outcome != 'Stopped'", "'Stopped'", Some("stopped")),
            ("outcome in ['correct', 'wrong']", "'wrong'", Some("wrong_action")),
            ("outcome.lowerAscii() == 'STOPPED'", "'STOPPED'", Some("stopped")),
            ("outcome.contains('stopt')", "'stopt'", None),
            ("(1 > 2 ? outcome : 'none') == 'non'", "'non'", Some("none")),
            ("task.tier == 'Gold '", "'Gold '", Some("gold")),
            ("action == 'mail+pay'", "'mail+pay'", Some("mail")),
            ("action == 'pays'", "'pays'", Some("pay")),
        ] {
            let help = help.map(|help| format!("did you mean `{help}`?"));
            assert_eq!(never(source), [(literal.to_owned(), help)], "{source}");
        }
    }

    #[test]
    fn several_spellings_side_by_side_are_meant() {
        for (source, spelling) in [
            ("task.tier == 'Gold'", true),
            ("task.tier == 'Gold' || task.tier == 'silver'", true),
            ("task.tier == 'Gold' || task.tier == 'gold'", false),
            ("task.tier in ['GOLD', 'gold']", false),
        ] {
            let found = ParsedExpression::new(source).unwrap().impossible_comparisons(&values);
            assert_eq!((found.len(), found[0].differs_in_spelling), (1, spelling), "{source}");
        }
    }

    #[test]
    fn what_may_come_is_no_mistake() {
        for source in [
            "outcome == 'stopped' && outcome != \"correct\"",
            "outcome.startsWith('wrong') || outcome in ['correct']",
            "action in ['pay', 'pay+tip', 'pay+tip+mail', 'mail+stopped', 'stopped', 'pay+mail+stopped']",
            "action.contains('tip')",
            "other == 'anything' || task.other == 'x'",
            "outcome + 'x' == 'anything'",
            "outcome == null",
            "'a' == 'b'",
        ] {
            assert_eq!(never(source), [], "{source}");
        }
    }
}
