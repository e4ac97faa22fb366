//! Every shape of a free function.
#![deny(
    warnings,
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    rust_2018_idioms
)]
#![forbid(unsafe_code)]
#![allow(dead_code)]

use std::pin::Pin;

use steadfast::{Error, PgSession, SessionPool, retry, with_session};

type Done<T> = Result<T, Error>;

/// Public, with documentation.
#[with_session]
pub async fn public(session: &mut PgSession, from: i64, to: i64) -> Result<i64, Error> {
    sqlx::query("SELECT 1").execute(&mut *session).await?;
    Ok(from + to)
}

#[with_session(isolation = serializable, read_only, timeout = "1.5s", nested = savepoint, name = "bank::report")]
pub(crate) async fn every_option(session: &mut PgSession) -> Done<u64> {
    let done = sqlx::query("SELECT 1").execute(session).await?;
    Ok(done.rows_affected())
}

// A single expression on the line of its braces.
#[rustfmt::skip]
#[with_session]
async fn one_line(session: &mut PgSession, from: i64, to: i64) -> Result<i64, Error> { public(&mut *session, from, to).await }

#[with_session]
async fn generic<'a, T, const N: usize>(
    session: &mut PgSession,
    items: &'a [T; N],
    wanted: T,
) -> Done<Option<&'a T>>
where
    T: Send + Sync + PartialEq,
{
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(items.iter().find(|item| **item == wanted))
}

#[with_session]
#[retry]
async fn impl_argument(
    session: &mut PgSession,
    name: impl AsRef<str> + Clone + Send,
) -> Done<usize> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(name.as_ref().len())
}

#[with_session]
async fn impl_result(session: &mut PgSession) -> Result<impl Iterator<Item = u8>, Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok([1, 2].into_iter())
}

#[with_session]
async fn patterns(
    session: &mut PgSession,
    (a, _): (u8, String),
    mut n: u8,
    [x, y]: [u8; 2],
    _: u8,
) -> Done<u8> {
    sqlx::query("SELECT 1").execute(session).await?;
    n += a;
    Ok(n + x + y)
}

#[with_session]
#[retry]
async fn patterns_again(
    session: &mut PgSession,
    (a, _): (u8, String),
    mut n: u8,
    &[x, y]: &[u8; 2],
    mut name: &str,
    _: u8,
) -> Done<u8> {
    sqlx::query("SELECT 1").execute(session).await?;
    name = name.trim();
    n += a;
    Ok(n + x + y + u8::from(name.is_empty()))
}

#[with_session]
async fn session_unnamed(_: &mut PgSession) -> Done<u8> {
    if true {
        return Ok(1);
    }
    Ok(2)
}

#[with_session]
#[retry]
async fn session_unused(_session: &mut PgSession, _name: String) -> Done<u8> {
    Ok(1)
}

#[with_session]
async fn never_returns(_session: &mut PgSession) -> Done<u8> {
    loop {
        std::future::pending::<()>().await;
    }
}

#[with_session]
async fn panics(_session: &mut PgSession) -> Done<u8> {
    panic!("on purpose")
}

#[with_session]
async fn with_items(session: &mut PgSession) -> Done<u64> {
    #![allow(unused_variables)]
    use std::fmt::Write;
    const QUERY: &str = "SELECT ";
    fn number() -> u8 {
        1
    }
    let unused = 5;
    let mut text = QUERY.to_owned();
    let _ = write!(text, "{}", number());
    let done = sqlx::query(sqlx::AssertSqlSafe(text))
        .execute(session)
        .await?;
    Ok(done.rows_affected())
}

#[with_session]
async fn nests(session: &mut PgSession) -> Done<u64> {
    public(&mut *session, 1, 2).await?;
    every_option(session).await
}

#[with_session]
async fn attributes_on_arguments(
    session: &mut PgSession,
    #[cfg(any())] missing: Missing,
    #[allow(unused_variables)] unused: u8,
) -> Done<()> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(())
}

#[with_session]
#[retry]
async fn attributes_on_cloned_arguments(
    session: &mut PgSession,
    #[cfg(any())] missing: Missing,
    #[allow(unused_variables)] unused: String,
) -> Done<()> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(())
}

/// Neither `Clone` nor `Sync`.
struct Ticket(std::cell::Cell<u8>);

#[with_session]
async fn needs_no_clone(session: &mut PgSession, ticket: Ticket, log: &mut Vec<u8>) -> Done<u8> {
    sqlx::query("SELECT 1").execute(session).await?;
    log.push(ticket.0.get());
    Ok(ticket.0.get())
}

macro_rules! made_by_a_macro {
    ($name:ident, $session:ty, $result:ty) => {
        #[with_session]
        #[retry]
        async fn $name(session: $session, number: u8) -> $result {
            sqlx::query("SELECT 1").execute(session).await?;
            Ok(number)
        }
    };
}

made_by_a_macro!(by_a_macro, &mut PgSession, Done<u8>);

macro_rules! with_a_body {
    ($name:ident, $session:ident, $body:block) => {
        #[with_session]
        async fn $name($session: &mut PgSession) -> Result<u8, Error> $body
    };
}

with_a_body!(body_from_a_macro, session, {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(1)
});

// A function may also call itself through one that boxes.
#[with_session]
async fn descend(session: &mut PgSession, depth: u8) -> Result<u8, Error> {
    if depth == 0 {
        return Ok(0);
    }
    Ok(1 + descend_in(session, depth - 1).await?)
}

fn descend_in(
    session: &mut PgSession,
    depth: u8,
) -> Pin<Box<dyn Future<Output = Result<u8, Error>> + Send + '_>> {
    Box::pin(descend(session, depth))
}

fn sends(pool: &SessionPool<sqlx::Postgres>) -> impl Future<Output = Result<u8, Error>> + Send {
    descend(pool, 3)
}

async fn inside_a_function(pool: &SessionPool<sqlx::Postgres>) -> Done<u8> {
    #[with_session]
    async fn inner(session: &mut PgSession) -> Done<u8> {
        sqlx::query("SELECT 1").execute(session).await?;
        Ok(1)
    }
    inner(pool).await
}

fn main() {}
