//! Calls within calls, and savepoints.

macro_rules! nesting {
    () => {
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
    };
}
pub(in crate::panic) use nesting;
