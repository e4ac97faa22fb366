//! Drops calls after each of their polls.

use crate::campaign::{Campaign, attacks};

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "cancel",
    databases: attacks!(Postgres: postgres, MySql: mysql, Sqlite: sqlite),
};

each_database! {
    use crate::campaign::Front;
    use steadfast::{Error, with_session};

    #[with_session]
    async fn transfer(session: &mut Session) -> Result<(), Error> {
        pay(&mut *session, 1, -1).await?;
        pay(&mut *session, 2, 1).await?;
        Ok(())
    }

    pub(crate) async fn attack(front: Front) {
        front.report.expect("points", 3);
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for polls in 1.. {
            let before = place.total().await;
            let ended = drop_at_poll(transfer(&pool), polls).await;
            quiet(&pool).await;
            if place.total().await != before {
                front.violation(format_args!("dropped at poll {polls}, a transfer was torn"));
            }
            if ended.is_some() || front.is_over() {
                break;
            }
            front.report.count("points", 1);
        }
    }
}
