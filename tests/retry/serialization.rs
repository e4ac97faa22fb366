//! Serialization failures are PostgreSQL's: the others lock.

use crate::support::{postgres::*, *};
use std::sync::Mutex;
use steadfast::{Category, Error, Outcome, Phase, retry, with_session};

type Opponent = Mutex<Option<sqlx::Transaction<'static, Db>>>;

#[with_session(isolation = repeatable_read)]
#[retry]
async fn at_a_statement(session: &mut Session, plain: &Plain) -> Result<i64, Error> {
    let cents: i64 = sqlx::query_scalar("SELECT cents FROM accounts WHERE id = 1")
        .fetch_one(&mut *session)
        .await?;
    if session.attempt() == 1 {
        sqlx::query("UPDATE accounts SET cents = 5 WHERE id = 1")
            .execute(plain)
            .await?;
    }
    sqlx::query("UPDATE accounts SET cents = $1 + 1 WHERE id = 1")
        .bind(cents)
        .execute(&mut *session)
        .await?;
    Ok(cents)
}

#[tokio::test]
async fn at_a_statement_is_retried() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    assert_eq!(
        at_a_statement(&pool, &place.plain).await.unwrap(),
        5,
        "the second attempt saw the other's work"
    );
    assert_eq!(place.cents(1).await, 6);
    assert_eq!(
        stats("serialization::at_a_statement").retried_after(Category::Conflict),
        1
    );
}

/// Both read both rows, each writes one: only one of them may commit.
async fn skew(session: &mut Session, plain: &Plain, opponent: &Opponent) -> Result<(), Error> {
    const SUM: &str = "SELECT sum(cents)::bigint FROM accounts WHERE id IN (1, 2)";
    let sum: i64 = sqlx::query_scalar(SUM).fetch_one(&mut *session).await?;
    if session.attempt() == 1 {
        let mut other = plain
            .begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE")
            .await?;
        sqlx::query_scalar::<_, i64>(SUM)
            .fetch_one(&mut *other)
            .await?;
        sqlx::query("UPDATE accounts SET cents = 0 WHERE id = 2")
            .execute(&mut *other)
            .await?;
        *opponent.lock().unwrap() = Some(other);
    }
    sqlx::query("UPDATE accounts SET cents = $1 WHERE id = 1")
        .bind(sum)
        .execute(&mut *session)
        .await?;
    let other = opponent.lock().unwrap().take();
    if let Some(other) = other {
        other.commit().await?;
    }
    Ok(())
}

#[with_session(isolation = serializable)]
#[retry]
async fn at_commit(session: &mut Session, plain: &Plain, opponent: &Opponent) -> Result<(), Error> {
    skew(session, plain, opponent).await
}

#[with_session(isolation = serializable)]
async fn at_commit_once(
    session: &mut Session,
    plain: &Plain,
    opponent: &Opponent,
) -> Result<(), Error> {
    skew(session, plain, opponent).await
}

#[tokio::test]
async fn at_commit_is_retried() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    let error = at_commit_once(&pool, &place.plain, &Opponent::default())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.phase(), error.outcome()),
        (Some("40001"), Phase::Commit, Outcome::RolledBack)
    );
    assert_eq!(
        (error.category(), error.is_retryable()),
        (Category::Conflict, true)
    );
    assert_eq!((place.cents(1).await, place.cents(2).await), (1000, 0));

    at_commit(&pool, &place.plain, &Opponent::default())
        .await
        .unwrap();
    assert_eq!(
        place.cents(1).await,
        1000,
        "the sum as the second attempt saw it"
    );
    let stats = stats("serialization::at_commit");
    assert_eq!(
        (stats.retried_after(Category::Conflict), stats.committed),
        (1, 1)
    );
}
