//! Checks embedders that use other embedders: no cycles and a limited depth.

use std::collections::HashMap;

use super::EmbedderEntry;
use crate::graph;
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;

/// The maximum nesting depth of embedders. More than anyone needs, and low enough for recursion.
const MAX_LEVELS: usize = 32;

impl ScenarioResolver<'_> {
    /// Reports embedders that depend on themselves, and those that are nested too deeply.
    pub(super) fn check_no_cycle(
        &mut self,
        entries: &[(Spanned<String>, EmbedderEntry)],
        names: &[String],
    ) {
        let places: HashMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
        let by_name: HashMap<&str, &EmbedderEntry> =
            entries.iter().map(|(known, entry)| (known.value.as_str(), entry)).collect();
        let parents: Vec<Vec<usize>> = names
            .iter()
            .map(|name| {
                let entry = by_name.get(name.as_str());
                let made_of = entry.into_iter().flat_map(|entry| entry.settings.referenced());
                made_of.filter_map(|part| places.get(part.value.as_str()).copied()).collect()
            })
            .collect();
        let order = graph::order(&parents);
        self.check_depth(entries, names, &parents, &order);
        for cycle in order.cycles {
            let mut at = cycle
                .iter()
                .filter_map(|&i| entries.iter().find(|(known, _)| known.value == names[i]))
                .map(|(name, _)| name);
            let Some(first) = at.next() else { continue };
            // A cycle lists each embedder before its users. The message shows the reverse: users before parts.
            let way = cycle.iter().take(1).chain(cycle.iter().rev());
            let way: Vec<&str> = way.map(|&i| names[i].as_str()).collect();
            let message = format!("embedders are made of themselves: {}", way.join(" -> "));
            let mut mistake = Diagnostic::new("cycle", first.span.clone(), message)
                .label("this embedder needs its own ranking");
            for other in at {
                mistake = mistake.also(other.span.clone(), "and so does this");
            }
            self.mistakes.push(mistake);
        }
    }

    /// Reports embedders exactly one level too deep. Those that use them are deeper still and would repeat the mistake.
    fn check_depth(
        &mut self,
        entries: &[(Spanned<String>, EmbedderEntry)],
        names: &[String],
        parents: &[Vec<usize>],
        order: &graph::TopologicalOrder,
    ) {
        let mut levels = vec![0; names.len()];
        // In this order the levels of all parts are known, except on cycles, which are reported separately.
        for &at in &order.sorted {
            levels[at] = parents[at].iter().map(|part| levels[*part] + 1).max().unwrap_or(0);
            if levels[at] != MAX_LEVELS + 1 {
                continue;
            }
            let Some((name, _)) = entries.iter().find(|(known, _)| known.value == names[at]) else {
                continue;
            };
            let message = format!(
                "the embedder `{}` is made of others, and these of others, {} deep",
                name.value, levels[at]
            );
            let label = format!("allowed: up to {MAX_LEVELS} levels");
            self.mistakes
                .push(Diagnostic::new("nested-too-deep", name.span.clone(), message).label(label));
        }
    }
}
