//! Existing helpers in three styles, none of which has heard of steadfast.

/// How a helper ends the transaction that it has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Commit,
    Rollback,
    Drop,
}

pub const ENDINGS: [Ending; 3] = [Ending::Commit, Ending::Rollback, Ending::Drop];

/// To be used inside `each_database!`.
macro_rules! helpers {
    () => {
        use sqlx::{Connection as _, Executor, Transaction};
        #[allow(unused_imports)]
        use $crate::lending::helpers::{ENDINGS, Ending};

        #[allow(dead_code)]
        async fn insert(executor: impl Executor<'_, Database = Db>, id: i64) -> sqlx::Result<()> {
            sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)"))
                .bind(id)
                .bind(id.to_string())
                .execute(executor)
                .await?;
            Ok(())
        }

        #[allow(dead_code)]
        async fn end(transaction: Transaction<'_, Db>, ending: Ending) -> sqlx::Result<()> {
            match ending {
                Ending::Commit => transaction.commit().await,
                Ending::Rollback => transaction.rollback().await,
                Ending::Drop => {
                    drop(transaction);
                    Ok(())
                }
            }
        }

        /// Takes the connection itself.
        #[allow(dead_code)]
        async fn by_connection(
            connection: &mut Connection,
            id: i64,
            ending: Ending,
        ) -> sqlx::Result<()> {
            let mut transaction = connection.begin().await?;
            insert(&mut *transaction, id).await?;
            end(transaction, ending).await
        }

        /// Takes whatever a transaction can be begun on.
        #[allow(dead_code)]
        async fn by_acquire<'a>(
            source: impl sqlx::Acquire<'a, Database = Db>,
            id: i64,
            ending: Ending,
        ) -> sqlx::Result<()> {
            let mut transaction = source.begin().await?;
            insert(&mut *transaction, id).await?;
            end(transaction, ending).await
        }

        /// Takes the same, and gets a connection of it first.
        #[allow(dead_code)]
        async fn by_acquired<'a>(
            source: impl sqlx::Acquire<'a, Database = Db>,
            id: i64,
            ending: Ending,
        ) -> sqlx::Result<()> {
            let mut connection = source.acquire().await?;
            let mut transaction = connection.begin().await?;
            insert(&mut *transaction, id).await?;
            end(transaction, ending).await
        }

        /// A transaction in a transaction: the outer one writes `id`, the inner one `id + 1`.
        #[allow(dead_code)]
        async fn twice(
            connection: &mut Connection,
            id: i64,
            inner: Ending,
            outer: Ending,
        ) -> sqlx::Result<()> {
            let mut transaction = connection.begin().await?;
            insert(&mut *transaction, id).await?;
            by_connection(&mut transaction, id + 1, inner).await?;
            end(transaction, outer).await
        }

        #[allow(dead_code)]
        async fn notes(place: &Place) -> Vec<i64> {
            sqlx::query_scalar("SELECT id FROM notes ORDER BY id")
                .fetch_all(&place.plain)
                .await
                .unwrap()
        }
    };
}
