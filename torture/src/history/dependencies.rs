//! Which transaction comes before which, and the cycles in that.

use super::anomaly::{Anomaly, Order};
use super::check::Seen;
use super::graph::Graph;
use super::guarantee::Forbidden;
use super::transaction::Fate;

/// The cycles that are not allowed, one of each component.
pub(super) fn cycles(seen: &Seen<'_>) -> Vec<Anomaly> {
    let graph = graph(seen);
    let guarantee = seen.guarantee;
    // Each with all edges that it may have, and those that may not follow each other.
    let none: fn(Order) -> bool = |_| false;
    let is_missed: fn(Order) -> bool = |order| matches!(order, Order::Missed(_));
    let mut kinds = vec![
        (
            graph.only(|order| matches!(order, Order::Overwritten(_) | Order::Time)),
            none,
        ),
        (graph.only(|order| !is_missed(order)), none),
    ];
    if guarantee.cycles >= Forbidden::Snapshot {
        kinds.push((graph.only(|_| true), is_missed));
    }
    if guarantee.cycles == Forbidden::All {
        let strict = guarantee.strict;
        let counts = graph.only(|order| strict || order != Order::Time);
        kinds.push((counts, none));
    }
    for (graph, apart) in kinds {
        let found: Vec<Anomaly> = graph
            .components()
            .into_iter()
            .filter_map(|component| graph.cycle(&component, apart))
            .map(|cycle| Anomaly::Cycle(without_moments(cycle, seen.history.len())))
            .collect();
        if !found.is_empty() {
            // What follows would find them again.
            return found;
        }
    }
    Vec::new()
}

/// Of committed transactions. Behind them stand nodes for the moments at which transactions returned, one after the other:
/// so the order in time takes an edge or two each, and not one for each pair.
fn graph(seen: &Seen<'_>) -> Graph<Order> {
    let transactions = seen.history.len();
    let mut moments: Vec<(u64, usize)> = seen
        .committed()
        .filter_map(|(number, transaction)| Some((transaction.returned?, number)))
        .collect();
    moments.sort_unstable();
    let mut graph = Graph::new(transactions + moments.len());
    for (place, &(_, number)) in moments.iter().enumerate() {
        graph.add(number, transactions + place, Order::Time);
        if place > 0 {
            graph.add(transactions + place - 1, transactions + place, Order::Time);
        }
    }
    for (number, transaction) in seen.committed() {
        let returned = moments.partition_point(|(returned, _)| *returned < transaction.called);
        if returned > 0 {
            graph.add(transactions + returned - 1, number, Order::Time);
        }
    }
    let writer = |key, value| {
        let writer = seen.writers.get(&(key, value)).copied();
        writer.filter(|&writer| seen.history[writer].fate == Fate::Committed)
    };
    for (&key, list) in seen.lists {
        for pair in list.windows(2) {
            if let (Some(one), Some(other)) = (writer(key, pair[0]), writer(key, pair[1]))
                && one != other
            {
                graph.add(one, other, Order::Overwritten(key));
            }
        }
    }
    for (reader, transaction) in seen.committed() {
        for (key, list) in transaction.reads_of_others() {
            let in_the_end = seen.lists.get(&key).map_or(&[][..], Vec::as_slice);
            let read = list.last().and_then(|&value| writer(key, value));
            if let Some(read) = read.filter(|&read| read != reader) {
                graph.add(read, reader, Order::Read(key));
            }
            let next = in_the_end
                .get(list.len())
                .and_then(|&value| writer(key, value));
            if let Some(next) = next.filter(|&next| next != reader && in_the_end.starts_with(list))
            {
                graph.add(reader, next, Order::Missed(key));
            }
        }
    }
    graph
}

/// A cycle of transactions alone.
fn without_moments(cycle: Vec<(usize, Order)>, transactions: usize) -> Vec<(usize, Order)> {
    cycle
        .into_iter()
        .filter(|(node, _)| *node < transactions)
        .collect()
}
