//! Every way a session ends.

each_database! {
    use steadfast::{with_session, Outcome};

    #[with_session]
    async fn transfer(session: &mut Session, from: i64, to: i64, cents: i64) -> Result<(), steadfast::Error> {
        sqlx::query(sql("UPDATE accounts SET cents = cents - $1 WHERE id = $2"))
            .bind(cents).bind(from).execute(&mut *session).await?;
        sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2"))
            .bind(cents).bind(to).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn an_ok_commits() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        transfer(&pool, 1, 2, 500).await.unwrap();
        assert_eq!(place.cents(1).await, 500);
        assert_eq!(place.cents(2).await, 1500);
        assert!(pool.sessions().is_empty());
        assert_eq!(pool.stats().in_use, 0);
    }

    #[tokio::test]
    async fn an_err_rolls_back() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        let error = transfer(&pool, 1, 2, 5000).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::RolledBack);
        assert_eq!(place.cents(1).await, 1000);
        assert_eq!(place.open_transactions().await, 0);
    }
}
