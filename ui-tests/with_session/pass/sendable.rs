//! The future can be spawned whenever the body's could, with borrowed arguments too.
#![deny(warnings, clippy::pedantic)]
#![allow(dead_code)]

use std::cell::Cell;

use steadfast::{Error, PgSession, PgSessionPool, db_error_handling, retry, with_session};

#[with_session]
#[retry]
#[db_error_handling]
async fn borrows(session: &mut PgSession, name: &str, list: &[u8]) -> Result<usize, Error> {
    sqlx::query("SELECT 1")
        .bind(name)
        .execute(&mut *session)
        .await?;
    nested(session, list).await
}

#[with_session]
async fn nested(session: &mut PgSession, list: &[u8]) -> Result<usize, Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(list.len())
}

/// `Send`, and not `Sync`.
#[derive(Clone)]
struct Counter(Cell<u8>);

#[with_session]
async fn owns(session: &mut PgSession, counter: Counter) -> Result<u8, Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    counter.0.set(1);
    Ok(counter.0.get())
}

#[with_session]
#[retry]
async fn owns_again(session: &mut PgSession, counter: Counter) -> Result<u8, Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    counter.0.set(1);
    Ok(counter.0.get())
}

#[retry]
async fn alone(counter: Counter, name: &str) -> Result<usize, Error> {
    std::future::ready(()).await;
    Ok(name.len() + usize::from(counter.0.get()))
}

fn spawns(pool: PgSessionPool) {
    tokio::spawn(async move {
        let (name, list) = (String::from("a"), vec![1, 2]);
        borrows(&pool, &name, &list).await?;
        owns(&pool, Counter(Cell::new(0))).await?;
        owns_again(&pool, Counter(Cell::new(0))).await?;
        alone(Counter(Cell::new(0)), &name).await
    });
}

/// What is not `Send` may still be used where nothing asks for it.
#[with_session]
async fn not_send(session: &mut PgSession, counter: std::rc::Rc<u8>) -> Result<u8, Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(*counter)
}

fn main() {}
