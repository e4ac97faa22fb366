//! A COMMIT that is refused keeps its transaction, and is sent again.

use steadfast::{Category, Outcome, Phase, retry};

use super::*;

#[with_session(timeout = "300ms")]
#[retry(fixed, base = "10ms", max = 5)]
async fn write_soon(session: &mut Session) -> Result<(), Error> {
    sqlx::query("INSERT INTO notes VALUES (1, 'soon')")
        .execute(&mut *session)
        .await?;
    Ok(())
}

#[tokio::test]
async fn one_that_is_refused_until_the_deadline_is_a_timeout() {
    let place = Place::new().await;
    let options = with_rollback_journal(&place).await;
    let pool = Pool::builder()
        .primary_with(options.clone())
        .connect()
        .await
        .unwrap();
    let mut reader = foreign(&options, "BEGIN; SELECT * FROM notes").await;
    let error = write_soon(&pool).await.unwrap_err();
    assert_eq!(
        (error.category(), error.outcome(), error.phase()),
        (Category::Timeout, Outcome::RolledBack, Phase::Commit),
        "{error}"
    );
    let cause = std::error::Error::source(&error).and_then(std::error::Error::source);
    assert!(
        cause.is_some_and(|cause| cause.to_string().contains("locked")),
        "it was COMMIT that was refused: {cause:?}"
    );
    assert!(
        !error.is_retryable() && error.attempts().len() <= 1,
        "{error:?}"
    );
    assert_quiet(&pool);
    reader.execute("COMMIT").await.unwrap();
    assert!(
        ids(&mut reader).await.is_empty(),
        "nothing of it comes later"
    );
    write(&pool, 2).await.unwrap();
    assert_eq!(ids(&mut reader).await, [2]);
}
