//! The runtime shuts down while the server has the last word: the record says that nobody knows, and not that
//! nothing was sent.

each_server! {
    use steadfast::{with_session, Error};
    use support::logs;
    use tokio::runtime::{Builder, Runtime};
    use xtask::proxy::{Fault, Proxy};

    fn single() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    async fn behind(proxy: &Proxy) -> Pool {
        Pool::builder().primary(proxy.url()).max_connections(1).connect().await.unwrap()
    }

    async fn struck(proxy: &Proxy, times: u64) {
        eventually("the answer is held back", || async { proxy.fired() == times }).await;
    }

    #[with_session]
    async fn commits(session: &mut Session) -> Result<(), Error> {
        sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'one')").execute(&mut *session).await?;
        Ok(())
    }

    #[test]
    fn during_commit_the_outcome_is_unknown() {
        let (logs, _capture) = logs::capture();
        let looker = single();
        let place = looker.block_on(Place::new());
        let proxy = Proxy::before(&place.url).unwrap();
        let runtime = single();
        let pool = runtime.block_on(async {
            let pool = behind(&proxy).await;
            proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldAnswer);
            tokio::spawn({
                let pool = pool.clone();
                async move { commits(&pool).await }
            });
            struck(&proxy, 1).await;
            pool
        });
        assert_eq!(looker.block_on(place.count("notes")), 1, "it was applied");
        drop(runtime);
        assert_quiet(&pool);
        let operation = concat!(module_path!(), "::commits");
        let stats = stats(operation);
        assert_eq!((stats.unknown, stats.not_sent, stats.cancelled), (1, 0, 1), "{stats:?}");
        let [record] = &logs.events("steadfast::record", "operation", operation)[..] else {
            panic!("one record: {}", logs.text())
        };
        assert_eq!(record.field("outcome"), Some("unknown"), "{record:?}");
    }

    #[test]
    fn during_a_statement_on_the_pool_the_outcome_is_unknown() {
        let looker = single();
        let place = looker.block_on(Place::new());
        for (id, prepared) in [(1, false), (2, true)] {
            let (logs, _capture) = logs::capture();
            let proxy = Proxy::before(&place.url).unwrap();
            let runtime = single();
            let pool = runtime.block_on(async {
                let pool = behind(&proxy).await;
                proxy.on(|sent| sent.runs("INSERT"), Fault::HoldAnswer);
                tokio::spawn({
                    let pool = pool.clone();
                    async move {
                        if prepared {
                            let insert = sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, 'prepared')"));
                            insert.bind(id).execute(&pool).await
                        } else {
                            sqlx::raw_sql("INSERT INTO notes (id, body) VALUES (1, 'text')").execute(&pool).await
                        }
                    }
                });
                struck(&proxy, 1).await;
                pool
            });
            assert_eq!(looker.block_on(place.count("notes")), id, "it was applied");
            drop(runtime);
            assert_quiet(&pool);
            let [record] = &logs.events("steadfast::record", "operation", "steadfast::autocommit")[..] else {
                panic!("one record: {}", logs.text())
            };
            assert_eq!(record.field("outcome"), Some("unknown"), "prepared {prepared}: {record:?}");
        }
    }
}
