//! A directed graph of things that come one before the other, and the cycles that should not be in it.

use std::collections::{HashMap, HashSet, VecDeque};

/// So many cycles are looked at for a short one.
const TRIED: usize = 16;

/// Nodes are numbers; an edge bears a label.
#[derive(Debug)]
pub(super) struct Graph<L> {
    edges: Vec<Vec<(usize, L)>>,
}

/// From the first node over each edge to the next node; the last edge leads back.
pub(super) type Cycle<L> = Vec<(usize, L)>;

impl<L: Copy> Graph<L> {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            edges: (0..nodes).map(|_| Vec::new()).collect(),
        }
    }

    pub(super) fn add(&mut self, from: usize, to: usize, label: L) {
        self.edges[from].push((to, label));
    }

    /// Of edges that are followed alone.
    pub(super) fn only(&self, follows: impl Fn(L) -> bool) -> Self {
        let edges = self.edges.iter();
        Self {
            edges: edges
                .map(|edges| {
                    let kept = edges.iter().filter(|(_, label)| follows(*label));
                    kept.copied().collect()
                })
                .collect(),
        }
    }

    /// The strongly connected components of more than one node, by Tarjan's algorithm ("Depth-First Search and Linear
    /// Graph Algorithms", 1972), without recursion: a history is deeper than a stack.
    pub(super) fn components(&self) -> Vec<Vec<usize>> {
        const UNSEEN: usize = usize::MAX;
        let nodes = self.edges.len();
        let (mut index, mut low) = (vec![UNSEEN; nodes], vec![UNSEEN; nodes]);
        let (mut on_stack, mut stack) = (vec![false; nodes], Vec::new());
        let mut seen = 0;
        let mut found = Vec::new();
        for root in 0..nodes {
            if index[root] != UNSEEN {
                continue;
            }
            // Each with the edge that is looked at next.
            let mut path = vec![(root, 0)];
            while let Some((node, next)) = path.last_mut() {
                let node = *node;
                if *next == 0 {
                    (index[node], low[node]) = (seen, seen);
                    seen += 1;
                    on_stack[node] = true;
                    stack.push(node);
                }
                if let Some((to, _)) = self.edges[node].get(*next) {
                    *next += 1;
                    if index[*to] == UNSEEN {
                        path.push((*to, 0));
                    } else if on_stack[*to] {
                        low[node] = low[node].min(index[*to]);
                    }
                    continue;
                }
                path.pop();
                if let Some((parent, _)) = path.last() {
                    low[*parent] = low[*parent].min(low[node]);
                }
                if low[node] == index[node] {
                    let start = stack.iter().rposition(|&member| member == node);
                    let component = stack.split_off(start.unwrap_or_default());
                    for &member in &component {
                        on_stack[member] = false;
                    }
                    if component.len() > 1 {
                        found.push(component);
                    }
                }
            }
        }
        found
    }

    /// A short cycle within a component, none of whose edges that are `apart` follows another such edge.
    pub(super) fn cycle(&self, component: &[usize], apart: impl Fn(L) -> bool) -> Option<Cycle<L>> {
        let members: HashSet<usize> = component.iter().copied().collect();
        let starts = component.iter().flat_map(|&start| {
            let edges = self.edges[start].iter();
            edges.map(move |&(to, label)| (start, to, label))
        });
        let cycles = starts.filter_map(|(start, to, label)| {
            let mut cycle = vec![(start, label)];
            cycle.extend(self.path((to, label), (start, label), &members, &apart)?);
            Some(cycle)
        });
        // One is as good as another, and a component may be the whole history.
        cycles.take(TRIED).min_by_key(Vec::len)
    }

    /// A shortest way from a node that was reached by an edge of such a label, to one that will be left by another.
    fn path(
        &self,
        (from, behind): (usize, L),
        (to, ahead): (usize, L),
        members: &HashSet<usize>,
        apart: &impl Fn(L) -> bool,
    ) -> Option<Cycle<L>> {
        // Whether the edge by which a node was reached is one to keep apart makes two nodes of it.
        let start = (from, apart(behind));
        let mut reached: HashMap<_, Option<((usize, bool), L)>> = HashMap::from([(start, None)]);
        let mut waiting = VecDeque::from([start]);
        while let Some(here) = waiting.pop_front() {
            if here.0 == to && !(here.1 && apart(ahead)) {
                let mut path = Vec::new();
                let mut last = here;
                while let Some(Some((before, label))) = reached.get(&last).copied() {
                    path.push((before.0, label));
                    last = before;
                }
                path.reverse();
                return Some(path);
            }
            for &(next, label) in &self.edges[here.0] {
                let there = (next, apart(label));
                if members.contains(&next) && !(here.1 && there.1) && !reached.contains_key(&there)
                {
                    reached.insert(there, Some((here, label)));
                    waiting.push_back(there);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(nodes: usize, edges: &[(usize, usize, char)]) -> Graph<char> {
        let mut graph = Graph::new(nodes);
        for &(from, to, label) in edges {
            graph.add(from, to, label);
        }
        graph
    }

    fn components(graph: &Graph<char>) -> Vec<Vec<usize>> {
        let mut found = graph.components();
        found
            .iter_mut()
            .for_each(|component| component.sort_unstable());
        found.sort();
        found
    }

    #[test]
    fn what_only_leads_on_has_no_component() {
        let chain = graph(4, &[(0, 1, 'a'), (1, 2, 'a'), (0, 3, 'a'), (3, 2, 'a')]);
        assert!(components(&chain).is_empty());
    }

    #[test]
    fn components_stand_apart() {
        let two = [
            (0, 1, 'a'),
            (1, 2, 'a'),
            (2, 0, 'a'),
            (2, 3, 'a'),
            (3, 4, 'a'),
            (4, 3, 'a'),
        ];
        assert_eq!(components(&graph(6, &two)), [vec![0, 1, 2], vec![3, 4]]);
    }

    #[test]
    fn a_history_is_deeper_than_a_stack() {
        const NODES: usize = 200_000;
        let mut ring = Graph::new(NODES);
        for node in 0..NODES {
            ring.add(node, (node + 1) % NODES, 'a');
        }
        let found = ring.components();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].len(), NODES);
    }

    #[test]
    fn the_shortest_cycle_through_a_node() {
        let edges = [(0, 1, 'a'), (1, 2, 'b'), (2, 0, 'c'), (1, 0, 'd')];
        let cycle = graph(3, &edges).cycle(&[0, 1, 2], |_| false).unwrap();
        let labels: String = cycle.iter().map(|(_, label)| label).collect();
        assert!(["ad", "da"].contains(&&*labels), "{labels}");
    }

    #[test]
    fn edges_that_are_kept_apart() {
        let apart = |label| label == 'r';
        let skew = graph(2, &[(0, 1, 'r'), (1, 0, 'r')]);
        assert!(skew.cycle(&[0, 1], apart).is_none());
        assert!(skew.cycle(&[0, 1], |_| false).is_some());
        let single = graph(2, &[(0, 1, 'r'), (1, 0, 'w')]);
        assert_eq!(single.cycle(&[0, 1], apart).unwrap().len(), 2);
        // The way round is longer than the one that may not be taken.
        let longer = [
            (0, 1, 'r'),
            (1, 0, 'r'),
            (1, 2, 'w'),
            (2, 0, 'r'),
            (2, 3, 'r'),
            (3, 0, 'w'),
        ];
        let cycle = graph(4, &longer).cycle(&[0, 1, 2, 3], apart).unwrap();
        let labels: String = cycle.iter().map(|(_, label)| label).collect();
        assert_eq!(labels.matches('r').count(), 2, "{labels}");
        assert!(
            !labels.contains("rr") && !(labels.starts_with('r') && labels.ends_with('r')),
            "{labels}"
        );
    }
}
