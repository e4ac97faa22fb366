//! sqlx's worker thread panics where a statement that it has prepared has other columns by now, after an ALTER TABLE in
//! the midst of a session: its stream just ends. That is no answer, and nobody is to wait for the thread.

use sqlx::Executor as _;
use steadfast::{Category, Error, Outcome, with_session};

use crate::support::{quiet, sqlite::*};

const ALL: &str = "SELECT * FROM notes";
const INSERT: &str = "INSERT INTO notes (id, body) VALUES (7, 'seven') RETURNING *";
const WIDEN: &str =
    "DELETE FROM notes WHERE id = 7; ALTER TABLE notes ADD COLUMN more TEXT DEFAULT 'x'";

async fn place() -> (Place, Pool) {
    let place = Place::new().await;
    sqlx::raw_sql("INSERT INTO notes (id, body) VALUES (1, 'one')")
        .execute(&place.plain)
        .await
        .unwrap();
    let pool = place.pool(1).await;
    (place, pool)
}

/// Has the session's connection prepare both statements.
async fn prepare(session: &mut Session) -> Result<(), Error> {
    sqlx::query(ALL).fetch_all(&mut *session).await?;
    sqlx::query(INSERT).fetch_all(&mut *session).await?;
    Ok(())
}

async fn next_user_is_well(pool: &Pool) {
    // The panic of the thread is on its way still.
    for _ in 0..3 {
        let rows = sqlx::query("SELECT 1").fetch_all(pool).await.unwrap();
        assert_eq!(rows.len(), 1);
    }
    assert_eq!(pool.stats().opened, 2, "the dead connection was replaced");
    quiet(pool).await;
}

#[tokio::test]
async fn sqlite_a_read_alone_says_so() {
    let (place, pool) = place().await;
    let call = pool.operation("worker::reads").autocommit();
    let read = call.run(async |session| {
        prepare(session).await?;
        // Another process, between two statements.
        sqlx::raw_sql(WIDEN).execute(&place.plain).await?;
        Ok::<_, Error>(sqlx::query(ALL).fetch_all(session).await?.len())
    });
    let error = read.await.unwrap_err();
    assert!(
        matches!(
            error.category(),
            Category::Connection | Category::CommitUnknown
        ),
        "{error}"
    );
    next_user_is_well(&pool).await;
    assert_eq!(sqlx::query(ALL).fetch_all(&pool).await.unwrap().len(), 1);
}

#[tokio::test]
async fn sqlite_a_write_alone_is_in_doubt() {
    for way in ["execute", "fetch_optional", "fetch_all"] {
        let (place, pool) = place().await;
        let call = pool.operation("worker::writes").autocommit();
        let written = call.run(async |session| {
            prepare(session).await?;
            sqlx::raw_sql(WIDEN).execute(&place.plain).await?;
            let insert = sqlx::query(INSERT);
            match way {
                "execute" => insert.execute(session).await.map(drop)?,
                "fetch_optional" => insert.fetch_optional(session).await.map(drop)?,
                _ => insert.fetch_all(session).await.map(drop)?,
            }
            Ok::<_, Error>(())
        });
        let error = written.await.unwrap_err();
        assert_eq!(
            error.outcome(),
            Outcome::Unknown,
            "{way}: {} rows are there, {error}",
            place.count("notes").await
        );
        assert!(
            matches!(
                error.category(),
                Category::Connection | Category::CommitUnknown
            ),
            "{error}"
        );
        next_user_is_well(&pool).await;
    }
}

#[with_session]
async fn widens_and_inserts(session: &mut Session) -> Result<usize, Error> {
    prepare(session).await?;
    sqlx::raw_sql(WIDEN).execute(&mut *session).await?;
    Ok(sqlx::query(INSERT).fetch_all(session).await?.len())
}

#[tokio::test]
async fn sqlite_a_session_undoes_it() {
    let (place, pool) = place().await;
    let error = widens_and_inserts(&pool).await.unwrap_err();
    assert_eq!(
        (error.category(), error.outcome(), error.is_retryable()),
        (Category::Connection, Outcome::NotSent, true),
        "{error}"
    );
    assert_eq!(place.count("notes").await, 1);
    next_user_is_well(&pool).await;
}

/// What holds no statement has no result either.
#[tokio::test]
async fn sqlite_nothing_but_a_comment_is_answered() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    for nothing in ["", " ", "-- nothing", "/* nothing */ ;", ";;"] {
        pool.fetch_all(nothing).await.unwrap();
        assert!(pool.fetch_optional(nothing).await.unwrap().is_none());
        let mut session = pool.begin().await.unwrap();
        (&mut session).execute(nothing).await.unwrap();
        session.commit().await.unwrap();
    }
    assert_eq!(pool.stats().opened, 1);
}
