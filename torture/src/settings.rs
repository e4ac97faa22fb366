//! How a run is to be.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use fastrand::Rng;
use xtask::database::Database;

/// The same for all campaigns of a run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// How long one campaign may take, if that is limited; then it does what it can meanwhile.
    pub(crate) seconds: Option<Duration>,
    /// A few seconds in all, for the tests.
    pub(crate) short: bool,
    pub(crate) databases: Vec<Database>,
}

impl Settings {
    /// Whether the run is so limited that no more than what a short form does may be expected.
    pub(crate) fn is_limited(&self) -> bool {
        self.short || self.seconds.is_some()
    }

    /// A source of chance for what has this name: the same from the same seed, whoever draws from others meanwhile.
    pub(crate) fn chance(&self, name: impl std::hash::Hash) -> Rng {
        let mut hasher = DefaultHasher::new();
        (self.seed, name).hash(&mut hasher);
        Rng::with_seed(hasher.finish())
    }

    /// The servers are where the tests look for them.
    pub(crate) fn find_servers(&self) -> Result<(), String> {
        let variables = self
            .databases
            .iter()
            .filter_map(|database| database.variable());
        for variable in variables {
            if std::env::var_os(variable).is_none() {
                return Err(format!("{variable} is not set: run `cargo xtask torture`"));
            }
        }
        Ok(())
    }
}
