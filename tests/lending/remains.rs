//! What a loan leaves behind that is no part of the transaction: nobody else meets it.

mod mysql {
    use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

    use sqlx::{AssertSqlSafe, Executor as _};
    use steadfast::{Error, Outcome, with_session};

    use crate::support::{mysql::*, quiet};

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Ends {
        Well,
        Badly,
        Late,
    }

    #[with_session(timeout = "300ms")]
    async fn locks(session: &mut Session, ends: Ends) -> Result<(), Error> {
        note(session, -1).await?;
        let lent = session.raw().await?;
        lent.execute("LOCK TABLES notes WRITE").await?;
        match ends {
            Ends::Well => Ok(()),
            Ends::Badly => Err(sqlx::Error::RowNotFound.into()),
            Ends::Late => std::future::pending().await,
        }
    }

    #[with_session(autocommit)]
    async fn locks_alone(session: &mut Session, ends: Ends) -> Result<(), Error> {
        let lent = session.raw().await?;
        lent.execute("LOCK TABLES notes WRITE").await?;
        match ends {
            Ends::Badly => Err(sqlx::Error::RowNotFound.into()),
            Ends::Well | Ends::Late => Ok(()),
        }
    }

    #[tokio::test]
    async fn mysql_no_table_stays_locked() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let next = AtomicI64::new(1);
        let others_write = async |when: &str| {
            quiet(&pool).await;
            let id = next.fetch_add(1, SeqCst);
            let insert = format!(
                "SET STATEMENT max_statement_time = 10 FOR INSERT INTO notes (id, body) VALUES ({id}, '{id}')"
            );
            let written = place.plain.execute(AssertSqlSafe(insert)).await;
            assert!(written.is_ok(), "{when}: {written:?}");
        };
        for ends in [Ends::Well, Ends::Badly, Ends::Late] {
            let error = locks(&pool, ends).await.unwrap_err();
            assert_eq!(error.outcome(), Outcome::Unknown, "{ends:?}: {error}");
            others_write(&format!("in a transaction, {ends:?}")).await;
            sqlx::raw_sql("DELETE FROM notes WHERE id = -1")
                .execute(&place.plain)
                .await
                .unwrap();
            let _ = locks_alone(&pool, ends).await;
            others_write(&format!("in autocommit, {ends:?}")).await;
        }
    }
}
