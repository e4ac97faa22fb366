//! What one transaction did, and what is known of its end.

use std::fmt;

/// A list that transactions append to and read.
pub(super) type Key = i64;

/// An element of a list: appended by one transaction, once.
pub(super) type Value = i64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Append(Key, Value),
    Read(Key, Vec<Value>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    /// Nothing of it may ever be seen.
    Aborted,
    /// Committed or aborted.
    Unknown,
}

#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) steps: Vec<Step>,
    pub(super) fate: Fate,
    /// A moment ahead of its beginning.
    pub(super) called: u64,
    /// A moment behind its end, where somebody was told of it.
    pub(super) returned: Option<u64>,
}

impl Transaction {
    pub(super) fn appends(&self) -> impl Iterator<Item = (Key, Value)> {
        self.steps.iter().filter_map(|step| match step {
            Step::Append(key, value) => Some((*key, *value)),
            Step::Read(..) => None,
        })
    }

    /// What it read of lists that it had not appended to: the work of others.
    pub(super) fn reads_of_others(&self) -> impl Iterator<Item = (Key, &[Value])> {
        let foreign = self.steps.iter().enumerate();
        foreign.filter_map(|(at, step)| match step {
            Step::Read(key, list) => {
                let mut before = self.steps[..at].iter();
                let is_own = before.any(|step| matches!(step, Step::Append(own, _) if own == key));
                (!is_own).then_some((*key, list.as_slice()))
            }
            Step::Append(..) => None,
        })
    }

    pub(super) fn reads(&self) -> impl Iterator<Item = (Key, &[Value])> {
        self.steps.iter().filter_map(|step| match step {
            Step::Read(key, list) => Some((*key, list.as_slice())),
            Step::Append(..) => None,
        })
    }
}

impl fmt::Display for Transaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("{")?;
        for (at, step) in self.steps.iter().enumerate() {
            let separator = if at > 0 { ", " } else { "" };
            match step {
                Step::Append(key, value) => {
                    write!(formatter, "{separator}append {value} to {key}")?;
                }
                Step::Read(key, list) => {
                    // Its end is what matters, and lists are long.
                    let shown = &list[list.len().saturating_sub(3)..];
                    let dots = if shown.len() < list.len() { "… " } else { "" };
                    write!(formatter, "{separator}read {key}: {dots}{shown:?}")?;
                }
            }
        }
        formatter.write_str("}")
    }
}
