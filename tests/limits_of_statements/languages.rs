//! A PostgreSQL server speaks the language of its `lc_messages`: what stopped a statement shows without its words.

use sqlx::Executor as _;
use steadfast::{Category, Error, Outcome, with_session};

use crate::support::postgres::*;

/// What a German server answers where it stops a statement; its code is the same.
const STOPPED: &str = "CREATE FUNCTION stopped() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_sleep(30);
    EXCEPTION WHEN query_canceled THEN
        RAISE EXCEPTION USING ERRCODE = '57014',
            MESSAGE = 'storniere Anfrage wegen Zeitüberschreitung der Anfrage';
    END $$";

/// What it answers where somebody asks it to.
const ASKED: &str = "CREATE FUNCTION asked() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION USING ERRCODE = '57014',
        MESSAGE = 'storniere Anfrage wegen Benutzeraufforderung';
    END $$";

const CALL: &str = "SELECT stopped()";

#[with_session(statement_timeout = "300ms")]
async fn limited(session: &mut Session) -> Result<(), Error> {
    sqlx::query(CALL).execute(&mut *session).await?;
    Ok(())
}

#[with_session(timeout = "300ms")]
async fn late(session: &mut Session) -> Result<(), Error> {
    sqlx::query(CALL).execute(&mut *session).await?;
    Ok(())
}

#[with_session(statement_timeout = "300ms", autocommit)]
async fn alone(session: &mut Session) -> Result<(), Error> {
    sqlx::query(CALL).execute(&mut *session).await?;
    Ok(())
}

#[with_session(statement_timeout = "300ms")]
async fn cancelled(session: &mut Session) -> Result<(), Error> {
    sqlx::query("SELECT asked()").execute(&mut *session).await?;
    Ok(())
}

#[tokio::test]
async fn postgres_a_limit_is_known_in_every_language() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    for function in [STOPPED, ASKED] {
        place.plain.execute(function).await.unwrap();
    }
    let endings = [
        limited(&pool).await.unwrap_err(),
        late(&pool).await.unwrap_err(),
        alone(&pool).await.unwrap_err(),
    ];
    for error in &endings {
        assert_eq!(error.category(), Category::Timeout, "{error:?}");
        assert_eq!(error.outcome(), Outcome::RolledBack, "{error:?}");
    }
    assert_eq!(endings[0].code(), Some("57014"));

    let error = cancelled(&pool).await.unwrap_err();
    assert_eq!(error.category(), Category::Cancelled, "{error:?}");
}
