//! Every shape of a method.

// Trap 2: self-invocation or a private method skips the wrapper.
#![deny(
    warnings,
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    rust_2018_idioms
)]
#![forbid(unsafe_code)]
#![allow(dead_code)]

use std::sync::Arc;

use steadfast::{Error, PgSession, PgSessionPool, db_error_handling, retry, with_session};

/// A service.
#[derive(Clone)]
pub struct Bank {
    pool: PgSessionPool,
    shared: Arc<PgSessionPool>,
    name: String,
}

impl Bank {
    fn pool(&self) -> PgSessionPool {
        self.pool.clone()
    }

    /// From a field.
    #[with_session(pool = self.pool)]
    #[retry]
    pub async fn by_reference(&self, session: &mut PgSession, id: i64) -> Result<i64, Error> {
        sqlx::query("SELECT 1")
            .bind(&self.name)
            .execute(session)
            .await?;
        Ok(id)
    }

    #[with_session(pool = self.pool())]
    async fn from_a_method(&self, session: &mut PgSession) -> Result<&str, Error> {
        sqlx::query("SELECT 1").execute(session).await?;
        Ok(&self.name)
    }

    #[with_session(pool = self.shared)]
    async fn from_an_arc(self: Arc<Self>, session: &mut PgSession) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(session).await?;
        drop(self);
        Ok(())
    }

    #[with_session(pool = self.pool)]
    #[retry]
    async fn by_value(self, session: &mut PgSession) -> Result<String, Error> {
        sqlx::query("SELECT 1").execute(session).await?;
        let Self { name, .. } = self;
        Ok(name)
    }

    #[retry]
    #[with_session]
    async fn by_mutable_value(mut self, session: &mut PgSession) -> Result<String, Error> {
        sqlx::query("SELECT 1").execute(session).await?;
        self.name.push('!');
        Ok(self.name)
    }

    #[with_session]
    async fn by_exclusive_reference(
        &mut self,
        session: &mut PgSession,
        more: &str,
    ) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(session).await?;
        self.name.push_str(more);
        Ok(())
    }

    #[with_session]
    #[retry]
    async fn uses_nothing(self, session: &mut PgSession) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(session).await?;
        Ok(())
    }

    #[with_session]
    async fn associated(session: &mut PgSession) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(session).await?;
        Ok(())
    }
}

/// A repository.
#[allow(async_fn_in_trait)]
pub trait Accounts {
    /// Declared.
    #[with_session]
    async fn find(&self, session: &mut PgSession, id: i64) -> Result<i64, Error>;

    /// Declared without the parameter.
    #[with_session(pool = self.pool)]
    #[retry]
    #[db_error_handling]
    async fn count(&self, session: &mut PgSession) -> Result<i64, Error>;

    /// Declared with its receiver by value.
    #[with_session(pool = self.pool)]
    #[retry]
    async fn count_once(self, session: &mut PgSession) -> Result<i64, Error>
    where
        Self: Sized + Clone;

    /// Provided.
    #[with_session(read_only)]
    #[retry]
    #[db_error_handling]
    async fn find_both(&self, session: &mut PgSession, ids: [i64; 2]) -> Result<i64, Error> {
        let first = self.find(&mut *session, ids[0]).await?;
        Ok(first + self.find(session, ids[1]).await?)
    }
}

impl Accounts for Bank {
    #[with_session]
    async fn find(&self, session: &mut PgSession, id: i64) -> Result<i64, Error> {
        sqlx::query("SELECT 1").execute(session).await?;
        Ok(id)
    }

    #[with_session(pool = self.pool)]
    #[retry]
    async fn count(&self, session: &mut PgSession) -> Result<i64, Error> {
        sqlx::query("SELECT 1").execute(session).await?;
        Ok(0)
    }

    #[with_session(pool = self.pool)]
    #[retry]
    async fn count_once(self, session: &mut PgSession) -> Result<i64, Error> {
        sqlx::query("SELECT 1").execute(session).await?;
        Ok(0)
    }
}

/// A handler's argument, as web frameworks have it.
#[derive(Clone)]
struct State<T>(T);

#[with_session(pool = state.pool)]
async fn handler(session: &mut PgSession, State(state): State<Bank>) -> Result<String, Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    let bank = state;
    Ok(bank.name)
}

#[with_session(pool = state.pool)]
#[retry]
async fn retried_handler(
    session: &mut PgSession,
    State(state): State<Bank>,
    (a, mut b): (u8, u8),
) -> Result<u8, Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    b += a;
    Ok(b)
}

async fn calls(bank: Bank) -> Result<(), Error> {
    bank.by_reference(1).await?;
    bank.from_a_method().await?;
    Arc::new(bank.clone()).from_an_arc().await?;
    bank.find_both(&bank.pool, [1, 2]).await?;
    bank.count().await?;
    handler(State(bank.clone())).await?;
    retried_handler(State(bank), (1, 2)).await?;
    Ok(())
}

fn main() {}
