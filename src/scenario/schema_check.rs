//! Checks the tree against the JSON Schema: keys, types, ranges and allowed words.
//!
//! The schema is the one that editors use. It is generated from the types of the file format, so both always agree.
//! Only the part of JSON Schema that the generator emits is supported. Wrong parts are reported and removed from the
//! tree, so the result can be deserialized into those types.

use std::collections::HashSet;

use serde_json::Value as Json;

use super::diagnostics::Diagnostic;
use super::file_schema::{
    alternative, alternatives, property, property_names, resolved, schema, with_keys_of_all_kinds,
    words,
};
use super::masked_source::may_hold_secret;
use super::name_advice;
use super::node::{YamlKey, YamlNode, YamlValue};
use crate::expr::suggest;
use crate::visible_text::name_problem;

/// Keys whose values are names that the file defines.
const NAMING_KEYS: [&str; 3] = ["id", "name", "do"];
/// The maximum length of a name in characters.
const MAX_NAME_CHARS: usize = 200;
/// The maximum number of unknown keys of one map that are reported one by one.
const MAX_UNKNOWN: usize = 20;

/// Checks the whole file and returns what is valid of it; `None` if nothing is left to resolve. An absent part and a
/// removed part look alike in the result: only the diagnostics distinguish them.
pub(super) fn check(root: &YamlNode, found: &mut Vec<Diagnostic>) -> Option<YamlNode> {
    SchemaChecker { mistakes: found, at_root: true }.value(root, schema(), "the file")
}

/// The state of a schema check.
struct SchemaChecker<'a> {
    mistakes: &'a mut Vec<Diagnostic>,
    /// Whether the next map is the root, which is kept even if a required key is missing.
    at_root: bool,
}

impl SchemaChecker<'_> {
    /// Checks a node; `None` if it was removed.
    fn value(&mut self, node: &YamlNode, schema: &Json, what: &str) -> Option<YamlNode> {
        let schema = resolved(schema);
        let words = words(schema);
        if !words.is_empty() {
            return self.word(node, &words, what);
        }
        let ty = match schema.get("type") {
            Some(Json::String(ty)) => ty.as_str(),
            // Types with two forms: an expression may be a plain number, a column may be a map of columns.
            Some(Json::Array(types)) => {
                let fits = |ty: &&str| match node.value {
                    YamlValue::Integer(_) | YamlValue::Float(_) => *ty == "number",
                    YamlValue::Map(_) => *ty == "object",
                    _ => false,
                };
                let mut names = types.iter().filter_map(Json::as_str);
                let first = names.clone().next().unwrap_or_default();
                names.find(fits).unwrap_or(first)
            }
            _ => return Some(node.clone()),
        };
        match (&node.value, ty) {
            (YamlValue::Map(_), "object") if schema.get("oneOf").is_some() => {
                self.object_of_kind(node, schema, what)
            }
            (YamlValue::Map(_), "object") => self.object(node, schema, what),
            (YamlValue::List(items), "array") => {
                let element = schema.get("items").unwrap_or(&Json::Null);
                let what = format!("an entry of {what}");
                let items = items.iter().filter_map(|item| self.value(item, element, &what));
                Some(YamlNode { span: node.span.clone(), value: YamlValue::List(items.collect()) })
            }
            (YamlValue::Text(_), "string") | (YamlValue::Bool(_), "boolean") => Some(node.clone()),
            (YamlValue::Integer(n), ty @ ("integer" | "number")) => {
                self.range(node, *n as f64, schema, ty == "integer", what)
            }
            (YamlValue::Float(n), "number") => self.range(node, *n, schema, false, what),
            (_, ty) => {
                let wanted = in_words(ty, schema);
                let found = match &node.value {
                    // A secret in the wrong place is not quoted.
                    _ if what.split('`').any(may_hold_secret) => node.describe_type(),
                    // YAML's word for no finite number is not a text either.
                    YamlValue::Text(text)
                        if matches!(ty, "integer" | "number") && is_not_finite(text) =>
                    {
                        format!("`{text}`, which is not finite")
                    }
                    _ => node.describe(),
                };
                let message = format!("{what} is {wanted}; here it is {found}");
                let help = match (&node.value, ty) {
                    (
                        YamlValue::Bool(_) | YamlValue::Integer(_) | YamlValue::Float(_),
                        "string",
                    ) => Some("put it in quotes".to_owned()),
                    (YamlValue::Text(text), "boolean") => {
                        match text.to_ascii_lowercase().as_str() {
                            "yes" | "on" => Some("write true".to_owned()),
                            "no" | "off" => Some("write false".to_owned()),
                            _ => None,
                        }
                    }
                    (YamlValue::Text(text), "integer" | "number")
                        if text.parse::<f64>().is_ok() =>
                    {
                        Some("write it without quotes".to_owned())
                    }
                    (YamlValue::Map(_), "string") if is_hole(node) => {
                        Some("a text that starts with `{` needs quotes".to_owned())
                    }
                    _ => None,
                };
                let span = node.head();
                self.mistakes.push(
                    Diagnostic::new("wrong-type", span, message)
                        .label(format!("{wanted} is expected here"))
                        .help(help),
                );
                None
            }
        }
    }

    /// Checks a text against an enumeration.
    fn word(&mut self, node: &YamlNode, words: &[&str], what: &str) -> Option<YamlNode> {
        if let Some(text) = node.text()
            && words.contains(&text)
        {
            return Some(node.clone());
        }
        let help = node.text().and_then(|text| {
            name_advice::for_word(text, words).or_else(|| suggest(text, words.iter().copied()))
        });
        let message = format!("{what} cannot be {}", node.describe());
        self.mistakes.push(
            Diagnostic::new("not-allowed", node.head(), message)
                .label(format!("allowed: {}", words.join(", ")))
                .help(help),
        );
        None
    }

    fn range(
        &mut self,
        node: &YamlNode,
        n: f64,
        schema: &Json,
        whole: bool,
        what: &str,
    ) -> Option<YamlNode> {
        let bound = |key: &str| schema.get(key).and_then(Json::as_f64);
        let format_max = match schema.get("format").and_then(Json::as_str) {
            Some("uint32") => Some(f64::from(u32::MAX)),
            Some("uint64") => Some(u64::MAX as f64),
            _ => None,
        };
        let (low, high) = (bound("minimum"), bound("maximum").or(format_max));
        // u64::MAX rounds up to 2^64 as an f64, so integers are compared exactly.
        let too_big = matches!(node.value, YamlValue::Integer(n) if n > i128::from(u64::MAX));
        if low.is_none_or(|low| n >= low)
            && high.is_none_or(|high| n <= high)
            && !(whole && too_big)
        {
            return Some(node.clone());
        }
        let kind = if whole { "a whole number" } else { "a number" };
        // As an f64, the largest integer would be shown rounded.
        let largest = match high {
            Some(high) if high == u64::MAX as f64 => u64::MAX.to_string(),
            high => high.unwrap_or(f64::MAX).to_string(),
        };
        let allowed = match (low, bound("maximum")) {
            (Some(low), Some(high)) => format!("{kind} from {low} to {high}"),
            (Some(low), None) if n < low => format!("{kind} from {low} on"),
            _ => format!("{kind} up to {largest}"),
        };
        let message = match node.value {
            YamlValue::Integer(exact) => format!("{what} cannot be {exact}"),
            _ => format!("{what} cannot be {n}"),
        };
        self.mistakes.push(
            Diagnostic::new("out-of-range", node.head(), message)
                .label(format!("allowed: {allowed}")),
        );
        None
    }

    /// Checks a map whose key `kind` determines which other keys it may have.
    fn object_of_kind(&mut self, node: &YamlNode, schema: &Json, what: &str) -> Option<YamlNode> {
        let kind = node.get("kind").and_then(YamlNode::text);
        let Some((kind, own)) = kind.and_then(|kind| Some((kind, alternative(schema, kind)?)))
        else {
            // Without a kind no setting is unused, so only the kind is reported.
            return self.object(node, &with_keys_of_all_kinds(schema), what);
        };
        let keys: Vec<&str> = property_names(own).filter(|key| *key != "kind").collect();
        let mut used = Vec::new();
        for (key, value) in node.entries() {
            let name = key.name.as_str();
            let unused = name != "kind"
                && !keys.contains(&name)
                && alternatives(schema).iter().any(|other| property(other, name).is_some());
            if !unused {
                used.push((key.clone(), value.clone()));
                continue;
            }
            let whose =
                schema.get("title").and_then(Json::as_str).unwrap_or("entry").to_lowercase();
            let article = if whose.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
            let message = format!("{article} {whose} of kind {kind} has no `{name}`");
            self.mistakes.push(
                Diagnostic::new("setting-unused", value.span.clone(), message)
                    .label(format!("{kind} takes {}", keys.join(", "))),
            );
        }
        let used = YamlNode { span: node.span.clone(), value: YamlValue::Map(used) };
        self.object(&used, own, what)
    }

    fn object(&mut self, node: &YamlNode, schema: &Json, what: &str) -> Option<YamlNode> {
        let whole = std::mem::replace(&mut self.at_root, false);
        let no_properties = serde_json::Map::new();
        let properties =
            schema.get("properties").and_then(Json::as_object).unwrap_or(&no_properties);
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Json::as_array)
            .map(|list| list.iter().filter_map(Json::as_str).collect())
            .unwrap_or_default();
        let other = schema.get("additionalProperties").filter(|s| s.is_object());
        let mut entries = Vec::new();
        let mut sound = true;
        // A set, so that a map with many keys is not searched once for each property.
        let present: HashSet<&str> =
            node.entries().iter().map(|(key, _)| key.name.as_str()).collect();
        let missing: Vec<&str> =
            properties.keys().map(String::as_str).filter(|name| !present.contains(name)).collect();
        let mut unknown: Vec<&YamlKey> = Vec::new();
        for (key, value) in node.entries() {
            let name = key.name.as_str();
            let what = format!("`{name}`");
            self.check_name(key, value, properties.contains_key(name), other.is_some());
            let checked = match (properties.get(name), other) {
                // A key with nothing after it, as in `key:`.
                (Some(_), _) if value.value == YamlValue::Null => {
                    let label = "give it a value, or leave the key out";
                    let message = format!("{what} has no value");
                    self.mistakes.push(
                        Diagnostic::new("empty-value", key.span.clone(), message).label(label),
                    );
                    None
                }
                (Some(schema), _) | (None, Some(schema)) => self.value(value, schema, &what),
                (None, None) => {
                    unknown.push(key);
                    continue;
                }
            };
            match checked {
                Some(value) => entries.push((key.clone(), value)),
                None => sound &= !required.contains(&name),
            }
        }
        self.unknown_keys(&unknown, properties, &missing);
        // A misspelt key explains why the correct one is missing, so only the misspelling is reported.
        let misspelt = || unknown.iter().take(MAX_UNKNOWN).map(|key| key.name.as_str());
        for name in required.iter().filter(|name| !present.contains(*name)) {
            sound = false;
            if misspelt().any(|m| suggest(m, [*name]).is_some()) {
                continue;
            }
            let about = properties.get(*name).map(resolved).and_then(|s| s.get("description"));
            let about = about.or_else(|| properties.get(*name)?.get("description"));
            let about = about.and_then(Json::as_str).and_then(|text| text.lines().next());
            let message = format!("{what} needs the key `{name}`");
            let span = if whole { 0..0 } else { node.head() };
            let note = about.map(|about| format!("{name}: {about}"));
            let mut diagnostic =
                Diagnostic::new("missing-key", span, message).label(format!("`{name}` is missing"));
            diagnostic.notes.extend(note);
            self.mistakes.push(diagnostic);
        }
        let node = YamlNode { span: node.span.clone(), value: YamlValue::Map(entries) };
        (sound || whole).then_some(node)
    }

    /// Checks the names that a file defines: keys of maps by name, and ids.
    fn check_name(
        &mut self,
        key: &YamlKey,
        value: &YamlNode,
        is_setting: bool,
        names_things: bool,
    ) {
        let (name, span) = match value.text() {
            _ if !is_setting && names_things => (key.name.as_str(), key.span.clone()),
            Some(text) if is_setting && NAMING_KEYS.contains(&key.name.as_str()) => {
                (text, value.head())
            }
            _ => return,
        };
        if let Some((what, allowed)) = name_problem(name, MAX_NAME_CHARS) {
            let mistake = Diagnostic::new("bad-name", span, format!("the name {what}"));
            self.mistakes.push(mistake.label(format!("allowed: {allowed}")));
        }
    }

    /// Reports unknown keys. If there are very many, the last report stands for all that follow.
    fn unknown_keys(
        &mut self,
        unknown: &[&YamlKey],
        properties: &serde_json::Map<String, Json>,
        missing: &[&str],
    ) {
        let allowed: Vec<&str> = properties.keys().map(String::as_str).collect();
        let label = format!("allowed here: {}", allowed.join(", "));
        for (at, key) in unknown.iter().take(MAX_UNKNOWN).enumerate() {
            let name = key.name.as_str();
            let rest = if at + 1 == MAX_UNKNOWN { unknown.len() - MAX_UNKNOWN } else { 0 };
            let and_more =
                if rest > 0 { format!(", and {rest} more in this map") } else { String::new() };
            self.mistakes.push(
                Diagnostic::new(
                    "unknown-key",
                    key.span.clone(),
                    format!("unknown key `{name}`{and_more}"),
                )
                .label(label.as_str())
                .help(
                    name_advice::for_key(name, properties)
                        .or_else(|| suggest(name, missing.iter().copied())),
                )
                .with_count(1 + rest),
            );
        }
    }
}

/// Whether a text is infinity or NaN in the core schema of YAML.
fn is_not_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// Whether the node looks like `{{ x }}` without quotes, which YAML reads as a map in a map.
fn is_hole(node: &YamlNode) -> bool {
    node.entries().is_empty() || node.entries().iter().any(|(_, v)| v.value == YamlValue::Null)
}

/// A JSON type in words, for messages.
fn in_words(ty: &str, schema: &Json) -> String {
    match ty {
        "object" => match schema.get("properties").and_then(Json::as_object) {
            Some(properties) => {
                let keys: Vec<&str> = properties.keys().take(4).map(String::as_str).collect();
                format!("a map with keys such as {}", keys.join(", "))
            }
            None => "a map of names".to_owned(),
        },
        "array" => "a list".to_owned(),
        "string" => "a text".to_owned(),
        "boolean" => "true or false".to_owned(),
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        other => other.to_owned(),
    }
}
