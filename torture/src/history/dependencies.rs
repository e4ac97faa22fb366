//! Which transaction comes before which, and the cycles in that.

use super::anomaly::{Anomaly, Order};
use super::check::Seen;
use super::graph::{Cycle, Graph};
use super::guarantee::{Forbidden, Guarantee};
use super::transaction::Fate;

/// The cycles that are not allowed, one of each component.
pub(super) fn cycles(seen: &Seen<'_>) -> Vec<Anomaly> {
    let graph = graph(seen);
    let Guarantee { cycles, strict, .. } = seen.guarantee;
    let is_written = |order| matches!(order, Order::Overwritten(_) | Order::Time);
    // Each finds what those ahead of it find, and more.
    let searches: [&dyn Fn() -> Vec<Cycle<Order>>; 4] = [
        &|| graph.only(is_written).cycles(),
        &|| graph.only(|order| !is_missed(order)).cycles(),
        &|| match cycles {
            Forbidden::Information => Vec::new(),
            Forbidden::Snapshot | Forbidden::All => graph.cycles_apart(is_missed),
        },
        &|| match cycles {
            Forbidden::Information | Forbidden::Snapshot => Vec::new(),
            Forbidden::All => graph.only(|order| strict || order != Order::Time).cycles(),
        },
    ];
    let mut found = searches.iter().map(|search| search());
    let found = found.find(|found| !found.is_empty()).unwrap_or_default();
    let transactions = seen.history.len();
    found
        .into_iter()
        .map(|cycle| Anomaly::Cycle(without_moments(cycle, transactions)))
        .collect()
}

fn is_missed(order: Order) -> bool {
    matches!(order, Order::Missed(_))
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
