//! A deadlock behind a loan is one like any other, where the loan is proven to have left the transaction alone.

mod mysql {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use sqlx::Executor as _;
    use steadfast::{Category, Error, Outcome, retry, with_session};

    use crate::support::{assert_quiet, mysql::*, quiet, stats};

    #[with_session]
    #[retry(immediate, max = 2)]
    async fn lends_and_crosses(session: &mut Session, attempts: &AtomicU32) -> Result<(), Error> {
        attempts.fetch_add(1, SeqCst);
        session.raw().await?.execute("SELECT 1").await?;
        pay(session, 1, 1).await?;
        pay(session, 2, 1).await?;
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 2)]
    async fn commits_and_crosses(session: &mut Session, attempts: &AtomicU32) -> Result<(), Error> {
        attempts.fetch_add(1, SeqCst);
        pay(session, 3, 1).await?;
        session
            .raw()
            .await?
            .execute("COMMIT; START TRANSACTION")
            .await?;
        pay(session, 1, 1).await?;
        pay(session, 2, 1).await?;
        Ok(())
    }

    #[tokio::test]
    async fn mysql_one_behind_a_harmless_loan_is_tried_again() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let attempts = AtomicU32::new(0);
        as_victim(&place, &pool, lends_and_crosses(&pool, &attempts))
            .await
            .unwrap();
        assert_eq!(attempts.load(SeqCst), 2);
        assert_quiet(&pool);
    }

    #[tokio::test]
    async fn mysql_one_behind_a_commit_of_the_borrowers_is_in_doubt() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let attempts = AtomicU32::new(0);
        let ended = as_victim(&place, &pool, commits_and_crosses(&pool, &attempts)).await;
        let error = ended.unwrap_err();
        assert_eq!(
            (error.category(), error.outcome(), attempts.load(SeqCst)),
            (Category::Conflict, Outcome::Unknown, 1),
            "{error}"
        );
        quiet(&pool).await;
        let counted = stats("deadlocks::mysql::commits_and_crosses");
        assert_eq!((counted.unknown, counted.retried), (1, 0), "{counted:?}");
    }
}
