//! The source of a scenario with the spans of its parts, for mistakes that only show once its steps are run.

use std::ops::Range;

use super::diagnostics::{Diagnostic, Diagnostics};
use super::node::{YamlNode, YamlValue};

/// The text of a scenario file and its parsed tree.
#[derive(Clone, Debug)]
pub struct ScenarioSource {
    /// The path as given to [`super::load`].
    pub path: String,
    /// The text of the file.
    pub text: String,
    pub(super) root: YamlNode,
}

impl ScenarioSource {
    /// The span of a part, given by its path: keys of maps, and ids or names of list entries, outermost first. If a
    /// part is not written, the span of the nearest enclosing one.
    pub fn span(&self, path: &[&str]) -> Range<usize> {
        let (mut node, mut span) = (&self.root, self.root.head());
        for key in path {
            let entry = node.entries().iter().find(|(known, _)| known.name == *key);
            let named = |item: &&YamlNode| {
                let names = ["id", "name"].into_iter().filter_map(|name| item.get(name));
                names.filter_map(YamlNode::text).any(|name| name == *key)
            };
            (node, span) = match (entry, node.items().iter().find(named)) {
                (Some((key, value)), _) => match value.value {
                    // A map or list may span many lines, so its key is marked.
                    YamlValue::Map(_) | YamlValue::List(_) => (value, key.span.clone()),
                    _ => (value, value.head()),
                },
                (None, Some(item)) => (item, item.get("id").map_or(item.head(), YamlNode::head)),
                (None, None) => return span,
            };
        }
        span
    }

    /// Diagnostics for this file with the given mistakes, sorted.
    pub fn mistakes(&self, list: Vec<Diagnostic>) -> Diagnostics {
        let mut mistakes = Diagnostics {
            path: self.path.clone(),
            source: self.text.clone(),
            mistakes: list,
            unreadable: None,
        };
        mistakes.sort_and_merge();
        mistakes
    }
}
