//! Hooks in the shapes in which they are written: they own what they need, and what needs the database takes the pool.

use steadfast::{Error, Outcome, PgSession, PgSessionPool, with_session};

async fn tell(customer: String) -> Result<(), std::fmt::Error> {
    tokio::task::yield_now().await;
    if customer.is_empty() {
        return Err(std::fmt::Error);
    }
    Ok(())
}

#[with_session]
async fn mark(session: &mut PgSession) -> Result<(), Error> {
    sqlx::query("UPDATE orders SET told = true")
        .execute(&mut *session)
        .await?;
    Ok(())
}

#[with_session]
async fn order(session: &mut PgSession, pool: &PgSessionPool, customer: &str) -> Result<(), Error> {
    session.on_commit(tell(customer.to_owned()));
    session.on_commit(async { println!("the order stands") });
    let pool = pool.clone();
    session.on_commit(async move { mark(&pool).await });
    session.on_rollback(async { Err::<(), _>("nobody is told") });
    session.on_end(|outcome: Outcome| println!("{outcome}"));
    let name = customer.to_owned();
    session
        .savepoint(async move |session| {
            session.on_commit(tell(name));
            Ok::<_, Error>(())
        })
        .await?;
    Ok(())
}

fn sendable(_: impl Future + Send) {}

fn main() {
    let _ = |pool: &PgSessionPool| sendable(order(pool, pool, "customer"));
}
