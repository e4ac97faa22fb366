//! A table that is another by now, under statements that every connection has prepared for the former one.

use sqlx::Row as _;

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
