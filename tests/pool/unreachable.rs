//! Servers that are full, gone, silent or unfriendly.

each_server! {
    use std::time::Duration;
    use tokio::time::Instant;
    use sqlx::Connection as _;
    use steadfast::{with_session, Category, Error, Outcome, Phase};
    use crate::support::private;

    #[with_session]
    async fn which(session: &mut Session) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?)
    }

    #[tokio::test]
    async fn a_host_that_refuses_is_told_within_the_acquire_timeout() {
        // Nothing listens on a port that was just given back.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("{NAME}://nobody@127.0.0.1:{port}/nowhere");
        // It refuses at once: all that passes is the pauses between the tries.
        let clock = Clock::stop();
        clock.leap();
        let began = Instant::now();
        let error = Pool::builder().primary(&url).acquire_timeout(Duration::from_millis(300)).connect().await.unwrap_err();
        assert!(began.elapsed() < about(300).end, "{:?}", began.elapsed());
        drop(clock);
        assert_eq!((error.category(), error.phase()), (Category::Connection, Phase::Acquire));
        assert!(error.is_retryable());
        assert!(error.to_string().contains("see that the server runs"), "{error}");

        let pool = Pool::builder().primary(&url).acquire_timeout(Duration::from_millis(100)).connect_lazy().unwrap();
        let error = which(&pool).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Connection, Outcome::NotSent));
    }

    #[tokio::test]
    async fn a_host_that_says_nothing_is_given_up_in_time() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{NAME}://nobody@{}/nowhere", listener.local_addr().unwrap());
        let silent = tokio::spawn(async move {
            let mut kept = Vec::new();
            loop {
                kept.push(listener.accept().await.unwrap());
            }
        });
        let clock = Clock::stop();
        clock.leap();
        let began = Instant::now();
        let error = Pool::builder().primary(&url).acquire_timeout(Duration::from_millis(300)).connect().await.unwrap_err();
        assert!(about(300).contains(&began.elapsed()), "{:?}", began.elapsed());
        drop(clock);
        assert!(error.is_retryable(), "{error:?}");
        assert!(matches!(error.category(), Category::Connection | Category::Capacity), "{error:?}");
        assert_eq!(error.phase(), Phase::Acquire);
        let text = error.to_string();
        assert!(!text.contains("0 of 10 in use"), "no connection came to be, and that is no lack of slots: {text}");
        silent.abort();
    }

    #[tokio::test]
    async fn a_server_that_is_away_for_a_moment_is_waited_for() {
        let place = Place::new().await;
        let proxy = xtask::proxy::Proxy::before(&place.url).unwrap();
        proxy.hold();
        let connecting = tokio::spawn({
            let url = proxy.url();
            async move { Pool::connect(url).await }
        });
        for tries in 1..=2 {
            eventually("it tries again", || async { proxy.reports().len() == tries }).await;
            proxy.cut();
        }
        assert!(!connecting.is_finished());
        proxy.resume();
        let pool = connecting.await.unwrap().unwrap();
        which(&pool).await.unwrap();
    }

    /// Ordinary users of PostgreSQL get what the superuser's reserve leaves.
    const SMALL: &[(&str, &str)] = &[("max_connections", if NAME.len() == 8 { "8" } else { "10" })];

    #[tokio::test]
    async fn a_server_that_refuses_says_why() {
        let server = private::start_with::<Db>(SMALL).await;
        let url = server.user_url();

        let clock = Clock::stop();
        let began = Instant::now();
        let error = Pool::connect(url.replacen("steadfast:steadfast", "steadfast:guessed", 1)).await.unwrap_err();
        assert_eq!((error.category(), error.phase()), (Category::Access, Phase::Acquire), "{error:?}");
        assert!(!error.is_retryable());
        assert!(error.to_string().contains("password"), "{error}");
        let missing = format!("{}/missing", url.rsplit_once('/').unwrap().0);
        let error = Pool::connect(missing).await.unwrap_err();
        assert!(matches!(error.category(), Category::Programming | Category::Access), "{error:?}");
        assert!(error.to_string().contains("missing"), "{error}");
        assert!(!error.is_retryable());
        assert_eq!(began.elapsed(), Duration::ZERO, "neither is tried again, for that follows a pause");
        drop(clock);

        let mut others = Vec::new();
        let refused = loop {
            match Connection::connect(&url).await {
                Ok(other) => others.push(other),
                Err(refused) => break refused,
            }
            assert!(others.len() < 20);
        };
        assert!(refused.as_database_error().is_some(), "the server is full: {refused}");
        let proxy = xtask::proxy::Proxy::before(&url).unwrap();
        let was_refused = |after: usize| proxy.reports().iter().skip(after).any(|connection| !connection.open);
        let clock = Clock::stop();
        let began = Instant::now();
        let connecting = Pool::builder().primary(proxy.url()).acquire_timeout(Duration::from_millis(400)).connect();
        let is_refused = async {
            clock.eventually("it was refused", || async { was_refused(0) }).await;
            clock.leap();
        };
        let error = tokio::join!(connecting, is_refused).0.unwrap_err();
        assert_eq!((error.category(), error.phase()), (Category::Capacity, Phase::Acquire), "{error:?}");
        assert!(error.is_retryable());
        let took = began.elapsed();
        assert!((about(100).start..about(400).end).contains(&took), "it was tried again: {took:?}");
        drop(clock);

        let before = proxy.reports().len();
        let waiting = tokio::spawn({
            let url = proxy.url();
            async move { Pool::builder().primary(&url).acquire_timeout(Duration::from_secs(20)).connect().await }
        });
        eventually("it was refused", || async { was_refused(before) }).await;
        assert!(!waiting.is_finished());
        let other: Connection = others.pop().unwrap();
        other.close().await.unwrap();
        let pool = waiting.await.unwrap().unwrap();
        // A full server has no room for a control connection either, and that is no reason to fail.
        which(&pool).await.unwrap();
    }
}
