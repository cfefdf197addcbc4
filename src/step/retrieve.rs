//! The row of a retrieve step: hit or miss, the kind of miss, and whose fault it is.

use std::collections::BTreeSet;

use super::{MissKind, StepBranch, StepEvent, StepOutput, StepRow};
use crate::kernel::BranchFault;
use crate::world::{Corpus, Passage};

/// What a task has to find at a retrieve step.
#[derive(Clone, Copy)]
pub struct RetrievalTarget<'a> {
    pub corpus: &'a Corpus,
    pub gold: &'a BTreeSet<u32>,
    /// The fields that are read from the retrieved passages.
    pub fields: &'a [&'a str],
}

impl RetrievalTarget<'_> {
    fn hit(&self, context: &[u32]) -> bool {
        context.iter().any(|p| self.gold.contains(p))
    }

    /// Whether the gold passages in the context state every field that any gold passage states.
    fn states_all_fields(&self, context: &[u32]) -> bool {
        self.fields.iter().all(|field| {
            let here = context.iter().any(|p| self.gold.contains(p) && self.states(*p, field));
            here || !self.gold.iter().any(|p| self.states(*p, field))
        })
    }

    fn states(&self, passage: u32, field: &str) -> bool {
        self.corpus.passages[passage as usize].facts.contains_key(field)
    }

    fn miss_kind(&self, context: &[u32]) -> MissKind {
        miss_kind(self.corpus, self.gold, self.fields, context.first().copied())
    }

    /// A branch that passes on exactly the gold passages.
    fn gold_only(&self) -> StepBranch {
        let gold = self.gold.iter().copied().collect();
        StepBranch::new(Some(StepOutput::Context(gold)), StepEvent::Hit, 1.0)
    }

    /// The row for an input on which no query can be rendered. `own`: the same holds for the oracle's input.
    pub fn unrenderable_row(&self, own: bool) -> StepRow {
        let fault = match (self.gold.is_empty(), own) {
            (true, _) => BranchFault::None,
            (false, true) => BranchFault::Own,
            (false, false) => BranchFault::Induced,
        };
        let missing = StepBranch::new(Some(StepOutput::Missing), StepEvent::Failed, 1.0);
        let branch = StepBranch { fault, ..missing };
        let repair = (fault != BranchFault::None).then(|| self.gold_only());
        StepRow { branches: vec![branch], repair, error_branches: Vec::new() }
    }
}

/// The kind of a miss, from comparing the best-ranked passage with the gold passages.
///
/// The kinds are tested in this order: nothing returned (`empty`); a declared variant of a gold passage; same attribute
/// but another entity (`binding`); same entity but another attribute, or none where gold has one (`attribute`);
/// otherwise `topic`.
///
/// Two passages have the same attribute if they have the same label, or if both state one of `fields`: a passage of a
/// real contract often holds several clauses, but has only one label.
pub fn miss_kind(
    corpus: &Corpus,
    gold: &BTreeSet<u32>,
    fields: &[&str],
    best: Option<u32>,
) -> MissKind {
    let Some(best) = best else {
        return MissKind::Empty;
    };
    let best = &corpus.passages[best as usize];
    let mut gold = gold.iter().map(|&g| &corpus.passages[g as usize]);
    if let (Some(of), Some(variant)) = (&best.of, best.variant)
        && gold.clone().any(|g| g.id == *of)
    {
        return variant.into();
    }
    let alike = |g: &Passage| {
        g.attribute.is_some() && g.attribute == best.attribute
            || fields
                .iter()
                .any(|field| g.facts.contains_key(*field) && best.facts.contains_key(*field))
    };
    if best.entity.is_some()
        && gold.clone().any(|g| alike(g) && g.entity.is_some() && g.entity != best.entity)
    {
        MissKind::Binding
    } else if best.entity.is_some()
        && gold.any(|g| g.entity == best.entity && g.attribute != best.attribute && !alike(g))
    {
        MissKind::Attribute
    } else {
        MissKind::Topic
    }
}

/// The passages that are not gold, ascending, grouped by the kind of miss that each causes when ranked first. Kinds
/// without passages are left out.
pub fn passages_by_miss_kind(target: RetrievalTarget) -> Vec<(MissKind, Vec<u32>)> {
    let RetrievalTarget { corpus, gold, .. } = target;
    let mut kinds: Vec<(MissKind, Vec<u32>)> = MissKind::ALL.map(|kind| (kind, Vec::new())).into();
    for passage in (0..corpus.passages.len() as u32).filter(|p| !gold.contains(p)) {
        let kind = target.miss_kind(&[passage]);
        kinds[kind as usize].1.push(passage);
    }
    kinds.retain(|(_, passages)| !passages.is_empty());
    kinds
}

/// The result of one phrasing of the query.
pub struct PhrasingResult<'a> {
    pub weight: f64,
    /// The ranking on the actual input, best first, truncated to what the step passes on.
    pub ranking: Vec<u32>,
    /// The same ranking without the gold passages, also truncated.
    pub without_gold: Vec<u32>,
    /// The ranking of the same phrasing on the oracle's inputs; `None` if the oracle never queries.
    pub oracle_ranking: Option<&'a [u32]>,
}

/// The row of a retrieve step: one branch per phrasing, with equal results merged.
///
/// If it can err, its repair passes on exactly the gold passages; otherwise its counterfactual error passes on the
/// passages that rank next.
pub fn retrieval_row(target: RetrievalTarget, phrasings: &[PhrasingResult]) -> StepRow {
    let mut row = StepRow::default();
    let mut add = |output: &[u32], event, fault, p, broken: bool| {
        let branches = if broken { &mut row.error_branches } else { &mut row.branches };
        let output = Some(StepOutput::Context(output.to_vec()));
        match branches.iter_mut().find(|b| (&b.output, b.event, b.fault) == (&output, event, fault))
        {
            Some(branch) => branch.p += p,
            None => branches.push(StepBranch { fault, ..StepBranch::new(output, event, p) }),
        }
    };
    let mut errs = false;
    for phrasing in phrasings {
        let ranking = &phrasing.ranking;
        // An error that also occurs with the oracle's query is the step's own; any other was induced upstream.
        let fault = |errs_too: &dyn Fn(&[u32]) -> bool| match phrasing.oracle_ranking {
            Some(right) if errs_too(right) => BranchFault::Own,
            _ => BranchFault::Induced,
        };
        let (event, fault) = if target.gold.is_empty() {
            (StepEvent::NoGold, BranchFault::None)
        } else if !target.hit(ranking) {
            let kind = target.miss_kind(ranking);
            match fault(&|right| !target.hit(right)) {
                BranchFault::Own => (StepEvent::OwnMiss(kind), BranchFault::Own),
                _ => (StepEvent::InducedMiss(kind), BranchFault::Induced),
            }
        } else if !target.states_all_fields(ranking) {
            (StepEvent::Partial, fault(&|right| !target.states_all_fields(right)))
        } else {
            (StepEvent::Hit, BranchFault::None)
        };
        errs |= fault != BranchFault::None;
        add(ranking, event, fault, phrasing.weight, false);
    }
    if target.gold.is_empty() {
        return row;
    }
    if !errs {
        for phrasing in phrasings {
            let context = &phrasing.without_gold;
            let event = StepEvent::OwnMiss(target.miss_kind(context));
            add(context, event, BranchFault::Own, phrasing.weight, true);
        }
    }
    row.repair = errs.then(|| target.gold_only());
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::TypedValue;
    use crate::world::PassageVariant;

    fn passage(id: &str, entity: &str, attribute: &str) -> Passage {
        Passage {
            id: id.to_owned(),
            text: String::new(),
            entity: Some(entity.to_owned()),
            attribute: Some(attribute.to_owned()),
            facts: Default::default(),
            of: None,
            variant: None,
        }
    }

    #[test]
    fn the_best_ranked_passage_decides_the_kind() {
        let mut twin = passage("twin", "acme", "term");
        (twin.of, twin.variant) = (Some("gold".to_owned()), Some(PassageVariant::Negation));
        let corpus = Corpus {
            name: "c".to_owned(),
            passages: vec![
                passage("gold", "acme", "term"),
                twin,
                passage("other", "globex", "term"),
                passage("near", "acme", "law"),
                passage("far", "globex", "law"),
            ],
            ..Corpus::default()
        };
        let gold = BTreeSet::from([0]);
        let kinds: Vec<MissKind> = [Some(1), Some(2), Some(3), Some(4), None]
            .map(|best| miss_kind(&corpus, &gold, &[], best))
            .into();
        use MissKind::*;
        assert_eq!(kinds, [Negation, Binding, Attribute, Topic, Empty]);

        // A different label, but it states the field that is read: the right clause of the wrong contract.
        let mut corpus = corpus;
        for at in [0, 4] {
            corpus.passages[at].facts.insert("months".to_owned(), TypedValue::Number(1.0));
        }
        let kind = |fields: &[&str]| miss_kind(&corpus, &gold, fields, Some(4));
        assert_eq!((kind(&["months"]), kind(&["days"])), (Binding, Topic));
    }
}
