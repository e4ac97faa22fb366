//! `kill -9` of the server while commits are under way.

each_server! {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;
    use steadfast::{Error, Outcome, retry, with_session};
    use support::private;
    use xtask::proxy::{Fault, Proxy};

    async fn enter(session: &mut Session, id: i64) -> Result<(), Error> {
        sqlx::query(sql("INSERT INTO entries (id) VALUES ($1)")).bind(id).execute(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn verified(session: &mut Session, id: i64) -> Result<u32, Error> {
        enter(session, id).await?;
        Ok(session.attempt())
    }

    async fn kill_and_restart(server: &std::sync::Arc<private::Server<Db>>) {
        let server = std::sync::Arc::clone(server);
        tokio::task::spawn_blocking(move || {
            server.kill().unwrap();
            server.restart().unwrap();
        }).await.unwrap();
    }

    #[tokio::test]
    async fn in_commit_the_restarted_server_knows() {
        let server = std::sync::Arc::new(private::start::<Db>().await);
        let place = Place::on(&server.url()).await;
        sqlx::raw_sql("CREATE TABLE entries (id BIGINT NOT NULL)").execute(&place.plain).await.unwrap();
        place.pool(1).await.install().await.unwrap();
        place.plain.close().await;
        for (id, fault, expected) in [(1, Fault::HoldAnswer, 1), (2, Fault::HoldBefore, 2)] {
            let proxy = Proxy::before(&place.url).unwrap();
            let pool = Pool::builder().primary(proxy.url()).max_connections(1).connect().await.unwrap();
            proxy.on(|sent| sent.runs("COMMIT"), fault);
            let kills = async {
                eventually("COMMIT is under way", || async { proxy.fired() == 1 }).await;
                kill_and_restart(&server).await;
                assert!(proxy.cut() > 0);
            };
            let (attempt, ()) = tokio::join!(verified(&pool, id), kills);
            assert_eq!(attempt.unwrap(), expected, "{fault:?}");
            let rows: i64 = sqlx::query_scalar(sql("SELECT count(*) FROM entries WHERE id = $1")).bind(id).fetch_one(&pool).await.unwrap();
            assert_eq!(rows, 1, "{fault:?}");
        }
    }

    #[with_session]
    #[retry(exponential, max = 10, verify_commit)]
    async fn hammered(session: &mut Session, id: i64, runs: &AtomicU64) -> Result<(), Error> {
        runs.fetch_add(1, Ordering::Relaxed);
        enter(session, id).await
    }

    const TASKS: i64 = 8;
    const KILLS: usize = 4;

    /// What was acknowledged is there, once; what was refused is not; what is in doubt is resolved.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn under_load_nothing_is_lost_and_nothing_is_done_twice() {
        let server = std::sync::Arc::new(private::start::<Db>().await);
        let place = Place::on(&server.url()).await;
        sqlx::raw_sql("CREATE TABLE entries (id BIGINT NOT NULL)").execute(&place.plain).await.unwrap();
        let pool = place.pool(TASKS as u32).await;
        pool.install().await.unwrap();
        place.plain.close().await;
        let (stop, runs) = (AtomicU64::new(0), AtomicU64::new(0));
        let work = async |task: i64| {
            let mut ended = Vec::new();
            for call in 0.. {
                if stop.load(Ordering::Relaxed) > 0 {
                    break;
                }
                let id = task * 1_000_000 + call;
                ended.push((id, hammered(&pool, id, &runs).await));
            }
            ended
        };
        let kills = async {
            for _ in 0..KILLS {
                tokio::time::sleep(Duration::from_millis(400)).await;
                kill_and_restart(&server).await;
            }
            tokio::time::sleep(Duration::from_millis(400)).await;
            stop.store(1, Ordering::Relaxed);
        };
        let all = futures_util::future::join_all((0..TASKS).map(&work));
        let (ended, ()) = tokio::join!(all, kills);
        let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM entries").fetch_all(&pool).await.unwrap();
        let (mut acknowledged, mut refused, mut doubted) = (0, 0, 0);
        for (id, result) in ended.into_iter().flatten() {
            let rows = ids.iter().filter(|&&there| there == id).count();
            let expected = match result {
                Ok(()) => {
                    acknowledged += 1;
                    1
                }
                Err(error) if error.outcome() == Outcome::Unknown => {
                    doubted += 1;
                    usize::from(error.resolve(&pool).await.unwrap() == Outcome::Committed)
                }
                Err(error) => {
                    refused += 1;
                    assert!(matches!(error.outcome(), Outcome::NotSent | Outcome::RolledBack), "{error}");
                    0
                }
            };
            assert_eq!(rows, expected, "entry {id}");
        }
        let repeated = runs.load(Ordering::Relaxed) - acknowledged - refused - doubted;
        println!("{NAME:9} | {KILLS} kills | {acknowledged} acknowledged, {refused} refused, {doubted} in doubt and resolved | {repeated} attempts repeated | 0 lost, 0 done twice");
        assert!(acknowledged > 0 && repeated > 0, "the kills were felt");
    }
}
