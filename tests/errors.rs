//! What an error says, to the code, to the log and to a user; and what it never says.

each_database! {
    use steadfast::{
        db_error_handling, retry, with_session, Category, Classify, Error, Group, Integrity, Outcome, Phase, SessionError,
    };
    use crate::support::logs;
    use tokio::sync::Notify;

    /// A value that no message to a user, and no log of ours, may show.
    const SECRET: &str = "secret-4711";

    async fn schema(place: &Place) {
        sqlx::raw_sql(
            "CREATE TABLE parents (id BIGINT PRIMARY KEY);
             CREATE TABLE children (
                 id BIGINT PRIMARY KEY,
                 parent BIGINT,
                 tag VARCHAR(20) NOT NULL,
                 CONSTRAINT children_parent_fkey FOREIGN KEY (parent) REFERENCES parents (id),
                 CONSTRAINT children_small CHECK (id < 1000),
                 CONSTRAINT children_tag_key UNIQUE (tag)
             );
             INSERT INTO parents VALUES (1);
             INSERT INTO children VALUES (1, 1, 'secret-4711');",
        )
        .execute(&place.plain)
        .await
        .unwrap();
    }

    #[with_session]
    async fn run(session: &mut Session, statement: &'static str) -> Result<(), Error> {
        sqlx::query(statement).execute(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    async fn fetch(session: &mut Session, statement: &'static str) -> Result<(), Error> {
        sqlx::query(statement).fetch_all(&mut *session).await?;
        Ok(())
    }

    /// One value for each database.
    fn on<T>(postgres: T, mysql: T, sqlite: T) -> T {
        match NAME {
            "postgres" => postgres,
            "mysql" => mysql,
            _ => sqlite,
        }
    }

    fn is_fit_for_users(error: &Error) {
        let message = error.user_message();
        for word in [SECRET, "children", "parents", "SELECT", "INSERT", "constraint", "_key"] {
            assert!(!message.contains(word), "{message}");
        }
    }

    #[tokio::test]
    async fn a_broken_constraint_is_named() {
        const TAKEN: &str = "INSERT INTO children VALUES (2, 1, 'secret-4711')";
        const SAME_KEY: &str = "INSERT INTO children VALUES (1, 1, 'other')";
        const NO_PARENT: &str = "INSERT INTO children VALUES (2, 99, 'secret-4712')";
        const IN_USE: &str = "DELETE FROM parents WHERE id = 1";
        const MISSING: &str = "INSERT INTO children VALUES (2, 1, NULL)";
        const TOO_BIG: &str = "INSERT INTO children VALUES (1001, 1, 'secret-4712')";

        let place = Place::new().await;
        schema(&place).await;
        let pool = place.pool(1).await;
        struct Expected {
            statement: &'static str,
            integrity: Integrity,
            code: &'static str,
            constraint: Option<&'static str>,
            table: Option<&'static str>,
            column: Option<&'static str>,
        }
        let children = Some("children");
        let expected = [
            Expected {
                statement: TAKEN,
                integrity: Integrity::Unique,
                code: on("23505", "1062", "2067"),
                constraint: on(Some("children_tag_key"), Some("children_tag_key"), None),
                table: on(children, None, children),
                column: on(None, None, Some("tag")),
            },
            Expected {
                statement: SAME_KEY,
                integrity: Integrity::Unique,
                code: on("23505", "1062", "1555"),
                constraint: on(Some("children_pkey"), Some("PRIMARY"), None),
                table: on(children, None, children),
                column: on(None, None, Some("id")),
            },
            Expected {
                statement: NO_PARENT,
                integrity: Integrity::ForeignKey,
                code: on("23503", "1452", "787"),
                constraint: on(Some("children_parent_fkey"), Some("children_parent_fkey"), None),
                table: on(children, children, None),
                column: on(None, Some("parent"), None),
            },
            Expected {
                statement: IN_USE,
                integrity: Integrity::ForeignKey,
                code: on("23503", "1451", "787"),
                constraint: on(Some("children_parent_fkey"), Some("children_parent_fkey"), None),
                table: on(children, children, None),
                column: on(None, Some("parent"), None),
            },
            Expected {
                statement: MISSING,
                integrity: Integrity::NotNull,
                code: on("23502", "1048", "1299"),
                constraint: None,
                table: on(children, None, children),
                column: Some("tag"),
            },
            Expected {
                statement: TOO_BIG,
                integrity: Integrity::Check,
                code: on("23514", "4025", "275"),
                constraint: Some("children_small"),
                table: on(children, children, None),
                column: None,
            },
        ];
        for expected in expected {
            let error = run(&pool, expected.statement).await.unwrap_err();
            let what = format!("{}: {error:?}", expected.statement);
            assert_eq!(error.category(), Category::Integrity(expected.integrity), "{what}");
            assert_eq!(error.category().group(), Group::Integrity);
            assert_eq!(error.code(), Some(expected.code), "{what}");
            assert_eq!(error.constraint(), expected.constraint, "{what}");
            assert_eq!(error.table(), expected.table, "{what}");
            assert_eq!(error.column(), expected.column, "{what}");
            assert_eq!((error.phase(), error.outcome()), (Phase::Body, Outcome::RolledBack), "{what}");
            assert!(!error.is_retryable(), "{what}");
            assert_eq!(error.operation(), Some(concat!(module_path!(), "::run")), "{what}");
            assert!(matches!(error.as_sqlx(), Some(sqlx::Error::Database(_))), "{what}");
            is_fit_for_users(&error);
        }
        assert_eq!(place.count("children").await, 1);
        let stats = stats(concat!(module_path!(), "::run"));
        assert!(stats.failed(Category::Integrity(Integrity::Unique)) >= 2);
        assert!(stats.failed(Category::Integrity(Integrity::Check)) >= 1);
    }

    #[tokio::test]
    async fn a_mistake_of_the_code_is_told_from_a_value_that_does_not_fit() {
        let place = Place::new().await;
        schema(&place).await;
        let pool = place.pool(1).await;
        let statements = [
            ("SELEKT 1", Category::Programming, on("42601", "1064", "1")),
            ("SELECT * FROM nowhere", Category::Programming, on("42P01", "1146", "1")),
            ("SELECT missing FROM children", Category::Programming, on("42703", "1054", "1")),
            (
                on(
                    "SELECT 'secret-4711'::int",
                    "INSERT INTO children VALUES (2, 99999999999999999999, 'x')",
                    "INSERT INTO things VALUES ('secret-4711')",
                ),
                Category::Data,
                on("22P02", "1264", "20"),
            ),
            (
                on(
                    "INSERT INTO children VALUES (2, 1, 'secret-4711-secret-4711-secret-4711')",
                    "INSERT INTO children VALUES (2, 1, 'secret-4711-secret-4711-secret-4711')",
                    "INSERT INTO strict VALUES ('secret-4711')",
                ),
                on(Category::Data, Category::Data, Category::Data),
                on("22001", "1406", "3091"),
            ),
        ];
        if NAME == "sqlite" {
            sqlx::raw_sql("CREATE TABLE things (id INTEGER PRIMARY KEY); CREATE TABLE strict (n INTEGER) STRICT")
                .execute(&place.plain).await.unwrap();
        }
        for (statement, category, code) in statements {
            let error = fetch(&pool, statement).await.unwrap_err();
            assert_eq!((error.category(), error.code()), (category, Some(code)), "{statement}: {error:?}");
            assert_eq!(error.category().group(), Group::Programming);
            assert_eq!(error.outcome(), Outcome::RolledBack, "{statement}");
            assert!(!error.is_retryable());
            is_fit_for_users(&error);
        }
    }

    #[with_session]
    async fn no_row(session: &mut Session) -> Result<(), Error> {
        sqlx::query("SELECT id FROM notes").fetch_one(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    async fn wrong_type(session: &mut Session) -> Result<(), Error> {
        sqlx::query_scalar::<_, Vec<u8>>("SELECT id FROM accounts").fetch_one(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn an_error_of_the_driver_has_a_category_too() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = no_row(&pool).await.unwrap_err();
        assert_eq!((error.category(), error.code()), (Category::NotFound, None));
        assert!(matches!(error.as_sqlx(), Some(sqlx::Error::RowNotFound)));
        assert_eq!(error.user_message(), "This was not found.");
        let error = wrong_type(&pool).await.unwrap_err();
        assert_eq!(error.category(), Category::Programming, "{error:?}");
        assert_eq!(error.outcome(), Outcome::RolledBack);
    }

    #[with_session(read_only)]
    async fn writes_read_only(session: &mut Session) -> Result<(), Error> {
        sqlx::query("INSERT INTO notes VALUES (1, 'x')").execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_write_in_a_read_only_session_is_a_mistake() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = writes_read_only(&pool).await.unwrap_err();
        assert_eq!(error.category(), Category::Programming, "{error:?}");
        assert_eq!(error.code(), Some(on("25006", "1792", "8")));
        assert!(!error.is_retryable());
        assert_eq!(place.count("notes").await, 0);
        // The connection writes again in the next session.
        run(&pool, "INSERT INTO notes VALUES (1, 'x')").await.unwrap();
    }

    #[with_session(timeout = "300ms")]
    async fn too_slow(session: &mut Session) -> Result<(), Error> {
        sqlx::query("INSERT INTO notes VALUES (1, 'x')").execute(&mut *session).await?;
        sqlx::query(SLOW).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_deadline_is_a_timeout() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let deadline = std::time::Duration::from_millis(300);
        let error = overdue_in_statement(&pool, deadline, || place.runs_slow(), too_slow(&pool)).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::RolledBack), "{error:?}");
        assert!(!error.is_retryable());
        assert_eq!(place.count("notes").await, 0);
        assert_eq!(stats(concat!(module_path!(), "::too_slow")).failed(Category::Timeout), 1);
    }

    #[derive(Debug, thiserror::Error, SessionError)]
    enum SignUp {
        #[error("taken")]
        Taken,
        #[error("no parent")]
        NoParent,
        #[error("refused by a rule")]
        Rule,
        #[error("a mistake")]
        Mistake,
        #[error("none")]
        Nobody,
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    #[with_session]
    #[db_error_handling(
        unique("children_tag_key") => SignUp::Taken,
        unique("children.tag") => SignUp::Taken,
        foreign_key => SignUp::NoParent,
        integrity => SignUp::Rule,
        programming => SignUp::Mistake,
        not_found => SignUp::Nobody,
    )]
    async fn sign_up(session: &mut Session, statement: &'static str) -> Result<(), SignUp> {
        sqlx::query(statement).fetch_one(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    #[db_error_handling(unique("another_key") => SignUp::Taken)]
    async fn another_key(session: &mut Session, statement: &'static str) -> Result<(), SignUp> {
        sqlx::query(statement).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn arms_translate_at_the_boundary() {
        let place = Place::new().await;
        schema(&place).await;
        let pool = place.pool(1).await;
        macro_rules! becomes {
            ($statement:expr, $variant:pat) => {
                let error = sign_up(&pool, $statement).await.unwrap_err();
                assert!(matches!(error, $variant), "{}: {error:?}", $statement);
            };
        }
        becomes!("INSERT INTO children VALUES (2, 1, 'secret-4711')", SignUp::Taken);
        becomes!("INSERT INTO children VALUES (2, 99, 'b')", SignUp::NoParent);
        // Another unique constraint than the one that is named, then the group.
        becomes!("INSERT INTO children VALUES (1, 1, 'b')", SignUp::Rule);
        becomes!("INSERT INTO children VALUES (1001, 1, 'b')", SignUp::Rule);
        becomes!("INSERT INTO children VALUES (2, 1, NULL)", SignUp::Rule);
        becomes!("SELECT * FROM nowhere", SignUp::Mistake);
        becomes!("SELECT id FROM children WHERE id = 77", SignUp::Nobody);
        assert_eq!(place.count("children").await, 1);

        let error = another_key(&pool, "INSERT INTO children VALUES (2, 1, 'secret-4711')").await.unwrap_err();
        let SignUp::Db(error) = error else { panic!("no arm fits: {error:?}") };
        assert_eq!(error.category(), Category::Integrity(Integrity::Unique));
        assert_eq!(error.operation(), Some(concat!(module_path!(), "::another_key")));

        // What was translated is counted as what it was.
        let stats = stats(concat!(module_path!(), "::sign_up"));
        assert_eq!(stats.failed(Category::Integrity(Integrity::Unique)), 2);
        assert_eq!(stats.failed(Category::Integrity(Integrity::ForeignKey)), 1);
        assert_eq!((stats.failed(Category::Programming), stats.failed(Category::NotFound)), (1, 1));
        assert_eq!((stats.started, stats.rolled_back), (7, 7));
        assert_eq!(stats.failures().map(|(_, count)| count).sum::<u64>(), 7, "each once: {stats:?}");
    }

    #[db_error_handling(unique => SignUp::Taken)]
    async fn beside_a_session(plain: &Plain) -> Result<(), SignUp> {
        sqlx::query("INSERT INTO notes VALUES (1, 'x')").execute(plain).await?;
        Ok(())
    }

    #[db_error_handling(unique => SignUp::Taken)]
    fn without_async(error: sqlx::Error) -> Result<(), SignUp> {
        Err(error)?;
        Ok(())
    }

    #[tokio::test]
    async fn errors_are_handled_without_a_session_too() {
        let place = Place::new().await;
        beside_a_session(&place.plain).await.unwrap();
        let error = beside_a_session(&place.plain).await.unwrap_err();
        assert!(matches!(error, SignUp::Taken), "{error:?}");
        let unique = Category::Integrity(Integrity::Unique);
        assert_eq!(stats(concat!(module_path!(), "::beside_a_session")).failed(unique), 1);

        let error = sqlx::query("INSERT INTO notes VALUES (1, 'x')").execute(&place.plain).await.unwrap_err();
        assert!(matches!(without_async(error), Err(SignUp::Taken)));
        assert_eq!(stats(concat!(module_path!(), "::without_async")).failed(unique), 1);
    }

    #[with_session]
    #[db_error_handling]
    async fn in_sqlx(session: &mut Session, statement: &'static str) -> sqlx::Result<u64> {
        sqlx::query(statement).execute(&mut *session).await?;
        Ok(1)
    }

    #[with_session]
    #[db_error_handling]
    async fn in_anyhow(session: &mut Session, statement: &'static str) -> anyhow::Result<u64> {
        use anyhow::Context as _;
        sqlx::query(statement).execute(&mut *session).await.context("signing up")?;
        Ok(1)
    }

    #[tokio::test]
    async fn results_of_sqlx_and_anyhow_keep_what_the_database_said() {
        const TAKEN: &str = "INSERT INTO children VALUES (2, 1, 'secret-4711')";
        let place = Place::new().await;
        schema(&place).await;
        let pool = place.pool(1).await;
        let error = in_sqlx(&pool, TAKEN).await.unwrap_err();
        assert!(error.as_database_error().is_some_and(|error| error.is_unique_violation()), "{error:?}");
        let error = in_anyhow(&pool, TAKEN).await.unwrap_err();
        assert_eq!(Classify::category(&error), Some(Category::Integrity(Integrity::Unique)));
        assert_eq!(error.to_string(), "signing up");
        let found = error.chain().find_map(|link| link.downcast_ref::<sqlx::Error>());
        assert!(found.is_some_and(|error| error.as_database_error().is_some()), "{error:?}");

        // What acquire says reaches both as well.
        pool.close().await;
        let error = in_sqlx(&pool, TAKEN).await.unwrap_err();
        assert!(matches!(error, sqlx::Error::AnyDriverError(_)), "{error:?}");
        assert_eq!(Error::from(error).category(), Category::Closed);
        let error = in_anyhow(&pool, TAKEN).await.unwrap_err();
        assert_eq!(Classify::category(&error), Some(Category::Closed), "{error:?}");
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    #[db_error_handling]
    async fn logged(session: &mut Session, tag: &str, fail: bool) -> Result<(), Error> {
        sqlx::query(sql("INSERT INTO notes VALUES ($1, $2)")).bind(7_i64).bind(tag).execute(&mut *session).await?;
        if fail { Err(transient()) } else { Ok(()) }
    }

    #[with_session]
    #[db_error_handling]
    async fn logs_around(session: &mut Session, tag: &str) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        logged(&mut *session, tag, false).await
    }

    #[with_session]
    async fn never_ends(session: &mut Session, has_asked: &Notify) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        has_asked.notify_one();
        std::future::pending().await
    }

    #[with_session]
    async fn panics(session: &mut Session) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        panic!("on purpose")
    }

    #[tokio::test]
    async fn one_record_for_each_ended_call() {
        const RECORD: &str = "steadfast::record";
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (logs, _guard) = logs::capture();
        let operation = concat!(module_path!(), "::logged");
        let last = |records: Vec<logs::Line>, count: usize| {
            assert_eq!(records.len(), count, "{records:#?}");
            records.into_iter().next_back().unwrap()
        };

        logged(&pool, SECRET, false).await.unwrap();
        let record = last(logs.events(RECORD, "operation", operation), 1);
        assert_eq!((record.field("attempts"), record.field("outcome")), (Some("1"), Some("committed")));
        assert_eq!((record.field("category"), record.field("cancelled")), (None, Some("false")));
        for field in ["id", "started", "ended"] {
            assert!(record.field(field).is_some(), "{record:?}");
        }

        let error = logged(&pool, SECRET, false).await.unwrap_err();
        assert_eq!(error.category(), Category::Integrity(Integrity::Unique));
        let record = last(logs.events(RECORD, "operation", operation), 2);
        assert_eq!((record.field("attempts"), record.field("outcome")), (Some("1"), Some("rolled_back")));
        assert_eq!(record.field("category"), Some("unique"));

        sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
        logged(&pool, SECRET, true).await.unwrap_err();
        let record = last(logs.events(RECORD, "operation", operation), 3);
        assert_eq!((record.field("attempts"), record.field("outcome")), (Some("3"), Some("rolled_back")));
        assert_eq!(record.field("category"), Some("capacity"));

        let has_asked = Notify::new();
        drop_when(has_asked.notified(), never_ends(&pool, &has_asked)).await;
        let operation = concat!(module_path!(), "::never_ends");
        eventually("the dropped call has its record", || async {
            !logs.events(RECORD, "operation", operation).is_empty()
        }).await;
        let record = last(logs.events(RECORD, "operation", operation), 1);
        assert_eq!((record.field("cancelled"), record.field("outcome")), (Some("true"), Some("rolled_back")));

        use futures_util::FutureExt as _;
        assert!(std::panic::AssertUnwindSafe(panics(&pool)).catch_unwind().await.is_err());
        let record = last(logs.events(RECORD, "operation", concat!(module_path!(), "::panics")), 1);
        assert_eq!((record.field("panicked"), record.field("outcome")), (Some("true"), Some("rolled_back")));
    }

    #[tokio::test]
    async fn an_error_is_logged_once_without_sql_and_values() {
        const ERROR: &str = "steadfast::error";
        let place = Place::new().await;
        let pool = place.pool(1).await;
        sqlx::query(sql("INSERT INTO notes VALUES (1, $1)")).bind(SECRET).execute(&place.plain).await.unwrap();
        let (logs, _guard) = logs::capture();
        logs_around(&pool, SECRET).await.unwrap_err();
        let events: Vec<_> = logs.lines().into_iter().filter(|line| line.target == ERROR).collect();
        let [event] = &events[..] else { panic!("logged once: {events:#?}") };
        assert_eq!(event.level, tracing::Level::INFO);
        assert_eq!(event.field("operation"), Some(concat!(module_path!(), "::logged")));
        assert_eq!(event.field("category"), Some("unique"));
        assert_eq!(event.field("code"), Some(on("23505", "1062", "2067")));

        let text = logs.text();
        assert!(!text.contains(SECRET), "a value is in the log: {text}");
        for line in logs.lines().into_iter().filter(|line| line.level < tracing::Level::DEBUG) {
            assert!(!format!("{line:?}").contains("INSERT"), "SQL above the debug level: {line:?}");
        }
        let spans: Vec<_> = logs.lines().into_iter().filter(|line| line.is_span).collect();
        let named = |name: &str| spans.iter().filter(|span| span.name == name).count();
        assert_eq!((named("steadfast.call"), named("steadfast.attempt")), (2, 2), "{spans:#?}");
        assert!(spans.iter().any(|span| span.field("operation") == Some(concat!(module_path!(), "::logs_around"))));
    }

    #[tokio::test]
    async fn an_error_fits_in_a_pointer_and_passes_through_sqlx() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        let place = Place::new().await;
        let clock = Clock::stop();
        let pool = place.builder(1).acquire_timeout(std::time::Duration::from_millis(50)).connect().await.unwrap();
        let mut holder = pool.begin().await.unwrap();
        sqlx::query("SELECT 1").execute(&mut holder).await.unwrap();
        // Connecting took none of the 50 ms; the queue takes them all.
        clock.leap();
        let raw = sqlx::query("SELECT 1").execute(&pool).await.unwrap_err();
        drop(clock);
        let error = Error::from(raw);
        assert_eq!((error.category(), error.phase()), (Category::Capacity, Phase::Acquire), "{error:?}");
        let there_and_back = Error::from(sqlx::Error::from(error));
        assert_eq!(there_and_back.category(), Category::Capacity);
        assert_eq!(there_and_back.phase(), Phase::Acquire);
    }
}

/// What only servers answer: rights, locks, deadlocks, cancelled queries; and passwords.
mod servers {
    each_server! {
        use steadfast::{with_session, Category, Error, Outcome, Phase};
        use crate::support::logs;

        #[with_session]
        async fn run(session: &mut Session, statement: &str) -> Result<(), Error> {
            sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).fetch_all(&mut *session).await?;
            Ok(())
        }

        fn on<T>(postgres: T, mysql: T) -> T {
            if NAME == "postgres" { postgres } else { mysql }
        }

        #[tokio::test]
        async fn values_that_do_not_fit_and_rows_that_are_too_many() {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            let error = run(&pool, "SELECT (SELECT id FROM accounts)").await.unwrap_err();
            assert_eq!((error.category(), error.code()), (Category::TooManyRows, Some(on("21000", "1242"))));
            let error = run(&pool, "INSERT INTO accounts VALUES (77, 1 / 0)").await.unwrap_err();
            let code = on("22012", "1365");
            // MariaDB answers NULL instead where its mode says so, and the column refuses that.
            let refused = on(None, Some("1048"));
            assert!(error.code() == Some(code) || error.code() == refused, "{error:?}");
            if error.code() == Some(code) {
                assert_eq!(error.category(), Category::Data);
            }
            assert_eq!(error.outcome(), Outcome::RolledBack);
        }

        #[tokio::test]
        async fn a_lock_that_is_not_granted() {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            let mut holder = place.plain.begin().await.unwrap();
            sqlx::query("SELECT id FROM accounts WHERE id = 1 FOR UPDATE").execute(&mut *holder).await.unwrap();
            let error = run(&pool, "SELECT id FROM accounts WHERE id = 1 FOR UPDATE NOWAIT").await.unwrap_err();
            assert_eq!((error.category(), error.code()), (Category::LockTimeout, Some(on("55P03", "1205"))));
            assert!(error.is_retryable());
            assert_eq!((error.phase(), error.outcome()), (Phase::Body, Outcome::RolledBack));
            assert_eq!(error.user_message(), "Somebody else was changing the same data. Please try again.");
            holder.rollback().await.unwrap();
        }

        #[tokio::test]
        async fn a_query_that_somebody_cancels() {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            let call = tokio::spawn({
                let pool = pool.clone();
                async move { run(&pool, SLOW).await }
            });
            place.slow_is_running().await;
            place.cancel_slow().await;
            let error = call.await.unwrap().unwrap_err();
            assert_eq!((error.category(), error.code()), (Category::Cancelled, Some(on("57014", "1317"))), "{error:?}");
            assert!(!error.is_retryable());
            assert_eq!(error.outcome(), Outcome::RolledBack);
        }

        #[with_session]
        async fn in_a_deadlock(session: &mut Session, plain: &Plain) -> Result<(), Error> {
            sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 1").execute(&mut *session).await?;
            let mut other = plain.begin().await?;
            if NAME == "postgres" {
                sqlx::query("SET LOCAL deadlock_timeout = '1min'").execute(&mut *other).await?;
            }
            // InnoDB gives up the transaction that has changed less.
            sqlx::query("UPDATE accounts SET cents = cents + 10 WHERE id > 1").execute(&mut *other).await?;
            let id: i64 = sqlx::query_scalar(WHICH).fetch_one(&mut *other).await?;
            let opponent = tokio::spawn(async move {
                sqlx::query("UPDATE accounts SET cents = cents + 10 WHERE id = 1").execute(&mut *other).await?;
                other.commit().await
            });
            is_blocked(plain, id).await;
            let ended = sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 2").execute(&mut *session).await;
            assert!(ended.is_err(), "the session is the one to be given up");
            ended?;
            opponent.await.unwrap()?;
            Ok(())
        }

        #[tokio::test]
        async fn a_deadlock() {
            let place = Place::new().await;
            let url = match NAME {
                "postgres" => format!("{}&options[deadlock_timeout]=20ms", place.url),
                _ => place.url.clone(),
            };
            let pool = Pool::connect(url).await.unwrap();
            let error = in_a_deadlock(&pool, &place.plain).await.unwrap_err();
            assert_eq!((error.category(), error.code()), (Category::Conflict, Some(on("40P01", "1213"))), "{error:?}");
            assert!(error.is_retryable());
            assert_eq!((error.phase(), error.outcome()), (Phase::Body, Outcome::RolledBack));
        }

        #[tokio::test]
        async fn a_password_is_shown_nowhere() {
            let place = Place::new().await;
            let (user, password) = place.user().await;
            let at = |password: &str| place.url.replacen(&place.url[..place.url.find('@').unwrap()], &format!("{NAME}://{user}:{password}"), 1);
            let (logs, _guard) = logs::capture();
            let mut shown = String::new();
            let mut show = |what: &dyn std::fmt::Debug| {
                shown.push_str(&format!("{what:?}\n{what:#?}\n"));
            };

            let pool = Pool::connect(at(&password)).await.unwrap();
            run(&pool, "SELECT 1").await.unwrap();
            let failed = run(&pool, "SELECT * FROM nowhere").await.unwrap_err();
            show(&(&pool, &failed, failed.to_string(), pool.stats(), pool.sessions()));
            let session = pool.begin().await.unwrap();
            show(&session);
            drop(session);

            // Each of these URLs is wrong in a way of its own.
            let wrong = [
                at(&format!("not-{password}")),
                at(&password).replacen("://", "+asyncpg://", 1),
                at(&password).replacen("127.0.0.1:", "127.0.0.1:x", 1),
                at(&password).replacen("127.0.0.1:", "127.0.0.1:1", 1),
                at(&password).replacen("://", ":", 1),
                at(&password).replacen("://", "//", 1),
                at(&format!("{password}/{password}")),
                at(&format!("{password}@{password}")),
                at(&format!("%ff{password}")),
            ];
            let mut errors = 0;
            for url in wrong {
                let connecting = Pool::builder().primary(&url).acquire_timeout(std::time::Duration::from_millis(300)).connect().await;
                let error = match connecting {
                    Err(error) => error,
                    // A server that trusts its host asks for no password, so none is wrong.
                    Ok(pool) => {
                        assert_eq!(NAME, "postgres");
                        show(&pool);
                        continue;
                    }
                };
                errors += 1;
                assert_eq!(error.phase(), Phase::Acquire);
                show(&(&error, error.to_string(), error.user_message()));
                let mut cause = std::error::Error::source(&error);
                while let Some(link) = cause {
                    show(&(link.to_string(), link));
                    cause = link.source();
                }
                let raw = sqlx::Error::from(error);
                show(&(&raw, raw.to_string()));
            }
            assert!(errors >= 5, "{errors} URLs were refused");
            assert!(pool.close().await.is_clean());
            show(&run(&pool, "SELECT 1").await.unwrap_err());
            assert!(!shown.contains(&password), "{shown}");
            let text = logs.text();
            assert!(text.contains("steadfast.call"), "something was logged: {text}");
            assert!(!text.contains(&password), "{text}");
        }

        #[tokio::test]
        async fn a_user_without_rights() {
            let place = Place::new().await;
            let (user, password) = place.user().await;
            let url = place.url.replacen(&place.url[..place.url.find('@').unwrap()], &format!("{NAME}://{user}:{password}"), 1);
            let pool = Pool::connect(url).await.unwrap();
            let error = run(&pool, "SELECT * FROM accounts").await.unwrap_err();
            assert_eq!((error.category(), error.code()), (Category::Access, Some(on("42501", "1142"))), "{error:?}");
            assert!(!error.is_retryable());
            assert_eq!(error.user_message(), "You are not allowed to do this.");
        }
    }
}

/// Constraints that are checked at COMMIT, and those that only one database knows.
mod postgres_only {
    use crate::support::postgres::*;
    use steadfast::{Category, Error, Integrity, Outcome, Phase, with_session};

    #[with_session]
    async fn run(session: &mut Session, statement: &'static str) -> Result<(), Error> {
        sqlx::query(statement).execute(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    async fn in_sqlx(session: &mut Session, statement: &'static str) -> sqlx::Result<()> {
        sqlx::query(statement).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_deferred_constraint_fails_at_commit() {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE late (n INT CONSTRAINT late_n_key UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO late VALUES (1)")
            .execute(&place.plain).await.unwrap();
        let pool = place.pool(1).await;
        let error = run(&pool, "INSERT INTO late VALUES (1)").await.unwrap_err();
        assert_eq!(
            (error.category(), error.code()),
            (Category::Integrity(Integrity::Unique), Some("23505"))
        );
        assert_eq!(
            (error.phase(), error.outcome()),
            (Phase::Commit, Outcome::RolledBack),
            "{error:?}"
        );
        assert_eq!(
            (error.constraint(), error.table()),
            (Some("late_n_key"), Some("late"))
        );
        assert!(!error.is_retryable());
        assert_eq!(
            (place.count("late").await, place.open_transactions().await),
            (1, 0)
        );
        let raw = in_sqlx(&pool, "INSERT INTO late VALUES (1)")
            .await
            .unwrap_err();
        assert_eq!(Error::from(raw).outcome(), Outcome::RolledBack);
    }

    #[tokio::test]
    async fn an_exclusion_constraint() {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE rooms (during INT4RANGE, CONSTRAINT rooms_once EXCLUDE USING gist (during WITH &&)); INSERT INTO rooms VALUES ('[1,5)')")
            .execute(&place.plain).await.unwrap();
        let pool = place.pool(1).await;
        let error = run(&pool, "INSERT INTO rooms VALUES ('[4,9)')")
            .await
            .unwrap_err();
        assert_eq!(
            (error.category(), error.code()),
            (Category::Integrity(Integrity::Exclusion), Some("23P01"))
        );
        assert_eq!(
            (error.constraint(), error.table()),
            (Some("rooms_once"), Some("rooms"))
        );
        assert_eq!(
            error.user_message(),
            "This overlaps with something that already exists."
        );
    }

    #[tokio::test]
    async fn a_rule_of_the_schemas_own_code() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = run(&pool, "DO $$ BEGIN RAISE EXCEPTION 'no'; END $$")
            .await
            .unwrap_err();
        assert_eq!(
            (error.category(), error.code()),
            (Category::Integrity(Integrity::Check), Some("P0001"))
        );
    }
}

/// A foreign key of SQLite may be checked at COMMIT, which then keeps the transaction open.
mod sqlite_only {
    use crate::support::sqlite::*;
    use steadfast::{Category, Error, Integrity, Outcome, Phase, with_session};

    #[with_session]
    async fn orphan(session: &mut Session) -> Result<(), Error> {
        sqlx::query("INSERT INTO late VALUES (99)")
            .execute(&mut *session)
            .await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_deferred_foreign_key_fails_at_commit() {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE late (account BIGINT REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED)")
            .execute(&place.plain).await.unwrap();
        let pool = place.pool(1).await;
        let error = orphan(&pool).await.unwrap_err();
        assert_eq!(
            (error.category(), error.code()),
            (Category::Integrity(Integrity::ForeignKey), Some("787"))
        );
        assert_eq!(
            (error.phase(), error.outcome()),
            (Phase::Commit, Outcome::RolledBack),
            "{error:?}"
        );
        assert_eq!(
            (place.count("late").await, place.open_transactions().await),
            (0, 0)
        );
        sqlx::query("INSERT INTO notes VALUES (1, 'x')")
            .execute(&pool)
            .await
            .unwrap();
        assert_eq!(
            place.count("notes").await,
            1,
            "the connection was left clean"
        );
    }
}
