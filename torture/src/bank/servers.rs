//! The bank on a server of its own, which is killed and started again.

use std::time::Duration;

use steadfast::{Isolation, RetryBudget};

/// Connections that the clerks share.
const CONNECTIONS: u32 = 16;

/// One COMMIT in so many loses its connection, on its way or on the way of its answer.
const LOST: u32 = 4;

/// So much is acknowledged ahead of each kill.
const BETWEEN: u64 = 50;

/// Until the clerks have got that far, or have gone home, or a server is back: far more than any of it takes.
const PATIENCE: Duration = Duration::from_mins(1);
/// Each look at a bank that stands still takes no longer.
const LOOK: Duration = Duration::from_secs(10);

/// Those that the servers have and a session can ask for.
const LEVELS: [Isolation; 3] = [
    Isolation::ReadCommitted,
    Isolation::RepeatableRead,
    Isolation::Serializable,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Backend,
    Server,
}

pub(super) use mysql::attack as attack_mysql;
pub(super) use postgres::attack as attack_postgres;

each_server! {
    counter!();

    use super::{BETWEEN, CONNECTIONS, LEVELS, LOOK, LOST, PATIENCE, RetryBudget, Target};
    use crate::bank::books::Books;
    use crate::backends::Backends as _;
    use crate::bank::{CLERKS, ROOM};
    use crate::campaign::Front;
    use crate::private::started;
    use fastrand::Rng;
    use futures_util::future::join_all;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;
    use support::private::{self, Server};
    use xtask::proxy::{Fault, Proxy};

    struct Bank {
        front: Front,
        server: Arc<Server<Db>>,
        place: Place,
        proxy: Proxy,
        pool: Pool,
        books: Mutex<Books>,
        is_closed: AtomicBool,
    }

    pub(crate) async fn attack(front: Front) {
        let mut chance = front.settings.chance(("bank", NAME));
        let (levels, kills) = if front.settings.short {
            (vec![LEVELS[chance.usize(..LEVELS.len())]], 1)
        } else {
            (LEVELS.to_vec(), 5)
        };
        let at_least = if front.settings.is_limited() { 1 } else { 15 };
        for figure in ["kills of servers", "kills of backends", "lost commits", "refused", "panicked", "nobody told", "tried again"] {
            front.report.expect(figure, at_least);
        }
        // A short form may have a level at which there are none.
        front.report.expect("conflicts", (!front.settings.is_limited()).into());
        let bank = Arc::new(Bank::found(&front).await);
        for (round, level) in (0..).zip(levels) {
            bank.day(round, level, kills, &mut chance).await;
        }
        front.report.count("lost commits", bank.proxy.fired());
        front.report.count("conflicts", CONFLICTS.load(Ordering::Relaxed));
        front.report.count("tried again", AGAIN.load(Ordering::Relaxed));
        bank.books.lock().unwrap().report(&front.report);
    }

    impl Bank {
        async fn found(front: &Front) -> Self {
            let server = Arc::new(started(private::start_durable::<Db>()).await);
            let place = Place::on(&server.url()).await;
            open(&place).await;
            let proxy = Proxy::before(&place.url).unwrap();
            // With a budget most calls would not be tried again.
            let builder = Pool::builder()
                .primary(proxy.url())
                .max_connections(CONNECTIONS)
                .retry_budget(RetryBudget::unlimited());
            let pool = builder.connect().await.unwrap();
            Self {
                front: front.clone(),
                server,
                place,
                proxy,
                pool,
                books: Mutex::default(),
                is_closed: AtomicBool::new(false),
            }
        }

        /// From opening to closing time, at one level; then the books are held against the database.
        async fn day(self: &Arc<Self>, round: i64, level: Isolation, kills: usize, chance: &mut Rng) {
            self.is_closed.store(false, Ordering::Relaxed);
            self.lose_commits(chance.fork());
            let clerks = (0..CLERKS).map(|number| {
                let bank = Arc::clone(self);
                tokio::spawn(async move {
                    let mut doubts = Doubts::new();
                    let first = (round * CLERKS + number) * ROOM;
                    bank.front.watch(bank.serve(level, first, &mut doubts)).await;
                    doubts
                })
            });
            let clerks: Vec<_> = clerks.collect();
            for target in [Target::Backend, Target::Server].repeat(kills) {
                if !self.front.is_over() {
                    self.work_goes_on().await;
                    tokio::time::sleep(Duration::from_millis(chance.u64(..30))).await;
                    self.kill(target, chance).await;
                }
            }
            self.work_goes_on().await;
            self.is_closed.store(true, Ordering::Relaxed);
            let Ok(ended) = tokio::time::timeout(PATIENCE, join_all(clerks)).await else {
                self.front.violation(format_args!("at {level}, calls are still there after {PATIENCE:?}: {:?}", self.pool.sessions()));
                return;
            };
            self.proxy.disarm();
            quiet(&self.pool).await;
            self.place.has_open(0).await;
            for doubts in ended {
                let doubts = doubts.unwrap_or_default();
                self.front.report.count("asked later", doubts.len() as u64);
                resolve(&self.pool, doubts, |id, told| self.books.lock().unwrap().tell(id, told)).await;
            }
            let (journal, balances) = inventory(&self.place).await;
            for fault in self.books.lock().unwrap().audit(&journal, &balances) {
                self.front.violation(format_args!("at {level}, {fault}"));
            }
        }

        async fn serve(&self, level: Isolation, first: i64, doubts: &mut Doubts) {
            let chance = self.front.settings.chance(("bank", NAME, first));
            *doubts = clerk(
                &self.pool,
                Some(level),
                first..first + ROOM,
                chance,
                &self.is_closed,
                |order| self.books.lock().unwrap().begin(order.row(), order),
                |id, told| self.books.lock().unwrap().tell(id, told),
            )
            .await;
        }

        /// Ahead of the server, or behind it.
        fn lose_commits(&self, chance: Rng) {
            let chance = Mutex::new(chance);
            for fault in [Fault::CutBefore, Fault::CutAnswer] {
                let chance = Mutex::new(chance.lock().unwrap().fork());
                let is_chosen = move || chance.lock().unwrap().u32(..2 * LOST) == 0;
                self.proxy.on_each(move |sent| sent.runs("COMMIT") && is_chosen(), fault);
            }
        }

        /// Waits until orders have been acknowledged.
        async fn work_goes_on(&self) {
            let acknowledged = || self.books.lock().unwrap().acknowledged();
            let (before, began) = (acknowledged(), Instant::now());
            while acknowledged() < before + BETWEEN {
                assert!(began.elapsed() < PATIENCE, "the bank stands still: {}", self.looks_like().await);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }

        /// What there is to be seen of a bank in which nothing goes on.
        async fn looks_like(&self) -> String {
            let (stats, sessions) = (self.pool.stats(), self.pool.sessions());
            let asks = async |url: &str| {
                let connecting = <<Db as sqlx::Database>::Connection as sqlx::Connection>::connect(url);
                tokio::time::timeout(LOOK, connecting).await.map(|connected| connected.map(drop))
            };
            let (through, past) = (asks(&self.proxy.url()).await, asks(&self.place.url).await);
            let began = Instant::now();
            let served = self.pool.session("bank::look", async |session| {
                sqlx::query(WHICH).execute(&mut *session).await?;
                Ok::<_, Error>(())
            });
            let served = tokio::time::timeout(LOOK, served).await;
            let took = began.elapsed();
            format!(
                "{stats:?}, {sessions:?}; connecting through the proxy: {through:?}, past it: {past:?}; \
                 a session: {served:?} after {took:?}"
            )
        }

        async fn kill(&self, target: Target, chance: &mut Rng) {
            match target {
                Target::Backend => {
                    while !self.kill_backend(chance).await {}
                    self.front.report.count("kills of backends", 1);
                }
                Target::Server => {
                    let server = Arc::clone(&self.server);
                    let pause = Duration::from_millis(chance.u64(..200));
                    let blocking = move || {
                        server.kill()?;
                        std::thread::sleep(pause);
                        server.restart()
                    };
                    tokio::task::spawn_blocking(blocking).await.unwrap().unwrap();
                    self.front.report.count("kills of servers", 1);
                }
            }
            self.is_back().await;
        }

        async fn kill_backend(&self, chance: &mut Rng) -> bool {
            let busy = Db::busy(&self.place.plain, &self.place.name).await.unwrap_or_default();
            match chance.choice(busy) {
                Some(id) => Db::kill(&self.server, &self.place.plain, id).await,
                None => false,
            }
        }

        async fn is_back(&self) {
            let began = Instant::now();
            while self.place.plain.acquire().await.is_err() {
                assert!(began.elapsed() < PATIENCE, "the server does not come back");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}
