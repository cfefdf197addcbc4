//! Parses YAML into a tree of nodes with source spans.
//!
//! The tree is built from the parser's events without recursion, with limits on depth and size, so that neither
//! nesting nor aliases can exhaust stack or memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle};

use super::diagnostics::Diagnostic;
use crate::expr::floor_char_boundary;

const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 100_000;
/// The maximum length in bytes of all texts, with aliases expanded: about a hundred times the longest known scenario.
const MAX_BYTES: usize = 32 << 20;

/// A value with its byte range in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct YamlNode {
    pub span: Range<usize>,
    pub value: YamlValue,
}

/// The value of a node.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum YamlValue {
    Null,
    Bool(bool),
    /// A number without a decimal point or exponent.
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<YamlNode>),
    /// In file order, with distinct keys.
    Map(Vec<(YamlKey, YamlNode)>),
}

/// The key of a map entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct YamlKey {
    pub name: String,
    pub span: Range<usize>,
}

impl YamlNode {
    /// The value of a map entry; `None` if there is none, or if this is not a map.
    pub fn get(&self, key: &str) -> Option<&YamlNode> {
        match &self.value {
            YamlValue::Map(entries) => entries.iter().find(|(k, _)| k.name == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The entries of a map; empty for other nodes.
    pub fn entries(&self) -> &[(YamlKey, YamlNode)] {
        match &self.value {
            YamlValue::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; empty for other nodes.
    pub fn items(&self) -> &[YamlNode] {
        match &self.value {
            YamlValue::List(items) => items,
            _ => &[],
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            YamlValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The span to underline for the whole node: for a map its first key, for a list the head of its first item.
    pub fn head(&self) -> Range<usize> {
        match &self.value {
            YamlValue::Map(entries) => {
                entries.first().map_or(self.span.clone(), |(k, _)| k.span.clone())
            }
            YamlValue::List(items) => items.first().map_or(self.span.clone(), YamlNode::head),
            _ => self.span.clone(),
        }
    }

    /// The value in words, for messages.
    pub fn describe(&self) -> String {
        match &self.value {
            YamlValue::Null => "nothing".to_owned(),
            YamlValue::Bool(b) => format!("`{b}`"),
            YamlValue::Integer(n) => format!("the number {n}"),
            YamlValue::Float(n) => format!("the number {n}"),
            YamlValue::Text(text) if text.chars().count() <= 40 => {
                format!("the text `{}`", text.escape_debug())
            }
            YamlValue::Text(_) | YamlValue::List(_) | YamlValue::Map(_) => self.describe_type(),
        }
    }

    /// The type of the value in words, for messages that must not quote it.
    pub fn describe_type(&self) -> String {
        let described = match &self.value {
            YamlValue::Null => "nothing",
            YamlValue::Bool(_) => "true or false",
            YamlValue::Integer(_) | YamlValue::Float(_) => "a number",
            YamlValue::Text(_) => "a text",
            YamlValue::List(_) => "a list",
            YamlValue::Map(_) => "a map",
        };
        described.to_owned()
    }
}

/// A list or map that is not closed yet.
struct OpenYamlNode {
    start: usize,
    /// The parser's number for the anchor; 0 without one.
    anchor: usize,
    items: Vec<YamlNode>,
    /// Whether it is a map; `items` then alternates between keys and values.
    is_map: bool,
}

/// Parses the single document in `text`. Duplicate keys are added to `found`, and the first one wins. The error is a
/// mistake after which nothing can be read.
pub(super) fn parse(text: &str, found: &mut Vec<Diagnostic>) -> Result<YamlNode, Box<Diagnostic>> {
    let broken = |span: Range<usize>, message: String, label: &str| {
        Box::new(Diagnostic::new("yaml-syntax", span, message).label(label))
    };
    let mut anchors: BTreeMap<usize, YamlNode> = BTreeMap::new();
    let mut open: Vec<OpenYamlNode> = Vec::new();
    let mut root: Option<YamlNode> = None;
    let mut documents = 0;
    let mut size = YamlTreeSize::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
            let at = floor_char_boundary(text, at);
            let message =
                format!("this is not YAML: {}", error.info().lines().next().unwrap_or(""));
            broken(at..next_char(text, at), message, "the reader stopped here")
        })?;
        let byte = |offset: Option<usize>| floor_char_boundary(text, offset.unwrap_or(text.len()));
        let start = byte(span.start.byte_offset());
        let span = start..byte(span.end.byte_offset()).max(start);
        let (node, anchor) = match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    let message = "a second document starts here".to_owned();
                    return Err(broken(span, message, "a scenario is one document"));
                }
                continue;
            }
            Event::Scalar(value, style, anchor, tag) => {
                // Quoted or tagged scalars are texts, even if they look like numbers.
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let tree = if plain { scalar(&value) } else { YamlValue::Text(value.into_owned()) };
                (YamlNode { span: trimmed(text, span), value: tree }, anchor)
            }
            Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _) => {
                if open.len() >= MAX_DEPTH {
                    let message = format!("lists and maps are nested more than {MAX_DEPTH} deep");
                    return Err(broken(start..next_char(text, start), message, "too deep"));
                }
                let map = matches!(event, Event::MappingStart(..));
                open.push(OpenYamlNode { start, anchor, items: Vec::new(), is_map: map });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(done) = open.pop() else {
                    continue;
                };
                // A block collection ends with its last entry; the parser would report the start of the next token.
                let flow = matches!(text.as_bytes().get(done.start), Some(b'{' | b'['));
                let end = match done.items.last() {
                    Some(last) if !flow => last.span.end,
                    _ => span.end,
                };
                let value = if done.is_map {
                    build_map(done.items, found)?
                } else {
                    YamlValue::List(done.items)
                };
                (YamlNode { span: done.start..end.max(done.start), value }, done.anchor)
            }
            Event::Alias(id) => match anchors.get(&id) {
                Some(node) => {
                    // Checked before the copy is made: a hundred copies of a large node would be too many already.
                    size.add(node);
                    if let Err((message, label)) = size.check_limits() {
                        return Err(broken(span, message, label));
                    }
                    (node.clone(), 0)
                }
                None => {
                    let message = "an alias inside its own anchor".to_owned();
                    return Err(broken(span, message, "this would never end"));
                }
            },
            _ => continue,
        };
        size.nodes += 1;
        if let YamlValue::Text(text) = &node.value {
            size.bytes += text.len();
        }
        // An anchored node is stored as a copy as well, so it counts twice.
        if anchor > 0 {
            size.add(&node);
        }
        if let Err((message, label)) = size.check_limits() {
            return Err(broken(node.span, message, label));
        }
        if anchor > 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            Some(parent) => parent.items.push(node),
            None => root = Some(node),
        }
    }
    match root {
        Some(node) if node.value != YamlValue::Null => Ok(node),
        _ => {
            Err(broken(0..0, "the file is empty".to_owned(), "a scenario starts with `version: 1`"))
        }
    }
}

/// The end of the character at `at`; `at` itself at the end of a line, so that a label never spans two lines.
fn next_char(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8)
}

/// The size of the tree so far, with aliases expanded.
#[derive(Default)]
struct YamlTreeSize {
    nodes: usize,
    bytes: usize,
}

impl YamlTreeSize {
    // Without recursion, since nodes may be nested.
    fn add(&mut self, node: &YamlNode) {
        let mut pending = vec![node];
        while let Some(node) = pending.pop() {
            self.nodes += 1;
            self.bytes += node.text().map_or(0, str::len);
            self.bytes += node.entries().iter().map(|(key, _)| key.name.len()).sum::<usize>();
            pending.extend(node.items());
            pending.extend(node.entries().iter().map(|(_, v)| v));
        }
    }

    /// Checks the limits. The error is a message and a label.
    fn check_limits(&self) -> Result<(), (String, &'static str)> {
        let label = "here, with aliases written out, it is too large";
        if self.nodes > MAX_NODES {
            return Err((format!("the file holds more than {MAX_NODES} values"), label));
        }
        if self.bytes > MAX_BYTES {
            return Err((
                format!("the file holds more than {} MB of text", MAX_BYTES >> 20),
                label,
            ));
        }
        Ok(())
    }
}

/// The span without trailing white space.
fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    span.start..span.start + text[span.clone()].trim_end().len()
}

/// Builds a map from alternating keys and values.
fn build_map(
    items: Vec<YamlNode>,
    found: &mut Vec<Diagnostic>,
) -> Result<YamlValue, Box<Diagnostic>> {
    let mut entries: Vec<(YamlKey, YamlNode)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        let name = match key.value {
            YamlValue::Text(name) => name,
            YamlValue::Bool(b) => b.to_string(),
            YamlValue::Integer(n) => n.to_string(),
            YamlValue::Float(n) => n.to_string(),
            YamlValue::Null => "null".to_owned(),
            YamlValue::List(_) | YamlValue::Map(_) => {
                let message = "a list or map stands where a key is expected".to_owned();
                let label = "a key is a text; a text that starts with `{` or `[` needs quotes";
                return Err(Box::new(
                    Diagnostic::new("yaml-syntax", key.span, message).label(label),
                ));
            }
        };
        if let Some(&first) = places.get(&name) {
            let (first, _) = &entries[first];
            let message = format!("the key `{name}` is there twice");
            found.push(
                Diagnostic::new("duplicate-key", key.span, message)
                    .label("a key stands once in a map")
                    .also(first.span.clone(), "first here"),
            );
            continue;
        }
        places.insert(name.clone(), entries.len());
        entries.push((YamlKey { name, span: key.span }, value));
    }
    Ok(YamlValue::Map(entries))
}

/// Resolves a plain scalar by the core schema of YAML 1.2. Infinities and NaN remain text.
fn scalar(text: &str) -> YamlValue {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return YamlValue::Null,
        "true" | "True" | "TRUE" => return YamlValue::Bool(true),
        "false" | "False" | "FALSE" => return YamlValue::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let (true, Ok(n)) = (digits.bytes().all(|b| b.is_ascii_digit()), text.parse::<i128>()) {
        return YamlValue::Integer(n);
    }
    // Rust also parses `inf`, `nan` and `infinity`, which are ordinary words here.
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    match text.parse::<f64>() {
        Ok(n) if numeric && n.is_finite() => YamlValue::Float(n),
        _ => YamlValue::Text(text.to_owned()),
    }
}
