//! Streams: between their rows, and within their polls.

macro_rules! rows {
    () => {
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
    };
}
pub(in crate::panic) use rows;
