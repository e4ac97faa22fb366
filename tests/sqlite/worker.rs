//! sqlx's worker thread panics where a statement that it has prepared has other columns by now: its stream just ends. That
//! is no answer, and nobody is to wait for the thread. Sessions look ahead of their statements whether that is so; what is
//! shown here has gone past that look, in a database that the session itself has attached, and on a loan.

use sqlx::{Executor as _, SqlitePool};
use steadfast::{Category, Error, Outcome, with_session};

use crate::support::{quiet, sqlite::*};

const ALL: &str = "SELECT * FROM leaves";
const INSERT: &str = "INSERT INTO leaves (id, body) VALUES (7, 'seven') RETURNING *";
const WIDEN: &str =
    "DELETE FROM leaves WHERE id = 7; ALTER TABLE leaves ADD COLUMN more TEXT DEFAULT 'x'";

/// A database with a table, which others have attached and are to attach.
struct Other {
    file: tempfile::NamedTempFile,
    plain: SqlitePool,
}

impl Other {
    async fn new() -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        let url = format!("sqlite://{}", file.path().display());
        let plain = SqlitePool::connect(&url).await.unwrap();
        let table = "PRAGMA journal_mode = WAL; CREATE TABLE leaves (id BIGINT, body TEXT); INSERT INTO leaves VALUES (1, 'one')";
        plain.execute(table).await.unwrap();
        Self { file, plain }
    }

    /// Has the session's connection attach it, and prepare both statements.
    async fn prepare(&self, session: &mut Session) -> Result<(), Error> {
        let attach = format!("ATTACH '{}' AS other", self.file.path().display());
        sqlx::raw_sql(sql(&attach)).execute(&mut *session).await?;
        sqlx::query(ALL).fetch_all(&mut *session).await?;
        sqlx::query(INSERT).fetch_all(&mut *session).await?;
        Ok(())
    }

    async fn count(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM leaves");
        count.fetch_one(&self.plain).await.unwrap()
    }
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
    let (other, place) = (Other::new().await, Place::new().await);
    let pool = place.pool(1).await;
    let call = pool.operation("worker::reads").autocommit();
    let read = call.run(async |session| {
        other.prepare(session).await?;
        sqlx::raw_sql(WIDEN).execute(&other.plain).await?;
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
}

#[tokio::test]
async fn sqlite_a_write_alone_is_in_doubt() {
    for way in ["execute", "fetch_optional", "fetch_all"] {
        let (other, place) = (Other::new().await, Place::new().await);
        let pool = place.pool(1).await;
        let call = pool.operation("worker::writes").autocommit();
        let written = call.run(async |session| {
            other.prepare(session).await?;
            sqlx::raw_sql(WIDEN).execute(&other.plain).await?;
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
            other.count().await
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

/// Nobody looks ahead of what is done on a loan.
#[with_session]
async fn widens_and_inserts(session: &mut Session) -> Result<usize, Error> {
    let connection = session.raw().await?;
    sqlx::raw_sql("CREATE TABLE leaves (id BIGINT, body TEXT)")
        .execute(&mut *connection)
        .await?;
    sqlx::query(INSERT).fetch_all(&mut *connection).await?;
    sqlx::raw_sql(WIDEN).execute(&mut *connection).await?;
    // The driver tells of no error.
    Ok(sqlx::query(INSERT).fetch_all(&mut *connection).await?.len())
}

#[tokio::test]
async fn sqlite_a_session_undoes_it() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    let error = widens_and_inserts(&pool).await.unwrap_err();
    let tables = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = 'leaves'");
    assert!(tables.fetch_optional(&place.plain).await.unwrap().is_none());
    assert_eq!(
        (error.category(), error.outcome(), error.is_retryable()),
        (Category::Connection, Outcome::NotSent, true),
        "{error}"
    );
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
