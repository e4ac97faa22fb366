//! A body of MariaDB's that swallows a deadlock: the server has rolled back everything, and takes what follows as
//! statements of their own. It takes a rival, so no row says it.

use sqlx::Executor as _;
use steadfast::{Error, Outcome};
use steadfast_tests::support::mysql::{Place, Session, as_victim, note, pay};

use super::table::{Door, End};
use crate::campaign::Front;

/// Its rows: the rival's go up to 100.
const OWN: i64 = 1000;

/// A transfer that meets the rival, goes on as if nothing had happened, and writes something else.
async fn swallow(session: &mut Session) -> Result<(), Error> {
    note(session, OWN).await?;
    pay(session, 1, 1).await?;
    // The victim is this one.
    let _ = pay(session, 2, 1).await;
    let _ = note(session, OWN + 1).await;
    Ok(())
}

pub(super) async fn attack(front: &Front) {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    let ways = [
        (Door::Closure, End::Keep),
        (Door::ByHand, End::Keep),
        (Door::ByHand, End::GiveUp),
    ];
    let most = if front.settings.short { 2 } else { ways.len() };
    front.report.expect("deadlocks", most as u64);
    for (door, end) in ways.into_iter().take(most) {
        let call = async {
            if door == Door::Closure {
                return pool
                    .session("poison::deadlock", async |session| swallow(session).await)
                    .await;
            }
            let mut session = pool.begin().await?;
            swallow(&mut session).await?;
            match end {
                End::Keep => session.commit().await,
                _ => session.rollback().await,
            }
        };
        let told = as_victim(&place, &pool, call).await;
        let is_true = match &told {
            Ok(()) => end == End::GiveUp,
            Err(error) => end == End::Keep && error.outcome() == Outcome::RolledBack,
        };
        let (left, cents) = (place.notes().await, place.cents(1).await);
        if !is_true || !left.is_empty() || cents != 1000 {
            front.violation(format_args!(
                "a swallowed deadlock, {door:?}, {end:?}: told {told:?}, rows {left:?} and {cents} cents are there"
            ));
        }
        place
            .plain
            .execute("DELETE FROM notes; UPDATE accounts SET cents = 1000")
            .await
            .unwrap();
        front.report.count("deadlocks", 1);
    }
}
