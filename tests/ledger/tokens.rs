//! Which sessions write a token: those that write, with a policy that verifies, once, and only where they commit.

each_database! {
    use steadfast::{Error, RetryPolicy, retry, with_session};

    #[derive(Clone, Copy)]
    enum Way { Ok, Empty, Err, RollbackOnly }

    #[with_session]
    #[retry(policy = RetryPolicy::immediate().max(1).verify_commit())]
    async fn verified(session: &mut Session, id: i64, way: Way) -> Result<(), Error> {
        if !matches!(way, Way::Empty) {
            note(session, id).await?;
        }
        match way {
            Way::Err => return Err(transient()),
            Way::RollbackOnly => session.set_rollback_only(),
            Way::Ok | Way::Empty => {}
        }
        Ok(())
    }

    #[with_session(read_only)]
    #[retry(policy = RetryPolicy::immediate().max(3).verify_commit())]
    async fn reads(session: &mut Session) -> Result<i64, Error> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM notes").fetch_one(&mut *session).await?)
    }

    #[with_session]
    async fn plain_outside(session: &mut Session, id: i64) -> Result<(), Error> {
        verified(&mut *session, id, Way::Ok).await?;
        verified(&mut *session, id + 1, Way::Err).await.unwrap_err();
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn verified_outside(session: &mut Session, id: i64) -> Result<(), Error> {
        verified(&mut *session, id, Way::Ok).await?;
        verified(&mut *session, id + 1, Way::Ok).await
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn third_time_lucky(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        if session.attempt() < 3 { Err(transient()) } else { Ok(()) }
    }

    #[tokio::test]
    async fn one_for_each_commit_and_none_otherwise() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        pool.install().await.unwrap();
        let tokens = async || place.count("steadfast_ledger").await;
        verified(&pool, 1, Way::Empty).await.unwrap();
        verified(&pool, 1, Way::Err).await.unwrap_err();
        verified(&pool, 1, Way::RollbackOnly).await.unwrap();
        assert_eq!(tokens().await, 0);
        verified(&pool, 1, Way::Ok).await.unwrap();
        assert_eq!(tokens().await, 1);
        assert_eq!(reads(&pool).await.unwrap(), 1);
        assert_eq!(tokens().await, 1, "a session that only reads has nothing to verify");
        plain_outside(&pool, 10).await.unwrap();
        assert_eq!(tokens().await, 1, "inside of another session `verify_commit` is inert");
        verified_outside(&pool, 20).await.unwrap();
        assert_eq!(tokens().await, 2);
        third_time_lucky(&pool, 30).await.unwrap();
        assert_eq!(tokens().await, 3, "the attempts that were undone took theirs along");
        assert_eq!((place.count("notes").await, place.count("steadfast_ledger WHERE committed").await), (5, 3));
        assert_quiet(&pool);
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn undoes_a_part_last(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        verified(&mut *session, id + 1, Way::Err).await.unwrap_err();
        Ok(())
    }

    /// The pending rollback goes ahead of the token in the commit's batch.
    #[tokio::test]
    async fn a_savepoint_that_is_undone_last_takes_no_token_along() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        pool.install().await.unwrap();
        undoes_a_part_last(&pool, 1).await.unwrap();
        assert_eq!((place.count("notes").await, place.count("steadfast_ledger").await), (1, 1));
    }
}
