//! Clusters queries, triplets and pairs that share a text, since their results are correlated.
//!
//! For example, five questions on one passage tend to be answered or missed together, so they count as one cluster.

use crate::stats::FEW_CLUSTERS;
use crate::world::beir::BeirDataset;

/// Assigns cases to clusters, given the things that each case uses: the connected components of cases that share a
/// thing.
///
/// If that leaves too few clusters for an interval, because nearly all cases are connected, cases are clustered by the
/// first thing that they use, which matters most; if that is too few as well, the components are returned.
pub fn assign_clusters(used: &[Vec<usize>]) -> Vec<usize> {
    let mut parents: Vec<usize> = (0..used.len()).collect();
    let things = used.iter().flatten().max().map_or(0, |last| last + 1);
    let mut owners: Vec<Option<usize>> = vec![None; things];
    for (case, used) in used.iter().enumerate() {
        for &thing in used {
            match owners[thing] {
                None => owners[thing] = Some(case),
                Some(owner) => {
                    let (a, b) = (find_root(&mut parents, owner), find_root(&mut parents, case));
                    parents[a.max(b)] = a.min(b);
                }
            }
        }
    }
    let connected = number_items((0..used.len()).map(|case| find_root(&mut parents, case)));
    if count(&connected) >= FEW_CLUSTERS {
        return connected;
    }
    // A case that uses nothing is a cluster of its own.
    let firsts =
        used.iter().enumerate().map(|(case, used)| used.first().copied().unwrap_or(things + case));
    let by_first = number_items(firsts);
    if count(&by_first) >= FEW_CLUSTERS { by_first } else { connected }
}

/// The clusters of a set's queries, by their relevant passages.
pub fn query_clusters(set: &BeirDataset) -> Vec<usize> {
    let passages = set.queries.iter().map(|query| {
        let mut relevant = query.relevant.clone();
        // The most relevant passage first, since `clusters` may fall back on the first one.
        relevant.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        relevant.into_iter().map(|(passage, _)| passage as usize).collect()
    });
    assign_clusters(&passages.collect::<Vec<Vec<usize>>>())
}

/// The number of distinct clusters.
pub fn count(clusters: &[usize]) -> usize {
    clusters.iter().collect::<std::collections::BTreeSet<_>>().len()
}

/// The representative of a case's component (union-find with path halving).
fn find_root(parents: &mut [usize], mut case: usize) -> usize {
    while parents[case] != case {
        parents[case] = parents[parents[case]];
        case = parents[case];
    }
    case
}

/// Numbers items in order of first appearance, equal items alike.
pub fn number_items<T: std::hash::Hash + Eq>(names: impl Iterator<Item = T>) -> Vec<usize> {
    let mut numbers = std::collections::HashMap::new();
    names
        .map(|name| {
            let next = numbers.len();
            *numbers.entry(name).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_clustered_transitively() {
        assert_eq!(
            assign_clusters(&[vec![0], vec![1], vec![1, 2], vec![2], vec![], vec![3]]),
            [0, 1, 1, 1, 2, 3]
        );
        assert_eq!(assign_clusters(&[]), Vec::<usize>::new());
    }

    #[test]
    fn connected_cases_fall_back_to_the_first_thing() {
        // 25 things with two cases each, and one thing that all cases use.
        let used: Vec<Vec<usize>> = (0..50).map(|case| vec![case / 2, 99]).collect();
        let expected: Vec<usize> = (0..50).map(|case| case / 2).collect();
        assert_eq!(assign_clusters(&used), expected);
        // Too few clusters either way: one component.
        assert_eq!(count(&assign_clusters(&used[..20])), 1);
    }
}
