//! A closure with a policy is cloned for each attempt.

each_database! {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use std::time::Duration;
    use steadfast::{Category, Error, Outcome, RetryPolicy};

    async fn note(session: &mut Session, id: i64, body: &str) -> Result<(), Error> {
        sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)"))
            .bind(id).bind(body).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn each_attempt_starts_from_a_clean_transaction_and_a_clone() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (runs, body) = (AtomicU32::new(0), Arc::new(String::from("once")));
        let id = pool.operation(concat!(module_path!(), "::third"))
            .retry(RetryPolicy::immediate().max(3))
            .run({
                let (runs, body) = (&runs, Arc::clone(&body));
                async move |session: &mut Session| {
                    assert_eq!(session.attempt(), runs.fetch_add(1, SeqCst) + 1);
                    // The row of a failed attempt would be in the way.
                    note(session, 1, &body).await?;
                    // The clone is this attempt's to use up.
                    drop(body);
                    if session.attempt() < 3 { Err(transient()) } else { Ok(session.id()) }
                }
            }).await.unwrap();
        assert!(id > 0);
        assert_eq!((runs.load(SeqCst), place.count("notes").await, Arc::strong_count(&body)), (3, 1, 1));
        let counted = stats(concat!(module_path!(), "::third"));
        assert_eq!((counted.started, counted.committed, counted.retried), (1, 1, 2));
        assert_quiet(&pool);
    }

    #[tokio::test]
    async fn the_last_error_knows_them_all() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = pool.operation(concat!(module_path!(), "::never"))
            .retry(RetryPolicy::immediate().max(2))
            .run(async |session| {
                note(session, 1, "left behind").await?;
                Err::<(), Error>(transient())
            }).await.unwrap_err();
        assert_eq!((error.attempts().len(), error.outcome()), (2, Outcome::RolledBack));
        assert_eq!(place.count("notes").await, 0);
        assert_quiet(&pool);
    }

    #[tokio::test]
    async fn what_is_no_fault_of_the_moment_runs_once() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = AtomicU32::new(0);
        let error = pool.operation(concat!(module_path!(), "::wrong"))
            .retry(RetryPolicy::immediate())
            .run(async |session| {
                runs.fetch_add(1, SeqCst);
                sqlx::query("SELEKT 1").execute(&mut *session).await?;
                Ok::<_, Error>(())
            }).await.unwrap_err();
        assert_eq!((error.category(), runs.load(SeqCst)), (Category::Programming, 1));
    }

    #[tokio::test]
    async fn one_deadline_for_all_attempts() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = AtomicU32::new(0);
        let error = pool.operation(concat!(module_path!(), "::late"))
            .timeout(Duration::from_millis(200))
            .retry(RetryPolicy::fixed().base(Duration::from_millis(60)).max(100))
            .run(async |session| {
                runs.fetch_add(1, SeqCst);
                note(session, 1, "again").await?;
                Err::<(), Error>(transient())
            }).await.unwrap_err();
        assert!((1..=5).contains(&runs.load(SeqCst)), "{} runs, {error}", runs.load(SeqCst));
        assert_eq!(place.count("notes").await, 0);
    }

    #[tokio::test]
    async fn dropped_during_a_wait_it_holds_nothing() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = AtomicU32::new(0);
        let call = pool.operation(concat!(module_path!(), "::waits"))
            .retry(RetryPolicy::fixed().base(Duration::from_secs(60)))
            .run(async |session| {
                note(session, 1, "again").await?;
                runs.fetch_add(1, SeqCst);
                Err::<(), Error>(transient())
            });
        let waits = async {
            eventually("the first attempt is over", || async {
                runs.load(SeqCst) == 1 && pool.stats().in_use == 0 && pool.sessions().is_empty()
            }).await;
        };
        tokio::select! {
            ended = call => panic!("{ended:?}"),
            () = waits => {}
        }
        assert_quiet(&pool);
        assert_eq!((runs.load(SeqCst), place.count("notes").await), (1, 0));
    }

    #[tokio::test]
    async fn a_panic_is_not_retried() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = AtomicU32::new(0);
        let call = pool.operation(concat!(module_path!(), "::panics"))
            .retry(RetryPolicy::immediate())
            .run(async |session| {
                runs.fetch_add(1, SeqCst);
                note(session, 1, "never").await?;
                if runs.load(SeqCst) > 0 { panic!("once") }
                Ok::<_, Error>(())
            });
        assert_eq!(panic_of(call).await, "once");
        assert_eq!((runs.load(SeqCst), place.count("notes").await), (1, 0));
        assert_quiet(&pool);
    }
}
