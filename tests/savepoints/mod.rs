//! Nested bodies: random programs, compared with a model.
//!
//! `STEADFAST_SEED` repeats a run, `STEADFAST_PROGRAM` a single program of it; a program that fails is made as
//! small as possible before it is shown.

mod model;
mod program;

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use model::{Model, Observed, Rules, Tally};
use program::{Act, Body, DEEPEST, Door, End, Maker, Slow};

const PROGRAMS: u64 = 320;

/// How far apart the rows of two programs are. The first two are there before: the second is inserted again by
/// `Duplicate`, and the first keeps the lock on the gap before it, which InnoDB takes then, away from others.
const ROWS: i64 = 1000;

type Running<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What a program is run with.
struct Stage {
    /// The row before its own.
    base: i64,
    answers: Mutex<Vec<String>>,
    /// The innermost body that runs wants to be dropped.
    knell: AtomicBool,
}

impl Stage {
    fn new(base: i64) -> Self {
        Self {
            base,
            answers: Mutex::default(),
            knell: AtomicBool::new(false),
        }
    }

    fn note(&self, answer: String) {
        self.answers.lock().unwrap().push(answer);
    }

    async fn ask_to_be_dropped<T>(&self) -> T {
        self.knell.store(true, Ordering::Relaxed);
        std::future::pending().await
    }

    /// Polls a body until it has ended or wants to be dropped.
    async fn until_dropped<T>(&self, mut body: Running<'_, T>) -> Option<T> {
        poll_fn(|context| match body.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if self.knell.swap(false, Ordering::Relaxed) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }
}

/// Drops a future after `polls` polls, unless it has ended.
async fn give_up<F: Future>(future: F, polls: u32) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            polled += 1;
            if polled >= polls {
                return Poll::Ready(None);
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

fn name(act: &Act) -> String {
    match act {
        Act::Insert(row) => format!("insert {row}"),
        Act::Duplicate => "duplicate".to_owned(),
        Act::Peek => "peek".to_owned(),
        Act::Slow(_) => "slow".to_owned(),
        Act::Nested(_) => "nested".to_owned(),
    }
}

fn answer(what: &str, ok: Option<bool>) -> String {
    let how = match ok {
        Some(true) => "ok",
        Some(false) => "err",
        None => "dropped",
    };
    format!("{what}: {how}")
}

fn program(seed: u64, index: u64) -> Body {
    let random = fastrand::Rng::with_seed(seed.wrapping_add(index));
    Maker { random, row: 0 }.body(0)
}

/// The smallest program found that still fails.
async fn shrink(mut failing: Body, fails: impl AsyncFn(&Body) -> bool) -> Body {
    let mut tries = 300;
    'smaller: loop {
        for smaller in failing.smaller() {
            tries -= 1;
            if tries == 0 {
                return failing;
            }
            if fails(&smaller).await {
                failing = smaller;
                continue 'smaller;
            }
        }
        return failing;
    }
}

each_database! {
    use super::*;
    use futures_util::StreamExt as _;
    use steadfast::{Error, Outcome, with_session};

    const RULES: Rules = Rules {
        an_error_dooms_the_level: ERROR_DOOMS,
        a_drop_dooms_the_session: DROP_DOOMS_SESSION,
        a_stopped_write_dooms_the_session: STOPPED_WRITE_DOOMS_SESSION,
        keeps_what_failed: false,
    };

    #[with_session]
    async fn annotated(session: &mut Session, body: &Body, stage: &Stage) -> Result<(), Error> {
        run(session, body, stage).await
    }

    fn run<'a>(session: &'a mut Session, body: &'a Body, stage: &'a Stage) -> Running<'a, Result<(), Error>> {
        Box::pin(async move {
            for step in &body.steps {
                let result = act(session, &step.act, stage).await;
                stage.note(answer(&name(&step.act), result.as_ref().map(Result::is_ok)));
                match result {
                    Some(Err(error)) if !step.swallows => return Err(error),
                    _ => {}
                }
            }
            match body.end {
                End::Ok => Ok(()),
                End::Err => Err(sqlx::Error::RowNotFound.into()),
                End::Dropped => stage.ask_to_be_dropped().await,
                End::DroppedIn(slow) => {
                    if is_open(session).await {
                        let mut statement = pin!(statement(session, slow, stage));
                        let waits = give_up(&mut statement, slow.polls).await;
                        assert!(waits.is_none(), "the slow statement answered {waits:?}");
                        // The statement is still there when the body is dropped.
                        return stage.ask_to_be_dropped().await;
                    }
                    stage.ask_to_be_dropped().await
                }
                End::DroppedAtOnce => {
                    let mut first = pin!(insert(session, stage.base + ROWS - 3));
                    let _ = give_up(&mut first, 1).await;
                    stage.ask_to_be_dropped().await
                }
            }
        })
    }

    async fn act(session: &mut Session, act: &Act, stage: &Stage) -> Option<Result<(), Error>> {
        match act {
            Act::Insert(row) => Some(insert(session, stage.base + row).await),
            Act::Duplicate => Some(insert(session, stage.base).await),
            Act::Peek => {
                let mut rows = sqlx::query("SELECT id FROM accounts ORDER BY id").fetch(&mut *session);
                rows.next().await.map(|row| row.map(|_| ()).map_err(Error::from))
            }
            Act::Slow(slow) => {
                // What goes ahead of it must have been answered: only then is it the statement that is dropped.
                if let Err(error) = ask(session).await {
                    return Some(Err(error));
                }
                let waits = give_up(statement(session, *slow, stage), slow.polls).await;
                assert!(waits.is_none(), "the slow statement answered {waits:?}");
                None
            }
            Act::Nested(inner) => {
                let nested: Running<'_, _> = match inner.door {
                    Door::Annotated => Box::pin(annotated(&mut *session, inner, stage)),
                    Door::ByHand => Box::pin(session.savepoint(async |session| run(session, inner, stage).await)),
                };
                stage.until_dropped(nested).await
            }
        }
    }

    async fn insert(session: &mut Session, row: i64) -> Result<(), Error> {
        sqlx::query(sql("INSERT INTO tree VALUES ($1)")).bind(row).execute(&mut *session).await?;
        Ok(())
    }

    async fn ask(session: &mut Session) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        Ok(())
    }

    async fn is_open(session: &mut Session) -> bool {
        ask(session).await.is_ok()
    }

    async fn statement(session: &mut Session, slow: Slow, stage: &Stage) -> Result<(), Error> {
        if slow.writes {
            sqlx::query(sql(SLOW_INSERT)).bind(stage.base + ROWS - 2).execute(&mut *session).await?;
        } else {
            sqlx::query(SLOW).execute(&mut *session).await?;
        }
        Ok(())
    }

    async fn by_hand(pool: &Pool, body: &Body, stage: &Stage) -> Result<(), Error> {
        let mut session = pool.begin().await?;
        match run(&mut session, body, stage).await {
            Ok(()) => session.commit().await,
            Err(error) => {
                session.rollback().await?;
                Err(error)
            }
        }
    }

    /// Runs a program and gives its answers.
    async fn perform(pool: &Pool, body: &Body, base: i64) -> Vec<String> {
        let stage = Stage::new(base);
        let session: Running<'_, _> = match body.door {
            Door::Annotated => Box::pin(annotated(pool, body, &stage)),
            Door::ByHand => Box::pin(by_hand(pool, body, &stage)),
        };
        let result = stage.until_dropped(session).await;
        if let Some(Err(error)) = &result
            && matches!(body.end, End::Ok)
        {
            let outcome = error.outcome();
            assert!(
                matches!(outcome, Outcome::RolledBack | Outcome::NotSent),
                "{outcome:?} for a session that was rolled back: {error}"
            );
        }
        stage.note(answer("session", result.as_ref().map(Result::is_ok)));
        stage.answers.into_inner().unwrap()
    }

    async fn stage_of(programs: u64) -> (Place, Pool) {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE tree (id BIGINT PRIMARY KEY)").execute(&place.plain).await.unwrap();
        let mut there = place.plain.begin().await.unwrap();
        for index in 1..=i64::try_from(programs).unwrap() {
            for row in [index * ROWS - 1, index * ROWS] {
                sqlx::query(sql("INSERT INTO tree VALUES ($1)")).bind(row).execute(&mut *there).await.unwrap();
            }
        }
        there.commit().await.unwrap();
        let pool = place.pool(4).await;
        (place, pool)
    }

    /// The rows that the programs have left, once the last reaper has ended.
    async fn rows(place: &Place, pool: &Pool) -> BTreeSet<i64> {
        eventually("every slot is free", || async { pool.stats().in_use == 0 }).await;
        assert!(pool.sessions().is_empty());
        assert_eq!(place.open_transactions().await, 0);
        sqlx::query_scalar::<_, i64>("SELECT id FROM tree").fetch_all(&place.plain).await.unwrap().into_iter().collect()
    }

    fn rows_of(rows: &BTreeSet<i64>, base: i64) -> BTreeSet<i64> {
        rows.range(base + 1..base + ROWS - 1).map(|row| row - base).collect()
    }

    async fn observe(body: &Body) -> Observed {
        let (place, pool) = stage_of(1).await;
        let answers = perform(&pool, body, ROWS).await;
        Observed { answers, rows: rows_of(&rows(&place, &pool).await, ROWS) }
    }

    async fn explain(seed: u64, index: u64) -> ! {
        let differs = async |body: &Body| !Model::allows(RULES, body, &observe(body).await);
        let smallest = shrink(program(seed, index), differs).await;
        let expected = Model::run(RULES, &smallest, 0, &mut Tally::default());
        let observed = observe(&smallest).await;
        panic!(
            "{NAME}: the model and the database differ; again with STEADFAST_SEED={seed} STEADFAST_PROGRAM={index}\n\
             {smallest}expected {expected:#?}\nobserved {observed:#?}"
        );
    }

    // One thread: nobody reads an answer while the first poll of a statement sends what goes ahead of it.
    #[tokio::test]
    async fn random_programs_do_what_the_model_says() {
        let seed = seed();
        let only = std::env::var("STEADFAST_PROGRAM").ok().and_then(|index| index.parse().ok());
        let indices: Vec<u64> = only.map_or_else(|| (0..PROGRAMS).collect(), |index| vec![index]);
        let began = std::time::Instant::now();
        let (place, pool) = stage_of(PROGRAMS).await;
        let base = |index: u64| i64::try_from(index + 1).unwrap() * ROWS;
        let answers: Vec<_> = futures_util::stream::iter(&indices)
            .map(|&index| {
                let pool = &pool;
                async move { (index, perform(pool, &program(seed, index), base(index)).await) }
            })
            .buffer_unordered(4)
            .collect()
            .await;
        let rows = rows(&place, &pool).await;

        let (mut tally, mut caught) = (Tally::default(), 0);
        for (index, answers) in answers {
            let body = program(seed, index);
            let observed = Observed { answers, rows: rows_of(&rows, base(index)) };
            Model::run(RULES, &body, 0, &mut tally);
            if !Model::allows(RULES, &body, &observed) {
                println!("program {index} in the run: {body}{observed:#?}");
                explain(seed, index).await;
            }
            let broken = Rules { keeps_what_failed: true, ..RULES };
            caught += usize::from(!Model::allows(broken, &body, &observed));
        }
        println!(
            "{NAME}: seed {seed}, {} programs in {:.1?}: {tally:?}; a model with a bug differs in {caught}",
            indices.len(),
            began.elapsed()
        );
        if only.is_none() {
            assert_eq!(tally.deepest, DEEPEST);
            for often in [
                tally.dropped,
                tally.dropped_in_statement,
                tally.dropped_at_once,
                tally.swallowed,
                tally.doomed,
                tally.committed,
                caught,
            ] {
                assert!(often > 20, "the programs of seed {seed} are too tame: {tally:?}, {caught}");
            }
        }
    }
}
