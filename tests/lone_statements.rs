//! What a single statement on the pool says when it fails: whether something of it may stay, and whether it is sent
//! again.

each_database! {
    use steadfast::{Category, Error, Outcome};

    /// PostgreSQL makes one transaction of a text, the others commit each statement by itself.
    #[tokio::test]
    async fn a_text_of_several_statements_tells_that_a_part_may_stay() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let twice = "INSERT INTO notes (id, body) VALUES (1, 'one'); INSERT INTO notes (id, body) VALUES (1, 'again')";
        let error: Error = sqlx::raw_sql(twice).execute(&pool).await.unwrap_err().into();
        assert_eq!(error.category(), Category::Integrity(steadfast::Integrity::Unique), "{error}");
        let (stays, outcome) = match NAME {
            "postgres" => (0, Outcome::NotSent),
            _ => (1, Outcome::Unknown),
        };
        assert_eq!((place.count("notes").await, error.outcome()), (stays, outcome), "{error}");
        assert_quiet(&pool);

        // One statement undoes itself, whatever signs are in it.
        let again = "INSERT INTO notes (id, body) VALUES (2, 'a;b'), (2, 'c;d');";
        let plain = sqlx::raw_sql(again).execute(&pool).await.unwrap_err();
        assert!(plain.as_database_error().is_some_and(|error| error.is_unique_violation()), "the driver's own: {plain:?}");
        assert_eq!(place.count("notes").await, stays);
    }
}

/// What only one of them has.
mod of_one_kind {
    use std::sync::Arc;

    use sqlx::Executor as _;
    use sqlx::encode::IsNull;
    use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
    use steadfast::{Category, Error, Outcome, with_session};

    use crate::support::{mysql, postgres, private, sqlite};

    /// Two databases on one connection: the lock of the second is held by somebody else.
    /// Trap 11: the driver sends a statement again by itself.
    #[tokio::test]
    async fn sqlite_a_text_whose_first_part_has_run_is_not_sent_again() {
        let place = sqlite::Place::new().await;
        let other = sqlite::Place::new().await;
        let attach = format!("ATTACH '{}' AS other", other.name);
        let pool = place
            .builder(1)
            .after_connect(move |connection| {
                let attach = attach.clone();
                Box::pin(async move {
                    connection.execute(sqlx::AssertSqlSafe(attach)).await?;
                    Ok(())
                })
            })
            .connect()
            .await
            .unwrap();
        let mut holder = other.plain.acquire().await.unwrap();
        holder.execute("BEGIN IMMEDIATE").await.unwrap();
        let text = "INSERT INTO notes VALUES (1, 'one'); INSERT INTO other.notes VALUES (1, 'two')";
        for way in ["execute", "fetch_optional"] {
            let failed = match way {
                "execute" => sqlx::raw_sql(text).execute(&pool).await.map(drop),
                _ => sqlx::raw_sql(text).fetch_optional(&pool).await.map(drop),
            };
            let error = Error::from(failed.unwrap_err());
            assert_eq!(
                (error.category(), error.outcome()),
                (Category::Conflict, Outcome::Unknown),
                "{way}: sent again, the first part would break a constraint: {error:?}"
            );
            assert!(!error.is_retryable(), "{way}");
            assert_eq!(place.count("notes").await, 1, "{way}: the first part stays");
            sqlx::query("DELETE FROM notes")
                .execute(&place.plain)
                .await
                .unwrap();
        }
        holder.execute("ROLLBACK").await.unwrap();
        sqlx::raw_sql(text).execute(&pool).await.unwrap();
        assert_eq!(
            (place.count("notes").await, other.count("notes").await),
            (1, 1)
        );
    }

    /// The server refuses the statement before it runs: nothing is in doubt, and another attempt is worth it.
    #[tokio::test]
    async fn postgres_a_plan_that_went_stale_is_no_doubt() {
        let place = postgres::Place::new().await;
        let pool = place.pool(1).await;
        let all = "SELECT * FROM notes";
        sqlx::query(all).fetch_all(&pool).await.unwrap();
        place
            .plain
            .execute("ALTER TABLE notes ADD COLUMN more INT")
            .await
            .unwrap();
        let stale: Error = sqlx::query(all).fetch_all(&pool).await.unwrap_err().into();
        assert_eq!(
            (stale.code(), stale.category(), stale.outcome()),
            (Some("0A000"), Category::Conflict, Outcome::NotSent),
            "{stale:?}"
        );
        assert!(stale.is_retryable());
        let again = sqlx::query(all).fetch_all(&pool).await;
        assert_eq!(again.unwrap().len(), 0);
        assert_eq!(
            pool.stats().opened,
            2,
            "the stale plans go with their connection"
        );
    }

    /// Its number stands in what the driver keeps with the connection.
    #[tokio::test]
    async fn postgres_a_type_that_was_made_anew_costs_one_connection() {
        struct Mood;
        impl sqlx::Type<sqlx::Postgres> for Mood {
            fn type_info() -> PgTypeInfo {
                PgTypeInfo::with_name("mood")
            }
        }
        impl PgHasArrayType for Mood {
            fn array_type_info() -> PgTypeInfo {
                PgTypeInfo::array_of("mood")
            }
        }
        impl sqlx::Encode<'_, sqlx::Postgres> for Mood {
            fn encode_by_ref(
                &self,
                buffer: &mut PgArgumentBuffer,
            ) -> Result<IsNull, sqlx::error::BoxDynError> {
                sqlx::Encode::<sqlx::Postgres>::encode("glad", buffer)
            }
        }
        let place = postgres::Place::new().await;
        let make = "CREATE TYPE mood AS ENUM ('glad'); CREATE TABLE people (feels mood)";
        for (statement, category) in [
            (
                "SELECT 1 FROM people WHERE feels = ANY($1)",
                Category::Programming,
            ),
            ("SELECT cardinality($1)", Category::Conflict),
            ("SELECT DISTINCT $1", Category::Conflict),
        ] {
            place.plain.execute(make).await.unwrap();
            let pool = place.pool(1).await;
            let run = async || {
                let query = sqlx::query(statement);
                let query = if statement.contains("DISTINCT") {
                    query.bind(Mood)
                } else {
                    query.bind(vec![Mood])
                };
                query.execute(&pool).await.map_err(Error::from)
            };
            sqlx::query("SELECT $1, $2")
                .bind(Mood)
                .bind(vec![Mood])
                .execute(&pool)
                .await
                .unwrap();
            place
                .plain
                .execute("DROP TABLE people; DROP TYPE mood")
                .await
                .unwrap();
            place.plain.execute(make).await.unwrap();
            let error = run().await.unwrap_err();
            assert_eq!(error.category(), category, "{statement}: {error}");
            assert_ne!(error.outcome(), Outcome::Unknown, "{statement}: {error}");
            run().await.unwrap();
            assert_eq!(pool.stats().opened, 2, "{statement}");
            place
                .plain
                .execute("DROP TABLE people; DROP TYPE mood")
                .await
                .unwrap();
        }
    }

    /// The server takes one statement at a time where it prepares: of this text it has run nothing.
    #[tokio::test]
    async fn mysql_a_prepared_text_of_several_statements_leaves_no_doubt() {
        let place = mysql::Place::new().await;
        let pool = place.pool(1).await;
        let text = "INSERT INTO notes VALUES (1, ?); INSERT INTO notes VALUES (2, 'b')";
        let error = Error::from(
            sqlx::query(text)
                .bind("a")
                .execute(&pool)
                .await
                .unwrap_err(),
        );
        assert_eq!(
            (error.code(), error.outcome()),
            (Some("1064"), Outcome::NotSent),
            "{error}"
        );
        assert_eq!(place.count("notes").await, 0);
    }

    async fn mysql_with_procedure(body: &str) -> mysql::Place {
        let place = mysql::Place::new().await;
        let create = format!("CREATE PROCEDURE sly() BEGIN {body} END");
        sqlx::raw_sql(sqlx::AssertSqlSafe(create))
            .execute(&place.plain)
            .await
            .unwrap();
        place
    }

    /// Its statements were committed one by one, or are open still: the next user must find neither a doubt nor a rest.
    #[tokio::test]
    async fn mysql_a_procedure_that_fails_half_way_leaves_a_doubt_and_nothing_open() {
        let signal = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'enough';";
        for (open, stays) in [
            ("", 1),
            ("START TRANSACTION;", 0),
            ("SET autocommit = 0;", 0),
        ] {
            let place = mysql_with_procedure(&format!(
                "{open} INSERT INTO notes (id, body) VALUES (2, 'sly'); {signal}"
            ))
            .await;
            let pool = place.pool(1).await;
            let error: Error = sqlx::query("CALL sly()")
                .execute(&pool)
                .await
                .unwrap_err()
                .into();
            assert_eq!(
                (error.code(), error.outcome()),
                (Some("1644"), Outcome::Unknown),
                "{open}: {error}"
            );
            assert_eq!(place.open_transactions().await, 0, "{open}");
            assert_eq!(place.count("notes").await, stays, "{open}");
            sqlx::query("INSERT INTO notes (id, body) VALUES (8, 'acknowledged')")
                .execute(&pool)
                .await
                .unwrap();
            assert_eq!(place.count("notes").await, stays + 1, "{open}");
            assert_eq!(pool.stats().opened, 1, "{open}: proven, it serves on");
        }
    }

    #[with_session]
    async fn mysql_calls_and_is_killed(
        session: &mut steadfast::MySqlSession,
        server: &Arc<private::Server<sqlx::MySql>>,
    ) -> Result<(), Error> {
        sqlx::raw_sql("CALL sly()").execute(&mut *session).await?;
        let server = Arc::clone(server);
        tokio::task::spawn_blocking(move || server.kill().unwrap())
            .await
            .unwrap();
        sqlx::query("INSERT INTO notes (id, body) VALUES (3, 'third')")
            .execute(&mut *session)
            .await?;
        Ok(())
    }

    /// COMMIT was never sent, but the procedure may have sent one of its own.
    #[tokio::test]
    async fn mysql_a_session_that_called_a_procedure_and_lost_its_server_is_in_doubt() {
        let server = Arc::new(private::start::<sqlx::MySql>().await);
        let place = mysql::Place::on(&server.url()).await;
        place
            .plain
            .execute("CREATE PROCEDURE sly() BEGIN INSERT INTO notes (id, body) VALUES (2, 'sly'); COMMIT; END")
            .await
            .unwrap();
        let pool = place.pool(1).await;
        let error = mysql_calls_and_is_killed(&pool, &server).await.unwrap_err();
        assert_eq!(
            (error.category(), error.outcome()),
            (Category::Connection, Outcome::Unknown),
            "{error}"
        );
        assert!(!error.is_retryable());
    }
}

/// A statement whose values cannot be sent is a mistake of the code's, and no lost connection.
mod values {
    each_server! {
        use sqlx::QueryBuilder;
        use steadfast::{Category, Error, Outcome};

        #[tokio::test]
        async fn more_than_a_statement_takes_are_not_sent() {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            let mut many = QueryBuilder::<Db>::new("INSERT INTO notes (id, body) ");
            many.push_values(0..35_000_i64, |mut row, id| { row.push_bind(id).push_bind(id.to_string()); });
            let error = Error::from(many.build().execute(&pool).await.unwrap_err());
            assert_eq!((error.category(), error.outcome(), error.is_retryable()), (Category::Programming, Outcome::NotSent, false), "{error}");
            assert!(error.to_string().contains("70000"), "{error}");
            note_through(&pool).await;
            assert_eq!(pool.stats().opened, 1, "nothing went wrong with the connection");
        }

        #[tokio::test]
        async fn too_few_are_not_tried_again() {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            let mut two = QueryBuilder::<Db>::new("SELECT ");
            two.push_bind(1_i64).push(" + ").push_bind(2_i64);
            let one = sqlx::query(two.sql()).bind(1_i64);
            let error = Error::from(one.execute(&pool).await.unwrap_err());
            assert_eq!((error.category(), error.is_retryable()), (Category::Programming, false), "{error}");
            note_through(&pool).await;
        }

        /// Nothing of steadfast's counts them on a lent connection.
        #[tokio::test]
        async fn nor_through_a_lent_connection() {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            let mut session = pool.begin().await.unwrap();
            let mut many = QueryBuilder::<Db>::new("SELECT 1 WHERE 1 IN (");
            let mut values = many.separated(", ");
            for value in 0..70_000_i64 {
                values.push_bind(value);
            }
            values.push_unseparated(")");
            let lent = session.raw().await.unwrap();
            let error = Error::from(many.build().execute(lent).await.unwrap_err());
            assert_eq!((error.category(), error.is_retryable()), (Category::Programming, false), "{error}");
        }

        async fn note_through(pool: &Pool) {
            let insert = sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'one')");
            assert_eq!(insert.execute(pool).await.unwrap().rows_affected(), 1);
        }
    }
}

/// A prepared text is one statement, whatever stands in its strings.
mod single {
    use steadfast::{Category, Error, Integrity, Outcome};

    use crate::support::mysql::*;

    #[tokio::test]
    async fn mysql_one_with_a_backslash_and_a_semicolon_is_not_in_doubt() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for (id, text) in [
            (1, r"INSERT INTO notes (id, body) VALUES (?, 'a\\b');"),
            (2, r"INSERT INTO notes (id, body) VALUES (?, 'c;\\d')"),
        ] {
            sqlx::query(text).bind(id).execute(&pool).await.unwrap();
            let again = sqlx::query(text).bind(id).execute(&pool).await;
            let error = Error::from(again.unwrap_err());
            assert_eq!(
                (error.category(), error.outcome()),
                (Category::Integrity(Integrity::Unique), Outcome::NotSent),
                "{text}: {error}"
            );
        }
    }
}

/// The driver goes on naming what it has prepared.
mod forgotten {
    use sqlx::Executor as _;
    use steadfast::{Category, Error, Outcome, retry, with_session};

    use crate::support::{postgres::*, quiet};

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn reads(session: &mut Session) -> Result<u32, Error> {
        sqlx::query("SELECT * FROM accounts")
            .fetch_all(&mut *session)
            .await?;
        Ok(session.attempt())
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn feels(session: &mut Session, mood: &str) -> Result<u32, Error> {
        sqlx::query("SELECT $1::mood")
            .bind(Mood(mood.to_owned()))
            .execute(&mut *session)
            .await?;
        Ok(session.attempt())
    }

    /// As a derived enum is sent: by the type's name, whose number the driver looks up once.
    struct Mood(String);

    impl sqlx::Type<sqlx::Postgres> for Mood {
        fn type_info() -> sqlx::postgres::PgTypeInfo {
            sqlx::postgres::PgTypeInfo::with_name("mood")
        }
    }

    impl sqlx::Encode<'_, sqlx::Postgres> for Mood {
        fn encode_by_ref(
            &self,
            buffer: &mut sqlx::postgres::PgArgumentBuffer,
        ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
            <&str as sqlx::Encode<sqlx::Postgres>>::encode(&self.0, buffer)
        }
    }

    /// As a migration makes an enum anew that has lost a value.
    #[tokio::test]
    async fn postgres_types_are_looked_up_anew() {
        let place = Place::new().await;
        place
            .plain
            .execute("CREATE TYPE mood AS ENUM ('glad', 'sad')")
            .await
            .unwrap();
        let pool = place.pool(1).await;
        assert_eq!(feels(&pool, "glad").await.unwrap(), 1);
        place
            .plain
            .execute(
                "ALTER TYPE mood RENAME TO old; CREATE TYPE mood AS ENUM ('glad'); DROP TYPE old",
            )
            .await
            .unwrap();
        assert_eq!(feels(&pool, "glad").await.unwrap(), 2);
        assert_eq!(pool.stats().opened, 2);
    }

    #[tokio::test]
    async fn postgres_statements_are_prepared_anew() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for words in ["DEALLOCATE ALL", "DISCARD ALL"] {
            // On a lent connection, where nobody sees it.
            let forgets = async || {
                let lent = pool.operation("forgotten::forgets").autocommit();
                lent.run(async |session| {
                    session.raw().await?.execute(words).await?;
                    Ok::<_, Error>(())
                })
                .await
                .unwrap();
            };
            reads(&pool).await.unwrap();
            forgets().await;
            assert_eq!(reads(&pool).await.unwrap(), 2, "{words}");
            forgets().await;
            let lone = sqlx::query("SELECT * FROM accounts").fetch_all(&pool).await;
            let error = Error::from(lone.unwrap_err());
            assert_eq!(
                (error.category(), error.outcome()),
                (Category::Conflict, Outcome::NotSent),
                "{error}"
            );
            quiet(&pool).await;
            sqlx::query("SELECT * FROM accounts")
                .fetch_all(&pool)
                .await
                .unwrap();
        }
    }
}
