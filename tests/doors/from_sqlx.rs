//! A pool made of one of sqlx's.

each_database! {
    use std::time::{Duration, Instant};
    use sqlx::pool::PoolOptions;
    use steadfast::{Category, Error};

    async fn existing(place: &Place, limits: PoolOptions<Db>) -> sqlx::Pool<Db> {
        limits.connect(&place.url).await.unwrap()
    }

    async fn pays(pool: &Pool) -> Result<(), Error> {
        pool.session(concat!(module_path!(), "::pays"), async |session| {
            sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 1").execute(&mut *session).await?;
            Ok(())
        }).await
    }

    #[tokio::test]
    async fn it_has_the_options_and_limits_and_connections_of_its_own() {
        let place = Place::new().await;
        let theirs = existing(&place, PoolOptions::new().max_connections(3).acquire_timeout(Duration::from_millis(300))).await;
        let pool = Pool::from(theirs.clone());
        assert_eq!((pool.stats().max, pool.stats().opened), (3, 0));
        pays(&pool).await.unwrap();
        assert_eq!((place.cents(1).await, pool.stats().opened, theirs.size()), (1001, 1, 1));
        // The acquire timeout is theirs, too.
        pool.resize(1).unwrap();
        let mut holder = pool.begin().await.unwrap();
        sqlx::query("SELECT 1").execute(&mut holder).await.unwrap();
        let began = Instant::now();
        let error = pool.operation("from::waits").read_only().run(async |session| {
            sqlx::query("SELECT 1").execute(&mut *session).await?;
            Ok::<_, Error>(())
        }).await.unwrap_err();
        assert_eq!(error.category(), Category::Capacity, "{error}");
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        holder.rollback().await.unwrap();
        // Each goes on without the other.
        theirs.close().await;
        pays(&pool).await.unwrap();
        assert_eq!(place.cents(1).await, 1002);
    }

    #[tokio::test]
    async fn from_a_closed_pool_comes_a_closed_one() {
        let place = Place::new().await;
        let theirs = existing(&place, PoolOptions::new().max_connections(2)).await;
        theirs.close().await;
        let pool = Pool::from(theirs);
        assert!(pool.is_closed());
        assert_eq!(pays(&pool).await.unwrap_err().category(), Category::Closed);
        assert_eq!(pool.begin().await.unwrap_err().category(), Category::Closed);
        assert_eq!(Error::from(sqlx::query("SELECT 1").execute(&pool).await.unwrap_err()).category(), Category::Closed);
        assert_eq!((pool.stats().opened, pool.close().await.is_clean()), (0, true));
    }

    #[tokio::test]
    async fn limits_that_make_no_sense_panic_nowhere() {
        let place = Place::new().await;
        let limits = PoolOptions::new().max_connections(2).min_connections(9).acquire_timeout(Duration::MAX);
        let pool = Pool::from(limits.connect_lazy_with(theirs_options(&place)));
        pays(&pool).await.unwrap();
        assert_eq!(pool.stats().max, 2);
    }

    fn theirs_options(place: &Place) -> <Connection as sqlx::Connection>::Options {
        place.url.parse().unwrap()
    }

    #[test]
    fn outside_of_a_runtime() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (place, theirs) = runtime.block_on(async {
            let place = Place::new().await;
            let theirs = existing(&place, PoolOptions::new()).await;
            (place, theirs)
        });
        let pool = Pool::from(theirs);
        runtime.block_on(async {
            pays(&pool).await.unwrap();
            assert_eq!(place.cents(1).await, 1001);
        });
    }
}
