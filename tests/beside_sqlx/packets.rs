//! Rows 8 and 17: a statement of MySQL's is dropped in the middle of an answer.

use super::{Doer, Failure, MENDED, ROUNDS, Who, are_many, every_point, freed_after, show, stride};
use crate::support::mysql::{Db, Place};
use crate::support::{Lag, PATIENCE, PROMISED, TOO_BUSY, drop_at_poll, eventually, forgiven};
use std::cell::Cell;
use std::time::Duration;
use steadfast::Category;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};
use xtask::proxy::Proxy;

const ANSWER: &str = "SELECT CAST(42 AS SIGNED)";

/// Until then all that is on its way has arrived, in the one point that has to show it.
const ARRIVED: Duration = Duration::from_millis(300);

/// What the next statement of a transaction was answered, after its first prepared one was dropped.
#[derive(Debug, PartialEq)]
enum Next {
    Right,
    RefusedByUs,
    /// What no server said: another statement's answer, or bytes that are none.
    Nonsense(String),
    /// Any other error.
    Failed(String),
    Silence,
}

impl Next {
    fn is_nonsense(&self) -> bool {
        matches!(self, Self::Nonsense(_))
    }
}

async fn next(who: Who, proxy: &Proxy, polls: usize) -> Option<Next> {
    let doer = Doer::<Db>::connect(who, &proxy.url(), 1).await;
    let mut work = doer.begin().await.unwrap();
    work.execute("DO 1").await.unwrap();
    proxy.trickle(1);
    let first = work.number("SELECT id, cents FROM accounts WHERE id = 1");
    let ended = drop_at_poll(first, polls).await;
    proxy.trickle(0);
    if ended.is_some() {
        return None;
    }
    let patience = if who == Who::Sqlx { ARRIVED } else { PATIENCE };
    let next = match timeout(patience, work.number(ANSWER)).await {
        Ok(Ok(42)) => Next::Right,
        Ok(Err(Failure::Steadfast(error))) if error.category() == Category::Cancelled => {
            Next::RefusedByUs
        }
        Ok(Ok(number)) => Next::Nonsense(number.to_string()),
        Ok(Err(failure)) if cannot_be_read(&failure) => Next::Nonsense(failure.to_string()),
        Ok(Err(failure)) => Next::Failed(failure.to_string()),
        Err(_) => Next::Silence,
    };
    if who == Who::Steadfast {
        drop(work);
        let user = timeout(PATIENCE, doer.number(ANSWER)).await;
        assert_eq!(user.unwrap().unwrap(), 42, "the next user, at poll {polls}");
    }
    // What sqlx still holds would stay open on the server.
    proxy.cut();
    Some(next)
}

/// What sqlx says of bytes that make no sense where it reads them, or of a value that is not what was asked for.
fn cannot_be_read(failure: &Failure) -> bool {
    use sqlx::Error::{ColumnDecode, Decode, Protocol};
    matches!(
        failure,
        Failure::Sqlx(Protocol(_) | Decode(_) | ColumnDecode { .. })
    )
}

async fn nexts(who: Who, enough: impl Fn(&[Next]) -> bool) -> Vec<Next> {
    let place = Place::new().await;
    let found = Cell::new(0);
    let stride = stride(who, "mysql");
    let all = every_point(&place.url, stride, enough, async |proxy, polls| {
        // A few will do.
        if found.get() >= 3 {
            return None;
        }
        let next = next(who, proxy, polls).await?;
        found.set(found.get() + usize::from(next.is_nonsense()));
        Some(next)
    })
    .await;
    let example = all.iter().find(|next| next.is_nonsense());
    let count = |like: fn(&Next) -> bool| all.iter().filter(|next| like(next)).count();
    show(
        8,
        "mysql",
        who,
        format_args!(
            "the first prepare dropped at {} points, the next statement: {} answered right, {} refused, {} got nonsense, \
             {} another error, {} nothing; {example:?}",
            all.len(),
            count(|next| *next == Next::Right),
            count(|next| *next == Next::RefusedByUs),
            count(Next::is_nonsense),
            count(|next| matches!(next, Next::Failed(_))),
            count(|next| *next == Next::Silence),
        ),
    );
    all
}

/// Row 8 of the design's table. PostgreSQL's answers carry their kind, and sqlx counts there which are still to come;
/// SQLite answers on a channel of each statement's own.
#[tokio::test]
async fn mysql_after_a_dropped_prepare_nobody_reads_its_answer_for_another() {
    let shown = |nexts: &[Next]| nexts.iter().any(Next::is_nonsense);
    let plain = nexts(Who::Sqlx, shown).await;
    assert!(shown(&plain), "{MENDED}: {} points", plain.len());
    let ours = nexts(Who::Steadfast, are_many).await;
    assert!(are_many(&ours), "too few points: {}", ours.len());
    let honest = |next: &&Next| matches!(next, Next::Right | Next::RefusedByUs);
    let wrong: Vec<_> = ours.iter().filter(|next| !honest(next)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// How long the slot takes to be free after a statement was dropped; `None` if that had ended before.
async fn frees(
    doer: &Doer<Db>,
    proxy: &Proxy,
    polls: usize,
    limit: Duration,
) -> Option<Result<Duration, Elapsed>> {
    proxy.trickle(1);
    let ended = drop_at_poll(doer.number(ANSWER), polls).await;
    proxy.trickle(0);
    if ended.is_some() {
        return None;
    }
    let dropped = Instant::now();
    let is_free = eventually("it is free", || async { doer.is_free() });
    Some(timeout(limit, is_free).await.map(|()| dropped.elapsed()))
}

/// The first point at which sqlx does not give the slot back.
async fn held_at() -> Option<usize> {
    let place = Place::new().await;
    let proxy = Proxy::before(&place.url).unwrap();
    for _ in 0..ROUNDS {
        for polls in 1.. {
            let doer = Doer::<Db>::connect(Who::Sqlx, &proxy.url(), 1).await;
            let Some(freed) = frees(&doer, &proxy, polls, ARRIVED).await else {
                break;
            };
            if freed.is_err() && freed_after(&doer).await.is_none() {
                return Some(polls);
            }
            proxy.cut();
        }
    }
    None
}

/// How long the slots of steadfast's took to be free, each dropped at a point of its own; within the second all of them.
async fn freed_in_time() -> Vec<Duration> {
    let place = Place::new().await;
    let (lag, stride) = (Lag::default(), stride(Who::Steadfast, "mysql"));
    let mut points = Vec::new();
    let calls = async {
        points = every_point(&place.url, stride, are_many, async |proxy, polls| {
            let doer = Doer::<Db>::connect(Who::Steadfast, &proxy.url(), 1).await;
            let took = frees(&doer, proxy, polls, PATIENCE).await?;
            let (took, freed) = (took.expect("it is free"), Instant::now());
            let next = doer.number(ANSWER).await.unwrap();
            assert_eq!(next, 42, "the next user, at poll {polls}");
            // By now they have woken who slept when it was free.
            let lag = lag.between(freed - took, freed);
            assert!(
                lag > TOO_BUSY || took < PROMISED + forgiven(lag),
                "dropped at poll {polls}, it is free after {took:?}, the lag {lag:?}"
            );
            Some(took)
        })
        .await;
    };
    lag.beside(calls).await;
    points
}

/// Row 17 of the design's table. PostgreSQL's messages are taken from the buffer whole; SQLite has no packets.
#[tokio::test]
async fn mysql_a_drop_in_the_middle_of_a_packet_frees_its_slot() {
    let held = held_at().await;
    show(
        17,
        "mysql",
        Who::Sqlx,
        format_args!("dropped at poll {held:?}: the only slot is taken for more than an hour"),
    );
    assert!(held.is_some(), "{MENDED}");

    let points = freed_in_time().await;
    show(
        17,
        "mysql",
        Who::Steadfast,
        format_args!(
            "dropped at {} points: the slot is free after {:.0?} at the latest, and serves",
            points.len(),
            points.iter().max().unwrap(),
        ),
    );
    assert!(are_many(&points), "too few points: {}", points.len());
}
