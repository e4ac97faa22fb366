//! A body that exchanges the session it was given for another: neither is committed, and both callers hear of it.

each_database! {
    use std::mem::swap;
    use steadfast::{Category, Error, Outcome, with_session};

    struct Holder(Session);

    fn is_told(told: Result<(), Error>) {
        let error = told.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Programming, Outcome::Unknown), "{error}");
        assert!(error.to_string().contains("exchanged"), "{error}");
    }

    /// Two calls at once, each with a session of its own; `inner` is how the inner body ends.
    async fn two(pool: &Pool, inner: fn() -> Result<(), Error>) -> (Option<Result<(), Error>>, Result<(), Error>) {
        let mut told = None;
        let outer = pool.session("exchanged::outer", async |one| {
            pay(one, 1, -100).await?;
            told = Some(pool.operation("exchanged::inner").run(async |other| {
                swap(one, other);
                inner()
            }).await);
            Ok(())
        });
        let outer = outer.await;
        (told, outer)
    }

    #[tokio::test]
    async fn with_another_call_that_ends_well() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        let (inner, outer) = in_time(two(&pool, || Ok(()))).await;
        is_told(inner.unwrap());
        is_told(outer);
        assert_quiet(&pool);
        assert_eq!(place.cents(1).await, 1000);
    }

    #[tokio::test]
    async fn with_another_call_that_fails() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        let (inner, outer) = in_time(two(&pool, || Err(transient()))).await;
        let inner = inner.unwrap().unwrap_err();
        assert_eq!(inner.outcome(), Outcome::Unknown, "{inner}");
        is_told(outer);
        assert_quiet(&pool);
        assert_eq!(place.cents(1).await, 1000);
    }

    /// What is held by hand is its holder's to commit, and nothing of it is the call's.
    #[tokio::test]
    async fn with_one_by_hand() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        let mut by_hand = pool.begin().await.unwrap();
        let told = pool.session("exchanged::with_one_by_hand", async |session| {
            pay(session, 1, -100).await?;
            swap(session, &mut by_hand);
            Ok(())
        });
        is_told(in_time(told).await);
        assert_eq!(place.cents(1).await, 1000);
        by_hand.commit().await.unwrap();
        assert_eq!(place.cents(1).await, 900);
        assert_quiet(&pool);
    }

    #[with_session]
    async fn inside(session: &mut Session, other: &mut Holder) -> Result<(), Error> {
        pay(session, 2, -100).await?;
        swap(session, &mut other.0);
        Ok(())
    }

    #[with_session(nested = join)]
    async fn joined(session: &mut Session, other: &mut Holder) -> Result<(), Error> {
        pay(session, 2, -100).await?;
        swap(session, &mut other.0);
        Ok(())
    }

    /// In a nested call, whose session is the caller's.
    #[tokio::test]
    async fn in_a_nested_call() {
        for joins in [false, true] {
            let place = Place::new().await;
            let pool = place.pool(2).await;
            let mut by_hand = Holder(pool.begin().await.unwrap());
            let mut told = None;
            let outer = pool.session("exchanged::in_a_nested_call", async |session| {
                pay(session, 1, -100).await?;
                told = Some(if joins {
                    joined(&mut *session, &mut by_hand).await
                } else {
                    inside(&mut *session, &mut by_hand).await
                });
                Ok(())
            });
            let outer = in_time(outer).await;
            is_told(told.unwrap());
            is_told(outer);
            if joins {
                by_hand.0.rollback().await.unwrap();
            } else {
                // The holder has the call's session now, which never left its nested call.
                let error = by_hand.0.commit().await.unwrap_err();
                assert_eq!((error.category(), error.outcome()), (Category::Programming, Outcome::RolledBack), "{error}");
                assert_eq!((place.cents(1).await, place.cents(2).await), (1000, 1000));
            }
            support::quiet(&pool).await;
            assert_eq!(place.open_transactions().await, 0);
        }
    }

    /// In a closure's savepoint.
    #[tokio::test]
    async fn in_a_savepoint() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        let mut by_hand = pool.begin().await.unwrap();
        let mut told = None;
        let outer = pool.session("exchanged::in_a_savepoint", async |session| {
            pay(session, 1, -100).await?;
            told = Some(session.savepoint(async |session| {
                pay(session, 2, -100).await?;
                swap(session, &mut by_hand);
                Ok::<_, Error>(())
            }).await);
            Ok(())
        });
        let outer = in_time(outer).await;
        is_told(told.unwrap());
        is_told(outer);
        by_hand.commit().await.unwrap_err();
        assert_eq!((place.cents(1).await, place.cents(2).await), (1000, 1000));
        support::quiet(&pool).await;
    }

    /// A failed attempt's session in the hands of the next attempt is another one, though the call is the same.
    #[tokio::test]
    async fn with_that_of_an_earlier_attempt() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        let stash = tokio::sync::Mutex::new(None);
        let policy = steadfast::RetryPolicy::immediate().max(2).idempotent();
        let call = pool.operation("exchanged::stashed").retry(policy).run(async |session| {
            let mut stash = stash.lock().await;
            match stash.take() {
                None => {
                    pay(session, 1, -100).await?;
                    *stash = Some(std::mem::replace(session, pool.begin().await?));
                    Err(transient())
                }
                Some(mut former) => {
                    swap(session, &mut former);
                    Ok(())
                }
            }
        });
        is_told(in_time(call).await);
        support::quiet(&pool).await;
        assert_eq!(place.cents(1).await, 1000);
    }
}
