//! The futures of managed closures are `Send`, with borrowed captures too: that each of these compiles is the test.

each_database! {
    use std::time::Duration;
    use steadfast::{with_session, Error, Isolation, RetryPolicy};

    #[with_session]
    async fn inner(session: &mut Session, name: &str) -> Result<usize, Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        Ok(name.len())
    }

    async fn generic<T: AsRef<str> + Sync>(pool: &Pool, name: &T) -> Result<usize, Error> {
        pool.session("send::generic", async |session| inner(session, name.as_ref()).await).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn in_spawned_tasks_with_borrowed_captures() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        let borrowed = tokio::spawn({
            let pool = pool.clone();
            async move {
                let (name, ids) = (String::from("name"), [1_i64, 2]);
                let mut log = Vec::new();
                // By `&` and by `&mut`, both across an await.
                let once = pool.session("send::once", async |session| {
                    for id in &ids {
                        sqlx::query(sql("UPDATE accounts SET cents = cents + 1 WHERE id = $1")).bind(id)
                            .execute(&mut *session).await?;
                        log.push(name.as_str());
                    }
                    let saved = session.savepoint(async |session| inner(session, &name).await).await?;
                    Ok::<_, Error>(saved)
                }).await?;
                let more = pool.operation("send::retried")
                    .isolation(Isolation::Serializable)
                    .timeout(Duration::from_secs(20))
                    .retry(RetryPolicy::exponential())
                    .run(async |session| {
                        let name = &name;
                        sqlx::query("SELECT 1").execute(&mut *session).await?;
                        Ok::<_, Error>(inner(session, name).await? + ids.len())
                    }).await?;
                Ok::<_, Error>(once + more + log.len() + generic(&pool, &name).await?)
            }
        });
        // Owned captures, and a closure that is kept in a variable.
        let owned = tokio::spawn({
            let pool = pool.clone();
            async move {
                let name = String::from("owned");
                let body = async move |session: &mut Session| {
                    sqlx::query("SELECT 1").execute(&mut *session).await?;
                    Ok::<_, Error>(name.len())
                };
                let again = body.clone();
                let one = pool.session("send::owned", body).await?;
                Ok::<_, Error>(one + pool.operation("send::owned").retry(RetryPolicy::immediate()).run(again).await?)
            }
        });
        assert_eq!(borrowed.await.unwrap().unwrap(), 4 + 6 + 2 + 4);
        assert_eq!(owned.await.unwrap().unwrap(), 10);
        assert_quiet(&pool);
        assert_eq!(place.cents(2).await, 1001);
    }
}
