//! The body leaks its statements: `mem::forget` is safe, so it must be so here.

each_database! {
    use futures_util::StreamExt as _;
    use steadfast::{with_session, Error, Outcome};

    #[with_session]
    async fn leaks_a_statement(session: &mut Session, place: &Place) -> Result<(), Error> {
        sqlx::query("UPDATE accounts SET cents = 1 WHERE id = 1").execute(&mut *session).await?;
        let mut statement = Box::pin(sqlx::query(SLOW).execute(&mut *session));
        drop_when(place.slow_is_running(), statement.as_mut()).await;
        std::mem::forget(statement);
        Ok(())
    }

    #[with_session]
    async fn leaks_a_stream(session: &mut Session) -> Result<(), Error> {
        sqlx::query("UPDATE accounts SET cents = 1 WHERE id = 1").execute(&mut *session).await?;
        let mut rows = sqlx::query("SELECT a.id FROM accounts a, accounts b, accounts c, accounts d").fetch(&mut *session);
        rows.next().await.unwrap()?;
        std::mem::forget(rows);
        Err(transient())
    }

    /// Trap 18: cancellation leaks a connection or a transaction.
    #[tokio::test]
    async fn statements_hold_no_slot_and_keep_nothing() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = in_time(leaks_a_statement(&pool, &place)).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
        // On SQLite the driver's thread waits for ever to hand over a row, inside of the transaction.
        if NAME != "sqlite" {
            in_time(leaks_a_stream(&pool)).await.unwrap_err();
        }
        assert_quiet(&pool);
        assert_eq!(place.open_transactions().await, 0);
        assert_eq!(place.cents(1).await, 1000);
        let mut next = pool.begin().await.unwrap();
        sqlx::query("UPDATE accounts SET cents = 2 WHERE id = 1").execute(&mut next).await.unwrap();
        next.commit().await.unwrap();
        assert_eq!(place.cents(1).await, 2);
    }
}
