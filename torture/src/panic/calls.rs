//! The calls themselves, in the words of each database.

mod bodies;
mod connections;
mod errors;
mod hooks;
mod locals;
mod nesting;
mod rows;

pub(super) use bodies::bodies;
pub(super) use connections::connections;
pub(super) use errors::errors;
pub(super) use hooks::hooks;
pub(super) use locals::locals;
pub(super) use nesting::nesting;
pub(super) use rows::rows;

/// Writes `run` and what it calls in a module of `each_database!`. Each call leaves its rows under the ids from
/// `base + 1` on; the fuse burns at each boundary of its statements.
macro_rules! calls {
    () => {
        $crate::panic::calls::bodies!();
        $crate::panic::calls::connections!();
        $crate::panic::calls::errors!();
        $crate::panic::calls::hooks!();
        $crate::panic::calls::locals!();
        $crate::panic::calls::nesting!();
        $crate::panic::calls::rows!();

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
