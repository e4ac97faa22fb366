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

    /// A short cycle of each component.
    pub(super) fn cycles(&self) -> Vec<Cycle<L>> {
        let components = self.components().into_iter();
        components
            .filter_map(|component| self.cycle(&component))
            .collect()
    }

    /// Those without an edge that is `apart` and follows another such edge.
    pub(super) fn cycles_apart(&self, apart: impl Fn(L) -> bool) -> Vec<Cycle<L>> {
        let mut cycles = self.apart(apart).cycles();
        for (node, _) in cycles.iter_mut().flatten() {
            *node /= 2;
        }
        cycles
    }

    /// The strongly connected components of more than one node, by Tarjan's algorithm ("Depth-First Search and Linear
    /// Graph Algorithms", 1972), without recursion: a history is deeper than a stack.
    fn components(&self) -> Vec<Vec<usize>> {
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

    /// The graph for ways on which no edge that is `apart` follows another: each node is two, `2 n` for those who come
    /// by another edge, `2 n + 1` for those who come by such an edge.
    fn apart(&self, apart: impl Fn(L) -> bool) -> Self {
        let mut graph = Self::new(2 * self.edges.len());
        for (from, edges) in self.edges.iter().enumerate() {
            for &(to, label) in edges {
                if apart(label) {
                    graph.add(2 * from, 2 * to + 1, label);
                } else {
                    graph.add(2 * from, 2 * to, label);
                    graph.add(2 * from + 1, 2 * to, label);
                }
            }
        }
        graph
    }

    /// A short cycle within a component.
    fn cycle(&self, component: &[usize]) -> Option<Cycle<L>> {
        let members: HashSet<usize> = component.iter().copied().collect();
        // One is as good as another, and a component may be the whole history.
        let starts = component.iter().take(TRIED);
        let cycles = starts.filter_map(|&start| self.way_round(start, &members));
        cycles.min_by_key(Vec::len)
    }

    /// A shortest way from a node back to itself.
    fn way_round(&self, start: usize, members: &HashSet<usize>) -> Option<Cycle<L>> {
        let mut reached: HashMap<usize, (usize, L)> = HashMap::new();
        let mut waiting = VecDeque::from([start]);
        while let Some(here) = waiting.pop_front() {
            for &(next, label) in &self.edges[here] {
                if !members.contains(&next) || reached.contains_key(&next) {
                    continue;
                }
                reached.insert(next, (here, label));
                if next == start {
                    let mut cycle = Vec::new();
                    let mut last = start;
                    while let Some(&(before, label)) = reached.get(&last) {
                        cycle.push((before, label));
                        last = before;
                        if last == start {
                            break;
                        }
                    }
                    cycle.reverse();
                    return Some(cycle);
                }
                waiting.push_back(next);
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
        for component in &mut found {
            component.sort_unstable();
        }
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
        let cycle = graph(3, &edges).cycles().pop().unwrap();
        let labels: String = cycle.iter().map(|(_, label)| label).collect();
        assert!(["ad", "da"].contains(&&*labels), "{labels}");
    }

    /// The labels of a cycle without two edges `r` in a row.
    fn apart(nodes: usize, edges: &[(usize, usize, char)]) -> Option<String> {
        let cycle = graph(nodes, edges)
            .cycles_apart(|label| label == 'r')
            .pop()?;
        Some(cycle.iter().map(|(_, label)| label).collect())
    }

    #[test]
    fn edges_that_are_kept_apart() {
        assert_eq!(apart(2, &[(0, 1, 'r'), (1, 0, 'r')]), None);
        assert_eq!(
            apart(3, &[(0, 1, 'r'), (1, 2, 'w'), (2, 0, 'r')]),
            None,
            "the last is followed by the first"
        );
        let single = apart(2, &[(0, 1, 'r'), (1, 0, 'w')]).unwrap();
        assert!(["rw", "wr"].contains(&&*single), "{single}");
        // The way round is longer than the one that may not be taken.
        let edges = [
            (0, 1, 'r'),
            (1, 0, 'r'),
            (1, 2, 'w'),
            (2, 3, 'r'),
            (3, 0, 'w'),
        ];
        let longer = apart(4, &edges).unwrap();
        assert!(["rwrw", "wrwr"].contains(&&*longer), "{longer}");
    }
}
