//! What others see of sessions: those who look at the server, at traces, and those who are woken.

each_database! {
    use std::sync::{Arc, Mutex};
    use steadfast::{Category, CriticalEvent, Error, with_session};
    use crate::support::logs;

    #[with_session]
    async fn runs(session: &mut Session, text: &'static str) -> Result<(), Error> {
        sqlx::query(text).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn each_statement_is_a_span_with_its_text_and_what_went_wrong() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (logs, _capture) = logs::capture();
        runs(&pool, "INSERT INTO notes (id, body) VALUES (1, 'one')").await.unwrap();
        let error = runs(&pool, "INSERT INTO notes (id, body) VALUES (1, 'two')").await.unwrap_err();
        let spans: Vec<_> = logs.lines().into_iter().filter(|line| line.is_span && line.name == "steadfast.statement").collect();
        assert_eq!(spans.len(), 2, "{spans:?}");
        for span in &spans {
            assert_eq!(span.field("db.operation.name"), Some("INSERT"));
            assert_eq!(span.level, tracing::Level::DEBUG, "texts are for debugging alone");
        }
        assert_eq!(spans[0].field("db.query.text"), Some("INSERT INTO notes (id, body) VALUES (1, 'one')"));
        let recorded = logs.text();
        assert!(error.code().is_some_and(|code| recorded.contains(code)), "the code of the answer: {recorded}");
        assert!(recorded.contains("error.type"));
    }

    /// Who is told, and of what.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<CriticalEvent>>>);

    impl Told {
        fn watch(&self) -> impl Fn(CriticalEvent) + Send + Sync + 'static + use<> {
            let told = Arc::clone(&self.0);
            move |event| told.lock().unwrap().push(event)
        }

        fn events(&self) -> Vec<CriticalEvent> {
            self.0.lock().unwrap().clone()
        }
    }

    #[with_session]
    #[steadfast::retry(policy = steadfast::RetryPolicy::immediate().max(2).verify_commit())]
    async fn verified(session: &mut Session) -> Result<u64, Error> {
        sqlx::query("INSERT INTO notes (id, body) VALUES (5, 'five')").execute(&mut *session).await?;
        Ok(session.id())
    }

    #[tokio::test]
    async fn a_ledger_that_is_missing_is_told() {
        let place = Place::new().await;
        let told = Told::default();
        let pool = place.builder(1).on_critical(told.watch()).connect().await.unwrap();
        let error = verified(&pool).await.unwrap_err();
        assert_eq!(error.category(), Category::Programming, "{error}");
        assert!(matches!(told.events()[..], [CriticalEvent::LedgerMissing { operation, .. }] if operation.ends_with("::verified")), "{:?}", told.events());
        assert_eq!(place.count("notes").await, 0, "not noted, not committed");
        pool.install().await.unwrap();
        verified(&pool).await.unwrap();
        assert_eq!((told.events().len(), place.count("notes").await), (1, 1));
    }

    #[tokio::test]
    async fn a_watcher_that_panics_harms_nothing() {
        let place = Place::new().await;
        let pool = place.builder(1).on_critical(|_| panic!("at night")).connect().await.unwrap();
        assert_eq!(verified(&pool).await.unwrap_err().category(), Category::Programming);
        assert_quiet(&pool);
        runs(&pool, "DELETE FROM notes").await.unwrap();
    }
}

mod in_doubt {
    each_server! {
        use std::sync::{Arc, Mutex};
        use steadfast::{CriticalEvent, Error, Outcome, with_session};
        use xtask::proxy::{Fault, Proxy};

        #[with_session]
        async fn writes(session: &mut Session) -> Result<(), Error> {
            sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'one')").execute(&mut *session).await?;
            Ok(())
        }

        #[tokio::test]
        async fn a_commit_in_doubt_is_told_whichever_door() {
            let place = Place::new().await;
            let proxy = Proxy::before(&place.url).unwrap();
            let told = Arc::new(Mutex::new(Vec::new()));
            let watch = Arc::clone(&told);
            let pool = Pool::builder()
                .primary(proxy.url())
                .max_connections(1)
                .on_critical(move |event| watch.lock().unwrap().push(event))
                .connect()
                .await
                .unwrap();
            proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
            assert_eq!(writes(&pool).await.unwrap_err().outcome(), Outcome::Unknown);
            let mut session = pool.begin().await.unwrap();
            sqlx::query("INSERT INTO notes (id, body) VALUES (2, 'two')").execute(&mut session).await.unwrap();
            proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
            assert_eq!(session.commit().await.unwrap_err().outcome(), Outcome::Unknown);
            proxy.on(|sent| sent.runs("INSERT"), Fault::CutAnswer);
            let error: Error = sqlx::raw_sql("INSERT INTO notes (id, body) VALUES (3, 'three')").execute(&pool).await.unwrap_err().into();
            assert_eq!(error.outcome(), Outcome::Unknown);
            let told = told.lock().unwrap();
            let operations: Vec<_> = told
                .iter()
                .map(|event| match event {
                    CriticalEvent::CommitUnknown { operation, .. } => operation.rsplit("::").next().unwrap(),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(operations, ["writes", "begin", "autocommit"]);
            assert_eq!(proxy.fired(), 3);
        }
    }
}

/// What only one of them has.
mod of_one_kind {
    use std::sync::{Arc, Mutex};

    use sqlx::Executor as _;
    use steadfast::{Category, CriticalEvent, Error, with_session};

    use crate::support::{postgres, sqlite};

    const SHOWN: &str = "SELECT current_setting('application_name')";

    #[with_session]
    async fn shown(session: &mut steadfast::PgSession) -> Result<(u64, String), Error> {
        let name = sqlx::query_scalar(SHOWN).fetch_one(&mut *session).await?;
        Ok((session.id(), name))
    }

    /// Quotes, a backslash, what is no ASCII, and more than a server keeps.
    #[with_session(
        name = "it's \\ a 'name'; DROP TABLE notes; -- ünd a very long one, longer than sixty-three bytes"
    )]
    async fn hostile(session: &mut steadfast::PgSession) -> Result<(u64, String), Error> {
        sqlx::query("SET LOCAL standard_conforming_strings = off")
            .execute(&mut *session)
            .await?;
        let name = sqlx::query_scalar(SHOWN).fetch_one(&mut *session).await?;
        Ok((session.id(), name))
    }

    #[tokio::test]
    async fn postgres_shows_which_function_holds_what() {
        let place = postgres::Place::new().await;
        let pool = place.pool(1).await;
        let plain: String = sqlx::query_scalar(SHOWN).fetch_one(&pool).await.unwrap();
        let (id, name) = shown(&pool).await.unwrap();
        assert_eq!(name, format!("steadfast::seeing::of_one_kind::shown#{id}"));
        for _ in 0..2 {
            let (id, name) = hostile(&pool).await.unwrap();
            assert!(
                name.starts_with("it's \\ a 'name'; DROP TABLE notes; -- ?nd"),
                "{name}"
            );
            assert!(
                name.ends_with(&format!("#{id}")) && name.len() <= 63,
                "{name}"
            );
        }
        let after: String = sqlx::query_scalar(SHOWN).fetch_one(&pool).await.unwrap();
        assert_eq!(after, plain, "the transaction's alone");
        assert_eq!(place.count("notes").await, 0, "the table is there");

        let silent = place
            .builder(1)
            .application_name(false)
            .connect()
            .await
            .unwrap();
        assert_eq!(shown(&silent).await.unwrap().1, plain);
    }

    #[with_session]
    async fn fills(session: &mut steadfast::SqliteSession) -> Result<(), Error> {
        sqlx::query("INSERT INTO notes VALUES (1, hex(zeroblob(1000000)))")
            .execute(&mut *session)
            .await?;
        Ok(())
    }

    #[tokio::test]
    async fn sqlite_that_is_full_is_told() {
        let place = sqlite::Place::new().await;
        let told = Arc::new(Mutex::new(Vec::new()));
        let watch = Arc::clone(&told);
        let pool = place
            .builder(1)
            .after_connect(|connection| {
                Box::pin(async move {
                    connection.execute("PRAGMA max_page_count = 20").await?;
                    Ok(())
                })
            })
            .on_critical(move |event| watch.lock().unwrap().push(event))
            .connect()
            .await
            .unwrap();
        let error = fills(&pool).await.unwrap_err();
        assert_eq!(error.category(), Category::Resource, "{error}");
        let told = told.lock().unwrap();
        assert!(
            matches!(told[..], [CriticalEvent::Resource { .. }]),
            "{told:?}"
        );
    }
}
