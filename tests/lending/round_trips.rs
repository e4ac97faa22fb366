//! What lending costs in round trips.

each_server! {
    use steadfast::{Error, with_session};
    use xtask::proxy::Proxy;

    async fn touch(executor: impl sqlx::Executor<'_, Database = Db>) -> sqlx::Result<()> {
        sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2"))
            .bind(1_i64).bind(1_i64).execute(executor).await?;
        Ok(())
    }

    /// `.` is a statement of the session, `+` one on a lent connection.
    #[with_session]
    async fn course(session: &mut Session, steps: &str) -> Result<(), Error> {
        for step in steps.chars() {
            match step {
                '.' => touch(&mut *session).await?,
                '+' => touch(session.raw().await?).await?,
                _ => return Err(sqlx::Error::RowNotFound.into()),
            }
        }
        Ok(())
    }

    #[with_session]
    async fn nested(session: &mut Session, before: &str, inner: &str, behind: &str) -> Result<(), Error> {
        for (steps, is_nested) in [(before, false), (inner, true), (behind, false)] {
            if is_nested {
                let _ = course(&mut *session, steps).await;
            } else {
                for step in steps.chars() {
                    match step {
                        '.' => touch(&mut *session).await?,
                        _ => touch(session.raw().await?).await?,
                    }
                }
            }
        }
        Ok(())
    }

    #[tokio::test]
    async fn each_loan_costs_one_round_trip_and_on_postgresql_the_first_in_a_level_one_more() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::builder()
            .primary(proxy.url())
            .max_connections(1)
            .ping_after(std::time::Duration::from_secs(60))
            .connect()
            .await
            .unwrap();
        let pool = &pool;
        let is_postgres = NAME == "postgres";
        // The first loan on a connection has sqlx count a transaction.
        course(pool, ".").await.unwrap();
        proxy.reset();
        course(pool, ".+").await.unwrap();
        let first = proxy.round_trips();
        costs::print::<Db>("1 statement and the first loan of a connection, with 1", first as f64);
        assert_eq!(first, 6, "{:#?}", proxy.sent());

        // The session's next step behind a loan asks whether the connection is in step. On PostgreSQL the first loan of
        // a level sets a savepoint where a statement has run before, or a nested call has lent.
        let (later, behind) = (u64::from(is_postgres), 1);
        for (steps, expected) in [
            ("..", 4),
            ("+", 3 + behind),
            ("++", 4 + 2 * behind),
            ("+.", 4 + behind),
            ("+..", 5 + behind),
            (".+", 4 + later + behind),
            (".+.", 5 + later + behind),
            (".+.+", 6 + later + 2 * behind),
            ("..++..", 8 + later + 2 * behind),
        ] {
            costs::count::<Db>(&proxy, &format!("{steps}, committed"), expected, async || course(pool, steps).await.is_ok()).await;
        }
        for (steps, expected) in [("+!", 3 + behind), ("+.!", 4 + behind), (".+!", 4 + later + behind)] {
            costs::count::<Db>(&proxy, &format!("{steps}, rolled back"), expected, async || course(pool, steps).await.is_err()).await;
        }
        for ((before, inner, behind_it), expected) in [
            ((".", "+", ""), 5 + behind),
            ((".", "+", "."), 6 + behind),
            ((".", ".+", "."), 7 + later + behind),
            (("+", ".", "."), 6 + behind),
            (("+", "+", "+"), 6 + later + 3 * behind),
        ] {
            let what = format!("{before}[{inner}]{behind_it}, committed");
            costs::count::<Db>(&proxy, &what, expected, async || nested(pool, before, inner, behind_it).await.is_ok()).await;
        }
        assert_eq!((pool.stats().pinged, pool.stats().opened), (0, 1));
    }
}
