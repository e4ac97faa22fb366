//! Functions that call themselves in their own session, all of them spawned.
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

use sqlx::PgConnection;
use steadfast::{
    Backend, Error, PgSession, PgSessionPool, Session, SessionPool, db_error_handling, retry,
    with_session,
};

/// Public, with documentation.
#[with_session(recursive)]
pub async fn remove(session: &mut PgSession, folder: i64) -> Result<(), Error> {
    let inside: Vec<i64> = sqlx::query_scalar("SELECT id FROM folders WHERE parent = $1")
        .bind(folder)
        .fetch_all(&mut *session)
        .await?;
    for folder in inside {
        remove(&mut *session, folder).await?;
    }
    Ok(())
}

#[with_session(recursive)]
async fn boxed_all_the_same(session: &mut PgSession, depth: u8) -> Result<(), Error> {
    if depth > 0 {
        Box::pin(boxed_all_the_same(session, depth - 1)).await?;
    }
    Ok(())
}

#[db_error_handling]
#[retry]
#[with_session(recursive, isolation = serializable)]
async fn all_three(
    session: &mut PgSession,
    name: String,
    (a, b): (u8, u8),
    items: &[u8],
    mut depth: u8,
) -> Result<u8, Error> {
    if depth > 0 {
        depth -= 1;
        return all_three(&mut *session, name, (b, a), items, depth).await;
    }
    sqlx::query("SELECT 1").bind(name).execute(session).await?;
    Ok(a + items.first().copied().unwrap_or(b))
}

#[with_session(recursive)]
async fn generic<'a, DB: Backend, T: Sync, const N: usize>(
    session: &mut Session<DB>,
    items: &'a [T; N],
    name: &str,
    depth: usize,
) -> Result<Option<&'a T>, Error> {
    if depth > name.len() {
        return generic(session, items, name, depth - 1).await;
    }
    Ok(items.first())
}

#[with_session(recursive)]
async fn with_impls(
    session: &mut PgSession,
    name: impl AsRef<str> + Clone + Send,
    depth: u8,
) -> Result<impl Iterator<Item = u8> + Send, Error> {
    if depth > 0 {
        with_impls(session, name.clone(), depth - 1).await?.count();
    }
    Ok([1, depth].into_iter())
}

#[with_session(recursive)]
async fn in_a_connection(connection: &mut PgConnection, depth: u8) -> Result<(), Error> {
    sqlx::query("SELECT 1").execute(connection).await?;
    if depth > 0 {
        return Ok(());
    }
    Err(sqlx::Error::RowNotFound.into())
}

#[tracing::instrument]
#[with_session(recursive)]
async fn instrumented_above(session: &mut PgSession, depth: u8) -> Result<(), Error> {
    if depth > 0 {
        instrumented_above(session, depth - 1).await?;
    }
    Ok(())
}

#[with_session(recursive)]
#[tracing::instrument(skip(session))]
async fn instrumented_below(session: &mut PgSession, depth: u8) -> Result<(), Error> {
    if depth > 0 {
        instrumented_below(session, depth - 1).await?;
    }
    Ok(())
}

// Two that call each other: one of them is enough.
#[with_session(recursive)]
async fn even(session: &mut PgSession, number: u8) -> Result<bool, Error> {
    if number == 0 {
        return Ok(true);
    }
    odd(session, number - 1).await
}

#[with_session]
async fn odd(session: &mut PgSession, number: u8) -> Result<bool, Error> {
    if number == 0 {
        return Ok(false);
    }
    even(session, number - 1).await
}

/// A repository.
#[derive(Clone, Debug)]
pub struct Folders {
    pool: PgSessionPool,
    name: String,
}

/// Its interface.
pub trait Tree: Sync {
    /// Declared.
    #[with_session(recursive)]
    async fn walk(&self, session: &mut PgSession, depth: u8) -> Result<&str, Error>;

    /// Provided.
    #[with_session(recursive)]
    async fn walk_twice(&self, session: &mut PgSession, depth: u8) -> Result<&str, Error> {
        if depth > 0 {
            self.walk_twice(&mut *session, depth - 1).await?;
        }
        self.walk(session, depth).await
    }

    /// Declared without the option.
    #[allow(async_fn_in_trait)]
    #[with_session]
    async fn climb(&self, session: &mut PgSession, depth: u8) -> Result<&str, Error>;
}

impl Tree for Folders {
    #[with_session(recursive)]
    async fn walk(&self, session: &mut PgSession, depth: u8) -> Result<&str, Error> {
        if depth > 0 {
            self.walk(session, depth - 1).await?;
        }
        Ok(&self.name)
    }

    #[with_session(recursive)]
    #[retry]
    async fn climb(&self, session: &mut PgSession, depth: u8) -> Result<&str, Error> {
        if depth > 0 {
            Self::climb(self, session, depth - 1).await?;
        }
        Ok(&self.name)
    }
}

impl Folders {
    #[with_session(recursive, pool = self.pool)]
    #[retry]
    async fn by_value(mut self, session: &mut PgSession, depth: u8) -> Result<String, Error> {
        sqlx::query("SELECT 1").execute(session).await?;
        self.name.push('!');
        if depth > 0 {
            return self.by_value(depth - 1).await;
        }
        Ok(self.name)
    }

    #[with_session(recursive)]
    async fn by_exclusive_reference(
        &mut self,
        session: &mut PgSession,
        depth: u8,
    ) -> Result<&mut String, Error> {
        if depth > 0 {
            return self.by_exclusive_reference(session, depth - 1).await;
        }
        Ok(&mut self.name)
    }
}

// What only looks like a call of itself.
mod other {
    use super::{Error, PgSession, with_session};

    #[with_session]
    pub(crate) async fn find(session: &mut PgSession) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(session).await?;
        Ok(())
    }
}

#[with_session]
async fn find(session: &mut PgSession) -> Result<(), Error> {
    other::find(&mut *session).await?;
    {
        use other::find;
        find(&mut *session).await?;
    }
    Folders::find(&mut *session).await
}

impl Folders {
    #[with_session]
    async fn find(session: &mut PgSession) -> Result<(), Error> {
        other::find(session).await
    }

    #[with_session]
    async fn remove(&self, session: &mut PgSession, folder: i64) -> Result<(), Error> {
        remove(session, folder).await
    }
}

fn sends(pool: PgSessionPool, mut folders: Folders) {
    tokio::spawn(async move {
        let (items, name) = ([1], String::from("a"));
        remove(&pool, 1).await?;
        boxed_all_the_same(&pool, 1).await?;
        all_three(&pool, name.clone(), (1, 2), &items, 3).await?;
        generic(&pool, &items, &name, 3).await?;
        with_impls(&pool, &name, 3).await?.count();
        in_a_connection(&pool, 3).await?;
        instrumented_above(&pool, 3).await?;
        instrumented_below(&pool, 3).await?;
        even(&pool, 3).await?;
        odd(&pool, 3).await?;
        folders.walk(&pool, 3).await?;
        folders.walk_twice(&pool, 3).await?;
        folders.climb(&pool, 3).await?;
        folders.by_exclusive_reference(&pool, 3).await?;
        find(&pool).await?;
        folders.remove(&pool, 1).await?;
        folders.by_value(3).await
    });
}

fn sends_any<DB: Backend>(pool: SessionPool<DB>) {
    tokio::spawn(async move {
        let name = String::from("a");
        let found = generic(&pool, &[1], &name, 3).await?.copied();
        Ok::<_, Error>(found)
    });
}

fn main() {}
