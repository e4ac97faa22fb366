//! Hooks of savepoints, of nested calls and of attempts.

each_database! {
    use crate::hooks::seen::{Ran, Seen};
    use steadfast::{Error, retry, with_session};

    #[with_session]
    async fn inner(session: &mut Session, seen: &Seen, name: &str, fails: bool) -> Result<(), Error> {
        seen.watch_as(session, name);
        if fails { Err(transient()) } else { Ok(()) }
    }

    #[with_session]
    async fn layers(session: &mut Session, seen: &Seen, writes: bool) -> Result<(), Error> {
        seen.watch_as(session, "outer ");
        if writes {
            note(session, 1).await?;
        }
        inner(&mut *session, seen, "kept ", false).await?;
        inner(&mut *session, seen, "undone ", true).await.unwrap_err();
        session.savepoint(async |session| {
            seen.watch_as(session, "savepoint ");
            inner(&mut *session, seen, "deep ", false).await?;
            inner(&mut *session, seen, "deep undone ", true).await.unwrap_err();
            Ok::<_, Error>(())
        }).await?;
        let undone: Result<(), Error> = session.savepoint(async |session| {
            seen.watch_as(session, "undone savepoint ");
            inner(&mut *session, seen, "kept in undone ", false).await?;
            Err(transient())
        }).await;
        undone.unwrap_err();
        // Dropped half-way, after it was polled.
        {
            let gone = std::pin::pin!(session.savepoint(async |session| {
                seen.watch_as(session, "dropped ");
                std::future::pending::<()>().await;
                Ok::<_, Error>(())
            }));
            assert!(futures_util::FutureExt::now_or_never(gone).is_none());
        }
        seen.watch_as(session, "last ");
        Ok(())
    }

    #[tokio::test]
    async fn of_what_is_undone_they_vanish_and_the_others_run_in_order() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for (writes, outcome) in [(true, "committed"), (false, "not_sent")] {
            let seen = Seen::default();
            layers(&pool, &seen, writes).await.unwrap();
            let expected: Vec<String> = ["outer", "kept", "savepoint", "deep", "last"].iter()
                .flat_map(|name| [format!("{name} commit"), format!("{name} end {outcome}")])
                .collect();
            assert_eq!(seen.all(), expected);
        }
    }

    #[with_session]
    async fn fails_in_the_end(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        layers(&mut *session, seen, true).await?;
        Err(transient())
    }

    /// What was undone before the session vanishes too where the whole session is rolled back.
    #[tokio::test]
    async fn a_level_that_was_kept_is_rolled_back_with_its_session() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let seen = Seen::default();
        fails_in_the_end(&pool, &seen).await.unwrap_err();
        let expected: Vec<String> = ["outer", "kept", "savepoint", "deep", "last"].iter()
            .flat_map(|name| [format!("{name} rollback"), format!("{name} end rolled_back")])
            .collect();
        assert_eq!(seen.all(), expected);
    }

    #[with_session(nested = join)]
    async fn joins(session: &mut Session, seen: &Seen, fails: bool) -> Result<(), Error> {
        seen.watch_as(session, "joined ");
        note(session, 2).await?;
        if fails { Err(transient()) } else { Ok(()) }
    }

    #[with_session]
    async fn calls_joined(session: &mut Session, seen: &Seen, fails: bool) -> Result<(), Error> {
        seen.watch_as(session, "outer ");
        note(session, 1).await?;
        assert_eq!(joins(&mut *session, seen, fails).await.is_err(), fails);
        Ok(())
    }

    #[tokio::test]
    async fn of_a_joined_call_they_are_the_sessions() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let seen = Seen::default();
        calls_joined(&pool, &seen, false).await.unwrap();
        assert_eq!(seen.all(), ["outer commit", "outer end committed", "joined commit", "joined end committed"]);
        sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
        let seen = Seen::default();
        calls_joined(&pool, &seen, true).await.unwrap_err();
        assert_eq!(seen.all(), ["outer rollback", "outer end rolled_back", "joined rollback", "joined end rolled_back"]);
    }

    #[with_session(autocommit)]
    async fn loose(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch_as(session, "outer ");
        note(session, 1).await?;
        Ok(())
    }

    #[tokio::test]
    async fn in_autocommit_they_run_behind_the_last_statement() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let seen = Seen::default();
        loose(&pool, &seen).await.unwrap();
        assert_eq!(seen.all(), ["outer commit", "outer end committed"]);
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn third_time_lucky(session: &mut Session, seen: &Seen, writes: bool) -> Result<(), Error> {
        let attempt = session.attempt();
        seen.watch_as(session, &format!("{attempt}: "));
        if writes {
            note(session, 1).await?;
        }
        seen.note(format!("{attempt} ends"));
        if attempt < 3 { Err(transient()) } else { Ok(()) }
    }

    #[tokio::test]
    async fn each_attempt_has_its_own_and_they_run_before_the_next() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for (writes, undone, done) in [(true, "rolled_back", "committed"), (false, "not_sent", "not_sent")] {
            let seen = Seen::default();
            third_time_lucky(&pool, &seen, writes).await.unwrap();
            assert_eq!(seen.all(), [
                "1 ends".to_owned(), "1: rollback".to_owned(), format!("1: end {undone}"),
                "2 ends".to_owned(), "2: rollback".to_owned(), format!("2: end {undone}"),
                "3 ends".to_owned(), "3: commit".to_owned(), format!("3: end {done}"),
            ]);
        }
    }

    /// A savepoint that the caller's own error swallowing dooms takes its hooks along.
    #[with_session]
    async fn swallows(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        note(session, 1).await?;
        let level: Result<(), Error> = session.savepoint(async |session| {
            seen.watch_as(session, "inner ");
            note(session, 1).await.unwrap_err();
            Ok(())
        }).await;
        assert_eq!(level.is_err(), ERROR_DOOMS);
        Ok(())
    }

    #[tokio::test]
    async fn of_a_doomed_savepoint_they_vanish() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let seen = Seen::default();
        swallows(&pool, &seen).await.unwrap();
        if ERROR_DOOMS {
            assert_eq!(seen.ran(), Ran::NOTHING);
        } else {
            assert_eq!(seen.all(), ["inner commit", "inner end committed"]);
        }
    }
}
