//! Many clerks transfer money while their calls are dropped, panic, fail and meet each other, and while backends, whole
//! servers and whole processes are killed. In the end the money is all there, what was acknowledged stands in the journal
//! once, what was refused does not, and what was in doubt stands there once or not at all.

#[macro_use]
mod counter;

mod books;
pub(crate) mod branch;
mod control;
mod order;
mod servers;

use steadfast::Error;
use xtask::database::Database;

use crate::campaign::Campaign;

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "bank",
    databases: &[
        (Database::Postgres, |front| {
            Box::pin(async {
                control::attack_postgres(front.clone()).await;
                servers::attack_postgres(front).await;
            })
        }),
        (Database::MySql, |front| {
            Box::pin(async {
                control::attack_mysql(front.clone()).await;
                servers::attack_mysql(front).await;
            })
        }),
        (Database::Sqlite, |front| Box::pin(branch::attack(front))),
    ],
};

/// Clerks that serve at once.
const CLERKS: i64 = 64;

/// Room for the ids of one clerk's orders.
const ROOM: i64 = 1_000_000;

/// Orders in doubt, with what may tell what became of them.
type Doubts = Vec<(i64, Error)>;
