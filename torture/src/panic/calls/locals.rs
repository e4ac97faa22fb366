//! What a body drops at its end, or is dropped with.

macro_rules! locals {
    () => {
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
            let _local = Sore(fuse.clone(), Promise::NOTHING);
            note(session, base + 1).await?;
            fuse.held().await;
            std::future::pending().await
        }

        #[with_session]
        async fn dropped(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            let _local = Sore(fuse.clone(), Promise::NOTHING);
            note(session, base + 1).await?;
            fuse.held().await;
            std::future::pending().await
        }
    };
}
pub(in crate::panic) use locals;
