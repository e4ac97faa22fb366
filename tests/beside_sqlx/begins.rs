//! Rows 1 and 2: BEGIN and SAVEPOINT, dropped on their way.

use std::cell::Cell;
use std::fmt::Debug;
use std::time::Duration;

use tokio::time::timeout;

use super::{Failure, MENDED, Who, are_many, every_point, show, stride};

/// What one piece of work was told, and what is left of it.
#[derive(Debug)]
struct Told {
    acknowledged: Vec<i64>,
    /// `None` if none came in time: to COMMIT, or to the statement ahead of it.
    answer: Option<Result<(), Failure>>,
    left: Vec<i64>,
}

impl Told {
    /// `Ok` means that all of what was acknowledged is there, and `Err` that nothing is. Silence is true of nothing.
    fn is_true(&self) -> bool {
        match &self.answer {
            Some(Ok(())) => self.left == self.acknowledged,
            Some(Err(_)) => self.left.is_empty(),
            None => false,
        }
    }

    /// What came first was rolled back silently, and what came last has committed itself.
    fn is_the_fault(&self) -> bool {
        let [first, last] = self.acknowledged[..] else {
            return false;
        };
        matches!(self.answer, Some(Ok(()))) && self.left == [last] && first < last
    }

    fn is_silence(&self) -> bool {
        self.answer.is_none()
    }

    /// Nobody was told anything, and nobody looks at what is left: it may still come.
    fn silence(acknowledged: Vec<i64>) -> Self {
        Self {
            acknowledged,
            answer: None,
            left: Vec::new(),
        }
    }
}

/// A slot that sqlx has not given back by then is given up by the test, and counts as a fault of another row.
const ENOUGH: Duration = Duration::from_millis(300);

/// Row 1.
mod first {
    use super::*;

    /// What the next user met after a BEGIN was dropped.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Next {
        Kept,
        /// Acknowledged, and not visible to anyone.
        Lost,
        /// No answer, or a refusal.
        Refused,
    }

    fn count(points: &[Next], like: Next) -> usize {
        points.iter().filter(|next| **next == like).count()
    }

    each_server! {
        use super::*;

        type Doer = crate::beside_sqlx::Doer<Db>;

        async fn begins(doer: &Doer) -> Result<(), Failure> {
            // A session of steadfast opens with its first statement.
            let mut work = doer.begin().await?;
            work.execute("SELECT 1").await
        }

        async fn points(who: Who, enough: impl Fn(&[Next]) -> bool) -> Vec<Next> {
            let place = Place::new().await;
            let ids = Cell::new(0);
            // What steadfast owes comes in its time, however busy the machine is.
            let patience = if who == Who::Sqlx { ENOUGH } else { PATIENCE };
            let points = every_point(&place.url, stride(who, NAME), enough, async |proxy, polls| {
                let doer = Doer::connect(who, &proxy.url(), 1).await;
                proxy.trickle(1);
                let begun = drop_at_poll(begins(&doer), polls).await;
                proxy.trickle(0);
                if let Some(begun) = begun {
                    begun.unwrap();
                    return None;
                }
                ids.set(ids.get() + 1);
                let id = ids.get();
                let next = match timeout(patience, doer.note(id)).await {
                    Ok(Ok(())) => {
                        // Nobody can come and commit it later.
                        let _ = timeout(patience, doer.close()).await;
                        if place.notes().await.contains(&id) { Next::Kept } else { Next::Lost }
                    }
                    _ => Next::Refused,
                };
                proxy.cut();
                Some(next)
            }).await;
            place.has_open(0).await;
            show(1, NAME, who, format_args!(
                "BEGIN and a SELECT dropped at {} points: {} acknowledged writes of the next user lost, {} not answered",
                points.len(), count(&points, Next::Lost), count(&points, Next::Refused),
            ));
            points
        }

        /// Row 1 of the design's table. SQLite has no bytes on a wire: its thread undoes a BEGIN that nobody waits for.
        #[tokio::test]
        async fn after_a_begin_dropped_at_any_byte_the_next_users_write_is_kept() {
            let shown = |points: &[Next]| points.contains(&Next::Lost);
            let plain = points(Who::Sqlx, shown).await;
            assert!(shown(&plain), "{MENDED}: {} points", plain.len());
            let ours = points(Who::Steadfast, are_many).await;
            assert!(are_many(&ours), "too few points: {}", ours.len());
            assert_eq!(count(&ours, Next::Kept), ours.len(), "{ours:?}");
        }
    }
}

/// Row 2.
mod nested {
    use super::*;

    /// How often SQLite's points are tried.
    const ROUNDS: usize = 40;

    each_database! {
        use super::*;
        use xtask::proxy::Proxy;

        type Doer = crate::beside_sqlx::Doer<Db>;

        /// A transaction in which a nested one is dropped at this poll, and that goes on and commits.
        async fn point(who: Who, place: &Place, proxy: Option<&Proxy>, polls: usize, ids: &Cell<i64>) -> Option<Told> {
            let url = proxy.map_or_else(|| place.url.clone(), Proxy::url);
            let doer = Doer::connect(who, &url, 1).await;
            let mut work = doer.begin().await.unwrap();
            let first = ids.replace(ids.get() + 3);
            let ids = [first, first + 1, first + 2];
            let mut acknowledged = vec![ids[0]];
            work.note(ids[0]).await.unwrap();
            if let Some(proxy) = proxy {
                proxy.trickle(1);
            }
            let ended = drop_at_poll(work.nested(ids[1]), polls).await;
            if let Some(proxy) = proxy {
                proxy.trickle(0);
            }
            if ended.is_some() {
                return None;
            }
            // A statement or a COMMIT of sqlx's may wait for ever, at a point that is of another row.
            let patience = if who == Who::Sqlx { ENOUGH } else { PATIENCE };
            match timeout(patience, work.note(ids[2])).await {
                Ok(Ok(())) => acknowledged.push(ids[2]),
                Ok(Err(_)) => {}
                Err(_) => return Some(Told::silence(acknowledged)),
            }
            let Ok(answer) = timeout(patience, work.commit()).await else {
                return Some(Told::silence(acknowledged));
            };
            let mut left = place.notes().await;
            left.retain(|id| ids.contains(id));
            Some(Told { acknowledged, answer: Some(answer), left })
        }

        async fn points(who: Who, enough: impl Fn(&[Told]) -> bool) -> Vec<Told> {
            let place = Place::new().await;
            let ids = Cell::new(1);
            let mut all = Vec::new();
            if NAME == "sqlite" {
                // Its thread may be so quick that there is nothing to drop.
                for _ in 0..ROUNDS {
                    for polls in 1.. {
                        let Some(told) = point(who, &place, None, polls, &ids).await else { break };
                        all.push(told);
                    }
                }
            } else {
                // MySQL's answer to a SAVEPOINT is one packet, and short.
                let stride = if NAME == "mysql" { 1 } else { stride(who, NAME) };
                all = every_point(&place.url, stride, enough, async |proxy, polls| {
                    point(who, &place, Some(proxy), polls, &ids).await
                }).await;
            }
            let count = |like: fn(&Told) -> bool| all.iter().filter(|told| like(told)).count();
            show(2, NAME, who, format_args!(
                "a nested begin and its INSERT dropped at {} points: {} times COMMIT answered Ok and the first write was gone, \
                 {} times no answer came",
                all.len(), count(Told::is_the_fault), count(Told::is_silence),
            ));
            all
        }

        /// Row 2 of the design's table.
        #[tokio::test]
        async fn a_nested_begin_dropped_at_any_poll_leaves_the_outer_one_whole() {
            let shown = |told: &[Told]| told.iter().any(Told::is_the_fault);
            let plain = points(Who::Sqlx, shown).await;
            assert!(shown(&plain), "{MENDED}: {} points", plain.len());
            let ours = points(Who::Steadfast, are_many).await;
            assert!(are_many(&ours) || NAME == "sqlite" && !ours.is_empty(), "too few points: {}", ours.len());
            let hangs: Vec<_> = ours.iter().filter(|told| told.is_silence()).collect();
            assert!(hangs.is_empty(), "no answer within {PATIENCE:?}: {hangs:?}");
            let wrong: Vec<_> = ours.iter().filter(|told| !told.is_true()).collect();
            assert!(wrong.is_empty(), "{wrong:?}");
        }
    }
}

/// Row 2, where PostgreSQL refuses the savepoint.
mod refused {
    use super::*;
    use crate::support::postgres::{Db, Place};

    type Doer = crate::beside_sqlx::Doer<Db>;

    async fn fails(who: Who) -> Told {
        let place = Place::new().await;
        let doer = Doer::connect(who, &place.url, 1).await;
        let mut work = doer.begin().await.unwrap();
        let mut acknowledged = vec![1];
        work.note(1).await.unwrap();
        work.note(1).await.unwrap_err();
        work.nested(2).await.unwrap_err();
        if work.note(3).await.is_ok() {
            acknowledged.push(3);
        }
        let answer = work.commit().await;
        let told = Told {
            acknowledged,
            answer: Some(answer),
            left: place.notes().await,
        };
        show(
            2,
            "postgres",
            who,
            format_args!(
                "a nested begin that fails: COMMIT {:?}, acknowledged {:?}, kept {:?}",
                told.answer
                    .as_ref()
                    .map(|answer| answer.as_ref().map_err(ToString::to_string)),
                told.acknowledged,
                told.left
            ),
        );
        told
    }

    /// Row 2 of the design's table. The others refuse no SAVEPOINT: with them an error ends a statement, not the
    /// transaction.
    #[tokio::test]
    async fn postgres_a_nested_begin_that_fails_leaves_nothing_to_commit() {
        let plain = fails(Who::Sqlx).await;
        assert!(plain.is_the_fault(), "{MENDED}: {plain:?}");
        let ours = fails(Who::Steadfast).await;
        assert!(
            matches!(ours.answer, Some(Err(_))) && ours.is_true(),
            "the first error dooms it: {ours:?}"
        );
    }
}
