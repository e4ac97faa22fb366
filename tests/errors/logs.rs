//! One record for each call, and nothing in the log that is not fit for it.

each_database! {
    use steadfast::{db_error_handling, retry, with_session, Category, Error, Integrity};
    use crate::support::logs;
    use tokio::sync::Notify;

    helpers!();

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
}
