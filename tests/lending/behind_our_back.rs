//! What code on a lent connection may do without the session's knowledge: whatever it is, `Ok` means that all of the
//! work is there, `RolledBack` that none of it is, and the next user of the connection notices nothing.

use std::fmt;
use std::time::Duration;

/// What is done between two inserts on the lent connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mischief {
    /// For comparison.
    Nothing,
    Commit,
    Rollback,
    CommitAndBegin,
    RollbackAndBegin,
    /// A transaction of sqlx's that is neither ended nor dropped.
    Leaked,
    /// Two of them, and what was begun is committed by another.
    LeakedTwice,
    /// sqlx counts one more than there are, and its COMMIT is ours.
    CommittedTooOften,
    /// An error that nobody hears of.
    SwallowedError,
    DroppedQuery,
    DroppedWrite,
    /// `begin` dropped after its first poll.
    DroppedBegin,
    /// The same inside of a transaction of the helper's, which it then commits.
    DroppedInnerBegin,
}

const MISCHIEF: [Mischief; 13] = [
    Mischief::Nothing,
    Mischief::Commit,
    Mischief::Rollback,
    Mischief::CommitAndBegin,
    Mischief::RollbackAndBegin,
    Mischief::Leaked,
    Mischief::LeakedTwice,
    Mischief::CommittedTooOften,
    Mischief::SwallowedError,
    Mischief::DroppedQuery,
    Mischief::DroppedWrite,
    Mischief::DroppedBegin,
    Mischief::DroppedInnerBegin,
];

impl Mischief {
    fn leaves_a_statement(self) -> bool {
        matches!(self, Self::DroppedQuery | Self::DroppedWrite)
    }
}

/// Where in the session that happens, and what comes behind it.
#[derive(Clone, Copy, Debug)]
struct Course {
    before: bool,
    level: Level,
    behind: bool,
    lends_again: bool,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Level {
    Outermost,
    Kept,
    Undone,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Commit,
    Rollback,
    Err,
    Drop,
}

fn courses() -> impl Iterator<Item = Course> {
    let bits = (0..8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0));
    let levels = [Level::Outermost, Level::Kept, Level::Undone];
    bits.flat_map(move |(before, behind, lends_again)| {
        levels.into_iter().flat_map(move |level| {
            let ends = [End::Commit, End::Rollback, End::Err, End::Drop];
            ends.into_iter().map(move |end| Course {
                before,
                level,
                behind,
                lends_again,
                end,
            })
        })
    })
}

/// What the sessions of one kind of mischief came to.
#[derive(Debug, Default)]
struct Figures {
    committed: usize,
    rolled_back: usize,
    unknown: usize,
    dropped: usize,
    wrong: Vec<String>,
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            committed,
            rolled_back,
            unknown,
            dropped,
            wrong,
        } = self;
        write!(
            out,
            "{committed:3} committed, {rolled_back:3} rolled back, {unknown:3} unknown, {dropped:3} dropped; {} wrong",
            wrong.len()
        )
    }
}

const DROPPED_AFTER: Duration = Duration::from_millis(40);

each_database! {
    use super::*;
    use std::collections::BTreeSet;
    use tokio::time::timeout;
    use steadfast::{Category, Error, Outcome, with_session};

    helpers!();

    /// The rows of which an insert was acknowledged.
    #[derive(Default)]
    struct Acknowledged(BTreeSet<i64>);

    impl Acknowledged {
        async fn insert(&mut self, executor: impl Executor<'_, Database = Db>, id: i64) -> sqlx::Result<()> {
            insert(executor, id).await?;
            self.0.insert(id);
            Ok(())
        }
    }

    async fn raw(lent: &mut Connection, words: &'static str) {
        // SQLite refuses some of it; the session must notice that as well.
        let _ = sqlx::raw_sql(words).execute(lent).await;
    }

    async fn misbehave(lent: &mut Connection, mischief: Mischief) {
        match mischief {
            Mischief::Nothing => {}
            Mischief::Commit => raw(lent, "COMMIT").await,
            Mischief::Rollback => raw(lent, "ROLLBACK").await,
            Mischief::CommitAndBegin => {
                raw(lent, "COMMIT").await;
                raw(lent, "BEGIN").await;
            }
            Mischief::RollbackAndBegin => {
                raw(lent, "ROLLBACK").await;
                raw(lent, "BEGIN").await;
            }
            Mischief::Leaked => std::mem::forget(lent.begin().await),
            Mischief::LeakedTwice => {
                std::mem::forget(lent.begin().await);
                std::mem::forget(lent.begin().await);
                let _ = by_connection(lent, 50, Ending::Rollback).await;
            }
            Mischief::CommittedTooOften => {
                for _ in 0..2 {
                    let dropped = drop_at_poll(lent.begin(), 1).await;
                    std::mem::forget(dropped);
                }
                if let Ok(transaction) = lent.begin().await {
                    let _ = transaction.commit().await;
                }
            }
            Mischief::SwallowedError => drop(insert(lent, 0).await.expect_err("there is no room for it")),
            Mischief::DroppedQuery => drop(timeout(DROPPED_AFTER, sqlx::query(SLOW).execute(lent)).await),
            Mischief::DroppedWrite => {
                let write = sqlx::query(sql(SLOW_INSERT)).bind(60_i64).execute(lent);
                drop(timeout(DROPPED_AFTER, write).await);
            }
            Mischief::DroppedBegin => drop(drop_at_poll(lent.begin(), 1).await),
            Mischief::DroppedInnerBegin => {
                if let Ok(mut transaction) = lent.begin().await {
                    drop(drop_at_poll(transaction.begin(), 1).await);
                    let _ = transaction.commit().await;
                }
            }
        }
    }

    async fn helper(lent: &mut Connection, mischief: Mischief, rows: &mut Acknowledged) -> sqlx::Result<()> {
        rows.insert(&mut *lent, 2).await?;
        misbehave(lent, mischief).await;
        if !mischief.leaves_a_statement() {
            // It does not care. Behind a statement that it has dropped sqlx would wait for that one.
            let _ = rows.insert(&mut *lent, 3).await;
        }
        Ok(())
    }

    #[with_session]
    async fn nested(session: &mut Session, mischief: Mischief, level: Level, rows: &mut Acknowledged) -> Result<(), Error> {
        helper(session.raw().await?, mischief, rows).await?;
        if level == Level::Undone { Err(sqlx::Error::RowNotFound.into()) } else { Ok(()) }
    }

    async fn run(session: &mut Session, mischief: Mischief, course: Course, rows: &mut Acknowledged) -> Result<(), Error> {
        if course.before {
            rows.insert(&mut *session, 1).await?;
        }
        match course.level {
            Level::Outermost => helper(session.raw().await?, mischief, rows).await?,
            level => {
                let mut inner = Acknowledged::default();
                let kept = nested(&mut *session, mischief, level, &mut inner).await;
                if kept.is_ok() {
                    rows.0.append(&mut inner.0);
                }
            }
        }
        if course.lends_again {
            rows.insert(session.raw().await?, 4).await?;
        }
        if course.behind {
            rows.insert(&mut *session, 5).await?;
        }
        Ok(())
    }

    #[with_session]
    async fn annotated(session: &mut Session, mischief: Mischief, course: Course, rows: &mut Acknowledged) -> Result<(), Error> {
        run(session, mischief, course, rows).await?;
        match course.end {
            End::Err => Err(sqlx::Error::ColumnNotFound(String::new()).into()),
            _ => Ok(()),
        }
    }

    /// What the session says became of its work; `None` where nobody was told.
    async fn perform(pool: &Pool, mischief: Mischief, course: Course, rows: &mut Acknowledged) -> Option<Result<(), Error>> {
        match course.end {
            End::Commit | End::Err => Some(annotated(pool, mischief, course, rows).await),
            End::Rollback | End::Drop => {
                let mut session = pool.begin().await.unwrap();
                let result = run(&mut session, mischief, course, rows).await;
                if course.end == End::Drop {
                    drop(session);
                    quiet(pool).await;
                    return None;
                }
                // A rollback that answers well promises that nothing is left.
                let rolled_back = session.rollback().await;
                Some(rolled_back.and(result))
            }
        }
    }

    async fn examine(place: &Place, pool: &Pool, mischief: Mischief, course: Course, figures: &mut Figures) {
        let mut rows = Acknowledged::default();
        let before = pool.stats();
        let answer = perform(pool, mischief, course, &mut rows).await;
        assert_quiet(pool);
        let left: BTreeSet<i64> = notes(place).await.into_iter().filter(|&id| id != 0).collect();
        let mut complain = |what: &str| {
            figures.wrong.push(format!("{mischief:?} {course:?}: {what}; {answer:?}; acknowledged {:?}, left {left:?}", rows.0));
        };
        match &answer {
            Some(Ok(())) if course.end == End::Commit => {
                if left != rows.0 {
                    complain("committed, they say");
                }
                figures.committed += 1;
            }
            Some(Ok(())) => {
                if !left.is_empty() {
                    complain("rolled back without an error");
                }
                figures.rolled_back += 1;
            }
            None => figures.dropped += 1,
            Some(Err(error)) => match error.outcome() {
                Outcome::Unknown => {
                    if error.category() != Category::Programming && course.end != End::Err {
                        complain("of another category");
                    }
                    figures.unknown += 1;
                }
                Outcome::Committed => complain("committed, with an error"),
                _ => {
                    if !left.is_empty() {
                        complain("rolled back, they say");
                    }
                    figures.rolled_back += 1;
                }
            },
        }
        if !matches!(&answer, Some(Ok(()))) && mischief == Mischief::Nothing && course.end == End::Commit {
            figures.wrong.push(format!("{course:?}: an honest helper was refused: {answer:?}"));
        }
        next_user(place, pool, &mut figures.wrong, &format!("{mischief:?} {course:?}")).await;
        let after = pool.stats();
        if after.opened != before.opened && mischief == Mischief::Nothing {
            figures.wrong.push(format!("{course:?}: an honest helper cost the connection"));
        }
    }

    /// Whoever gets the connection next finds it as it should be.
    async fn next_user(place: &Place, pool: &Pool, wrong: &mut Vec<String>, what: &str) {
        // A connection that was closed the server may still have to notice.
        eventually("no transaction is open", || async { place.open_transactions().await == 0 }).await;
        if let Err(error) = insert(pool, 100).await {
            wrong.push(format!("{what}: the next statement was refused: {error}"));
        }
        if !notes(place).await.contains(&100) {
            wrong.push(format!("{what}: the next user's acknowledged write is not there"));
        }
        let mut session = pool.begin().await.unwrap();
        for id in [101, 102] {
            if let Err(error) = insert(&mut session, id).await {
                wrong.push(format!("{what}: the next session was refused: {error}"));
            }
        }
        if let Err(error) = session.rollback().await {
            wrong.push(format!("{what}: the next rollback failed: {error}"));
        }
        let mut session = pool.begin().await.unwrap();
        by_acquire(&mut session, 103, Ending::Commit).await.unwrap();
        if let Err(error) = session.commit().await {
            wrong.push(format!("{what}: the next commit failed: {error}"));
        }
        let left = notes(place).await;
        if left.iter().filter(|&&id| id > 99).ne(&[100, 103]) {
            wrong.push(format!("{what}: the next users left {left:?}"));
        }
        sqlx::query("DELETE FROM notes WHERE id <> 0").execute(&place.plain).await.unwrap();
        sqlx::query("DELETE FROM tree").execute(&place.plain).await.unwrap();
    }

    #[tokio::test]
    async fn never_a_false_answer() {
        let place = Place::new().await;
        insert(&place.plain, 0).await.unwrap();
        sqlx::raw_sql("CREATE TABLE tree (id BIGINT PRIMARY KEY)").execute(&place.plain).await.unwrap();
        let pool = place.pool(1).await;
        let mut wrong = Vec::new();
        for mischief in MISCHIEF {
            let mut figures = Figures::default();
            for course in courses() {
                // A dropped statement takes its time.
                if mischief.leaves_a_statement() && course.before != course.behind {
                    continue;
                }
                examine(&place, &pool, mischief, course, &mut figures).await;
            }
            println!("{NAME:8} | {mischief:<18?} | {figures}", mischief = format!("{mischief:?}"));
            wrong.append(&mut figures.wrong);
        }
        for line in wrong.iter().take(40) {
            println!("{NAME}: {line}");
        }
        assert!(wrong.is_empty(), "{NAME}: {} wrong answers", wrong.len());
    }
}
