//! Every way in which a body may end, and which hooks that runs. Inner calls, attempts and commits that fail are in
//! `inner`, lost servers in `servers`; all of it: `cargo test --test steadfast every_way -- --nocapture`.

each_database! {
    use crate::hooks::seen::{Ran, Seen, Table};
    use std::time::Duration;
    use steadfast::{Category, Error, Outcome, with_session};

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Way {
        Ok,
        Empty,
        Err,
        EmptyErr,
        QuestionMark,
        Panic,
        EmptyPanic,
        RollbackOnly,
        EmptyRollbackOnly,
        Doomed,
        Waits,
        EmptyWaits,
        InStatement,
    }

    #[with_session(nested = join)]
    async fn fails(session: &mut Session) -> Result<(), Error> {
        note(session, 2).await?;
        Err(transient())
    }

    async fn body(session: &mut Session, way: Way, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        match way {
            Way::Empty => return Ok(()),
            Way::EmptyErr => return Err(transient()),
            Way::EmptyPanic => panic!("on purpose"),
            Way::EmptyRollbackOnly => {
                session.set_rollback_only();
                return Ok(());
            }
            Way::EmptyWaits => std::future::pending::<()>().await,
            _ => note(session, 1).await?,
        }
        match way {
            Way::Ok => Ok(()),
            Way::Err => Err(transient()),
            Way::QuestionMark => Ok(note(session, 1).await?),
            Way::Panic => panic!("on purpose"),
            Way::RollbackOnly => {
                session.set_rollback_only();
                Ok(())
            }
            Way::Doomed => {
                fails(session).await.unwrap_err();
                Ok(())
            }
            Way::Waits => std::future::pending().await,
            Way::InStatement => {
                sqlx::query(SLOW).execute(&mut *session).await?;
                Ok(())
            }
            Way::Empty | Way::EmptyErr | Way::EmptyPanic | Way::EmptyRollbackOnly | Way::EmptyWaits => unreachable!(),
        }
    }

    #[with_session]
    async fn call(session: &mut Session, way: Way, seen: &Seen) -> Result<(), Error> {
        body(session, way, seen).await
    }

    #[with_session(timeout = "20s")]
    async fn hasty(session: &mut Session, way: Way, seen: &Seen) -> Result<(), Error> {
        body(session, way, seen).await
    }

    /// Its deadline passes once it has come so far.
    async fn overdue(place: &Place, pool: &Pool, way: Way, seen: &Seen) -> Result<(), Error> {
        let limit = Duration::from_secs(20);
        let call = hasty(pool, way, seen);
        if way == Way::InStatement {
            return overdue_in_statement(pool, limit, || place.runs_slow(), call).await;
        }
        let clock = Clock::stop();
        let passes = async {
            let open = i64::from(way == Way::Waits);
            clock.eventually("it waits", || async { place.open_transactions().await == open }).await;
            clock.skip(limit + Duration::from_millis(1));
        };
        tokio::join!(call, passes).0
    }

    #[with_session(autocommit)]
    async fn loose(session: &mut Session, way: Way, seen: &Seen) -> Result<(), Error> {
        body(session, way, seen).await
    }

    /// Adds a line once nobody holds anything, and clears the table of the database for the next.
    async fn row(table: &mut Table, place: &Place, pool: &Pool, way: &str, seen: &Seen, expected: Ran, rows: i64) {
        quiet(pool).await;
        table.row(way, seen, place.count("notes").await, (expected, rows));
        sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
        assert_eq!(place.open_transactions().await, 0);
    }

    #[tokio::test]
    async fn every_way_of_ending() {
        let place = Place::new().await;
        let pool = &place.pool(1).await;
        let mut table = Table::of(NAME);
        let done = Ran::committed(Outcome::Committed);
        let undone = Ran::rolled_back(Outcome::RolledBack);

        for (way, name, expected, rows) in [
            (Way::Ok, "returns Ok", done, 1),
            (Way::Empty, "returns Ok, no statement", Ran::committed(Outcome::NotSent), 0),
            (Way::Err, "returns Err", undone, 0),
            (Way::EmptyErr, "returns Err, no statement", Ran::rolled_back(Outcome::NotSent), 0),
            (Way::QuestionMark, "a statement fails: `?`", undone, 0),
            (Way::Panic, "panics", undone, 0),
            (Way::EmptyPanic, "panics, no statement", Ran::rolled_back(Outcome::NotSent), 0),
            (Way::RollbackOnly, "set_rollback_only", undone, 0),
            (Way::EmptyRollbackOnly, "set_rollback_only, no statement", Ran::rolled_back(Outcome::NotSent), 0),
            (Way::Doomed, "doomed by a swallowed error, then Ok", undone, 0),
        ] {
            let seen = Seen::default();
            if matches!(way, Way::Panic | Way::EmptyPanic) {
                assert_eq!(panic_of(call(pool, way, &seen)).await, "on purpose");
            } else {
                let well = matches!(way, Way::Ok | Way::Empty | Way::RollbackOnly | Way::EmptyRollbackOnly);
                let result = call(pool, way, &seen).await;
                assert_eq!(result.is_ok(), well, "{name}: {result:?}");
            }
            assert_eq!(seen.ran(), expected, "{name}: the call answers behind its hooks");
            row(&mut table, &place, pool, name, &seen, expected, rows).await;
        }

        for (way, name, expected) in [
            (Way::Waits, "deadline between statements", undone),
            (Way::EmptyWaits, "deadline, no statement", Ran::rolled_back(Outcome::NotSent)),
            (Way::InStatement, "deadline in a statement", undone),
        ] {
            let seen = Seen::default();
            let error = overdue(&place, pool, way, &seen).await.unwrap_err();
            assert_eq!(error.category(), Category::Timeout, "{name}: {error}");
            row(&mut table, &place, pool, name, &seen, expected, 0).await;
        }

        let seen = Seen::default();
        drop(call(pool, Way::Ok, &seen));
        row(&mut table, &place, pool, "dropped before its first poll", &seen, Ran::NOTHING, 0).await;
        for (way, name, expected) in [
            (Way::EmptyWaits, "dropped before its first statement", Ran::rolled_back(Outcome::NotSent)),
            (Way::Waits, "dropped between statements", undone),
            (Way::InStatement, "dropped in a statement", undone),
        ] {
            let seen = Seen::default();
            let call = call(pool, way, &seen);
            match way {
                Way::EmptyWaits => assert!(drop_at_poll(call, 1).await.is_none()),
                Way::Waits => drop_when(place.has_open(1), call).await,
                _ => drop_when(place.slow_is_running(), call).await,
            }
            row(&mut table, &place, pool, name, &seen, expected, 0).await;
        }

        for (way, name, well, expected, rows) in [
            (Way::Ok, "autocommit, returns Ok", true, done, 1),
            (Way::Err, "autocommit, returns Err: what was done is done", false, Ran::ended(Outcome::Committed), 1),
            (Way::EmptyErr, "autocommit, returns Err, no statement", false, Ran::rolled_back(Outcome::NotSent), 0),
        ] {
            let seen = Seen::default();
            assert_eq!(loose(pool, way, &seen).await.is_ok(), well, "{name}");
            row(&mut table, &place, pool, name, &seen, expected, rows).await;
        }

        for (end, name, expected, rows) in [
            (0, "by hand, commit", done, 1),
            (1, "by hand, rollback", undone, 0),
            (2, "by hand, dropped", undone, 0),
            (3, "by hand, set_rollback_only and commit", undone, 0),
        ] {
            let seen = Seen::default();
            let mut session = pool.begin().await.unwrap();
            seen.watch(&mut session);
            note(&mut session, 1).await.unwrap();
            match end {
                0 => session.commit().await.unwrap(),
                1 => session.rollback().await.unwrap(),
                2 => drop(session),
                _ => {
                    session.set_rollback_only();
                    session.commit().await.unwrap_err();
                }
            }
            row(&mut table, &place, pool, name, &seen, expected, rows).await;
        }
        for (end, name, expected) in [
            (0, "by hand, commit, no statement", Ran::committed(Outcome::NotSent)),
            (1, "by hand, rollback, no statement", Ran::rolled_back(Outcome::NotSent)),
            (2, "by hand, dropped, no statement", Ran::rolled_back(Outcome::NotSent)),
        ] {
            let seen = Seen::default();
            let mut session = pool.begin().await.unwrap();
            seen.watch(&mut session);
            match end {
                0 => session.commit().await.unwrap(),
                1 => session.rollback().await.unwrap(),
                _ => drop(session),
            }
            row(&mut table, &place, pool, name, &seen, expected, 0).await;
        }

        assert_eq!(stats(concat!(module_path!(), "::call")).hooks_failed, 0);
        table.show();
    }
}
