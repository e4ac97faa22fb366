//! A loss that a part of a session swallows: what that part answers is as doubtful.

each_server! {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use steadfast::{retry, with_session, Error, Outcome};
    use xtask::proxy::Fault;

    #[derive(Clone, Copy, Debug)]
    enum Form {
        Nested,
        Deeper,
        Joined,
        Savepoint,
    }

    #[with_session]
    async fn nested(session: &mut Session) -> Result<(), Error> {
        let _swallowed = note(session, 99).await;
        Ok(())
    }

    #[with_session]
    async fn deeper(session: &mut Session) -> Result<(), Error> {
        nested(session).await
    }

    #[with_session(nested = join)]
    async fn joined(session: &mut Session) -> Result<(), Error> {
        let _swallowed = note(session, 99).await;
        Ok(())
    }

    #[retry(immediate, max = 3)]
    async fn two_steps(pool: &Pool, runs: &AtomicU32, form: Form) -> Result<(), Error> {
        let run = runs.fetch_add(1, SeqCst);
        let mut first = pool.begin().await?;
        note(&mut first, i64::from(run)).await?;
        first.commit().await?;
        let mut second = pool.begin().await?;
        match form {
            Form::Nested => nested(&mut second).await?,
            Form::Deeper => deeper(&mut second).await?,
            Form::Joined => joined(&mut second).await?,
            Form::Savepoint => {
                second
                    .savepoint(async |session| {
                        let _swallowed = note(session, 99).await;
                        Ok::<_, Error>(())
                    })
                    .await?;
            }
        }
        second.commit().await
    }

    #[tokio::test]
    async fn of_a_loss_that_a_part_of_a_session_by_hand_swallows() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        let runs = AtomicU32::new(0);
        for form in [Form::Nested, Form::Deeper, Form::Joined, Form::Savepoint] {
            let before = proxy.fired();
            let notes = AtomicU32::new(0);
            proxy.on(move |sent| sent.runs("INSERT INTO notes") && notes.fetch_add(1, SeqCst) == 1, Fault::CutAnswer);
            let error = in_time(two_steps(&pool, &runs, form)).await.unwrap_err();
            assert_eq!((proxy.fired() - before, runs.swap(0, SeqCst), error.outcome()), (1, 1, Outcome::Unknown), "{form:?}");
            assert_eq!(place.notes().await, [0], "{form:?}");
            place.has_open(0).await;
            sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
        }
    }

    #[with_session(autocommit)]
    async fn part(session: &mut Session) -> Result<(), Error> {
        let _swallowed = note(session, 99).await;
        Ok(())
    }

    #[with_session(autocommit)]
    async fn around(session: &mut Session, told: &mut Option<Outcome>) -> Result<(), Error> {
        *told = part(session).await.err().map(|error| error.outcome());
        Ok(())
    }

    /// There the server may have kept it.
    #[tokio::test]
    async fn of_a_loss_that_a_part_of_a_session_without_a_transaction_swallows() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        proxy.on(|sent| sent.runs("INSERT INTO notes"), Fault::CutAnswer);
        let mut told = None;
        let error = in_time(around(&pool, &mut told)).await.unwrap_err();
        assert_eq!((proxy.fired(), place.notes().await), (1, vec![99]));
        assert_eq!((told, error.outcome()), (Some(Outcome::Unknown), Outcome::Unknown));
    }

    #[with_session(autocommit)]
    async fn overtaken(session: &mut Session) -> Result<Option<Outcome>, Error> {
        #[with_session(autocommit, timeout = "100ms")]
        async fn leaves_rows(session: &mut Session) -> Result<(), Error> {
            use futures_util::StreamExt as _;
            let mut rows = sqlx::query(SLOW_ROWS).fetch(&mut *session);
            let _first = rows.next().await;
            Ok(())
        }
        Ok(leaves_rows(session).await.err().map(|error| error.outcome()))
    }

    /// Half a second and more.
    const SLOW_ROWS: &str = if NAME.len() == "postgres".len() {
        "SELECT repeat('x', 1000), pg_sleep(0.001) FROM generate_series(1, 500)"
    } else {
        "SELECT REPEAT('x', 1000), SLEEP(0.001) FROM seq_1_to_500"
    };

    #[tokio::test]
    async fn of_rows_without_a_transaction_that_nobody_has_read_in_time() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let told = in_time(overtaken(&pool)).await;
        assert!(matches!(told, Ok(Some(Outcome::Unknown))), "{told:?}");
    }
}
