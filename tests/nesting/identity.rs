//! What a session says of itself, and the deadline that holds in it.

each_database! {
    use std::time::Duration;
    use steadfast::{retry, with_session, Error};
    use tokio::time::Instant;

    type Told = (u64, &'static str, u32, Option<Instant>);

    fn tell(session: &steadfast::Session<Db>) -> Told {
        (session.id(), session.operation(), session.attempt(), session.deadline())
    }

    #[with_session(timeout = "5s")]
    async fn shorter(session: &mut Session) -> Result<Told, Error> {
        Ok(tell(session))
    }

    #[with_session(timeout = "5s")]
    async fn stays(session: &mut Session) -> Result<(), Error> {
        let _ = session;
        std::future::pending().await
    }

    #[with_session(timeout = "60s")]
    async fn longer(session: &mut Session) -> Result<Told, Error> {
        Ok(tell(session))
    }

    #[with_session]
    async fn without(session: &mut Session) -> Result<Told, Error> {
        Ok(tell(session))
    }

    #[with_session(timeout = "20s", name = "the outer one")]
    #[retry(immediate, max = 2)]
    async fn outer(session: &mut Session) -> Result<[Told; 5], Error> {
        if session.attempt() == 1 {
            return Err(transient());
        }
        let before = tell(session);
        let inner = [shorter(&mut *session).await?, longer(&mut *session).await?, without(&mut *session).await?];
        let [shorter, longer, without] = inner;
        Ok([before, shorter, longer, without, tell(session)])
    }

    #[tokio::test]
    async fn an_inner_call_is_of_the_outer_ones_session() {
        let place = Place::new().await;
        let pool = place.builder(1).connect_lazy().unwrap();
        // Nothing is sent and the clock stands: a deadline is what it was asked to be.
        let clock = Clock::stop();
        let began = Instant::now();
        let [before, shorter, longer, without, after] = outer(&pool).await.unwrap();
        assert_eq!((before.1, before.2), ("the outer one", 2));
        for told in [shorter, longer, without, after] {
            assert_eq!((told.0, told.1, told.2), (before.0, before.1, before.2));
        }
        assert_eq!(before.3.unwrap() - began, Duration::from_secs(20));
        assert_eq!(shorter.3.unwrap() - began, Duration::from_secs(5));
        assert_eq!((longer.3, without.3, after.3), (before.3, before.3, before.3));
        clock.skip(Duration::from_secs(1));
        let other = self::outer(&pool).await.unwrap()[0];
        assert!(other.0 > before.0, "ids are of calls");
        assert_ne!(other.3, before.3);
        // By hand there is none, until a call brings its own.
        let mut session = pool.begin().await.unwrap();
        assert_eq!(tell(&session).3, None);
        assert!(self::shorter(&mut session).await.unwrap().3.is_some());
        assert_eq!(tell(&session).3, None, "and takes it away again");
        assert!(drop_at_poll(stays(&mut session), 1).await.is_none());
        assert_eq!(tell(&session).3, None, "dropped, too");
        assert_eq!(format!("{session:?}"), format!(
            "Session {{ operation: \"steadfast::begin\", id: {}, attempt: 1, .. }}", session.id()
        ));
    }
}
