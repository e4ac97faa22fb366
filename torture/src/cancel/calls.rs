//! The forms, in the words of each database.

/// Writes what `run` does in a module of `each_database!`. Each leaves its rows under the ids from `base + 1` on.
macro_rules! calls {
    () => {
        #[with_session]
        async fn plain(session: &mut Session, base: i64) -> Result<(), Error> {
            note(session, base + 1).await?;
            note(session, base + 2).await?;
            Ok(())
        }

        /// Its first attempt fails, with a row that must not stay.
        #[with_session]
        #[retry(fixed, base = "3ms", jitter = none)]
        async fn retried(session: &mut Session, base: i64, told: Told) -> Result<(), Error> {
            let is_first = session.attempt() == 1;
            told.begins(is_first);
            note(session, base + 1).await?;
            if is_first {
                told.fails();
                return Err(transient());
            }
            note(session, base + 2).await?;
            Ok(())
        }

        #[with_session]
        async fn outer(session: &mut Session, base: i64) -> Result<(), Error> {
            note(session, base + 1).await?;
            middle(&mut *session, base).await
        }

        #[with_session]
        async fn middle(session: &mut Session, base: i64) -> Result<(), Error> {
            note(session, base + 2).await?;
            inner(&mut *session, base).await
        }

        #[with_session]
        async fn inner(session: &mut Session, base: i64) -> Result<(), Error> {
            note(session, base + 3).await?;
            Ok(())
        }

        #[with_session]
        async fn streaming(session: &mut Session, base: i64) -> Result<(), Error> {
            note(session, base + 1).await?;
            {
                let mut rows = sqlx::query("SELECT id FROM accounts").fetch(&mut *session);
                for _ in 0..3 {
                    rows.try_next().await?;
                }
            }
            note(session, base + 2).await?;
            Ok(())
        }

        #[with_session]
        async fn hooked(session: &mut Session, base: i64, told: Told) -> Result<(), Error> {
            told.watch(session);
            note(session, base + 1).await?;
            note(session, base + 2).await?;
            Ok(())
        }

        #[with_session(autocommit)]
        async fn autocommitted(session: &mut Session, base: i64) -> Result<(), Error> {
            note(session, base + 1).await?;
            note(session, base + 2).await?;
            Ok(())
        }

        const NOTE: &str = "INSERT INTO notes (id, body) VALUES ($1, $2)";

        fn insert(id: i64) -> sqlx::query::Query<'static, Db, <Db as sqlx::Database>::Arguments> {
            sqlx::query(sql(NOTE)).bind(id).bind(format!("note {id}"))
        }

        async fn run(pool: Pool, form: Form, base: i64, told: Told) -> Result<(), Error> {
            match form {
                Form::Plain => plain(&pool, base).await?,
                Form::Retry => retried(&pool, base, told).await?,
                Form::Nested => outer(&pool, base).await?,
                Form::Session => {
                    let body = async |session: &mut Session| {
                        note(session, base + 1).await?;
                        note(session, base + 2).await?;
                        Ok::<_, Error>(())
                    };
                    pool.session("cancel::session", body).await?;
                }
                Form::Begin => {
                    let mut session = pool.begin().await?;
                    note(&mut session, base + 1).await?;
                    note(&mut session, base + 2).await?;
                    session.commit().await?;
                }
                Form::Stream => streaming(&pool, base).await?,
                Form::Hooks => hooked(&pool, base, told).await?,
                Form::Autocommit => autocommitted(&pool, base).await?,
                Form::Lease => {
                    let mut lease = pool.acquire().await?;
                    let mut transaction = sqlx::Connection::begin(&mut *lease).await?;
                    insert(base + 1).execute(&mut *transaction).await?;
                    insert(base + 2).execute(&mut *transaction).await?;
                    transaction.commit().await?;
                    pool.release(lease).await?;
                }
                Form::Pool => {
                    insert(base + 1).execute(&pool).await?;
                    insert(base + 2).execute(&pool).await?;
                }
            }
            Ok(())
        }
    };
}
pub(super) use calls;
