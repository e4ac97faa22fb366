//! Statements in no session's transaction, and connections that are lent or taken.

macro_rules! connections {
    () => {
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
    };
}
pub(in crate::panic) use connections;
