//! Hooks of either end, which panic in every way that they can.

macro_rules! hooks {
    () => {
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
    };
}
pub(in crate::panic) use hooks;
