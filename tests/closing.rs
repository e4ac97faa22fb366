//! What is listed, what `close()` waits for, and that it leaves nothing open.

use std::time::Duration;

/// Far less than the half minute that sessions are waited for.
const AT_ONCE: Duration = Duration::from_secs(3);

/// What holds and waits for nothing is nobody's concern.
mod listing {
    each_database! {
        use std::time::Duration;
        use super::super::AT_ONCE;
        use std::sync::Arc;
        use steadfast::{with_session, Category, Error};
        use tokio::sync::Semaphore;
        use tokio::time::timeout;

        /// Holds a connection until the semaphore is closed.
        #[with_session(read_only)]
        async fn hold(session: &mut Session, until: Arc<Semaphore>) -> Result<(), Error> {
            sqlx::query("SELECT 1").execute(&mut *session).await?;
            let _ = until.acquire().await;
            Ok(())
        }

        /// Gets no connection, tells so, and goes on without one.
        #[with_session(read_only)]
        async fn shrugs(session: &mut Session, told: Arc<Semaphore>, until: Arc<Semaphore>) -> Result<(), Error> {
            let error = Error::from(sqlx::query("SELECT 1").execute(&mut *session).await.unwrap_err());
            assert_eq!(error.category(), Category::Capacity, "{error}");
            told.add_permits(1);
            let _ = until.acquire().await;
            Ok(())
        }

        fn closed_later() -> Arc<Semaphore> {
            Arc::new(Semaphore::new(0))
        }

        #[tokio::test]
        async fn a_body_that_got_no_connection_and_goes_on_is_not_waited_for() {
            let place = Place::new().await;
            let pool = place.builder(1).acquire_timeout(Duration::from_secs(1)).connect().await.unwrap();
            let (holding, told, shrugging) = (closed_later(), closed_later(), closed_later());
            let holder = tokio::spawn({
                let (pool, until) = (pool.clone(), Arc::clone(&holding));
                async move { hold(&pool, until).await }
            });
            eventually("the connection is taken", || async { pool.stats().in_use == 1 }).await;
            let call = tokio::spawn({
                let (pool, told, until) = (pool.clone(), Arc::clone(&told), Arc::clone(&shrugging));
                async move { shrugs(&pool, told, until).await }
            });
            told.acquire().await.unwrap().forget();
            holding.close();
            holder.await.unwrap().unwrap();
            let listed = pool.sessions();
            assert!(listed.is_empty(), "{listed:?}");
            let report = timeout(AT_ONCE, pool.close()).await.expect("nobody is to be waited for");
            assert!(report.is_clean(), "{report:?}");
            assert!(!call.is_finished(), "its body goes on");
            shrugging.close();
            let _ = call.await.unwrap();
        }

        #[tokio::test]
        async fn nor_is_a_session_by_hand_that_got_none() {
            let place = Place::new().await;
            let pool = place.builder(1).acquire_timeout(Duration::from_secs(1)).connect().await.unwrap();
            let holding = closed_later();
            let holder = tokio::spawn({
                let (pool, until) = (pool.clone(), Arc::clone(&holding));
                async move { hold(&pool, until).await }
            });
            eventually("the connection is taken", || async { pool.stats().in_use == 1 }).await;
            let mut session = pool.begin().await.unwrap();
            let error = Error::from(sqlx::query("SELECT 1").execute(&mut session).await.unwrap_err());
            assert_eq!(error.category(), Category::Capacity, "{error}");
            holding.close();
            holder.await.unwrap().unwrap();
            let listed = pool.sessions();
            assert!(listed.is_empty(), "{listed:?}");
            let report = timeout(AT_ONCE, pool.close()).await.expect("nobody is to be waited for");
            assert!(report.is_clean(), "{report:?}");
            drop(session);
        }
    }
}

mod connections {
    each_server! {
        use steadfast::{with_session, Error};
        use tokio::task::JoinHandle;

        #[with_session]
        async fn waits(session: &mut Session) -> Result<(), Error> {
            sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'never')").execute(&mut *session).await?;
            sqlx::query(SLOW).execute(&mut *session).await?;
            Ok(())
        }

        /// A place whose plain pool has one connection, so that all others are the pool's under test.
        async fn with_one_plain() -> Place {
            let mut place = Place::new().await;
            place.plain.close().await;
            let options = (*place.plain.connect_options()).clone();
            place.plain = sqlx::pool::PoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
            place
        }

        async fn under_way(place: &Place, pool: &Pool) -> JoinHandle<Result<(), Error>> {
            let call = tokio::spawn({
                let pool = pool.clone();
                async move { waits(&pool).await }
            });
            place.slow_is_running().await;
            call
        }

        /// The pool itself is still there: what it has open goes with `close`, and not with its last handle.
        async fn nothing_is_open(place: &Place, pool: &Pool) {
            eventually("no connection is left on the server", || async { place.connections().await == 0 }).await;
            assert!(pool.is_closed());
            assert_eq!(place.count("notes").await, 0);
        }

        /// Gives up waiting for sessions, after half a minute that passes at once.
        async fn close_in_vain(pool: &Pool) {
            tokio::time::pause();
            let report = pool.close().await;
            tokio::time::resume();
            assert_eq!(report.left.len(), 1, "{report:?}");
        }

        #[tokio::test]
        async fn none_is_left_where_the_reaper_cancels_after_close() {
            let place = with_one_plain().await;
            let pool = place.pool(2).await;
            let call = under_way(&place, &pool).await;
            assert_eq!(place.connections().await, 2, "the session's, and the one for cancels");
            close_in_vain(&pool).await;
            call.abort();
            quiet(&pool).await;
            assert_eq!(pool.stats().reaped, 1);
            nothing_is_open(&place, &pool).await;
        }

        #[tokio::test]
        async fn none_is_left_where_close_was_dropped_half_way_and_called_again() {
            let place = with_one_plain().await;
            let pool = place.pool(2).await;
            let call = under_way(&place, &pool).await;
            drop_when(eventually("it is closed and waits for the call", || async { pool.is_closed() }), pool.close()).await;
            call.abort();
            quiet(&pool).await;
            assert!(pool.close().await.is_clean());
            nothing_is_open(&place, &pool).await;
        }

        #[tokio::test]
        async fn none_is_left_where_close_was_dropped_half_way_and_called_again_in_vain() {
            let place = with_one_plain().await;
            let pool = place.pool(2).await;
            let call = under_way(&place, &pool).await;
            drop_when(eventually("it is closed and waits for the call", || async { pool.is_closed() }), pool.close()).await;
            close_in_vain(&pool).await;
            call.abort();
            quiet(&pool).await;
            nothing_is_open(&place, &pool).await;
        }
    }
}

/// Whoever is just connecting waits for a connection too.
mod connecting {
    each_server! {
        use super::super::AT_ONCE;
        use steadfast::Category;
        use tokio::time::timeout;
        use xtask::proxy::Proxy;

        #[tokio::test]
        async fn is_told_that_the_pool_is_closed() {
            let place = Place::new().await;
            let proxy = Proxy::before(&place.url).unwrap();
            let pool = Pool::builder().primary(proxy.url()).max_connections(1).connect_lazy().unwrap();
            proxy.hold();
            let call = tokio::spawn({
                let pool = pool.clone();
                async move { pool.begin().await.unwrap().raw().await.map(drop) }
            });
            eventually("it is connecting", || async { proxy.reports().len() == 1 }).await;
            let report = timeout(AT_ONCE, pool.close()).await.expect("nobody holds a connection");
            assert!(report.is_clean(), "{report:?}");
            let error = timeout(AT_ONCE, call).await.expect("it waits for nobody").unwrap().unwrap_err();
            assert_eq!(error.category(), Category::Closed, "{error}");
        }
    }
}
