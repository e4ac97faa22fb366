//! A table that is another by now, under statements that every connection has prepared for the former one.

use sqlx::{Executor as _, Row as _};

use super::*;

const ALL: &str = "SELECT * FROM shape WHERE id = $1";

/// What changes the table, and what is in it then.
const SHAPES: &[(&str, &[(&str, i64)])] = &[
    (
        "CREATE TABLE shape (id BIGINT PRIMARY KEY, one BIGINT, two BIGINT); INSERT INTO shape VALUES (1, 11, 22)",
        &[("id", 1), ("one", 11), ("two", 22)],
    ),
    (
        "ALTER TABLE shape DROP COLUMN one",
        &[("id", 1), ("two", 22)],
    ),
    (
        "ALTER TABLE shape ADD COLUMN three BIGINT NOT NULL DEFAULT 33",
        &[("id", 1), ("two", 22), ("three", 33)],
    ),
    (
        "DROP TABLE shape; CREATE TABLE shape (three BIGINT, two BIGINT, id BIGINT PRIMARY KEY); INSERT INTO shape VALUES (3, 2, 1)",
        &[("three", 3), ("two", 2), ("id", 1)],
    ),
];

#[with_session(read_only)]
async fn by_session(session: &mut Session) -> Result<Vec<(String, i64)>, Error> {
    let row = sqlx::query(ALL)
        .bind(1_i64)
        .fetch_one(&mut *session)
        .await?;
    Ok(columns(&row))
}

#[with_session]
async fn by_writer(session: &mut Session) -> Result<Vec<(String, i64)>, Error> {
    let row = sqlx::query(ALL)
        .bind(1_i64)
        .fetch_one(&mut *session)
        .await?;
    Ok(columns(&row))
}

async fn alone(pool: &Pool) -> Result<Vec<(String, i64)>, Error> {
    let row = sqlx::query(ALL).bind(1_i64).fetch_one(pool).await?;
    Ok(columns(&row))
}

fn columns(row: &sqlx::sqlite::SqliteRow) -> Vec<(String, i64)> {
    use sqlx::Column as _;
    let columns = row.columns().iter();
    columns
        .map(|column| {
            (
                column.name().to_owned(),
                row.get_unchecked(column.ordinal()),
            )
        })
        .collect()
}

#[tokio::test]
async fn each_column_has_its_own_value() {
    for first in ["a writer", "a reader", "alone"] {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for (change, expected) in SHAPES {
            sqlx::raw_sql(*change).execute(&place.plain).await.unwrap();
            let expected: Vec<_> = expected
                .iter()
                .map(|&(name, value)| (name.to_owned(), value))
                .collect();
            for how in [first, "a writer", "a reader", "alone"] {
                let seen = match how {
                    "a writer" => by_writer(&pool).await,
                    "a reader" => by_session(&pool).await,
                    _ => alone(&pool).await,
                };
                assert_eq!(seen.unwrap(), expected, "{how}, {change}");
            }
        }
        assert_eq!(pool.stats().opened, 1);
    }
}

/// The same where `after_connect` has attached the database that it is in.
#[tokio::test]
async fn also_in_an_attached_database() {
    let place = Place::new().await;
    let other = tempfile::NamedTempFile::new().unwrap();
    let attach = format!("ATTACH '{}' AS other", other.path().display());
    let other = place.plain.acquire().await.unwrap();
    let mut other = other.detach();
    sqlx::raw_sql(sql(&attach))
        .execute(&mut other)
        .await
        .unwrap();
    let pool = place
        .builder(1)
        .after_connect(move |connection| {
            let attach = attach.clone();
            Box::pin(async move {
                sqlx::raw_sql(sql(&attach)).execute(connection).await?;
                Ok(())
            })
        })
        .connect()
        .await
        .unwrap();
    for (change, expected) in SHAPES {
        let change = change.replace("TABLE shape", "TABLE other.shape");
        let change = change.replace("INTO shape", "INTO other.shape");
        sqlx::raw_sql(sql(&change))
            .execute(&mut other)
            .await
            .unwrap();
        let expected: Vec<_> = expected
            .iter()
            .map(|&(name, value)| (name.to_owned(), value))
            .collect();
        assert_eq!(by_writer(&pool).await.unwrap(), expected, "{change}");
        assert_eq!(alone(&pool).await.unwrap(), expected, "{change}");
    }
    assert_eq!(pool.stats().opened, 1);
}

/// Drops a column and adds another behind it: as many, under other names.
const TURN: [&str; 2] = [
    "ALTER TABLE shape DROP COLUMN one",
    "ALTER TABLE shape ADD COLUMN three BIGINT NOT NULL DEFAULT 33",
];

fn named(columns: &[(&str, i64)]) -> Vec<(String, i64)> {
    let named = columns.iter();
    named
        .map(|&(name, value)| (name.to_owned(), value))
        .collect()
}

/// In a transaction, and in a transaction of a helper's.
async fn turn<'c>(
    connection: impl sqlx::Acquire<'c, Database = Db>,
) -> Result<Vec<(String, i64)>, Error> {
    let mut connection = connection.acquire().await?;
    for change in TURN {
        sqlx::raw_sql(change).execute(&mut *connection).await?;
    }
    let row = sqlx::query(ALL).bind(1_i64);
    Ok(columns(&row.fetch_one(&mut *connection).await?))
}

async fn read(session: &mut Session) -> Result<Vec<(String, i64)>, Error> {
    let row = sqlx::query(ALL).bind(1_i64);
    Ok(columns(&row.fetch_one(&mut *session).await?))
}

async fn turn_in(session: &mut Session) -> Result<Vec<(String, i64)>, Error> {
    for change in TURN {
        sqlx::raw_sql(change).execute(&mut *session).await?;
    }
    read(session).await
}

async fn shaped() -> (Place, Pool) {
    let place = Place::new().await;
    sqlx::raw_sql(SHAPES[0].0)
        .execute(&place.plain)
        .await
        .unwrap();
    let pool = place.pool(1).await;
    (place, pool)
}

/// A change that is undone takes the version of the schema back with it.
#[tokio::test]
async fn also_behind_a_change_that_was_undone() {
    let before = named(SHAPES[0].1);
    let after = named(&[("id", 1), ("two", 22), ("three", 33)]);
    for how in [
        "an error",
        "rollback only",
        "by hand",
        "a panic",
        "a savepoint",
        "a loan",
        "a lease",
    ] {
        let (_place, pool) = shaped().await;
        // What a borrower has prepared itself is the borrower's own affair.
        if !["a loan", "a lease"].contains(&how) {
            assert_eq!(by_writer(&pool).await.unwrap(), before);
        }
        let failing = Error::from(sqlx::Error::RowNotFound);
        match how {
            "an error" => {
                let call = pool.session("fails", async |session| {
                    assert_eq!(turn_in(session).await?, after);
                    Err::<(), _>(failing)
                });
                call.await.unwrap_err();
            }
            "rollback only" => {
                let call = pool.session("undone", async |session| {
                    session.set_rollback_only();
                    turn_in(session).await
                });
                assert_eq!(call.await.unwrap(), after);
            }
            "by hand" => {
                let mut session = pool.begin().await.unwrap();
                assert_eq!(turn_in(&mut session).await.unwrap(), after);
            }
            "a panic" => {
                let call = pool.session("panics", async |session| {
                    turn_in(session).await?;
                    panic!("on purpose");
                    #[allow(unreachable_code, reason = "it says what the closure answers")]
                    Ok::<(), Error>(())
                });
                assert_eq!(panic_of(call).await, "on purpose");
            }
            "a savepoint" => {
                let call = pool.session("partly", async |session| {
                    let inner = session.savepoint(async |session| {
                        assert_eq!(turn_in(session).await?, after);
                        Err::<(), _>(failing)
                    });
                    inner.await.unwrap_err();
                    read(session).await
                });
                assert_eq!(call.await.unwrap(), before, "in the same session");
            }
            "a loan" => {
                let call = pool.session("lent", async |session| {
                    let mut inner = sqlx::Acquire::begin(&mut *session).await?;
                    assert_eq!(turn(&mut *inner).await?, after);
                    inner.rollback().await?;
                    read(session).await
                });
                assert_eq!(call.await.unwrap(), before, "in the same session");
            }
            _ => {
                let mut lease = pool.acquire().await.unwrap();
                let mut inner = sqlx::Connection::begin(&mut *lease).await.unwrap();
                assert_eq!(turn(&mut *inner).await.unwrap(), after);
                inner.rollback().await.unwrap();
                pool.release(lease).await.unwrap();
            }
        }
        for reader in ["a writer", "a reader", "alone"] {
            let seen = match reader {
                "a writer" => by_writer(&pool).await,
                "a reader" => by_session(&pool).await,
                _ => alone(&pool).await,
            };
            assert_eq!(seen.unwrap(), before, "{reader} behind {how}");
        }
    }
}

/// A temporary one stands before the other of its name.
#[tokio::test]
async fn also_where_a_temporary_one_is_gone_again() {
    let before = named(SHAPES[0].1);
    for temporary in [
        "CREATE TEMP TABLE shape AS SELECT id, two, one FROM main.shape",
        "CREATE TEMP VIEW shape AS SELECT id, two, one FROM main.shape",
    ] {
        let (_place, pool) = shaped().await;
        let call = pool.session("covers", async |session| {
            let first = read(session).await?;
            let inner = session.savepoint(async |session| {
                session.execute(temporary).await?;
                assert_eq!(
                    read(session).await?,
                    named(&[("id", 1), ("two", 22), ("one", 11)])
                );
                Err::<(), _>(Error::from(sqlx::Error::RowNotFound))
            });
            inner.await.unwrap_err();
            Ok::<_, Error>((first, read(session).await?))
        });
        assert_eq!(
            call.await.unwrap(),
            (before.clone(), before.clone()),
            "{temporary}"
        );
    }
}

/// What one connection has undone and what another then changes may have the same version.
#[tokio::test]
async fn also_where_another_change_has_the_number_of_one_that_was_undone() {
    let (place, pool) = shaped().await;
    let mut session = pool.begin().await.unwrap();
    turn_in(&mut session).await.unwrap();
    session.rollback().await.unwrap();
    for change in [
        "ALTER TABLE shape DROP COLUMN two",
        "ALTER TABLE shape ADD COLUMN four BIGINT NOT NULL DEFAULT 44",
    ] {
        sqlx::raw_sql(change).execute(&place.plain).await.unwrap();
    }
    let expected = named(&[("id", 1), ("one", 11), ("four", 44)]);
    assert_eq!(by_writer(&pool).await.unwrap(), expected);
    assert_eq!(alone(&pool).await.unwrap(), expected);
}

#[tokio::test]
async fn also_in_the_session_that_changes_it() {
    let (_place, pool) = shaped().await;
    let call = pool.session("changes", async |session| {
        let before = read(session).await?;
        Ok::<_, Error>((before, turn_in(session).await?, read(session).await?))
    });
    let after = named(&[("id", 1), ("two", 22), ("three", 33)]);
    assert_eq!(
        call.await.unwrap(),
        (named(SHAPES[0].1), after.clone(), after)
    );
}

/// Nothing keeps others out between two statements of such a session.
#[tokio::test]
async fn also_between_the_statements_of_a_session_without_a_transaction() {
    let (place, pool) = shaped().await;
    let call = pool.operation("slowly").autocommit().run(async |session| {
        let mut seen = vec![read(session).await?];
        for change in TURN {
            sqlx::raw_sql(change).execute(&place.plain).await.unwrap();
            seen.push(read(session).await?);
        }
        Ok::<_, Error>(seen)
    });
    let after = named(&[("id", 1), ("two", 22), ("three", 33)]);
    assert_eq!(
        call.await.unwrap(),
        [named(SHAPES[0].1), named(SHAPES[1].1), after]
    );
}
