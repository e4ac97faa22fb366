//! What is done on every stage. Macros, because the type of a session names its database.

/// What the sessions of a stage do: they write a row, so that something is there to be undone, and run their statements.
macro_rules! steps {
    () => {
        async fn all(session: &mut Session, statements: &[&'static str]) -> Result<(), Error> {
            sqlx::query("INSERT INTO work VALUES (1)")
                .execute(&mut *session)
                .await?;
            for statement in statements {
                sqlx::query(*statement).fetch_all(&mut *session).await?;
            }
            Ok(())
        }

        #[with_session]
        async fn work(session: &mut Session, statements: &[&'static str]) -> Result<(), Error> {
            all(session, statements).await
        }
    };
}

/// The same for a stage that is a place on a server.
macro_rules! server_steps {
    () => {
        steps!();

        #[with_session]
        async fn raised(session: &mut Session, raise: String) -> Result<(), Error> {
            all(session, &[]).await?;
            sqlx::query(AssertSqlSafe(raise))
                .execute(&mut *session)
                .await?;
            Ok(())
        }

        impl super::Stage for Stage {
            fn run<'a>(
                &'a self,
                statements: &'a [&'static str],
            ) -> BoxFuture<'a, Result<(), Error>> {
                Box::pin(work(&self.pool, statements))
            }

            fn kept(&self) -> BoxFuture<'_, i64> {
                Box::pin(async {
                    eventually("no transaction is open", || async {
                        self.place.open_transactions().await == 0
                    })
                    .await;
                    let removed = sqlx::query("DELETE FROM work").execute(&self.place.plain);
                    removed.await.unwrap().rows_affected() as i64
                })
            }
        }
    };
}
