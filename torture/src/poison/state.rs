//! Everything that can be seen of a connection, by name.

mod mysql;
mod postgres;
mod sqlite;

use std::collections::{BTreeMap, BTreeSet};

/// What is there, in the words of the database.
#[derive(Clone, Debug, Default)]
pub(super) struct State(BTreeMap<String, String>);

/// A connection that lets itself be seen. What has no list is asked for by name, that of its place among them.
pub(super) trait Seen {
    async fn state(&mut self, here: &str) -> State;
}

impl State {
    fn put(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// What an attempt comes to, its error among that.
    fn put_answer(&mut self, name: &str, answer: Result<Option<String>, sqlx::Error>) {
        let value = match answer {
            Ok(value) => value.unwrap_or_else(|| "nothing".to_owned()),
            Err(sqlx::Error::RowNotFound) => "no row".to_owned(),
            Err(error) => error.to_string(),
        };
        self.put(name, value);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What is not the same in both, but for what is `volatile`.
    pub(super) fn difference(&self, other: &Self, volatile: &BTreeSet<String>) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let differs = |name: &&String| self.0.get(*name) != other.0.get(*name);
        let names = names.into_iter().filter(differs).cloned();
        names.filter(|name| !volatile.contains(name)).collect()
    }

    /// Both values of what differs, for a reader.
    pub(super) fn tell(&self, other: &Self, names: &[String]) -> String {
        let lines = names.iter().map(|name| {
            let (own, others) = (self.0.get(name), other.0.get(name));
            format!("{name}: {own:?}, and on a new connection {others:?}")
        });
        lines.collect::<Vec<_>>().join("; ")
    }
}
