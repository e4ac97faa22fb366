//! Files, and databases in memory.

use crate::support::{sqlite::*, *};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use steadfast::{Category, Error, Phase, with_session};

#[with_session]
async fn add(session: &mut Session, id: i64) -> Result<i64, Error> {
    let before: i64 = sqlx::query_scalar("SELECT count(*) FROM t")
        .fetch_one(&mut *session)
        .await?;
    sqlx::query("INSERT INTO t VALUES ($1)")
        .bind(id)
        .execute(&mut *session)
        .await?;
    Ok(before)
}

#[with_session(read_only)]
async fn count(session: &mut Session, together: Arc<tokio::sync::Barrier>) -> Result<i64, Error> {
    let count = sqlx::query_scalar("SELECT count(*) FROM t")
        .fetch_one(&mut *session)
        .await?;
    together.wait().await;
    Ok(count)
}

async fn is_shared(pool: &Pool) {
    sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        .execute(pool)
        .await
        .unwrap();
    let mut seen = join_all((0..40).map(|id| add(pool, id)))
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    seen.sort_unstable();
    assert_eq!(
        seen,
        (0..40).collect::<Vec<_>>(),
        "one writer after the other"
    );
    let together = Arc::new(tokio::sync::Barrier::new(4));
    for counted in join_all((0..4).map(|_| count(pool, together.clone()))).await {
        assert_eq!(counted.unwrap(), 40);
    }
    assert!(
        pool.stats().opened >= 4,
        "by connections of their own: {:?}",
        pool.stats()
    );
}

#[tokio::test]
async fn a_database_in_memory_is_shared_by_a_pool_and_by_nobody_else() {
    let (one, other) = (
        Pool::in_memory().await.unwrap(),
        Pool::in_memory().await.unwrap(),
    );
    is_shared(&one).await;
    let error = add(&other, 1).await.unwrap_err();
    assert!(error.to_string().contains("no such table"), "{error}");
    assert!(one.close().await.is_clean());
    let third = Pool::in_memory().await.unwrap();
    assert!(add(&third, 1).await.is_err(), "nothing of it is left");
}

#[tokio::test]
async fn so_is_the_one_of_the_memory_url() {
    for url in ["sqlite::memory:", "sqlite://:memory:"] {
        let pool = Pool::connect(url).await.unwrap();
        is_shared(&pool).await;
        pool.close().await;
    }
}

#[tokio::test]
async fn the_memory_url_outlives_an_idle_time() {
    let pool = Pool::builder()
        .primary("sqlite::memory:")
        .idle_timeout(Duration::from_millis(100))
        .connect()
        .await
        .unwrap();
    sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        .execute(&pool)
        .await
        .unwrap();
    eventually("all idle connections are closed", || async {
        pool.stats().size == 0
    })
    .await;
    assert_eq!(add(&pool, 1).await.unwrap(), 0, "the table is still there");
}

#[tokio::test]
async fn a_path_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().display();
    for url in [
        format!("sqlite://{folder}/missing/a.db?mode=rwc"),
        format!("sqlite://{folder}?mode=rwc"),
        format!("sqlite://{folder}/absent.db"),
    ] {
        let clock = Clock::stop();
        let began = tokio::time::Instant::now();
        let error = Pool::connect(&url).await.unwrap_err();
        assert_eq!(began.elapsed(), Duration::ZERO, "{url}: tried again");
        drop(clock);
        assert_eq!(
            (error.category(), error.phase(), error.code()),
            (Category::Resource, Phase::Acquire, Some("14")),
            "{url}: {error:?}"
        );
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_file_that_is_opened_read_only_can_be_read() {
    let place = Place::new().await;
    sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        .execute(&place.plain)
        .await
        .unwrap();
    let pool = Pool::connect(place.url.replace("mode=rwc", "mode=ro"))
        .await
        .unwrap();
    assert_eq!(
        count(&pool, Arc::new(tokio::sync::Barrier::new(1)))
            .await
            .unwrap(),
        0
    );
    let error = add(&pool, 1).await.unwrap_err();
    assert_eq!(
        (error.category(), error.code()),
        (Category::ReadOnly, Some("8")),
        "{error:?}"
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_url_means_wal_and_full() {
    let folder = tempfile::tempdir().unwrap();
    let pool = Pool::connect(format!(
        "sqlite://{}/a.db?mode=rwc",
        folder.path().display()
    ))
    .await
    .unwrap();
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&pool)
        .await
        .unwrap();
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(&pool)
        .await
        .unwrap();
    let foreign_keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!((&*journal, synchronous, foreign_keys), ("wal", 2, 1));
}

#[tokio::test]
async fn two_pools_on_one_file_queue_their_writers_together() {
    let place = Place::new().await;
    sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        .execute(&place.plain)
        .await
        .unwrap();
    let one = place.pool(2).await;
    // Another spelling of the same file.
    let path = std::path::Path::new(&place.name);
    let other = format!(
        "{}/./{}",
        path.parent().unwrap().display(),
        path.file_name().unwrap().to_str().unwrap()
    );
    let two = Pool::connect(format!("sqlite://{other}")).await.unwrap();
    let mut session = one.begin().await.unwrap();
    sqlx::query("INSERT INTO t VALUES (1)")
        .execute(&mut session)
        .await
        .unwrap();
    let waiting = tokio::spawn({
        let two = two.clone();
        async move { add(&two, 2).await }
    });
    eventually("the other pool's writer waits", || async {
        two.sessions().len() == 1
    })
    .await;
    // Long enough for whoever would not queue to have a slot by now.
    place.refuses_writers().await;
    assert!(!waiting.is_finished());
    assert_eq!(
        two.stats().in_use,
        0,
        "in the queue, before it takes a slot"
    );
    session.commit().await.unwrap();
    assert_eq!(
        waiting.await.unwrap().unwrap(),
        1,
        "and sees what the first one wrote"
    );
}
