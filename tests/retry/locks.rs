//! Two transactions meet in the middle: one waits for the other, or both do.

each_server! {
    use steadfast::{retry, with_session, Category, Error};

    #[with_session]
    #[retry(max = 2, jitter = none)]
    async fn without_waiting_for_locks(session: &mut Session, holder: &std::sync::Mutex<Option<sqlx::Transaction<'static, Db>>>) -> Result<u32, Error> {
        let locked = sqlx::query("SELECT id FROM accounts WHERE id = 1 FOR UPDATE NOWAIT").execute(&mut *session).await;
        if session.attempt() == 1 {
            let holder = holder.lock().unwrap().take();
            holder.unwrap().rollback().await?;
        }
        locked?;
        Ok(session.attempt())
    }

    #[tokio::test]
    async fn a_lock_that_was_not_granted_is_retried() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut holder = place.plain.begin().await.unwrap();
        sqlx::query("SELECT id FROM accounts WHERE id = 1 FOR UPDATE").execute(&mut *holder).await.unwrap();
        let holder = std::sync::Mutex::new(Some(holder));
        assert_eq!(without_waiting_for_locks(&pool, &holder).await.unwrap(), 2);
        let stats = stats(concat!(module_path!(), "::without_waiting_for_locks"));
        assert_eq!(stats.retried_after(Category::LockTimeout), 1);
    }

    /// How each server is made to see that the session, and not its opponent, is the one to give up.
    fn deadlock_url(place: &Place) -> String {
        match NAME {
            "postgres" => format!("{}&options[deadlock_timeout]=20ms", place.url),
            _ => place.url.clone(),
        }
    }

    #[with_session]
    #[retry(max = 3)]
    async fn in_a_deadlock(session: &mut Session, plain: &Plain, opponent: &std::sync::Mutex<Option<tokio::task::JoinHandle<()>>>) -> Result<u32, Error> {
        sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 1").execute(&mut *session).await?;
        if session.attempt() == 1 {
            let mut other = plain.begin().await?;
            if NAME == "postgres" {
                sqlx::query("SET LOCAL deadlock_timeout = '1min'").execute(&mut *other).await?;
            }
            // InnoDB gives up the transaction that has changed less.
            sqlx::query("UPDATE accounts SET cents = cents + 10 WHERE id > 1").execute(&mut *other).await?;
            let id: i64 = sqlx::query_scalar(WHICH).fetch_one(&mut *other).await?;
            *opponent.lock().unwrap() = Some(tokio::spawn(async move {
                sqlx::query("UPDATE accounts SET cents = cents + 10 WHERE id = 1").execute(&mut *other).await.unwrap();
                other.commit().await.unwrap();
            }));
            is_blocked(plain, id).await;
        }
        sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 2").execute(&mut *session).await?;
        Ok(session.attempt())
    }

    #[tokio::test]
    async fn a_deadlock_is_retried() {
        let place = Place::new().await;
        let pool = Pool::connect(deadlock_url(&place)).await.unwrap();
        let opponent = std::sync::Mutex::new(None);
        let attempts = in_a_deadlock(&pool, &place.plain, &opponent).await.unwrap();
        let opponent = opponent.lock().unwrap().take().unwrap();
        opponent.await.unwrap();
        assert_eq!(attempts, 2, "the first one was the victim");
        assert_eq!((place.cents(1).await, place.cents(2).await), (1011, 1011));
        let stats = stats(concat!(module_path!(), "::in_a_deadlock"));
        assert_eq!(stats.retried_after(Category::Conflict), 1);
    }

    /// By hand, behind a loan: what a savepoint has refused may be tried again, and the session goes on.
    #[tokio::test]
    async fn a_savepoint_by_hand_that_met_a_lock_behind_a_loan_is_retryable() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut holder = Some(place.plain.begin().await.unwrap());
        let lock = "SELECT id FROM accounts WHERE id = 1 FOR UPDATE NOWAIT";
        sqlx::query(lock).execute(&mut **holder.as_mut().unwrap()).await.unwrap();
        let mut session = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO notes VALUES (1, 'lent')").execute(session.raw().await.unwrap()).await.unwrap();
        for tries in 1.. {
            let locked: Result<(), Error> = session
                .savepoint(async |session| {
                    note(session, 2).await?;
                    sqlx::query(lock).execute(&mut *session).await?;
                    Ok(())
                })
                .await;
            match locked {
                Err(error) if error.is_retryable() && tries == 1 => holder.take().unwrap().rollback().await.unwrap(),
                other => {
                    assert!(other.is_ok() && tries == 2, "{tries}: {other:?}");
                    break;
                }
            }
        }
        session.commit().await.unwrap();
        assert_eq!(place.notes().await, [1, 2]);
    }
}
