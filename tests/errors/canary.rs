//! A canary for a password, searched in all that a process says while everything goes wrong that can: every `Debug` and
//! every error on its standard output, every log and span at `TRACE` (sqlx's own too) and every panic on its standard
//! error. A process of its own, because those are what a whole process has one of, as its environment is.
//!
//! SQLite has no password: whoever keys an encrypted file does so by a statement of his own. Over TLS the same texts are
//! made, of the same parts.
//!
//! Beside it, `passwords` has URLs that are wrong in many ways, and row 15 of `beside_sqlx` what plain sqlx shows.

use std::error::Error as _;
use std::fmt::Debug;
use std::time::Duration;

use steadfast::Error;

/// In the environment of the process that says it all.
const CANARY: &str = "STEADFAST_CANARY";
/// A URL with the canary in it.
const URL: &str = "STEADFAST_CANARY_URL";
/// The superuser's URL, who needs no password.
const ADMIN: &str = "STEADFAST_CANARY_ADMIN";

/// Behind this line the process shows the canary on purpose.
const ON_PURPOSE: &str = "-- on purpose from here on --";

/// What must go wrong in the process.
const FAULTS: [&str; 10] = [
    "missing ledger",
    "refused statement",
    "cut statement",
    "lost answer to COMMIT",
    "ledger that cannot be asked",
    "killed backend",
    "panic in the body",
    "control line that cannot connect",
    "server out of reach",
    "refused password",
];

/// What is logged then.
const LOGGED: [&str; 10] = [
    "DEBUG sqlx",
    "steadfast.call",
    "a hook failed",
    "panicked at",
    "somebody should look event=CommitUnknown",
    "somebody should look event=LedgerMissing",
    "an attempt failed; another follows",
    "an attempt failed; it was the last",
    "the ledger could not be asked error=",
    "steadfast::error: a database error leaves its operation",
];

/// After this a server is out of reach. One that is there answers much sooner.
const UNREACHABLE: Duration = Duration::from_secs(2);

fn show(what: &dyn Debug) {
    println!("{what:?}\n{what:#?}");
}

/// An error in every way in which it can be looked at.
fn show_error(error: Error) {
    show(&(
        &error,
        error.to_string(),
        format!("{error:#}"),
        error.user_message(),
    ));
    show(&error.attempts());
    let mut cause = error.source();
    while let Some(link) = cause {
        show(&(link, link.to_string()));
        cause = link.source();
    }
    let raw = sqlx::Error::from(error);
    show(&(&raw, raw.to_string()));
}

/// It has gone wrong, and was looked at.
fn happened(fault: &str) {
    assert!(FAULTS.contains(&fault));
    println!("fault: {fault}");
}

/// How often the canary is in a text as it is, and as the numbers of its bytes.
fn hits(text: &str, canary: &str) -> [usize; 2] {
    let bytes = format!("{:?}", canary.as_bytes());
    // Wherever in a packet.
    let bytes = bytes.trim_matches(['[', ']']);
    [text.matches(canary).count(), text.matches(bytes).count()]
}

each_server! {
    use super::{ADMIN, CANARY, FAULTS, LOGGED, ON_PURPOSE, UNREACHABLE, URL, happened, hits, show, show_error};
    use std::process::{Command, Output};
    use steadfast::{Category, Error, Outcome, RetryBudget, RetryPolicy, db_error_handling, retry, with_session};
    use xtask::proxy::{Fault, Proxy};

    type Options = <Connection as sqlx::Connection>::Options;

    const KILL: &str = match NAME.as_bytes() {
        b"postgres" => "SELECT pg_terminate_backend(<id>, 5000)",
        _ => "KILL <id>",
    };

    /// Connections of whoever uses the canary, the control line's among them.
    const IDS: &str = match NAME.as_bytes() {
        b"postgres" => "SELECT pid::bigint FROM pg_stat_activity WHERE usename = 'steadfast'",
        _ => "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE user LIKE 'ut%'",
    };

    const RUNS_SLOW: &str = match NAME.as_bytes() {
        b"postgres" => "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        _ => "SELECT count(*) FROM information_schema.processlist WHERE state = 'User sleep'",
    };

    #[tokio::test]
    async fn a_canary_is_seen_nowhere_while_everything_goes_wrong() {
        if let Ok(canary) = std::env::var(CANARY) {
            return say_all(&canary).await;
        }
        let server = support::private::start::<Db>().await;
        let place = Place::on(&server.url()).await;
        let (user, canary) = user(&place).await;
        let (_, rest) = place.url.split_once('@').unwrap();
        let said = process(&canary, format!("{NAME}://{user}:{canary}@{rest}"), server.url()).await;
        let streams = [("standard output", &said.stdout), ("standard error", &said.stderr)];
        for (stream, text) in streams {
            let text = String::from_utf8_lossy(text);
            let Some((run, shown)) = text.split_once(ON_PURPOSE) else {
                panic!("{stream}: {}", text.replace(&canary, "<canary>"));
            };
            let [as_it_is, as_bytes] = hits(shown, &canary);
            assert!(as_it_is > 1 && as_bytes > 0, "a canary on {stream} is found: {shown}");
            let lines: Vec<&str> = run.lines().filter(|line| hits(line, &canary) != [0, 0]).collect();
            assert_eq!(hits(run, &canary), [0, 0], "on {stream}: {lines:#?}");
            if stream == "standard output" {
                for fault in FAULTS {
                    assert!(run.contains(&format!("fault: {fault}\n")), "{fault} was: {run}");
                }
            } else {
                for words in LOGGED {
                    assert!(run.contains(words), "{words} was logged: {run}");
                }
                assert!(shown.contains("TRACE") && shown.contains("panicked at"), "{shown}");
            }
        }
        assert!(said.status.success(), "{}", said.status);
    }

    /// Whose password the server really asks for, and that password.
    async fn user(place: &Place) -> (String, String) {
        let (user, canary) = place.user().await;
        if NAME != "postgres" {
            let grant = format!("GRANT ALL ON {}.* TO {user}@'%'", place.name);
            sqlx::raw_sql(sqlx::AssertSqlSafe(grant)).execute(&place.plain).await.unwrap();
            return (user, canary);
        }
        // Everybody else is trusted there.
        let alter = format!(
            "ALTER ROLE steadfast PASSWORD '{canary}'; GRANT ALL ON SCHEMA {0} TO steadfast;
             GRANT ALL ON ALL TABLES IN SCHEMA {0} TO steadfast", place.name
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(alter)).execute(&place.plain).await.unwrap();
        ("steadfast".to_owned(), canary)
    }

    async fn process(canary: &str, url: String, admin: String) -> Output {
        let (_, module) = module_path!().split_once("::").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .arg(format!("{module}::a_canary_is_seen_nowhere_while_everything_goes_wrong"))
            .args(["--exact", "--nocapture"])
            .env(CANARY, canary)
            .env(URL, url)
            .env(ADMIN, admin)
            .env("RUST_BACKTRACE", "full")
            // Whether there are colours between the words depends on who else builds tracing's subscriber.
            .env("NO_COLOR", "1");
        if NAME == "postgres" {
            // sqlx reads no password for MySQL from anywhere but its options.
            command.env("PGPASSWORD", canary);
        }
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
    }

    /// What the process says.
    async fn say_all(canary: &str) {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
            .with_writer(std::io::stderr)
            .init();
        let proxy = Proxy::before(&std::env::var(URL).unwrap()).unwrap();
        let admin = Plain::connect(&std::env::var(ADMIN).unwrap()).await.unwrap();
        let url = proxy.url();
        let options: Options = url.parse().unwrap();
        suffer(Pool::builder().primary(&url), &proxy, &admin).await;
        suffer(Pool::builder().primary_with(options.clone()), &proxy, &admin).await;
        if NAME == "postgres" {
            let bare = url.replace(&format!(":{canary}@"), "@");
            assert!(!bare.contains(canary), "the environment alone has it");
            suffer(Pool::builder().primary(bare), &proxy, &admin).await;
        }
        for wrong in [format!("not-{canary}"), format!("{canary}{canary}")] {
            let wrong = url.replace(&format!(":{canary}@"), &format!(":{wrong}@"));
            let refused = [
                Pool::connect(&wrong).await,
                Pool::builder().primary_with(wrong.parse().unwrap()).connect().await,
            ];
            for refused in refused {
                show_error(refused.expect_err("the server asks for it"));
            }
        }
        happened("refused password");
        for operation in steadfast::operations() {
            show(&(operation, operation.stats()));
        }
        show(&(RetryPolicy::exponential(), RetryBudget::unlimited()));

        println!("{ON_PURPOSE}");
        eprintln!("{ON_PURPOSE}");
        show(&(&options, canary, canary.as_bytes()));
        tracing::trace!(canary, bytes = ?canary.as_bytes(), "shown");
        let canary = canary.to_owned();
        tokio::spawn(async move { panic!("{canary}") }).await.unwrap_err();
    }

    #[with_session]
    #[retry(immediate, max = 2, verify_commit)]
    #[db_error_handling]
    async fn runs(session: &mut Session, statement: &str) -> Result<(), Error> {
        show(&session);
        session.on_commit(async { Err::<(), _>("a hook that fails") });
        sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).fetch_all(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    async fn panics(session: &mut Session) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        panic!("in the body: {session:?}");
    }

    async fn kill(admin: &Plain, ids: &[i64]) {
        for id in ids {
            let kill = KILL.replace("<id>", &id.to_string());
            sqlx::raw_sql(sqlx::AssertSqlSafe(kill)).execute(admin).await.unwrap();
        }
    }

    /// Everything that can go wrong on a pool that knows the canary.
    async fn suffer(builder: steadfast::PoolBuilder<Db>, proxy: &Proxy, admin: &Plain) {
        let builder = builder.max_connections(2).acquire_timeout(UNREACHABLE).on_critical(|event| show(&event));
        show(&builder);
        let pool = builder.connect().await.unwrap();
        show(&(&pool, pool.operation("canary::named")));

        sqlx::query("DROP TABLE IF EXISTS steadfast_ledger").execute(&pool).await.unwrap();
        let error = runs(&pool, "SELECT 1").await.unwrap_err();
        assert_eq!(error.category(), Category::Programming);
        show_error(error);
        happened("missing ledger");
        pool.install().await.unwrap();
        runs(&pool, "SELECT 1").await.unwrap();
        let lease = pool.acquire().await.unwrap();
        show(&lease);
        pool.release(lease).await.unwrap();

        show_error(runs(&pool, "SELECT * FROM nowhere").await.unwrap_err());
        happened("refused statement");

        let fired = proxy.fired();
        proxy.on_each(|sent| sent.runs("cut here"), Fault::CutBefore);
        let error = runs(&pool, "SELECT 'cut here'").await.unwrap_err();
        assert_eq!((error.attempts().len(), proxy.fired()), (2, fired + 2));
        proxy.disarm();
        show_error(error);
        happened("cut statement");

        proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldAnswer);
        let is_lost = async {
            eventually("it has committed", async || proxy.fired() == fired + 3).await;
            // Asked at once, the ledger would know.
            sqlx::query("ALTER TABLE steadfast_ledger RENAME TO hidden").execute(&pool).await.unwrap();
            proxy.cut();
        };
        let (ended, ()) = tokio::join!(runs(&pool, "SELECT 1"), is_lost);
        let doubt = ended.unwrap_err();
        assert_eq!(doubt.outcome(), Outcome::Unknown);
        show(&(&doubt, doubt.to_string()));
        happened("lost answer to COMMIT");
        sqlx::query("ALTER TABLE hidden RENAME TO steadfast_ledger").execute(&pool).await.unwrap();

        proxy.on(|sent| sent.runs("steadfast_ledger"), Fault::CutBefore);
        let resolved = doubt.resolve(&pool).await.unwrap();
        assert_eq!((resolved, proxy.fired()), (Outcome::Committed, fired + 4));
        happened("ledger that cannot be asked");

        let mut session = pool.begin().await.unwrap();
        show(&(&session, pool.sessions(), pool.stats()));
        let id: i64 = sqlx::query_scalar(WHICH).fetch_one(&mut session).await.unwrap();
        kill(admin, &[id]).await;
        let error = sqlx::query("SELECT 1").execute(&mut session).await.unwrap_err();
        show(&error);
        show_error(error.into());
        show_error(session.commit().await.unwrap_err());
        happened("killed backend");

        let own = pool.clone();
        let error = tokio::spawn(async move { panics(&own).await }).await.unwrap_err();
        println!("{error}");
        show(&error);
        happened("panic in the body");

        support::quiet(&pool).await;
        let mut session = pool.begin().await.unwrap();
        let id: i64 = sqlx::query_scalar(WHICH).fetch_one(&mut session).await.unwrap();
        let so_far = async {
            eventually("the slow statement runs", async || {
                let running: i64 = sqlx::query_scalar(RUNS_SLOW).fetch_one(admin).await.unwrap();
                running == 1
            })
            .await;
            proxy.refuse(true);
            let all: Vec<i64> = sqlx::query_scalar(IDS).fetch_all(admin).await.unwrap();
            let (own, others): (Vec<i64>, Vec<i64>) = all.into_iter().partition(|other| *other == id);
            assert_eq!(own, [id]);
            kill(admin, &others).await;
        };
        drop_when(so_far, sqlx::raw_sql(SLOW).execute(&mut session)).await;
        drop(session);
        support::quiet(&pool).await;
        show(&(&pool, pool.stats(), pool.sessions()));
        proxy.refuse(false);
        let now: i64 = sqlx::query_scalar(WHICH).fetch_one(&pool).await.unwrap();
        assert_ne!(now, id, "nobody could be told to stop the statement");
        happened("control line that cannot connect");

        proxy.refuse(true);
        proxy.cut();
        let late = Pool::builder().primary(proxy.url()).acquire_timeout(UNREACHABLE);
        show_error(late.connect().await.unwrap_err());
        // It goes on asking for longer.
        let asks = tokio::time::timeout(UNREACHABLE * 2, doubt.resolve(&pool));
        let (ended, resolved) = tokio::join!(runs(&pool, "SELECT 1"), asks);
        show_error(ended.unwrap_err());
        show(&resolved.unwrap_err());
        show_error(doubt);
        proxy.refuse(false);
        happened("server out of reach");

        show(&pool.close().await);
        show_error(runs(&pool, "SELECT 1").await.unwrap_err());
    }
}
