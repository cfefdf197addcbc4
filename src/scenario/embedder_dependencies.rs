//! Checks embedders that use other embedders: no cycles, a limited depth, and parts with the properties they need.

use std::collections::HashMap;

use super::diagnostics::Diagnostic;
use super::file::{self, EmbedderEntry};
use super::resolve::ScenarioResolver;
use super::spanned_de::Spanned;
use super::{EmbedderDeclaration, EmbedderKind};
use crate::graph;

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
                let made_of = by_name
                    .get(name.as_str())
                    .into_iter()
                    .flat_map(|entry| referenced_embedders(entry));
                made_of.filter_map(|part| places.get(part.value.as_str()).copied()).collect()
            })
            .collect();
        let order = graph::order(&parents);
        self.check_depth(entries, names, &parents, &order);
        for cycle in order.cycles {
            let place = |i: &usize| entries.iter().find(|(known, _)| known.value == names[*i]);
            let mut at = cycle.iter().filter_map(place).map(|(name, _)| name);
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

    /// Reports pgvector entries whose embedder has no vectors.
    pub(super) fn check_have_vectors(
        &mut self,
        entries: &[(Spanned<String>, EmbedderEntry)],
        embedders: &[Option<EmbedderDeclaration>],
    ) {
        for (name, entry) in entries {
            let find = |name: &str| embedders.iter().flatten().find(|decl| decl.name == name);
            let Some(EmbedderKind::Pgvector(pg)) = find(&name.value).map(|decl| &decl.kind) else {
                continue;
            };
            let (Some(of), Some(at)) = (&embedders[pg.embedder], &entry.embedder) else { continue };
            if !matches!(of.kind, EmbedderKind::Model(_) | EmbedderKind::Http(_)) {
                let message = format!("`{}` ranks, but has no vectors", at.value);
                self.mistakes.push(
                    Diagnostic::new("no-vectors", at.span.clone(), message)
                        .label("allowed: an embedder of kind static, transformer or http"),
                );
            }
        }
    }

    /// Sets the lowest score of each part for fusions that normalise by the theoretical minimum.
    pub(super) fn set_lowest_scores(
        &mut self,
        entries: &[(Spanned<String>, EmbedderEntry)],
        embedders: &mut [Option<EmbedderDeclaration>],
    ) {
        let lowest: Vec<Option<f64>> = embedders
            .iter()
            .map(|decl| decl.as_ref().and_then(|decl| decl.kind.lowest_score()))
            .collect();
        for (name, entry) in entries {
            let Some(normalise) = &entry.normalise else { continue };
            let decl = embedders.iter_mut().flatten().find(|decl| decl.name == name.value);
            let Some(EmbedderKind::Fusion { parts, .. }) = decl.map(|decl| &mut decl.kind) else {
                continue;
            };
            if normalise.value == file::NormaliseEntry::MinMax {
                continue;
            }
            let of = entry.of.iter().flat_map(|of| &of.value);
            for (part, name) in parts.iter_mut().zip(of) {
                part.lowest_score = lowest[part.embedder];
                if part.lowest_score.is_none() {
                    let message = format!("the scores of `{}` have no lowest value", name.value);
                    self.mistakes.push(
                        Diagnostic::new("setting-unused", normalise.span.clone(), message)
                            .label("write min_max here")
                            .also(name.span.clone(), "merged here"),
                    );
                }
            }
        }
    }
}

/// The embedders that an entry refers to.
fn referenced_embedders(entry: &EmbedderEntry) -> impl Iterator<Item = &Spanned<String>> {
    entry
        .of
        .iter()
        .flat_map(|of| &of.value)
        .chain(&entry.first)
        .chain(&entry.fallback)
        .chain(&entry.embedder)
}
