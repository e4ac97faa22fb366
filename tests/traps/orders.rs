//! The attributes in any order: what starts over is the transaction, never something inside of it.

each_database! {
    use std::sync::Mutex;
    use steadfast::{Error, db_error_handling, retry, with_session};

    type Log = Mutex<Vec<u32>>;

    async fn body(session: &mut Session, log: &Log) -> Result<u32, Error> {
        let attempt = session.attempt();
        log.lock().unwrap().push(attempt);
        // The row of a failed attempt would be in the way, and on PostgreSQL its error.
        note(session, 1).await?;
        if attempt < 3 {
            note(session, 1).await.expect_err("the id is taken");
            return Err(transient());
        }
        Ok(attempt)
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    #[db_error_handling]
    async fn session_retry_errors(session: &mut Session, log: &Log) -> Result<u32, Error> {
        body(session, log).await
    }

    #[with_session]
    #[db_error_handling]
    #[retry(immediate, max = 3)]
    async fn session_errors_retry(session: &mut Session, log: &Log) -> Result<u32, Error> {
        body(session, log).await
    }

    #[retry(immediate, max = 3)]
    #[with_session]
    #[db_error_handling]
    async fn retry_session_errors(session: &mut Session, log: &Log) -> Result<u32, Error> {
        body(session, log).await
    }

    #[retry(immediate, max = 3)]
    #[db_error_handling]
    #[with_session]
    async fn retry_errors_session(session: &mut Session, log: &Log) -> Result<u32, Error> {
        body(session, log).await
    }

    #[db_error_handling]
    #[with_session]
    #[retry(immediate, max = 3)]
    async fn errors_session_retry(session: &mut Session, log: &Log) -> Result<u32, Error> {
        body(session, log).await
    }

    #[db_error_handling]
    #[retry(immediate, max = 3)]
    #[with_session]
    async fn errors_retry_session(session: &mut Session, log: &Log) -> Result<u32, Error> {
        body(session, log).await
    }

    /// Trap 1: the retry runs inside the transaction that failed.
    #[tokio::test]
    async fn of_the_attributes_changes_nothing() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        macro_rules! starts_over {
            ($($call:ident)*) => {$(
                let log = Log::default();
                assert_eq!($call(&pool, &log).await.unwrap(), 3, stringify!($call));
                assert_eq!(log.into_inner().unwrap(), [1, 2, 3], stringify!($call));
                assert_eq!(place.notes().await, [1], stringify!($call));
                let counted = stats(concat!(module_path!(), "::", stringify!($call)));
                assert_eq!((counted.committed, counted.retried), (1, 2), "{}: {counted:?}", stringify!($call));
                sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
            )*};
        }
        starts_over! {
            session_retry_errors session_errors_retry retry_session_errors
            retry_errors_session errors_session_retry errors_retry_session
        }
        assert_quiet(&pool);
    }
}
