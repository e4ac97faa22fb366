//! A pool beside one of sqlx's.

use super::SessionPool;
use super::address::quiet;
use super::critical::Watcher;
use super::settings::{MOST_CONNECTIONS, Settings};
use crate::backend::Backend;

/// A pool with the connect options and limits of one of sqlx's, and connections of its own. Sends nothing.
///
/// Taken over: the connect options as they are now, `max_connections`, `min_connections`, `acquire_timeout`,
/// `idle_timeout` and `max_lifetime`. sqlx's pool goes on by itself; while both are open the server sees the
/// connections of both.
///
/// **Not** taken over: `after_connect`, `before_acquire` and `after_release`. sqlx does not hand out these closures: where there
/// is one, build the pool with [`builder`](SessionPool::builder), `primary_with(pool.connect_options())` and
/// [`after_connect`](crate::PoolBuilder::after_connect).
///
/// From a closed pool comes a closed one: every session on it answers `Closed`.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # async fn example(existing: sqlx::PgPool) -> Result<(), steadfast::Error> {
/// use steadfast::PgSessionPool;
///
/// let pool = PgSessionPool::from(existing.clone());
/// sqlx::query("SELECT 1").execute(&pool).await?;
/// # Ok(()) }
/// ```
impl<DB: Backend> From<sqlx::Pool<DB>> for SessionPool<DB> {
    fn from(existing: sqlx::Pool<DB>) -> Self {
        let limits = existing.options();
        // sqlx compares neither with anything.
        let max_connections = limits.get_max_connections().min(MOST_CONNECTIONS);
        let settings = Settings {
            max_connections,
            min_connections: limits.get_min_connections().min(max_connections),
            acquire_timeout: limits.get_acquire_timeout(),
            idle_timeout: limits.get_idle_timeout(),
            max_lifetime: limits.get_max_lifetime(),
            ..Settings::default()
        };
        let options = quiet(DB::shared((*existing.connect_options()).clone()));
        let pool = Self::open(options, settings.within_reach(), None, Watcher::default());
        if existing.is_closed() {
            pool.shared.refuse_work();
        }
        pool
    }
}
