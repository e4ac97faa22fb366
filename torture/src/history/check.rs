//! Looks for anomalies in a history of transactions that append to lists and read them, as Elle does.
//!
//! The lists as they are in the end, read behind everything else, say in which order appends took effect; what each
//! transaction read says what it saw of that.

use std::collections::{BTreeMap, HashMap};

use super::anomaly::Anomaly;
use super::dependencies;
use super::guarantee::Guarantee;
use super::transaction::{Fate, Key, Step, Transaction, Value};

/// The lists in the end.
pub(super) type Lists = BTreeMap<Key, Vec<Value>>;

/// All that `guarantee` does not allow.
pub(super) fn check(history: &[Transaction], lists: &Lists, guarantee: Guarantee) -> Vec<Anomaly> {
    let mut writers = HashMap::new();
    for (number, transaction) in history.iter().enumerate() {
        for (key, value) in transaction.appends() {
            let other = writers.insert((key, value), number);
            assert!(other.is_none(), "{value} was appended twice to list {key}");
        }
    }
    let mut settled: Vec<Transaction> = history.to_vec();
    let mut anomalies = ends(&mut settled, lists, &writers);
    let seen = Seen {
        history: &settled,
        lists,
        writers: &writers,
        guarantee,
    };
    anomalies.extend(seen.reads());
    anomalies.extend(dependencies::cycles(&seen));
    anomalies
}

/// A history in which no doubt is left.
pub(super) struct Seen<'h> {
    pub(super) history: &'h [Transaction],
    pub(super) lists: &'h Lists,
    pub(super) writers: &'h HashMap<(Key, Value), usize>,
    pub(super) guarantee: Guarantee,
}

/// Holds the lists against what is known of each end. What is in doubt was committed if it is there.
fn ends(
    history: &mut [Transaction],
    lists: &Lists,
    writers: &HashMap<(Key, Value), usize>,
) -> Vec<Anomaly> {
    let mut anomalies = Vec::new();
    let mut times: BTreeMap<(Key, Value), usize> = BTreeMap::new();
    for (&key, list) in lists {
        for &value in list {
            *times.entry((key, value)).or_default() += 1;
        }
    }
    for (&(key, value), &times) in &times {
        match writers.get(&(key, value)) {
            None => anomalies.push(Anomaly::Unborn { key, value }),
            Some(&writer) if times > 1 => anomalies.push(Anomaly::Doubled { key, value, writer }),
            Some(_) => {}
        }
    }
    for (writer, transaction) in history.iter_mut().enumerate() {
        let (there, missing): (Vec<_>, Vec<_>) = transaction
            .appends()
            .partition(|append| times.contains_key(append));
        match transaction.fate {
            Fate::Committed => {
                let lost = missing.into_iter();
                anomalies.extend(lost.map(|(key, value)| Anomaly::Lost { key, value, writer }));
            }
            Fate::Aborted => {
                let revived = there.into_iter();
                anomalies.extend(revived.map(|(key, value)| Anomaly::Revived {
                    key,
                    value,
                    writer,
                }));
            }
            Fate::Unknown if there.is_empty() => transaction.fate = Fate::Aborted,
            Fate::Unknown => {
                transaction.fate = Fate::Committed;
                if !missing.is_empty() {
                    anomalies.push(Anomaly::Torn { writer });
                }
            }
        }
    }
    anomalies
}

impl Seen<'_> {
    pub(super) fn committed(&self) -> impl Iterator<Item = (usize, &Transaction)> {
        let all = self.history.iter().enumerate();
        all.filter(|(_, transaction)| transaction.fate == Fate::Committed)
    }

    /// What is wrong with single reads.
    fn reads(&self) -> Vec<Anomaly> {
        let mut anomalies = Vec::new();
        for (reader, transaction) in self.committed() {
            for (key, list) in transaction.reads() {
                anomalies.extend(self.read(reader, key, list));
            }
            anomalies.extend(own(reader, transaction));
            if self.guarantee.repeatable {
                let mut first: HashMap<Key, &[Value]> = HashMap::new();
                for (key, list) in transaction.reads_of_others() {
                    if *first.entry(key).or_insert(list) != list {
                        anomalies.push(Anomaly::Unrepeatable { key, reader });
                    }
                }
            }
        }
        anomalies
    }

    fn read(&self, reader: usize, key: Key, list: &[Value]) -> Option<Anomaly> {
        for &value in list {
            match self.writers.get(&(key, value)) {
                None => return Some(Anomaly::Unborn { key, value }),
                Some(&writer) if self.history[writer].fate == Fate::Aborted => {
                    return Some(Anomaly::AbortedRead {
                        key,
                        value,
                        writer,
                        reader,
                    });
                }
                Some(_) => {}
            }
        }
        if let Some(&value) = list.last() {
            let writer = self.writers[&(key, value)];
            let mut appends = self.history[writer].appends();
            let is_last =
                appends.by_ref().filter(|(own, _)| *own == key).last() == Some((key, value));
            if writer != reader && !is_last {
                return Some(Anomaly::IntermediateRead {
                    key,
                    value,
                    writer,
                    reader,
                });
            }
        }
        let in_the_end = self.lists.get(&key).map_or(&[][..], Vec::as_slice);
        if !in_the_end.starts_with(list) {
            return Some(Anomaly::Incompatible { key, reader });
        }
        self.stale(reader, key, list.len())
    }

    /// What the reader of so many elements should have seen as well.
    fn stale(&self, reader: usize, key: Key, seen: usize) -> Option<Anomaly> {
        let called = self.history[reader].called;
        let missed = self.lists.get(&key)?.iter().skip(seen);
        missed
            .filter_map(|&value| self.writers.get(&(key, value)).copied())
            .find(|&writer| {
                self.history[writer]
                    .returned
                    .is_some_and(|returned| returned < called)
            })
            .map(|writer| Anomaly::Stale {
                key,
                reader,
                writer,
            })
    }
}

/// What a transaction does not see of itself: a list that it has appended to is its own until it ends.
fn own(reader: usize, transaction: &Transaction) -> Option<Anomaly> {
    let mut appended: HashMap<Key, Vec<Value>> = HashMap::new();
    for step in &transaction.steps {
        match step {
            Step::Append(key, value) => appended.entry(*key).or_default().push(*value),
            Step::Read(key, list) => {
                let own = appended.get(key).map_or(&[][..], Vec::as_slice);
                if !list.ends_with(own) {
                    return Some(Anomaly::Unseen { key: *key, reader });
                }
            }
        }
    }
    None
}
