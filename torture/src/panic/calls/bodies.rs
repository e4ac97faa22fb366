//! The form that all others are variations of, and those that share its body.

macro_rules! bodies {
    () => {
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

        async fn by_hand(pool: &Pool, base: i64, fuse: &Fuse) -> Result<(), Error> {
            let mut session = pool.begin().await?;
            first_then_second(&mut session, base, fuse).await?;
            session.commit().await?;
            fuse.pass(Promise::panic(&[1, 2]));
            Ok(())
        }
    };
}
pub(in crate::panic) use bodies;
