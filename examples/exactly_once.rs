//! A payment is made exactly once, although nobody hears what became of its COMMIT.
//!
//! ```text
//! cargo run --example exactly_once -- --url postgres://user:password@host/database
//! ```
//!
//! Between this program and its server stands a small proxy that loses what it is told to: the answer to a COMMIT that
//! was applied, or the COMMIT itself. Both look the same from here. `verify_commit` writes a token with the commit, and
//! asks for it. The tables `exactly_once` and `steadfast_ledger` are made there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::Context as _;
use clap::Parser;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use steadfast::{Outcome, PgSession, PgSessionPool, retry, with_session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Pays over a network that loses the answers to COMMIT.
#[derive(Parser)]
struct Args {
    /// A PostgreSQL server; otherwise the one that `TEST_POSTGRES_URL` names.
    #[arg(long)]
    url: Option<String>,
}

/// `idempotency_key` would be the same in each attempt, for a service that is not this database.
#[with_session]
#[retry(exponential, max = 5, verify_commit)]
async fn pay(session: &mut PgSession, cents: i64) -> anyhow::Result<u32> {
    book(session, cents).await?;
    Ok(session.attempt())
}

/// The same without a token.
#[with_session]
#[retry(exponential, max = 5)]
async fn pay_in_doubt(session: &mut PgSession, cents: i64) -> Result<(), steadfast::Error> {
    book(session, cents).await?;
    Ok(())
}

async fn book(session: &mut PgSession, cents: i64) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO exactly_once (cents) VALUES ($1)")
        .bind(cents)
        .execute(&mut *session)
        .await?;
    Ok(())
}

const NOTHING: u8 = 0;
const THE_ANSWER: u8 = 1;
const THE_COMMIT: u8 = 2;

/// What the proxy loses next.
#[derive(Clone, Default)]
struct Loses(Arc<AtomicU8>);

impl Loses {
    fn next(&self, what: u8) {
        self.0.store(what, Ordering::SeqCst);
    }

    /// Whether that is due, which it is once.
    fn is_due(&self, what: u8, bytes: &[u8]) -> bool {
        let commits = bytes.windows(6).any(|word| word == b"COMMIT");
        let due = |now: u8| (now == what).then_some(NOTHING);
        commits
            && self
                .0
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, due)
                .is_ok()
    }
}

/// One connection through the proxy. It ends, and both sides with it, when something is lost.
async fn forward(mut client: TcpStream, server: SocketAddr, loses: Loses) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (mut asked, mut answered) = ([0; 8192], [0; 8192]);
    let mut is_last = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let question = &asked[..read?];
                if question.is_empty() || loses.is_due(THE_COMMIT, question) {
                    return Ok(());
                }
                is_last = loses.is_due(THE_ANSWER, question);
                server.write_all(question).await?;
            }
            read = server.read(&mut answered) => {
                let answer = &answered[..read?];
                // The server is ready for the next question, outside of a transaction: it has committed.
                if answer.is_empty() || (is_last && answer.ends_with(b"Z\0\0\0\x05I")) {
                    return Ok(());
                }
                if !is_last {
                    client.write_all(answer).await?;
                }
            }
        }
    }
}

async fn proxy(server: SocketAddr, loses: Loses) -> std::io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, server, loses.clone()));
        }
    });
    Ok(port)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = Args::parse()
        .url
        .or_else(|| std::env::var("TEST_POSTGRES_URL").ok());
    let url = url.context("this example needs a PostgreSQL server: name one with `--url`")?;
    let options: PgConnectOptions = url.parse()?;
    let server = tokio::net::lookup_host((options.get_host(), options.get_port()))
        .await?
        .next()
        .context("the server's host has no address")?;
    let loses = Loses::default();
    let port = proxy(server, loses.clone()).await?;
    // The proxy has to see what it loses.
    let options = options
        .host("127.0.0.1")
        .port(port)
        .ssl_mode(PgSslMode::Disable);
    let pool = PgSessionPool::builder()
        .primary_with(options)
        .connect()
        .await?;
    pool.install().await?;
    for text in [
        "DROP TABLE IF EXISTS exactly_once",
        "CREATE TABLE exactly_once (cents BIGINT NOT NULL)",
    ] {
        sqlx::raw_sql(text).execute(&pool).await?;
    }

    for (what, name, cents) in [
        (NOTHING, "nothing is lost", 100),
        (THE_ANSWER, "COMMIT was applied, its answer is lost", 200),
        (THE_COMMIT, "COMMIT itself is lost", 300),
    ] {
        loses.next(what);
        let attempt = pay(&pool, cents).await?;
        assert_eq!(loses.0.load(Ordering::SeqCst), NOTHING, "it was lost");
        println!("{name:40} paid, by attempt {attempt}");
        assert_eq!(attempt, if what == THE_COMMIT { 2 } else { 1 });
    }

    loses.next(THE_ANSWER);
    let error = pay_in_doubt(&pool, 400).await.expect_err("nobody knows");
    println!("{:40} {error}", "the same, without `verify_commit`");
    assert_eq!(error.outcome(), Outcome::Unknown);

    let payments: Vec<i64> = sqlx::query_scalar("SELECT cents FROM exactly_once ORDER BY cents")
        .fetch_all(&pool)
        .await?;
    println!("payments: {payments:?}");
    assert_eq!(payments, [100, 200, 300, 400], "each once");
    sqlx::raw_sql("DROP TABLE exactly_once")
        .execute(&pool)
        .await?;
    pool.close().await;
    Ok(())
}
