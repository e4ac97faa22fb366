//! Helpers that begin, commit, roll back and drop transactions of their own do the same inside a session, as a part of
//! it.

/// Where in the session a helper is called.
#[derive(Clone, Copy, Debug)]
enum When {
    First,
    BehindAStatement,
    InASavepoint,
    InAnAnnotatedFunction,
}

const WHEN: [When; 4] = [
    When::First,
    When::BehindAStatement,
    When::InASavepoint,
    When::InAnAnnotatedFunction,
];

/// How the session ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outer {
    Commit,
    Err,
    Panic,
    Dropped,
    RollbackByHand,
    RollbackOnly,
}

const OUTER: [Outer; 6] = [
    Outer::Commit,
    Outer::Err,
    Outer::Panic,
    Outer::Dropped,
    Outer::RollbackByHand,
    Outer::RollbackOnly,
];

#[derive(Clone, Copy, Debug)]
enum Style {
    Connection,
    Acquire,
    Acquired,
    Executor,
}

/// A helper of style `Executor` has nothing to end.
const STYLES: [Style; 3] = [Style::Connection, Style::Acquire, Style::Acquired];

each_database! {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use steadfast::{Error, retry, with_session};

    helpers!();

    async fn help(session: &mut Session, style: Style, id: i64, ending: Ending) -> Result<(), Error> {
        match style {
            Style::Connection => by_connection(session.raw().await?, id, ending).await?,
            Style::Acquire => by_acquire(&mut *session, id, ending).await?,
            Style::Acquired => by_acquired(&mut *session, id, ending).await?,
            Style::Executor => insert(&mut *session, id).await?,
        }
        Ok(())
    }

    #[with_session]
    async fn helped(session: &mut Session, style: Style, id: i64, ending: Ending) -> Result<(), Error> {
        help(session, style, id, ending).await
    }

    async fn work(session: &mut Session, style: Style, when: When, ending: Ending) -> Result<(), Error> {
        match when {
            When::First => help(session, style, 2, ending).await?,
            When::BehindAStatement => {
                insert(&mut *session, 1).await?;
                help(session, style, 2, ending).await?;
            }
            When::InASavepoint => {
                insert(&mut *session, 1).await?;
                session.savepoint(async |session| help(session, style, 2, ending).await).await?;
            }
            When::InAnAnnotatedFunction => helped(&mut *session, style, 2, ending).await?,
        }
        insert(&mut *session, 3).await?;
        Ok(())
    }

    #[with_session]
    async fn annotated(session: &mut Session, style: Style, when: When, ending: Ending, outer: Outer) -> Result<(), Error> {
        work(session, style, when, ending).await?;
        match outer {
            Outer::Err => Err(sqlx::Error::RowNotFound.into()),
            // As a panic, without a word on the terminal.
            Outer::Panic => std::panic::resume_unwind(Box::new("outer".to_owned())),
            Outer::RollbackOnly => {
                session.set_rollback_only();
                Ok(())
            }
            Outer::Dropped => wait_for_ever().await,
            Outer::Commit | Outer::RollbackByHand => Ok(()),
        }
    }

    async fn run(pool: &Pool, style: Style, when: When, ending: Ending, outer: Outer) {
        match outer {
            Outer::Commit | Outer::RollbackOnly => annotated(pool, style, when, ending, outer).await.unwrap(),
            Outer::Err => drop(annotated(pool, style, when, ending, outer).await.unwrap_err()),
            Outer::Panic => assert_eq!(panic_of(annotated(pool, style, when, ending, outer)).await, "outer"),
            Outer::Dropped => {
                drop_waiting(annotated(pool, style, when, ending, outer)).await;
                quiet(pool).await;
            }
            Outer::RollbackByHand => {
                let mut session = pool.begin().await.unwrap();
                work(&mut session, style, when, ending).await.unwrap();
                session.rollback().await.unwrap();
            }
        }
        assert_quiet(pool);
    }

    /// Rows of one run: those of the helper, and those of the session around it.
    async fn rows(place: &Place) -> (usize, usize) {
        let notes = notes(place).await;
        let inner = notes.iter().filter(|&&id| id == 2).count();
        sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
        (inner, notes.len() - inner)
    }

    #[tokio::test]
    async fn a_helpers_transaction_is_a_part_of_the_session() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (mut runs, mut left) = (0, 0);
        for style in STYLES {
            for ending in ENDINGS {
                let mut line = String::new();
                for outer in OUTER {
                    let mut inner = 0;
                    for when in WHEN {
                        run(&pool, style, when, ending, outer).await;
                        let (of_helper, of_session) = rows(&place).await;
                        let before = usize::from(matches!(when, When::BehindAStatement | When::InASavepoint));
                        let expected = match outer {
                            Outer::Commit => (usize::from(ending == Ending::Commit), before + 1),
                            _ => (0, 0),
                        };
                        assert_eq!((of_helper, of_session), expected, "{style:?} {when:?} {ending:?} {outer:?}");
                        inner += of_helper;
                        runs += 1;
                    }
                    if outer != Outer::Commit {
                        left += inner;
                    }
                    line.push_str(&format!(" {outer:?}: {inner:>1} |"));
                }
                println!("{NAME:8} | {style:10?} | inner {ending:8?} | rows left by the inner one, outer{line}");
            }
        }
        println!("{NAME:8} | {runs} runs; rows left by an inner one after the outer's rollback: {left}");
        assert_eq!((left, pool.stats().opened), (0, 1), "and all that on one connection");
    }

    #[tokio::test]
    async fn a_transaction_in_a_helpers_transaction() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for inner in ENDINGS {
            for outer in ENDINGS {
                for commits in [true, false] {
                    let mut session = pool.begin().await.unwrap();
                    insert(&mut session, 1).await.unwrap();
                    twice(session.raw().await.unwrap(), 2, inner, outer).await.unwrap();
                    insert(&mut session, 4).await.unwrap();
                    // Once more in the same session.
                    twice(session.raw().await.unwrap(), 5, inner, outer).await.unwrap();
                    let mut expected = vec![];
                    if commits {
                        session.commit().await.unwrap();
                        expected = vec![1];
                        for (first, next) in [(2, 4), (5, 7)] {
                            if outer == Ending::Commit {
                                expected.push(first);
                                if inner == Ending::Commit {
                                    expected.push(first + 1);
                                }
                            }
                            expected.extend((next == 4).then_some(4));
                        }
                    } else {
                        session.rollback().await.unwrap();
                    }
                    assert_eq!(notes(&place).await, expected, "{inner:?} {outer:?} {commits}");
                    sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
                    assert_quiet(&pool);
                }
            }
        }
        assert_eq!(pool.stats().opened, 1);
    }

    /// `impl Executor` needs no lending: the session is one.
    #[tokio::test]
    async fn a_helper_that_takes_an_executor() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        help(&mut session, Style::Executor, 1, Ending::Commit).await.unwrap();
        insert(session.raw().await.unwrap(), 2).await.unwrap();
        insert(&mut session, 3).await.unwrap();
        session.commit().await.unwrap();
        assert_eq!(notes(&place).await, [1, 2, 3]);
        let mut session = pool.begin().await.unwrap();
        help(&mut session, Style::Executor, 4, Ending::Commit).await.unwrap();
        session.rollback().await.unwrap();
        assert_eq!(notes(&place).await, [1, 2, 3]);
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn third_time_lucky(session: &mut Session, style: Style, ending: Ending, runs: &AtomicU32) -> Result<(), Error> {
        help(session, style, 2, ending).await?;
        insert(&mut *session, 3).await?;
        if runs.fetch_add(1, Ordering::SeqCst) < 2 { Err(transient()) } else { Ok(()) }
    }

    /// The attempts that failed leave nothing, and the error says that they did not.
    #[tokio::test]
    async fn under_retry() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for style in STYLES {
            for ending in ENDINGS {
                let runs = AtomicU32::new(0);
                third_time_lucky(&pool, style, ending, &runs).await.unwrap();
                assert_eq!(runs.into_inner(), 3);
                let expected = (usize::from(ending == Ending::Commit), 1);
                assert_eq!(rows(&place).await, expected, "{style:?} {ending:?}");
            }
        }
    }

    #[with_session]
    async fn fails_helped(session: &mut Session, style: Style) -> Result<(), Error> {
        help(session, style, 2, Ending::Commit).await?;
        Err(transient())
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn around_it(session: &mut Session, style: Style, runs: &AtomicU32) -> Result<(), Error> {
        insert(&mut *session, 1).await?;
        if runs.fetch_add(1, Ordering::SeqCst) < 2 { fails_helped(&mut *session, style).await } else { Ok(()) }
    }

    /// A nested call that lends and fails is as undone as any other.
    #[tokio::test]
    async fn under_a_retry_around_the_nested_call_that_lent() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for style in STYLES {
            let runs = AtomicU32::new(0);
            around_it(&pool, style, &runs).await.unwrap();
            assert_eq!(runs.into_inner(), 3);
            assert_eq!(rows(&place).await, (0, 1), "{style:?}");

            let mut session = pool.begin().await.unwrap();
            let error = fails_helped(&mut session, style).await.unwrap_err();
            assert_eq!(error.outcome(), steadfast::Outcome::RolledBack, "{error}");
            insert(&mut session, 1).await.unwrap();
            session.commit().await.unwrap();
            assert_eq!(rows(&place).await, (0, 1), "{style:?}");
        }
    }

    /// A statement that fails inside a helper's transaction is undone with it, also where it dooms a level.
    #[tokio::test]
    async fn a_failure_inside_a_helpers_transaction() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for ending in ENDINGS {
            let mut session = pool.begin().await.unwrap();
            insert(&mut session, 1).await.unwrap();
            let mut transaction = sqlx::Acquire::begin(&mut session).await.unwrap();
            insert(&mut *transaction, 2).await.unwrap();
            insert(&mut *transaction, 1).await.expect_err("the id is taken");
            let ended = end(transaction, ending).await;
            assert_eq!(ended.is_err(), ERROR_DOOMS && ending == Ending::Commit, "{ending:?}: {ended:?}");
            insert(&mut session, 3).await.unwrap();
            session.commit().await.unwrap();
            let kept = usize::from(ending == Ending::Commit && !ERROR_DOOMS);
            assert_eq!(rows(&place).await, (kept, 2), "{ending:?}");
        }
        assert_eq!(pool.stats().opened, 1);
    }
}
