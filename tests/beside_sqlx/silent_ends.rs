//! Rows 7, 13 and 16: something ends the transaction, and nobody says so.

/// Row 7.
mod deadlock {
    use crate::beside_sqlx::{Doer, Failure, MENDED, Who, Work, show};
    use crate::support::mysql::{Db, Place};
    use steadfast::Category;
    use tokio::sync::Barrier;

    /// Swallows a deadlock, writes, and rolls back; whether it was the one to be given up, and what that write
    /// answered.
    async fn swallows(
        mut work: Work<Db>,
        statements: [&'static str; 2],
        both: &Barrier,
    ) -> (bool, Option<Result<(), Failure>>) {
        work.execute(statements[0]).await.unwrap();
        both.wait().await;
        if work.execute(statements[1]).await.is_ok() {
            work.rollback().await.unwrap();
            return (false, None);
        }
        let next = work.note(1).await;
        work.rollback().await.unwrap();
        (true, Some(next))
    }

    async fn crosses(who: Who) -> (Result<(), Failure>, Vec<i64>) {
        const FIRST: &str = "UPDATE accounts SET cents = cents + 1 WHERE id = 1";
        const SECOND: &str = "UPDATE accounts SET cents = cents + 1 WHERE id = 2";
        let place = Place::new().await;
        let doer = Doer::<Db>::connect(who, &place.url, 2).await;
        let (one, two) = (doer.begin().await.unwrap(), doer.begin().await.unwrap());
        let both = Barrier::new(2);
        let ends = tokio::join!(
            swallows(one, [FIRST, SECOND], &both),
            swallows(two, [SECOND, FIRST], &both)
        );
        let next = match ends {
            ((true, Some(next)), (false, _)) | ((false, _), (true, Some(next))) => next,
            other => panic!("one is the victim: {other:?}"),
        };
        let kept = place.notes().await;
        let told = next.as_ref().map_err(ToString::to_string);
        show(
            7,
            "mysql",
            who,
            format_args!(
                "1213 swallowed, the next INSERT: {told:?}, rolled back, and kept {kept:?}"
            ),
        );
        (next, kept)
    }

    /// Row 7 of the design's table. On PostgreSQL the victim of a deadlock is aborted, and refuses the next statement
    /// by itself; SQLite has one lock, and nobody to wait for in a circle.
    #[tokio::test]
    async fn mysql_behind_a_swallowed_deadlock_nothing_commits_itself() {
        let (next, kept) = crosses(Who::Sqlx).await;
        assert!(next.is_ok() && kept == [1], "{MENDED}: {next:?}");
        let (next, kept) = crosses(Who::Steadfast).await;
        let Err(Failure::Steadfast(error)) = next else {
            panic!("{next:?}")
        };
        assert_eq!((error.category(), kept), (Category::Conflict, vec![]));
    }
}

/// Row 13.
mod raw {
    use crate::beside_sqlx::{Failure, Who, show};

    /// What a rollback answered, behind a statement that commits, and what is there.
    #[derive(Debug)]
    struct Rolled {
        sent: Result<(), Failure>,
        back: Result<(), Failure>,
        kept: Vec<i64>,
    }

    impl Rolled {
        /// It was sent, and what it committed stays. SQLite refuses the rollback then, which undoes nothing.
        fn is_the_fault(&self, name: &str) -> bool {
            self.sent.is_ok() && self.back.is_ok() == (name != "sqlite") && self.kept == [1]
        }

        fn show(self, name: &str, who: Who, text: &str) -> Self {
            let Self { sent, back, kept } = &self;
            let [sent, back] = [sent, back].map(|told| told.as_ref().map_err(|_| "an error"));
            show(
                13,
                name,
                who,
                format_args!("{text}: {sent:?}, rollback {back:?}, kept {kept:?}"),
            );
            self
        }
    }

    each_database! {
        use super::Rolled;
        use crate::beside_sqlx::{Doer, Failure, MENDED, Who, Work};
        use steadfast::Outcome;

        async fn rolls_back(who: Who, place: &Place, text: &'static str) -> Rolled {
            let doer = Doer::<Db>::connect(who, &place.url, 1).await;
            let mut work = doer.begin().await.unwrap();
            work.note(1).await.unwrap();
            let sent = work.execute(text).await;
            let back = work.rollback().await;
            Rolled { sent, back, kept: place.notes().await }.show(NAME, who, text)
        }

        /// Row 13 of the design's table. DDL is MariaDB's alone: on the others it is part of the transaction.
        #[tokio::test]
        async fn a_raw_commit_is_refused_before_it_is_sent() {
            let mysql_only = (NAME == "mysql").then_some("CREATE TABLE others (id BIGINT)");
            for text in std::iter::once("COMMIT").chain(mysql_only) {
                let plain = rolls_back(Who::Sqlx, &Place::new().await, text).await;
                assert!(plain.is_the_fault(NAME), "{MENDED}: {plain:?}");
                let ours = rolls_back(Who::Steadfast, &Place::new().await, text).await;
                assert!(ours.sent.is_err() && ours.back.is_ok(), "the session is well: {ours:?}");
                assert!(ours.kept.is_empty(), "{ours:?}");
            }
        }

        /// A transaction whose connection some code has to itself, that ends it and begins another.
        async fn lends(who: Who) -> (Result<(), Failure>, Vec<i64>) {
            const TEXT: &str = "ROLLBACK; BEGIN";
            let place = Place::new().await;
            let doer = Doer::<Db>::connect(who, &place.url, 1).await;
            let mut work = doer.begin().await.unwrap();
            work.note(1).await.unwrap();
            let connection: &mut Connection = match &mut work {
                Work::Sqlx(transaction) => &mut **transaction,
                Work::Steadfast(session) => session.raw().await.unwrap(),
            };
            sqlx::raw_sql(TEXT).execute(connection).await.unwrap();
            let answer = work.commit().await;
            let kept = place.notes().await;
            let told = answer.as_ref().map_err(Failure::outcome);
            crate::beside_sqlx::show(13, NAME, who, format_args!("{TEXT} on the raw connection: COMMIT {told:?}, kept {kept:?}"));
            (answer, kept)
        }

        /// Row 13 of the design's table: what no scanner sees.
        #[tokio::test]
        async fn an_end_behind_the_raw_connection_is_no_false_ok() {
            let (answer, kept) = lends(Who::Sqlx).await;
            assert!(answer.is_ok() && kept.is_empty(), "{MENDED}: {answer:?}, kept {kept:?}");
            let (answer, kept) = lends(Who::Steadfast).await;
            let outcome = answer.unwrap_err().outcome();
            assert!(matches!(outcome, Some(Outcome::Unknown | Outcome::RolledBack)), "{outcome:?}");
            assert!(kept.is_empty(), "{kept:?}");
        }
    }

    mod procedure {
        use super::Rolled;
        use crate::beside_sqlx::{Doer, MENDED, Who};
        use crate::support::mysql::{Db, Place};
        use steadfast::Outcome;

        async fn calls(who: Who) -> Rolled {
            let place = Place::new().await;
            sqlx::raw_sql("CREATE PROCEDURE sly() BEGIN COMMIT; END")
                .execute(&place.plain)
                .await
                .unwrap();
            let doer = Doer::<Db>::connect(who, &place.url, 1).await;
            let mut work = doer.begin().await.unwrap();
            work.note(1).await.unwrap();
            let sent = work.execute("CALL sly()").await;
            let back = work.rollback().await;
            let kept = place.notes().await;
            Rolled { sent, back, kept }.show("mysql", who, "CALL of a procedure that commits")
        }

        /// Row 13 of the design's table. PostgreSQL refuses a COMMIT inside of a procedure that is called in a
        /// transaction; SQLite has no procedures.
        #[tokio::test]
        async fn mysql_a_procedure_that_commits_is_found_out() {
            let plain = calls(Who::Sqlx).await;
            assert!(plain.is_the_fault("mysql"), "{MENDED}: {plain:?}");
            let ours = calls(Who::Steadfast).await;
            assert_eq!(
                ours.back.as_ref().unwrap_err().outcome(),
                Some(Outcome::Unknown),
                "{ours:?}"
            );
        }
    }
}

/// Row 16.
mod sqlite {
    use crate::beside_sqlx::{Doer, Failure, MENDED, Who, show};
    use crate::support::sqlite::{Db, Place};

    /// Swallows the error of a statement, writes, and rolls back: what that write answered, and what is there.
    async fn swallows(who: Who, full: bool) -> (Result<(), Failure>, Vec<i64>) {
        let place = Place::new().await;
        let doer = Doer::<Db>::connect(who, &place.url, 1).await;
        let mut work = doer.begin().await.unwrap();
        let text = if full {
            // A disk that is full at once, for this connection.
            work.execute("PRAGMA max_page_count = 20").await.unwrap();
            "INSERT INTO notes VALUES (2, hex(zeroblob(100000)))"
        } else {
            "INSERT OR ROLLBACK INTO notes VALUES (2, 'note 1')"
        };
        work.note(1).await.unwrap();
        let error = work.execute(text).await.unwrap_err().to_string();
        assert!(
            error.contains(if full { "full" } else { "UNIQUE" }),
            "{error}"
        );
        let next = work.note(3).await;
        let back = work.rollback().await;
        let kept = place.notes().await;
        let [told, back] = [&next, &back].map(|told| told.as_ref().map_err(|_| "an error"));
        let what = if full { "SQLITE_FULL" } else { "OR ROLLBACK" };
        show(
            16,
            "sqlite",
            who,
            format_args!(
                "{what} swallowed, the next INSERT: {told:?}, rollback {back:?}, kept {kept:?}"
            ),
        );
        (next, kept)
    }

    /// Row 16 of the design's table. On the servers no statement's words roll back all, and what a full disk does there
    /// is an error of its statement (PostgreSQL: see row 3).
    #[tokio::test]
    async fn sqlite_behind_a_silent_rollback_nothing_commits_itself() {
        for full in [false, true] {
            let (next, kept) = swallows(Who::Sqlx, full).await;
            assert!(
                next.is_ok() && kept == [3],
                "{MENDED}: {next:?}, kept {kept:?}"
            );
            let (next, kept) = swallows(Who::Steadfast, full).await;
            assert!(next.is_err() && kept.is_empty(), "{next:?}, kept {kept:?}");
        }
    }
}
