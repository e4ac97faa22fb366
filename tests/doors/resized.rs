//! Another number of connections for a pool at work.

each_database! {
    use std::time::Duration;
    use steadfast::{Category, Error};

    async fn opened(pool: &Pool) -> steadfast::Session<Db> {
        let mut session = pool.begin().await.unwrap();
        sqlx::query("SELECT 1").execute(&mut session).await.unwrap();
        session
    }

    async fn read(pool: &Pool) -> Result<(), Error> {
        pool.operation("resized::read").read_only().run(async |session| {
            sqlx::query("SELECT 1").execute(&mut *session).await?;
            Ok(())
        }).await
    }

    /// Readers, for SQLite has one writer at a time.
    async fn reads(pool: &Pool, gate: &tokio::sync::Semaphore) -> Result<(), Error> {
        pool.operation("resized::reads").read_only().run(async |session| {
            sqlx::query("SELECT 1").execute(&mut *session).await?;
            gate.acquire().await.unwrap().forget();
            sqlx::query("SELECT 1").execute(&mut *session).await?;
            Ok(())
        }).await
    }

    #[tokio::test]
    async fn bad_numbers_are_errors() {
        let place = Place::new().await;
        let pool = place.builder(4).min_connections(2).connect().await.unwrap();
        for (number, word) in [(0, "`close`"), (1, "`min_connections(2)`"), (65_536, "65535"), (u32::MAX, "65535")] {
            let error = pool.resize(number).unwrap_err();
            assert_eq!(error.category(), Category::Programming, "{number}");
            assert!(error.to_string().contains(word), "{error}");
        }
        assert_eq!(pool.stats().max, 4);
        assert!(pool.close().await.is_clean());
        assert_eq!(pool.resize(3).unwrap_err().category(), Category::Closed);
    }

    #[tokio::test]
    async fn fewer_cut_no_session() {
        let place = Place::new().await;
        let pool = place.pool(4).await;
        let gate = tokio::sync::Semaphore::new(0);
        let readers = futures_util::future::join_all((0..4).map(|_| reads(&pool, &gate)));
        let resize = async {
            eventually("four are open", || async { pool.stats().in_use == 4 }).await;
            pool.resize(2).unwrap();
            assert_eq!((pool.stats().max, pool.stats().in_use, pool.stats().size), (2, 4, 4));
            // Who comes now waits until two have gone.
            let late = tokio::spawn({
                let pool = pool.clone();
                async move { read(&pool).await }
            });
            eventually("one waits", || async { pool.stats().waiting == 1 }).await;
            gate.add_permits(1);
            eventually("three are left", || async { pool.stats().size == 3 }).await;
            assert!(!late.is_finished());
            gate.add_permits(3);
            late.await.unwrap().unwrap();
        };
        let (read, ()) = tokio::join!(readers, resize);
        assert!(read.iter().all(Result::is_ok), "{read:?}");
        assert_quiet(&pool);
        assert_eq!((pool.stats().size, pool.stats().max), (2, 2));
    }

    /// deadpool by itself keeps the old limit of a pool that is not full, and adds up when it grows again.
    #[tokio::test]
    async fn the_number_holds_also_for_a_pool_that_was_not_full() {
        let place = Place::new().await;
        let pool = place.pool(10).await;
        for max in [3, 9, 2, 20, 3] {
            pool.resize(max).unwrap();
        }
        let gate = tokio::sync::Semaphore::new(0);
        let readers = futures_util::future::join_all((0..12).map(|_| reads(&pool, &gate)));
        let watch = async {
            eventually("three work", || async { pool.stats().in_use == 3 && pool.stats().waiting == 9 }).await;
            gate.add_permits(12);
        };
        let (read, ()) = tokio::join!(readers, watch);
        assert!(read.iter().all(Result::is_ok), "{read:?}");
        assert_quiet(&pool);
        assert_eq!((pool.stats().opened, pool.stats().size), (3, 3));
    }

    #[tokio::test]
    async fn more_are_there_at_once_for_those_who_wait() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let holder = opened(&pool).await;
        let waiter = tokio::spawn({
            let pool = pool.clone();
            async move { read(&pool).await }
        });
        eventually("one waits", || async { pool.stats().waiting == 1 }).await;
        pool.resize(2).unwrap();
        waiter.await.unwrap().unwrap();
        assert_eq!((pool.stats().size, pool.stats().max), (2, 2));
        holder.rollback().await.unwrap();
    }

    #[tokio::test]
    async fn idle_connections_beyond_it_are_closed() {
        let place = Place::new().await;
        let pool = place.builder(5).min_connections(5).connect().await.unwrap();
        eventually("five are open", || async { pool.stats().idle == 5 }).await;
        let other = place.builder(5).min_connections(2).connect().await.unwrap();
        assert_eq!(pool.resize(3).unwrap_err().category(), Category::Programming);
        other.resize(2).unwrap();
        eventually("the minimum is kept", || async { other.stats().size == 2 }).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!((other.stats().size, other.stats().idle), (2, 2));
        // On a plain thread too.
        let lone = place.pool(5).await;
        let gate = tokio::sync::Semaphore::new(0);
        let readers = futures_util::future::join(reads(&lone, &gate), reads(&lone, &gate));
        let both = async {
            eventually("both are open", || async { lone.stats().in_use == 2 }).await;
            gate.add_permits(2);
        };
        let ((one, two), ()) = tokio::join!(readers, both);
        assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
        assert_eq!(lone.stats().idle, 2);
        std::thread::spawn({
            let lone = lone.clone();
            move || lone.resize(1).unwrap()
        }).join().unwrap();
        assert_eq!((lone.stats().size, lone.stats().idle), (1, 1));
        read(&lone).await.unwrap();
    }
}
