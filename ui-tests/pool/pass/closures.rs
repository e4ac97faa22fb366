//! Managed closures in the shapes in which they are written.

use std::time::Duration;

use steadfast::{Backend, Error, Isolation, PgSession, PgSessionPool, RetryPolicy, SessionPool};

async fn borrows(pool: &PgSessionPool, name: &str, log: &mut Vec<String>) -> sqlx::Result<usize> {
    pool.session("closures::borrows", async |session| {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        log.push(name.to_owned());
        Ok(log.len())
    })
    .await
}

async fn retries(pool: &PgSessionPool, name: &str) -> anyhow::Result<usize> {
    pool.operation("closures::retries")
        .isolation(Isolation::RepeatableRead)
        .timeout(Duration::from_secs(5))
        .lock_timeout(Duration::from_secs(1))
        .statement_timeout(Duration::from_secs(1))
        .retry(RetryPolicy::fixed())
        .read_only()
        .run(async |session: &mut PgSession| {
            anyhow::ensure!(!name.is_empty(), "no name");
            sqlx::query("SELECT 1").execute(&mut *session).await?;
            Ok(name.len())
        })
        .await
}

async fn any_database<DB: Backend>(pool: &SessionPool<DB>) -> Result<u64, Error> {
    pool.session("closures::any", async |session| Ok(session.id()))
        .await
}

async fn nested(pool: &PgSessionPool) -> Result<usize, Error> {
    let name = String::from("name");
    let mut log = Vec::new();
    let one = borrows(pool, &name, &mut log).await?;
    let two = pool
        .session("closures::sendable", async |session| {
            sqlx::query("SELECT 1").execute(&mut *session).await?;
            Ok::<_, Error>(name.len())
        })
        .await?;
    any_database(pool).await?;
    Ok(one + two)
}

fn sendable(_: impl Future + Send) {}

fn main() {
    let _ = |pool: &PgSessionPool| {
        sendable(retries(pool, "name"));
        sendable(nested(pool));
    };
}
