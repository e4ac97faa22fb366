//! A statement on the pool that answers rows is committed by its last step, behind them: whoever stops at the first row
//! never learns that the commit failed.

use super::*;

const RETURNING: &str = "INSERT INTO notes VALUES (1, 'one') RETURNING id";

#[tokio::test]
async fn an_insert_whose_deferred_foreign_key_fails_is_not_acknowledged() {
    let place = Place::new().await;
    sqlx::raw_sql("CREATE TABLE children (id INTEGER PRIMARY KEY, parent BIGINT REFERENCES notes (id) DEFERRABLE INITIALLY DEFERRED)")
        .execute(&place.plain)
        .await
        .unwrap();
    let insert = "INSERT INTO children (parent) VALUES (77) RETURNING id";
    let acknowledged: sqlx::Result<i64> = sqlx::query_scalar(insert).fetch_one(&place.plain).await;
    assert_eq!(
        (acknowledged.ok(), place.count("children").await),
        (Some(1), 0),
        "plain sqlx acknowledges what is not there"
    );

    let pool = place.pool(1).await;
    let one = sqlx::query_scalar::<_, i64>(insert).fetch_one(&pool).await;
    let optional = sqlx::query_scalar::<_, i64>(insert)
        .fetch_optional(&pool)
        .await
        .map(Option::unwrap);
    for refused in [one, optional] {
        let error = Error::from(refused.unwrap_err());
        assert_eq!(
            error.category(),
            steadfast::Category::Integrity(steadfast::Integrity::ForeignKey),
            "{error}"
        );
    }
    assert_eq!(place.count("children").await, 0);
    assert_quiet(&pool);
}

#[tokio::test]
async fn one_that_a_foreign_reader_keeps_from_its_commit_waits_and_is_there() {
    let place = Place::new().await;
    let options = with_rollback_journal(&place).await;
    let mut reader = foreign(&options, "BEGIN; SELECT * FROM notes").await;
    let mut other = plain(&options).await;
    let acknowledged: sqlx::Result<i64> = sqlx::query_scalar(RETURNING).fetch_one(&mut other).await;
    assert_eq!(
        (acknowledged.ok(), ids(&mut other).await),
        (Some(1), vec![]),
        "plain sqlx acknowledges what the reader has kept from its commit"
    );

    let pool = Pool::builder()
        .primary_with(options)
        .connect()
        .await
        .unwrap();
    let inserting = tokio::spawn({
        let pool = pool.clone();
        async move {
            sqlx::query_scalar::<_, i64>(RETURNING)
                .fetch_one(&pool)
                .await
        }
    });
    refused_and_waiting(&inserting).await;
    reader.execute("COMMIT").await.unwrap();
    assert_eq!(inserting.await.unwrap().unwrap(), 1);
    assert_eq!(ids(&mut other).await, [1], "there, and once");
}

/// `max_page_count` is a disk that is full at once.
#[tokio::test]
async fn on_a_full_disk_what_was_acknowledged_is_there() {
    let place = Place::new().await;
    let pool = place
        .builder(1)
        .after_connect(|connection| {
            Box::pin(async move {
                connection.execute("PRAGMA max_page_count = 20").await?;
                Ok(())
            })
        })
        .connect()
        .await
        .unwrap();
    let (mut acknowledged, mut full) = (Vec::new(), 0);
    for id in 0..60_i64 {
        let inserted = sqlx::query_scalar::<_, i64>(
            "INSERT INTO notes VALUES ($1, $1 || hex(zeroblob(1500))) RETURNING id",
        )
        .bind(id)
        .fetch_one(&pool)
        .await;
        match inserted {
            Ok(id) => acknowledged.push(id),
            Err(error) => {
                assert_eq!(Error::from(error).code(), Some("13"));
                full += 1;
            }
        }
    }
    assert!(full > 0 && !acknowledged.is_empty(), "{full} were refused");
    let there: Vec<i64> = sqlx::query_scalar("SELECT id FROM notes ORDER BY id")
        .fetch_all(&place.plain)
        .await
        .unwrap();
    assert_eq!(there, acknowledged);
}

#[tokio::test]
async fn what_follows_the_first_row_is_run_too() {
    let place = Place::new().await;
    let text =
        "INSERT INTO notes VALUES (1, 'one') RETURNING id; INSERT INTO notes VALUES (2, 'two')";
    let first: i64 = sqlx::query_scalar(text)
        .fetch_one(&place.plain)
        .await
        .unwrap();
    assert_eq!(
        (first, place.count("notes").await),
        (1, 1),
        "plain sqlx stops at the first row"
    );

    sqlx::query("DELETE FROM notes")
        .execute(&place.plain)
        .await
        .unwrap();
    let pool = place.pool(1).await;
    let first: i64 = sqlx::query_scalar(text).fetch_one(&pool).await.unwrap();
    assert_eq!((first, place.count("notes").await), (1, 2));
}
