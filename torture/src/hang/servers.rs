//! Servers that stop, are killed, or stand behind a hole in the network.

use crate::campaign::{Part, attacks};

pub(super) const PARTS: &[Part] = attacks!(Postgres: postgres, MySql: mysql);

/// How often each phase meets each fault.
const ENOUGH: usize = 20;
/// A busy machine may keep a call from its phase, or from showing anything.
const ROUNDS: usize = 30;

each_server! {
    use super::{ENOUGH, ROUNDS};
    use crate::hang::calls::Calls as _;
    use crate::hang::fault::Fault;
    use crate::campaign::Front;
    use crate::hang::incident::{Incident, millis};
    use crate::hang::run::{COMMIT_TIMEOUT, DEADLINE, Run, fresh};
    use crate::hang::silence::Silence;
    use crate::hang::phase::Phase;
    use crate::private::Private;
    use futures_util::future::join_all;
    use sqlx::pool::PoolConnection;
    use std::time::Duration;
    use steadfast::Outcome;
    use steadfast_tests::support::Lag;
    use tokio::time::{Instant, sleep, timeout};
    use xtask::proxy::Proxy;

    const FAULTS: &[Fault] = match NAME.as_bytes() {
        b"postgres" => &[Fault::BlackHole, Fault::StopBackends, Fault::KillBackends, Fault::StopServer, Fault::KillServer],
        _ => &[Fault::BlackHole, Fault::StopServer, Fault::KillServer],
    };

    pub(super) async fn attack(front: Front) {
        let mut chance = front.settings.chance(("hang", NAME));
        // The hole needs no server of its own.
        let private = chance.choice(&FAULTS[1..]).copied();
        let faults: Vec<Fault> = if front.settings.short {
            FAULTS.iter().copied().filter(|fault| *fault == Fault::BlackHole || Some(*fault) == private).collect()
        } else {
            FAULTS.to_vec()
        };
        let (rounds, wanted) = if front.settings.short { (5, 1) } else { (ROUNDS, ENOUGH) };
        for phase in Phase::ALL {
            front.report.expect(phase.name(), if front.settings.is_limited() { 1 } else { (ENOUGH * faults.len()) as u64 });
        }
        front.report.expect_plain("slots held a second later", 1);
        let lag = Lag::default();
        let lanes = join_all(faults.into_iter().map(|fault| {
            let (front, lag) = (front.clone(), &lag);
            async move {
                let lane = async {
                    let lane = Lane::start(&front, fault, lag).await;
                    // Of each phase.
                    let mut shown = [0; Phase::ALL.len()];
                    for round in 0..rounds {
                        if shown.iter().all(|shown| *shown >= wanted) || front.is_over() {
                            break;
                        }
                        for (shown, more) in shown.iter_mut().zip(lane.round(round).await) {
                            *shown += usize::from(more);
                        }
                    }
                    for (phase, shown) in Phase::ALL.into_iter().zip(shown) {
                        if shown < wanted && !front.is_over() {
                            front.violation(format_args!("too few {phase}, {fault}: {shown} of {wanted}"));
                        }
                    }
                    lane.end().await;
                };
                front.watch(lane).await;
            }
        }));
        lag.beside(async { drop(lanes.await) }).await;
    }

    /// Pools, one for each phase, whose server meets the same fault again and again.
    struct Lane<'f> {
        front: &'f Front,
        fault: Fault,
        lag: &'f Lag,
        server: Option<Private<Db>>,
        proxy: Option<Proxy>,
        place: Place,
        url: String,
        pools: Vec<Pool>,
        /// Of plain sqlx, as the control.
        plain: Option<Plain>,
    }

    impl<'f> Lane<'f> {
        async fn start(front: &'f Front, fault: Fault, lag: &'f Lag) -> Self {
            let (server, place) = if fault == Fault::BlackHole {
                (None, Place::new().await)
            } else {
                let server = Private::start(&[]).await;
                let place = Place::on(&server.url()).await;
                (Some(server), place)
            };
            let table = "CREATE TABLE entries (id BIGINT NOT NULL)";
            sqlx::raw_sql(table).execute(&place.plain).await.expect("a table");
            let proxy = (fault == Fault::BlackHole).then(|| Proxy::before(&place.url).expect("a proxy"));
            let url = proxy.as_ref().map_or_else(|| place.url.clone(), Proxy::url);
            let pools = Phase::ALL.map(|phase| open(&url, phase)).to_vec();
            let plain = proxy.is_some().then(|| {
                let options = sqlx::pool::PoolOptions::<Db>::new().max_connections(1);
                options.connect_lazy(&url).expect("a pool")
            });
            Self { front, fault, lag, server, proxy, place, url, pools, plain }
        }

        async fn end(self) {
            if let Some(server) = self.server {
                server.end().await;
            }
        }

        /// One call in each phase, all of which meet the fault at once; of each, whether it was shown how it fares.
        async fn round(&self, round: usize) -> Vec<bool> {
            let held = match &self.plain {
                Some(plain) => Some((plain, in_time(plain.acquire()).await.expect("nothing is wrong yet"))),
                None => None,
            };
            let silence = Silence::new();
            let mut calls = Vec::new();
            for (phase, pool) in Phase::ALL.into_iter().zip(&self.pools) {
                let run = Run::new(phase, round % 2 == 1);
                let is_connecting = phase == Phase::Acquire && !run.is_second && self.fault != Fault::StopBackends;
                let pool = if is_connecting { open(&self.url, phase) } else { pool.clone() };
                // From here on its connection is there.
                if !is_connecting && !self.is_served(&pool).await {
                    return Vec::new();
                }
                calls.push((run, pool));
            }
            let connected = calls.iter().filter(|(run, _)| run.phase != Phase::Acquire || self.fault == Fault::StopBackends);
            let backends: Vec<i64> = join_all(connected.map(|(_, pool)| backend(pool))).await;
            self.is_ready(backends.len()).await;
            let arriving = calls.iter().filter(|(run, _)| !run.phase.comes_after()).count();
            let strikes = async {
                silence.all_arrived(arriving).await;
                self.strike(&backends).await;
                silence.falls();
                if let Some((plain, held)) = held {
                    self.control(plain, held).await;
                }
            };
            let ran = join_all(calls.iter().map(|(run, pool)| self.place.meet(run.clone(), pool, &silence)));
            let (incidents, ()) = tokio::join!(ran, strikes);
            self.heal().await;
            let mut shown = Vec::new();
            for (incident, (_, pool)) in incidents.iter().zip(&calls) {
                if !self.is_served(pool).await {
                    return Vec::new();
                }
                shown.push(self.note(incident));
            }
            self.place.has_open(0).await;
            for incident in &incidents {
                let there = self.place.count(&format!("entries WHERE id = {}", incident.run.id)).await;
                incident.compare(self.front, self.fault, there);
            }
            shown
        }

        fn note(&self, incident: &Incident) -> bool {
            let (fault, phase, told) = (self.fault, incident.run.phase, incident.told());
            // Another connection may do for those that have none yet, or one that has carried nothing.
            let may_pass = phase == Phase::Acquire || (phase == Phase::Begin && !fault.is_silent());
            if told == Some(Outcome::Committed) && !may_pass {
                self.front.violation(format_args!("{fault} {phase}: answered, and by whom? {incident:?}"));
            }
            if told == Some(Outcome::Unknown) && phase != Phase::Commit {
                self.front.violation(format_args!("{fault} {phase}: in doubt, and COMMIT was never sent: {incident:?}"));
            }
            let is_shown = incident.time(self.front, fault, self.lag) && incident.run.has_met();
            self.front.report.count(phase.name(), is_shown.into());
            is_shown
        }

        async fn strike(&self, backends: &[i64]) {
            match (self.fault, &self.server, &self.proxy) {
                (Fault::BlackHole, _, Some(proxy)) => proxy.hold(),
                (Fault::StopBackends, Some(server), _) => server.pause_processes(backends.to_vec()).await,
                (Fault::KillBackends, Some(server), _) => server.kill_processes(backends.to_vec()).await,
                (Fault::StopServer, Some(server), _) => server.pause().await,
                (Fault::KillServer, Some(server), _) => server.kill().await,
                (fault, server, proxy) => unreachable!("{fault}: {server:?} {proxy:?}"),
            }
        }

        async fn heal(&self) {
            match (self.fault, &self.server, &self.proxy) {
                (Fault::BlackHole, _, Some(proxy)) => proxy.resume(),
                (Fault::KillServer, Some(server), _) => server.restart().await,
                (Fault::StopBackends | Fault::StopServer, Some(server), _) => server.resume().await,
                // Everybody has been thrown out, and it recovers by itself.
                (Fault::KillBackends, Some(server), _) => server.comes_back().await,
                (fault, server, proxy) => unreachable!("{fault}: {server:?} {proxy:?}"),
            }
        }

        /// Waits until each of these pools has its control connection beside its one. It is opened beside whoever opens
        /// the other, and a server that falls silent ahead of it may not be told what to stop.
        async fn is_ready(&self, pools: usize) {
            let connections = 2 * i64::try_from(pools).expect("a few");
            eventually("each pool has its control connection", || async {
                self.place.connections().await >= connections
            }).await;
        }

        /// Whether the pool serves its next user when the server does, and his work is there.
        async fn is_served(&self, pool: &Pool) -> bool {
            let began = Instant::now();
            let served = async {
                loop {
                    let id = fresh();
                    match self.place.enter(pool, id).await {
                        Ok(()) => break id,
                        // Not yet; a busy machine may also be late with the answer to COMMIT.
                        Err(_) => sleep(Duration::from_millis(20)).await,
                    }
                }
            };
            let Ok(id) = timeout(PATIENCE / 2, served).await else {
                self.front.violation(format_args!("{}: the pool does not recover with its server: {:?}", self.fault, pool.stats()));
                return false;
            };
            self.front.report.greatest("ms until a pool recovers", millis(began.elapsed()));
            let is_there = self.place.count(&format!("entries WHERE id = {id}")).await == 1;
            if !is_there {
                self.front.violation(format_args!("{}: the next user was told of a commit that is not there", self.fault));
            }
            is_there
        }

        /// What becomes of a slot of plain sqlx whose caller gives up.
        async fn control(&self, plain: &Plain, mut held: PoolConnection<Db>) {
            let is_answered = timeout(DEADLINE / 2, sqlx::query(WHICH).execute(&mut *held)).await.is_ok();
            drop(held);
            sleep(DEADLINE).await;
            let is_held = plain.size() as usize > plain.num_idle();
            self.front.report.count_plain("calls given up", u64::from(!is_answered));
            self.front.report.count_plain("slots held a second later", u64::from(is_held));
        }
    }

    /// A pool of one, which asks its connection whether it lives where that is attacked.
    fn open(url: &str, phase: Phase) -> Pool {
        let asked_after = if phase == Phase::Acquire { Duration::ZERO } else { Duration::from_hours(1) };
        let builder = Pool::builder().primary(url).max_connections(1).ping_after(asked_after);
        builder.acquire_timeout(DEADLINE).commit_timeout(COMMIT_TIMEOUT).connect_lazy().expect("a pool")
    }

    async fn backend(pool: &Pool) -> i64 {
        sqlx::query_scalar(WHICH).fetch_one(pool).await.expect("the server answers")
    }
}
