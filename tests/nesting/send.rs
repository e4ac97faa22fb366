//! The futures are `Send`, with borrowed arguments too: that each of these compiles is the test.

each_database! {
    use std::cell::Cell;
    use std::sync::Arc;
    use steadfast::{retry, with_session, Error};

    #[with_session]
    async fn borrows(session: &mut Session, name: &str, log: &mut Vec<String>) -> Result<usize, Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        log.push(name.to_owned());
        Ok(log.len())
    }

    #[with_session]
    async fn nests(session: &mut Session, name: &str, ids: &[i64]) -> Result<usize, Error> {
        let extra = [7_i64];
        let plain = keeps(&mut *session, Cell::new(1)).await?;
        let inner = retried(&mut *session, name, ids).await?;
        let saved = session.savepoint(async |session| {
            let again = retried(&mut *session, name, &extra).await?;
            session.savepoint(async |session| {
                sqlx::query("SELECT 1").execute(&mut *session).await?;
                Ok::<_, Error>(again + ids.len())
            }).await
        }).await?;
        Ok(plain + inner + saved)
    }

    #[with_session]
    #[retry(max = 2)]
    async fn retried(session: &mut Session, name: &str, ids: &[i64]) -> Result<usize, Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        Ok(name.len() + ids.len())
    }

    /// By value an argument need not be `Sync`.
    #[with_session(timeout = "10s")]
    async fn keeps(session: &mut Session, cell: Cell<usize>) -> Result<usize, Error> {
        cell.set(cell.get() + 1);
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        Ok(cell.get())
    }

    #[with_session]
    async fn generic<T: AsRef<str> + Send + Sync>(session: &mut Session, name: &T, each: impl Fn(i64) -> i64 + Send) -> Result<i64, Error> {
        let length = i64::try_from(name.as_ref().len()).unwrap();
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        Ok(each(length))
    }

    struct Service {
        pool: Pool,
        name: String,
    }

    impl Service {
        #[with_session(pool = self.pool)]
        #[retry(max = 2)]
        async fn own(&self, session: &mut Session, by: &str) -> Result<usize, Error> {
            sqlx::query("SELECT 1").execute(&mut *session).await?;
            Ok(self.name.len() + by.len())
        }

        #[with_session]
        async fn given(&self, session: &mut Session, by: &str) -> Result<usize, Error> {
            nests(&mut *session, by, &[1]).await
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn in_spawned_tasks_with_borrowed_arguments() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        let service = Arc::new(Service { pool: pool.clone(), name: "bank".to_owned() });
        let tasks = [
            tokio::spawn({
                let pool = pool.clone();
                async move {
                    let (name, ids) = (String::from("name"), vec![1, 2]);
                    let mut log = Vec::new();
                    let logged = borrows(&pool, &name, &mut log).await?;
                    Ok(nests(&pool, &name, &ids).await? + logged + log.len())
                }
            }),
            tokio::spawn({
                let (pool, service) = (pool.clone(), Arc::clone(&service));
                async move {
                    let by = String::from("me");
                    let own = service.own(&by).await?;
                    Ok(own + service.given(&pool, &by).await?)
                }
            }),
            tokio::spawn({
                let pool = Arc::new(pool.clone());
                async move {
                    let name = String::from("name");
                    let mut session = pool.begin().await?;
                    let one = keeps(&mut session, Cell::new(1)).await?;
                    let two = generic(&mut session, &name, |length| length * 2).await?;
                    session.commit().await?;
                    let three = generic(&pool, &name, |length| length).await?;
                    let four = generic(SessionPool::clone(&pool), &name, |length| length).await?;
                    Ok(one + usize::try_from(two + three + four).unwrap())
                }
            }),
        ];
        let mut sums = Vec::new();
        for task in tasks {
            let sum: Result<usize, Error> = task.await.unwrap();
            sums.push(sum.unwrap());
        }
        assert_eq!(sums, [2 + 6 + 7 + 2, 6 + 2 + 3 + 4, 2 + 8 + 4 + 4]);
        drop(service);
        assert_quiet(&pool);
    }

    use steadfast::SessionPool;
}
