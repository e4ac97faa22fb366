//! A connection taken and given back by hand.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::SessionPool;
use super::custody::Custody;
use super::registry::Entry;
use crate::backend::Backend;
use crate::error::{Category, Error, Outcome, Phase};
use crate::operation::Operation;

/// A connection of the pool, taken by hand: [`SessionPool::acquire`], and [`SessionPool::release`] or a drop.
///
/// It derefs to sqlx's connection, so `&mut *lease` goes wherever `&mut PgConnection` or one of its siblings does, and
/// `lease.begin()` (sqlx's `Connection`) is a transaction like on any connection. There is no session around it:
/// nothing is refused, nothing is watched, nobody retries, and no deadline holds. On SQLite it does not queue among the
/// writers: a statement that meets another one answers `BUSY` after 25 ms.
///
/// # Guarantee
/// However it ends, the next user of the connection finds nothing of it. Released, or dropped anywhere (without a
/// runtime, after the end of its runtime, in mid-statement, in mid-transaction, with a transaction leaked), the
/// connection is cleaned and proven clean, or closed. Its slot is free within a second.
///
/// | what may be left | PostgreSQL | MariaDB | SQLite |
/// |---|---|---|---|
/// | a running statement | cancelled | cancelled | stopped |
/// | an open transaction | rolled back | rolled back | rolled back |
/// | settings, roles (`SET`, `PRAGMA`) | reset | **closed** | **closed** |
/// | temporary tables | dropped | **closed** | **closed** |
/// | locks of the session: advisory, `GET_LOCK`, `LOCK TABLES` | released | released; others **closed** | |
/// | cursors, `LISTEN`, the state of sequences | ended | | |
/// | `PREPARE` in SQL | deallocated | **closed** | |
/// | variables (`@name`), another database (`USE`), `HANDLER`, XA | | **closed** | |
/// | attached databases, functions, collations | | | **closed** |
/// | hooks on the handle | | | set back |
///
/// **Closed** means that the pool opens another connection when it needs one. So it does wherever the answer is in doubt:
/// also after any other statement than the plain ones for data and tables on MariaDB, after every lease on MySQL (which
/// shows neither variables nor temporary tables), and where the server does not answer in time.
///
/// What is reset goes back to what it was when the connection was new: `after_connect` runs on it again.
///
/// **Left**, because it harms nobody or nobody can see it: on PostgreSQL what sqlx remembers of the types that a lease has
/// looked up by name (do not use types that another `search_path` has put in place of others of that name), loaded
/// libraries, the seed of `random()`, and custom settings (`SET my.name`) as an empty text; there and on MariaDB a
/// prepared two-phase transaction, which is the server's; `LAST_INSERT_ID()`, `last_insert_rowid()` and their kind; on
/// SQLite a preupdate hook, and a function or collation that took the place of another of that name.
///
/// # Cost
/// Taking it: nothing on PostgreSQL, one round trip on MySQL and MariaDB. Giving it back: three on PostgreSQL, one more
/// where sqlx has prepared statements (and with `after_connect` two more, and its own), five on MariaDB; SQLite some
/// tens of microseconds.
///
/// # Cancellation
/// A statement dropped on the lease leaves it as sqlx does; whatever is left in flight is ended with the lease.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # async fn example(pool: steadfast::PgSessionPool) -> Result<(), steadfast::Error> {
/// use sqlx::Connection as _;
///
/// let mut lease = pool.acquire().await?;
/// let mut transaction = lease.begin().await?;
/// sqlx::query("DELETE FROM drafts").execute(&mut *transaction).await?;
/// transaction.commit().await?;
/// pool.release(lease).await?;
/// # Ok(()) }
/// ```
pub struct Lease<DB: Backend> {
    custody: Custody<DB>,
}

/// What leases are counted as.
static BY_HAND: Operation = Operation::new("steadfast::acquire");

impl<DB: Backend> SessionPool<DB> {
    /// Takes a connection by hand. [`Lease`] says what becomes of it afterwards; [`session`](Self::session) and
    /// [`begin`](Self::begin) are the doors that end a transaction for you.
    ///
    /// # Errors
    /// Those of waiting for a connection.
    ///
    /// # Cost
    /// None on PostgreSQL and SQLite, one round trip on MySQL and MariaDB.
    ///
    /// # Cancellation
    /// Dropped, it gives up its place, or the connection.
    pub async fn acquire(&self) -> Result<Lease<DB>, Error> {
        Lease::take(self, &BY_HAND, false).await
    }

    /// Gives a lease back, and answers when its connection is clean, or closed, and its slot free. A lease of another
    /// pool goes back to that one.
    ///
    /// # Errors
    /// `Programming`, outcome `RolledBack`, where a transaction was still open, which is undone. The same, outcome
    /// `NotSent`, where there is no runtime: the connection is cleaned where it lives.
    ///
    /// That a connection was closed because it could not be cleaned is no error.
    ///
    /// # Cost
    /// See [`Lease`]. A second at most.
    ///
    /// # Cancellation
    /// Dropped, it goes on without its caller.
    pub async fn release(&self, mut lease: Lease<DB>) -> Result<(), Error> {
        lease.give_back().await
    }
}

impl<DB: Backend> Lease<DB> {
    pub(super) async fn take(
        pool: &SessionPool<DB>,
        operation: &'static Operation,
        queues: bool,
    ) -> Result<Self, Error> {
        let entry = Entry::new(operation, false);
        entry.next_attempt();
        let mut custody = Custody::leased(pool.clone(), entry, queues);
        let taken = custody.lend().await.map(drop);
        // From here on a drop is as good an end as any.
        custody
            .entry()
            .answered(taken.as_ref().err().map(Error::category));
        taken.map(|()| Self { custody })
    }

    pub(super) async fn give_back(&mut self) -> Result<(), Error> {
        let given = match self.custody.take_back().await {
            Ok(Outcome::RolledBack) => Err(left_open()),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        self.custody
            .entry()
            .answered(given.as_ref().err().map(Error::category));
        given
    }

    /// The id that [`SessionPool::sessions`] lists it under.
    pub fn id(&self) -> u64 {
        self.custody.entry().id
    }
}

fn left_open() -> Error {
    Error::new(
        Category::Programming,
        Phase::Rollback,
        "the lease was released with a transaction open, which was rolled back",
    )
    .with_help("commit it before `release`, or drop the lease where its work shall go")
    .with_outcome(Outcome::RolledBack)
}

const LENT: &str = "a lease has its connection until it is given back";

impl<DB: Backend> Deref for Lease<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self.custody.lent() {
            Some(connection) => connection,
            None => unreachable!("{LENT}"),
        }
    }
}

impl<DB: Backend> DerefMut for Lease<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self.custody.machine().wire() {
            Some(wire) => &mut wire.connection,
            None => unreachable!("{LENT}"),
        }
    }
}

impl<DB: Backend> fmt::Debug for Lease<DB> {
    /// Name and id: `#[tracing::instrument]` records every argument.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Lease")
            .field("operation", &self.custody.entry().operation.name())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
