//! Transactions append to lists and read them, under faults; what each was told, saw and left behind is checked for
//! anomalies that the database does not allow at its isolation level, as Elle does (Kingsbury and Alvaro, "Elle: Inferring
//! Isolation Anomalies from Experimental Observations", 2020).

#[macro_use]
mod lanes;

mod anomaly;
mod check;
mod control;
mod dependencies;
mod file;
mod graph;
mod guarantee;
mod plan;
mod scribe;
mod servers;
#[cfg(test)]
mod tests;
mod transaction;

use xtask::database::Database;

use crate::campaign::Campaign;

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "history",
    databases: &[
        (Database::Postgres, |front| {
            Box::pin(async move {
                servers::attack_postgres(front.clone()).await;
                front.watch(control::attack(&front)).await;
            })
        }),
        (Database::MySql, |front| {
            Box::pin(servers::attack_mysql(front))
        }),
        (Database::Sqlite, |front| Box::pin(file::attack(front))),
    ],
};

/// Calls at once.
const LANES: usize = 12;

/// Connections of each pool that they share.
const CONNECTIONS: u32 = 8;

/// What the strictest level would not have let happen, at all levels together: where there is none of it, the calls have
/// not met, and nothing could have gone wrong.
const ALLOWED: &str = "anomalies that are allowed";
