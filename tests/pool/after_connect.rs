//! What the user has run on each new connection, and what stands behind it.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

each_database! {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use futures_util::future::join_all;
    use sqlx::Executor as _;
    use steadfast::{Category, Phase};

    #[tokio::test]
    async fn after_connect_runs_once_on_each_connection() {
        let place = Place::new().await;
        let calls = Arc::new(AtomicU64::new(0));
        let pool = place.builder(3).after_connect({
            let calls = calls.clone();
            move |connection| {
                let calls = calls.clone();
                Box::pin(async move {
                    calls.fetch_add(1, SeqCst);
                    sqlx::query("SELECT 1").execute(connection).await?;
                    Ok(())
                })
            }
        }).connect().await.unwrap();
        for _ in 0..2 {
            pool.execute("SELECT 1").await.unwrap();
        }
        assert_eq!((calls.load(SeqCst), pool.stats().opened), (1, 1));
        let leases = join_all((0..3).map(|_| pool.acquire())).await;
        assert!(leases.iter().all(Result::is_ok));
        assert_eq!((calls.load(SeqCst), pool.stats().opened), (3, 3));

        let error = place.builder(1).after_connect(|connection| Box::pin(async move {
            sqlx::query("SELECT * FROM nowhere").execute(connection).await?;
            Ok(())
        })).connect().await.unwrap_err();
        assert_eq!((error.category(), error.phase()), (Category::Programming, Phase::Acquire));
        assert!(error.to_string().contains("nowhere"), "{error}");
    }

    /// It would take in what the next users are told to be committed.
    #[tokio::test]
    async fn a_transaction_that_after_connect_leaves_open_fails_the_connection() {
        let place = Place::new().await;
        let raw = place.builder(1).after_connect(|connection| Box::pin(async move {
            sqlx::raw_sql("BEGIN").execute(&mut *connection).await?;
            sqlx::raw_sql("UPDATE accounts SET cents = 0 WHERE id = 1").execute(connection).await?;
            Ok(())
        }));
        let forgotten = place.builder(1).after_connect(|connection| Box::pin(async move {
            let mut transaction = sqlx::Connection::begin(connection).await?;
            sqlx::raw_sql("UPDATE accounts SET cents = 0 WHERE id = 1").execute(&mut *transaction).await?;
            std::mem::forget(transaction);
            Ok(())
        }));
        let failed = place.builder(1).after_connect(|connection| Box::pin(async move {
            sqlx::raw_sql("BEGIN").execute(&mut *connection).await?;
            let _ = sqlx::raw_sql("SELECT * FROM nowhere").execute(connection).await;
            Ok(())
        }));
        for builder in [raw, forgotten, failed] {
            let error = builder.connect().await.unwrap_err();
            assert_eq!((error.category(), error.phase()), (Category::Programming, Phase::Acquire), "{error}");
            assert!(error.to_string().contains("`after_connect` has left a transaction open"), "{error}");
        }
        assert_eq!(place.cents(1).await, 1000);
        assert_eq!(place.open_transactions().await, 0);
        // One that is dropped is rolled back, and one that is committed stays.
        let pool = place.builder(1).after_connect(|connection| Box::pin(async move {
            let mut transaction = sqlx::Connection::begin(&mut *connection).await?;
            sqlx::raw_sql("UPDATE accounts SET cents = 0 WHERE id = 1").execute(&mut *transaction).await?;
            drop(transaction);
            let mut transaction = sqlx::Connection::begin(connection).await?;
            sqlx::raw_sql("UPDATE accounts SET cents = 7 WHERE id = 2").execute(&mut *transaction).await?;
            transaction.commit().await
        })).connect().await.unwrap();
        pool.execute("SELECT 1").await.unwrap();
        assert_eq!((place.cents(1).await, place.cents(2).await), (1000, 7));
    }
}

mod of_servers {
    each_server! {
        use std::sync::Arc;
        use std::time::Duration;
        use futures_util::future::join;
        use sqlx::Executor as _;
        use tokio::runtime::Runtime;
        use tokio::sync::{Notify, watch};
        use super::super::narrow;

        const SETTING: &str = match NAME.as_bytes() {
            b"postgres" => "SET work_mem = '1MB'",
            _ => "SET SESSION sort_buffer_size = 1000000",
        };

        /// Blocked by whoever has written to the row before: MariaDB does not look whether its client is still there.
        const WRITE: &str = "UPDATE accounts SET cents = 0 WHERE id = 1";

        #[derive(Clone, Copy, PartialEq, Eq)]
        enum Ends {
            ByItself,
            /// With the server's words, which are about another connection.
            RefusedElsewhere,
            WithThePoolsPatience,
            /// Its caller goes away, outside of the runtime.
            Outside,
        }

        fn is_ended_on_the_server(how: Ends) {
            let runtime = Runtime::new().unwrap();
            let place = runtime.block_on(Place::new());
            let mut lock = runtime.block_on(place.plain.begin()).unwrap();
            runtime.block_on(lock.execute(WRITE)).unwrap();
            let (begins, mut begun) = watch::channel(0_i64);
            let seen = Arc::new(Notify::new());
            let (other, noticed) = (place.plain.clone(), Arc::clone(&seen));
            let builder = place.builder(1).acquire_timeout(Duration::from_secs(2));
            let builder = builder.after_connect(move |connection| {
                let (begins, noticed, other) = (begins.clone(), Arc::clone(&noticed), other.clone());
                Box::pin(async move {
                    let id = sqlx::query_scalar(WHICH).fetch_one(&mut *connection).await?;
                    begins.send_replace(id);
                    tokio::select! {
                        written = connection.execute(WRITE) => written.map(drop),
                        () = noticed.notified() => match how {
                            Ends::RefusedElsewhere => other.execute("SELECT * FROM nowhere").await.map(drop),
                            _ => Err(sqlx::Error::PoolTimedOut),
                        },
                    }
                })
            });
            let pool = builder.connect_lazy().unwrap();
            let blocked = async {
                let id = *begun.wait_for(|id| *id != 0).await.unwrap();
                is_blocked(&place.plain, id).await;
                if matches!(how, Ends::ByItself | Ends::RefusedElsewhere) {
                    seen.notify_one();
                }
            };
            let mut call = Box::pin(pool.acquire());
            if how == Ends::Outside {
                runtime.block_on(async {
                    tokio::select! {
                        _ = &mut call => unreachable!("it is blocked"),
                        () = blocked => {}
                    }
                });
                drop(call);
            } else {
                runtime.block_on(join(call, blocked)).0.unwrap_err();
            }
            runtime.block_on(async move {
                eventually("the control connection is left", || async { place.connections().await == 1 }).await;
                lock.rollback().await.unwrap();
            });
        }

        #[test]
        fn a_statement_that_it_gives_up_is_ended_on_the_server() {
            is_ended_on_the_server(Ends::ByItself);
        }

        #[test]
        fn so_is_one_that_it_gives_up_for_what_another_connection_was_refused() {
            is_ended_on_the_server(Ends::RefusedElsewhere);
        }

        #[test]
        fn so_is_one_that_takes_too_long() {
            is_ended_on_the_server(Ends::WithThePoolsPatience);
        }

        #[test]
        fn so_is_one_whose_caller_goes_away_outside_of_the_runtime() {
            is_ended_on_the_server(Ends::Outside);
        }

        /// What stands before a server (a pooler, a proxy) may keep the control connection waiting for good.
        #[tokio::test]
        async fn a_pool_without_its_control_connection_serves() {
            let place = Place::new().await;
            let way = narrow(&place.url).await;
            let pool = Pool::builder()
                .primary(way)
                .max_connections(1)
                .after_connect(|connection| Box::pin(async move { connection.execute("SELECT 1").await.map(drop) }))
                .connect_lazy()
                .unwrap();
            for opened in 1..=3 {
                pool.execute("SELECT 1").await.unwrap();
                assert_eq!((pool.stats().opened, place.connections().await), (opened, 1));
                // Its place is free then, and the next connection's.
                let closes_it = pool.session("after_connect::sets", async |session: &mut Session| {
                    Ok::<_, steadfast::Error>(session.execute(SETTING).await.map(drop)?)
                });
                closes_it.await.unwrap();
            }
        }
    }
}

/// A way to a server which lets one connection through at a time, and keeps the others waiting.
async fn narrow(url: &str) -> String {
    let (start, database) = url.rsplit_once('/').unwrap();
    let (login, server) = start.rsplit_once('@').unwrap();
    let server = server.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(&server).await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut server).await;
        }
    });
    format!("{login}@127.0.0.1:{port}/{database}")
}

/// A pool of one, on whose connection this has run.
async fn behind<DB: steadfast::Backend>(
    builder: steadfast::PoolBuilder<DB>,
    text: String,
) -> steadfast::SessionPool<DB>
where
    for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
{
    let builder = builder.after_connect(move |connection| {
        let text = sqlx::raw_sql(sqlx::AssertSqlSafe(text.clone()));
        Box::pin(async move { sqlx::Executor::execute(connection, text).await.map(drop) })
    });
    builder.connect().await.unwrap()
}

mod of_postgres {
    use sqlx::{AssertSqlSafe, Executor as _};
    use steadfast::{Category, PgSessionPool, Phase};

    use super::behind;
    use crate::support::postgres::Place;
    use crate::support::private;

    #[tokio::test]
    async fn what_keeps_a_connection_from_introducing_itself_is_told() {
        let server = private::start::<sqlx::Postgres>().await;
        let (url, user) = (server.url(), server.user_url());
        let (admin, _) = url.rsplit_once('/').unwrap();
        let (_, database) = user.rsplit_once('/').unwrap();
        let plain = sqlx::PgPool::connect(&format!("{admin}/{database}"))
            .await
            .unwrap();
        let revoke = "REVOKE EXECUTE ON FUNCTION pg_stat_get_activity(int) FROM PUBLIC";
        plain.execute(revoke).await.unwrap();
        let error = PgSessionPool::connect(&user).await.unwrap_err();
        assert_eq!(
            (error.category(), error.phase()),
            (Category::Access, Phase::Acquire),
            "{error}"
        );
        assert!(error.to_string().contains("permission denied"), "{error}");
    }

    /// The one whom it takes, and the role whose work that one does.
    #[tokio::test]
    async fn another_user_and_his_role_stand() {
        let place = Place::new().await;
        let (other, role) = (
            format!("{}_other", place.name),
            format!("{}_role", place.name),
        );
        let made = format!("CREATE ROLE {other}; CREATE ROLE {role}; GRANT {role} TO {other}");
        place.plain.execute(AssertSqlSafe(made)).await.unwrap();
        let taken = format!("SET SESSION AUTHORIZATION {other}; SET ROLE {role}");
        let pool = behind(place.builder(1), taken).await;
        let who = "SELECT session_user::text, current_user::text";
        for _ in 0..2 {
            let seen: (String, String) = sqlx::query_as(who).fetch_one(&pool).await.unwrap();
            assert_eq!(seen, (other.clone(), role.clone()));
            // Behind somebody who has had it to himself too.
            let mut lease = pool.acquire().await.unwrap();
            lease.execute("RESET ROLE").await.unwrap();
            pool.release(lease).await.unwrap();
        }
        pool.close().await;
        let gone = format!("DROP ROLE {role}; DROP ROLE {other}");
        place.plain.execute(AssertSqlSafe(gone)).await.unwrap();
    }
}

mod of_mysql {
    use std::time::Duration;

    use sqlx::Executor as _;
    use steadfast::{Category, Error, with_session};

    use super::behind;
    use crate::support::mysql::{Place, SLOW, Session};
    use crate::support::{drop_when, private, quiet};

    /// With `autocommit` off a statement that only reads begins a transaction.
    #[tokio::test]
    async fn it_may_meet_a_server_with_autocommit_off() {
        let server = private::start_with::<sqlx::MySql>(&[("autocommit", "0")]).await;
        let place = Place::on(&server.url()).await;
        place.plain.close().await;
        let pool = place
            .builder(1)
            .after_connect(|connection| {
                Box::pin(async move {
                    connection.fetch_all("SELECT * FROM accounts").await?;
                    Ok(())
                })
            })
            .connect()
            .await
            .unwrap();
        let update = "UPDATE accounts SET cents = 7 WHERE id = 1";
        pool.execute(update).await.unwrap();
        let cents: i64 = sqlx::query_scalar("SELECT cents FROM accounts WHERE id = 1")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(cents, 7);
    }

    #[tokio::test]
    async fn what_it_leaves_open_with_autocommit_off_is_not_committed() {
        let place = Place::new().await;
        let builder = place.builder(1).after_connect(|connection| {
            Box::pin(async move {
                connection.execute("SET autocommit = 0").await?;
                connection
                    .execute("UPDATE accounts SET cents = 7 WHERE id = 1")
                    .await?;
                Ok(())
            })
        });
        let error = builder.connect().await.unwrap_err();
        assert_eq!(error.category(), Category::Programming, "{error}");
        assert!(
            error.to_string().contains("has left a transaction open"),
            "{error}"
        );
        assert_eq!(
            (place.cents(1).await, place.open_transactions().await),
            (1000, 0)
        );
    }

    #[with_session]
    async fn waits(session: &mut Session) -> Result<(), Error> {
        session.execute(SLOW).await?;
        Ok(())
    }

    /// Whatever it has made of what a server is known by.
    #[tokio::test]
    async fn a_dropped_statement_is_cancelled_behind_it() {
        let place = Place::new().await;
        for setting in [
            "timestamp = 1000000000",
            "sql_select_limit = 1",
            "pseudo_thread_id = 1",
        ] {
            let set = format!("SET {setting}");
            let pool = behind(place.builder(1), set).await;
            drop_when(place.slow_is_running(), waits(&pool)).await;
            quiet(&pool).await;
            assert!(!place.runs_slow().await, "{setting}");
            pool.execute("DO 1").await.unwrap();
            assert_eq!(pool.stats().opened, 1, "{setting}");
        }
    }

    /// Text of theirs is not asked for in its character set, nor from a table.
    #[tokio::test]
    async fn limits_stand_whatever_else_it_sets() {
        let place = Place::new().await;
        for set in [
            "character_set_results = NULL, collation_connection = ucs2_bin",
            "NAMES binary",
            "max_join_size = 1",
        ] {
            let set =
                format!("SET {set}; SET innodb_lock_wait_timeout = 7, max_statement_time = 9");
            let pool = behind(place.builder(1), set).await;
            let limits = "SELECT @@innodb_lock_wait_timeout, CAST(@@max_statement_time AS DOUBLE)";
            for limit in [1, 2] {
                let limit = Duration::from_secs(limit);
                let operation = pool.operation("after_connect::limits").lock_timeout(limit);
                let limited =
                    operation
                        .statement_timeout(limit)
                        .run(async |session: &mut Session| {
                            Ok::<(u64, f64), Error>(
                                sqlx::query_as(limits).fetch_one(&mut *session).await?,
                            )
                        });
                let seconds = limit.as_secs();
                assert_eq!(limited.await.unwrap(), (seconds, seconds as f64));
            }
            let stands: (u64, f64) = pool
                .session("after_connect::stands", async |session: &mut Session| {
                    Ok::<_, Error>(sqlx::query_as(limits).fetch_one(&mut *session).await?)
                })
                .await
                .unwrap();
            assert_eq!(stands, (7, 9.0));
        }
    }
}
