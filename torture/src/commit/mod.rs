//! Takes the answer to COMMIT away, by everything that can: what was told must be true, and nothing done twice.

mod answers;
mod children;
mod entries;
mod seen;
mod stalls;
mod strikes;

use futures_util::future::join_all;
use xtask::database::Database;

use crate::campaign::{Campaign, Front, Part};

pub(crate) use children::commit;

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "commit",
    databases: &[
        (Database::Postgres, |front| Box::pin(attack(front))),
        (Database::MySql, |front| Box::pin(attack(front))),
        (Database::Sqlite, |front| Box::pin(attack(front))),
    ],
};

const PARTS: [&[Part]; 3] = [answers::PARTS, strikes::PARTS, children::PARTS];

/// All parts that the database can have, side by side.
async fn attack(front: Front) {
    let parts = PARTS.into_iter().flatten();
    let parts = parts.filter(|(database, _)| *database == front.database);
    join_all(parts.map(|(_, part)| front.watch(part(front.clone())))).await;
}
