//! The key by which other services know a call.

each_database! {
    use std::collections::HashSet;
    use std::sync::Mutex;
    use steadfast::{Error, retry, with_session};

    #[with_session]
    #[retry(immediate, max = 4)]
    async fn asks_for_its_key(session: &mut Session, keys: &Mutex<Vec<String>>) -> Result<String, Error> {
        let key = session.idempotency_key();
        assert_eq!(session.idempotency_key(), key, "the same however often");
        keys.lock().unwrap().push(key.clone());
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        if session.attempt() < 4 { Err(transient()) } else { Ok(key) }
    }

    /// `xxxxxxxx-xxxx-4xxx-[89ab]xxx-xxxxxxxxxxxx`
    fn is_uuid_of_version_4(key: &str) -> bool {
        let parts: Vec<&str> = key.split('-').collect();
        parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
            && key.chars().all(|c| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c))
            && parts[2].starts_with('4')
            && parts[3].starts_with(['8', '9', 'a', 'b'])
    }

    /// Trap 10: a key is generated inside the retried body.
    #[tokio::test]
    async fn is_the_same_in_every_attempt_and_another_in_every_call() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut all = HashSet::new();
        for _ in 0..50 {
            // Of its own: what a pool lets its calls retry has a limit.
            let pool = place.pool(1).await;
            let keys = Mutex::new(Vec::new());
            let key = asks_for_its_key(&pool, &keys).await.unwrap();
            assert_eq!(keys.into_inner().unwrap(), vec![key.clone(); 4]);
            assert!(is_uuid_of_version_4(&key), "{key}");
            assert!(all.insert(key));
        }
        // Every free bit is drawn: over 50 keys each hexadecimal place but the version takes several values.
        for place in (0..36).filter(|place| ![8, 13, 14, 18, 23].contains(place)) {
            let values: HashSet<char> = all.iter().filter_map(|key| key.chars().nth(place)).collect();
            assert!(values.len() > 2, "place {place} is always one of {values:?}");
        }
        for _ in 0..2 {
            let session = pool.begin().await.unwrap();
            assert!(is_uuid_of_version_4(&session.idempotency_key()));
            assert!(all.insert(session.idempotency_key()), "by hand each session is a call");
        }
    }

    #[with_session]
    async fn inner(session: &mut Session) -> Result<String, Error> {
        Ok(session.idempotency_key())
    }

    #[with_session]
    async fn outer(session: &mut Session) -> Result<(), Error> {
        let key = session.idempotency_key();
        assert_eq!(inner(&mut *session).await?, key, "the session's, which is the outermost call's");
        assert_eq!(session.savepoint(async |session| Ok::<_, Error>(session.idempotency_key())).await?, key);
        Ok(())
    }

    #[tokio::test]
    async fn inside_of_a_session_is_that_of_the_outermost_call() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        outer(&pool).await.unwrap();
    }
}
