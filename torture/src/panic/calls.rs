//! The calls themselves, in the words of each database.

/// Writes what `run` does in a module of `each_database!`. Each leaves its rows under the ids from `base + 1` on; the
/// fuse burns at each boundary of its statements.
macro_rules! calls {
    () => {
        async fn insert(
            executor: impl sqlx::Executor<'_, Database = Db>,
            id: i64,
        ) -> sqlx::Result<()> {
            sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)"))
                .bind(id)
                .bind(format!("note {id}"))
                .execute(executor)
                .await?;
            Ok(())
        }

        async fn first_then_second(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
        ) -> Result<(), Error> {
            fuse.pass(Promise::NOTHING);
            note(session, base + 1).await?;
            fuse.held().await;
            fuse.pass(Promise::NOTHING);
            note(session, base + 2).await?;
            fuse.pass(Promise::NOTHING);
            Ok(())
        }

        #[with_session]
        async fn plain(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            first_then_second(session, base, fuse).await
        }

        #[with_session]
        #[retry(immediate, max = 2)]
        async fn retried(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            if session.attempt() == 1 {
                note(session, base + 1).await?;
                fuse.pass(Promise::NOTHING);
                return Err(support::transient());
            }
            first_then_second(session, base, fuse).await
        }

        #[with_session]
        #[retry(immediate, max = 2)]
        async fn cloned(session: &mut Session, base: i64, brittle: Brittle) -> Result<(), Error> {
            note(session, base + 1).await?;
            if session.attempt() == 1 {
                return Err(support::transient());
            }
            first_then_second_again(session, base, &brittle.0).await
        }

        /// Behind the first statement.
        async fn first_then_second_again(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
        ) -> Result<(), Error> {
            fuse.held().await;
            fuse.pass(Promise::NOTHING);
            note(session, base + 2).await?;
            fuse.pass(Promise::NOTHING);
            Ok(())
        }

        #[with_session]
        async fn outer(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            note(session, base + 1).await?;
            fuse.held().await;
            fuse.pass(Promise::NOTHING);
            middle(&mut *session, base, fuse).await?;
            fuse.pass(Promise::NOTHING);
            Ok(())
        }

        #[with_session]
        async fn middle(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            fuse.pass(Promise::NOTHING);
            note(session, base + 2).await?;
            inner(&mut *session, base, fuse, Promise::NOTHING).await?;
            fuse.pass(Promise::NOTHING);
            Ok(())
        }

        #[with_session]
        async fn inner(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
            promise: Promise,
        ) -> Result<(), Error> {
            fuse.pass(promise);
            note(session, base + 3).await?;
            fuse.pass(promise);
            Ok(())
        }

        #[with_session(nested = join)]
        async fn joined(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
            promise: Promise,
        ) -> Result<(), Error> {
            fuse.pass(promise);
            note(session, base + 3).await?;
            fuse.pass(promise);
            Ok(())
        }

        #[with_session]
        async fn joins(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            note(session, base + 1).await?;
            fuse.held().await;
            joined(&mut *session, base, fuse, Promise::NOTHING).await?;
            fuse.pass(Promise::NOTHING);
            note(session, base + 2).await?;
            Ok(())
        }

        #[with_session]
        async fn catches_nested(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
        ) -> Result<(), Error> {
            note(session, base + 1).await?;
            fuse.held().await;
            let _ = AssertUnwindSafe(inner(&mut *session, base, fuse, Promise::value(&[1, 2])))
                .catch_unwind()
                .await;
            note(session, base + 2).await?;
            fuse.pass(Promise::NOTHING);
            Ok(())
        }

        #[with_session]
        async fn catches_joined(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
        ) -> Result<(), Error> {
            note(session, base + 1).await?;
            fuse.held().await;
            let _ = AssertUnwindSafe(joined(&mut *session, base, fuse, Promise::ERROR))
                .catch_unwind()
                .await;
            // Doomed by then, if it blew.
            let _ = note(session, base + 2).await;
            fuse.pass(Promise::NOTHING);
            Ok(())
        }

        async fn in_savepoint(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
            promise: Promise,
        ) -> Result<(), Error> {
            session
                .savepoint(async |session| {
                    fuse.pass(promise);
                    note(session, base + 3).await?;
                    fuse.pass(promise);
                    Ok(())
                })
                .await
        }

        #[with_session]
        async fn savepoint(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            note(session, base + 1).await?;
            fuse.held().await;
            in_savepoint(session, base, fuse, Promise::NOTHING).await?;
            note(session, base + 2).await?;
            fuse.pass(Promise::NOTHING);
            Ok(())
        }

        #[with_session]
        async fn catches_savepoint(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
        ) -> Result<(), Error> {
            note(session, base + 1).await?;
            fuse.held().await;
            let _ = AssertUnwindSafe(in_savepoint(session, base, fuse, Promise::value(&[1, 2])))
                .catch_unwind()
                .await;
            note(session, base + 2).await?;
            fuse.pass(Promise::NOTHING);
            Ok(())
        }

        async fn by_hand(pool: &Pool, base: i64, fuse: &Fuse) -> Result<(), Error> {
            let mut session = pool.begin().await?;
            first_then_second(&mut session, base, fuse).await?;
            session.commit().await?;
            fuse.pass(Promise::panic(&[1, 2]));
            Ok(())
        }

        const ROWS: &str = "SELECT id FROM accounts";

        /// Looks at each of three rows, between them.
        async fn read(
            executor: impl sqlx::Executor<'_, Database = Db>,
            fuse: &Fuse,
            promise: Promise,
        ) -> sqlx::Result<()> {
            let mut rows = sqlx::query(ROWS).fetch(executor);
            for _ in 0..3 {
                rows.try_next().await?;
                fuse.pass(promise);
            }
            Ok(())
        }

        /// The same while the stream is polled.
        async fn map(
            executor: impl sqlx::Executor<'_, Database = Db>,
            fuse: &Fuse,
            promise: Promise,
        ) -> sqlx::Result<()> {
            let mapped = sqlx::query(ROWS).map(|_: <Db as sqlx::Database>::Row| fuse.pass(promise));
            mapped.fetch_all(executor).await?;
            Ok(())
        }

        #[with_session]
        async fn reads(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            note(session, base + 1).await?;
            fuse.held().await;
            read(&mut *session, fuse, Promise::NOTHING).await?;
            note(session, base + 2).await?;
            fuse.pass(Promise::NOTHING);
            Ok(())
        }

        #[with_session]
        async fn maps(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
            catches: bool,
        ) -> Result<(), Error> {
            note(session, base + 1).await?;
            fuse.held().await;
            if catches {
                let _ = AssertUnwindSafe(map(&mut *session, fuse, Promise::truth(&[1, 2])))
                    .catch_unwind()
                    .await;
            } else {
                map(&mut *session, fuse, Promise::NOTHING).await?;
            }
            note(session, base + 2).await?;
            fuse.pass(Promise::NOTHING);
            Ok(())
        }

        #[with_session]
        async fn hooks(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
            fails: bool,
        ) -> Result<(), Error> {
            let after = if fails {
                Promise::ERROR
            } else {
                Promise::value(&[1, 2])
            };
            for is_commit in [true, false] {
                let own = fuse.clone();
                let at_once = async move { own.pass(after) };
                let own = fuse.clone();
                let later = async move {
                    tokio::task::yield_now().await;
                    own.pass(after);
                };
                let own = Sore(fuse.clone(), after);
                let dropped = async move { drop(own) };
                let own = Wordy(fuse.clone(), after);
                let answers = async move { Err::<(), _>(own) };
                if is_commit {
                    session.on_commit(at_once);
                    session.on_commit(later);
                    session.on_commit(dropped);
                    session.on_commit(answers);
                } else {
                    session.on_rollback(at_once);
                    session.on_rollback(later);
                    session.on_rollback(dropped);
                    session.on_rollback(answers);
                }
            }
            let own = fuse.clone();
            session.on_end(move |_| own.pass(after));
            let own = fuse.clone();
            session.on_end(move |_| own.hear());
            note(session, base + 1).await?;
            fuse.held().await;
            note(session, base + 2).await?;
            if fails {
                Err(support::transient())
            } else {
                Ok(())
            }
        }

        #[with_session]
        async fn local(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
            fails: bool,
        ) -> Result<(), Error> {
            let _early = Sore(fuse.clone(), Promise::NOTHING);
            note(session, base + 1).await?;
            fuse.held().await;
            {
                let _inner = Sore(fuse.clone(), Promise::NOTHING);
                note(session, base + 2).await?;
            }
            let _late = Sore(fuse.clone(), Promise::NOTHING);
            if fails {
                Err(support::transient())
            } else {
                Ok(())
            }
        }

        #[with_session(timeout = "150ms")]
        async fn timed_out(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            note(session, base + 1).await?;
            let _local = Sore(fuse.clone(), Promise::NOTHING);
            fuse.held().await;
            std::future::pending().await
        }

        #[with_session]
        async fn dropped(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            note(session, base + 1).await?;
            let _local = Sore(fuse.clone(), Promise::NOTHING);
            fuse.held().await;
            std::future::pending().await
        }

        #[with_session]
        #[db_error_handling]
        async fn fails(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Touchy> {
            note(session, base + 1).await?;
            fuse.held().await;
            insert(&mut *session, base + 1).await?;
            Ok(())
        }

        #[with_session]
        #[retry(immediate, max = 2)]
        #[db_error_handling]
        async fn fails_first(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Touchy> {
            note(session, base + 1).await?;
            fuse.held().await;
            if session.attempt() == 1 {
                Err(Touchy::transient())
            } else {
                Ok(())
            }
        }

        #[with_session]
        async fn fails_inside(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
            joins: bool,
        ) -> Result<(), Touchy> {
            note(session, base + 1).await?;
            fuse.held().await;
            let _ = if joins {
                refuses_joined(&mut *session, base).await
            } else {
                refuses(&mut *session, base).await
            };
            Ok(())
        }

        #[with_session]
        async fn refuses(session: &mut Session, base: i64) -> Result<(), Touchy> {
            note(session, base + 2).await?;
            Err(Touchy::of_the_domain())
        }

        #[with_session(nested = join)]
        async fn refuses_joined(session: &mut Session, base: i64) -> Result<(), Touchy> {
            note(session, base + 2).await?;
            Err(Touchy::transient())
        }

        /// A value that cannot be sent; its error is touchy.
        struct Unsendable;

        impl sqlx::Type<Db> for Unsendable {
            fn type_info() -> <Db as sqlx::Database>::TypeInfo {
                <i64 as sqlx::Type<Db>>::type_info()
            }
        }

        impl sqlx::Encode<'_, Db> for Unsendable {
            fn encode_by_ref(
                &self,
                _: &mut <Db as sqlx::Database>::ArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                Err(Box::new(Touchy::of_the_domain()))
            }
        }

        #[with_session]
        #[db_error_handling]
        async fn words(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            note(session, base + 1).await?;
            fuse.held().await;
            let unsendable =
                sqlx::query(sql("SELECT id FROM accounts WHERE id = $1")).bind(Unsendable);
            unsendable.execute(&mut *session).await?;
            Ok(())
        }

        #[with_session(autocommit)]
        async fn autocommitted(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
            reads: bool,
        ) -> Result<(), Error> {
            fuse.pass(Promise::NOTHING);
            note(session, base + 1).await?;
            fuse.held().await;
            fuse.pass(Promise::panic(&[1]));
            if reads {
                read(&mut *session, fuse, Promise::panic(&[1])).await?;
                map(&mut *session, fuse, Promise::panic(&[1])).await?;
            }
            note(session, base + 2).await?;
            fuse.pass(Promise::panic(&[1, 2]));
            Ok(())
        }

        /// What knows nothing of sessions.
        async fn helper<'c>(
            source: impl sqlx::Acquire<'c, Database = Db>,
            base: i64,
            fuse: &Fuse,
            kept: Promise,
        ) -> sqlx::Result<()> {
            let mut transaction = source.begin().await?;
            fuse.held().await;
            insert(&mut *transaction, base + 1).await?;
            fuse.pass(Promise::NOTHING);
            read(&mut *transaction, fuse, Promise::NOTHING).await?;
            insert(&mut *transaction, base + 2).await?;
            fuse.pass(Promise::NOTHING);
            transaction.commit().await?;
            fuse.pass(kept);
            Ok(())
        }

        #[with_session]
        async fn lends(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            helper(session.raw().await?, base, fuse, Promise::NOTHING).await?;
            Ok(())
        }

        #[with_session]
        async fn acquired(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            helper(&mut *session, base, fuse, Promise::NOTHING).await?;
            Ok(())
        }

        #[with_session]
        async fn connection(session: &mut Connection, base: i64, fuse: &Fuse) -> Result<(), Error> {
            helper(session, base, fuse, Promise::NOTHING).await?;
            Ok(())
        }

        async fn leased(pool: &Pool, base: i64, fuse: &Fuse) -> Result<(), Error> {
            let mut lease = pool.acquire().await?;
            fuse.pass(Promise::NOTHING);
            helper(&mut *lease, base, fuse, Promise::panic(&[1, 2])).await?;
            pool.release(lease).await?;
            fuse.pass(Promise::panic(&[1, 2]));
            Ok(())
        }

        async fn leased_rows(pool: &Pool, base: i64, fuse: &Fuse) -> Result<(), Error> {
            let mut lease = pool.acquire().await?;
            insert(&mut *lease, base + 1).await?;
            fuse.held().await;
            read(&mut *lease, fuse, Promise::panic(&[1])).await?;
            insert(&mut *lease, base + 2).await?;
            drop(lease);
            fuse.pass(Promise::panic(&[1, 2]));
            Ok(())
        }

        async fn on_the_pool(pool: &Pool, base: i64, fuse: &Fuse, form: Form) -> Result<(), Error> {
            fuse.pass(Promise::NOTHING);
            insert(pool, base + 1).await?;
            fuse.pass(Promise::panic(&[1]));
            match form {
                Form::PoolRows => {
                    let mut rows = sqlx::query(ROWS).fetch(pool);
                    for _ in 0..3 {
                        rows.try_next().await?;
                        fuse.held().await;
                        fuse.pass(Promise::panic(&[1]));
                    }
                }
                Form::PoolMapped => map(pool, fuse, Promise::panic(&[1])).await?,
                _ => {}
            }
            insert(pool, base + 2).await?;
            fuse.pass(Promise::panic(&[1, 2]));
            Ok(())
        }

        async fn run(pool: Pool, form: Form, base: i64, fuse: Fuse) -> Result<(), String> {
            let (pool, fuse) = (&pool, &fuse);
            let ended: Result<(), Error> = match form {
                Form::Plain | Form::AfterConnect => plain(pool, base, fuse).await,
                Form::Retry => retried(pool, base, fuse).await,
                Form::Cloned => cloned(pool, base, Brittle(fuse.clone())).await,
                Form::Nested => outer(pool, base, fuse).await,
                Form::Joined => joins(pool, base, fuse).await,
                Form::NestedCaught => catches_nested(pool, base, fuse).await,
                Form::JoinedCaught => catches_joined(pool, base, fuse).await,
                Form::Savepoint => savepoint(pool, base, fuse).await,
                Form::SavepointCaught => catches_savepoint(pool, base, fuse).await,
                Form::Closure => {
                    pool.session("panic::closure", async |session| {
                        first_then_second(session, base, fuse).await
                    })
                    .await
                }
                Form::ClosureRetried => {
                    let policy = RetryPolicy::immediate().max(2);
                    pool.operation("panic::operation")
                        .retry(policy)
                        .run(async |session| {
                            if session.attempt() == 1 {
                                note(session, base + 1).await?;
                                fuse.pass(Promise::NOTHING);
                                return Err(support::transient());
                            }
                            first_then_second(session, base, fuse).await
                        })
                        .await
                }
                Form::Begin => by_hand(pool, base, fuse).await,
                Form::Rows => reads(pool, base, fuse).await,
                Form::Mapped | Form::MappedCaught => {
                    maps(pool, base, fuse, form == Form::MappedCaught).await
                }
                Form::Hooks | Form::RollbackHooks => {
                    hooks(pool, base, fuse, form == Form::RollbackHooks).await
                }
                Form::Local | Form::LocalOfError => {
                    local(pool, base, fuse, form == Form::LocalOfError).await
                }
                Form::LocalTimedOut => timed_out(pool, base, fuse).await,
                Form::LocalDropped => {
                    let mut call = Box::pin(dropped(pool, base, fuse));
                    let _ = futures_util::future::select(&mut call, Box::pin(fuse.seen())).await;
                    drop(call);
                    return Err("it was dropped".to_owned());
                }
                Form::Error => return show(fails(pool, base, fuse).await),
                Form::ErrorRetried => return show(fails_first(pool, base, fuse).await),
                Form::ErrorOfNested | Form::ErrorOfJoined => {
                    return show(fails_inside(pool, base, fuse, form == Form::ErrorOfJoined).await);
                }
                Form::Words => words(pool, base, fuse).await,
                Form::Autocommit | Form::AutocommitRows => {
                    autocommitted(pool, base, fuse, form == Form::AutocommitRows).await
                }
                Form::Lent => lends(pool, base, fuse).await,
                Form::Acquired => acquired(pool, base, fuse).await,
                Form::Connection => connection(pool, base, fuse).await,
                Form::Lease => leased(pool, base, fuse).await,
                Form::LeaseRows => leased_rows(pool, base, fuse).await,
                Form::Pool | Form::PoolRows | Form::PoolMapped => {
                    on_the_pool(pool, base, fuse, form).await
                }
            };
            show(ended)
        }

        /// As a caller's log does.
        fn show<E: std::fmt::Display + std::fmt::Debug>(
            ended: Result<(), E>,
        ) -> Result<(), String> {
            ended.map_err(|error| format!("{error}: {error:?}"))
        }
    };
}
pub(super) use calls;
