//! sqlx's migrations through the pool, from a folder.

each_database! {
    use std::path::Path;
    use std::time::Duration;
    use sqlx::migrate::Migrator;
    use steadfast::{Category, Error, Outcome};

    async fn migrator(files: &[(&str, &str)]) -> (Migrator, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        (Migrator::new(Path::new(folder.path())).await.unwrap(), folder)
    }

    async fn applied(place: &Place) -> Vec<i64> {
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version").fetch_all(&place.plain).await.unwrap()
    }

    const BOOKS: (&str, &str) = ("1_make_books.sql", "CREATE TABLE books (id BIGINT PRIMARY KEY); INSERT INTO books VALUES (1);");
    const MORE: (&str, &str) = ("2_more_books.sql", "INSERT INTO books VALUES (2);");
    const BROKEN: (&str, &str) = ("3_the_broken_one.sql", "INSERT INTO books VALUES (3); INSERT INTO no_such_table VALUES (1);");

    async fn serves(pool: &Pool, place: &Place) {
        let before = place.cents(9).await;
        pool.session("migrated::serves", async |session| {
            sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 9").execute(&mut *session).await?;
            Ok::<_, Error>(())
        }).await.unwrap();
        assert_eq!((place.cents(9).await, place.open_transactions().await), (before + 1, 0));
    }

    #[tokio::test]
    async fn each_is_applied_once() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (first, _folder) = migrator(&[BOOKS]).await;
        let (both, _folder) = migrator(&[BOOKS, MORE]).await;
        pool.migrate(&first).await.unwrap();
        assert_quiet(&pool);
        pool.migrate(&both).await.unwrap();
        pool.migrate(&both).await.unwrap();
        assert_eq!((applied(&place).await, place.count("books").await), (vec![1, 2], 2));
        serves(&pool, &place).await;
    }

    /// What a migration commits itself stays when it fails, and nobody says that it is undone.
    #[tokio::test]
    async fn one_that_commits_in_its_midst_is_no_transaction() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let midst = ("1_midst.sql", "CREATE TABLE kept (id BIGINT PRIMARY KEY); COMMIT; INSERT INTO no_such_table VALUES (1);");
        let (midst, _folder) = migrator(&[midst]).await;
        let error = pool.migrate(&midst).await.unwrap_err();
        assert_eq!((error.outcome(), place.count("kept").await), (Outcome::Unknown, 0), "{error}");
        serves(&pool, &place).await;
    }

    #[tokio::test]
    async fn one_that_fails_half_way_is_named_and_leaves_the_connection_clean() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (broken, _folder) = migrator(&[BOOKS, MORE, BROKEN]).await;
        let error = pool.migrate(&broken).await.unwrap_err();
        assert_quiet(&pool);
        assert!(error.to_string().contains("3 (the broken one)"), "{error}");
        assert_eq!(error.category(), Category::Programming, "{error}");
        assert!(error.code().is_some() && error.as_sqlx().is_some(), "{error:?}");
        let expected = if NAME == "mysql" { Outcome::Unknown } else { Outcome::RolledBack };
        assert_eq!(error.outcome(), expected);
        assert!(!error.is_retryable());
        assert_eq!((applied(&place).await, place.count("books").await), (vec![1, 2], 2), "those before it stay");
        serves(&pool, &place).await;
        // No lock of the failed run is in the way of the next.
        let other = place.pool(1).await;
        let (whole, _folder) = migrator(&[BOOKS, MORE]).await;
        tokio::time::timeout(Duration::from_secs(10), other.migrate(&whole)).await.expect("nobody holds the lock").unwrap();
    }

    #[tokio::test]
    async fn a_list_that_does_not_fit_is_an_error() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (both, _folder) = migrator(&[BOOKS, MORE]).await;
        pool.migrate(&both).await.unwrap();
        let (changed, _folder) = migrator(&[BOOKS, ("2_more_books.sql", "INSERT INTO books VALUES (22);")]).await;
        let (fewer, _folder) = migrator(&[BOOKS]).await;
        for (migrator, word) in [(changed, "modified"), (fewer, "missing")] {
            let error = pool.migrate(&migrator).await.unwrap_err();
            assert_eq!(error.category(), Category::Programming);
            assert!(error.to_string().contains("migration 2") && error.to_string().contains(word), "{error}");
            assert_quiet(&pool);
        }
        serves(&pool, &place).await;
    }

    #[tokio::test]
    async fn what_it_leaves_on_the_connection_is_gone() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let setting = match NAME {
            "postgres" => "SET work_mem = '7MB';",
            "mysql" => "SET SESSION sort_buffer_size = 700000;",
            _ => "PRAGMA cache_size = 7;",
        };
        let (sets, _folder) = migrator(&[("1_sets.sql", setting)]).await;
        pool.migrate(&sets).await.unwrap();
        let look = match NAME {
            "postgres" => "SELECT CASE WHEN current_setting('work_mem') = '7MB' THEN 1 ELSE 0 END::bigint",
            "mysql" => "SELECT CAST(@@sort_buffer_size = 700000 AS SIGNED)",
            _ => "SELECT CAST(cache_size = 7 AS INTEGER) FROM pragma_cache_size",
        };
        let left: i64 = sqlx::query_scalar(look).fetch_one(&pool).await.unwrap();
        assert_eq!(left, 0);
    }

    /// Two processes that start at once; here two pools.
    #[tokio::test]
    async fn at_the_same_time_each_is_applied_once() {
        let place = Place::new().await;
        let (one, other) = (place.pool(1).await, place.pool(1).await);
        let (both, _folder) = migrator(&[BOOKS, MORE]).await;
        let (first, second) = tokio::time::timeout(Duration::from_secs(20), async {
            tokio::join!(one.migrate(&both), other.migrate(&both))
        }).await.expect("neither waits for ever");
        first.unwrap();
        second.unwrap();
        assert_eq!((applied(&place).await, place.count("books").await), (vec![1, 2], 2));
    }

    #[tokio::test]
    async fn dropped_half_way_it_is_stopped_and_may_be_called_again() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let slow = format!("INSERT INTO books VALUES (2); {SLOW};");
        let (slow, _folder) = migrator(&[BOOKS, ("2_slow.sql", &slow)]).await;
        {
            let running = std::pin::pin!(pool.migrate(&slow));
            tokio::select! {
                ended = running => panic!("{ended:?}"),
                () = place.slow_is_running() => {}
            }
        }
        quiet(&pool).await;
        assert_eq!((applied(&place).await, place.count("books").await), (vec![1], 1));
        serves(&pool, &place).await;
        let (whole, _folder) = migrator(&[BOOKS, MORE]).await;
        tokio::time::timeout(Duration::from_secs(10), pool.migrate(&whole)).await.expect("nobody holds the lock").unwrap();
        assert_eq!(applied(&place).await, [1, 2]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn its_future_is_send() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (first, _folder) = migrator(&[BOOKS]).await;
        tokio::spawn(async move { pool.migrate(&first).await }).await.unwrap().unwrap();
        assert_eq!(applied(&place).await, [1]);
    }
}
