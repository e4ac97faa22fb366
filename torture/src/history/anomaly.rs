//! What a history shows that it should not.

use std::fmt::{self, Write as _};

use super::transaction::{Key, Transaction, Value};

/// Transactions are named by their places in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Anomaly {
    /// Committed, and not there in the end.
    Lost {
        key: Key,
        value: Value,
        writer: usize,
    },
    /// There more than once.
    Doubled {
        key: Key,
        value: Value,
        writer: usize,
    },
    /// Aborted, and there in the end.
    Revived {
        key: Key,
        value: Value,
        writer: usize,
    },
    /// In doubt, and there in part.
    Torn { writer: usize },
    /// There, and nobody has written it.
    Unborn { key: Key, value: Value },
    /// G1a: of an aborted transaction.
    AbortedRead {
        key: Key,
        value: Value,
        writer: usize,
        reader: usize,
    },
    /// G1b: of a transaction that went on appending to the same list.
    IntermediateRead {
        key: Key,
        value: Value,
        writer: usize,
        reader: usize,
    },
    /// A list that was no beginning of what it became.
    Incompatible { key: Key, reader: usize },
    /// An append that its own transaction does not see.
    Unseen { key: Key, reader: usize },
    /// A list that changed while a transaction looked at it.
    Unrepeatable { key: Key, reader: usize },
    /// A list without what was acknowledged before its reader was called.
    Stale {
        key: Key,
        reader: usize,
        writer: usize,
    },
    /// Transactions each of which comes before the next one, and the last before the first.
    Cycle(Vec<(usize, Order)>),
}

/// Why a transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The other has appended behind it.
    Overwritten(Key),
    /// The other has read it.
    Read(Key),
    /// It has read what was there before the other (an anti-dependency).
    Missed(Key),
    /// It had returned when the other was called.
    Time,
}

impl Anomaly {
    /// The name of a kind of cycle.
    fn kind(cycle: &[(usize, Order)]) -> &'static str {
        let is_missed = |at: usize| matches!(cycle[at % cycle.len()].1, Order::Missed(_));
        let missed = (0..cycle.len()).filter(|&at| is_missed(at)).count();
        let are_adjacent = (0..cycle.len()).any(|at| is_missed(at) && is_missed(at + 1));
        let has_read = cycle
            .iter()
            .any(|(_, order)| matches!(order, Order::Read(_)));
        match missed {
            0 if has_read => "G1c",
            0 => "G0",
            1 => "G-single",
            _ if are_adjacent => "G2",
            _ => "G-nonadjacent",
        }
    }

    fn transactions(&self) -> Vec<usize> {
        match self {
            Self::Unborn { .. } => Vec::new(),
            Self::Lost { writer, .. }
            | Self::Doubled { writer, .. }
            | Self::Revived { writer, .. }
            | Self::Torn { writer } => vec![*writer],
            Self::Incompatible { reader, .. }
            | Self::Unseen { reader, .. }
            | Self::Unrepeatable { reader, .. } => vec![*reader],
            Self::AbortedRead { writer, reader, .. }
            | Self::IntermediateRead { writer, reader, .. }
            | Self::Stale { writer, reader, .. } => vec![*writer, *reader],
            Self::Cycle(cycle) => cycle.iter().map(|(transaction, _)| *transaction).collect(),
        }
    }

    /// It, and what the transactions in it did.
    pub(super) fn told(&self, history: &[Transaction]) -> String {
        let mut text = self.to_string();
        for number in self.transactions() {
            let _ = write!(text, "; T{number} {}", history[number]);
        }
        text
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { key, value, writer } => {
                write!(
                    formatter,
                    "lost append: {value} of T{writer} is not in list {key}"
                )
            }
            Self::Doubled { key, value, writer } => {
                write!(
                    formatter,
                    "doubled append: {value} of T{writer} is in list {key} more than once"
                )
            }
            Self::Revived { key, value, writer } => {
                write!(
                    formatter,
                    "aborted append: {value} of T{writer} is in list {key}"
                )
            }
            Self::Torn { writer } => {
                write!(formatter, "torn transaction: a part of T{writer} is there")
            }
            Self::Unborn { key, value } => {
                write!(
                    formatter,
                    "{value} is in list {key}, and nobody has appended it"
                )
            }
            Self::AbortedRead {
                key,
                value,
                writer,
                reader,
            } => {
                write!(
                    formatter,
                    "G1a, aborted read: T{reader} has read {value} of T{writer} in list {key}"
                )
            }
            Self::IntermediateRead {
                key,
                value,
                writer,
                reader,
            } => {
                write!(
                    formatter,
                    "G1b, intermediate read: T{reader} has read {value} of T{writer} in list {key}"
                )
            }
            Self::Incompatible { key, reader } => {
                write!(formatter, "T{reader} has read a list {key} that never was")
            }
            Self::Unseen { key, reader } => {
                write!(
                    formatter,
                    "T{reader} does not see its own appends to list {key}"
                )
            }
            Self::Unrepeatable { key, reader } => {
                write!(
                    formatter,
                    "unrepeatable read: list {key} changed under T{reader}"
                )
            }
            Self::Stale {
                key,
                reader,
                writer,
            } => {
                write!(
                    formatter,
                    "stale read: T{writer} was acknowledged before T{reader} was called, which does not see it in list {key}"
                )
            }
            Self::Cycle(cycle) => write_cycle(cycle, formatter),
        }
    }
}

fn write_cycle(cycle: &[(usize, Order)], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    formatter.write_str(Anomaly::kind(cycle))?;
    for (at, &(from, order)) in cycle.iter().enumerate() {
        let (to, _) = cycle[(at + 1) % cycle.len()];
        match order {
            Order::Overwritten(key) => {
                write!(formatter, ", T{to} appends behind T{from} to list {key}")?;
            }
            Order::Read(key) => write!(formatter, ", T{to} reads T{from} in list {key}")?,
            Order::Missed(key) => write!(formatter, ", T{from} does not see T{to} in list {key}")?,
            Order::Time => write!(formatter, ", T{from} returned before T{to} was called")?,
        }
    }
    Ok(())
}
