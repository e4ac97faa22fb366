//! The kinds, in the words of each database.

/// Writes what `call` does in a module of `each_database!`.
macro_rules! calls {
    () => {
        /// For a second, far longer than anybody waits.
        const NAP: &str = match NAME.as_bytes() {
            b"postgres" => "SELECT pg_sleep(1)",
            b"mysql" => "SELECT SLEEP(1)",
            _ => {
                "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 4000000) SELECT count(*) FROM c"
            }
        };

        /// The same to a client as being killed by somebody else, and it is certain who is hit.
        const KILL: &str = match NAME.as_bytes() {
            b"postgres" => "SELECT pg_terminate_backend(pg_backend_pid())",
            _ => "KILL CONNECTION_ID()",
        };

        /// Does to a session, or whatever else executes, what is its fate.
        async fn suffer<'e, E>(ground: &Ground, job: Job, executor: E) -> sqlx::Result<()>
        where
            E: sqlx::Executor<'e, Database = Db>,
        {
            let statement = match job.fate {
                Fate::Well | Fate::Dropped(_) => return Ok(()),
                Fate::Refused => "SELECT * FROM nowhere",
                // Past the hook that would print it, a thousand times.
                Fate::Panics => std::panic::resume_unwind(Box::new("as planned")),
                Fate::Late => NAP,
                Fate::Killed => KILL,
                Fate::Cut => CUT,
                Fate::Unanswered => {
                    ground.lose_next_answer();
                    return Ok(());
                }
            };
            let ended = sqlx::raw_sql(statement).execute(executor).await;
            if ended.is_err() && job.fate == Fate::Cut {
                ground.cut.fetch_add(1, Ordering::Relaxed);
            }
            if ended.is_err() && matches!(job.fate, Fate::Refused | Fate::Killed | Fate::Cut) {
                ground.front.report.count(job.fate.name(), 1);
            }
            ended.map(drop)
        }

        #[with_session]
        async fn plain(session: &mut Session, ground: &Ground, job: Job) -> Result<(), Error> {
            note(session, job.id).await?;
            suffer(ground, job, &mut *session).await?;
            note(session, job.id + 1).await?;
            Ok(())
        }

        #[with_session]
        #[retry(immediate, max = 3)]
        async fn retried(session: &mut Session, ground: &Ground, job: Job) -> Result<(), Error> {
            note(session, job.id).await?;
            if session.attempt() == 1 {
                suffer(ground, job, &mut *session).await?;
            }
            note(session, job.id + 1).await?;
            Ok(())
        }

        #[with_session]
        async fn outer(session: &mut Session, ground: &Ground, job: Job) -> Result<(), Error> {
            note(session, job.id).await?;
            // What is undone alone leaves the rest as it is.
            let _ = inner(&mut *session, ground, job).await;
            Ok(())
        }

        #[with_session]
        async fn inner(session: &mut Session, ground: &Ground, job: Job) -> Result<(), Error> {
            note(session, job.id + 1).await?;
            suffer(ground, job, &mut *session).await?;
            Ok(())
        }

        #[with_session]
        async fn streaming(session: &mut Session, ground: &Ground, job: Job) -> Result<(), Error> {
            {
                let mut rows = sqlx::query("SELECT id FROM accounts").fetch(&mut *session);
                for _ in 0..3 {
                    rows.try_next().await?;
                }
            }
            suffer(ground, job, &mut *session).await?;
            note(session, job.id).await?;
            Ok(())
        }

        #[with_session]
        async fn hooked(session: &mut Session, ground: &Ground, job: Job) -> Result<(), Error> {
            let (committed, undone, ended) = (ground.hook(), ground.hook(), ground.hook());
            session.on_commit(async move {
                tokio::task::yield_now().await;
                drop(committed);
            });
            session.on_rollback(async move { drop(undone) });
            session.on_end(move |_| drop(ended));
            note(session, job.id).await?;
            suffer(ground, job, &mut *session).await?;
            Ok(())
        }

        #[with_session(autocommit)]
        async fn autocommitted(session: &mut Session, ground: &Ground, job: Job) -> Result<(), Error> {
            note(session, job.id).await?;
            suffer(ground, job, &mut *session).await?;
            note(session, job.id + 1).await?;
            Ok(())
        }

        #[with_session]
        #[retry(immediate, max = 3, verify_commit)]
        async fn verified(session: &mut Session, ground: &Ground, job: Job) -> Result<(), Error> {
            note(session, job.id).await?;
            if session.attempt() == 1 {
                suffer(ground, job, &mut *session).await?;
            }
            Ok(())
        }

        async fn saved(session: &mut Session, ground: &Ground, job: Job) -> Result<(), Error> {
            note(session, job.id).await?;
            session
                .savepoint(async |session| {
                    note(session, job.id + 1).await?;
                    Ok::<_, Error>(suffer(ground, job, &mut *session).await?)
                })
                .await
        }

        async fn by_hand(pool: &Pool, ground: &Ground, job: Job) -> Result<(), Error> {
            let mut session = pool.begin().await?;
            note(&mut session, job.id).await?;
            suffer(ground, job, &mut session).await?;
            match job.id / ROWS % 3 {
                0 => drop(session),
                1 => session.rollback().await?,
                _ => session.commit().await?,
            }
            Ok(())
        }

        async fn leased(pool: &Pool, ground: &Ground, job: Job) -> Result<(), Error> {
            let mut lease = pool.acquire().await?;
            let mut transaction = sqlx::Connection::begin(&mut *lease).await?;
            sqlx::raw_sql("SELECT id FROM accounts").execute(&mut *transaction).await?;
            suffer(ground, job, &mut *transaction).await?;
            if job.id / ROWS % 2 == 0 {
                transaction.commit().await?;
                pool.release(lease).await?;
            }
            Ok(())
        }

        /// Calls a function of these kinds where its session is to come from.
        macro_rules! on {
            ($source:expr, $ground:expr, $job:expr) => {
                match $job.kind {
                    Kind::Plain => plain($source, $ground, $job).await,
                    Kind::Retry => retried($source, $ground, $job).await,
                    Kind::Nested => outer($source, $ground, $job).await,
                    Kind::Stream => streaming($source, $ground, $job).await,
                    Kind::Hooks => hooked($source, $ground, $job).await,
                    kind => unreachable!("{kind:?} takes no session"),
                }
            };
        }

        async fn call(ground: &Ground, job: Job) -> Result<(), Error> {
            let pool = ground.pool(job);
            match job.kind {
                kind if kind.takes_a_session() && job.fate == Fate::Late => {
                    let late = pool.operation("leak::late").timeout(LATE);
                    late.run(async |session| on!(&mut *session, ground, job)).await
                }
                kind if kind.takes_a_session() => on!(pool, ground, job),
                Kind::Session => pool.session("leak::session", async |session| saved(session, ground, job).await).await,
                Kind::Savepoint => {
                    let operation = pool.operation("leak::savepoint");
                    let operation = if job.fate == Fate::Late { operation.timeout(LATE) } else { operation };
                    operation.run(async |session| saved(session, ground, job).await).await
                }
                Kind::Begin => by_hand(pool, ground, job).await,
                Kind::Autocommit => autocommitted(pool, ground, job).await,
                Kind::Verified => verified(pool, ground, job).await,
                Kind::Lease => leased(pool, ground, job).await,
                _ => {
                    suffer(ground, job, pool).await?;
                    sqlx::query("SELECT id FROM accounts").fetch_all(pool).await?;
                    Ok(())
                }
            }
        }
    };
}
pub(super) use calls;
