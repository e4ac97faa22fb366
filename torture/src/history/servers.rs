//! Histories on servers, whose connections are cut and whose backends are ended.

use std::time::Duration;

use steadfast::{Isolation, RetryBudget};

/// One COMMIT in so many loses its connection on its way, and as many on the way of their answer.
const LOST: u32 = 40;

/// Calls between two backends that are ended.
const BETWEEN: i64 = 15;

/// Between two looks at how far the calls are.
const PAUSE: Duration = Duration::from_millis(5);

/// Those that the servers have and a session can ask for.
const LEVELS: [Isolation; 3] = [
    Isolation::ReadCommitted,
    Isolation::RepeatableRead,
    Isolation::Serializable,
];

/// At one level.
const CALLS: i64 = 2_600;

pub(super) use mysql::attack as attack_mysql;
pub(super) use postgres::attack as attack_postgres;

each_server! {
    lanes!();

    use super::{BETWEEN, CALLS, LEVELS, LOST, PAUSE, RetryBudget};
    use crate::backends::Backends as _;
    use sqlx::Executor as _;
    use std::sync::Mutex;
    use xtask::proxy::{Fault, Proxy};

    pub(crate) async fn attack(front: Front) {
        let calls = if front.settings.short { 200 } else { CALLS };
        let is_limited = front.settings.is_limited();
        front.report.expect("transactions", if is_limited { 100 } else { 3 * CALLS as u64 });
        front.report.expect("committed", if is_limited { 10 } else { 3 * CALLS as u64 / 2 });
        front.report.expect("lost commits", if is_limited { 1 } else { 100 });
        front.report.expect("backends ended", if is_limited { 1 } else { 30 });
        front.report.expect("dropped", if is_limited { 1 } else { 300 });
        front.report.expect(ALLOWED, (!is_limited).into());
        for level in LEVELS {
            let place = Place::new().await;
            prepare(&place, calls).await;
            let proxy = Proxy::before(&place.url).unwrap();
            let pools = [pool(&proxy, level).await, pool(&proxy, Isolation::ReadCommitted).await];
            // In a short history there must be some of each kind too.
            let lost = if front.settings.short { LOST / 5 } else { LOST };
            lose_commits(&proxy, lost, front.settings.chance(("history", NAME, level)));
            let work = Work::new(&front, level, place, pools, calls);
            let has_ended = work.run(end_backends(&work)).await;
            proxy.disarm();
            front.report.count("lost commits", proxy.fired());
            if !has_ended {
                return;
            }
            work.conclude().await;
        }
    }

    /// Where a session asks for no level, and where there is none, it is this one. And deadlocks are found soon.
    async fn pool(proxy: &Proxy, level: Isolation) -> Pool {
        let level = level.as_str().replace('_', " ");
        let settings = match NAME {
            "postgres" => format!("SET default_transaction_isolation = '{level}'; SET deadlock_timeout = '20ms'"),
            _ => format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}"),
        };
        let builder = Pool::builder()
            .primary(proxy.url())
            .max_connections(CONNECTIONS)
            // With a budget most calls would not be tried again.
            .retry_budget(RetryBudget::unlimited())
            .after_connect(move |connection| {
                let settings = sqlx::raw_sql(sql(&settings));
                Box::pin(async move {
                    connection.execute(settings).await?;
                    Ok(())
                })
            });
        builder.connect().await.unwrap()
    }

    fn lose_commits(proxy: &Proxy, lost: u32, mut chance: fastrand::Rng) {
        for fault in [Fault::CutBefore, Fault::CutAnswer] {
            let chance = Mutex::new(chance.fork());
            let is_chosen = move || chance.lock().unwrap().u32(..lost) == 0;
            proxy.on_each(move |sent| sent.runs("COMMIT") && is_chosen(), fault);
        }
    }

    async fn end_backends(work: &Work) {
        let mut chance = work.front.settings.chance(("backends", NAME, work.level));
        let plain = &work.place.plain;
        let mut next = i64::MAX;
        while !work.is_over() {
            tokio::time::sleep(PAUSE).await;
            let left = work.left.load(Ordering::Relaxed);
            if left > next {
                continue;
            }
            let busy = Db::busy(plain, &work.place.name).await.unwrap();
            if let Some(id) = chance.choice(busy)
                && Db::end(plain, id).await
            {
                work.front.report.count("backends ended", 1);
                next = left - BETWEEN;
            }
        }
    }
}
