//! A helper undoes its own part and no other, whatever comes in the way of its ROLLBACK.

each_server! {
    use std::sync::Arc;
    use std::time::{Duration, Instant};
    use steadfast::{Error, Outcome, with_session};
    use xtask::proxy::Fault;

    helpers!();

    /// Inserts and leaves inside of its own `commit`, which is on its way.
    async fn leaves_in_commit(connection: &mut Connection, id: i64) -> sqlx::Result<()> {
        let mut transaction = connection.begin().await?;
        insert(&mut *transaction, id).await?;
        let _ = tokio::time::timeout(Duration::ZERO, transaction.commit()).await;
        Ok(())
    }

    #[with_session]
    async fn two_helpers(session: &mut Session, first: Ending) -> Result<(), Error> {
        by_connection(session.raw().await?, 1, first).await?;
        insert(&mut *session, 2).await?;
        leaves_in_commit(session.raw().await?, 3).await?;
        insert(&mut *session, 4).await?;
        Ok(())
    }

    #[with_session]
    async fn two_calls(session: &mut Session, first: Ending) -> Result<(), Error> {
        insert(&mut *session, 10).await?;
        two_helpers(&mut *session, first).await?;
        insert(&mut *session, 11).await?;
        Ok(())
    }

    /// The first helper inside of a call, the second outside of it.
    #[with_session]
    async fn across_calls(session: &mut Session, first: Ending) -> Result<(), Error> {
        by_connection(session.raw().await?, 20, Ending::Commit).await?;
        one_helper(&mut *session, first).await?;
        insert(&mut *session, 2).await?;
        leaves_in_commit(session.raw().await?, 3).await?;
        insert(&mut *session, 4).await?;
        Ok(())
    }

    #[with_session]
    async fn one_helper(session: &mut Session, first: Ending) -> Result<(), Error> {
        insert(&mut *session, 21).await?;
        by_connection(session.raw().await?, 1, first).await?;
        Ok(())
    }

    /// sqlx gives each savepoint of one depth the same name, and leaves those to which it has rolled back.
    #[tokio::test]
    async fn one_that_is_dropped_in_its_commit_does_not_undo_to_the_savepoint_of_an_earlier_one() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        for first in ENDINGS {
            for way in ["two_helpers", "two_calls", "across_calls"] {
                proxy.delay(Duration::from_millis(2));
                let answer = match way {
                    "two_helpers" => two_helpers(&pool, first).await,
                    "two_calls" => two_calls(&pool, first).await,
                    _ => across_calls(&pool, first).await,
                };
                proxy.delay(Duration::ZERO);
                let mut left = place.notes().await;
                left.sort_unstable();
                match &answer {
                    Ok(()) => {
                        // What was committed inside may be there or not, its helper does not know.
                        left.retain(|id| *id != 3);
                        let mut own = match way {
                            "two_helpers" => vec![2, 4],
                            "two_calls" => vec![2, 4, 10, 11],
                            _ => vec![2, 4, 20, 21],
                        };
                        if first == Ending::Commit {
                            own.insert(0, 1);
                        }
                        assert_eq!(left, own, "{way} {first:?}");
                    }
                    Err(error) => {
                        assert_eq!(error.outcome(), Outcome::RolledBack, "{way} {first:?}: {error}");
                        assert_eq!(left, [0; 0], "{way} {first:?}: {error}");
                    }
                }
                sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
            }
        }
    }

    #[with_session]
    async fn with_one_that_gives_up(session: &mut Session) -> Result<(), Error> {
        insert(&mut *session, 1).await?;
        by_connection(session.raw().await?, 2, Ending::Drop).await?;
        insert(&mut *session, 3).await?;
        Ok(())
    }

    /// The answer takes longer than a dropped statement is given, so that it is cancelled; and the cancel comes at the
    /// server at about the same time as the ROLLBACK, now and then upon it.
    #[tokio::test]
    async fn a_rollback_that_the_cancel_hits_is_sent_again() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        let proxy = Arc::new(proxy);
        with_one_that_gives_up(&pool).await.unwrap();
        let cancel = if NAME == "postgres" { "SELECT pg_cancel_backend" } else { "KILL QUERY" };
        let (mut cancelled, mut again) = (0, 0);
        for round in 0..200 {
            sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
            proxy.reset();
            proxy.on(|sent| sent.runs("ROLLBACK TO SAVEPOINT"), Fault::HoldBefore);
            let held = proxy.fired();
            let goes_on = std::thread::spawn({
                let proxy = Arc::clone(&proxy);
                let pause = Duration::from_micros(5_500 + 12 * round);
                move || {
                    let began = Instant::now();
                    while proxy.fired() == held && began.elapsed() < PATIENCE {
                        std::thread::sleep(Duration::from_micros(50));
                    }
                    std::thread::sleep(pause);
                    proxy.resume();
                }
            });
            let answer = with_one_that_gives_up(&pool).await;
            goes_on.join().unwrap();
            proxy.disarm();
            let sent = proxy.sent();
            cancelled += usize::from(sent.iter().any(|sent| sent.runs(cancel)));
            again += usize::from(sent.iter().filter(|sent| sent.runs("ROLLBACK TO SAVEPOINT")).count() > 1);
            answer.unwrap();
            assert_eq!(place.notes().await, [1, 3], "round {round}: {sent:#?}");
        }
        println!("{NAME}: {cancelled} of 200 rollbacks came with a cancel, {again} were sent again");
        assert!(cancelled > 20 && again > 20, "the fault did not happen: {cancelled} cancels, {again} sent again");
    }
}
