//! Ends a connection, a backend or the server while a COMMIT is at a chosen moment, or leaves it there.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

use super::entries::Way;
use super::stalls::Moment;
use crate::campaign::{Part, attacks};

pub(super) const PARTS: &[Part] = attacks!(Postgres: postgres, MySql: mysql);

/// What happens to a COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strike {
    /// `kill -9` of the process that is at it. On MariaDB that is the server.
    Backend,
    /// An administrator ends its connection: there may be an answer, which says nothing of the work.
    Terminate,
    /// An administrator cancels it, and its connection stays.
    Cancel,
    /// `kill -9` of the server, which starts again.
    Server,
    /// Nothing more: it hangs, and is waited for no longer than `commit_timeout`.
    Hang,
}

impl fmt::Display for Strike {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Backend => "kill -9 of its backend",
            Self::Terminate => "its connection is ended",
            Self::Cancel => "it is cancelled",
            Self::Server => "kill -9 of the server",
            Self::Hang => "it hangs",
        })
    }
}

impl Strike {
    /// What it is counted as.
    fn figure(self) -> &'static str {
        match self {
            Self::Backend | Self::Server => "kills in COMMIT",
            Self::Terminate => "connections ended in COMMIT",
            Self::Cancel => "cancelled in COMMIT",
            Self::Hang => "hangs in COMMIT",
        }
    }
}

/// The lowered `commit_timeout`.
const LIMIT: Duration = Duration::from_millis(300);
/// Each of them so often.
const ROUNDS: usize = 2;
/// So many in the short form.
const SHORT: usize = 4;

/// What befalls one COMMIT.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incident {
    pub(super) strike: Strike,
    pub(super) moment: Moment,
    pub(super) way: Way,
}

impl Incident {
    /// Whether the client gets an answer that it must not take for one to COMMIT.
    fn misleads(self) -> bool {
        self.moment == Moment::AtWork
            && matches!(self.strike, Strike::Terminate | Strike::Cancel)
            && self.way == Way::Blind
    }
}

impl fmt::Display for Incident {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "COMMIT {}, {}", self.moment, self.strike)
    }
}

/// All combinations in an order of chance; in the short form a few, among them an answer that is none.
fn incidents(strikes: &[(Strike, &[Moment])], is_short: bool, chance: &mut Rng) -> Vec<Incident> {
    let mut all = Vec::new();
    for &(strike, moments) in strikes {
        for &moment in moments {
            all.extend(Way::BOTH.map(|way| Incident {
                strike,
                moment,
                way,
            }));
        }
    }
    if is_short {
        chance.shuffle(&mut all);
        // First come answers that are none.
        all.sort_by_key(|incident| !incident.misleads());
        all.dedup_by_key(|incident| (incident.strike, incident.moment));
        all.truncate(SHORT);
        return all;
    }
    let mut all = all.repeat(ROUNDS);
    chance.shuffle(&mut all);
    all
}

each_server! {
    use super::{Incident, LIMIT, Strike, incidents};
    use crate::campaign::Front;
    use crate::commit::entries::{Entries as _, Expected, Told, Way, open};
    use crate::commit::stalls::{Moment, Stall, Stalls as _};
    use crate::private::Private;
    use tokio::time::timeout;
    use xtask::proxy::{Fault, Proxy};

    /// What can happen here, and when. MariaDB has threads, and no backends to kill; and nothing cancels its wait for a
    /// replica.
    const STRIKES: &[(Strike, &[Moment])] = match NAME.as_bytes() {
        b"postgres" => &[
            (Strike::Backend, &Moment::ALL),
            (Strike::Terminate, &Moment::ALL),
            (Strike::Cancel, &[Moment::AtWork, Moment::Durable]),
            (Strike::Server, &Moment::ALL),
            (Strike::Hang, &Moment::ALL),
        ],
        _ => &[
            (Strike::Terminate, &Moment::ALL),
            (Strike::Cancel, &[Moment::AtWork]),
            (Strike::Server, &Moment::ALL),
            (Strike::Hang, &Moment::ALL),
        ],
    };

    struct Ground {
        server: Private<Db>,
        place: Place,
        proxy: Proxy,
        /// Waits for COMMIT as long as by default.
        patient: Pool,
        /// Waits no longer than the limit.
        hasty: Pool,
    }

    pub(super) async fn attack(front: Front) {
        let mut chance = front.settings.chance(("commit", "strikes", NAME));
        let incidents = incidents(STRIKES, front.settings.short, &mut chance);
        for incident in incidents.iter().filter(|_| front.settings.seconds.is_none()) {
            front.report.expect(incident.strike.figure(), 1);
        }
        let ground = Ground::start().await;
        for incident in incidents {
            if front.is_over() {
                break;
            }
            ground.meet(&front, incident).await;
        }
        ground.server.end().await;
    }

    impl Ground {
        async fn start() -> Self {
            let server = Private::start(<Place as crate::commit::stalls::Stalls<Db>>::SETTINGS).await;
            let place = Place::on(&server.url()).await;
            place.set_up().await;
            place.set_up_stalls().await;
            let proxy = Proxy::before(&place.url).expect("a proxy");
            let builder = || Pool::builder().primary(proxy.url()).max_connections(1);
            let (patient, hasty) = (open(builder(), None).await, open(builder(), Some(LIMIT)).await);
            Self { server, place, proxy, patient, hasty }
        }

        async fn meet(&self, front: &Front, incident: Incident) {
            let Incident { strike, moment, way } = incident;
            let pool = if strike == Strike::Hang { &self.hasty } else { &self.patient };
            let stall = self.place.stall(moment).await;
            let fired = self.proxy.fired();
            match moment {
                Moment::Ahead => self.proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldBefore),
                Moment::Answered => self.proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldAnswer),
                Moment::AtWork | Moment::Durable => {}
            }
            let strikes = async {
                eventually("COMMIT stands where it is to be struck", || async {
                    match moment {
                        Moment::Ahead | Moment::Answered => self.proxy.fired() > fired,
                        Moment::AtWork | Moment::Durable => self.place.stalled(stall.backend()).await.is_some(),
                    }
                }).await;
                self.strike(front, strike, &stall).await;
                stall.end().await;
                if moment == Moment::Answered && strike != Strike::Hang {
                    // The answer is lost with the connection.
                    self.proxy.cut();
                } else {
                    // What is held in the proxy would keep the end of the connection from its client.
                    self.proxy.resume();
                }
            };
            let (mut told, ()) = tokio::join!(self.place.enter(pool, way, Some(&stall)), strikes);
            quiet(pool).await;
            let is_over = timeout(PATIENCE / 2, self.place.has_open(0)).await;
            assert!(is_over.is_ok(), "behind {incident} a transaction stays open");
            told.resolve(front, pool).await;
            let there = self.place.there(told.id).await;
            let expected = Expected {
                // Where it only hangs, what ends it is the pool, or the end of the stall.
                is_applied: (strike != Strike::Hang).then(|| moment.is_applied()),
                may_answer: matches!(strike, Strike::Terminate | Strike::Cancel),
                has_ledger: false,
            };
            told.judge(front, incident, there, expected);
            self.goes_on(front, incident, pool).await;
        }

        async fn strike(&self, front: &Front, strike: Strike, stall: &Stall<Db>) {
            let at_first = self.place.stalled(stall.backend()).await;
            let stands = async || at_first.is_some() && self.place.stalled(stall.backend()).await == at_first;
            match strike {
                Strike::Backend => {
                    self.server.kill_process(stall.backend()).await;
                    eventually("the server throws out its clients", || async { stall.begin().await.is_err() }).await;
                    self.server.comes_back().await;
                }
                Strike::Terminate => {
                    self.place.terminate(stall.backend()).await;
                    eventually("the connection is ended", || async { !self.place.serves(stall.backend()).await }).await;
                }
                Strike::Cancel => {
                    self.place.cancel(stall.backend()).await;
                    eventually("it is cancelled", || async { !stands().await }).await;
                }
                Strike::Server => {
                    self.server.kill_and_restart().await;
                }
                Strike::Hang => {
                    // A call that asks the ledger may have to wait for what stalls its COMMIT.
                    let _ = timeout(LIMIT * 2, quiet(&self.hasty)).await;
                }
            }
            front.report.count(strike.figure(), 1);
        }

        /// The next user of the pool is served, and his work is there. He asks the ledger: a busy machine may take
        /// longer for a COMMIT than the limit.
        async fn goes_on(&self, front: &Front, incident: Incident, pool: &Pool) {
            let Told { id, answer, .. } = in_time(self.place.enter(pool, Way::Verified, None)).await;
            if let Err(error) = &answer {
                front.violation(format_args!("behind {incident} the next call is not served: {error}"));
            } else if self.place.there(id).await != 1 {
                front.violation(format_args!("behind {incident} the next call was told of a commit that is not there"));
            }
        }
    }
}
