//! Rows 3, 5 and 6: what a COMMIT answers, and what became of it.

/// Row 3.
mod aborted {
    use crate::beside_sqlx::{Doer, Failure, MENDED, Who, show};
    use crate::support::postgres::{Db, Place};
    use steadfast::{Category, Integrity, Outcome};

    async fn commits(who: Who) -> (Result<(), Failure>, Vec<i64>) {
        let place = Place::new().await;
        let doer = Doer::<Db>::connect(who, &place.url, 1).await;
        let mut work = doer.begin().await.unwrap();
        work.note(1).await.unwrap();
        // The caller swallows both.
        work.note(1).await.unwrap_err();
        work.number("SELECT count(*) FROM nowhere")
            .await
            .unwrap_err();
        let answer = work.commit().await;
        let kept = place.notes().await;
        let told = answer.as_ref().map_err(ToString::to_string);
        show(
            3,
            "postgres",
            who,
            format_args!("COMMIT of an aborted transaction: {told:?}, kept {kept:?}"),
        );
        (answer, kept)
    }

    /// Row 3 of the design's table. On the others an error ends a statement and not its transaction; where it does end
    /// it, see rows 7 and 16.
    #[tokio::test]
    async fn postgres_committing_an_aborted_transaction_is_an_error() {
        let (answer, kept) = commits(Who::Sqlx).await;
        assert!(answer.is_ok() && kept.is_empty(), "{MENDED}: {answer:?}");
        let (answer, kept) = commits(Who::Steadfast).await;
        let Err(Failure::Steadfast(error)) = answer else {
            panic!("{answer:?}")
        };
        let first = Category::Integrity(Integrity::Unique);
        assert_eq!(
            (error.category(), error.outcome(), kept),
            (first, Outcome::RolledBack, vec![])
        );
    }
}

/// Row 5.
mod dropped {
    use std::sync::{Arc, OnceLock};
    use steadfast::{Backend, Outcome};

    use crate::beside_sqlx::{Who, Work};

    /// What somebody learns who has asked to be told. In sqlx there is nobody to ask.
    fn listen<DB: Backend>(work: &mut Work<DB>) -> Arc<OnceLock<Outcome>> {
        let told = Arc::new(OnceLock::new());
        if let Work::Steadfast(session) = work {
            let told = Arc::clone(&told);
            session.on_end(move |outcome| told.set(outcome).expect("told once"));
        }
        told
    }

    /// What was learnt, once it is certain that no more will be.
    async fn learns(who: Who, told: &OnceLock<Outcome>) -> Option<Outcome> {
        if who == Who::Steadfast {
            crate::support::eventually("the end is told", || async { told.get().is_some() }).await;
        }
        told.get().copied()
    }

    mod servers {
        use super::{learns, listen};

        each_server! {
            use super::{learns, listen};
            use crate::beside_sqlx::{Doer, MENDED, Who, show};
            use steadfast::Outcome;
            use xtask::proxy::{Fault, Proxy};

            /// What was learnt of a COMMIT that was dropped on its way, and what is there.
            async fn drops(who: Who, fault: Fault, cut: bool) -> (Option<Outcome>, Vec<i64>) {
                let place = Place::new().await;
                let proxy = Proxy::before(&place.url).unwrap();
                let doer = Doer::<Db>::connect(who, &proxy.url(), 1).await;
                let mut work = doer.begin().await.unwrap();
                let told = listen(&mut work);
                work.note(1).await.unwrap();
                proxy.on(|sent| sent.runs("COMMIT"), fault);
                let is_held = eventually("COMMIT is held", || async { proxy.fired() == 1 });
                drop_when(is_held, work.commit()).await;
                if cut {
                    assert!(proxy.cut() > 0);
                } else {
                    proxy.resume();
                }
                eventually("the slot is free", || async { doer.is_free() }).await;
                place.has_open(0).await;
                let learnt = learns(who, &told).await;
                let kept = place.notes().await;
                let then = if cut { "and cut" } else { "then let go" };
                show(5, NAME, who, format_args!("COMMIT dropped ({fault:?} {then}): told {learnt:?}, kept {kept:?}"));
                (learnt, kept)
            }

            /// Row 5 of the design's table.
            #[tokio::test]
            async fn a_dropped_commit_ends_and_its_outcome_is_told() {
                let applied = drops(Who::Sqlx, Fault::HoldAnswer, false).await;
                let not_sent = drops(Who::Sqlx, Fault::HoldBefore, true).await;
                // It commits or does not, and to its caller both look the same.
                assert_eq!((applied, not_sent), ((None, vec![1]), (None, vec![])), "{MENDED}");

                let committed = (Some(Outcome::Committed), vec![1]);
                assert_eq!(drops(Who::Steadfast, Fault::HoldAnswer, false).await, committed);
                assert_eq!(drops(Who::Steadfast, Fault::HoldBefore, false).await, committed, "it runs to its end");
                assert_eq!(drops(Who::Steadfast, Fault::HoldBefore, true).await, (Some(Outcome::Unknown), vec![]));
            }
        }
    }

    /// It has no connection to lose, and its COMMIT cannot be held up on its way.
    mod sqlite {
        use super::{learns, listen};
        use crate::beside_sqlx::{Doer, MENDED, Who, show};
        use crate::support::sqlite::{Db, Place};
        use crate::support::{drop_at_poll, eventually};
        use steadfast::Outcome;

        /// The same, dropped right behind its first poll.
        async fn drops(who: Who) -> (Option<Outcome>, Vec<i64>) {
            loop {
                let place = Place::new().await;
                let doer = Doer::<Db>::connect(who, &place.url, 1).await;
                let mut work = doer.begin().await.unwrap();
                let told = listen(&mut work);
                work.note(1).await.unwrap();
                let ended = drop_at_poll(work.commit(), 1).await;
                eventually("the slot is free", || async { doer.is_free() }).await;
                let learnt = learns(who, &told).await;
                let kept = place.notes().await;
                // Its thread may have been so quick that the first poll was the last.
                if ended.is_none() {
                    show(
                        5,
                        "sqlite",
                        who,
                        format_args!("COMMIT dropped: told {learnt:?}, kept {kept:?}"),
                    );
                    return (learnt, kept);
                }
            }
        }

        /// Row 5 of the design's table.
        #[tokio::test]
        async fn a_dropped_commit_ends_and_its_outcome_is_told() {
            assert_eq!(drops(Who::Sqlx).await, (None, vec![1]), "{MENDED}");
            let committed = (Some(Outcome::Committed), vec![1]);
            assert_eq!(drops(Who::Steadfast).await, committed);
        }
    }
}

/// Row 6.
mod lost {
    use crate::beside_sqlx::Failure;

    /// Whether a retry helper tries again: by what the error says of itself, and in sqlx that is its variant.
    fn is_transient(failure: &Failure) -> bool {
        match failure {
            Failure::Sqlx(error) => matches!(error, sqlx::Error::Io(_)),
            Failure::Steadfast(error) => error.is_retryable(),
        }
    }

    each_server! {
        use super::is_transient;
        use crate::beside_sqlx::{Doer, Failure, MENDED, Who, show};
        use steadfast::{Error, Outcome, RetryPolicy};
        use xtask::proxy::{Fault, Proxy};

        const ENTER: &str = "INSERT INTO entries (id) VALUES (1)";

        /// A table without a unique key: what is applied twice is there twice.
        async fn set_up() -> (Place, Proxy) {
            let place = Place::new().await;
            sqlx::raw_sql("CREATE TABLE entries (id BIGINT NOT NULL)").execute(&place.plain).await.unwrap();
            let proxy = Proxy::before(&place.url).unwrap();
            (place, proxy)
        }

        async fn enters(doer: &Doer<Db>) -> Result<(), Failure> {
            let mut work = doer.begin().await?;
            work.execute(ENTER).await?;
            work.commit().await
        }

        /// A call in a retry helper, whose first COMMIT loses its connection; and how often it is there.
        async fn persists(who: Who, fault: Fault) -> (Result<(), Failure>, i64) {
            let (place, proxy) = set_up().await;
            let doer = Doer::<Db>::connect(who, &proxy.url(), 1).await;
            proxy.on(|sent| sent.runs("COMMIT"), fault);
            let mut attempts = 1;
            let answer = loop {
                match enters(&doer).await {
                    Err(failure) if attempts < 3 && is_transient(&failure) => attempts += 1,
                    answer => break answer,
                }
            };
            assert_eq!(proxy.fired(), 1);
            place.has_open(0).await;
            let rows = place.count("entries").await;
            let told = answer.as_ref().map_err(Failure::outcome);
            show(6, NAME, who, format_args!("{fault:?} at COMMIT, in a retry helper: {attempts} attempts, {told:?}, {rows} rows"));
            (answer, rows)
        }

        /// Row 6 of the design's table. SQLite has no connection to lose.
        #[tokio::test]
        async fn a_commit_without_an_answer_is_unknown_and_not_repeated() {
            let (answer, rows) = persists(Who::Sqlx, Fault::CutAnswer).await;
            assert!(answer.is_ok() && rows == 2, "{MENDED}: {answer:?}, {rows} rows");

            for (fault, applied) in [(Fault::CutAnswer, 1), (Fault::CutBefore, 0)] {
                let (answer, rows) = persists(Who::Steadfast, fault).await;
                assert_eq!(answer.unwrap_err().outcome(), Some(Outcome::Unknown));
                assert_eq!(rows, applied);

                // Resolved, it is repeated where that is right.
                let (place, proxy) = set_up().await;
                let pool = Pool::builder().primary(proxy.url()).max_connections(1).connect().await.unwrap();
                pool.install().await.unwrap();
                proxy.on(|sent| sent.runs("COMMIT"), fault);
                let verified = pool.operation(concat!(module_path!(), "::verified"))
                    .retry(RetryPolicy::immediate().max(3).verify_commit())
                    .run(async |session| {
                        sqlx::query(ENTER).execute(&mut *session).await?;
                        Ok::<_, Error>(session.attempt())
                    });
                let attempt = verified.await.unwrap();
                assert_eq!((attempt, proxy.fired(), place.count("entries").await), (2 - applied as u32, 1, 1));
            }
        }
    }
}
