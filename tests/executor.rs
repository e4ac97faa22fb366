//! `&mut Session` and `&pool` are executors as sqlx's own connections are.

each_database! {
    use futures_util::{StreamExt as _, TryStreamExt as _};
    use sqlx::{Column as _, Either, Executor, QueryBuilder, Row as _, Statement as _};
    use steadfast::{with_session, Category, Error};

    #[derive(Debug, PartialEq, sqlx::FromRow)]
    struct Account {
        id: i64,
        cents: i64,
    }

    /// A helper as users have them, which knows nothing of steadfast.
    async fn cents<'e, E: Executor<'e, Database = Db>>(executor: E, id: i64) -> sqlx::Result<i64> {
        sqlx::query_scalar(sql("SELECT cents FROM accounts WHERE id = $1")).bind(id).fetch_one(executor).await
    }

    async fn impl_helper(executor: impl Executor<'_, Database = Db>) -> sqlx::Result<u64> {
        Ok(sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id < 3").execute(executor).await?.rows_affected())
    }

    /// The whole of what queries can do, with whatever gives an executor again and again.
    macro_rules! conforms {
        ($executor:expr) => {{
            let account: Account = sqlx::query_as(sql("SELECT id, cents FROM accounts WHERE id = $1")).bind(1_i64).fetch_one($executor).await?;
            assert_eq!(account, Account { id: 1, cents: 1000 });
            let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM accounts ORDER BY id").fetch_all($executor).await?;
            assert_eq!(ids, (0..10).collect::<Vec<_>>());
            let none = sqlx::query(sql("SELECT id FROM accounts WHERE id = $1")).bind(77_i64).fetch_optional($executor).await?;
            assert!(none.is_none());
            let some = sqlx::query("SELECT id FROM accounts ORDER BY id").fetch_optional($executor).await?;
            assert_eq!(some.unwrap().get::<i64, _>(0), 0, "the first of several");

            let mut insert = QueryBuilder::<Db>::new("INSERT INTO notes (id, body) ");
            insert.push_values(0..5_i64, |mut row, id| { row.push_bind(id).push_bind(format!("note {id}")); });
            assert_eq!(insert.build().execute($executor).await?.rows_affected(), 5);

            let mut rows = sqlx::query_as::<_, (i64, String)>("SELECT id, body FROM notes ORDER BY id").fetch($executor);
            let mut read = Vec::new();
            while let Some((id, body)) = rows.try_next().await? {
                assert_eq!(body, format!("note {id}"));
                read.push(id);
            }
            drop(rows);
            assert_eq!(read, [0, 1, 2, 3, 4]);

            let mut rows = sqlx::query("SELECT id FROM notes ORDER BY id").fetch($executor);
            assert_eq!(rows.try_next().await?.unwrap().get::<i64, _>(0), 0);
            drop(rows);
            assert_eq!(cents($executor, 1).await?, 1000, "a stream dropped between rows is in nobody's way");

            let steps: Vec<_> = sqlx::raw_sql("SELECT id FROM notes WHERE id < 2 ORDER BY id; UPDATE notes SET body = 'changed' WHERE id = 3; SELECT body FROM notes WHERE id = 3")
                .fetch_many($executor).try_collect().await?;
            let rows: Vec<_> = steps.iter().filter_map(|step| step.as_ref().right()).collect();
            assert_eq!(rows.len(), 3);
            assert_eq!(rows[2].get::<String, _>(0), "changed");
            let affected: Vec<_> = steps.iter().filter_map(|step| step.as_ref().left()).map(|done| done.rows_affected()).collect();
            assert!(affected.len() == 3 && affected.contains(&1), "{affected:?}");

            let done: Vec<_> = sqlx::raw_sql("DELETE FROM notes WHERE id = 0; DELETE FROM notes WHERE id = 1")
                .execute_many($executor).try_collect().await?;
            assert_eq!(done.iter().map(|done| done.rows_affected()).collect::<Vec<_>>(), [1, 1]);

            let statement = Executor::prepare($executor, sqlx::SqlSafeStr::into_sql_str(sql("SELECT cents FROM accounts WHERE id = $1"))).await?;
            assert_eq!(statement.columns().len(), 1);
            for id in [1_i64, 2, 3] {
                let row = statement.query().bind(id).fetch_one($executor).await?;
                assert_eq!(row.get::<i64, _>(0), 1000);
            }
            let described = Executor::describe($executor, sqlx::SqlSafeStr::into_sql_str("SELECT id, cents FROM accounts")).await?;
            assert_eq!(described.columns().iter().map(|column| column.name()).collect::<Vec<_>>(), ["id", "cents"]);

            assert_eq!(impl_helper($executor).await?, 3);
            assert_eq!(cents($executor, 1).await?, 1001);
            let both = Executor::fetch_many($executor, "SELECT 1").map_ok(|step| matches!(step, Either::Right(_))).try_collect::<Vec<_>>().await?;
            assert!(both.contains(&true));
            assert_eq!($executor.execute("DELETE FROM notes").await?.rows_affected(), 3, "text is a query too");
        }};
    }

    #[with_session]
    async fn in_a_session(session: &mut Session) -> Result<(), Error> {
        conforms!(&mut *session);
        Ok(())
    }

    #[tokio::test]
    async fn a_session_conforms() {
        let place = Place::new().await;
        in_a_session(&place.pool(1).await).await.unwrap();
        assert_eq!(place.cents(1).await, 1001);
        assert_eq!((place.count("notes").await, place.open_transactions().await), (0, 0));
    }

    async fn through_pool(pool: &Pool) -> Result<(), Error> {
        conforms!(pool);
        Ok(())
    }

    #[tokio::test]
    async fn a_pool_conforms() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        through_pool(&pool).await.unwrap();
        assert_eq!(place.cents(1).await, 1001, "each statement is committed");
        eventually("no slot is held", || async { pool.stats().in_use == 0 && pool.sessions().is_empty() }).await;
    }

    #[tokio::test]
    async fn the_plain_connection_does_the_same() {
        // The control: if sqlx itself answers otherwise, the expectations above are wrong.
        async fn plainly(connection: &mut Connection) -> sqlx::Result<()> {
            conforms!(&mut *connection);
            Ok(())
        }
        let place = Place::new().await;
        plainly(&mut *place.plain.acquire().await.unwrap()).await.unwrap();
    }

    #[with_session]
    async fn drops_a_pending_stream(session: &mut Session, place: &Place) -> Result<i64, Error> {
        sqlx::query("INSERT INTO notes VALUES (1, 'kept')").execute(&mut *session).await?;
        let dropped: Result<(), Error> = session.savepoint(async |session| {
            let mut rows = sqlx::query(SLOW).fetch(&mut *session);
            drop_when(place.slow_is_running(), rows.next()).await;
            drop(rows);
            Ok(())
        }).await;
        assert!(dropped.is_err(), "its level is doomed");
        Ok(cents(&mut *session, 1).await?)
    }

    #[tokio::test]
    async fn a_stream_dropped_while_it_ran_dooms_its_level() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let result = in_time(drops_a_pending_stream(&pool, &place)).await;
        if DROP_DOOMS_SESSION {
            assert_eq!(result.unwrap_err().outcome(), steadfast::Outcome::RolledBack);
            assert_eq!(place.count("notes").await, 0);
        } else {
            assert_eq!(result.unwrap(), 1000);
            assert_eq!(place.count("notes").await, 1);
        }
        assert_eq!(pool.stats().opened, 1, "the connection serves on");
        assert_eq!(cents(&pool, 2).await.unwrap(), 1000);
    }

    #[tokio::test]
    async fn a_stream_of_the_pool_may_be_dropped_while_it_runs() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut rows = sqlx::query(SLOW).fetch(&pool);
        drop_when(place.slow_is_running(), rows.next()).await;
        drop(rows);
        assert_eq!(in_time(cents(&pool, 1)).await.unwrap(), 1000);
        assert_eq!((pool.stats().opened, pool.stats().reaped), (1, 1));
    }

    #[with_session]
    async fn exactly_one(session: &mut Session, where_: &'static str) -> Result<i64, Error> {
        let query = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT id FROM accounts WHERE {where_}")));
        let found = session.fetch_exactly_one(query).await.map(|row| row.get(0));
        // What was found leaves the session as it was.
        sqlx::query(sql("INSERT INTO notes VALUES ($1, 'seen')")).bind(1_i64).execute(&mut *session).await?;
        sqlx::query("DELETE FROM notes").execute(&mut *session).await?;
        found
    }

    #[tokio::test]
    async fn exactly_one_row_is_neither_none_nor_two() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        assert_eq!(exactly_one(&pool, "id = 7").await.unwrap(), 7);
        assert_eq!(exactly_one(&pool, "id = 77").await.unwrap_err().category(), Category::NotFound);
        assert_eq!(exactly_one(&pool, "id > 7").await.unwrap_err().category(), Category::TooManyRows);
        assert_eq!(exactly_one(&pool, "nonsense = 7").await.unwrap_err().category(), Category::Programming);
    }

    /// Reads and writes through a reference that says nothing about the database.
    async fn generic<DB>(session: &mut steadfast::Session<DB>, statement: &'static str) -> sqlx::Result<()>
    where
        DB: steadfast::Backend,
        DB::Arguments: sqlx::IntoArguments<DB>,
    {
        sqlx::query::<DB>(statement).execute(&mut *session).await?;
        sqlx::query::<DB>(statement).fetch_optional(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_helper_may_be_generic_over_the_database() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        generic::<Db>(&mut session, "UPDATE accounts SET cents = cents + 1 WHERE id = 1").await.unwrap();
        session.commit().await.unwrap();
        assert_eq!(place.cents(1).await, 1002);
    }

    #[with_session]
    async fn persistent_or_not(session: &mut Session) -> Result<(), Error> {
        for persistent in [true, false, true] {
            let cents: i64 = sqlx::query_scalar(sql("SELECT cents FROM accounts WHERE id = $1")).bind(1_i64)
                .persistent(persistent).fetch_one(&mut *session).await?;
            assert_eq!(cents, 1000);
        }
        // A failed encoding is an error of this statement alone.
        let error = sqlx::query_scalar::<_, String>("SELECT id FROM accounts").fetch_one(&mut *session).await.unwrap_err();
        assert!(matches!(error, sqlx::Error::ColumnDecode { .. }), "{error:?}");
        cents(&mut *session, 1).await?;
        Ok(())
    }

    #[tokio::test]
    async fn an_error_of_decoding_leaves_the_session_as_it_was() {
        let place = Place::new().await;
        persistent_or_not(&place.pool(1).await).await.unwrap();
    }
}

/// Servers answer a failing statement with rows first and the error behind them.
mod servers {
    each_server! {
        use steadfast::{with_session, Error};
        use futures_util::TryStreamExt as _;

        /// Ten good rows, then one that fails.
        const FAILS_LATE: &str = if NAME.len() == 8 {
            "SELECT 1 / (n - 11) FROM generate_series(1, 12) n"
        } else {
            "SELECT id FROM accounts UNION ALL SELECT (SELECT id FROM accounts)"
        };

        #[with_session]
        async fn first_row(session: &mut Session) -> Result<(), Error> {
            let failed: Result<(), Error> = session.savepoint(async |session| {
                let answer = sqlx::query(FAILS_LATE).fetch_optional(&mut *session).await;
                assert!(answer.is_err(), "the error belongs to the statement that met it");
                Err(answer.map(|_| ()).unwrap_err().into())
            }).await;
            assert!(failed.is_err());
            // And not to this one.
            sqlx::query("INSERT INTO notes VALUES (1, 'next')").execute(&mut *session).await?;
            Ok(())
        }

        #[with_session]
        async fn stream(session: &mut Session) -> Result<(), Error> {
            let failed: Result<(), Error> = session.savepoint(async |session| {
                let mut rows = sqlx::query(FAILS_LATE).fetch(&mut *session);
                while rows.try_next().await?.is_some() {}
                Ok(())
            }).await;
            assert!(failed.is_err());
            sqlx::query("INSERT INTO notes VALUES (2, 'after')").execute(&mut *session).await?;
            Ok(())
        }

        #[tokio::test]
        async fn an_error_behind_the_first_row_belongs_to_its_statement() {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            first_row(&pool).await.unwrap();
            stream(&pool).await.unwrap();
            assert_eq!(place.count("notes").await, 2);
            assert!(sqlx::query(FAILS_LATE).fetch_optional(&pool).await.is_err());
            sqlx::query("DELETE FROM notes").execute(&pool).await.unwrap();
            assert_eq!((place.count("notes").await, pool.stats().opened), (0, 1));
        }
    }
}

/// Helpers that name sqlx's own executor traits of one database.
mod by_name {
    use crate::support::*;
    use steadfast::{Error, with_session};

    async fn postgres_helper(executor: impl sqlx::PgExecutor<'_>) -> sqlx::Result<i64> {
        sqlx::query_scalar("SELECT count(*) FROM accounts")
            .fetch_one(executor)
            .await
    }

    async fn mysql_helper(executor: impl sqlx::MySqlExecutor<'_>) -> sqlx::Result<i64> {
        sqlx::query_scalar("SELECT count(*) FROM accounts")
            .fetch_one(executor)
            .await
    }

    async fn sqlite_helper(executor: impl sqlx::SqliteExecutor<'_>) -> sqlx::Result<i64> {
        sqlx::query_scalar("SELECT count(*) FROM accounts")
            .fetch_one(executor)
            .await
    }

    #[with_session]
    async fn on_postgres(session: &mut steadfast::PgSession) -> Result<i64, Error> {
        Ok(postgres_helper(&mut *session).await?)
    }

    #[with_session]
    async fn on_mysql(session: &mut steadfast::MySqlSession) -> Result<i64, Error> {
        Ok(mysql_helper(&mut *session).await?)
    }

    #[with_session]
    async fn on_sqlite(session: &mut steadfast::SqliteSession) -> Result<i64, Error> {
        Ok(sqlite_helper(&mut *session).await?)
    }

    #[tokio::test]
    async fn helpers_that_name_one_database_take_sessions_and_pools() {
        let place = postgres::Place::new().await;
        let pool = place.pool(1).await;
        assert_eq!(
            (
                on_postgres(&pool).await.unwrap(),
                postgres_helper(&pool).await.unwrap()
            ),
            (10, 10)
        );
        let place = mysql::Place::new().await;
        let pool = place.pool(1).await;
        assert_eq!(
            (
                on_mysql(&pool).await.unwrap(),
                mysql_helper(&pool).await.unwrap()
            ),
            (10, 10)
        );
        let place = sqlite::Place::new().await;
        let pool = place.pool(1).await;
        assert_eq!(
            (
                on_sqlite(&pool).await.unwrap(),
                sqlite_helper(&pool).await.unwrap()
            ),
            (10, 10)
        );
    }
}
