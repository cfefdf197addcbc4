//! Where the parts of a scenario stand in its file, for mistakes that show only when its steps are tried.

use std::ops::Range;

use super::diagnostics::{Diagnostic, Diagnostics};
use super::node::{Node, Tree};

/// The file of a scenario, with the place of each of its parts.
#[derive(Clone, Debug)]
pub struct Source {
    /// As given to [`super::load`].
    pub path: String,
    /// The text of the file.
    pub text: String,
    pub(super) root: Node,
}

impl Source {
    /// The bytes of a part: keys of maps, and ids or names of entries of lists, from the outside in. Of a part that is
    /// not written, the nearest one around it.
    pub fn span(&self, path: &[&str]) -> Range<usize> {
        let (mut node, mut span) = (&self.root, self.root.head());
        for key in path {
            let entry = node.entries().iter().find(|(known, _)| known.name == *key);
            let named = |item: &&Node| {
                let names = ["id", "name"].into_iter().filter_map(|name| item.get(name));
                names.filter_map(Node::text).any(|name| name == *key)
            };
            (node, span) = match (entry, node.items().iter().find(named)) {
                (Some((key, value)), _) => match value.value {
                    Tree::Map(_) | Tree::List(_) => (value, key.span.clone()),
                    _ => (value, value.head()),
                },
                (None, Some(item)) => (item, item.get("id").map_or(item.head(), Node::head)),
                (None, None) => return span,
            };
        }
        span
    }

    /// Mistakes of this file, in its order.
    pub fn mistakes(&self, list: Vec<Diagnostic>) -> Diagnostics {
        let mut mistakes = Diagnostics {
            path: self.path.clone(),
            source: self.text.clone(),
            list,
            unreadable: None,
        };
        mistakes.settle();
        mistakes
    }
}
