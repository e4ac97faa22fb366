//! A helper ends the session's transaction by words of its own, and then something else goes wrong: whoever would say
//! that the work is undone would lie.

each_server! {
    helpers!();
    use crate::hooks::seen::Seen;
    use std::time::Duration;
    use steadfast::{Category, Error, Outcome, retry, with_session};
    use xtask::proxy::{Fault, Proxy};

    async fn raw(lent: &mut Connection, words: &'static str) -> sqlx::Result<()> {
        sqlx::raw_sql(words).execute(lent).await?;
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn commits_and_is_cut_off(session: &mut Session, proxy: &Proxy, seen: &Seen) -> Result<(), Error> {
        let attempt = i64::from(session.attempt());
        seen.watch(session);
        let lent = session.raw().await?;
        insert(&mut *lent, attempt).await?;
        if attempt == 1 {
            raw(lent, "COMMIT").await?;
            proxy.cut();
        }
        raw(lent, "SELECT 1").await?;
        Ok(())
    }

    /// The work of the first attempt stays, so there is no second.
    #[tokio::test]
    async fn a_connection_that_is_lost_afterwards_leaves_doubt() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        pool.install().await.unwrap();
        let seen = Seen::default();
        let error = commits_and_is_cut_off(&pool, &proxy, &seen).await.unwrap_err();
        assert_eq!((error.outcome(), place.notes().await), (Outcome::Unknown, vec![1]), "{error}");
        assert_eq!(seen.all(), ["end unknown"]);
    }

    #[with_session(timeout = "1s")]
    async fn commits_and_hangs(session: &mut Session) -> Result<(), Error> {
        let lent = session.raw().await?;
        insert(&mut *lent, 1).await?;
        raw(lent, "COMMIT").await?;
        raw(lent, "SELECT 'held'").await?;
        Ok(())
    }

    #[tokio::test]
    async fn so_does_a_deadline_on_a_server_that_is_silent_from_there_on() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        proxy.on_each(|sent| sent.runs("held") || sent.runs("ROLLBACK"), Fault::HoldBefore);
        let error = commits_and_hangs(&pool).await.unwrap_err();
        assert_eq!(place.notes().await, [1], "{:#?}", proxy.sent());
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::Unknown), "{error}");
    }

    #[with_session]
    async fn commits_and_fails_in_the_next(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        let lent = session.raw().await?;
        insert(&mut *lent, 1).await?;
        raw(lent, "COMMIT").await?;
        raw(lent, "BEGIN").await?;
        let _ = raw(lent, "SELECT * FROM nowhere").await;
        Ok(())
    }

    /// On PostgreSQL the transaction that COMMIT meets has failed, and tells nothing of the one before.
    #[tokio::test]
    async fn a_second_transaction_that_fails_hides_nothing() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let seen = Seen::default();
        let error = commits_and_fails_in_the_next(&pool, &seen).await.unwrap_err();
        assert_eq!((error.outcome(), place.notes().await), (Outcome::Unknown, vec![1]), "{error}");
        assert_eq!(seen.all(), ["end unknown"]);
    }

    #[tokio::test]
    async fn nor_does_one_inside_a_savepoint() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        insert(&mut session, 1).await.unwrap();
        let part = session.savepoint(async |session| {
            let lent = session.raw().await?;
            insert(&mut *lent, 2).await?;
            raw(lent, "COMMIT").await?;
            raw(lent, "BEGIN").await?;
            let _ = raw(lent, "SELECT * FROM nowhere").await;
            Ok::<_, Error>(())
        });
        let _ = part.await;
        let _ = session.savepoint(async |session| Ok::<_, Error>(insert(&mut *session, 3).await?)).await;
        let error = session.commit().await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        assert_eq!(place.notes().await[..2], [1, 2]);
    }

    #[with_session]
    async fn lends_and_fails(session: &mut Session, id: i64, commits: bool) -> Result<(), Error> {
        let lent = session.raw().await?;
        insert(&mut *lent, id).await?;
        if commits {
            raw(lent, "COMMIT").await?;
        }
        Err(support::transient())
    }

    /// The error that a body branches on.
    #[tokio::test]
    async fn a_nested_call_that_fails_behind_it_says_so_itself() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        let error = lends_and_fails(&mut session, 1, true).await.unwrap_err();
        assert_eq!((error.outcome(), place.notes().await), (Outcome::Unknown, vec![1]), "{error}");
        assert_eq!(session.rollback().await.unwrap_err().outcome(), Outcome::Unknown);
    }

    /// What is undone inside a savepoint is proven to be ours, and no doubt is left.
    #[tokio::test]
    async fn a_nested_call_that_only_lends_is_undone() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        insert(&mut session, 1).await.unwrap();
        let error = lends_and_fails(&mut session, 2, false).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::RolledBack);
        session.commit().await.unwrap();
        assert_eq!(place.notes().await, [1]);
        tokio::time::timeout(Duration::from_secs(20), pool.close()).await.unwrap();
    }
}

/// sqlx counts no answer of a COPY, so a connection on which one was left half-way is out of step, and nobody sees it.
mod copies {
    use crate::support::{self, postgres::*, *};
    use futures_util::StreamExt as _;
    use steadfast::{Error, Outcome, with_session};

    async fn half_a_copy(lent: &mut Connection) {
        let mut out = lent
            .copy_out_raw("COPY (SELECT generate_series(1, 3)) TO STDOUT")
            .await
            .unwrap();
        out.next().await.unwrap().unwrap();
    }

    #[with_session]
    async fn leaves_one(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        half_a_copy(session.raw().await?).await;
        Ok(())
    }

    #[with_session]
    async fn leaves_one_in_a_savepoint(
        session: &mut Session,
        id: i64,
        fails: bool,
    ) -> Result<(), Error> {
        note(session, id).await?;
        let inner = session.savepoint(async |session| {
            half_a_copy(session.raw().await?).await;
            if fails {
                Err(support::transient())
            } else {
                Ok(())
            }
        });
        let _ = inner.await;
        let _ = session
            .savepoint(async |session| note(session, id + 1).await.map_err(Error::from))
            .await;
        Ok(())
    }

    async fn serves_well(pool: &Pool, place: &Place) {
        for id in 100..103 {
            let answer: i64 = sqlx::query_scalar("SELECT $1")
                .bind(id)
                .fetch_one(pool)
                .await
                .unwrap();
            assert_eq!(answer, id, "somebody else's answer");
        }
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 50).await.unwrap();
        session.commit().await.unwrap();
        assert_eq!(place.notes().await.last(), Some(&50));
        sqlx::raw_sql("DELETE FROM notes")
            .execute(&place.plain)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_session_that_leaves_one_tells_the_truth_and_the_next_user_gets_his_own_answers() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = leaves_one(&pool, 1).await.unwrap_err();
        assert!(
            place.notes().await.is_empty() && error.outcome() != Outcome::Committed,
            "{error}"
        );
        serves_well(&pool, &place).await;
        for fails in [false, true] {
            let error = leaves_one_in_a_savepoint(&pool, 1, fails)
                .await
                .unwrap_err();
            assert!(
                place.notes().await.is_empty() && error.outcome() != Outcome::Committed,
                "{error}"
            );
            serves_well(&pool, &place).await;
        }
    }

    #[tokio::test]
    async fn nor_does_a_lease_that_leaves_one_harm_the_next() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for drops in [false, true] {
            let mut lease = pool.acquire().await.unwrap();
            half_a_copy(&mut lease).await;
            if drops {
                drop(lease);
                quiet(&pool).await;
            } else {
                let _ = pool.release(lease).await;
            }
            serves_well(&pool, &place).await;
        }
    }
}

/// On PostgreSQL the proof behind a loan finds it. MySQL lets the next statement pass, and its COMMIT finds it.
mod found_behind_the_loan {
    use crate::support::postgres::*;
    use steadfast::{Category, Error, Outcome};

    #[tokio::test]
    async fn the_next_statement_says_that_part_may_be_committed() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for words in ["COMMIT", "COMMIT; BEGIN"] {
            let before = place.notes().await.len();
            let mut session = pool.begin().await.unwrap();
            note(&mut session, before as i64).await.unwrap();
            let lent = session.raw().await.unwrap();
            sqlx::raw_sql(words).execute(lent).await.unwrap();
            let error = Error::from(note(&mut session, 77).await.unwrap_err());
            assert_eq!(
                (error.category(), error.outcome()),
                (Category::Programming, Outcome::Unknown),
                "{words}: {error}"
            );
            drop(session);
            crate::support::quiet(&pool).await;
            assert_eq!(place.notes().await.len(), before + 1, "{words}");
        }
    }
}
