//! How many attempts there are, and what each of them finds.

each_database! {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use steadfast::{retry, with_session, Category, Error, Integrity, Outcome, Phase};

    async fn note(session: &mut Session, id: i64, body: &str) -> Result<(), Error> {
        sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)"))
            .bind(id).bind(body).execute(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn always_fails(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        runs.fetch_add(1, SeqCst);
        note(session, 1, "left behind").await?;
        Err(transient())
    }

    /// Trap 26: "attempts" and "retries" are confused.
    #[tokio::test]
    async fn max_counts_attempts() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = AtomicU32::new(0);
        let error = always_fails(&pool, &runs).await.unwrap_err();
        assert_eq!(runs.load(SeqCst), 3);
        assert_eq!((error.category(), error.outcome()), (Category::Capacity, Outcome::RolledBack));
        let numbers: Vec<_> = error.attempts().iter().map(|attempt| attempt.number()).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert!(error.to_string().contains("after 3 attempts"), "{error}");
        assert_eq!(place.count("notes").await, 0);
        let stats = stats(concat!(module_path!(), "::always_fails"));
        assert_eq!((stats.started, stats.rolled_back, stats.retried), (1, 1, 2));
        assert_eq!((stats.retried_after(Category::Capacity), stats.failed(Category::Capacity)), (2, 1));
    }

    #[with_session]
    #[retry(immediate)]
    async fn third_time_lucky(session: &mut Session, ids: &std::sync::Mutex<Vec<(u32, u64)>>) -> Result<u32, Error> {
        let attempt = session.attempt();
        ids.lock().unwrap().push((attempt, session.id()));
        // The row of a failed attempt would be in the way.
        note(session, 1, "once").await?;
        if attempt < 3 { Err(transient()) } else { Ok(attempt) }
    }

    /// Trap 1: the retry runs inside the transaction that failed.
    #[tokio::test]
    async fn an_attempt_starts_from_a_clean_transaction() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let ids = std::sync::Mutex::new(Vec::new());
        assert_eq!(third_time_lucky(&pool, &ids).await.unwrap(), 3);
        assert_eq!(place.count("notes").await, 1);
        let ids = ids.into_inner().unwrap();
        assert_eq!(ids.iter().map(|(attempt, _)| *attempt).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(ids.iter().all(|(_, id)| *id == ids[0].1), "one call, one id: {ids:?}");
        let stats = stats(concat!(module_path!(), "::third_time_lucky"));
        assert_eq!((stats.started, stats.committed, stats.rolled_back, stats.retried), (1, 1, 0, 2));
        assert_eq!(stats.failures().count(), 0, "the call did not fail");
    }

    #[with_session]
    #[retry(immediate, max = 4)]
    async fn changing_errors(session: &mut Session) -> Result<(), Error> {
        match session.attempt() {
            1 => Err(transient()),
            2 => {
                note(session, 4, "b").await?;
                Err(sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into()).into())
            }
            _ => note(session, 5, "taken").await,
        }
    }

    #[tokio::test]
    async fn attempts_hold_the_error_of_each() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        sqlx::query("INSERT INTO notes VALUES (1, 'taken')").execute(&place.plain).await.unwrap();
        let error = changing_errors(&pool).await.unwrap_err();
        let seen: Vec<_> = error.attempts().iter().map(|attempt| (attempt.number(), attempt.category())).collect();
        let unique = Category::Integrity(Integrity::Unique);
        assert_eq!(seen, [(1, Category::Capacity), (2, Category::Connection), (3, unique)]);
        assert_eq!(error.category(), unique);
        assert_eq!(error.attempts()[2].code(), error.code());
        assert!(error.code().is_some());
        assert!(error.attempts().iter().all(|attempt| attempt.phase() == Phase::Body));
        assert_eq!(error.attempts()[0].outcome(), Outcome::NotSent, "no statement was sent");
        assert_eq!(error.attempts()[1].outcome(), Outcome::RolledBack);
        assert_eq!(error.attempts()[2].outcome(), Outcome::RolledBack);
    }

    #[with_session]
    #[retry(fixed, base = "10m")]
    async fn long_wait(session: &mut Session, runs: std::sync::Arc<AtomicU32>) -> Result<(), Error> {
        note(session, 6, "x").await?;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    /// Trap 1: the retry runs inside the transaction that failed.
    #[tokio::test]
    async fn the_old_session_is_over_before_the_wait() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = std::sync::Arc::new(AtomicU32::new(0));
        let call = tokio::spawn({
            let (pool, runs) = (pool.clone(), runs.clone());
            async move { long_wait(&pool, runs).await }
        });
        eventually("the first attempt has failed", || async { runs.load(SeqCst) == 1 }).await;
        // The only slot serves somebody else while the call waits for ten minutes.
        let (one,): (i32,) = sqlx::query_as("SELECT 1").fetch_one(&pool).await.unwrap();
        assert_eq!(one, 1);
        assert!(!call.is_finished());
        assert!(pool.sessions().is_empty(), "{:?}", pool.sessions());
        assert_eq!(pool.stats().in_use, 0);
        assert_eq!(place.open_transactions().await, 0);
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }

    /// Counts how often it is cloned, and carries what a body may change.
    #[derive(Debug)]
    struct Argument<'a>(Vec<u32>, &'a AtomicU32);

    impl Clone for Argument<'_> {
        fn clone(&self) -> Self {
            self.1.fetch_add(1, SeqCst);
            Self(self.0.clone(), self.1)
        }
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn spends_its_argument(session: &mut Session, mut list: Argument<'_>, (a, b): (String, i64)) -> Result<(u32, String), Error> {
        assert_eq!((list.0.len(), &*a, b), (1, "whole", 7), "what an earlier attempt did is not seen");
        list.0.push(2);
        drop(list);
        if session.attempt() < 3 { Err(transient()) } else { Ok((session.attempt(), a)) }
    }

    /// Trap 13: state captured by a failed attempt leaks into the next.
    #[tokio::test]
    async fn each_attempt_gets_clones_of_the_arguments() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let clones = AtomicU32::new(0);
        let (attempt, text) = spends_its_argument(&pool, Argument(vec![1], &clones), ("whole".to_owned(), 7)).await.unwrap();
        assert_eq!((attempt, &*text), (3, "whole"));
        assert!(clones.load(SeqCst) <= 3, "{clones:?}");
    }

    #[with_session]
    #[retry(immediate, max = 5)]
    async fn inner(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        runs.fetch_add(1, SeqCst);
        note(session, 7, "inner").await?;
        Err(transient())
    }

    #[with_session]
    async fn outer_survives(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        note(session, 8, "outer").await?;
        let error = inner(&mut *session, runs).await.unwrap_err();
        assert_eq!(error.category(), Category::Capacity);
        assert!(error.attempts().is_empty());
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn outer_retries(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        note(session, 9, "retried").await?;
        inner(&mut *session, runs).await
    }

    /// Trap 15: nested retries multiply.
    #[tokio::test]
    async fn inside_a_callers_session_retry_is_inert() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = AtomicU32::new(0);
        outer_survives(&pool, &runs).await.unwrap();
        assert_eq!(runs.swap(0, SeqCst), 1);
        assert_eq!(place.count("notes").await, 1, "the outer work alone stays");
        outer_retries(&pool, &runs).await.unwrap_err();
        assert_eq!(runs.swap(0, SeqCst), 3, "only the outermost starts over");

        let mut session = pool.begin().await.unwrap();
        inner(&mut session, &runs).await.unwrap_err();
        assert_eq!(runs.load(SeqCst), 1, "a session begun by hand is a caller's too");
        session.rollback().await.unwrap();
        assert_eq!(place.count("notes").await, 1);
    }
}
