//! The hooks of inner calls, savepoints, attempts and closures, and of commits that fail, as lines of the table.

each_database! {
    use crate::hooks::seen::{Ran, Seen, Table};
    use std::panic::AssertUnwindSafe;
    use futures_util::FutureExt as _;
    use steadfast::{Error, Outcome, RetryPolicy, retry, with_session};

    /// How what is inside ends.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Inside {
        Ok,
        Err,
        Panics,
        Dropped,
    }

    /// What is inside.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Form {
        Nested,
        Savepoint,
        Joined,
    }

    async fn body(session: &mut Session, inside: Inside, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        note(session, 2).await?;
        match inside {
            Inside::Ok => Ok(()),
            Inside::Err => Err(transient()),
            Inside::Panics => panic!("on purpose"),
            Inside::Dropped => wait_for_ever().await,
        }
    }

    #[with_session]
    async fn nested(session: &mut Session, inside: Inside, seen: &Seen) -> Result<(), Error> {
        body(session, inside, seen).await
    }

    #[with_session(nested = join)]
    async fn joined(session: &mut Session, inside: Inside, seen: &Seen) -> Result<(), Error> {
        body(session, inside, seen).await
    }

    async fn run(session: &mut Session, form: Form, inside: Inside, seen: &Seen) -> Result<(), Error> {
        match form {
            Form::Nested => nested(session, inside, seen).await,
            Form::Savepoint => session.savepoint(async |session| body(session, inside, seen).await).await,
            Form::Joined => joined(session, inside, seen).await,
        }
    }

    /// Goes on whatever becomes of what is inside, and then ends well or not.
    #[with_session]
    async fn outer(session: &mut Session, form: Form, inside: Inside, seen: &[Seen; 2], well: bool) -> Result<(), Error> {
        let [outer, inner] = seen;
        outer.watch(session);
        note(session, 1).await?;
        let call = run(&mut *session, form, inside, inner);
        match inside {
            Inside::Ok => call.await.unwrap(),
            Inside::Err => drop(call.await.unwrap_err()),
            Inside::Panics => drop(AssertUnwindSafe(call).catch_unwind().await.unwrap_err()),
            Inside::Dropped => drop_waiting(call).await,
        }
        if well { Ok(()) } else { Err(transient()) }
    }

    #[tokio::test]
    async fn every_way_of_ending_inside() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut table = Table::of(NAME);
        let (done, undone) = (Ran::committed(Outcome::Committed), Ran::rolled_back(Outcome::RolledBack));
        let nothing = Ran::NOTHING;
        for (form, name) in [(Form::Nested, "nested call"), (Form::Savepoint, "savepoint"), (Form::Joined, "joined call")] {
            // A joined call is no level of its own: what ends it badly ends all.
            let joins = form == Form::Joined;
            let (inside, whole, rows) = if joins { (undone, undone, 0) } else { (nothing, done, 1) };
            for (way, said, well, inner, outer_ran, rows) in [
                (Inside::Ok, "Ok, the session commits", true, done, done, 2),
                (Inside::Ok, "Ok, the session rolls back", false, undone, undone, 0),
                (Inside::Err, "Err, the session goes on", true, inside, whole, rows),
                (Inside::Err, "Err, the session rolls back", false, inside, undone, 0),
                (Inside::Panics, "panics, the session goes on", true, inside, whole, rows),
                (Inside::Dropped, "dropped, the session goes on", true, inside, whole, rows),
            ] {
                let seen = [Seen::default(), Seen::default()];
                let answer = outer(&pool, form, way, &seen, well).await;
                assert_eq!(answer.is_ok(), outer_ran == done, "{name}, {said}: {answer:?}");
                assert_quiet(&pool);
                let found = place.count("notes").await;
                table.row(&format!("{name}: {said}; its own"), &seen[1], found, (inner, rows));
                table.row(&format!("{name}: {said}; the session's"), &seen[0], found, (outer_ran, rows));
                sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
            }
        }
        table.show();
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn retried(session: &mut Session, succeeds_at: u32, seen: &[Seen]) -> Result<(), Error> {
        let attempt = session.attempt();
        seen[attempt as usize - 1].watch(session);
        note(session, 1).await?;
        if attempt == succeeds_at { Ok(()) } else { Err(transient()) }
    }

    #[tokio::test]
    async fn every_way_of_trying_again() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut table = Table::of(NAME);
        let (done, undone) = (Ran::committed(Outcome::Committed), Ran::rolled_back(Outcome::RolledBack));
        for (succeeds_at, expected, rows) in [(1, [done, Ran::NOTHING, Ran::NOTHING], 1), (3, [undone, undone, done], 1), (4, [undone, undone, undone], 0)] {
            let seen = [Seen::default(), Seen::default(), Seen::default()];
            let answer = retried(&pool, succeeds_at, &seen).await;
            assert_eq!(answer.is_ok(), rows == 1, "{answer:?}");
            let found = place.count("notes").await;
            for (attempt, (seen, expected)) in seen.iter().zip(expected).enumerate() {
                let end = if rows == 1 { format!("succeeds at attempt {succeeds_at}") } else { "never succeeds".to_owned() };
                table.row(&format!("retried, {end}; attempt {}", attempt + 1), seen, found, (expected, rows));
            }
            sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
        }

        for (name, well, expected, rows) in [("closure, returns Ok", true, done, 1), ("closure, returns Err", false, undone, 0)] {
            let seen = Seen::default();
            let answer = pool.session("hooks::closure", async |session| {
                seen.watch(session);
                note(session, 1).await?;
                if well { Ok(()) } else { Err(transient()) }
            }).await;
            assert_eq!(answer.is_ok(), well, "{answer:?}");
            table.row(name, &seen, place.count("notes").await, (expected, rows));
            sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
        }
        let seen = Seen::default();
        pool.operation("hooks::retried_closure").retry(RetryPolicy::immediate()).run(async |session| {
            seen.watch(session);
            note(session, 1).await?;
            if session.attempt() == 2 { Ok(()) } else { Err(transient()) }
        }).await.unwrap();
        let twice = Ran { rollback: 1, end: 2, ..done };
        table.row("closure, retried: two attempts", &seen, place.count("notes").await, (twice, 1));
        assert_quiet(&pool);
        table.show();
    }

    /// The ledger is not there, and COMMIT is refused.
    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn is_refused(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        note(session, 1).await?;
        Ok(())
    }

    #[with_session]
    async fn helper_commits(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        note(session, 1).await?;
        let connection = session.raw().await?;
        let _ = sqlx::raw_sql("COMMIT").execute(connection).await;
        Ok(())
    }

    #[tokio::test]
    async fn every_way_of_a_commit_that_fails() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut table = Table::of(NAME);
        let undone = Ran::rolled_back(Outcome::RolledBack);
        let seen = Seen::default();
        let error = is_refused(&pool, &seen).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
        table.row("COMMIT is refused", &seen, place.count("notes").await, (undone, 0));

        let seen = Seen::default();
        let error = helper_commits(&pool, &seen).await.unwrap_err();
        // SQLite's own hook makes it a rollback.
        let (expected, rows) = if NAME == "sqlite" { (undone, 0) } else { (Ran::ended(Outcome::Unknown), 1) };
        assert_eq!(Some(error.outcome()), expected.outcome, "{error}");
        table.row("a helper ends the transaction by raw SQL", &seen, place.count("notes").await, (expected, rows));
        assert_quiet(&pool);
        table.show();
    }
}
