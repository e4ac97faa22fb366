//! Random programs that lend, compared with a model: a stack of sets of rows.
//!
//! `STEADFAST_SEED` repeats a run, `STEADFAST_PROGRAM` a single program of it.

mod model;
mod program;

use std::collections::BTreeSet;

use model::{Model, Tally};
use program::{Act, Body, DEEPEST, End, Inner, Loan, Maker, Style};

const PROGRAMS: u64 = 240;

fn program(seed: u64, index: u64) -> Body {
    let random = fastrand::Rng::with_seed(seed.wrapping_add(index));
    Maker { random, row: 0 }.body(0)
}

each_database! {
    use super::*;
    use std::cell::Cell;
    use std::future::Future;
    use std::pin::Pin;
    use steadfast::{Error, with_session};

    helpers!();

    type Running<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

    thread_local! {
        /// The innermost body wants to be dropped.
        static KNELL: Cell<bool> = const { Cell::new(false) };
    }

    async fn until_dropped<T>(mut body: Running<'_, T>) -> Option<T> {
        std::future::poll_fn(|context| match body.as_mut().poll(context) {
            std::task::Poll::Ready(result) => std::task::Poll::Ready(Some(result)),
            std::task::Poll::Pending if KNELL.take() => std::task::Poll::Ready(None),
            std::task::Poll::Pending => std::task::Poll::Pending,
        })
        .await
    }

    /// A helper's transaction, and those inside of it.
    fn inner<'a>(connection: &'a mut Connection, work: &'a Inner) -> Running<'a, sqlx::Result<()>> {
        Box::pin(async move {
            let mut transaction = connection.begin().await?;
            for row in &work.rows {
                insert(&mut *transaction, *row).await?;
            }
            if let Some(deeper) = &work.deeper {
                let _ = inner(&mut transaction, deeper).await;
            }
            if work.fails {
                insert(&mut *transaction, 0).await.expect_err("the id is taken");
            }
            end(transaction, work.ending).await
        })
    }

    async fn lend(session: &mut Session, loan: &Loan) -> Result<(), Error> {
        match loan.style {
            Style::Raw => {
                let lent = session.raw().await?;
                for row in &loan.rows {
                    insert(&mut *lent, *row).await?;
                }
                for work in &loan.work {
                    let _ = inner(lent, work).await;
                }
            }
            Style::Acquired => {
                let lent = sqlx::Acquire::acquire(&mut *session).await?;
                for row in &loan.rows {
                    insert(&mut *lent, *row).await?;
                }
                for work in &loan.work {
                    let _ = inner(lent, work).await;
                }
            }
            Style::Begun => {
                for row in &loan.rows {
                    insert(session.raw().await?, *row).await?;
                }
                for work in &loan.work {
                    let mut transaction = sqlx::Acquire::begin(&mut *session).await?;
                    for row in &work.rows {
                        insert(&mut *transaction, *row).await?;
                    }
                    if let Some(deeper) = &work.deeper {
                        let _ = inner(&mut transaction, deeper).await;
                    }
                    if work.fails {
                        insert(&mut *transaction, 0).await.expect_err("the id is taken");
                    }
                    let _ = end(transaction, work.ending).await;
                }
            }
        }
        Ok(())
    }

    fn run<'a>(session: &'a mut Session, body: &'a Body) -> Running<'a, Result<(), Error>> {
        Box::pin(async move {
            for act in &body.acts {
                match act {
                    Act::Insert(row) => insert(&mut *session, *row).await?,
                    Act::Lend(loan) => lend(session, loan).await?,
                    Act::Nested(inner) => {
                        let call: Running<'_, _> = if inner.is_annotated {
                            Box::pin(annotated(&mut *session, inner))
                        } else {
                            Box::pin(session.savepoint(async |session| run(session, inner).await))
                        };
                        let ended = until_dropped(call).await;
                        // Whatever became of it, the body goes on.
                        assert_eq!(ended.map(|ended| ended.is_ok()), inner.end.answer(), "{inner:?}");
                    }
                }
            }
            match body.end {
                End::Ok => Ok(()),
                End::Err => Err(sqlx::Error::RowNotFound.into()),
                End::Dropped => {
                    KNELL.set(true);
                    std::future::pending().await
                }
            }
        })
    }

    #[with_session]
    async fn annotated(session: &mut Session, body: &Body) -> Result<(), Error> {
        run(session, body).await
    }

    async fn by_hand(pool: &Pool, body: &Body) -> Result<(), Error> {
        let mut session = pool.begin().await?;
        match run(&mut session, body).await {
            Ok(()) => session.commit().await,
            Err(error) => {
                session.rollback().await?;
                Err(error)
            }
        }
    }

    /// Runs a program and gives its answer and the rows that it left.
    async fn perform(place: &Place, pool: &Pool, body: &Body) -> (Option<bool>, BTreeSet<i64>) {
        let call: Running<'_, _> = if body.is_annotated {
            Box::pin(annotated(pool, body))
        } else {
            Box::pin(by_hand(pool, body))
        };
        let answer = until_dropped(call).await;
        if let (Some(Err(error)), End::Ok) = (&answer, body.end) {
            panic!("{NAME}: refused: {error}\n{body:#?}");
        }
        quiet(pool).await;
        assert_eq!(place.open_transactions().await, 0);
        let rows = notes(place).await.into_iter().filter(|&id| id != 0).collect();
        sqlx::query("DELETE FROM notes WHERE id <> 0").execute(&place.plain).await.unwrap();
        (answer.map(|answer| answer.is_ok()), rows)
    }

    /// On one connection, so that each finds what the one before has left of it.
    #[tokio::test]
    async fn random_programs_do_what_the_model_says() {
        let seed = seed();
        let only = std::env::var("STEADFAST_PROGRAM").ok().and_then(|index| index.parse().ok());
        let indices: Vec<u64> = only.map_or_else(|| (0..PROGRAMS).collect(), |index| vec![index]);
        let began = std::time::Instant::now();
        let place = Place::new().await;
        insert(&place.plain, 0).await.unwrap();
        let pool = place.pool(1).await;
        let (mut tally, mut caught) = (Tally::default(), 0);
        for index in &indices {
            let body = program(seed, *index);
            let expected = Model::run(&body, ERROR_DOOMS, false, &mut tally);
            let observed = perform(&place, &pool, &body).await;
            assert_eq!(
                observed, expected,
                "{NAME}: again with STEADFAST_SEED={seed} STEADFAST_PROGRAM={index}\n{body:#?}"
            );
            caught += usize::from(Model::run(&body, ERROR_DOOMS, true, &mut Tally::default()) != observed);
        }
        println!(
            "{NAME}: seed {seed}, {} programs in {:.1?}: {tally:?}; a model with a bug differs in {caught}",
            indices.len(),
            began.elapsed()
        );
        if only.is_none() {
            assert_eq!(tally.deepest, DEEPEST);
            for often in [tally.loans, tally.inner, tally.undone, tally.failed, tally.committed, tally.dropped, caught] {
                assert!(often > 20, "the programs of seed {seed} are too tame: {tally:?}, {caught}");
            }
            assert_eq!(pool.stats().opened, 1, "no program costs the connection");
        }
    }
}
