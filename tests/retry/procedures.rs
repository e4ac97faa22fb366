//! On MySQL a procedure may have committed, and so may DDL on a lent connection: what fails behind them leaves doubt.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use steadfast::{Category, Classify, Error, Integrity, Outcome, retry, with_session};

use crate::support::{in_time, mysql::*};

#[derive(Clone, Copy, Debug)]
enum Form {
    Direct,
    /// Behind DDL on the lent connection.
    Lent,
    /// What only a policy repeats.
    Refused,
    Nested,
    Joined,
    Swallowed,
}

const LOCK: &str = "SELECT id FROM accounts WHERE id = 1 FOR UPDATE NOWAIT";

async fn behind(session: &mut Session, procedure: &str) -> sqlx::Result<()> {
    sqlx::query(sql(&format!("CALL {procedure}()")))
        .execute(&mut *session)
        .await?;
    sqlx::query(LOCK).fetch_one(&mut *session).await?;
    Ok(())
}

#[with_session]
async fn nested(session: &mut Session) -> Result<(), Error> {
    Ok(behind(session, "pays").await?)
}

#[with_session(nested = join)]
async fn joined(session: &mut Session) -> Result<(), Error> {
    Ok(behind(session, "pays").await?)
}

#[with_session]
async fn swallowed(session: &mut Session) -> Result<(), Error> {
    let _swallowed = behind(session, "pays").await;
    Ok(())
}

#[retry(immediate, max = 3, on(unique))]
async fn by_hand(pool: &Pool, runs: &AtomicU32, form: Form) -> anyhow::Result<()> {
    runs.fetch_add(1, SeqCst);
    let mut session = pool.begin().await?;
    match form {
        Form::Direct => behind(&mut session, "pays").await?,
        Form::Lent => {
            note(&mut session, 1).await?;
            sqlx::query("CREATE TABLE IF NOT EXISTS audit (id BIGINT)")
                .execute(session.raw().await?)
                .await?;
            sqlx::query(LOCK).fetch_one(&mut session).await?;
        }
        Form::Refused => {
            sqlx::query("CALL pays()").execute(&mut session).await?;
            note(&mut session, 1).await?;
        }
        Form::Nested => nested(&mut session).await?,
        Form::Joined => joined(&mut session).await?,
        Form::Swallowed => swallowed(&mut session).await?,
    }
    Ok(session.commit().await?)
}

#[with_session]
async fn managed(session: &mut Session) -> anyhow::Result<()> {
    Ok(behind(session, "pays").await?)
}

#[retry(immediate, max = 3)]
async fn around(pool: &Pool, runs: &AtomicU32) -> anyhow::Result<()> {
    runs.fetch_add(1, SeqCst);
    managed(pool).await
}

#[with_session]
#[retry(immediate, max = 3)]
async fn harmless(session: &mut Session, runs: &AtomicU32) -> anyhow::Result<()> {
    runs.fetch_add(1, SeqCst);
    Ok(behind(session, "notes").await?)
}

#[tokio::test]
async fn what_fails_behind_one_is_not_repeated_where_it_may_have_committed() {
    let place = Place::new().await;
    for (name, ends) in [("pays", "COMMIT;"), ("notes", "")] {
        sqlx::raw_sql(sql(&format!(
            "CREATE PROCEDURE {name}() BEGIN INSERT INTO notes (id, body) VALUES (1, 'sly'); {ends} END"
        )))
        .execute(&place.plain)
        .await
        .unwrap();
    }
    let pool = place.pool(1).await;
    let runs = AtomicU32::new(0);
    let mut holder = place.plain.begin().await.unwrap();
    sqlx::query("SELECT id FROM accounts WHERE id = 1 FOR UPDATE")
        .execute(&mut *holder)
        .await
        .unwrap();
    let forms = [
        Form::Direct,
        Form::Lent,
        Form::Refused,
        Form::Nested,
        Form::Joined,
        Form::Swallowed,
    ];
    for form in forms.map(Some).into_iter().chain([None]) {
        let error = match form {
            Some(form) => in_time(by_hand(&pool, &runs, form)).await.unwrap_err(),
            None => in_time(around(&pool, &runs)).await.unwrap_err(),
        };
        let category = match form {
            Some(Form::Refused) => Category::Integrity(Integrity::Unique),
            _ => Category::LockTimeout,
        };
        assert_eq!(error.category(), Some(category), "{form:?}");
        assert_eq!(error.outcome(), Some(Outcome::Unknown), "{form:?}");
        assert_eq!(
            (runs.swap(0, SeqCst), place.notes().await),
            (1, vec![1]),
            "{form:?}"
        );
        sqlx::query("DELETE FROM notes")
            .execute(&place.plain)
            .await
            .unwrap();
    }
    let error = in_time(harmless(&pool, &runs)).await.unwrap_err();
    assert_eq!(
        (runs.load(SeqCst), error.category(), place.notes().await),
        (3, Some(Category::LockTimeout), vec![]),
        "the rollback has proven that nothing is there"
    );
    holder.rollback().await.unwrap();
}

#[with_session]
async fn refused(session: &mut Session) -> Result<(), Error> {
    note(session, 1).await?;
    sqlx::query(LOCK).fetch_one(&mut *session).await?;
    Ok(())
}

/// The end of a call in the session by hand proves that its work is undone.
#[tokio::test]
async fn a_call_behind_one_in_a_session_by_hand_is_told_what_is_proven() {
    let place = Place::new().await;
    sqlx::raw_sql(
        "CREATE PROCEDURE notes() BEGIN INSERT INTO notes (id, body) VALUES (7, 'sly'); END",
    )
    .execute(&place.plain)
    .await
    .unwrap();
    let pool = place.pool(1).await;
    let mut holder = place.plain.begin().await.unwrap();
    sqlx::query("SELECT id FROM accounts WHERE id = 1 FOR UPDATE")
        .execute(&mut *holder)
        .await
        .unwrap();
    let mut session = pool.begin().await.unwrap();
    sqlx::query("CALL notes()")
        .execute(&mut session)
        .await
        .unwrap();
    let error = refused(&mut session).await.unwrap_err();
    assert_eq!(
        (error.category(), error.outcome(), error.is_retryable()),
        (Category::LockTimeout, Outcome::RolledBack, true)
    );
    holder.rollback().await.unwrap();
    refused(&mut session).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(place.notes().await, [1, 7]);
}
