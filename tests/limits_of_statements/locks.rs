//! Whose wait for a lock is limited.

use std::time::Duration;

use steadfast::__private::{Operation, Options};

use super::UNLIMITED;

static NO_WAITER: Operation =
    Operation::new("limits::no_waiter").options(Options::new().lock_timeout(200));
static NO_WAITER_ALONE: Operation = Operation::new("limits::no_waiter_alone")
    .options(Options::new().lock_timeout(200).autocommit());

each_database! {
    use super::*;
    use std::time::Instant;
    use steadfast::{Category, Error, Outcome};

    async fn take(executor: impl sqlx::Executor<'_, Database = Db>) -> sqlx::Result<()> {
        sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2")).bind(1_i64).bind(1_i64).execute(executor).await?;
        Ok(())
    }

    #[track_caller]
    fn refused(error: &Error, waited: Duration) {
        let (category, code) = match NAME {
            "postgres" => (Category::LockTimeout, "55P03"),
            "mysql" => (Category::LockTimeout, "1205"),
            // Another process writes, and has for as long as we may wait.
            _ => (Category::Conflict, "5"),
        };
        assert_eq!((error.category(), error.code()), (category, Some(code)), "{error:?}");
        assert!(error.is_retryable());
        // MySQL counts whole seconds.
        let least = if NAME == "mysql" { Duration::from_millis(900) } else { Duration::from_millis(180) };
        assert!(waited >= least && waited < Duration::from_millis(4500), "{waited:?}");
    }

    #[tokio::test]
    async fn a_lock_that_is_not_granted() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for operation in [&NO_WAITER, &NO_WAITER_ALONE] {
            let mut other = place.plain.begin().await.unwrap();
            take(&mut *other).await.unwrap();
            let began = Instant::now();
            let error = managed(operation, &pool, async |session: &mut Session| {
                take(&mut *session).await?;
                Ok::<_, Error>(())
            })
            .await
            .unwrap_err();
            refused(&error, began.elapsed());
            assert!(matches!(error.outcome(), Outcome::RolledBack | Outcome::NotSent), "{error:?}");
            assert_quiet(&pool);
            // The next one waits for longer, and gets it.
            let (next, ()) = tokio::join!(
                managed(&UNLIMITED, &pool, async |session: &mut Session| {
                    take(&mut *session).await?;
                    Ok::<_, Error>(())
                }),
                async {
                    tokio::time::sleep(Duration::from_millis(1500)).await;
                    other.commit().await.unwrap();
                }
            );
            next.unwrap();
            let mut other = place.plain.begin().await.unwrap();
            take(&mut *other).await.unwrap();
            let (next, ()) = tokio::join!(take(&pool), async {
                tokio::time::sleep(Duration::from_millis(1500)).await;
                other.commit().await.unwrap();
            });
            next.unwrap();
        }
        assert_eq!(pool.stats().opened, 1);
    }
}
