//! Calls that have come to a phase, and go on into the silence.

use steadfast::{Backend, Error, SessionPool};

use super::incident::Incident;
use super::run::Run;
use super::silence::Silence;

/// A place whose calls can be met in every phase.
pub(super) trait Calls<DB: Backend> {
    /// A call that does nothing but enter an id.
    fn enter(
        &self,
        pool: &SessionPool<DB>,
        id: i64,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// One call, until its slot is free again.
    fn meet(
        &self,
        run: Run,
        pool: &SessionPool<DB>,
        silence: &Silence,
    ) -> impl Future<Output = Incident> + Send;
}

each_server! {
    use super::Calls;
    use crate::hang::incident::Incident;
    use crate::hang::run::{DEADLINE, Run};
    use crate::hang::silence::Silence;
    use crate::hang::phase::Phase;
    use futures_util::StreamExt as _;
    use sqlx::Connection as _;
    use std::sync::Arc;
    use steadfast::{Error, Outcome};
    use tokio::time::Instant;

    /// Twenty gigabytes.
    const MANY: &str = match NAME.as_bytes() {
        b"postgres" => "SELECT repeat('x', 1000), generate_series(1, 20000000)",
        _ => "SELECT repeat('x', 1000) FROM seq_1_to_20000000",
    };

    const ENTER: &str = "INSERT INTO entries (id) VALUES ($1)";

    impl Calls<Db> for Place {
        async fn enter(&self, pool: &Pool, id: i64) -> Result<(), Error> {
            pool.session("torture::hang_next", async |session| enter(session, id).await).await
        }

        async fn meet(&self, run: Run, pool: &Pool, silence: &Silence) -> Incident {
            if run.phase.comes_after() {
                silence.fallen().await;
            }
            let began = Instant::now();
            let call = async {
                if !run.phase.has_session() {
                    return outside(pool, &run, silence).await;
                }
                let mut operation = pool.operation("torture::hang");
                if run.is_limited() {
                    operation = operation.timeout(DEADLINE);
                }
                operation.run(async |session| {
                    let seen = Arc::clone(&run.seen);
                    session.on_end(move |outcome| seen.ends(outcome));
                    let done = work(session, &run, silence).await;
                    run.seen.leaves();
                    done
                }).await
            };
            let answer = if run.phase.is_given_up() {
                tokio::select! {
                    answer = call => Some(answer),
                    _ = silence.fallen() => None,
                }
            } else {
                Some(call.await)
            };
            // Without a session its error tells of one statement, and not of all.
            let answer = answer.filter(|_| run.phase.has_session());
            let fallen = silence.fallen().await;
            let due = run.due(began, fallen);
            Incident::note(run, due, answer, pool).await
        }
    }

    async fn enter(session: &mut Session, id: i64) -> Result<(), Error> {
        sqlx::query(sql(ENTER)).bind(id).execute(&mut *session).await?;
        Ok(())
    }

    /// What has no session; its rows are certain all the same.
    async fn outside(pool: &Pool, run: &Run, silence: &Silence) -> Result<(), Error> {
        let entered = sqlx::query(sql(ENTER)).bind(run.id);
        if run.phase == Phase::Pool {
            entered.execute(pool).await?;
            run.seen.ends(Outcome::Committed);
            return outside_goes_on(pool, run, silence).await;
        }
        let mut lease = pool.acquire().await?;
        let mut transaction = lease.begin().await?;
        entered.execute(&mut *transaction).await?;
        run.seen.ends(Outcome::RolledBack);
        outside_goes_on(&mut *transaction, run, silence).await
    }

    /// A statement under way when it happens, or a result of which a part is read.
    async fn outside_goes_on<'e, E>(executor: E, run: &Run, silence: &Silence) -> Result<(), Error>
    where
        E: sqlx::Executor<'e, Database = Db>,
    {
        if run.is_second {
            let mut rows = sqlx::query(MANY).fetch(executor);
            rows.next().await.transpose()?;
            silence.arrive(run);
            std::future::pending::<()>().await;
        } else {
            silence.arrive(run);
            sqlx::query(SLOW).execute(executor).await?;
        }
        Ok(())
    }

    /// The body, up to where its server falls silent and beyond.
    async fn work(session: &mut Session, run: &Run, silence: &Silence) -> Result<(), Error> {
        enter(session, run.id).await?;
        match run.phase {
            Phase::Acquire | Phase::Begin => {}
            Phase::Pool | Phase::Lease => unreachable!("they have no session"),
            // Under way when it happens, or sent after it.
            Phase::Statement | Phase::Dropped if run.is_second => {
                silence.arrive(run);
                sqlx::query(SLOW).execute(&mut *session).await?;
            }
            Phase::Statement => {
                silence.arrive(run);
                silence.fallen().await;
                sqlx::query(WHICH).execute(&mut *session).await?;
            }
            Phase::Dropped => {
                silence.arrive(run);
                std::future::pending::<()>().await;
            }
            Phase::Stream => {
                let mut rows = sqlx::query(MANY).fetch(&mut *session);
                rows.next().await.transpose()?;
                silence.arrive(run);
                silence.fallen().await;
                while rows.next().await.transpose()?.is_some() {}
            }
            // Its savepoint is set then, or is about to be.
            Phase::Nested => {
                session.savepoint(async |session| {
                    if run.is_second {
                        enter(session, run.id).await?;
                    }
                    silence.arrive(run);
                    silence.fallen().await;
                    if !run.is_second {
                        enter(session, run.id).await?;
                    }
                    sqlx::query(WHICH).execute(&mut *session).await?;
                    Ok::<_, Error>(())
                }).await?;
            }
            Phase::Commit => {
                silence.arrive(run);
                silence.fallen().await;
            }
            Phase::Rollback => {
                silence.arrive(run);
                silence.fallen().await;
                return Err(transient());
            }
        }
        Ok(())
    }
}
