//! A server that lets `steadfast` in over TLS alone, and keeps a record of whom it has let in.

/// What a server is called here.
pub const HERE: &str = "DNS:localhost,IP:127.0.0.1";

/// Run by MariaDB for each connection of `steadfast`, ahead of what that asks.
pub const RECORD: &str = "INSERT INTO steadfast.entered VALUES (CONNECTION_ID())";

/// What is checked of a server.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    Nothing,
    Authority,
    AuthorityAndName,
}

/// To be used inside `each_server!`. A macro, because its connections are of the one database.
macro_rules! ground {
    () => {
        use std::path::PathBuf;
        use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
        use std::time::Duration;
        use steadfast::{Error, with_session};
        use tokio::time::Instant;
        use xtask::proxy::{Proxy, Report};
        use xtask::servers::Authority;
        use $crate::tls::ground::{Check, HERE, RECORD};

        type Server = <Db as support::private::Private>::Server;

        #[derive(Debug)]
        struct Ground {
            server: Server,
            authority: Authority,
            /// The superuser's, unencrypted, to look at what happened.
            plain: Plain,
            /// What `steadfast` must show of itself.
            client: Option<[PathBuf; 2]>,
            /// Handshakes that MariaDB has done under former certificates; with a new one it counts anew.
            shaken: AtomicUsize,
        }

        /// One value for each database.
        fn on<T>(postgres: T, mysql: T) -> T {
            if NAME == "postgres" { postgres } else { mysql }
        }

        async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
            tokio::task::spawn_blocking(work).await.unwrap()
        }

        /// The answer of a call, and how long it took by a clock that goes slower on a busy machine.
        async fn in_its_own_time<F: Future>(call: F) -> (F::Output, Duration) {
            let clock = Clock::stop();
            let began = Instant::now();
            tokio::select! {
                answer = call => (answer, began.elapsed()),
                never = clock.crawl() => never,
            }
        }

        /// Without a unique key: what is applied twice is there twice.
        async fn enter(session: &mut Session) -> sqlx::Result<()> {
            sqlx::query("INSERT INTO entries (id) VALUES (1)").execute(&mut *session).await?;
            Ok(())
        }

        #[with_session]
        async fn look(session: &mut Session) -> Result<i64, Error> {
            Ok(sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?)
        }

        #[with_session]
        async fn waits(session: &mut Session) -> Result<(), Error> {
            enter(session).await?;
            sqlx::query(SLOW).execute(&mut *session).await?;
            Ok(())
        }

        impl Ground {
            async fn new() -> Self {
                Self::start(false).await
            }

            async fn start(wants_certificates: bool) -> Self {
                let (server, authority, client) = blocking(move || {
                    let authority = Authority::create().unwrap();
                    let identity = authority.certify(HERE).unwrap();
                    let (record, how) = on(("log_connections", "on"), ("init-connect", RECORD));
                    let builder = Server::builder().fsync(false).setting(record, how).tls(&identity);
                    let (builder, client) = if wants_certificates {
                        (builder.clients_of(&authority), Some(authority.client().unwrap()))
                    } else {
                        (builder, None)
                    };
                    (builder.start().unwrap(), authority, client)
                })
                .await;
                let unencrypted = on("sslmode=disable", "ssl-mode=DISABLED");
                let plain = format!("{}?{unencrypted}", server.url_of("steadfast"));
                let plain = Plain::connect(&plain).await.unwrap();
                sqlx::raw_sql(on(
                    "CREATE TABLE entries (id BIGINT NOT NULL); GRANT ALL ON entries TO steadfast",
                    "CREATE TABLE entries (id BIGINT NOT NULL); CREATE TABLE entered (id BIGINT NOT NULL)",
                ))
                .execute(&plain)
                .await
                .unwrap();
                if client.is_some() && NAME == "mysql" {
                    let alter = "ALTER USER steadfast REQUIRE X509";
                    sqlx::raw_sql(alter).execute(&plain).await.unwrap();
                }
                Self { server, authority, plain, client, shaken: AtomicUsize::new(0) }
            }

            /// Where `steadfast` connects, unencrypted if need be.
            fn url(&self, asked: &str) -> String {
                format!("{}?{asked}", self.server.user_url())
            }

            fn checking(&self, check: Check, trusted: &Authority) -> String {
                let mode = match check {
                    Check::Nothing => on("require", "REQUIRED"),
                    Check::Authority => on("verify-ca", "VERIFY_CA"),
                    Check::AuthorityAndName => on("verify-full", "VERIFY_IDENTITY"),
                };
                let certificate = trusted.certificate();
                let certificate = certificate.display();
                self.url(&on(
                    format!("sslmode={mode}&sslrootcert={certificate}"),
                    format!("ssl-mode={mode}&ssl-ca={certificate}"),
                ))
            }

            /// And shows what `steadfast` has to show.
            fn checking_all(&self) -> String {
                let url = self.checking(Check::AuthorityAndName, &self.authority);
                let Some([certificate, key]) = &self.client else { return url };
                let (certificate, key) = (certificate.display(), key.display());
                let shows = on(
                    format!("sslcert={certificate}&sslkey={key}"),
                    format!("ssl-cert={certificate}&ssl-key={key}"),
                );
                format!("{url}&{shows}")
            }

            /// All that `steadfast` was let in with, by the server's id, and whether it was encrypted.
            async fn entered(&self) -> Vec<(i64, bool)> {
                if NAME == "mysql" {
                    let entered = "SELECT id FROM entered";
                    let entered: Vec<i64> = sqlx::query_scalar(entered).fetch_all(&self.plain).await.unwrap();
                    // Nobody else comes over TLS, and whoever is in the record has shaken hands before.
                    let encrypted = self.shaken.load(Relaxed) + self.handshakes().await >= entered.len();
                    return entered.into_iter().map(|id| (id, encrypted)).collect();
                }
                let log = self.server.log();
                log.lines()
                    .filter(|line| line.contains("connection authorized: user=steadfast"))
                    .map(|line| {
                        let (_, behind) = line.split_once('[').unwrap();
                        let (id, _) = behind.split_once(']').unwrap();
                        (id.parse().unwrap(), line.contains("SSL enabled"))
                    })
                    .collect()
            }

            async fn handshakes(&self) -> usize {
                let (_, done): (String, String) = sqlx::query_as("SHOW GLOBAL STATUS LIKE 'Ssl_finished_accepts'")
                    .fetch_one(&self.plain)
                    .await
                    .unwrap();
                done.parse().unwrap()
            }

            /// What `steadfast` has open.
            async fn open(&self) -> Vec<i64> {
                sqlx::query_scalar(on(
                    "SELECT pid::bigint FROM pg_stat_activity WHERE usename = 'steadfast'",
                    "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE user = 'steadfast'",
                ))
                .fetch_all(&self.plain)
                .await
                .unwrap()
            }

            /// How many connections it has let in: all encrypted, and nobody came in beside the record.
            async fn let_in(&self) -> usize {
                let (open, entered) = (self.open().await, self.entered().await);
                assert!(entered.iter().all(|(_, encrypted)| *encrypted), "{entered:?}");
                assert!(open.iter().all(|id| entered.contains(&(*id, true))), "{open:?} {entered:?}");
                entered.len()
            }

            /// Waits until it has let in so many.
            async fn has_let_in(&self, connections: usize) {
                eventually("so many are in", async || self.entered().await.len() >= connections).await;
                assert_eq!(self.let_in().await, connections);
            }

            async fn entries(&self) -> i64 {
                sqlx::query_scalar("SELECT count(*) FROM entries").fetch_one(&self.plain).await.unwrap()
            }

            async fn runs_slow(&self) -> bool {
                sqlx::query_scalar(on(
                    "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'steadfast' AND wait_event = 'PgSleep'",
                    "SELECT count(*) > 0 FROM information_schema.processlist WHERE user = 'steadfast' AND state = 'User sleep'",
                ))
                .fetch_one(&self.plain)
                .await
                .unwrap()
            }

            /// Cuts the control connection of a pool behind a proxy; its next cancel needs another.
            async fn cut_control(&self, proxy: &Proxy, pool: &Pool) {
                proxy.reset();
                let session = look(pool).await.unwrap();
                let idle = |link: &Report| link.open && link.round_trips == 0;
                let idle: Vec<u64> = proxy.reports().into_iter().filter(idle).map(|link| link.id).collect();
                let [control] = idle[..] else { panic!("one beside the session's: {idle:?}") };
                assert!(proxy.cut_one(control));
                eventually("it is gone", async || self.open().await == [session]).await;
            }

            /// A pool of one connection behind a proxy, whose control connection is open as well.
            async fn behind_proxy(&self) -> (Proxy, Pool) {
                let before = self.let_in().await;
                let proxy = Proxy::before(&self.checking_all()).unwrap();
                let pool = Pool::builder().primary(proxy.url()).max_connections(1).connect().await.unwrap();
                pool.install().await.unwrap();
                self.has_let_in(before + 2).await;
                (proxy, pool)
            }
        }
    };
}
