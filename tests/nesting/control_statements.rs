//! A control statement that an inner call was waiting for is the session's: whoever uses it next reads it to its
//! end.

each_server! {
    use steadfast::{with_session, Error};
    use xtask::proxy::{Fault, Proxy};

    #[with_session]
    async fn inner(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        Ok(())
    }

    #[with_session]
    async fn outer(session: &mut Session, proxy: &Proxy, fault: Fault) -> Result<(), Error> {
        note(session, 1).await?;
        let fired = proxy.fired();
        proxy.on(|sent| sent.runs("SAVEPOINT steadfast_1"), fault);
        drop_when(eventually("SAVEPOINT is held", || async { proxy.fired() > fired }), inner(&mut *session, 2)).await;
        proxy.resume();
        inner(&mut *session, 3).await?;
        inner(&mut *session, 4).await?;
        Ok(())
    }

    #[tokio::test]
    async fn dropped_in_savepoint_the_session_goes_on() {
        for fault in [Fault::HoldBefore, Fault::HoldAnswer] {
            let place = Place::new().await;
            let (proxy, pool) = place.behind_proxy(1).await;
            outer(&pool, &proxy, fault).await.unwrap();
            assert_quiet(&pool);
            let notes: Vec<i64> =
                sqlx::query_scalar("SELECT id FROM notes ORDER BY id").fetch_all(&place.plain).await.unwrap();
            assert_eq!(notes, [1, 3, 4]);
            assert_eq!((proxy.fired(), pool.stats().opened), (1, 1));
        }
    }
}
